/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * MQTT 5 properties of an event as bytes, as they stand in the journal and in SQLite: what a consumer
 * is to be given of them later.
 *
 *	[id u8] [length u32][name][NUL] [length u32][value][NUL]   and so on
 *
 * A name is empty but for user properties. Numbers are little-endian.
 */
#ifndef SLUICE_PLUGIN_PROPERTIES_PACK_H
#define SLUICE_PLUGIN_PROPERTIES_PACK_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/event.h"

/* MQTT 5.0, section 2.2.2.2. */
enum packed_id {
	PACKED_PAYLOAD_FORMAT = 1,
	PACKED_EXPIRY = 2, /* seconds from delivery on, four bytes */
	PACKED_CONTENT_TYPE = 3,
	PACKED_RESPONSE_TOPIC = 8,
	PACKED_CORRELATION_DATA = 9,
	PACKED_USER_PROPERTY = 38,
};

struct packed_property {
	enum packed_id id;
	struct sluice_str name; /* NUL-terminated, as is value */
	struct sluice_str value;
};

/*
 * Appends those of an event, read before. User properties whose names begin with "sluice-" are left
 * out: what Sluice adds must not be forged. `content_type`: of a transformed payload, instead of the
 * event's, and without its payload format; absent with `transformed` = none.
 */
void properties_pack(const struct sluice_event *event, bool transformed,
                     struct sluice_str content_type, struct sluice_buffer *out);

/* Appends a user property, whatever its name; an absent value is left out. */
void properties_pack_user(struct sluice_str name, struct sluice_str value,
                          struct sluice_buffer *out);
void properties_pack_expiry(uint32_t expiry_s, struct sluice_buffer *out);
uint32_t properties_unpack_expiry(struct sluice_str value);

/* Takes the next one off. False at the end, or where the bytes are none of ours. */
bool properties_unpack(struct sluice_str *rest, struct packed_property *property);

#endif
