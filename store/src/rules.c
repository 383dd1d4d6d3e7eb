/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Rules and their targets: put, change, delete, get, list. */
#include <stdlib.h>

#include "internal.h"

/* Whether two texts are the same JSON but for white space: a rule that was only laid out anew, by
 * an export and import say, has not changed. */
static bool same_json(struct sluice_str a, struct sluice_str b)
{
	if (sluice_str_equal(a, b))
		return true;
	struct sluice_buffer left = { 0 }, right = { 0 };
	sluice_json_write_compact(&left, a);
	sluice_json_write_compact(&right, b);
	bool same = !left.failed && !right.failed &&
	            sluice_str_equal(sluice_buffer_str(&left), sluice_buffer_str(&right));
	sluice_buffer_finish(&left);
	sluice_buffer_finish(&right);
	return same;
}

/* Whether the row and its targets are what is stored already. */
static int compare_columns(struct sluice_store *store, const struct store_rule *rule, bool *same)
{
	int rc;
	*same = false;
	sqlite3_stmt *stmt = store_prepare(store, SQL_RULE, &rc);
	if (!stmt)
		return rc;
	rc = store_bind(stmt, 1, rule->name);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*same = sluice_str_equal(store_column(stmt, RULE_BUS), rule->bus) &&
		        sluice_str_equal(store_column(stmt, RULE_STATE), rule->state) &&
		        sluice_str_equal(store_column(stmt, RULE_DESCRIPTION), rule->description) &&
		        (sqlite3_column_int64(stmt, RULE_METRICS) != 0) == rule->metrics &&
		        same_json(store_column(stmt, RULE_PATTERN), rule->pattern);
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	if (rc != SQLITE_DONE || !*same)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;

	stmt = store_prepare(store, SQL_RULE_TARGETS, &rc);
	if (!stmt)
		return rc;
	rc = store_bind(stmt, 1, rule->name);
	size_t count = 0;
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (count >= rule->target_count ||
		    !sluice_str_equal(store_column(stmt, 0), rule->targets[count].id) ||
		    !same_json(store_column(stmt, 1), rule->targets[count].definition))
			*same = false;
		count++;
		rc = SQLITE_OK;
	}
	sqlite3_reset(stmt);
	*same = *same && count == rule->target_count;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_columns(struct sluice_store *store, const struct store_rule *rule)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_RULE_UPSERT, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, rule->name);
	store_bind(stmt, 2, rule->bus);
	store_bind(stmt, 3, rule->state);
	store_bind(stmt, 4, rule->description.data ? rule->description : SLUICE_STR(""));
	sqlite3_bind_int(stmt, 5, rule->metrics);
	store_bind(stmt, 6, rule->pattern);
	rc = store_finish(stmt);
	if (rc != SQLITE_OK)
		return rc;
	stmt = store_prepare(store, SQL_TARGETS_DELETE, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, rule->name);
	rc = store_finish(stmt);
	for (size_t i = 0; rc == SQLITE_OK && i < rule->target_count; i++) {
		stmt = store_prepare(store, SQL_TARGET_INSERT, &rc);
		if (!stmt)
			return rc;
		store_bind(stmt, 1, rule->name);
		store_bind(stmt, 2, rule->targets[i].id);
		sqlite3_bind_int64(stmt, 3, (int64_t)i);
		store_bind(stmt, 4, rule->targets[i].definition);
		rc = store_finish(stmt);
	}
	return rc;
}

enum sluice_status store_put_rule_columns(struct sluice_store *store, const struct store_rule *rule,
                                          int64_t if_revision, int64_t *revision,
                                          struct sluice_error *error)
{
	static const char doing[] = "the rule can't be put";
	int64_t now, bus;
	int rc = store_revision(store, SQL_RULE_REVISION, rule->name, &now);
	if (rc != SQLITE_OK)
		return store_fault(store, rc, doing, error);
	enum sluice_status status =
	        store_check_revision(store, SLUICE_STORE_RULE, rule->name, now, if_revision, error);
	if (status != SLUICE_OK)
		return status;
	rc = store_revision(store, SQL_BUS_REVISION, rule->bus, &bus);
	if (rc == SQLITE_OK && bus == 0)
		return store_not_found(store, SLUICE_STORE_BUS, rule->bus, error);
	bool same = false;
	if (rc == SQLITE_OK && now != 0)
		rc = compare_columns(store, rule, &same);
	if (rc == SQLITE_OK && !same) {
		rc = write_columns(store, rule);
		if (rc == SQLITE_OK)
			rc = store_revision(store, SQL_RULE_REVISION, rule->name, &now);
	}
	if (rc == SQLITE_OK && revision)
		*revision = now;
	return store_fault(store, rc, doing, error);
}

