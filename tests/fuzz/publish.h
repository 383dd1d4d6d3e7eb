/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What surrounds the payload of a fuzzed event: always the same, something of everything. */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "sluice/event.h"

static inline struct sluice_event fuzz_publish(struct sluice_str payload)
{
	static const struct sluice_property properties[] = {
		{ { "a", 1 }, { "x", 1 } },
		{ { "a", 1 }, { "y", 1 } },
		{ { "a.b", 3 }, { "10.1.2.3", 8 } },
	};
	struct sluice_event event = SLUICE_EVENT_INIT;
	event.payload = payload;
	event.topic = SLUICE_STR("a/b/c");
	event.client_id = SLUICE_STR("Client");
	event.content_type = SLUICE_STR("");
	event.correlation_data = SLUICE_STR("\0\xff");
	event.qos = 1;
	event.retain = 0;
	event.user_properties = properties;
	event.user_property_count = sizeof(properties) / sizeof(*properties);
	return event;
}

#endif
