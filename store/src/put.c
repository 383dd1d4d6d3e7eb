/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Changing definitions, and rules with their targets: put, set a state, delete. */
#include <stdlib.h>

#include "internal.h"

/* Whether the targets are what is stored already. */
static int compare_targets(struct sluice_store *store, const struct store_values *values,
                           bool *same)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_RULE_TARGETS, &rc);
	if (!stmt)
		return rc;
	rc = store_bind(stmt, 1, values->list[0].text);
	size_t count = 0;
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (count >= values->target_count ||
		    !sluice_str_equal(store_column(stmt, 0), values->targets[count].id) ||
		    !store_same_json(store_column(stmt, 1), values->targets[count].definition))
			*same = false;
		count++;
		rc = SQLITE_OK;
	}
	sqlite3_reset(stmt);
	*same = *same && count == values->target_count;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Whether the row and its targets are what is stored already. */
static int compare(struct sluice_store *store, const struct store_values *values, bool *same)
{
	int rc;
	*same = false;
	sqlite3_stmt *stmt = store_prepare_noun(store, values->kind, NOUN_GET, &rc);
	if (!stmt)
		return rc;
	rc = store_bind(stmt, 1, values->list[0].text);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*same = store_values_same(values, stmt);
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	if (rc == SQLITE_DONE && *same && values->kind == SLUICE_STORE_RULE)
		rc = compare_targets(store, values, same);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_targets(struct sluice_store *store, const struct store_values *values)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_TARGETS_DELETE, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, values->list[0].text);
	rc = store_finish(stmt);
	for (size_t i = 0; rc == SQLITE_OK && i < values->target_count; i++) {
		stmt = store_prepare(store, SQL_TARGET_INSERT, &rc);
		if (!stmt)
			return rc;
		store_bind(stmt, 1, values->list[0].text);
		store_bind(stmt, 2, values->targets[i].id);
		sqlite3_bind_int64(stmt, 3, (int64_t)i);
		store_bind(stmt, 4, values->targets[i].definition);
		rc = store_finish(stmt);
	}
	return rc;
}

static int write_row(struct sluice_store *store, const struct store_values *values)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare_noun(store, values->kind, NOUN_UPSERT, &rc);
	if (!stmt)
		return rc;
	rc = store_values_bind(values, stmt);
	if (rc == SQLITE_OK)
		rc = store_finish(stmt);
	if (rc == SQLITE_OK && values->kind == SLUICE_STORE_RULE)
		rc = write_targets(store, values);
	return rc;
}

/* SLUICE_ERR_NOT_FOUND when it is a rule whose bus is not there. */
static enum sluice_status check_bus(struct sluice_store *store, const struct store_values *values,
                                    const char *doing, struct sluice_error *error)
{
	if (values->kind != SLUICE_STORE_RULE)
		return SLUICE_OK;
	const struct store_noun *noun = &store_nouns[SLUICE_STORE_RULE];
	size_t at = 0;
	while (strcmp(noun->columns[at].name, "bus") != 0)
		at++;
	int64_t revision;
	int rc = store_revision(store, SLUICE_STORE_BUS, values->list[at].text, &revision);
	if (rc == SQLITE_OK && revision == 0)
		return store_not_found(store, SLUICE_STORE_BUS, values->list[at].text, error);
	return store_fault(store, rc, doing, error);
}

enum sluice_status store_put_values(struct sluice_store *store, const struct store_values *values,
                                    int64_t if_revision, int64_t *revision,
                                    struct sluice_error *error)
{
	char doing[32];
	int64_t now;
	struct sluice_str name = values->list[0].text;
	store_doing(doing, values->kind, "put");
	int rc = store_revision(store, values->kind, name, &now);
	if (rc != SQLITE_OK)
		return store_fault(store, rc, doing, error);
	enum sluice_status status =
	        store_check_revision(store, values->kind, name, now, if_revision, error);
	if (status == SLUICE_OK)
		status = check_bus(store, values, doing, error);
	if (status != SLUICE_OK)
		return status;
	bool same = false;
	if (now != 0)
		rc = compare(store, values, &same);
	if (rc == SQLITE_OK && !same) {
		rc = write_row(store, values);
		if (rc == SQLITE_OK)
			rc = store_revision(store, values->kind, name, &now);
	}
	if (rc == SQLITE_OK && revision)
		*revision = now;
	return store_fault(store, rc, doing, error);
}

/* What a rule's JSON does not hold to the character. */
static enum sluice_status add_verbatim(struct store_values *values, const struct sluice_rule *rule,
                                       struct store_target **targets)
{
	const struct {
		const char *member;
		struct sluice_str text;
	} verbatim[] = {
		{ "pattern", rule->pattern_text },
		{ "input", rule->schedule.input_text },
		{ "input_transformer", rule->schedule.input_transformer_text },
	};
	const struct store_noun *noun = &store_nouns[SLUICE_STORE_RULE];
	for (size_t i = 0; i < noun->count; i++)
		for (size_t v = 0; v < sizeof(verbatim) / sizeof(verbatim[0]); v++)
			if (strcmp(noun->columns[i].member, verbatim[v].member) == 0)
				values->list[i].text = verbatim[v].text;
	if (rule->target_count == 0)
		return SLUICE_OK;
	*targets = calloc(rule->target_count, sizeof(**targets));
	if (!*targets)
		return SLUICE_ERR_NOMEM;
	for (size_t i = 0; i < rule->target_count; i++)
		(*targets)[i] = (struct store_target){ .id = rule->targets[i].id,
			                               .definition = rule->targets[i].text };
	values->targets = *targets;
	values->target_count = rule->target_count;
	return SLUICE_OK;
}

