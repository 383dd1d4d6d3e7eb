/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A row of an outbox as a change record. */
#ifndef BRIDGE_SQLITE_ROW_H
#define BRIDGE_SQLITE_ROW_H

#include "sluice/buffer.h"
#include "sluice_store/outbox.h"

/*
 * Appends the record.
 *
 * database	the records' "database"
 * outbox_id	sluice_outbox_id
 *
 * Errors: SLUICE_ERR_CORRUPT (a row that no trigger of ours has made), _NOMEM.
 */
enum sluice_status sqlite_row_write(const struct sluice_outbox_row *row, struct sluice_str database,
                                    const char *outbox_id, struct sluice_buffer *out,
                                    struct sluice_error *error);

#endif
