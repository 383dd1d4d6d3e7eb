/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "archived.h"
#include "plugin.h"

enum {
	PAGES = 4, /* more than the data thread has under way at once */
	TOLD_MS = 500,
	SOON_MS = 100, /* what is due before the next idle tick */
	TICK_MIN_NS = 1000000,
	TICK_MAX_NS = 20000000,
};

struct replay {
	struct replay *next;
	char name[SLUICE_NAME_MAX + 1];
	char bus[SLUICE_NAME_MAX + 1];
	char *rules;              /* owned; NULL = all */
	struct sluice_rule *rule; /* owned; of its topic, NULL = to the rules' targets */
	struct rule_record record;
	struct rule_entry entry;
	int64_t speed_milli;
	struct data_rows *pages[PAGES]; /* owned, in their order */
	size_t page_count;
	unsigned used; /* pages, since the last word to the data thread */
	uint64_t position, done, matched, told;
	int64_t told_ms;
	int64_t base_ms, began_ms; /* an event's time, and when it was routed: the others follow */
	bool began;
	int64_t due_ms; /* of the next event: monotonic; 0 = at once */
	bool ended;     /* all is routed, or can't be; this is to be told */
	enum sluice_replay_state state;
};

/* --- which there are --- */

static struct replay **find(struct replays *replays, const char *name)
{
	struct replay **link = &replays->first;
	while (*link && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	return link;
}

static void drop(struct replay **link)
{
	struct replay *replay = *link;
	*link = replay->next;
	for (size_t i = 0; i < replay->page_count; i++)
		free(replay->pages[i]);
	sluice_rule_destroy(replay->rule);
	free(replay->rules);
	free(replay);
}

void replays_begun(struct plugin *plugin, const struct data_replay_begun *begun)
{
	struct replays *replays = &plugin->durable.replays;
	struct sluice_error error;
	struct replay **link = find(replays, begun->name);
	if (*link)
		drop(link);
	struct replay *replay = calloc(1, sizeof *replay);
	char *rules = begun->rules ? strdup(begun->rules) : NULL;
	enum sluice_status status = SLUICE_OK;
	if (!replay || (begun->rules && !rules)) {
		free(replay);
		free(rules);
		log_line(MOSQ_LOG_ERR, "out of memory: replay %s waits for a restart", begun->name);
		return;
	}
	memcpy(replay->name, begun->name, sizeof replay->name);
	memcpy(replay->bus, begun->bus, sizeof replay->bus);
	replay->rules = rules;
	replay->speed_milli = begun->speed_milli;
	replay->position = replay->told = begun->position;
	replay->done = begun->done;
	replay->matched = begun->matched;
	if (begun->topic)
		status = replay_rule(sluice_str(begun->name), sluice_str(begun->bus),
		                     sluice_str(begun->topic), &replay->rule, &error);
	replay->next = replays->first;
	replays->first = replay;
	memcpy(replay->record.name, begun->name, sizeof replay->record.name);
	replay->entry = (struct rule_entry){ .rule = replay->rule, .record = &replay->record };
	if (status != SLUICE_OK) {
		/* The command took it: this Sluice is another one. */
		log_line(MOSQ_LOG_ERR, "replay %s is cancelled: %s", begun->name, error.message);
		replay->ended = true;
		replay->state = SLUICE_REPLAY_CANCELLED;
	}
}

void replays_page(struct plugin *plugin, struct data_rows *page)
{
	struct replay *replay = *find(&plugin->durable.replays, page->queue);
	/* Else it was paused or cancelled meanwhile. */
	if (replay && replay->page_count < PAGES)
		replay->pages[replay->page_count++] = page;
	else
		free(page);
}

/* --- to the data thread --- */

static void flush(struct plugin *plugin)
{
	struct replays *replays = &plugin->durable.replays;
	while (replays->unsent) {
		struct data_replay_message *first = replays->unsent;
		struct data_replay_message *next = first->next;
		if (!data_thread_send(plugin->durable.thread, &first->message))
			return;
		replays->unsent = next;
	}
}

static void send_on(struct plugin *plugin, struct data_replay_message *message)
{
	struct replays *replays = &plugin->durable.replays;
	message->next = NULL;
	if (replays->unsent)
		replays->last_unsent->next = message;
	else
		replays->unsent = message;
	replays->last_unsent = message;
	flush(plugin);
}

/* False when out of memory. */
static bool tell(struct plugin *plugin, struct replay *replay)
{
	struct data_replay_progress *progress = calloc(1, sizeof *progress);
	if (!progress)
		return false;
	progress->head.message.kind = DATA_REPLAY_PROGRESS;
	memcpy(progress->name, replay->name, sizeof progress->name);
	progress->state = replay->ended ? replay->state : SLUICE_REPLAY_RUNNING;
	progress->position = replay->position;
	progress->done = replay->done;
	progress->matched = replay->matched;
	progress->pages = replay->used;
	replay->used = 0;
	replay->told = replay->position;
	replay->told_ms = clock_monotonic_ms();
	send_on(plugin, &progress->head);
	return true;
}

void replays_order(struct plugin *plugin, struct data_replay_order *order)
{
	struct durable *durable = &plugin->durable;
	struct replay **link = find(&durable->replays, order->name);
	durable_need(plugin);
	if (!durable->thread) {
		log_line(MOSQ_LOG_ERR,
		         "what was asked of replay %s is not done: there is no thread "
		         "for the durable state",
		         order->name);
		free(order);
		return;
	}
	if (*link && (order->order == REPLAY_PAUSE || order->order == REPLAY_CANCEL)) {
		tell(plugin, *link);
		drop(link);
	}
	durable->replays.orders++;
	send_on(plugin, &order->head);
}

/* --- routing --- */

/* Whether the event is to be routed now. The first sets the clock; a clock that was set back then
 * brings what follows at once. */
static bool is_due(struct replay *replay, const struct sluice_record *record, int64_t now_ms)
{
	if (replay->speed_milli == 0)
		return true;
	if (!replay->began) {
		replay->began = true;
		replay->base_ms = record->time_ms;
		replay->began_ms = now_ms;
	}
	/* In doubles: neither a century nor a crawl overflows them. */
	double wait_ms =
	        (double)(record->time_ms - replay->base_ms) * 1000 / (double)replay->speed_milli;
	replay->due_ms = wait_ms < 1e15 ? replay->began_ms + (int64_t)wait_ms : INT64_MAX;
	return replay->due_ms <= now_ms;
}

static enum route_replay_result route(struct plugin *plugin, struct replay *replay,
                                      struct bus_record *bus, const struct sluice_record *record)
{
	struct durable *durable = &plugin->durable;
	struct sluice_buffer *topic = &durable->replay_topic;
	sluice_buffer_reset(topic);
	sluice_buffer_append_str(topic, record->topic);
	sluice_buffer_append(topic, "", 1);
	if (topic->failed || !archived_read(&durable->archived, record))
		return REPLAY_LATER;
	const struct replayed replayed = { .name = sluice_str(replay->name),
		                           .event = &durable->archived.event,
		                           .topic = topic->data,
		                           .id = record->event_id,
		                           .time_ms = record->time_ms,
		                           .bus = bus,
		                           .rules = replay->rules,
		                           .entry = replay->rule ? &replay->entry : NULL };
	return route_replay(plugin, &replayed);
}

static void page_used(struct replay *replay)
{
	if (replay->pages[0]->complete) {
		replay->ended = true;
		replay->state = SLUICE_REPLAY_DONE;
	}
	free(replay->pages[0]);
	replay->page_count--;
	memmove(&replay->pages[0], &replay->pages[1],
	        replay->page_count * sizeof(struct data_rows *));
	replay->used++;
}

/* The next event. False when there is nothing more to do now. */
static bool step(struct plugin *plugin, struct replay *replay)
{
	struct sluice_record record;
	if (replay->ended || replay->page_count == 0)
		return false;
	struct bus_record *bus = ruleset_bus(&plugin->ruleset, sluice_str(replay->bus));
	if (!bus) {
		log_line(MOSQ_LOG_ERR, "replay %s is cancelled: there is no bus %s any more",
		         replay->name, replay->bus);
		replay->ended = true;
		replay->state = SLUICE_REPLAY_CANCELLED;
		return false;
	}
	struct data_rows *page = replay->pages[0];
	size_t before = page->next;
	if (before == page->len ||
	    sluice_record_read(page->records, page->len, &page->next, &record, NULL) != SLUICE_OK) {
		page_used(replay);
		return true;
	}
	enum route_replay_result result = REPLAY_LATER;
	if (is_due(replay, &record, clock_monotonic_ms()))
		result = route(plugin, replay, bus, &record);
	if (result == REPLAY_LATER) {
		page->next = before;
		return false;
	}
	replay->position = record.id;
	replay->done++;
	replay->matched += result == REPLAY_MATCHED;
	return true;
}

void replays_tick(struct plugin *plugin)
{
	struct replays *replays = &plugin->durable.replays;
	int64_t now_ns = clock_monotonic_ns();
	int64_t budget_ns = (now_ns - replays->last_tick_ns) / 4;
	replays->last_tick_ns = now_ns;
	if (budget_ns < TICK_MIN_NS)
		budget_ns = TICK_MIN_NS;
	if (budget_ns > TICK_MAX_NS)
		budget_ns = TICK_MAX_NS;
	flush(plugin);
	/* In turns, so that one that goes slowly has its events in time beside one that does not wait. */
	bool any = replays->first != NULL;
	while (any && clock_monotonic_ns() - now_ns < budget_ns) {
		any = false;
		for (struct replay *replay = replays->first; replay; replay = replay->next)
			any |= step(plugin, replay);
	}
	for (struct replay **link = &replays->first; *link;) {
		struct replay *replay = *link;
		bool tell_now = replay->ended || replay->used > 0 ||
		                (replay->position > replay->told &&
		                 clock_monotonic_ms() - replay->told_ms >= TOLD_MS);
		if (tell_now && tell(plugin, replay) && replay->ended)
			drop(link);
		else
			link = &replay->next;
	}
}

bool replays_pending(const struct plugin *plugin)
{
	const struct replays *replays = &plugin->durable.replays;
	const struct replay *replay = replays->first;
	if (replays->unsent)
		return true;
	for (; replay; replay = replay->next) {
		if (replay->page_count == 0 || replay->ended ||
		    replay->due_ms <= clock_monotonic_ms() + SOON_MS)
			return true;
	}
	return false;
}

bool replays_settled(const struct plugin *plugin)
{
	const struct durable *durable = &plugin->durable;
	return counter_get(&durable->numbers.replay_orders) == durable->replays.orders;
}

void replays_finish(struct plugin *plugin)
{
	struct durable *durable = &plugin->durable;
	struct replays *replays = &durable->replays;
	for (; replays->first; drop(&replays->first)) {
		if (durable->thread)
			tell(plugin, replays->first);
	}
	while (replays->unsent) {
		struct data_replay_message *next = replays->unsent->next;
		free(replays->unsent);
		replays->unsent = next;
	}
	archived_finish(&durable->archived);
	sluice_buffer_finish(&durable->replay_topic);
}
