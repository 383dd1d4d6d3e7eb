/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Cases, one JSON object a line, read with the oracle's own parser:
 *	{"id":…,"group":…,"pattern":…,"event":…,"verdict":"match"|"nomatch"|"invalid","quirk"?:…}
 * pattern and event are JSON values, or strings that hold their text; "publish" may stand in
 * place of "event" (docs/patterns.md). {"ruler":ID,"verdict":…,"why":…} gives the verdict of the
 * case ID of ruler-verdicts.jsonl where Sluice differs from the reference on purpose.
 */
#ifndef CASES_H
#define CASES_H

#include "../oracle/tree.h"
#include "sluice/event.h"

struct test_case {
	long id; /* of "id" or "ruler"; -1: none */
	bool ruler;
	const char *group, *quirk, *verdict;
	struct sluice_str pattern;
	struct sluice_event event;
	struct sluice_str publish; /* the text of "publish", or absent */
};

struct test_cases {
	struct oracle_pool pool;
	struct test_case *list;
	size_t count;
};

/* Reads a whole file into the pool; absent when it can't be read. */
struct sluice_str cases_read_file(struct oracle_pool *pool, const char *path);

/* Makes a case of an object; false when it is none. */
bool cases_from_json(struct oracle_pool *pool, const struct oracle_json *json,
                     struct test_case *out);

/*
 * Reads a file of cases; says on stderr what is wrong with it. In a file whose name ends in ".md" a
 * case is a block between "```json case" and "```".
 */
bool cases_load(const char *path, struct test_cases *cases);
void cases_unload(struct test_cases *cases);

#endif
