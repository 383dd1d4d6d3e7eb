/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * run FILE...: holds one judge against files of cases. Where a case of the reference carries a
 * quirk, our own verdict (a case with "ruler") takes the place of the reference's.
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
static const char *own_verdict(const struct test_cases *files, size_t file_count, long id)
{
	for (size_t f = 0; f < file_count; f++)
		for (size_t i = 0; i < files[f].count; i++)
			if (files[f].list[i].ruler && files[f].list[i].id == id)
				return files[f].list[i].verdict;
	return NULL;
}

int main(int argc, char **argv)
{
	enum { MAX_FILES = 8 };
	static struct test_cases files[MAX_FILES];
	size_t file_count = 0, checked = 0;
	if (argc < 2 || argc > MAX_FILES + 1) {
		fprintf(stderr, "usage: run FILE... (at most %d)\n", MAX_FILES);
		return 2;
	}
	for (; file_count + 1 < (size_t)argc; file_count++)
		if (!cases_load(argv[file_count + 1], &files[file_count]))
			failures++;
	for (size_t f = 0; f < file_count; f++) {
		for (size_t i = 0; i < files[f].count; i++) {
			const struct test_case *test_case = &files[f].list[i];
			const char *expected = test_case->verdict;
			if (test_case->ruler)
				continue;
			if (test_case->quirk)
				expected = own_verdict(files, file_count, test_case->id);
			check(test_case, expected ? expected : "a verdict of ours");
			checked++;
		}
		if (files[f].count == 0) {
			printf("%s: no cases\n", argv[f + 1]);
			failures++;
		}
	}
	printf("%zu cases, %zu failures\n", checked, failures);
	while (file_count > 0)
		cases_unload(&files[--file_count]);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
