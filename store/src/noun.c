/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "noun.h"

#include "internal.h"

static const struct store_column queue_columns[] = {
	{ "name", "name", STORE_TEXT, false },
	{ "description", "description", STORE_TEXT, true },
	{ "visibility_timeout_s", "visibility_timeout_s", STORE_INTEGER, false },
	{ "max_receives", "max_receives", STORE_INTEGER, false },
	{ "dead_letter", "dead_letter", STORE_TEXT, true },
	{ "retention_s", "retention_s", STORE_INTEGER, false },
	{ "max_events", "max_events", STORE_INTEGER, false },
	{ "max_bytes", "max_bytes", STORE_INTEGER, false },
	{ "max_in_flight", "max_in_flight", STORE_INTEGER, false },
	{ "delay_ms", "delay_ms", STORE_INTEGER, false },
	{ "group_path", "group", STORE_TEXT, true }, /* GROUP is a word of SQL's */
	{ "group_on_dead", "group_on_dead", STORE_TEXT, false },
	{ "deduplication", "deduplication", STORE_JSON, true },
	{ "batch", "batch", STORE_JSON, true },
};

static const struct store_column bus_columns[] = {
	{ "name", "name", STORE_TEXT, false },
	{ "description", "description", STORE_TEXT, true },
	{ "topics", "topics", STORE_JSON, false },
	{ "exclude", "exclude", STORE_JSON, false },
	{ "deliver_original", "deliver_original", STORE_BOOL, false },
	{ "archive", "archive", STORE_JSON, true },
	{ "will_topics", "will_topics", STORE_JSON, true },
};

static const struct store_column rule_columns[] = {
	{ "name", "name", STORE_TEXT, false },
	{ "bus", "bus", STORE_TEXT, false },
	{ "state", "state", STORE_TEXT, false },
	{ "description", "description", STORE_TEXT, true },
	{ "metrics", "metrics", STORE_BOOL, true },
	{ "dead_letter", "dead_letter", STORE_TEXT, true },
	{ "pattern", "pattern", STORE_JSON, true },
	{ "schedule", "schedule", STORE_TEXT, true },
	{ "timezone", "timezone", STORE_TEXT, true },
	{ "input", "input", STORE_JSON, true },
	{ "input_transformer", "input_transformer", STORE_JSON, true },
	{ "missed", "missed", STORE_TEXT, true },
};

static const struct store_column connection_columns[] = {
	{ "name", "name", STORE_TEXT, false },
	{ "description", "description", STORE_TEXT, true },
	{ "kind", "kind", STORE_TEXT, false },
	{ "settings", "settings", STORE_JSON, false },
	{ "secrets", "secrets", STORE_SECRETS, false },
};

static const struct store_column target_columns[] = {
	{ "name", "name", STORE_TEXT, false },
	{ "description", "description", STORE_TEXT, true },
	{ "state", "state", STORE_TEXT, false },
	{ "queue", "queue", STORE_TEXT, true },
	{ "kind", "kind", STORE_TEXT, false },
	{ "connection", "connection", STORE_TEXT, true },
	{ "settings", "settings", STORE_JSON, false },
	{ "enrichment", "enrichment", STORE_JSON, true },
	{ "delivery", "delivery", STORE_JSON, true },
};

static const struct store_column source_columns[] = {
	{ "name", "name", STORE_TEXT, false },
	{ "description", "description", STORE_TEXT, true },
	{ "state", "state", STORE_TEXT, false },
	{ "kind", "kind", STORE_TEXT, false },
	{ "connection", "connection", STORE_TEXT, true },
	{ "topic", "topic", STORE_TEXT, false },
	{ "settings", "settings", STORE_JSON, false },
};

#define COLUMNS(list) (list), sizeof(list) / sizeof((list)[0])

const struct store_noun store_nouns[SLUICE_STORE_KINDS] = {
	[SLUICE_STORE_QUEUE] = { COLUMNS(queue_columns), "queues", "name" },
	[SLUICE_STORE_BUS] = { COLUMNS(bus_columns), "buses", "name" },
	/* There may be many: in the order of an index, which is that of changes. */
	[SLUICE_STORE_RULE] = { COLUMNS(rule_columns), "rules", "revision" },
	[SLUICE_STORE_CONNECTION] = { COLUMNS(connection_columns), "connections", "name" },
	/* The table "targets" is of rules' targets. */
	[SLUICE_STORE_TARGET] = { COLUMNS(target_columns), "bridge_targets", "name" },
	[SLUICE_STORE_SOURCE] = { COLUMNS(source_columns), "bridge_sources", "name" },
};

