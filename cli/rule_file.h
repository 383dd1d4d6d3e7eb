/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Files of rules: one JSON object a line, or one JSON array of them, or a single
 * object over many lines. Beside rules a file may hold buses and queues, as {"bus":{…}} and
 * {"queue":{…}}.
 */
#ifndef CLI_RULE_FILE_H
#define CLI_RULE_FILE_H

#include "cli.h"
#include "sluice/buffer.h"
#include "sluice/json.h"
#include "sluice_store/definition.h"

/* A rule, bus or queue of a file. Owned by the file. */
struct rule_item {
	struct sluice_definition definition; /* none in a light rule (see RULE_FILE_LIGHT) */
	struct sluice_pattern *pattern;      /* a light one's; a rule has its own */
	struct sluice_str text; /* its own JSON as it stands in the file; absent in a light file */
	struct sluice_str name; /* points into definition or own_name */
	char *own_name;         /* a light one's */
	size_t line;            /* where it begins, from 1 */
};

struct rule_file {
	const char *path; /* as given; not owned */
	struct rule_item *items;
	size_t count;
	size_t capacity;
	struct sluice_buffer text; /* of the file; empty when light */
};

enum {
	/* Items without "targets" need only a name (any string) and a pattern; the rest of their
	 * members is not looked at. */
	RULE_FILE_LIGHT = 1,
};

/* Takes an item, which is the function's to finish; its `text` goes with the file. Anything but
 * CLI_OK, which it has told of, ends the reading. */
typedef enum cli_exit (*rule_file_take)(void *arg, const struct rule_item *item);

/* Reads and compiles a file's items one by one, keeping none. Failures are told, with file and
 * line; what was taken until then stays taken. */
enum cli_exit rule_file_each(const struct cli *cli, const char *path, unsigned flags,
                             rule_file_take take, void *arg);

/* Frees what an item holds. */
void rule_item_finish(struct rule_item *item);

/* Reads and compiles all of a file. Failures are told, with file and line. */
enum cli_exit rule_file_load(const struct cli *cli, const char *path, unsigned flags,
                             struct rule_file *file);
/* Reads a file that must hold just one definition, a bare one of this kind. */
enum cli_exit rule_file_load_one(const struct cli *cli, const char *path,
                                 enum sluice_store_kind kind, struct rule_file *file);

/* Adds an item, which is the file's from then on; on SLUICE_ERR_NOMEM it is freed. */
enum sluice_status rule_file_add(struct rule_file *file, const struct rule_item *item);
void rule_file_finish(struct rule_file *file);

/* Writes "path:line" of an item into buf. Returns buf. */
char *rule_file_where(const struct rule_file *file, size_t item, char *buf, size_t size);

/* Tells the failure if two items of the same kind have one name. */
enum cli_exit rule_file_check_names(const struct cli *cli, const struct rule_file *file);

/* The order of kinds (rules first) and names, as memcmp has it. */
int rule_item_compare(const struct rule_item *left, const struct rule_item *right);

/* The items in that order, as pointers that the caller frees; NULL when out of memory. */
const struct rule_item **rule_file_sorted(const struct rule_file *file);

/* Its rule; NULL when it is none, or light. */
struct sluice_rule *rule_item_rule(const struct rule_item *item);

/* Its pattern; NULL when it is no rule, or one without. */
const struct sluice_pattern *rule_item_pattern(const struct rule_item *item);

#endif
