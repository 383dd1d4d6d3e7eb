/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdlib.h>

#include "check_explain.h"
#include "judge.h"
#include "sluice/json.h"
#include "sluice/matcher.h"
#include "sluice/pattern.h"

enum { RULE = 7 };

static const char *match(const struct sluice_pattern *pattern, const struct sluice_event *event)
{
	struct sluice_matcher *matcher = sluice_matcher_create();
	struct sluice_scratch *scratch = sluice_scratch_create();
	struct sluice_match result;
	const char *verdict = "a failure of the matcher";
	if (sluice_matcher_add(matcher, RULE, pattern, NULL) == SLUICE_OK &&
	    sluice_match(matcher, scratch, event, &result) == SLUICE_OK && result.undecided == 0) {
		if (result.count == 0)
			verdict = "nomatch";
		else if (result.count == 1 && result.ids[0] == RULE)
			verdict = "match";
	}
	sluice_scratch_destroy(scratch);
	sluice_matcher_destroy(matcher);
	const char *wrong = check_explain(pattern, event, strcmp(verdict, "match") == 0);
	return wrong ? wrong : verdict;
}

const char *judge(const struct test_case *test_case, char *reason, size_t size)
{
	struct sluice_pattern *pattern;
	struct sluice_error error = { 0 };
	if (sluice_pattern_compile(test_case->pattern, &pattern, &error) != SLUICE_OK) {
		sluice_error_format(&error, "pattern", reason, size);
		return error.message[0] && error.code != SLUICE_OK ? "invalid"
		                                                   : "an error without words";
	}
	struct sluice_event event = test_case->event;
	struct sluice_json_doc *doc = NULL;
	void *storage = NULL;
	const char *verdict = "an unreadable publish";
	if (!test_case->publish.data ||
	    (sluice_json_parse(test_case->publish, 0, 100, &doc, &error) == SLUICE_OK &&
	     sluice_event_from_json(sluice_json_root(doc), &event, &storage, &error) ==
	             SLUICE_OK)) {
		verdict = match(pattern, &event);
	}
	free(storage);
	sluice_json_destroy(doc);
	sluice_pattern_destroy(pattern);
	return verdict;
}
