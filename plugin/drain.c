/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "drain.h"

#include <stdlib.h>

#include "plugin.h"
#include "store_thread.h"

void plugin_give_back(struct plugin *plugin, struct garbage *garbage)
{
	garbage->next = plugin->garbage;
	plugin->garbage = garbage;
}

static void publish(struct plugin *plugin, struct answer_message *answer)
{
	struct asker *asker = askers_find(&plugin->askers, answer->asker);
	/* Who has gone gets nothing; nor does a later connection under its id, which is another
	 * asker. QoS 0, so that the broker keeps nothing for a session that comes back. */
	if (asker)
		mosquitto_broker_publish_copy(asker->client_id, answer->topic, (int)answer->len,
		                              answer->payload, 0, false, NULL);
	if (!answer->event) {
		plugin->request_count--;
		plugin->request_bytes -= answer->request_len;
	}
	free(answer);
}

void drain_answer(struct plugin *plugin)
{
	if (!durable_settled(plugin))
		return; /* a queue that was put is not yet ready for what its putter will send it */
	for (size_t i = 0; i < plugin->answer_count; i++)
		publish(plugin, plugin->answers[i]);
	plugin->answer_count = 0;
}

/*
 * An answer waits for the tick: what is published there is sent before any other socket is read, so
 * that its client can't be replaced by another of the same id in between.
 */
static void keep_answer(struct plugin *plugin, struct answer_message *answer)
{
	if (plugin->answer_count == plugin->answer_capacity) {
		size_t capacity = plugin->answer_capacity ? plugin->answer_capacity * 2 : 64;
		struct answer_message **answers =
		        realloc(plugin->answers, capacity * sizeof(struct answer_message *));
		if (!answers) {
			publish(plugin, answer);
			return;
		}
		plugin->answers = answers;
		plugin->answer_capacity = capacity;
	}
	plugin->answers[plugin->answer_count++] = answer;
}

void drain_apply(struct plugin *plugin, struct message *message)
{
	switch (message->kind) {
	case MESSAGE_CHANGE_RULE: {
		struct change_rule_message *change = (struct change_rule_message *)message;
		ruleset_change_rule(plugin, change->old, change->now, change->pattern);
		sluice_pattern_destroy(change->pattern);
		break;
	}
	case MESSAGE_CHANGE_BUS:
	case MESSAGE_CHANGE_QUEUE: {
		struct change_defined_message *change = (struct change_defined_message *)message;
		ruleset_change_defined(plugin, change->defined, change->definition);
		break;
	}
	case MESSAGE_TAP_START:
		taps_start(plugin, ((struct tap_start_message *)message)->tap);
		break;
	case MESSAGE_TAP_STOP:
		taps_stop(plugin, ((struct tap_stop_message *)message)->tap);
		break;
	case MESSAGE_LOG:
		log_line(((struct log_message *)message)->level, "%s",
		         ((struct log_message *)message)->text);
		break;
	case MESSAGE_QUEUE_ORDER:
		durable_order(plugin, (const struct queue_order_message *)message);
		break;
	case MESSAGE_FIRE:
		fires_take(plugin, (struct fire_message *)message);
		return;
	case MESSAGE_REPLAY:
		replays_order(plugin, ((struct replay_message *)message)->order);
		break;
	case MESSAGE_ANSWER:
		keep_answer(plugin, (struct answer_message *)message);
		return;
	case MESSAGE_REQUEST:
	case MESSAGE_TAPPED:
	case MESSAGE_GARBAGE:
		break;
	}
	free(message);
}

static void give_back(struct plugin *plugin)
{
	if (!plugin->garbage)
		return;
	struct garbage_message *message = malloc(sizeof *message);
	if (!message)
		return; /* with the next tick */
	*message = (struct garbage_message){ { MESSAGE_GARBAGE }, plugin->garbage };
	if (store_thread_send(plugin, &message->message))
		plugin->garbage = NULL;
	else
		free(message);
}

void drain(struct plugin *plugin, int64_t budget_ns)
{
	if (!ring_empty(&plugin->to_broker)) {
		int64_t end_ns = clock_monotonic_ns() + budget_ns;
		struct message *message;
		do {
			message = ring_pop(&plugin->to_broker);
			if (message)
				drain_apply(plugin, message);
		} while (message && clock_monotonic_ns() < end_ns);
	}
	give_back(plugin);
}

bool drain_pending(const struct plugin *plugin)
{
	return plugin->request_count > 0 || plugin->taps.count > 0 || plugin->garbage ||
	       !ring_empty(&plugin->to_broker);
}

void drain_keep(struct plugin *plugin, struct message *message)
{
	struct message **kept =
	        realloc(plugin->kept, (plugin->kept_count + 1) * sizeof(struct message *));
	if (!kept)
		return; /* the process is about to end */
	plugin->kept = kept;
	kept[plugin->kept_count++] = message;
}

void drain_all(struct plugin *plugin)
{
	struct message *message;
	while ((message = ring_pop(&plugin->to_broker)))
		drain_apply(plugin, message);
	for (size_t i = 0; i < plugin->kept_count; i++)
		drain_apply(plugin, plugin->kept[i]);
	for (size_t i = 0; i < plugin->answer_count; i++)
		free(plugin->answers[i]);
	free(plugin->kept);
	free(plugin->answers);
	/* Requests that were not begun, and what was on its way to be freed. */
	while ((message = ring_pop(&plugin->to_store))) {
		if (message->kind == MESSAGE_GARBAGE) {
			struct garbage *next;
			struct garbage *garbage = ((struct garbage_message *)message)->first;
			for (; garbage; garbage = next) {
				next = garbage->next;
				plugin_give_back(plugin, garbage);
			}
		}
		free(message);
	}
}
