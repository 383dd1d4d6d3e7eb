/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "../oracle/oracle.h"
#include "judge.h"

const char *judge(const struct test_case *test_case, char *reason, size_t size)
{
	struct oracle_pattern *pattern = oracle_pattern_read(test_case->pattern, reason, size);
	if (!pattern)
		return "invalid";
	struct oracle_event *event = oracle_event_read(&test_case->event);
	enum oracle_verdict verdict = oracle_match(pattern, event);
	oracle_event_destroy(event);
	oracle_pattern_destroy(pattern);
	return verdict == ORACLE_MATCH     ? "match"
	       : verdict == ORACLE_NOMATCH ? "nomatch"
	                                   : "unknown";
}
