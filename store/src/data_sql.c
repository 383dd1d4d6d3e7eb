/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The statements of the durable state, and how what they take and give is bound and read. */
#include "data_internal.h"

#define NAME_OF(number) "(SELECT name FROM names WHERE number = " number ")"
#define NUMBER_OF(name) "(SELECT number FROM names WHERE name = " name ")"
#define EVENT_PARAMETERS(a, b, c, d, e, f, g, h, i, j)                                             \
	"?" #a ", ?" #b ", ?" #c ", ?" #d ", ?" #e ", ?" #f ", ?" #g ", ?" #h ", ?" #i ", ?" #j
/* A row as data_read_row takes it. The join is an outer one, so that a message that is missing is
 * seen to be. */
#define ROW_COLUMNS                                                                                \
	"SELECT m.id, e.id, " NAME_OF("e.queue") ", e.state, e.attempts, e.due_ms, e.deadline_ms," \
	                                         " e.receipt, e.worker, e.reason, m.enqueued_ms, " \
	                                         "m.group_key, m.origin, m.error, " NAME_OF(       \
	                                                 "m.bus") ", " DATA_EVENT_COLUMNS " FROM "
#define ROW_JOIN " e LEFT JOIN messages m ON m.id = e.id "
/* What has an id up to it was purged; its rows may be there still. */
#define PURGED(queue) "ifnull((SELECT up_to FROM purges WHERE queue = " queue "), 0)"
#define IN_QUEUE(state)                                                                            \
	"WHERE queue = " NUMBER_OF("?1") " AND state = " state                                     \
	                                 " AND id > max(?2, " PURGED(NUMBER_OF("?1")) ")"
#define BLOCK_COLUMNS "block, used, first_id, last_id, events, bytes, min_ms, max_ms"

