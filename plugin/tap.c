/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "tap.h"

#include <stdlib.h>

#include "plugin.h"
#include "store_thread.h"

static void end(struct plugin *plugin, struct tap **link)
{
	struct tap *tap = *link;
	*link = tap->next;
	plugin->taps.count--;
	plugin_give_back(plugin, &tap->garbage);
}

void taps_start(struct plugin *plugin, struct tap *tap)
{
	if (!askers_find(&plugin->askers, tap->asker)) {
		plugin_give_back(plugin, &tap->garbage);
		return;
	}
	tap->refilled_ms = clock_monotonic_ms();
	tap->end_ms = tap->refilled_ms + tap->lease_ms;
	tap->tokens_milli = tap->rate * 1000;
	tap->next = plugin->taps.first;
	plugin->taps.first = tap;
	plugin->taps.count++;
}

void taps_stop(struct plugin *plugin, uint64_t id)
{
	for (struct tap **link = &plugin->taps.first; *link; link = &(*link)->next) {
		if ((*link)->id == id) {
			end(plugin, link);
			return;
		}
	}
}

void taps_end_of(struct plugin *plugin, uint64_t asker)
{
	for (struct tap **link = &plugin->taps.first; *link;) {
		if ((*link)->asker == asker)
			end(plugin, link);
		else
			link = &(*link)->next;
	}
}

void taps_expire(struct plugin *plugin, int64_t now_ms)
{
	for (struct tap **link = &plugin->taps.first; *link;) {
		if ((*link)->end_ms <= now_ms)
			end(plugin, link);
		else
			link = &(*link)->next;
	}
}

void taps_finish(struct plugin *plugin)
{
	while (plugin->taps.first)
		end(plugin, &plugin->taps.first);
}

/* Takes one event from the tap's allowance: `rate` a second, and as many at once. */
static bool allowed(struct tap *tap, int64_t now_ms)
{
	tap->tokens_milli += (now_ms - tap->refilled_ms) * tap->rate;
	tap->refilled_ms = now_ms;
	if (tap->tokens_milli > tap->rate * 1000)
		tap->tokens_milli = tap->rate * 1000;
	if (tap->tokens_milli < 1000)
		return false;
	tap->tokens_milli -= 1000;
	return true;
}

static char *put(char *at, struct sluice_str text)
{
	if (text.len > 0)
		memcpy(at, text.data, text.len);
	return at + text.len;
}

static size_t length(struct sluice_str text)
{
	return text.data ? text.len : SIZE_MAX;
}

static bool send_copy(struct plugin *plugin, const struct tap *tap,
                      const struct sluice_event *event)
{
	struct sluice_str payload = event->payload;
	if (payload.len > TAP_PAYLOAD_MAX)
		payload.len = TAP_PAYLOAD_MAX;
	struct tapped_message *tapped =
	        malloc(sizeof *tapped + event->topic.len + event->client_id.len +
	               event->username.len + payload.len);
	if (!tapped)
		return false;
	*tapped = (struct tapped_message){ .message = { MESSAGE_TAPPED },
		                           .tap = tap->id,
		                           .asker = tap->asker,
		                           .time_ms = clock_real_ms(),
		                           .left_out = counter_get(&tap->left_out),
		                           .topic = length(event->topic),
		                           .client_id = length(event->client_id),
		                           .username = length(event->username),
		                           .payload = payload.len,
		                           .payload_bytes = event->payload.len,
		                           .qos = event->qos,
		                           .retain = event->retain };
	memcpy(tapped->rule, tap->rule, sizeof tapped->rule);
	char *at = put(tapped->bytes, event->topic);
	at = put(at, event->client_id);
	at = put(at, event->username);
	put(at, payload);
	if (store_thread_send(plugin, &tapped->message))
		return true;
	free(tapped);
	return false;
}

void taps_event(struct plugin *plugin, const struct bus_record *bus, const mosquitto_property *list,
                struct event_properties *properties, struct sluice_event *event)
{
	for (struct tap *tap = plugin->taps.first; tap; tap = tap->next) {
		struct sluice_match match;
		if (strcmp(tap->bus, bus->head.name) != 0 ||
		    !event_properties_read(properties, &plugin->compat, list,
		                           sluice_matcher_metadata(tap->matcher), event) ||
		    sluice_match(tap->matcher, plugin->router.scratch, event, &match) !=
		            SLUICE_OK ||
		    match.count == 0)
			continue;
		counter_add(&tap->seen, 1);
		if (!allowed(tap, clock_monotonic_ms()) || !send_copy(plugin, tap, event))
			counter_add(&tap->left_out, 1);
	}
}
