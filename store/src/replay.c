/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice_store/replay.h"

#include "data_internal.h"

/* Of those that have ended, so many are kept to be looked at. */
#define KEPT_ENDED "100"

static const char *const state_names[] = { "RUNNING", "PAUSED", "DONE", "CANCELLED" };

const char *sluice_replay_state_name(enum sluice_replay_state state)
{
	return state_names[state];
}

/* --- counting --- */

static int count_events(struct sluice_data *data, struct sluice_str bus, int64_t from_ms,
                        int64_t to_ms, int64_t row[2])
{
	/* Only blocks that lie across an edge are looked into. */
	static const char text[] =
	        "SELECT ifnull(sum(CASE WHEN min_ms >= ?2 AND max_ms < ?3 THEN events ELSE"
	        " (SELECT count(*) FROM archive WHERE key >= 1024 * block AND"
	        " key < 1024 * block + 1024 AND time_ms >= ?2 AND time_ms < ?3) END), 0),"
	        " ifnull(max(last_id), 0) FROM archive_blocks"
	        " WHERE bus = (SELECT number FROM names WHERE name = ?1)"
	        " AND max_ms >= ?2 AND min_ms < ?3";
	sqlite3_stmt *stmt = NULL;
	int rc;
	if (store_prepare_text(data->file.db, &stmt, text, &rc)) {
		store_bind(stmt, 1, bus);
		const int64_t range[] = { from_ms, to_ms ? to_ms : INT64_MAX };
		data_bind_numbers(stmt, 2, range, 2);
		rc = sqlite3_step(stmt);
		for (int i = 0; rc == SQLITE_ROW && i < 2; i++)
			row[i] = sqlite3_column_int64(stmt, i);
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

enum sluice_status sluice_archive_count(struct sluice_data *data, struct sluice_str bus,
                                        int64_t from_ms, int64_t to_ms, uint64_t *count,
                                        uint64_t *last_id, struct sluice_error *error)
{
	int64_t row[2] = { 0, 0 };
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	status = data_read_end(data, count_events(data, bus, from_ms, to_ms, row), error);
	*count = (uint64_t)row[0];
	*last_id = (uint64_t)row[1];
	return status;
}

/* --- writing --- */

static int insert(struct sluice_data *data, const struct sluice_replay *replay,
                  const int64_t counted[2])
{
	static const char text[] =
	        "INSERT INTO replays VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'RUNNING', ?8, 0, ?9, 0,"
	        " 0, ?10, 0)";
	sqlite3_stmt *stmt = NULL;
	int rc;
	if (store_prepare_text(data->file.db, &stmt, text, &rc)) {
		store_bind(stmt, 1, replay->name);
		store_bind(stmt, 2, replay->bus);
		sqlite3_bind_int64(stmt, 3, replay->from_ms);
		sqlite3_bind_int64(stmt, 4, replay->to_ms);
		store_bind(stmt, 5, replay->rules);
		store_bind(stmt, 6, replay->topic);
		sqlite3_bind_int64(stmt, 7, replay->speed_milli);
		sqlite3_bind_int64(stmt, 8, counted[1]);
		sqlite3_bind_int64(stmt, 9, counted[0]);
		sqlite3_bind_int64(stmt, 10, replay->started_ms);
		rc = store_finish(stmt);
	}
	sqlite3_finalize(stmt);
	return rc;
}

enum sluice_status sluice_replay_start(struct sluice_data *data, const struct sluice_replay *replay,
                                       struct sluice_error *error)
{
	static const char forget[] =
	        "DELETE FROM replays WHERE name IN (SELECT name FROM replays"
	        " WHERE ended_ms <> 0 ORDER BY ended_ms DESC LIMIT -1 OFFSET " KEPT_ENDED ")";
	int64_t counted[2] = { 0, 0 };
	enum sluice_status status = data_change_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	int rc = count_events(data, replay->bus, replay->from_ms, replay->to_ms, counted);
	if (rc == SQLITE_OK)
		rc = insert(data, replay, counted);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(data->file.db, forget, NULL, NULL, NULL);
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		status = sluice_error_set(error, SLUICE_ERR_CONFLICT, SIZE_MAX, NULL,
		                          "there is a replay \"%.*s\" already",
		                          (int)replay->name.len, replay->name.data);
	else
		status = data_fault(data, rc, "can't be written", error);
	return data_change_end(data, status, error);
}

enum sluice_status sluice_replay_update(struct sluice_data *data,
                                        const struct sluice_replay *replay,
                                        struct sluice_error *error)
{
	static const char text[] = "UPDATE replays SET position = max(position, ?2), done = ?3,"
	                           " matched = ?4, state = ?5, ended_ms = ?6"
	                           " WHERE name = ?1 AND ended_ms = 0";
	sqlite3_stmt *stmt = NULL;
	int rc, changed = 0;
	enum sluice_status status = data_change_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	if (store_prepare_text(data->file.db, &stmt, text, &rc)) {
		store_bind(stmt, 1, replay->name);
		const int64_t row[] = { (int64_t)replay->position, (int64_t)replay->done,
			                (int64_t)replay->matched };
		data_bind_numbers(stmt, 2, row, 3);
		store_bind(stmt, 5, sluice_str(state_names[replay->state]));
		sqlite3_bind_int64(stmt, 6, replay->ended_ms);
		rc = store_finish(stmt);
		changed = sqlite3_changes(data->file.db);
	}
	sqlite3_finalize(stmt);
	status = data_change_end(data, data_fault(data, rc, "can't be written", error), error);
	if (status == SLUICE_OK && changed == 0)
		return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, NULL,
		                        "there is no replay \"%.*s\" under way",
		                        (int)replay->name.len, replay->name.data);
	return status;
}

/* --- reading --- */

static bool read_row(sqlite3_stmt *stmt, struct sluice_replay *replay)
{
	struct sluice_str state = store_column(stmt, 7);
	*replay = (struct sluice_replay){
		.name = store_column(stmt, 0),
		.bus = store_column(stmt, 1),
		.from_ms = sqlite3_column_int64(stmt, 2),
		.to_ms = sqlite3_column_int64(stmt, 3),
		.rules = store_column(stmt, 4),
		.topic = store_column(stmt, 5),
		.speed_milli = sqlite3_column_int64(stmt, 6),
		.end_id = (uint64_t)sqlite3_column_int64(stmt, 8),
		.position = (uint64_t)sqlite3_column_int64(stmt, 9),
		.total = (uint64_t)sqlite3_column_int64(stmt, 10),
		.done = (uint64_t)sqlite3_column_int64(stmt, 11),
		.matched = (uint64_t)sqlite3_column_int64(stmt, 12),
		.started_ms = sqlite3_column_int64(stmt, 13),
		.ended_ms = sqlite3_column_int64(stmt, 14),
	};
	for (int i = 0; i < (int)(sizeof(state_names) / sizeof(*state_names)); i++) {
		if (sluice_str_equal(state, sluice_str(state_names[i]))) {
			replay->state = (enum sluice_replay_state)i;
			return true;
		}
	}
	return false;
}

enum sluice_status sluice_replay_each(struct sluice_data *data, struct sluice_str name,
                                      sluice_replay_fn fn, void *arg, struct sluice_error *error)
{
	static const char text[] = "SELECT name, bus, from_ms, to_ms, rules, topic, speed_milli,"
	                           " state, end_id, position, total, done, matched, started_ms,"
	                           " ended_ms FROM replays WHERE ?1 IS NULL OR name = ?1"
	                           " ORDER BY started_ms, name";
	struct sluice_replay replay;
	sqlite3_stmt *stmt = NULL;
	int rc;
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	if (store_prepare_text(data->file.db, &stmt, text, &rc)) {
		store_bind(stmt, 1, name);
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
			if (!read_row(stmt, &replay)) {
				rc = SQLITE_CORRUPT;
				break;
			}
			if (!fn(arg, &replay)) {
				rc = SQLITE_DONE;
				break;
			}
		}
	}
	sqlite3_finalize(stmt);
	return data_read_end(data, rc, error);
}
