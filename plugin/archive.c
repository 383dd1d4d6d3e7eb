/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "archive.h"

#include <stdio.h>
#include <stdlib.h>

#include "route_internal.h"

static const struct sluice_archive *archive_in(const struct definition *definition)
{
	return definition ? definition->content.bus->archive : NULL;
}

void archive_bus_changed(struct plugin *plugin, const struct definition *old,
                         const struct definition *now)
{
	struct archives *archives = &plugin->durable.archives;
	if (!archive_in(old) && !archive_in(now))
		return;
	archives->count -= archive_in(old) != NULL;
	archives->count += archive_in(now) != NULL;
	archives->changed = true;
	if (archive_in(now))
		durable_need(plugin);
}

void archive_tick(struct plugin *plugin)
{
	struct durable *durable = &plugin->durable;
	const struct defined_list *buses = &plugin->ruleset.buses;
	if (!durable->archives.changed || !durable->thread)
		return;
	struct data_archives *message =
	        calloc(1, sizeof *message + buses->count * sizeof *message->archives);
	if (!message)
		return; /* with the next tick */
	message->message.kind = DATA_ARCHIVES;
	for (size_t i = 0; i < buses->count; i++) {
		const struct sluice_archive *archive = archive_in(buses->items[i]->definition);
		if (!archive)
			continue;
		struct data_retention *retention = &message->archives[message->count++];
		snprintf(retention->bus, sizeof retention->bus, "%s", buses->items[i]->name);
		retention->retention_ms = archive->retention_s * 1000;
		retention->max_bytes = (uint64_t)archive->max_bytes;
	}
	if (data_thread_send(durable->thread, &message->message))
		durable->archives.changed = false;
	else
		free(message);
}

/* Whether the bus's archive wants it. What could not be decided is kept. */
static bool takes(struct route *route, const struct definition *definition)
{
	struct sluice_match match;
	if (!archive_in(definition))
		return false;
	if (!definition->archive)
		return true;
	route_read_properties(route, sluice_matcher_metadata(definition->archive));
	if (sluice_match(definition->archive, route->router->scratch, &route->event, &match) !=
	    SLUICE_OK)
		route->no_memory = true;
	return !route->no_memory && match.count + match.undecided > 0;
}

void archive_visits(struct route *route)
{
	struct plugin *plugin = route->plugin;
	const struct sluice_event *event = &route->event;
	if (plugin->durable.archives.count == 0 || route->replay)
		return;
	for (size_t i = 0; i < route->router->visit_count && !route->no_memory; i++) {
		const struct visit *visit = &route->router->visits[i];
		const struct definition *definition = visit->bus->head.definition;
		route->event.payload = visit->payload;
		if (!takes(route, definition))
			continue;
		struct sluice_record record = {
			.kind = SLUICE_RECORD_ARCHIVE,
			.queue = definition->content.bus->name,
			.event_id = sluice_str(route_id(route)),
			.time_ms = route_time(route),
			.topic = event->topic,
			.client_id = event->client_id,
			.username = event->username,
			.qos = (uint8_t)event->qos,
			.retain = event->retain == 1,
			.payload = event->payload,
		};
		if (route->message->properties)
			record.properties = target_properties(route, NULL);
		route->no_memory |= (route->message->properties && !record.properties.data) ||
		                    !intake_add(plugin, NULL, &record);
	}
}