#undef COLUMNS

/* --- statements --- */

static void append_row(sqlite3_str *sql, enum sluice_store_kind kind)
{
	const struct store_noun *noun = &store_nouns[kind];
	sqlite3_str_appendall(sql, "SELECT ");
	for (size_t i = 0; i < noun->count; i++)
		sqlite3_str_appendf(sql, "n.%s, ", noun->columns[i].name);
	sqlite3_str_appendf(sql,
	                    "n.revision, e.revision, e.place, e.message FROM %s n"
	                    " LEFT JOIN rule_errors e ON e.kind = %Q AND e.name = n.name ",
	                    noun->table, sluice_store_noun(kind));
}

static void append_upsert(sqlite3_str *sql, enum sluice_store_kind kind)
{
	const struct store_noun *noun = &store_nouns[kind];
	sqlite3_str_appendf(sql, "INSERT INTO %s (", noun->table);
	for (size_t i = 0; i < noun->count; i++)
		sqlite3_str_appendf(sql, "%s%s", i ? ", " : "", noun->columns[i].name);
	sqlite3_str_appendall(sql, ") VALUES (");
	for (size_t i = 0; i < noun->count; i++)
		sqlite3_str_appendf(sql, "%s?%d", i ? ", " : "", (int)i + 1);
	sqlite3_str_appendall(sql, ") ON CONFLICT (name) DO UPDATE SET ");
	for (size_t i = 1; i < noun->count; i++)
		sqlite3_str_appendf(sql, "%s%s = ?%d", i > 1 ? ", " : "", noun->columns[i].name,
		                    (int)i + 1);
}

static void append_error_put(sqlite3_str *sql, enum sluice_store_kind kind)
{
	sqlite3_str_appendf(sql,
	                    "INSERT INTO rule_errors (kind, name, revision, code, place, message)"
	                    " SELECT %Q, ?1, ?2, ?3, ?4, ?5"
	                    " WHERE EXISTS (SELECT 1 FROM %s WHERE name = ?1 AND revision = ?2)"
	                    " ON CONFLICT (kind, name) DO UPDATE SET revision = excluded.revision,"
	                    " code = excluded.code, place = excluded.place,"
	                    " message = excluded.message,"
	                    " time = strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now')"
	                    " WHERE (revision, code, place, message) IS NOT"
	                    " (excluded.revision, excluded.code, excluded.place, excluded.message)",
	                    sluice_store_noun(kind), store_nouns[kind].table);
}

char *store_noun_sql(enum sluice_store_kind kind, enum store_noun_sql which)
{
	const char *noun = sluice_store_noun(kind), *table = store_nouns[kind].table;
	sqlite3_str *sql = sqlite3_str_new(NULL);
	switch (which) {
	case NOUN_GET:
		append_row(sql, kind);
		sqlite3_str_appendall(sql, "WHERE n.name = ?1");
		break;
	case NOUN_SINCE:
		append_row(sql, kind);
		sqlite3_str_appendf(sql, "WHERE n.revision > ?1 ORDER BY n.%s",
		                    store_nouns[kind].order);
		break;
	case NOUN_LIST:
		append_row(sql, kind);
		sqlite3_str_appendall(sql, "WHERE n.name > ?1 AND n.name >= ?2"
		                           " AND (?3 IS NULL OR n.name < ?3)");
		if (kind == SLUICE_STORE_RULE)
			sqlite3_str_appendall(sql, " AND (?5 IS NULL OR n.bus = ?5)"
			                           " AND (?6 IS NULL OR n.state = ?6)");
		sqlite3_str_appendall(sql, " ORDER BY n.name LIMIT ?4");
		break;
	case NOUN_UPSERT:
		append_upsert(sql, kind);
		break;
	case NOUN_DELETE:
		sqlite3_str_appendf(sql, "DELETE FROM %s WHERE name = ?1", table);
		break;
	case NOUN_REVISION:
		sqlite3_str_appendf(sql, "SELECT revision FROM %s WHERE name = ?1", table);
		break;
	case NOUN_NAMES:
		sqlite3_str_appendf(sql, "SELECT name FROM %s", table);
		break;
	case NOUN_SUM:
		sqlite3_str_appendf(sql, "SELECT count(*), sum(revision & 4294967295) FROM %s",
		                    table);
		break;
	case NOUN_ERROR_PUT:
		append_error_put(sql, kind);
		break;
	case NOUN_ERROR_COUNT:
		sqlite3_str_appendf(sql,
		                    "SELECT count(*) FROM rule_errors e JOIN %s n"
		                    " ON n.name = e.name AND n.revision = e.revision"
		                    " WHERE e.kind = %Q",
		                    table, noun);
		break;
	case NOUN_STATE:
		sqlite3_str_appendf(sql, "UPDATE %s SET state = ?2 WHERE name = ?1", table);
		break;
	case NOUN_SQL_COUNT:
		break;
	}
	return sqlite3_str_finish(sql);
}

