/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * run RULER-VERDICTS SLUICE-VERDICTS: holds one judge against the verdicts of the reference
 * (but those that carry a quirk) and against our own, which decide where the reference has a quirk.
 */
#include <stdio.h>
#include <stdlib.h>

#include "judge.h"

static size_t failures;

static void check(const struct test_case *test_case, const char *expected)
{
	char reason[512] = "";
	const char *got = judge(test_case, reason, sizeof(reason));
	if (strcmp(got, expected) == 0)
		return;
	failures++;
	printf("%s %ld\n\tpattern  %s\n\tevent    %s\n\texpected %s\n\tgot      %s%s%s\n",
	       test_case->group ? test_case->group : "case", test_case->id, test_case->pattern.data,
	       test_case->publish.data ? test_case->publish.data : test_case->event.payload.data,
	       expected, got, reason[0] ? ": " : "", reason);
}

/* Our verdict for a case of the reference, or NULL. */
static const char *own_verdict(const struct test_cases *own, long id)
{
	for (size_t i = 0; i < own->count; i++)
		if (own->list[i].ruler && own->list[i].id == id)
			return own->list[i].verdict;
	return NULL;
}

int main(int argc, char **argv)
{
	struct test_cases ruler, own;
	size_t checked = 0;
	if (argc != 3) {
		fputs("usage: run RULER-VERDICTS SLUICE-VERDICTS\n", stderr);
		return 2;
	}
	if (!cases_load(argv[1], &ruler))
		return 2;
	if (!cases_load(argv[2], &own)) {
		cases_unload(&ruler);
		return 2;
	}
	for (size_t i = 0; i < ruler.count; i++) {
		const struct test_case *test_case = &ruler.list[i];
		const char *expected = test_case->verdict;
		if (test_case->quirk)
			expected = own_verdict(&own, test_case->id);
		if (!expected) {
			printf("no verdict of ours for %ld (%s)\n", test_case->id,
			       test_case->quirk);
			failures++;
			continue;
		}
		check(test_case, expected);
		checked++;
	}
	for (size_t i = 0; i < own.count; i++) {
		if (own.list[i].ruler)
			continue;
		check(&own.list[i], own.list[i].verdict);
		checked++;
	}
	printf("%zu cases, %zu failures\n", checked, failures);
	cases_unload(&own);
	cases_unload(&ruler);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