enum sluice_status sluice_store_put(struct sluice_store *store, struct sluice_definition definition,
                                    int64_t if_revision, int64_t *revision,
                                    struct sluice_error *error)
{
	struct store_values values = { .kind = definition.kind };
	struct store_target *targets = NULL;
	struct sluice_buffer text = { 0 }, secrets = { 0 };
	struct sluice_json_doc *doc = NULL;
	enum sluice_status status = SLUICE_ERR_NOMEM;
	if (definition.kind == SLUICE_STORE_CONNECTION)
		sluice_bridge_connection_write(definition.connection, true, &text);
	else
		sluice_definition_write(&definition, &text);
	if (!text.failed)
		status = sluice_json_parse(sluice_buffer_str(&text), 0, SIZE_MAX, &doc, NULL);
	if (status == SLUICE_OK) {
		store_values_of_json(&values, sluice_json_root(doc));
		if (definition.kind == SLUICE_STORE_RULE)
			status = add_verbatim(&values, definition.rule, &targets);
	}
	if (status != SLUICE_OK)
		status = store_error(store, SLUICE_ERR_NOMEM, error, "out of memory");
	else
		status = store_write_begin(store, error);
	if (status == SLUICE_OK) {
		if (definition.kind == SLUICE_STORE_CONNECTION)
			status = store_keep_secrets(store, &values, &secrets, error);
		if (status == SLUICE_OK)
			status = store_put_values(store, &values, if_revision, revision, error);
		store->put_target = store->put_target || definition.kind == SLUICE_STORE_TARGET;
		status = store_write_end(store, status, error);
	}
	free(targets);
	sluice_json_destroy(doc);
	sluice_buffer_finish(&text);
	sluice_buffer_finish(&secrets);
	return status;
}

static int update_state(struct sluice_store *store, enum sluice_store_kind kind,
                        struct sluice_str name, enum sluice_rule_state state, int64_t *revision)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare_noun(store, kind, NOUN_STATE, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, name);
	store_bind(stmt, 2, sluice_str(sluice_rule_state_name(state)));
	rc = store_finish(stmt);
	if (rc == SQLITE_OK && revision)
		rc = store_revision(store, kind, name, revision);
	return rc;
}

enum sluice_status sluice_store_set_state(struct sluice_store *store, enum sluice_store_kind kind,
                                          struct sluice_str name, enum sluice_rule_state state,
                                          int64_t if_revision, int64_t *revision,
                                          struct sluice_error *error)
{
	char doing[32];
	if (!sluice_store_has_state(kind) ||
	    (state == SLUICE_RULE_SHADOW && kind != SLUICE_STORE_RULE))
		return store_error(store, SLUICE_ERR_INVALID, error, "a %s can't be %s",
		                   sluice_store_noun(kind), sluice_rule_state_name(state));
	enum sluice_status status = store_write_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	status = store_look_up(store, kind, name, if_revision, error);
	if (status == SLUICE_OK)
		status = store_fault(store, update_state(store, kind, name, state, revision),
		                     store_doing(doing, kind, "changed"), error);
	return store_write_end(store, status, error);
}

int store_delete_row(struct sluice_store *store, enum sluice_store_kind kind,
                     struct sluice_str name)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare_noun(store, kind, NOUN_DELETE, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, name);
	return store_finish(stmt);
}

static int bus_has_rules(struct sluice_store *store, struct sluice_str name, bool *has)
{
	int rc;
	sqlite3_stmt *stmt = store_prepare(store, SQL_BUS_HAS_RULES, &rc);
	if (!stmt)
		return rc;
	store_bind(stmt, 1, name);
	rc = sqlite3_step(stmt);
	*has = rc == SQLITE_ROW;
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static enum sluice_status delete_one(struct sluice_store *store, enum sluice_store_kind kind,
                                     struct sluice_str name, int64_t if_revision,
                                     struct sluice_error *error)
{
	char doing[32];
	bool has_rules = false;
	enum sluice_status status = store_look_up(store, kind, name, if_revision, error);
	if (status != SLUICE_OK)
		return status;
	int rc = SQLITE_OK;
	if (kind == SLUICE_STORE_BUS)
		rc = bus_has_rules(store, name, &has_rules);
	if (rc == SQLITE_OK && has_rules)
		return store_error(store, SLUICE_ERR_CONFLICT, error,
		                   "the bus \"%.*s\" has rules: delete or move them first",
		                   (int)name.len, name.data);
	if (rc == SQLITE_OK)
		rc = store_delete_row(store, kind, name);
	return store_fault(store, rc, store_doing(doing, kind, "deleted"), error);
}

enum sluice_status sluice_store_delete(struct sluice_store *store, enum sluice_store_kind kind,
                                       struct sluice_str name, int64_t if_revision,
                                       struct sluice_error *error)
{
	if (sluice_store_is_fixed(kind, name))
		return store_error(store, SLUICE_ERR_INVALID, error,
		                   "the %s \"%.*s\" can't be deleted", sluice_store_noun(kind),
		                   (int)name.len, name.data);
	enum sluice_status status = store_write_begin(store, error);
	if (status != SLUICE_OK)
		return status;
	status = delete_one(store, kind, name, if_revision, error);
	return store_write_end(store, status, error);
}
