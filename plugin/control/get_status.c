/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdlib.h>

#include "command.h"
#include "numbers.h"
#include "plugin.h"

enum { PAGE_RULES = 100, PAGE_RULES_MAX = 1000 };

static void write_store(struct command_call *call)
{
	struct store_thread *thread = call->thread;
	struct sluice_buffer *data = call->data;
	struct sluice_store_stats stats;
	struct sluice_error error;
	const struct metrics *metrics = &thread->plugin->metrics;
	data_key(data, "store");
	sluice_buffer_append(data, "{", 1);
	data_string(data, "file", sluice_str(thread->plugin->options.db_file));
	data_string(data, "state",
	            sluice_str(sluice_status_name(
	                    (enum sluice_status)counter_get(&metrics->store_state))));
	if (!thread->store) {
		data_string(data, "error",
		            SLUICE_STR("it can't be opened; the broker's log says why"));
	} else if (sluice_store_stats(thread->store, &stats, &error) != SLUICE_OK) {
		data_string(data, "error", sluice_str(error.message));
	} else {
		for (int i = 0; i < SLUICE_STORE_KINDS; i++) {
			enum sluice_store_kind kind = sluice_store_shown(i);
			data_integer(data, sluice_store_plural(kind), (int64_t)stats.counts[kind]);
		}
		data_integer(data, "errors", (int64_t)stats.errors);
		data_integer(data, "revision", stats.revision);
		data_integer(data, "schema_version", stats.schema_version);
		data_integer(data, "bytes", (int64_t)stats.bytes);
	}
	sluice_buffer_append(data, "}", 1);
}

/* What is durable, once something is. */
static void write_durable(struct sluice_buffer *data, struct plugin *plugin)
{
	const struct durable *durable = &plugin->durable;
	const struct data_numbers *numbers = &durable->numbers;
	const struct {
		const char *name;
		const counter *value;
	} all[] = {
		{ "journal_lag_bytes", &numbers->journal_lag },
		{ "journal_bytes", &numbers->journal_bytes },
		{ "data_bytes", &numbers->data_bytes },
		{ "no_room", &durable->no_room },
		{ "bad_requests", &durable->bad_requests },
	};
	data_key(data, "durable");
	sluice_buffer_append(data, "{", 1);
	data_string(
	        data, "state",
	        sluice_str(sluice_status_name((enum sluice_status)counter_get(&numbers->state))));
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		data_integer(data, all[i].name, (int64_t)counter_get(all[i].value));
	sluice_buffer_append(data, "}", 1);
}

static void write_totals(struct sluice_buffer *data, const struct plugin *plugin)
{
	const struct metrics *metrics = &plugin->metrics;
	const struct {
		const char *name;
		const counter *value;
	} totals[] = {
		{ "events", &metrics->events },          { "matched", &metrics->matched },
		{ "delivered", &metrics->delivered },    { "failed", &metrics->failed },
		{ "over_limit", &metrics->over_limit },  { "refused", &metrics->refused },
		{ "malformed", &metrics->malformed },    { "undecided", &metrics->undecided },
		{ "rules_in_force", &metrics->rules },   { "buses_in_force", &metrics->buses },
		{ "queues_in_force", &metrics->queues }, { "rule_errors", &metrics->rule_errors },
	};
	const struct histogram *callback = &metrics->callback_ns;
	for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
		data_integer(data, totals[i].name, (int64_t)counter_get(totals[i].value));
	data_key(data, "callback_us");
	sluice_buffer_printf(data, "{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}",
	                     (double)histogram_percentile(callback, 0.5) / 1000,
	                     (double)histogram_percentile(callback, 0.99) / 1000,
	                     (double)histogram_max(callback) / 1000);
}

/* The rules in force, in the order of names, from the one behind `after` on. */
static enum sluice_status write_rules(struct command_call *call, struct sluice_error *error)
{
	struct sluice_buffer *data = call->data;
	size_t limit = (size_t)call_integer(call, "limit", PAGE_RULES);
	size_t count, written = 0;
	const char *last = NULL;
	bool more = false;
	struct rule_record **records = registry_sorted(&call->thread->registry, &count);
	if (!records)
		return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	data_key(data, "rules");
	sluice_buffer_append(data, "[", 1);
	for (size_t i = 0; i < count && !more; i++) {
		const char *name = records[i]->name;
		if (!call_chooses(call, name))
			continue;
		more = written == limit;
		if (more)
			break;
		sluice_buffer_append_text(data, written++ ? ",{" : "{");
		data_string(data, "name", sluice_str(name));
		data_rule_numbers(data, records[i]);
		sluice_buffer_append(data, "}", 1);
		last = name;
	}
	sluice_buffer_append(data, "]", 1);
	if (more)
		data_string(data, "next", sluice_str(last));
	free(records);
	return SLUICE_OK;
}

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct plugin *plugin = call->thread->plugin;
	struct sluice_buffer *data = call->data;
	enum sluice_status status = SLUICE_OK;
	sluice_buffer_append(data, "{", 1);
	data_string(data, "version", SLUICE_STR(SLUICE_VERSION));
	data_key(data, "broker");
	sluice_buffer_printf(data, "{\"mosquitto\":\"%s\",\"up_s\":%lld}",
	                     broker_compat_version(&plugin->compat),
	                     (long long)(clock_monotonic_ms() - plugin->start_ms) / 1000);
	write_store(call);
	write_durable(data, plugin);
	write_totals(data, plugin);
	if (call_bool(call, "rules", false))
		status = write_rules(call, error);
	sluice_buffer_append(data, "}", 1);
	return status;
}

const struct command command_get_status = {
	.name = "getStatus",
	.view = true,
	.run = run,
	.members = { { "rules", MEMBER_BOOL, false, 0, 0 },
	             { "prefix", MEMBER_STRING, false, 0, 0 },
	             { "after", MEMBER_STRING, false, 0, 0 },
	             { "limit", MEMBER_INTEGER, false, 1, PAGE_RULES_MAX } },
};
