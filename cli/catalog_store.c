/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Rules, buses and queues in a store file. */
#include <stdlib.h>

#include "catalog.h"
#include "control.h"

struct store_catalog {
	struct catalog catalog;
	struct sluice_store *store;
};

static struct sluice_store *store_of(struct catalog *catalog)
{
	return ((struct store_catalog *)catalog)->store;
}

/* A rule on a bus that does not exist is not valid, rather than not found. */
static enum cli_exit exit_of_put(enum sluice_status status)
{
	return status == SLUICE_ERR_NOT_FOUND ? CLI_INVALID : exit_of_store(status);
}

static enum cli_exit store_put(struct catalog *catalog, const struct rule_item *item,
                               int64_t if_revision, int64_t *revision, struct sluice_error *error)
{
	return exit_of_put(sluice_store_put(store_of(catalog), item->definition, if_revision,
	                                    revision, error));
}

/* Turns the store's rows into ours. */
struct row_call {
	enum sluice_store_kind kind;
	catalog_row_fn fn;
	void *arg;
	bool found;
	bool stopped;
};

static bool on_row(void *arg, const struct sluice_store_row *row)
{
	struct row_call *call = arg;
	struct catalog_row given = { .kind = call->kind,
		                     .text = row->text,
		                     .revision = row->revision,
		                     .error = row->error };
	call->found = true;
	call->stopped = !call->fn(call->arg, &given);
	return !call->stopped;
}

static enum cli_exit store_get(struct catalog *catalog, enum sluice_store_kind kind,
                               struct sluice_str name, catalog_row_fn fn, void *arg,
                               struct sluice_error *error)
{
	struct row_call call = { kind, fn, arg, false, false };
	enum sluice_status status =
	        sluice_store_get(store_of(catalog), kind, name, on_row, &call, error);
	return exit_of_store(status);
}

static enum cli_exit store_list(struct catalog *catalog, enum sluice_store_kind kind,
                                const struct sluice_store_query *query, catalog_row_fn fn,
                                void *arg, struct sluice_error *error)
{
	struct row_call call = { kind, fn, arg, false, false };
	enum sluice_status status =
	        sluice_store_list(store_of(catalog), kind, query, on_row, &call, error);
	return exit_of_store(status);
}

static enum cli_exit store_remove(struct catalog *catalog, enum sluice_store_kind kind,
                                  struct sluice_str name, int64_t if_revision,
                                  struct sluice_error *error)
{
	return exit_of_store(
	        sluice_store_delete(store_of(catalog), kind, name, if_revision, error));
}

static enum cli_exit store_set_state(struct catalog *catalog, enum sluice_store_kind kind,
                                     struct sluice_str name, enum sluice_rule_state state,
                                     int64_t if_revision, int64_t *revision,
                                     struct sluice_error *error)
{
	return exit_of_store(sluice_store_set_state(store_of(catalog), kind, name, state,
	                                            if_revision, revision, error));
}

/* --- import --- */

/* What stands in the store before an import: names with revisions. */
struct before {
	struct entry {
		char name[SLUICE_NAME_MAX + 1];
		int64_t revision;
		enum sluice_store_kind kind;
		bool kept; /* the file has it too */
	} * entries;       /* in the order of kind and name */
	size_t count, capacity;
	enum sluice_store_kind reading;
	bool failed;
};

static bool note_row(void *arg, const struct sluice_store_row *row)
{
	struct before *before = arg;
	/* A name that cannot be ours (somebody's INSERT) is left alone. */
	if (row->name.len > SLUICE_NAME_MAX)
		return true;
	if (before->count == before->capacity) {
		size_t capacity = before->capacity ? before->capacity * 2 : 64;
		struct entry *entries = realloc(before->entries, capacity * sizeof(*entries));
		if (!entries) {
			before->failed = true;
			return false;
		}
		before->entries = entries;
		before->capacity = capacity;
	}
	struct entry *entry = &before->entries[before->count++];
	*entry = (struct entry){ .revision = row->revision, .kind = before->reading };
	memcpy(entry->name, row->name.data, row->name.len);
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	if (left->kind != right->kind)
		return left->kind > right->kind ? -1 : 1;
	return strcmp(left->name, right->name);
}

static enum sluice_status read_before(struct sluice_store *store, struct before *before,
                                      struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	for (int kind = 0; kind < SLUICE_STORE_KINDS && status == SLUICE_OK; kind++) {
		before->reading = (enum sluice_store_kind)kind;
		status = sluice_store_list(store, before->reading, NULL, note_row, before, error);
		if (before->failed)
			break;
	}
	if (status == SLUICE_OK && before->failed)
		status = sluice_out_of_memory(error);
	if (status == SLUICE_OK && before->count)
		qsort(before->entries, before->count, sizeof(*before->entries), compare_entries);
	return status;
}

static struct entry *find_entry(const struct before *before, const struct rule_item *item)
{
	struct entry wanted = { .kind = item->definition.kind };
	if (!before->count || item->name.len > SLUICE_NAME_MAX)
		return NULL;
	memcpy(wanted.name, item->name.data, item->name.len);
	return bsearch(&wanted, before->entries, before->count, sizeof(wanted), compare_entries);
}

