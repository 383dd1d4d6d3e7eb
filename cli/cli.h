/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the verbs of `sluice` share: their table, the exit codes, and how a
 * failure is told. A verb is one table entry in a file verb_*.c and one line in
 * verbs.c; the parser, --help and the shell completion are made from the table.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "args.h"
#include "sluice/types.h"

/* Documented in sluice(1), EXIT STATUS. */
enum cli_exit {
	CLI_OK = 0,
	CLI_NO = 1,       /* the answer is no: no match, no such rule, differences */
	CLI_USAGE = 2,    /* wrong arguments */
	CLI_INVALID = 3,  /* a rule, pattern, event or file that is not valid */
	CLI_BROKER = 4,   /* cannot connect, refused, no answer in time */
	CLI_STORE = 5,    /* the store cannot be opened, is locked, damaged, newer */
	CLI_CONFLICT = 6, /* exists already, or has another revision */
	CLI_SYSTEM = 7,   /* out of memory, a file cannot be read or written */
};

/* What a verb takes beside its own options. */
enum {
	VERB_BROKER = 1 << 0, /* connection options, --timeout */
	VERB_STORE = 1 << 1,  /* --db */
	VERB_JSON = 1 << 2,   /* --json */
};

struct cli;

struct verb {
	const char *noun;     /* "rule", or NULL when the verb stands alone */
	const char *name;     /* "put" */
	const char *operands; /* as usage shows them: "FILE", "[NAME...]", "" */
	size_t min_operands;
	size_t max_operands;
	unsigned flags;               /* VERB_* */
	const struct option *options; /* ends with an entry without a name; NULL = none */
	const char *completes;        /* what completion offers for operands, as option.completes */
	const char *summary;          /* one line, no full stop */
	const char *help;             /* what else --help says; NULL = nothing */
	enum cli_exit (*exec)(const struct cli *cli);
};

/* One run of one verb. */
struct cli {
	const struct verb *verb;
	const struct arguments *args;
	bool json;
};

/* All verbs, in the order in which help shows them; ends with NULL. */
extern const struct verb *const verbs[];

/* Options by group, each list ended by an entry without a name. */
extern const struct option common_options[]; /* every verb */
extern const struct option json_options[];   /* VERB_JSON */
extern const struct option store_options[];  /* VERB_STORE */
/* VERB_BROKER: connection_options of broker_options.h */

/* The lists that apply to a verb: its own, then the groups it takes; ends with NULL. */
enum { VERB_OPTION_LISTS = 6 };
void verb_option_lists(const struct verb *verb, const struct option *lists[VERB_OPTION_LISTS]);

/* Writes "rule put" into buf. Returns buf. */
char *verb_title(const struct verb *verb, char *buf, size_t size);

/* Writes what --help says of one verb, of a noun's verbs, of all. */
void help_verb(const struct verb *verb);
void help_noun(const char *noun);
void help_all(void);

#endif
