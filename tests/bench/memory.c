/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * memory two-fields --rules N: bytes that the matcher takes for a rule of two exact fields, beyond
 * the text of its values: once when every value is one rule's alone, once when a thousand rules
 * share the second.
 *
 * memory give-back --rules N --held M: adds N rules and removes each again once M others have come
 * after it, and tells the size when M are held for the first time, when they are at the end, and
 * when the last is gone. The rules ask in six ways, so that every index is filled and emptied.
 *
 * Bytes are what malloc has given out (mallinfo2), its own rounding not counted; and for give-back
 * also what the kernel keeps in memory for the process, which shows what lies torn to pieces.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"

static void add(struct sluice_matcher *matcher, uint64_t id, const char *text, int len)
{
	struct sluice_pattern *pattern = bench_compile((struct sluice_str){ text, (size_t)len });

	if (sluice_matcher_add(matcher, id, pattern, NULL) != SLUICE_OK)
		bench_fail("rule %llu could not be added", (unsigned long long)id);
	sluice_pattern_destroy(pattern);
}

static struct sluice_matcher *create(void)
{
	struct sluice_matcher *matcher = sluice_matcher_create();

	if (!matcher)
		bench_fail("out of memory");
	return matcher;
}

static double two_fields(size_t count, size_t shared_by)
{
	struct sluice_matcher *matcher = create();
	size_t before = bench_allocated(), text_bytes = 0;

	for (size_t i = 0; i < count; i++) {
		char text[128];
		int len = snprintf(text, sizeof(text),
		                   "{\"device\":[\"device-%08zu\"],\"line\":[\"line-%08zu\"]}", i,
		                   i / shared_by);
		add(matcher, i, text, len);
		text_bytes += sizeof("device-00000000") - 1 + sizeof("line-00000000") - 1;
	}
	double bytes =
	        ((double)bench_allocated() - (double)before - (double)text_bytes) / (double)count;
	sluice_matcher_destroy(matcher);
	return bytes;
}

static void add_kind(struct sluice_matcher *matcher, size_t i)
{
	static const char *const forms[] = {
		"{\"device\":[\"device-%08zu\"],\"status\":[\"error\"]}",
		"{\"device\":[{\"prefix\":\"device-%08zu\"}],\"load\":[{\"exists\":false}]}",
		"{\"path\":[{\"suffix\":\"%08zu-z\"}],\"load\":[{\"numeric\":[\"<\",10]}]}",
		"{\"path\":[{\"wildcard\":\"*x%08zu*y\"}]}",
		"{\"load\":[{\"numeric\":[\">=\",%zu,\"<\",%zu.5]}],\"status\":[{\"anything-but\":"
		"\"ok\"}]}",
		"{\"status\":[{\"anything-but\":[\"a-%zu\",\"b\"]}],\"zone\":[{\"equals-ignore-"
		"case\":\"Z%zu\"}]}",
	};
	char text[160];
	/* the forms differ in how often they name the number */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	int len = snprintf(text, sizeof(text), forms[i % 6], i, i);
#pragma GCC diagnostic pop

	add(matcher, i, text, len);
}

static double resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long size = 0, pages = 0;

	if (!file || fscanf(file, "%lu %lu", &size, &pages) != 2)
		bench_fail("/proc/self/statm can't be read");
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void give_back(size_t count, size_t held)
{
	struct sluice_matcher *matcher = create();
	size_t empty = bench_allocated(), first = 0;
	double first_resident = 0, last_resident;

	for (size_t i = 0; i < count; i++) {
		if (i == held) {
			first = bench_allocated();
			first_resident = resident();
		}
		if (i >= held && sluice_matcher_remove(matcher, i - held) != SLUICE_OK)
			bench_fail("rule %zu could not be removed", i - held);
		add_kind(matcher, i);
	}
	size_t last = bench_allocated();
	last_resident = resident();
	for (size_t i = count - held; i < count; i++)
		if (sluice_matcher_remove(matcher, i) != SLUICE_OK)
			bench_fail("rule %zu could not be removed", i);
	printf("{\"rules\":%zu,\"held\":%zu,\"empty_bytes\":0,\"first_bytes\":%zu,\"last_bytes\":%"
	       "zu,"
	       "\"emptied_bytes\":%zu,\"first_resident\":%.0f,\"last_resident\":%.0f}\n",
	       count, held, first - empty, last - empty, bench_allocated() - empty, first_resident,
	       last_resident);
	sluice_matcher_destroy(matcher);
}

static const char usage[] = "usage: memory two-fields --rules N | give-back --rules N --held M";

int main(int argc, char **argv)
{
	double rules = 0, held = 0;
	const struct bench_option options[] = {
		{ .name = "--rules", .number = &rules },
		{ .name = "--held", .number = &held },
		{ 0 },
	};

	if (argc < 2)
		bench_fail("%s", usage);
	bench_options_read(argv + 2, options, usage);
	if (strcmp(argv[1], "two-fields") == 0 && rules > 0)
		printf("{\"rules\":%.0f,\"own_bytes\":%.1f,\"shared_bytes\":%.1f}\n", rules,
		       two_fields((size_t)rules, 1), two_fields((size_t)rules, 1000));
	else if (strcmp(argv[1], "give-back") == 0 && held > 0 && rules > held)
		give_back((size_t)rules, (size_t)held);
	else
		bench_fail("%s", usage);
	return 0;
}