static const char *const texts[DATA_SQL_COUNT] = {
	[DATA_BEGIN] = "BEGIN",
	[DATA_BEGIN_IMMEDIATE] = "BEGIN IMMEDIATE",
	[DATA_COMMIT] = "COMMIT",
	[DATA_ROLLBACK] = "ROLLBACK",
	[DATA_PROGRESS] = "SELECT position, last_id FROM progress",
	[DATA_PROGRESS_SET] = "UPDATE progress SET position = ?1, last_id = ?2",
	[DATA_NAME] =
	        "SELECT n.number, q.ready, q.held, q.parked, q.bytes,"
	        " a.events, a.bytes, a.last_id, " PURGED(
	                "n.number") " FROM names n"
	                            " LEFT JOIN queues q ON q.queue = n.number"
	                            " LEFT JOIN archives a ON a.bus = n.number WHERE n.name = ?1",
	[DATA_NAME_ADD] = "INSERT INTO names (name) VALUES (?1)",
	[DATA_QUEUE_SET] = "INSERT INTO queues VALUES (?1, ?2, ?3, ?4, ?5)"
	                   " ON CONFLICT (queue) DO UPDATE SET ready = ?2, held = ?3,"
	                   " parked = ?4, bytes = ?5",
	[DATA_ARCHIVE_SET] = "INSERT INTO archives VALUES (?1, ?2, ?3, ?4)"
	                     " ON CONFLICT (bus) DO UPDATE SET events = ?2, bytes = ?3,"
	                     " last_id = ?4",

	[DATA_MESSAGE_ADD] = "INSERT OR IGNORE INTO messages (id, bus, enqueued_ms, group_key,"
	                     " origin, error, " DATA_EVENT_COLUMNS ")"
	                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, " EVENT_PARAMETERS(
	                             7, 8, 9, 10, 11, 12, 13, 14, 15, 16) ")",
	[DATA_MESSAGE_MOVE] = "UPDATE OR IGNORE messages SET id = ?2, enqueued_ms = ?3,"
	                      " origin = ?4, error = ?5 WHERE id = ?1",
	[DATA_MESSAGE_DELETE] = "DELETE FROM messages WHERE id = ?1",
	[DATA_ENTRY_ADD] = "INSERT INTO entries (queue, state, id, bytes, attempts, due_ms,"
	                   " deadline_ms, receipt, worker, reason)"
	                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[DATA_ENTRY] = "SELECT bytes FROM entries WHERE queue = ?1 AND state = ?2 AND id = ?3",
	[DATA_ENTRY_SET] = "UPDATE entries SET state = ?4, attempts = ?5, due_ms = ?6,"
	                   " deadline_ms = ?7, receipt = ?8, worker = ?9,"
	                   " reason = ifnull(?10, reason)"
	                   " WHERE queue = ?1 AND state = ?2 AND id = ?3",
	[DATA_ENTRY_MOVE] = "UPDATE entries SET queue = ?4, state = 0, id = ?5, attempts = ?6,"
	                    " due_ms = 0, deadline_ms = 0, receipt = NULL, worker = NULL,"
	                    " reason = ifnull(?7, reason)"
	                    " WHERE queue = ?1 AND state = ?2 AND id = ?3",
	[DATA_ENTRY_DELETE] = "DELETE FROM entries WHERE queue = ?1 AND state = ?2 AND id = ?3",
	[DATA_PURGE_COUNT] = "SELECT count(*), total(bytes) FROM entries"
	                     " WHERE queue = ?1 AND state = ?2 AND id <= ?3 AND id > ?4",
	[DATA_PURGE_SET] = "INSERT OR REPLACE INTO purges VALUES (?1, ?2)",
	[DATA_PURGE_NEWER] = "SELECT EXISTS (SELECT 1 FROM entries WHERE queue = ?1"
	                     " AND state IN (0, 1, 2) AND id > ?2)",
	[DATA_PURGE_NEXT] = "SELECT queue, up_to FROM purges LIMIT 1",
	[DATA_PURGE_PART] = "SELECT id FROM entries WHERE queue = ?1 AND state = 0 AND id <= ?2"
	                    " ORDER BY id LIMIT 1 OFFSET ?3",
	[DATA_PURGE_END] = "DELETE FROM purges WHERE queue = ?1",
	[DATA_PURGE_MESSAGES] = "DELETE FROM messages WHERE id IN (SELECT id FROM entries"
	                        " WHERE queue = ?1 AND state = ?2 AND id <= ?3)",
	[DATA_PURGE_ENTRIES] = "DELETE FROM entries"
	                       " WHERE queue = ?1 AND state = ?2 AND id <= ?3",

	[DATA_READY] = ROW_COLUMNS
	"entries" ROW_JOIN
	"WHERE e.queue = " NUMBER_OF("?1") " AND e.state = 0 AND e.id > max(?2, " PURGED(
	        NUMBER_OF("?1")) ")"
	                         " ORDER BY e.id LIMIT ?3",
	[DATA_HELD] = ROW_COLUMNS "entries" ROW_JOIN "WHERE e.queue = " NUMBER_OF(
	        "?1") " AND e.state = 1 AND e.id > ?2 ORDER BY e.id LIMIT ?3",
	/* Each state is in the order of ids, so that the three are merged and not sorted. */
	[DATA_PEEK] = ROW_COLUMNS
	"(SELECT * FROM entries " IN_QUEUE("0") " UNION ALL SELECT * FROM entries " IN_QUEUE(
	        "1") " UNION ALL SELECT * FROM entries " IN_QUEUE("2") " ORDER BY id LIMIT "
	                                                               "?3)" ROW_JOIN
	                                                               "ORDER BY e.id",
	[DATA_DEAD_GROUPS] =
	        "SELECT m.group_key, count(*), min(m.id) FROM entries e JOIN messages m"
	        " ON m.id = e.id WHERE e.queue = " NUMBER_OF("?1") " AND e.id > " PURGED(
	                NUMBER_OF("?1")) " AND m.origin = ?2"
	                                 " AND m.group_key IS NOT NULL"
	                                 " GROUP BY m.group_key",
	[DATA_COUNT] =
	        "SELECT q.ready, q.held, q.parked, q.bytes,"
	        " (SELECT enqueued_ms FROM messages WHERE id = (SELECT min(id) FROM ("
	        "SELECT min(id) AS id FROM entries WHERE queue = q.queue AND state = 0"
	        " AND id > " PURGED("q.queue") " UNION ALL SELECT min(id) FROM entries WHERE queue "
	                                       "= q.queue AND state = 1"
	                                       " UNION ALL SELECT min(id) FROM entries WHERE queue "
	                                       "= q.queue AND state = 2"
	                                       "))) FROM queues q WHERE q.queue = " NUMBER_OF("?1"),
	[DATA_DUE] = ROW_COLUMNS "entries" ROW_JOIN
	                         "WHERE e.state = 2 AND e.due_ms <= ?1 ORDER BY e.due_ms LIMIT 1",
	[DATA_NEXT_DUE] = "SELECT due_ms FROM entries WHERE state = 2 ORDER BY due_ms LIMIT 1",

	[DATA_SEEN_ADD] = "INSERT OR IGNORE INTO seen (scope, until_ms, key) VALUES (?1, ?2, ?3)",
	[DATA_SEEN] = "SELECT n.name, s.key, s.until_ms FROM names n CROSS JOIN seen s"
	              " WHERE s.scope = n.number AND s.until_ms > ?1"
	              " ORDER BY n.number, s.until_ms",
	[DATA_SEEN_OLD] = "SELECT number FROM names WHERE EXISTS"
	                  " (SELECT 1 FROM seen WHERE scope = number AND until_ms <= ?1) LIMIT 1",
	[DATA_SEEN_FORGET] = "DELETE FROM seen WHERE (scope, until_ms, key) IN (SELECT scope,"
	                     " until_ms, key FROM seen WHERE scope = ?1 AND until_ms <= ?2"
	                     " ORDER BY until_ms LIMIT ?3)",
	[DATA_FIRED] = "SELECT time_ms FROM fired WHERE rule = ?1",
	[DATA_FIRED_SET] = "INSERT INTO fired VALUES (?1, ?2)"
	                   " ON CONFLICT (rule) DO UPDATE SET time_ms = ?2",

	[DATA_EVENT_ADD] =
	        "INSERT INTO archive (key, id, bytes, " DATA_EVENT_COLUMNS ")"
	        " VALUES (?1, ?2, ?3, " EVENT_PARAMETERS(4, 5, 6, 7, 8, 9, 10, 11, 12, 13) ")",
	[DATA_EVENTS] = "SELECT key, id, bytes, " DATA_EVENT_COLUMNS " FROM archive"
	                " WHERE key >= ?1 AND key < ?2 AND id > ?3 AND time_ms >= ?4"
	                " AND time_ms < ?5 ORDER BY key",
	[DATA_EVENT_DELETE] = "DELETE FROM archive WHERE key = ?1",
	[DATA_EVENTS_DELETE] = "DELETE FROM archive WHERE key >= ?1 AND key < ?2",
	[DATA_EVENTS_SUM] = "SELECT count(*), sum(bytes), min(time_ms), max(time_ms) FROM archive"
	                    " WHERE key >= ?1 AND key < ?2",
	[DATA_NEXT_BLOCK] = "SELECT ifnull(max(block), -1) + 1 FROM archive_blocks",
	[DATA_BLOCK_LAST] = "SELECT " BLOCK_COLUMNS " FROM archive_blocks WHERE bus = ?1"
	                    " ORDER BY first_id DESC LIMIT 1",
	[DATA_BLOCK_OLD] = "SELECT " BLOCK_COLUMNS " FROM archive_blocks"
	                   " WHERE bus = ?1 AND min_ms < ?2 ORDER BY min_ms LIMIT 1",
	[DATA_BLOCK_FIRST] = "SELECT " BLOCK_COLUMNS " FROM archive_blocks WHERE bus = ?1"
	                     " ORDER BY first_id LIMIT 1",
	[DATA_BLOCK_SET] = "INSERT INTO archive_blocks (bus, " BLOCK_COLUMNS ")"
	                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
	                   " ON CONFLICT (bus, first_id) DO UPDATE SET used = ?3, last_id = ?5,"
	                   " events = ?6, bytes = ?7, min_ms = ?8, max_ms = ?9",
	[DATA_BLOCK_DELETE] = "DELETE FROM archive_blocks WHERE bus = ?1 AND first_id = ?2",
	[DATA_BLOCKS] = "SELECT " BLOCK_COLUMNS " FROM archive_blocks"
	                " WHERE bus = " NUMBER_OF(
	                        "?1") " AND first_id >= ifnull((SELECT max("
	                              "first_id) FROM archive_blocks WHERE bus = " NUMBER_OF(
	                                      "?1") " AND first_id <= ?2), 0) AND last_id > ?2 AND "
	                                            "max_ms >= ?3"
	                                            " AND min_ms < ?4 ORDER BY first_id",
	[DATA_ARCHIVE_STATS] = "SELECT a.events, a.bytes, (SELECT min(min_ms) FROM archive_blocks"
	                       " WHERE bus = a.bus), (SELECT max(max_ms) FROM archive_blocks"
	                       " WHERE bus = a.bus) FROM archives a WHERE a.bus = " NUMBER_OF("?1"),
	[DATA_ARCHIVE_EDGE] =
	        "SELECT (SELECT id FROM archive WHERE key >= 1024 * ("
	        "SELECT block FROM archive_blocks WHERE bus = " NUMBER_OF(
	                "?1") " ORDER BY first_id LIMIT 1) ORDER BY key LIMIT 1),"
	                      " (SELECT id FROM archive WHERE key < 1024 + 1024 * ("
	                      "SELECT block FROM archive_blocks WHERE bus = " NUMBER_OF(
	                              "?1") " ORDER BY first_id DESC LIMIT 1) ORDER BY key DESC "
	                                    "LIMIT 1)",
	[DATA_ARCHIVE_BUSES] = "SELECT n.name FROM archives a JOIN names n ON n.number = a.bus"
	                       " WHERE a.events > 0 ORDER BY n.name",
};