enum sluice_status sluice_store_put_rule(struct sluice_store *store, const struct sluice_rule *rule,
                                         int64_t if_revision, int64_t *revision,
                                         struct sluice_error *error)
{
	struct store_target *targets = NULL;
	if (rule->target_count > 0) {
		targets = calloc(rule->target_count, sizeof(*targets));
		if (!targets)
			return store_error(store, SLUICE_ERR_NOMEM, error, "out of memory");
		for (size_t i = 0; i < rule->target_count; i++)
			targets[i] = (struct store_target){ .id = rule->targets[i].id,
				                            .definition = rule->targets[i].text };
	}
	struct store_rule columns = {
		.name = rule->name,
		.bus = rule->bus,
		.state = sluice_str(sluice_rule_state_name(rule->state)),
		.description = rule->description,
		.metrics = rule->metrics,
		.pattern = rule->pattern_text,
		.targets = targets,
		.target_count = rule->target_count,
	};
	enum sluice_status status = store_write_begin(store, error);
	if (status == SLUICE_OK) {
		status = store_put_rule_columns(store, &columns, if_revision, revision, error);
		status = store_write_end(store, status, error);
	}
	free(targets);
	return status;
}

static int update_state(struct sluice_store *store, struct sluice_str name,
                        enum sluice_rule_state state, int64_t *revision)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_RULE_STATE, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, name);
	store_bind(stmt, 2, sluice_str(sluice_rule_state_name(state)));
	rc = store_finish(stmt);
	if (rc == SQLITE_OK && revision)
		rc = store_revision(store, SQL_RULE_REVISION, name, revision);
	return rc;
}

enum sluice_status sluice_store_set_rule_state(struct sluice_store *store, struct sluice_str name,
                                               enum sluice_rule_state state, int64_t if_revision,
                                               int64_t *revision, struct sluice_error *error)
{
	enum sluice_status status = store_write_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	status = store_look_up(store, SLUICE_STORE_RULE, name, if_revision, error);
	if (status == SLUICE_OK)
		status = store_fault(store, update_state(store, name, state, revision),
		                     "the rule's state can't be changed", error);
	return store_write_end(store, status, error);
}

int store_delete_rule_row(struct sluice_store *store, struct sluice_str name)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_RULE_DELETE, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, name);
	return store_finish(stmt);
}

enum sluice_status sluice_store_delete_rule(struct sluice_store *store, struct sluice_str name,
                                            int64_t if_revision, struct sluice_error *error)
{
	enum sluice_status status = store_write_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	status = store_look_up(store, SLUICE_STORE_RULE, name, if_revision, error);
	if (status == SLUICE_OK)
		status = store_fault(store, store_delete_rule_row(store, name),
		                     "the rule can't be deleted", error);
	return store_write_end(store, status, error);
}

enum sluice_status sluice_store_get_rule(struct sluice_store *store, struct sluice_str name,
                                         sluice_store_row_fn fn, void *arg,
                                         struct sluice_error *error)
{
	struct store_scratch scratch = { 0 };
	struct sluice_store_row row;
	enum sluice_status status = store_read_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_RULE, &rc);
	if (stmt) {
		store_bind(stmt, 1, name);
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			rc = store_rule_row(store, stmt, &scratch, &row);
		sqlite3_reset(stmt);
	}
	store_read_end(store);
	if (rc == SQLITE_OK)
		fn(arg, &row);
	else if (rc == SQLITE_DONE)
		status = store_not_found(store, SLUICE_STORE_RULE, name, error);
	else
		status = store_fault(store, rc, "the rule can't be read", error);
	store_scratch_finish(&scratch);
	return status;
}

/* The smallest name that does not begin with prefix but follows all that do; absent when there is
 * no end. `end` has room for the prefix. */
static struct sluice_str prefix_end(struct sluice_str prefix, char *end)
{
	memcpy(end, prefix.data, prefix.len);
	for (size_t len = prefix.len; len > 0; len--) {
		if ((unsigned char)end[len - 1] < 0xff) {
			end[len - 1] = (char)(end[len - 1] + 1);
			return (struct sluice_str){ end, len };
		}
	}
	return (struct sluice_str){ 0 };
}

static int list_rows(struct sluice_store *store, sqlite3_stmt *stmt, sluice_store_row_fn fn,
                     void *arg)
{
	struct store_scratch scratch = { 0 };
	struct sluice_store_row row;
	int rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		rc = store_rule_row(store, stmt, &scratch, &row);
		if (rc != SQLITE_OK || !fn(arg, &row))
			break;
	}
	store_scratch_finish(&scratch);
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum sluice_status sluice_store_list_rules(struct sluice_store *store,
                                           const struct sluice_store_query *query,
                                           sluice_store_row_fn fn, void *arg,
                                           struct sluice_error *error)
{
	char end[SLUICE_NAME_MAX];
	if (query->prefix.len > sizeof(end))
		return SLUICE_OK; /* longer than any name */
	enum sluice_status status = store_read_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_RULES_LIST, &rc);
	if (stmt) {
		store_bind(stmt, 1, query->after.data ? query->after : SLUICE_STR(""));
		store_bind(stmt, 2, query->prefix.data ? query->prefix : SLUICE_STR(""));
		if (query->prefix.len > 0)
			store_bind(stmt, 3, prefix_end(query->prefix, end));
		store_bind(stmt, 4, query->bus);
		if (query->state >= 0)
			store_bind(stmt, 5,
			           sluice_str(sluice_rule_state_name(
			                   (enum sluice_rule_state)query->state)));
		sqlite3_bind_int64(
		        stmt, 6,
		        query->limit == 0 || query->limit > INT64_MAX ? -1 : (int64_t)query->limit);
		rc = list_rows(store, stmt, fn, arg);
	}
	status = store_fault(store, rc, "the rules can't be read", error);
	store_read_end(store);
	return status;
}
