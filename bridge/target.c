/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "target.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "settle.h"

enum {
	TICK_MS = 1000,
	BUSY_TICK_MS = 250, /* while it holds something: a lease may be as short as a second */
	CREDIT_LEASE_S = 60,
	CREDIT_AGAIN_MS = 20000, /* well before the lease is over */
	NO_QUEUE_AGAIN_MS = 5000,
	SAY_AGAIN = 8,
	OPEN_AGAIN_MS = 30000,
};

/* What went to the outlet in one call. */
struct sending {
	size_t left; /* that are not ended */
};

static void pump(struct target *target);
static void on_timer(uv_timer_t *timer);

static int64_t now_ms(const struct target *target)
{
	return (int64_t)uv_now(&target->bridge->loop);
}

const char *target_name(const struct target *target)
{
	return target->name;
}

struct sluice_str target_queue(const struct target *target)
{
	return target->definition->queue;
}

static void note_error(struct target *target, const char *text)
{
	snprintf(target->last_error, sizeof target->last_error, "%s", text);
	target->last_error_ms = bridge_real_ms();
}

/* --- credit --- */

static int64_t wanted_credit(struct target *target)
{
	const struct sluice_bridge_delivery *delivery = &target->definition->delivery;
	if (target->closing || !target->outlet || !target->definition->enabled)
		return 0;
	switch (breaker_look(&target->breaker, now_ms(target))) {
	case BREAKER_OPEN:
		return 0;
	case BREAKER_HALF_OPEN:
		return 1;
	case BREAKER_CLOSED:
		break;
	}
	int64_t credit = delivery->concurrency * delivery->batch_events;
	return credit < 10000 ? credit : 10000;
}

static void on_ready(void *arg, int reason)
{
	struct target *target = arg;
	bool refused = reason >= LINK_REFUSED;
	if (refused && !target->no_queue) {
		char text[128];
		snprintf(text, sizeof text,
		         "there is no queue %s, or the broker lets the bridge not use it",
		         target->queue);
		log_line(LOG_WARNING, "target %s: %s", target_name(target), text);
		note_error(target, text);
	} else if (!refused && target->no_queue) {
		log_line(LOG_NOTICE, "target %s: its queue is there", target_name(target));
	}
	target->no_queue = refused;
}

/* Says how many it wants, when that changed or must be said again. */
static void say_credit(struct target *target)
{
	char topic[128], payload[64];
	int64_t credit = wanted_credit(target), passed = now_ms(target) - target->said_ms;
	if (!link_is_connected(target->bridge->link))
		return;
	int64_t again_ms = target->say_again > 0 ? BUSY_TICK_MS
	                   : target->no_queue    ? NO_QUEUE_AGAIN_MS
	                                         : CREDIT_AGAIN_MS;
	if (credit == target->credit && (credit == 0 || passed < again_ms))
		return;
	if (target->no_queue && passed < again_ms)
		return;
	snprintf(topic, sizeof topic, "queues/%s/ready", target->queue);
	snprintf(payload, sizeof payload, "{\"credit\":%" PRId64 ",\"lease_s\":%d}", credit,
	         CREDIT_LEASE_S);
	if (!link_publish(target->bridge->link, topic, sluice_str(payload), false, NULL, on_ready,
	                  target))
		return;
	target->credit = credit;
	target->said_ms = now_ms(target);
	target->say_again -= target->say_again > 0;
}

void target_queue_changed(struct target *target)
{
	target->say_again = SAY_AGAIN;
}

void target_connected(struct target *target, bool is)
{
	(void)is;
	/* With the connection ended all credit. */
	target->credit = -1;
	target->no_queue = false;
	say_credit(target);
}

/* --- what it holds --- */

static void hold(struct target *target, struct delivery *delivery)
{
	delivery->all_next = target->all;
	if (target->all)
		target->all->all_previous = delivery;
	target->all = delivery;
	target->held++;
}

static void drop(struct target *target, struct delivery *delivery)
{
	if (delivery->all_next)
		delivery->all_next->all_previous = delivery->all_previous;
	if (delivery->all_previous)
		delivery->all_previous->all_next = delivery->all_next;
	else
		target->all = delivery->all_next;
	target->held--;
	delivery_destroy(delivery);
}

static void wait_for_outlet(struct target *target, struct delivery *delivery)
{
	delivery->next = NULL;
	*target->last = delivery;
	target->last = &delivery->next;
	target->waiting++;
	target->waiting_bytes += delivery->event.payload.len;
}