sqlite3_stmt *data_prepare(struct sluice_data *data, enum data_sql sql, int *rc)
{
	return store_prepare_text(data->file.db, &data->statements[sql], texts[sql], rc);
}

enum sluice_status data_fault(const struct sluice_data *data, int rc, const char *doing,
                              struct sluice_error *error)
{
	return store_fault(&data->file, rc, doing, error);
}

int data_run(struct sluice_data *data, enum data_sql sql)
{
	return data_run_with(data, sql, NULL, 0);
}

void data_bind_numbers(sqlite3_stmt *stmt, int first, const int64_t *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_bind_int64(stmt, first + (int)i, numbers[i]);
}

int data_run_with(struct sluice_data *data, enum data_sql sql, const int64_t *numbers, size_t count)
{
	int rc;
	sqlite3_stmt *stmt = data_prepare(data, sql, &rc);
	if (!stmt)
		return rc;
	data_bind_numbers(stmt, 1, numbers, count);
	return store_finish(stmt);
}

int data_one_row(struct sluice_data *data, enum data_sql sql, struct sluice_str text,
                 const int64_t *numbers, size_t count, int64_t *row, size_t columns)
{
	int rc;
	sqlite3_stmt *stmt = data_prepare(data, sql, &rc);
	if (!stmt)
		return rc;
	if (text.data)
		store_bind(stmt, 1, text);
	data_bind_numbers(stmt, text.data ? 2 : 1, numbers, count);
	rc = sqlite3_step(stmt);
	for (size_t i = 0; rc == SQLITE_ROW && i < columns; i++)
		row[i] = sqlite3_column_int64(stmt, (int)i);
	sqlite3_reset(stmt);
	return rc;
}

