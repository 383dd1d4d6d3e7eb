/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Writing what a path found in an event: as JSON, inside a JSON string, as plain text. */
#ifndef SLUICE_PATH_VALUE_H
#define SLUICE_PATH_VALUE_H

#include "json_path.h"
#include "sluice/buffer.h"

/* Appends it as a JSON value on one line; null when the path found nothing. */
void sluice_path_value_write_json(struct sluice_path_value value, struct sluice_buffer *out);

/*
 * Appends characters that may stand between the quotes of a JSON string: a string's own, any other
 * JSON on one line and escaped. Nothing when the path found nothing.
 */
void sluice_path_value_write_inside(struct sluice_path_value value, struct sluice_buffer *out);

/*
 * Appends a string's characters, any other JSON on one line. Nothing when the path found nothing.
 */
void sluice_path_value_write_plain(struct sluice_path_value value, struct sluice_buffer *out);

#endif
