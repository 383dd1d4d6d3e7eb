/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "pairs.h"

#include <stdio.h>

#include "../oracle/oracle.h"
#include "check_explain.h"
#include "sluice/matcher.h"
#include "sluice/pattern.h"

static enum pair_outcome ask_engine(const struct sluice_pattern *pattern,
                                    const struct sluice_event *event, bool expected, bool explained,
                                    char *what, size_t size)
{
	struct sluice_matcher *matcher = sluice_matcher_create();
	static struct sluice_scratch *scratch; /* one for all: making it is the slowest part */
	struct sluice_match result = { 0 };
	enum pair_outcome outcome = PAIR_DIFFERS;
	if (!scratch)
		scratch = sluice_scratch_create();
	if (sluice_matcher_add(matcher, 1, pattern, NULL) != SLUICE_OK ||
	    sluice_match(matcher, scratch, event, &result) != SLUICE_OK)
		snprintf(what, size, "the engine failed");
	else if (result.undecided)
		outcome = PAIR_UNDECIDED;
	else if ((result.count == 1) != expected)
		snprintf(what, size, "expected %s, got %s", expected ? "match" : "nomatch",
		         expected ? "nomatch" : "match");
	else
		outcome = PAIR_AGREES;
	const char *wrong = outcome == PAIR_AGREES && explained
	                            ? check_explain(pattern, event, expected)
	                            : NULL;
	if (wrong) {
		snprintf(what, size, "%s", wrong);
		outcome = PAIR_DIFFERS;
	}
	sluice_matcher_destroy(matcher);
	if (outcome == PAIR_UNDECIDED)
		snprintf(what, size, "the matcher could not decide");
	return outcome;
}

enum pair_outcome pair_compare(struct sluice_str text, const struct sluice_event *publish,
                               bool explained, char *what, size_t size)
{
	char reason[128] = "";
	struct sluice_error error = { 0 };
	struct sluice_pattern *compiled = NULL;
	struct oracle_pattern *pattern = oracle_pattern_read(text, reason, sizeof(reason));
	sluice_pattern_compile(text, &compiled, &error);
	enum pair_outcome outcome = PAIR_AGREES;
	if (!pattern != !compiled) {
		outcome = PAIR_DIFFERS;
		snprintf(what, size, "expected %s %s, got %s %s: %s", pattern ? "valid" : "invalid",
		         reason, compiled ? "valid" : "invalid", error.place, error.message);
	} else if (pattern) {
		struct oracle_event *event = oracle_event_read(publish);
		enum oracle_verdict verdict = oracle_match(pattern, event);
		if (verdict != ORACLE_UNKNOWN)
			outcome = ask_engine(compiled, publish, verdict == ORACLE_MATCH, explained,
			                     what, size);
		oracle_event_destroy(event);
	}
	sluice_pattern_destroy(compiled);
	oracle_pattern_destroy(pattern);
	return outcome;
}

/* --- shrinking --- */

struct shrinker {
	struct oracle_pool *pool;
	struct sluice_str *pattern;
	struct sluice_event *event;
	struct sluice_str *text; /* which of both is being changed */
	struct oracle_json *root;
	size_t tries;
};

static bool still_differs(struct shrinker *s)
{
	char what[256];
	return pair_compare(*s->pattern, s->event, true, what, sizeof(what)) != PAIR_AGREES;
}

/* Keeps the tree as it is now when that still differs. */
static bool keep(struct shrinker *s)
{
	struct sluice_str before = *s->text;
	if (s->tries == 0)
		return false;
	s->tries--;
	*s->text = spell(s->pool, s->root, NULL);
	if (still_differs(s))
		return true;
	*s->text = before;
	return false;
}

/* Removes children, or replaces them by their own, wherever a difference remains. */
static bool shrink_below(struct shrinker *s, struct oracle_json *parent)
{
	bool changed = false;
	for (struct oracle_json **link = &parent->first; *link;) {
		struct oracle_json *child = *link;
		*link = child->next;
		if (keep(s)) {
			changed = true;
			continue;
		}
		*link = child;
		if (child->first && !child->first->next) {
			struct oracle_json was = *child;
			struct oracle_json *only = child->first;
			*child = *only;
			child->key = was.key;
			child->next = was.next;
			if (keep(s)) {
				changed = true;
				continue;
			}
			*child = was;
		}
		changed |= shrink_below(s, child);
		link = &child->next;
	}
	if (parent->type == ORACLE_STRING && parent->text.len > 1) {
		struct oracle_text was = parent->text;
		parent->text.len--;
		if (keep(s))
			return true;
		parent->text.chars++;
		if (keep(s))
			return true;
		parent->text = was;
	}
	return changed;
}

static void shrink_text(struct shrinker *s, struct sluice_str *text)
{
	if (!text->data || oracle_json_parse(s->pool, *text, 512, &s->root) != ORACLE_PARSED)
		return;
	s->text = text;
	if (!keep(s))
		return;
	while (shrink_below(s, s->root))
		;
}

/* Leaves out what the event has beside its payload, where that changes nothing. */
static void shrink_metadata(struct shrinker *s)
{
	struct sluice_event *event = s->event;
	struct sluice_str *strings[] = { &event->topic,          &event->client_id,
		                         &event->username,       &event->content_type,
		                         &event->response_topic, &event->correlation_data };
	int8_t *numbers[] = { &event->qos, &event->retain, &event->payload_format };
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		struct sluice_str was = *strings[i];
		*strings[i] = (struct sluice_str){ NULL, 0 };
		if (!still_differs(s))
			*strings[i] = was;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		int8_t was = *numbers[i];
		*numbers[i] = -1;
		if (!still_differs(s))
			*numbers[i] = was;
	}
	while (event->user_property_count) {
		event->user_property_count--;
		if (!still_differs(s)) {
			event->user_property_count++;
			break;
		}
	}
}

void pair_shrink(struct oracle_pool *pool, struct sluice_str *pattern, struct sluice_event *event)
{
	struct shrinker s = { .pool = pool, .pattern = pattern, .event = event, .tries = 3000 };
	if (!still_differs(&s))
		return;
	shrink_metadata(&s);
	shrink_text(&s, pattern);
	shrink_text(&s, &event->payload);
	shrink_text(&s, pattern);
}

static void print_text(const char *name, struct sluice_str text)
{
	if (!text.data)
		return;
	printf("\t%-16s ", name);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < 0x20 || c == 0x7f)
			printf("<%02x>", c);
		else
			putchar(c);
	}
	putchar('\n');
}

static void print_number(const char *name, int number)
{
	if (number >= 0)
		printf("\t%-16s %d\n", name, number);
}

void pair_print(struct sluice_str pattern, const struct sluice_event *event)
{
	print_text("pattern", pattern);
	print_text("payload", event->payload);
	print_text("topic", event->topic);
	print_text("client_id", event->client_id);
	print_text("username", event->username);
	print_text("content_type", event->content_type);
	print_text("response_topic", event->response_topic);
	print_text("correlation_data", event->correlation_data);
	print_number("qos", event->qos);
	print_number("retain", event->retain);
	print_number("payload_format", event->payload_format);
	for (size_t i = 0; i < event->user_property_count; i++) {
		print_text("property", event->user_properties[i].name);
		print_text("  value", event->user_properties[i].value);
	}
}
