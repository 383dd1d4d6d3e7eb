/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "numbers.h"

#include "clock.h"
#include "command.h"

static int64_t number(const counter *value)
{
	return (int64_t)counter_get(value);
}

void data_rule_numbers(struct sluice_buffer *data, const struct rule_record *record)
{
	data_integer(data, "matched", record ? number(&record->matched) : 0);
	data_integer(data, "delivered", record ? number(&record->delivered) : 0);
	data_integer(data, "failed", record ? number(&record->failed) : 0);
	data_integer(data, "last_match_ms", record ? number(&record->last_match_ms) : 0);
}

void data_rule_samples(struct sluice_buffer *data, struct rule_record *record)
{
	struct sample *samples[RULE_SAMPLES];
	size_t count = 0;
	for (unsigned i = 0; i < RULE_SAMPLES; i++) {
		/* It stays ours to read until we free it, as garbage, after this command. */
		struct sample *sample = atomic_load(&record->samples[i]);
		size_t at = count;
		if (!sample)
			continue;
		for (; at > 0 && samples[at - 1]->time_ms < sample->time_ms; at--)
			samples[at] = samples[at - 1];
		samples[at] = sample;
		count++;
	}
	if (count == 0)
		return;
	data_key(data, "samples");
	sluice_buffer_append(data, "[", 1);
	for (size_t i = 0; i < count; i++) {
		sluice_buffer_append_text(data, i ? ",{" : "{");
		data_string(data, "topic", sluice_str(samples[i]->topic));
		data_integer(data, "time_ms", samples[i]->time_ms);
		sluice_buffer_append(data, "}", 1);
	}
	sluice_buffer_append(data, "]", 1);
}

void data_queue_numbers(struct sluice_buffer *data, const struct queue_numbers *numbers)
{
	const struct {
		const char *name;
		const counter *value;
	} all[] = {
		{ "ready", &numbers->ready },
		{ "in_flight", &numbers->in_flight },
		{ "delayed", &numbers->delayed },
		{ "bytes", &numbers->bytes },
		{ "oldest_ms", &numbers->oldest_ms },
		{ "workers", &numbers->workers },
		{ "accepted", &numbers->accepted },
		{ "delivered", &numbers->delivered },
		{ "redelivered", &numbers->redelivered },
		{ "acknowledged", &numbers->acknowledged },
		{ "returned", &numbers->returned },
		{ "timed_out", &numbers->timed_out },
		{ "dead", &numbers->dead },
		{ "expired", &numbers->expired },
		{ "purged", &numbers->purged },
		{ "redriven", &numbers->redriven },
		{ "stayed", &numbers->stayed },
		{ "deduplicated", &numbers->deduplicated },
		{ "bad_receipts", &numbers->bad_receipts },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		data_integer(data, all[i].name, number(all[i].value));
	int64_t oldest_ms = number(&numbers->oldest_ms);
	int64_t age_ms = oldest_ms == 0 ? 0 : clock_real_ms() - oldest_ms;
	/* Reckoned here: who asks may have another clock. */
	data_integer(data, "oldest_age_s", age_ms > 0 ? age_ms / 1000 : 0);
	data_bool(data, "redriving", number(&numbers->redriving) != 0);
}
