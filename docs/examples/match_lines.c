/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * match_lines PATTERNS <EVENTS: of the events on standard input, one a line, prints those that match
 * a pattern of the file, one a line too, behind the line numbers of the patterns that they match.
 */
#define _POSIX_C_SOURCE 200809L /* getline */
#include <stdio.h>
#include <stdlib.h>

#include <sluice/matcher.h>

/* Adds a pattern under its line's number; says what is wrong with it otherwise. */
static int add(struct sluice_matcher *matcher, uint64_t number, struct sluice_str text)
{
	struct sluice_error error;
	struct sluice_pattern *pattern;
	enum sluice_status status = sluice_pattern_compile(text, &pattern, &error);
	if (status == SLUICE_OK)
		status = sluice_matcher_add(matcher, number, pattern, &error);
	sluice_pattern_destroy(pattern); /* the matcher has what it needs of it */
	if (status == SLUICE_OK)
		return 0;
	char subject[32], message[640];
	snprintf(subject, sizeof(subject), "line %llu", (unsigned long long)number);
	fprintf(stderr, "%s\n", sluice_error_format(&error, subject, message, sizeof(message)));
	return 1;
}

int main(int argc, char **argv)
{
	struct sluice_matcher *matcher = sluice_matcher_create();
	struct sluice_scratch *scratch = sluice_scratch_create(); /* one for each thread */
	FILE *patterns = argc == 2 ? fopen(argv[1], "r") : NULL;
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len;
	int failed = !matcher || !scratch || !patterns;
	if (!patterns)
		fprintf(stderr, "match_lines PATTERNS <EVENTS: needs patterns it can read\n");
	for (uint64_t number = 1; !failed && (len = getline(&line, &capacity, patterns)) > 0;
	     number++)
		failed = add(matcher, number, sluice_str_of(line, (size_t)len));

	while (!failed && (len = getline(&line, &capacity, stdin)) > 0) {
		struct sluice_event event = SLUICE_EVENT_INIT;
		struct sluice_match match;
		event.payload = sluice_str_of(line, (size_t)len);
		failed = sluice_match(matcher, scratch, &event, &match) != SLUICE_OK;
		for (size_t i = 0; !failed && i < match.count; i++)
			printf("%llu%c", (unsigned long long)match.ids[i],
			       i + 1 < match.count ? ',' : ' ');
		if (!failed && match.count > 0)
			fwrite(line, 1, (size_t)len, stdout);
	}
	if (patterns)
		fclose(patterns);
	free(line);
	sluice_scratch_destroy(scratch);
	sluice_matcher_destroy(matcher);
	return failed;
}
