/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the programs of the bench share: files, clocks, statistics. Whatever fails ends the program. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>

#include "sluice/matcher.h"

/* More than any parser of the bench reads past the end of a text. */
enum { BENCH_PADDING = 128 };

/* The lines of a file, without empty ones; BENCH_PADDING bytes can be read past each. */
struct bench_lines {
	struct sluice_str *items;
	size_t count;
	char *text; /* owned */
	size_t bytes;
};

void bench_lines_read(struct bench_lines *lines, const char *path);
void bench_lines_finish(struct bench_lines *lines);

/* Says what is wrong, as printf does, and ends the program. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

int64_t bench_wall_ns(void);

/* Of the calling thread: what the neighbours on a shared machine take is not in it. */
int64_t bench_cpu_ns(void);

/* What malloc has given out, in all. */
size_t bench_allocated(void);

/* The value below which a share of the values lie (0.5: the median). Sorts them. */
double bench_quantile(double *values, size_t count, double share);

/* What loading rules took. */
struct bench_load {
	size_t rules;
	double compile_seconds; /* reading the rule's JSON and compiling its pattern */
	double add_seconds;
	double bytes_per_rule; /* of the matcher alone */
};

/* Adds the rules of a file of {"name":…,"pattern":…} lines; the number of a line is the rule's id. */
struct bench_load bench_load_rules(struct sluice_matcher *matcher, const struct bench_lines *rules);

/* The text of the pattern in a rule's line. */
struct sluice_pattern *bench_compile(struct sluice_str pattern);

/* Calls use(context, id, text of the pattern) for the rule in each line. */
void bench_each_pattern(const struct bench_lines *rules,
                        void (*use)(void *context, uint64_t id, struct sluice_str pattern),
                        void *context);

/* An option, and where its value goes: text, number, or whether it is given. */
struct bench_option {
	const char *name;
	const char **text;
	double *number; /* not negative */
	bool *given;
};

/*
 * Reads the arguments from the given one on; the options end with a zeroed one. What is none of
 * them, or has no value, ends the program with the usage.
 */
void bench_options_read(char **arguments, const struct bench_option *options, const char *usage);

#endif