static struct delivery *take_waiting(struct target *target)
{
	struct delivery *delivery = target->first;
	target->first = delivery->next;
	if (!target->first)
		target->last = &target->first;
	delivery->next = NULL;
	target->waiting--;
	target->waiting_bytes -= delivery->event.payload.len;
	return delivery;
}

void target_message(struct target *target, const struct link_message *message,
                    struct sluice_str receipt)
{
	struct delivery *delivery = delivery_create(target, message, receipt, now_ms(target));
	if (!delivery)
		return; /* its lease runs out */
	delivery->vars.target = target->definition->name;
	delivery->extend_at_ms = delivery->came_ms + delivery->lease_ms / 2;
	hold(target, delivery);
	if (target->held == 1 && uv_timer_get_due_in(&target->timer) > BUSY_TICK_MS)
		uv_timer_start(&target->timer, on_timer, BUSY_TICK_MS, 0);
	if (target->closing || !target->outlet) {
		delivery_done(delivery, OUTCOME_LET_GO, DELIVERY_NO_HINT, " ");
		return;
	}
	if (target->enricher) {
		delivery->under_way = true;
		target->enricher_kind->send(target->enricher, delivery);
		return;
	}
	wait_for_outlet(target, delivery);
	pump(target);
}

void enriched(struct delivery *delivery, char *response, size_t len)
{
	struct target *target = delivery->target;
	struct sluice_error error;
	delivery->under_way = false;
	if (settle_enrich(delivery, target->definition->enrichment.into, response, len, &error) !=
	    SLUICE_OK) {
		delivery_done(delivery, OUTCOME_PERMANENT, DELIVERY_NO_HINT, "enrichment: %s",
		              error.message);
		return;
	}
	wait_for_outlet(target, delivery);
	pump(target);
}

/* --- sending --- */

/* How many go in the next call; 0 = none yet. *wait_ms gets when to look again, 0 = something will
 * happen before. */
static size_t next_batch(struct target *target, int64_t *wait_ms)
{
	const struct sluice_bridge_delivery *settings = &target->definition->delivery;
	int64_t now = now_ms(target);
	*wait_ms = 0;
	if (target->waiting == 0)
		return 0;
	enum breaker_state state = breaker_look(&target->breaker, now);
	size_t concurrency = state == BREAKER_HALF_OPEN ? 1 : (size_t)settings->concurrency;
	if (state == BREAKER_OPEN || target->under_way >= concurrency)
		return 0;
	size_t most = (size_t)settings->batch_events;
	int64_t tokens = bucket_tokens(&target->bucket, now);
	if (tokens <= 0) {
		*wait_ms = bucket_wait_ms(&target->bucket);
		return 0;
	}
	int64_t age_ms = now - target->first->came_ms;
	bool full =
	        target->waiting >= most || target->waiting_bytes >= (size_t)settings->batch_bytes;
	if (most > 1 && !full && age_ms < settings->batch_wait_ms) {
		*wait_ms = settings->batch_wait_ms - age_ms;
		return 0;
	}
	if ((int64_t)most > tokens)
		most = (size_t)tokens;
	size_t count = 0, bytes = 0;
	for (const struct delivery *at = target->first; at && count < most; at = at->next) {
		bytes += at->event.payload.len;
		if (count > 0 && bytes > (size_t)settings->batch_bytes)
			break;
		count++;
	}
	return count;
}

