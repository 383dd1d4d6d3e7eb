/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Any bytes as a payload: the matcher's scanner must take for JSON what the oracle's strict parser
 * takes, and see what that sees at the paths of a few rules. Where the payload begins in memory
 * must not matter, nor may anything be read before it or behind it. What is between bytes 0xFF are
 * payloads one after another, all of them twice, so that the scanner remembers the ones before.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../oracle/oracle.h"
#include "sluice/matcher.h"
#include "sluice/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const rules[] = {
	"{\"a\":[{\"exists\":true}]}",
	"{\"a\":[{\"exists\":false}]}",
	"{\"\":[{\"anything-but\":\"x\"}]}",
	"{\"a\":{\"b\":[1,\"\\u00e9\",{\"suffix\":\"\\\\\"}],\"\":[{\"exists\":false},null]}}",
	"{\"a.b.c\":[{\"numeric\":[\">\",-1,\"<=\",1e3]},true]}",
	"{\"\\ud83d\\ude00\":[\"\\ud83d\"],\"\\u0000\":[{\"prefix\":\"\\u0000\"}]}",
	"{\"$mqtt\":{\"value\":[{\"exists\":true}]}}",
	"{\"$mqtt\":{\"value\":{\"a\":[{\"wildcard\":\"*a*\"}],\"b\":[{\"exists\":true}]}}}",
	"{\"$mqtt\":{\"payload\":[{\"prefix\":\"\"}]}}",
	"{\"$mqtt\":{\"topic\":[{\"exists\":true}]}}",
};
enum { RULES = sizeof(rules) / sizeof(*rules) };

static struct oracle_pattern *patterns[RULES];
static struct sluice_matcher *matcher;
static struct sluice_scratch *scratch;

static void fail(const char *what)
{
	puts(what);
	fflush(stdout);
	abort();
}

static void prepare(void)
{
	matcher = sluice_matcher_create();
	for (size_t i = 0; i < RULES; i++) {
		struct sluice_pattern *pattern = NULL;
		char reason[128];
		patterns[i] = oracle_pattern_read(sluice_str(rules[i]), reason, sizeof(reason));
		if (!patterns[i] ||
		    sluice_pattern_compile(sluice_str(rules[i]), &pattern, NULL) != SLUICE_OK ||
		    sluice_matcher_add(matcher, i, pattern, NULL) != SLUICE_OK)
			fail(rules[i]);
		sluice_pattern_destroy(pattern);
	}
}

/* Asked again of a copy that begins elsewhere and ends with its block, where a sanitizer watches. */
static void match_elsewhere(struct sluice_str payload, const struct sluice_match *expected,
                            const bool *matched)
{
	static struct sluice_scratch *other;
	struct sluice_event publish = SLUICE_EVENT_INIT;
	struct sluice_match result;
	size_t offset = 1 + payload.len % 63;
	char *block = malloc(offset + payload.len);
	if (!block)
		abort();
	if (payload.len)
		memcpy(block + offset, payload.data, payload.len);
	publish.payload = (struct sluice_str){ block + offset, payload.len };
	if (!other)
		other = sluice_scratch_create();
	if (sluice_match(matcher, other, &publish, &result) != SLUICE_OK)
		fail("the matcher failed elsewhere");
	if (result.count != expected->count || result.flags != expected->flags)
		fail("it matters where the payload begins");
	for (size_t i = 0; i < result.count; i++)
		if (!matched[result.ids[i]])
			fail(rules[result.ids[i]]);
	free(block);
}

static void match_one(const uint8_t *data, size_t size)
{
	struct sluice_event publish = SLUICE_EVENT_INIT;
	struct sluice_match result;
	bool matched[RULES] = { false };

	publish.payload = (struct sluice_str){ (const char *)data, size };
	if (!data)
		publish.payload = SLUICE_STR("");
	if (sluice_match(matcher, scratch, &publish, &result) != SLUICE_OK)
		fail("the matcher failed");
	for (size_t i = 0; i < result.count; i++)
		matched[result.ids[i]] = true;
	match_elsewhere(publish.payload, &result, matched);

	struct oracle_event *event = oracle_event_read(&publish);
	enum oracle_payload payload = oracle_event_payload(event);
	bool bad = payload == ORACLE_PAYLOAD_BAD || payload == ORACLE_PAYLOAD_TOO_DEEP;
	if (bad != ((result.flags & SLUICE_MATCH_NOT_JSON) != 0))
		fail(bad ? "what is no JSON was taken" : "JSON was refused");
	if ((payload == ORACLE_PAYLOAD_OTHER) != ((result.flags & SLUICE_MATCH_NOT_OBJECT) != 0))
		fail("an object and another value were confused");
	for (size_t i = 0; i < RULES && result.undecided == 0; i++) {
		enum oracle_verdict verdict = oracle_match(patterns[i], event);
		if (verdict != ORACLE_UNKNOWN && (verdict == ORACLE_MATCH) != matched[i])
			fail(rules[i]);
	}
	oracle_event_destroy(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { SEPARATOR = 0xFF, TIMES = 2 };
	if (!matcher)
		prepare();
	/* a new one, so that an input does the same whatever was run before */
	sluice_scratch_destroy(scratch);
	scratch = sluice_scratch_create();
	for (int time = 0; time < TIMES; time++) {
		const uint8_t *at = data;
		size_t left = size;
		for (;;) {
			const uint8_t *separator = left ? memchr(at, SEPARATOR, left) : NULL;
			size_t len = separator ? (size_t)(separator - at) : left;
			match_one(at, len);
			if (!separator)
				break;
			at += len + 1;
			left -= len + 1;
		}
	}
	return 0;
}