/* --- values --- */

void store_values_of_json(struct store_values *values, const struct sluice_json *object)
{
	const struct store_noun *noun = &store_nouns[values->kind];
	for (size_t i = 0; i < noun->count; i++) {
		const struct sluice_json *member = sluice_json_get(object, noun->columns[i].member);
		struct store_value *value = &values->list[i];
		*value = (struct store_value){ .integer = 0 };
		if (!member)
			continue;
		if (noun->columns[i].type == STORE_BOOL)
			value->integer = member->type == SLUICE_JSON_TRUE;
		else
			sluice_json_integer(member, INT64_MIN, INT64_MAX, &value->integer);
		value->text = noun->columns[i].type == STORE_TEXT ? member->string : member->raw;
	}
}

void store_values_of_row(struct store_values *values, sqlite3_stmt *stmt)
{
	for (size_t i = 0; i < store_nouns[values->kind].count; i++) {
		values->list[i].integer = sqlite3_column_int64(stmt, (int)i);
		values->list[i].text = store_column(stmt, (int)i);
	}
}

bool store_same_json(struct sluice_str a, struct sluice_str b)
{
	if (sluice_str_equal(a, b))
		return true;
	if (!a.data || !b.data)
		return false;
	struct sluice_buffer left = { 0 }, right = { 0 };
	sluice_json_write_compact(&left, a);
	sluice_json_write_compact(&right, b);
	bool same = !left.failed && !right.failed &&
	            sluice_str_equal(sluice_buffer_str(&left), sluice_buffer_str(&right));
	sluice_buffer_finish(&left);
	sluice_buffer_finish(&right);
	return same;
}

bool store_values_same(const struct store_values *values, sqlite3_stmt *stmt)
{
	const struct store_noun *noun = &store_nouns[values->kind];
	for (size_t i = 1; i < noun->count; i++) {
		const struct store_value *value = &values->list[i];
		struct sluice_str stored = store_column(stmt, (int)i);
		bool same = false;
		switch (noun->columns[i].type) {
		case STORE_TEXT:
			same = sluice_str_equal(value->text, stored);
			break;
		case STORE_INTEGER:
		case STORE_BOOL:
			same = value->integer == sqlite3_column_int64(stmt, (int)i);
			break;
		case STORE_JSON:
		case STORE_SECRETS:
			same = store_same_json(value->text, stored);
			break;
		}
		if (!same)
			return false;
	}
	return true;
}

int store_values_bind(const struct store_values *values, sqlite3_stmt *stmt)
{
	const struct store_noun *noun = &store_nouns[values->kind];
	int rc = SQLITE_OK;
	for (size_t i = 0; i < noun->count && rc == SQLITE_OK; i++) {
		const struct store_value *value = &values->list[i];
		int index = (int)i + 1;
		switch (noun->columns[i].type) {
		case STORE_TEXT:
			rc = store_bind(stmt, index,
			                value->text.data ? value->text : SLUICE_STR(""));
			break;
		case STORE_INTEGER:
		case STORE_BOOL:
			rc = sqlite3_bind_int64(stmt, index, value->integer);
			break;
		case STORE_JSON:
		case STORE_SECRETS:
			rc = store_bind(stmt, index, value->text);
			break;
		}
	}
	return rc;
}