/* Puts the file's items of one kind. */
static enum sluice_status put_all(struct sluice_store *store, const struct rule_file *file,
                                  enum sluice_store_kind kind, struct before *before,
                                  struct import_result *result, size_t *bad,
                                  struct sluice_error *error)
{
	struct progress progress;
	enum sluice_status status = SLUICE_OK;
	progress_start(&progress, "importing", file->count);
	for (size_t i = 0; i < file->count && status == SLUICE_OK; i++) {
		const struct rule_item *item = &file->items[i];
		if (item->definition.kind != kind)
			continue;
		int64_t revision = 0;
		status = sluice_store_put(store, item->definition, SLUICE_STORE_ANY_REVISION,
		                          &revision, error);
		if (status != SLUICE_OK) {
			*bad = i;
			break;
		}
		struct entry *entry = find_entry(before, item);
		if (!entry || entry->revision != revision)
			result->changed++;
		if (entry)
			entry->kept = true;
		result->counts[kind]++;
		progress_show(&progress, i);
	}
	progress_end(&progress);
	return status;
}

/* Deletes what stood there of this kind and is not in the file. */
static enum sluice_status delete_others(struct sluice_store *store, enum sluice_store_kind kind,
                                        const struct before *before, struct import_result *result,
                                        struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	for (size_t i = 0; i < before->count && status == SLUICE_OK; i++) {
		const struct entry *entry = &before->entries[i];
		if (entry->kind != kind || entry->kept ||
		    sluice_store_is_fixed(kind, sluice_str(entry->name)))
			continue;
		status = sluice_store_delete(store, kind, sluice_str(entry->name),
		                             SLUICE_STORE_ANY_REVISION, error);
		if (status == SLUICE_OK)
			result->deleted++;
	}
	return status;
}

static enum cli_exit store_import(struct catalog *catalog, const struct rule_file *file,
                                  bool replace, bool dry_run, struct import_result *result,
                                  size_t *bad, struct sluice_error *error)
{
	struct sluice_store *store = store_of(catalog);
	struct before before = { 0 };
	*result = (struct import_result){ 0 };
	*bad = SIZE_MAX;
	enum sluice_status status = sluice_store_begin(store, error);
	if (status != SLUICE_OK)
		return exit_of_store(status);
	status = read_before(store, &before, error);
	/* Rules need their buses; a bus can go when its rules have gone. */
	for (int kind = 0; kind < SLUICE_STORE_KINDS && status == SLUICE_OK; kind++)
		status = put_all(store, file, (enum sluice_store_kind)kind, &before, result, bad,
		                 error);
	for (int kind = SLUICE_STORE_KINDS - 1; kind >= 0 && status == SLUICE_OK && replace; kind--)
		status = delete_others(store, (enum sluice_store_kind)kind, &before, result, error);
	free(before.entries);
	if (status == SLUICE_OK && !dry_run)
		status = sluice_store_commit(store, error);
	if (status != SLUICE_OK || dry_run)
		sluice_store_rollback(store);
	return exit_of_put(status);
}

static enum cli_exit store_export(struct catalog *catalog, catalog_row_fn fn, void *arg,
                                  struct sluice_error *error)
{
	struct row_call call = { .fn = fn, .arg = arg };
	enum sluice_status status = SLUICE_OK;
	for (int kind = 0; kind < SLUICE_STORE_KINDS && status == SLUICE_OK && !call.stopped;
	     kind++) {
		call.kind = (enum sluice_store_kind)kind;
		status =
		        sluice_store_list(store_of(catalog), call.kind, NULL, on_row, &call, error);
	}
	return exit_of_store(status);
}

static void store_close(struct catalog *catalog)
{
	sluice_store_close(store_of(catalog));
	free(catalog);
}

static const struct catalog_ops store_ops = {
	.put = store_put,
	.get = store_get,
	.list = store_list,
	.remove = store_remove,
	.set_state = store_set_state,
	.import = store_import,
	.export = store_export,
	.close = store_close,
};

enum cli_exit catalog_open_store(const char *path, unsigned flags, struct catalog **catalog,
                                 struct sluice_error *error)
{
	*catalog = NULL;
	struct store_catalog *made = calloc(1, sizeof(*made));
	if (!made) {
		sluice_out_of_memory(error);
		return CLI_SYSTEM;
	}
	made->catalog.ops = &store_ops;
	unsigned open_flags = flags & CATALOG_CHANGE ? 0 : SLUICE_STORE_READ_ONLY;
	if (flags & CATALOG_CREATE)
		open_flags |= SLUICE_STORE_CREATE;
	enum sluice_status status = sluice_store_open(path, open_flags, &made->store, error);
	if (status != SLUICE_OK) {
		free(made);
		return status == SLUICE_ERR_NOMEM ? CLI_SYSTEM : CLI_STORE;
	}
	*catalog = &made->catalog;
	return CLI_OK;
}