void data_bind_blob(sqlite3_stmt *stmt, int index, struct sluice_str bytes)
{
	/* A blob of no bytes at an address is empty, not NULL. */
	if (bytes.data)
		sqlite3_bind_blob64(stmt, index, bytes.data, bytes.len, SQLITE_STATIC);
	else
		sqlite3_bind_null(stmt, index);
}

struct sluice_str data_blob(sqlite3_stmt *stmt, int column)
{
	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return (struct sluice_str){ NULL, 0 };
	const char *bytes = sqlite3_column_blob(stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(stmt, column);
	return (struct sluice_str){ bytes ? bytes : "", bytes ? len : 0 };
}

enum { RETAIN = 4 };

void data_bind_event(sqlite3_stmt *stmt, int first, const struct sluice_record *record)
{
	store_bind(stmt, first, record->event_id);
	sqlite3_bind_int64(stmt, first + 1, record->time_ms);
	store_bind(stmt, first + 2, record->rule);
	store_bind(stmt, first + 3, record->target);
	store_bind(stmt, first + 4, record->topic);
	store_bind(stmt, first + 5, record->client_id);
	store_bind(stmt, first + 6, record->username);
	sqlite3_bind_int(stmt, first + 7, record->qos | (record->retain ? RETAIN : 0));
	data_bind_blob(stmt, first + 8, record->properties);
	data_bind_blob(stmt, first + 9, record->payload);
}

void data_read_event(sqlite3_stmt *stmt, int first, struct sluice_record *record)
{
	record->event_id = store_column(stmt, first);
	record->time_ms = sqlite3_column_int64(stmt, first + 1);
	record->rule = store_column(stmt, first + 2);
	record->target = store_column(stmt, first + 3);
	record->topic = store_column(stmt, first + 4);
	record->client_id = store_column(stmt, first + 5);
	record->username = store_column(stmt, first + 6);
	int flags = sqlite3_column_int(stmt, first + 7);
	record->qos = (uint8_t)(flags & (RETAIN - 1));
	record->retain = flags & RETAIN;
	record->properties = data_blob(stmt, first + 8);
	record->payload = data_blob(stmt, first + 9);
}
