/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "subscribers.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "plugin.h"
#include "queue/wire.h"

enum { FILTERS_MAX = 1000 }; /* of one client, for queues */

struct subscriber {
	struct subscriber *next;
	char *client_id;
	const void *client; /* compared, never followed; NULL = not there */
	char **filters;
	size_t count;
};

static struct subscriber **find(const struct subscribers *subscribers, const char *client_id)
{
	uint64_t hash = sluice_hash_text(sluice_hash_start(4), sluice_str(client_id));
	struct subscriber **link =
	        (struct subscriber **)&subscribers->buckets[hash % SUBSCRIBER_BUCKETS];
	while (*link && strcmp((*link)->client_id, client_id) != 0)
		link = &(*link)->next;
	return link;
}

static void destroy(struct subscriber *subscriber)
{
	for (size_t i = 0; i < subscriber->count; i++)
		free(subscriber->filters[i]);
	free(subscriber->filters);
	free(subscriber->client_id);
	free(subscriber);
}

void subscribers_finish(struct subscribers *subscribers)
{
	for (size_t i = 0; i < SUBSCRIBER_BUCKETS; i++) {
		struct subscriber *next;
		for (struct subscriber *one = subscribers->buckets[i]; one; one = next) {
			next = one->next;
			destroy(one);
		}
	}
	*subscribers = (struct subscribers){ 0 };
}

/* Tells the queue of a filter that a subscription came or went. */
static void tell(struct plugin *plugin, const char *filter, int change)
{
	struct sluice_str name;
	if (!queue_subscription_read(sluice_str(filter), &name))
		return;
	struct queue *queue = queues_find(&plugin->durable.queues, name);
	if (!queue)
		return;
	durable_now(plugin);
	queue_subscription(queue, change);
	plugin->durable.next_ms = 0;
}

static void tell_all(struct plugin *plugin, const struct subscriber *subscriber, int change)
{
	for (size_t i = 0; i < subscriber->count; i++)
		tell(plugin, subscriber->filters[i], change);
}

static struct subscriber *create(struct subscribers *subscribers, struct subscriber **link,
                                 const char *client_id)
{
	struct subscriber *subscriber = calloc(1, sizeof *subscriber);
	if (!subscriber)
		return NULL;
	subscriber->client_id = strdup(client_id);
	if (!subscriber->client_id) {
		free(subscriber);
		return NULL;
	}
	*link = subscriber;
	subscribers->count++;
	return subscriber;
}

static size_t position(const struct subscriber *subscriber, const char *filter)
{
	size_t i = 0;
	while (i < subscriber->count && strcmp(subscriber->filters[i], filter) != 0)
		i++;
	return i;
}

/* Who is not remembered, for want of memory or room, is served as on 2.0: by offers. */
void subscribers_subscribe(struct plugin *plugin, const struct mosquitto *client,
                           const char *filter)
{
	struct subscribers *subscribers = &plugin->subscribers;
	const char *client_id = mosquitto_client_id(client);
	struct sluice_str name;
	if (!client_id || !filter || !queue_subscription_read(sluice_str(filter), &name))
		return;
	struct subscriber **link = find(subscribers, client_id);
	struct subscriber *subscriber = *link;
	if (!subscriber && subscribers->count < SUBSCRIBERS_MAX)
		subscriber = create(subscribers, link, client_id);
	if (!subscriber)
		goto error_memory;
	subscriber->client = client;
	if (position(subscriber, filter) < subscriber->count)
		return;
	char **filters = realloc(subscriber->filters, (subscriber->count + 1) * sizeof *filters);
	if (!filters || subscriber->count >= FILTERS_MAX)
		goto error_memory;
	subscriber->filters = filters;
	filters[subscriber->count] = strdup(filter);
	if (!filters[subscriber->count])
		goto error_memory;
	subscriber->count++;
	tell(plugin, filter, 1);
	return;

error_memory:
	plugin->durable.queues.hears_subscribe = false;
}

void subscribers_unsubscribe(struct plugin *plugin, const struct mosquitto *client,
                             const char *filter)
{
	const char *client_id = mosquitto_client_id(client);
	if (!client_id || !filter)
		return;
	struct subscriber *subscriber = *find(&plugin->subscribers, client_id);
	if (!subscriber)
		return;
	size_t at = position(subscriber, filter);
	if (at == subscriber->count)
		return;
	free(subscriber->filters[at]);
	subscriber->filters[at] = subscriber->filters[--subscriber->count];
	tell(plugin, filter, -1);
}

static void forget(struct plugin *plugin, struct subscriber **link)
{
	struct subscriber *subscriber = *link;
	if (subscriber->client)
		tell_all(plugin, subscriber, -1);
	*link = subscriber->next;
	plugin->subscribers.count--;
	destroy(subscriber);
}

void subscribers_connected(struct plugin *plugin, const struct mosquitto *client, bool clean)
{
	const char *client_id = mosquitto_client_id(client);
	if (!client_id)
		return;
	struct subscriber **link = find(&plugin->subscribers, client_id);
	if (clean) {
		if (*link)
			forget(plugin, link);
	} else if (*link) {
		if (!(*link)->client)
			tell_all(plugin, *link, 1);
		(*link)->client = client;
	}
}

void subscribers_disconnected(struct plugin *plugin, const struct mosquitto *client)
{
	const char *client_id = mosquitto_client_id(client);
	if (!client_id)
		return;
	struct subscriber *subscriber = *find(&plugin->subscribers, client_id);
	if (!subscriber || subscriber->client != client)
		return;
	tell_all(plugin, subscriber, -1);
	subscriber->client = NULL;
}

size_t subscribers_of(const struct subscribers *subscribers, struct sluice_str queue)
{
	size_t count = 0;
	for (size_t i = 0; i < SUBSCRIBER_BUCKETS; i++) {
		for (const struct subscriber *one = subscribers->buckets[i]; one; one = one->next) {
			for (size_t j = 0; one->client && j < one->count; j++) {
				struct sluice_str name;
				count += queue_subscription_read(sluice_str(one->filters[j]),
				                                 &name) &&
				         sluice_str_equal(name, queue);
			}
		}
	}
	return count;
}