static void send_batch(struct target *target, size_t count)
{
	struct delivery *batch[1000];
	struct sending *sending = malloc(sizeof *sending);
	for (size_t i = 0; i < count; i++) {
		batch[i] = take_waiting(target);
		batch[i]->sending = sending;
		batch[i]->under_way = true;
	}
	if (!sending) {
		for (size_t i = 0; i < count; i++)
			delivery_done(batch[i], OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
		return;
	}
	sending->left = count;
	target->under_way++;
	bucket_take(&target->bucket, (int64_t)count);
	target->kind->send(target->outlet, batch, count);
}

/* Sends what may go now. Outlets end deliveries from within their send: then it goes on here. */
static void pump(struct target *target)
{
	size_t count;
	int64_t wait_ms = 0;
	if (target->pumping || target->closing || !target->outlet)
		return;
	target->pumping = true;
	while (target->outlet && !target->closing && (count = next_batch(target, &wait_ms)) > 0)
		send_batch(target, count);
	target->pumping = false;
	if (target->closing)
		return;
	say_credit(target);
	uint64_t left = uv_timer_get_due_in(&target->timer);
	if (wait_ms > 0 && (uint64_t)wait_ms < left)
		uv_timer_start(&target->timer, on_timer, (uint64_t)wait_ms, 0);
}

/* --- endings --- */

static void count_ending(struct target *target, enum settle_verb verb)
{
	struct target_numbers *numbers = &target->numbers;
	numbers->delivered += verb == SETTLE_ACK;
	numbers->failed += verb == SETTLE_LATER || verb == SETTLE_DEAD;
	numbers->retried += verb == SETTLE_LATER;
	numbers->dead += verb == SETTLE_DEAD;
}

/* Whether the target itself is in trouble, or well, is the breaker's business; what is wrong with an
 * event is not. */
static void note_health(struct target *target, enum outcome outcome)
{
	if (outcome != OUTCOME_DONE && outcome != OUTCOME_RETRY)
		return;
	if (!breaker_note(&target->breaker, outcome == OUTCOME_DONE, now_ms(target)))
		return;
	if (target->breaker.state == BREAKER_OPEN)
		log_line(LOG_WARNING, "target %s: nothing goes for %" PRId64 " ms: %s",
		         target_name(target), target->breaker.pause_ms, target->last_error);
	else
		log_line(LOG_NOTICE, "target %s: goes again", target_name(target));
}

/* While nothing goes, what waits is better with the queue. */
static void give_back_waiting(struct target *target)
{
	int64_t pause_ms = target->breaker.until_ms - now_ms(target);
	while (target->waiting > 0)
		delivery_done(take_waiting(target), OUTCOME_LET_GO, pause_ms > 0 ? pause_ms : 0,
		              " ");
}

void delivery_done(struct delivery *delivery, enum outcome outcome, int64_t hint_ms,
                   const char *format, ...)
{
	struct target *target = delivery->target;
	struct settlement settlement;
	char reason[TARGET_ERROR_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	settle_decide(delivery, outcome, hint_ms, reason, &target->definition->delivery,
	              bridge_real_ms(), bridge_random(), &settlement);
	settle_tell(target->bridge->link, target->definition->queue, delivery->receipt,
	            &settlement);
	count_ending(target, settlement.verb);
	if (outcome == OUTCOME_RETRY || outcome == OUTCOME_PERMANENT)
		note_error(target, reason);
	if (settlement.verb == SETTLE_DEAD)
		log_line(LOG_WARNING,
		         "target %s: event %.*s is a dead letter after %u attempts: %s",
		         target_name(target), (int)delivery->vars.id.len,
		         delivery->vars.id.len ? delivery->vars.id.data : "", delivery->attempt,
		         settlement.reason);
	else
		log_line(LOG_DEBUG, "target %s: event %.*s, attempt %u: %s", target_name(target),
		         (int)delivery->vars.id.len,
		         delivery->vars.id.len ? delivery->vars.id.data : "", delivery->attempt,
		         settlement.verb == SETTLE_ACK ? "delivered" : settlement.reason);
	struct sending *sending = delivery->sending;
	drop(target, delivery);
	if (sending && --sending->left == 0) {
		free(sending);
		target->under_way--;
	}
	note_health(target, outcome);
	if (outcome != OUTCOME_LET_GO && target->breaker.state == BREAKER_OPEN)
		give_back_waiting(target);
	pump(target);
}

/* --- time --- */

static void extend(struct target *target, struct delivery *delivery, int64_t now)
{
	settle_extend(target->bridge->link, target->definition->queue, delivery->receipt,
	              delivery->lease_ms);
	delivery->extend_at_ms = now + delivery->lease_ms / 2;
}

static void open_outlet(struct target *target)
{
	const struct sluice_bridge_target *definition = target->definition;
	struct bridge *bridge = target->bridge;
	struct outlet_context context = { &bridge->loop,       bridge,
		                          bridge->curl,        target,
		                          definition->kind,    definition->settings,
		                          target->credentials, &definition->delivery };
	struct sluice_error error = { 0 };
	target->open_again_ms = now_ms(target) + OPEN_AGAIN_MS;
	if (definition->enrichment.kind && !target->enricher) {
		struct outlet_context step = context;
		step.kind = definition->enrichment.kind;
		step.settings = definition->enrichment.settings;
		step.credentials = target->enrichment_credentials;
		target->enricher = target->enricher_kind->open(&step, &error);
		if (!target->enricher) {
			target_fault(target, error.message);
			return;
		}
	}
	target->outlet = target->kind->open(&context, &error);
	if (!target->outlet)
		target_fault(target, error.message);
}

void target_fault(struct target *target, const char *message)
{
	if (strncmp(target->last_error, message, sizeof target->last_error - 1) != 0 ||
	    target->last_error_ms == 0)
		log_line(LOG_ERROR, "target %s: %s", target_name(target), message);
	note_error(target, message);
}

static void on_timer(uv_timer_t *timer)
{
	struct target *target = timer->data;
	int64_t now = now_ms(target);
	bool busy = target->held > 0 || target->say_again > 0;
	uv_timer_start(timer, on_timer, busy ? BUSY_TICK_MS : TICK_MS, 0);
	if (!target->outlet && target->may_open && now >= target->open_again_ms)
		open_outlet(target);
	for (struct delivery *at = target->all; at; at = at->all_next) {
		if (now >= at->extend_at_ms)
			extend(target, at, now);
	}
	pump(target);
	say_credit(target);
}

/* --- life --- */

struct target *target_create(struct bridge *bridge, struct sluice_bridge_target *definition,
                             struct credentials *credentials,
                             struct credentials *enrichment_credentials)
{
	struct target *target = calloc(1, sizeof *target);
	if (!target) {
		sluice_bridge_target_destroy(definition);
		credentials_destroy(credentials);
		credentials_destroy(enrichment_credentials);
		return NULL;
	}
	target->bridge = bridge;
	target->definition = definition;
	target->credentials = credentials;
	target->enrichment_credentials = enrichment_credentials;
	snprintf(target->name, sizeof target->name, "%.*s", (int)definition->name.len,
	         definition->name.data);
	snprintf(target->queue, sizeof target->queue, "%.*s", (int)definition->queue.len,
	         definition->queue.data);
	target->last = &target->first;
	target->credit = -1;
	target->kind = outlet_kind_find(sluice_str(definition->kind->name));
	if (definition->enrichment.kind)
		target->enricher_kind =
		        enricher_kind_find(sluice_str(definition->enrichment.kind->name));
	const struct sluice_bridge_delivery *settings = &definition->delivery;
	uv_update_time(&bridge->loop);
	bucket_init(&target->bucket, settings->rate, settings->burst, now_ms(target));
	target->breaker = (struct breaker){ .failures_max = settings->breaker_failures,
		                            .pause_ms = settings->breaker_pause_ms };
	uv_timer_init(&bridge->loop, &target->timer);
	target->timer.data = target;
	uv_timer_start(&target->timer, on_timer, TICK_MS, 0);
	target->next = bridge->targets;
	bridge->targets = target;
	return target;
}

static bool runs_commands(const struct target *target)
{
	return (target->kind && strcmp(target->kind->name, "exec") == 0) ||
	       (target->enricher_kind && strcmp(target->enricher_kind->name, "exec") == 0);
}

void target_begin(struct target *target)
{
	target->say_again = SAY_AGAIN; /* its queue may be as new, and the plugin not have it yet */
	if (!target->kind || (target->definition->enrichment.kind && !target->enricher_kind))
		target_fault(target, "this build of the bridge knows no such kind");
	else if (target->bridge->options->no_exec && runs_commands(target))
		target_fault(target, "this bridge runs no commands (--no-exec)");
	else if (target->definition->enabled)
		target->may_open = true;
	if (target->may_open)
		open_outlet(target);
	say_credit(target);
}

static void on_closed(uv_handle_t *handle)
{
	struct target *target = handle->data;
	sluice_bridge_target_destroy(target->definition);
	credentials_destroy(target->credentials);
	credentials_destroy(target->enrichment_credentials);
	free(target);
}

void target_close(struct target *target)
{
	struct target **at = &target->bridge->targets;
	target->closing = true;
	say_credit(target);
	link_forget(target->bridge->link, target);
	if (target->outlet)
		target->kind->close(target->outlet);
	if (target->enricher)
		target->enricher_kind->close(target->enricher);
	target->outlet = NULL;
	target->enricher = NULL;
	while (target->waiting > 0)
		delivery_done(take_waiting(target), OUTCOME_LET_GO, 0, " ");
	while (*at != target)
		at = &(*at)->next;
	*at = target->next;
	uv_close((uv_handle_t *)&target->timer, on_closed);
}
