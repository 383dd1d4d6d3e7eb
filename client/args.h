/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Reading a command line by tables of options. */
#ifndef CLIENT_ARGS_H
#define CLIENT_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "sluice/types.h"

struct option {
	const char *name;  /* "cafile", said as --cafile; NULL ends a list */
	char letter;       /* 'h', said as -h; 0 = none */
	const char *value; /* what help calls its value: "FILE"; NULL = takes none */
	const char *help;
	/* What completion offers for the value: "@file", "@dir", or words; NULL = nothing. */
	const char *completes;
};

/* One option as it was given. */
struct argument {
	const struct option *option;
	const char *value; /* NULL when it takes none */
};

/* A command line taken apart. Values and operands point into argv. */
struct arguments {
	struct argument *given; /* in the order of the command line */
	size_t given_count;
	const char **operands;
	size_t operand_count;
};

/*
 * Takes argv[0 … argc-1] apart; `lists` (ended by NULL) are the options there are. "--" ends the
 * options, "-" is an operand, --name=value and --name value are the same. On failure
 * (SLUICE_ERR_INVALID, _NOMEM) *args is empty and the error's message is fit to be shown.
 */
enum sluice_status arguments_parse(struct arguments *args, int argc, char **argv,
                                   const struct option *const *lists, struct sluice_error *error);
void arguments_finish(struct arguments *args);

/* The last value given for --name, or NULL. */
const char *arguments_value(const struct arguments *args, const char *name);

/* Whether --name was given. */
bool arguments_has(const struct arguments *args, const char *name);

/*
 * The value of --name as a whole number within [min, max]; `otherwise` when it was not given.
 * SLUICE_ERR_INVALID when it is none, with a message.
 */
enum sluice_status arguments_integer(const struct arguments *args, const char *name, int64_t min,
                                     int64_t max, int64_t otherwise, int64_t *value,
                                     struct sluice_error *error);

/* The option of that name (without dashes) or letter in the lists, or NULL. */
const struct option *option_find(const struct option *const *lists, struct sluice_str name);
const struct option *option_find_letter(const struct option *const *lists, char letter);

/* Prints a list as --help shows it, under its heading; nothing when there is none. */
void options_print(const char *heading, const struct option *options);

/* A whole number in decimal digits, perhaps with a sign; false when it is none. */
bool parse_integer(const char *text, int64_t *value);

#endif
