/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "bridge.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "definitions.h"
#include "log.h"
#include "report.h"
#include "run.h"
#include "source.h"
#include "target.h"

enum { STORE_AGAIN_MS = 1000, CLOSE_WAIT_MS = 3000, MAX_SIGNALS = 2 };

struct running {
	struct bridge bridge;
	uv_signal_t signals[MAX_SIGNALS];
	uv_timer_t store_timer; /* until the store can be opened */
	bool said_store;
};

int64_t bridge_real_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t bridge_random(void)
{
	uint64_t random;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
		random = (uint64_t)bridge_real_ms() * UINT64_C(0x9e3779b97f4a7c15);
	return random;
}

bool bridge_publish(struct bridge *bridge, const char *topic, struct sluice_str payload,
                    const mosquitto_property *properties, link_done_fn done, void *arg)
{
	return link_publish(bridge->link, topic, payload, false, properties, done, arg);
}

void bridge_forget(struct bridge *bridge, const void *arg)
{
	link_forget(bridge->link, arg);
}

/* --- what the broker sends --- */

/* The queue and the receipt of "queues/<queue>/out/<receipt>". */
static bool read_topic(const char *topic, struct sluice_str *queue, struct sluice_str *receipt)
{
	static const char before[] = "queues/", between[] = "/out/";
	if (strncmp(topic, before, strlen(before)) != 0)
		return false;
	const char *name = topic + strlen(before), *out = strstr(name, between);
	if (!out)
		return false;
	*queue = (struct sluice_str){ name, (size_t)(out - name) };
	*receipt = sluice_str(out + strlen(between));
	return true;
}

static void on_message(void *arg, const struct link_message *message)
{
	struct bridge *bridge = arg;
	struct sluice_str queue, receipt;
	if (!read_topic(message->topic, &queue, &receipt)) {
		for (struct source *at = bridge->sources; at; at = at->next)
			source_message(at, message);
		return;
	}
	struct target *target = bridge->targets;
	while (target && !sluice_str_equal(target_queue(target), queue))
		target = target->next;
	/* Of a target that is gone: its lease runs out, and another bridge may have it. */
	if (target)
		target_message(target, message, receipt);
}

static void on_connected(void *arg, bool is)
{
	struct bridge *bridge = arg;
	for (struct target *at = bridge->targets; at; at = at->next)
		target_connected(at, is);
	for (struct source *at = bridge->sources; at; at = at->next)
		source_connected(at, is);
	report_soon(bridge->report);
}

/* --- life --- */

static void on_store_timer(uv_timer_t *timer)
{
	struct running *running = timer->data;
	struct bridge *bridge = &running->bridge;
	struct sluice_error error;
	bridge->definitions = definitions_open(bridge, bridge->options->store, &error);
	if (bridge->definitions) {
		uv_timer_stop(timer);
		return;
	}
	if (!running->said_store)
		log_line(LOG_ERROR, "the store can't be opened yet: %s", error.message);
	running->said_store = true;
}

static void on_link_closed(void *arg)
{
	struct bridge *bridge = arg;
	bridge->link = NULL;
}

/* Gives back what is leased, says so to the broker, and lets the loop run out. */
static void stop(struct running *running)
{
	struct bridge *bridge = &running->bridge;
	if (bridge->stopping)
		return;
	bridge->stopping = true;
	log_line(LOG_NOTICE, "stops");
	definitions_close(bridge->definitions);
	report_close(bridge->report);
	while (bridge->targets)
		target_close(bridge->targets);
	while (bridge->sources)
		source_close(bridge->sources);
	curl_loop_close(bridge->curl);
	link_close(bridge->link, CLOSE_WAIT_MS, on_link_closed, bridge);
	uv_close((uv_handle_t *)&running->store_timer, NULL);
	for (size_t i = 0; i < MAX_SIGNALS; i++)
		uv_close((uv_handle_t *)&running->signals[i], NULL);
}

static void on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	stop(signal->data);
}

static bool begin(struct running *running, struct sluice_error *error)
{
	static const int numbers[MAX_SIGNALS] = { SIGTERM, SIGINT };
	struct bridge *bridge = &running->bridge;
	const struct link_events events = { on_message, on_connected, bridge };
	for (size_t i = 0; i < MAX_SIGNALS; i++) {
		uv_signal_init(&bridge->loop, &running->signals[i]);
		running->signals[i].data = running;
		uv_signal_start(&running->signals[i], on_signal, numbers[i]);
	}
	uv_timer_init(&bridge->loop, &running->store_timer);
	running->store_timer.data = running;
	bridge->curl = curl_loop_create(&bridge->loop);
	bridge->report = report_create(bridge);
	bridge->link = link_create(&bridge->loop, &bridge->options->broker, &events, error);
	if (!bridge->link)
		return false;
	if (!bridge->curl || !bridge->report) {
		sluice_out_of_memory(error);
		return false;
	}
	uv_timer_start(&running->store_timer, on_store_timer, 0, STORE_AGAIN_MS);
	return true;
}

int bridge_run(const struct options *options)
{
	struct running running = { .bridge.options = options };
	struct sluice_error error;
	if (uv_loop_init(&running.bridge.loop) != 0) {
		fprintf(stderr, "sluice-bridge: no event loop\n");
		return 1;
	}
	if (!begin(&running, &error)) {
		fprintf(stderr, "sluice-bridge: %s\n", error.message);
		return 1;
	}
	uv_run(&running.bridge.loop, UV_RUN_DEFAULT);
	uv_loop_close(&running.bridge.loop);
	return 0;
}
