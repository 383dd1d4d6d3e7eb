/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice_store/retention.h"

#include "data_internal.h"

enum sluice_status sluice_retention_put(struct sluice_data *data,
                                        const struct sluice_retention *retention,
                                        struct sluice_error *error)
{
	static const char text[] = "INSERT INTO retentions VALUES (?1, ?2, ?3) ON CONFLICT (bus) DO"
	                           " UPDATE SET retention_ms = ?2, max_bytes = ?3"
	                           " WHERE retention_ms <> ?2 OR max_bytes <> ?3";
	sqlite3_stmt *stmt = NULL;
	int rc;
	enum sluice_status status = data_change_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	if (store_prepare_text(data->file.db, &stmt, text, &rc)) {
		store_bind(stmt, 1, retention->bus);
		const int64_t row[] = { retention->retention_ms, (int64_t)retention->max_bytes };
		data_bind_numbers(stmt, 2, row, 2);
		rc = store_finish(stmt);
	}
	sqlite3_finalize(stmt);
	return data_change_end(data, data_fault(data, rc, "can't be written", error), error);
}

enum sluice_status sluice_retention_each(struct sluice_data *data, sluice_retention_fn fn,
                                         void *arg, struct sluice_error *error)
{
	static const char text[] = "SELECT bus, retention_ms, max_bytes FROM retentions"
	                           " ORDER BY bus";
	sqlite3_stmt *stmt = NULL;
	int rc;
	enum sluice_status status = data_read_begin(data, error);
	if (status != SLUICE_OK)
		return status;
	if (store_prepare_text(data->file.db, &stmt, text, &rc)) {
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
			const struct sluice_retention retention = {
				store_column(stmt, 0), sqlite3_column_int64(stmt, 1),
				(uint64_t)sqlite3_column_int64(stmt, 2)
			};
			if (!fn(arg, &retention)) {
				rc = SQLITE_DONE;
				break;
			}
		}
	}
	sqlite3_finalize(stmt);
	return data_read_end(data, rc, error);
}
