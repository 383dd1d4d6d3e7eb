/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Rules, buses, queues, and what the bridge is told, wherever they are: in a store file (--db), or behind a broker's
 * control API. A verb that works on either knows only this.
 *
 * Every function fills *error and returns the exit code that fits when it fails.
 */
#ifndef CLI_CATALOG_H
#define CLI_CATALOG_H

#include "cli.h"
#include "output.h"
#include "rule_file.h"
#include "sluice_store/store.h"

struct catalog;

/* A definition as it is in force. Valid during the callback only. */
struct catalog_row {
	enum sluice_store_kind kind;
	struct sluice_str text; /* its JSON */
	int64_t revision;
	struct sluice_str error; /* why it is not in force as it stands; absent when it is */
	const struct sluice_json *counters; /* of a rule in a broker, by get; else NULL */
	const struct sluice_json *samples;  /* the same, of a rule that is SHADOW */
};

/* Returns false to stop. */
typedef bool (*catalog_row_fn)(void *arg, const struct catalog_row *row);

struct import_result {
	uint64_t counts[SLUICE_STORE_KINDS];
	uint64_t changed, deleted;
};

/* The two kinds of catalog; the functions below are these. */
struct catalog_ops {
	enum cli_exit (*put)(struct catalog *catalog, const struct rule_item *item,
	                     int64_t if_revision, int64_t *revision, struct sluice_error *error);
	enum cli_exit (*get)(struct catalog *catalog, enum sluice_store_kind kind,
	                     struct sluice_str name, catalog_row_fn fn, void *arg,
	                     struct sluice_error *error);
	enum cli_exit (*list)(struct catalog *catalog, enum sluice_store_kind kind,
	                      const struct sluice_store_query *query, catalog_row_fn fn, void *arg,
	                      struct sluice_error *error);
	enum cli_exit (*remove)(struct catalog *catalog, enum sluice_store_kind kind,
	                        struct sluice_str name, int64_t if_revision,
	                        struct sluice_error *error);
	enum cli_exit (*set_state)(struct catalog *catalog, enum sluice_store_kind kind,
	                           struct sluice_str name, enum sluice_rule_state state,
	                           int64_t if_revision, int64_t *revision,
	                           struct sluice_error *error);
	/*
	 * Puts all of the file, or nothing. replace: what is not in it is
	 * deleted (the default bus stays). dry_run: nothing is changed, and the result says what
	 * would be. *bad gets the item that was refused, or SIZE_MAX.
	 */
	enum cli_exit (*import)(struct catalog *catalog, const struct rule_file *file, bool replace,
	                        bool dry_run, struct import_result *result, size_t *bad,
	                        struct sluice_error *error);
	/* All of a kind, then all of the next, in the order of kinds. */
	enum cli_exit (*export)(struct catalog *catalog, catalog_row_fn fn, void *arg,
	                        struct sluice_error *error);
	void (*close)(struct catalog *catalog);
};

/* The head of either kind. */
struct catalog {
	const struct catalog_ops *ops;
};

enum {
	CATALOG_CHANGE = 1, /* it is to be changed, not only read */
	CATALOG_CREATE = 2, /* a store is made when there is none */
};

/* Opens what the command line says. Failures are told; *catalog is NULL then. */
enum cli_exit catalog_open(const struct cli *cli, unsigned flags, struct catalog **catalog);
void catalog_close(struct catalog *catalog);

/* What a verb is about that each kind has. */
enum sluice_store_kind catalog_kind(const struct cli *cli);

/* What catalog_open chooses from. */
enum cli_exit catalog_open_store(const char *path, unsigned flags, struct catalog **catalog,
                                 struct sluice_error *error);
enum cli_exit catalog_open_broker(const struct cli *cli, struct catalog **catalog,
                                  struct sluice_error *error);

#endif
