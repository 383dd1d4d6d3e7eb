/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* PostgreSQL's values, in the text that its types' output functions make, as JSON. */
#ifndef BRIDGE_POSTGRES_VALUE_H
#define BRIDGE_POSTGRES_VALUE_H

#include "sluice/buffer.h"

/*
 * Appends a value that is not null as JSON: numbers as they are written, as far as JSON has them; bool;
 * json and jsonb as what they hold; bytea in base64; arrays of the types that PostgreSQL comes with as
 * arrays; all else as a string.
 *
 * type		the column's, an OID of pg_type
 */
void postgres_value_write(struct sluice_buffer *buf, uint32_t type, struct sluice_str text);

#endif
