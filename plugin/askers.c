/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "askers.h"

#include <stdlib.h>
#include <string.h>

#include "plugin.h"

/* Takes an asker out of the list and gives it to the store's thread, which forgets what it had
 * begun. */
static void part(struct plugin *plugin, struct asker **link)
{
	struct asker *asker = *link;
	*link = asker->next;
	plugin->askers.count--;
	atomic_store_explicit(&asker->gone, true, memory_order_relaxed);
	taps_end_of(plugin, asker->serial);
	plugin_give_back(plugin, &asker->garbage);
}

struct asker *askers_of(struct plugin *plugin, const struct mosquitto *client)
{
	const char *client_id = mosquitto_client_id(client);
	if (!client_id)
		return NULL;
	for (struct asker **link = &plugin->askers.first; *link;) {
		struct asker *asker = *link;
		bool same_client = asker->client == client;
		bool same_id = strcmp(asker->client_id, client_id) == 0;
		if (same_client && same_id)
			return asker;
		/* Another connection has taken its id, or its memory: it went without a word. */
		if (same_client || same_id)
			part(plugin, link);
		else
			link = &asker->next;
	}
	if (plugin->askers.count == ASKERS_MAX)
		return NULL;
	struct asker *asker = calloc(1, sizeof *asker);
	if (!asker)
		return NULL;
	asker->garbage.kind = GARBAGE_ASKER;
	asker->serial = ++plugin->askers.last_serial;
	asker->client = client;
	asker->client_id = strdup(client_id);
	atomic_init(&asker->gone, false);
	if (!asker->client_id) {
		free(asker);
		return NULL;
	}
	asker->next = plugin->askers.first;
	plugin->askers.first = asker;
	plugin->askers.count++;
	return asker;
}

struct asker *askers_find(const struct askers *askers, uint64_t serial)
{
	struct asker *asker = askers->first;
	while (asker && asker->serial != serial)
		asker = asker->next;
	return asker;
}

void askers_disconnected(struct plugin *plugin, const struct mosquitto *client)
{
	for (struct asker **link = &plugin->askers.first; *link; link = &(*link)->next) {
		if ((*link)->client == client) {
			part(plugin, link);
			return;
		}
	}
}

void askers_finish(struct plugin *plugin)
{
	while (plugin->askers.first)
		part(plugin, &plugin->askers.first);
}
