/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Targets and deliveries for tests of a kind, without queue and broker. */
#ifndef TESTS_BRIDGE_MADE_H
#define TESTS_BRIDGE_MADE_H

#include "delivery.h"
#include "sluice/bridge.h"

/* A target of a kind with these settings; the test fails when they are refused. */
static inline struct sluice_bridge_target *made_target(const char *kind, const char *settings)
{
	struct sluice_buffer text = { 0 };
	struct sluice_json_doc *doc;
	struct sluice_bridge_target *target;
	struct sluice_error error = { 0 };

	sluice_buffer_printf(&text, "{\"name\":\"t\",\"kind\":\"%s\",\"settings\":%s}", kind,
	                     settings);
	if (sluice_json_parse(sluice_buffer_str(&text), 0, 64, &doc, &error))
		fail_msg("%s: %s", settings, error.message);
	if (sluice_bridge_target_from_json(sluice_json_root(doc), &target, &error))
		fail_msg("%s: %s: %s", settings, error.place, error.message);
	sluice_json_destroy(doc);
	sluice_buffer_finish(&text);
	return target;
}

/* An event "plants/berlin" that the rule "hot" matched at 2026-01-02T03:04:05.678Z. Into `delivery`,
 * whose vars point to it. */
static inline const struct delivery *made_delivery(struct delivery *delivery,
                                                   struct sluice_str payload)
{
	*delivery = (struct delivery){ .event = SLUICE_EVENT_INIT };
	delivery->event.payload = payload;
	delivery->event.topic = SLUICE_STR("plants/berlin");
	delivery->vars = (struct sluice_vars){ .event = &delivery->event,
		                               .rule = SLUICE_STR("hot"),
		                               .id = SLUICE_STR("id-1"),
		                               .time_ms = 1767323045678 };
	return delivery;
}

#endif
