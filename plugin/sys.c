/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin.h"

#define PREFIX "$SYS/broker/sluice/"

enum { RULES_PER_TICK = 100 };

static const char *const rule_topics[] = { "matched", "delivered", "failed" };

static void send_text(const char *topic, const char *text)
{
	int len = (int)strlen(text);
	if (len == 0)
		mosquitto_broker_publish(NULL, topic, 0, NULL, 0, true, NULL);
	else
		mosquitto_broker_publish_copy(NULL, topic, len, text, 0, true, NULL);
}

static void send_number(const char *name, uint64_t value)
{
	char topic[128], text[24];
	snprintf(topic, sizeof topic, PREFIX "%s", name);
	snprintf(text, sizeof text, "%" PRIu64, value);
	send_text(topic, text);
}

static void rule_topic(const struct rule_record *record, unsigned which, char topic[160])
{
	snprintf(topic, 160, PREFIX "rules/%s/%s", record->name, rule_topics[which]);
}

/* What did not change since it was sent last stands in the broker already. */
static void send_rule(struct rule_record *record)
{
	const uint64_t values[3] = { counter_get(&record->matched), counter_get(&record->delivered),
		                     counter_get(&record->failed) };
	for (unsigned i = 0; i < 3; i++) {
		if (record->sys_sent[i] == values[i])
			continue;
		char topic[160], text[24];
		rule_topic(record, i, topic);
		snprintf(text, sizeof text, "%" PRIu64, values[i]);
		send_text(topic, text);
		record->sys_sent[i] = values[i];
	}
}

void sys_rule(struct plugin *plugin, struct rule_record *record, bool wanted)
{
	struct sys *sys = &plugin->sys;
	if (wanted == record->on_sys || plugin->options.sys_interval_s == 0)
		return;
	if (wanted) {
		if (sys->rule_count == sys->rule_capacity) {
			size_t capacity = sys->rule_capacity ? sys->rule_capacity * 2 : 16;
			struct rule_record **rules =
			        realloc(sys->rules, capacity * sizeof(struct rule_record *));
			if (!rules)
				return; /* numbers that getStatus still has */
			sys->rules = rules;
			sys->rule_capacity = capacity;
		}
		sys->rules[sys->rule_count++] = record;
		record->on_sys = true;
		for (unsigned i = 0; i < 3; i++)
			record->sys_sent[i] = UINT64_MAX; /* no count so far */
		return;
	}
	for (size_t i = 0; i < sys->rule_count; i++) {
		if (sys->rules[i] == record) {
			sys->rules[i] = sys->rules[--sys->rule_count];
			break;
		}
	}
	record->on_sys = false;
	for (unsigned i = 0; i < 3; i++) {
		char topic[160];
		rule_topic(record, i, topic);
		send_text(topic, ""); /* clears the retained one */
	}
}

static void send_totals(struct plugin *plugin)
{
	const struct metrics *metrics = &plugin->metrics;
	send_number("events", counter_get(&metrics->events));
	send_number("matched", counter_get(&metrics->matched));
	send_number("delivered", counter_get(&metrics->delivered));
	send_number("failed", counter_get(&metrics->failed));
	send_number("over_limit", counter_get(&metrics->over_limit));
	send_number("refused", counter_get(&metrics->refused));
	send_number("malformed", counter_get(&metrics->malformed));
	send_number("undecided", counter_get(&metrics->undecided));
	send_number("rules", counter_get(&metrics->rules));
	send_number("rule_errors", counter_get(&metrics->rule_errors));
	send_number("callback/max_us", histogram_max(&metrics->callback_ns) / 1000);
	send_number("callback/p50_us", histogram_percentile(&metrics->callback_ns, 0.5) / 1000);
	send_number("callback/p99_us", histogram_percentile(&metrics->callback_ns, 0.99) / 1000);
	send_number("journal/lag_bytes", counter_get(&plugin->durable.numbers.journal_lag));
	send_number("journal/bytes", counter_get(&plugin->durable.numbers.journal_bytes));
	send_number("data/bytes", counter_get(&plugin->durable.numbers.data_bytes));
	send_number("no_room", counter_get(&plugin->durable.no_room));
	send_text(PREFIX "data/state", sluice_status_name((enum sluice_status)counter_get(
	                                       &plugin->durable.numbers.state)));
	send_text(PREFIX "store/state",
	          sluice_status_name((enum sluice_status)counter_get(&metrics->store_state)));
}

static void send_queue(const struct queue *queue)
{
	const struct queue_numbers *numbers = queue->numbers;
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{ "depth", counter_get(&numbers->ready) },
		{ "in_flight", counter_get(&numbers->in_flight) },
		{ "delayed", counter_get(&numbers->delayed) },
		{ "oldest_age_s", queue_oldest_age_s(queue) },
		{ "acknowledged", counter_get(&numbers->acknowledged) },
		{ "redelivered", counter_get(&numbers->redelivered) },
		{ "dead", counter_get(&numbers->dead) },
	};
	char name[SLUICE_NAME_MAX + 32];
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		snprintf(name, sizeof name, "queues/%s/%s", queue->name, all[i].name);
		send_number(name, all[i].value);
	}
}

void sys_tick(struct plugin *plugin, int64_t now_ms)
{
	struct sys *sys = &plugin->sys;
	if (plugin->options.sys_interval_s == 0)
		return;
	if (now_ms >= sys->next_ms) {
		sys->next_ms = now_ms + plugin->options.sys_interval_s * 1000;
		sys->at = 0;
		send_totals(plugin);
		for (const struct queue *queue = plugin->durable.queues.first; queue;
		     queue = queue->next)
			send_queue(queue);
	}
	for (size_t i = 0; i < RULES_PER_TICK && sys->at < sys->rule_count; i++)
		send_rule(sys->rules[sys->at++]);
}

void sys_finish(struct sys *sys)
{
	free(sys->rules);
	*sys = (struct sys){ 0 };
}
