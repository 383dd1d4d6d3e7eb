/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common.h"
#include "sluice/json.h"

void bench_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* --- files --- */

static char *read_all(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	size_t len = 0, room = 1 << 20;

	if (!file)
		bench_fail("%s can't be read", path);
	for (;;) {
		text = realloc(text, room + BENCH_PADDING);
		if (!text)
			bench_fail("out of memory");
		len += fread(text + len, 1, room - len, file);
		if (len < room)
			break;
		room *= 2;
	}
	if (ferror(file))
		bench_fail("%s can't be read", path);
	fclose(file);
	memset(text + len, 0, BENCH_PADDING);
	*bytes = len;
	return text;
}

void bench_lines_read(struct bench_lines *lines, const char *path)
{
	size_t bytes, most = 1;

	*lines = (struct bench_lines){ .text = read_all(path, &bytes) };
	for (size_t i = 0; i < bytes; i++)
		most += lines->text[i] == '\n';
	lines->items = calloc(most, sizeof(*lines->items));
	if (!lines->items)
		bench_fail("out of memory");
	for (const char *at = lines->text, *end = at + bytes; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct sluice_str line = { at, (size_t)((newline ? newline : end) - at) };
		if (line.len > 0)
			lines->items[lines->count++] = line;
		lines->bytes += line.len;
		at = newline ? newline + 1 : end;
	}
	if (lines->count == 0)
		bench_fail("%s holds no line", path);
}

void bench_lines_finish(struct bench_lines *lines)
{
	free(lines->items);
	free(lines->text);
	*lines = (struct bench_lines){ 0 };
}

/* --- clocks and statistics --- */

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t bench_wall_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t bench_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

size_t bench_allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

double bench_quantile(double *values, size_t count, double share)
{
	if (count == 0)
		return 0;
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[(size_t)(share * (double)(count - 1) + 0.5)];
}

/* --- rules --- */

struct sluice_pattern *bench_compile(struct sluice_str text)
{
	struct sluice_pattern *pattern;
	struct sluice_error error;
	char message[640];

	if (sluice_pattern_compile(text, &pattern, &error) != SLUICE_OK)
		bench_fail("%s\n%.*s", sluice_error_format(&error, NULL, message, sizeof(message)),
		           (int)text.len, text.data);
	return pattern;
}

void bench_each_pattern(const struct bench_lines *rules,
                        void (*use)(void *context, uint64_t id, struct sluice_str pattern),
                        void *context)
{
	for (size_t i = 0; i < rules->count; i++) {
		struct sluice_json_doc *doc;
		if (sluice_json_parse(rules->items[i], 0, SLUICE_PATTERN_MAX_DEPTH, &doc, NULL) !=
		    SLUICE_OK)
			bench_fail("rule %zu is no JSON", i + 1);
		const struct sluice_json *node = sluice_json_get(sluice_json_root(doc), "pattern");
		if (!node)
			bench_fail("rule %zu has no pattern", i + 1);
		use(context, i, node->raw);
		sluice_json_destroy(doc);
	}
}

/* Compiling and adding take turns in batches, so that the clock is not read for each rule. */
enum { BATCH = 256 };

struct loading {
	struct sluice_matcher *matcher;
	struct sluice_pattern *patterns[BATCH];
	uint64_t ids[BATCH];
	size_t pending;
	int64_t add_ns;
};

static void add_pending(struct loading *loading)
{
	int64_t start = bench_cpu_ns();

	for (size_t i = 0; i < loading->pending; i++)
		if (sluice_matcher_add(loading->matcher, loading->ids[i], loading->patterns[i],
		                       NULL) != SLUICE_OK)
			bench_fail("rule %llu could not be added",
			           (unsigned long long)loading->ids[i] + 1);
	loading->add_ns += bench_cpu_ns() - start;
	for (size_t i = 0; i < loading->pending; i++)
		sluice_pattern_destroy(loading->patterns[i]);
	loading->pending = 0;
}

static void load_rule(void *context, uint64_t id, struct sluice_str text)
{
	struct loading *loading = context;

	loading->ids[loading->pending] = id;
	loading->patterns[loading->pending++] = bench_compile(text);
	if (loading->pending == BATCH)
		add_pending(loading);
}

struct bench_load bench_load_rules(struct sluice_matcher *matcher, const struct bench_lines *rules)
{
	struct loading loading = { .matcher = matcher };
	size_t before = bench_allocated();
	int64_t start = bench_cpu_ns();

	bench_each_pattern(rules, load_rule, &loading);
	add_pending(&loading);
	int64_t all_ns = bench_cpu_ns() - start;
	return (struct bench_load){
		.rules = rules->count,
		.compile_seconds = (double)(all_ns - loading.add_ns) / 1e9,
		.add_seconds = (double)loading.add_ns / 1e9,
		.bytes_per_rule =
		        ((double)bench_allocated() - (double)before) / (double)rules->count,
	};
}

/* --- options --- */

static double read_number(const char *text, const char *usage)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || *end || !(number >= 0))
		bench_fail("\"%s\" is no number\n%s", text, usage);
	return number;
}

void bench_options_read(char **arguments, const struct bench_option *options, const char *usage)
{
	for (; *arguments; arguments++) {
		const struct bench_option *option = options;
		while (option->name && strcmp(option->name, *arguments) != 0)
			option++;
		if (!option->name || (!option->given && !arguments[1]))
			bench_fail("%s", usage);
		if (option->given)
			*option->given = true;
		else if (option->text)
			*option->text = *++arguments;
		else
			*option->number = read_number(*++arguments, usage);
	}
}
