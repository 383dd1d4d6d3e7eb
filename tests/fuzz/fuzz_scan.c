/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Any bytes as a payload: the matcher's scanner must take for JSON what the oracle's strict parser
 * takes, and see what that sees at the paths of a few rules.
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
	scratch = sluice_scratch_create();
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sluice_event publish = SLUICE_EVENT_INIT;
	struct sluice_match result;
	bool matched[RULES] = { false };
	if (!matcher)
		prepare();
	publish.payload = (struct sluice_str){ (const char *)data, size };
	if (!data)
		publish.payload = SLUICE_STR("");
	if (sluice_match(matcher, scratch, &publish, &result) != SLUICE_OK)
		fail("the matcher failed");
	for (size_t i = 0; i < result.count; i++)
		matched[result.ids[i]] = true;

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
	return 0;
}
