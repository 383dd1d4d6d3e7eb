/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "archived.h"

#include <stdlib.h>

#include "properties_pack.h"

static bool add_user(struct archived *archived, const struct packed_property *packed)
{
	size_t count = archived->event.user_property_count;
	if (count == archived->user_capacity) {
		size_t capacity = count ? count * 2 : 8;
		struct sluice_property *user = realloc(archived->user, capacity * sizeof *user);
		if (!user)
			return false;
		archived->user = user;
		archived->user_capacity = capacity;
	}
	archived->user[count] = (struct sluice_property){ packed->name, packed->value };
	archived->event.user_property_count = count + 1;
	return true;
}

static bool add(struct archived *archived, const struct packed_property *packed)
{
	struct sluice_event *event = &archived->event;
	switch (packed->id) {
	case PACKED_PAYLOAD_FORMAT:
		if (packed->value.len == 1)
			event->payload_format = packed->value.data[0] == 1;
		break;
	case PACKED_CONTENT_TYPE:
		event->content_type = packed->value;
		break;
	case PACKED_RESPONSE_TOPIC:
		event->response_topic = packed->value;
		break;
	case PACKED_CORRELATION_DATA:
		event->correlation_data = packed->value;
		break;
	case PACKED_USER_PROPERTY:
		return add_user(archived, packed);
	case PACKED_EXPIRY:
		break; /* of what was put off; no event has it */
	}
	return true;
}

bool archived_read(struct archived *archived, const struct sluice_record *record)
{
	struct sluice_str rest = record->properties;
	struct packed_property packed;
	struct sluice_event *event = &archived->event;
	*event = SLUICE_EVENT_INIT;
	event->topic = record->topic;
	event->payload = record->payload.data ? record->payload : SLUICE_STR("");
	event->client_id = record->client_id;
	event->username = record->username;
	event->qos = (int8_t)record->qos;
	event->retain = record->retain;
	while (properties_unpack(&rest, &packed)) {
		if (!add(archived, &packed))
			return false;
	}
	event->user_properties = archived->user;
	return true;
}

void archived_finish(struct archived *archived)
{
	free(archived->user);
	*archived = (struct archived){ 0 };
}
