/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The plugin's life. A broker under per_listener_settings calls init once for each listener that
 * names the plugin, in one process: there is one instance, shared and counted.
 */
#include "plugin.h"

#include <stdlib.h>

#include "control.h"
#include "drain.h"
#include "store_thread.h"

enum {
	TO_STORE_MESSAGES = 1024,
	TO_BROKER_MESSAGES = 8192,
	TICK_BUSY_MS = 10,
	TICK_IDLE_MS = 100,
	/* What of the broker's time a drain may take: a quarter of what passed since the last. */
	DRAIN_MIN_NS = 1000000,
	DRAIN_MAX_NS = 25000000,
	NO_TICK_MS = 1000,      /* so long without a tick: drain at messages */
	NO_TICK_WARN_MS = 30000 /* so long: say it */
};

static struct plugin *shared;
static int instances;

/* --- callbacks --- */

/* Under per_listener_settings Mosquitto 2.0.11 never ticks; then messages move things on. */
static void without_tick(struct plugin *plugin, int64_t now_ns)
{
	int64_t now_ms = now_ns / 1000000;
	int64_t last_ms = plugin->last_tick_ms ? plugin->last_tick_ms : plugin->start_ms;
	if (now_ms - last_ms < NO_TICK_MS)
		return;
	drain(plugin, DRAIN_MIN_NS);
	drain_answer(plugin);
	taps_expire(plugin, now_ms);
	sys_tick(plugin, now_ms);
	durable_tick(plugin);
	if (!plugin->warned_of_no_tick && now_ms - last_ms >= NO_TICK_WARN_MS) {
		plugin->warned_of_no_tick = true;
		log_line(MOSQ_LOG_WARNING,
		         "this broker does not tick (per_listener_settings on Mosquitto 2.0.11): "
		         "changes of rules and answers wait for the next message of any client");
	}
}

static int on_message(int event, void *data, void *userdata)
{
	(void)event;
	struct plugin *plugin = userdata;
	int64_t start_ns = clock_monotonic_ns();
	without_tick(plugin, start_ns);
	int result = route_publish(plugin, data);
	histogram_record(&plugin->metrics.callback_ns, (uint64_t)(clock_monotonic_ns() - start_ns));
	return result;
}

static int on_control(int event, void *data, void *userdata)
{
	(void)event;
	struct plugin *plugin = userdata;
	without_tick(plugin, clock_monotonic_ns());
	control_take(plugin, data);
	return MOSQ_ERR_SUCCESS;
}

static int on_tick(int event, void *data, void *userdata)
{
	(void)event;
	struct plugin *plugin = userdata;
	/* Mosquitto 2.0 under load ticks at each publish. */
	int64_t now_ms = clock_coarse_monotonic_ms();
	int64_t budget_ns = (now_ms - plugin->last_tick_ms) * 1000000 / 4;
	if (budget_ns < DRAIN_MIN_NS)
		budget_ns = DRAIN_MIN_NS;
	if (budget_ns > DRAIN_MAX_NS)
		budget_ns = DRAIN_MAX_NS;
	plugin->last_tick_ms = now_ms;
	drain(plugin, budget_ns);
	drain_answer(plugin);
	taps_expire(plugin, now_ms);
	sys_tick(plugin, now_ms);
	durable_tick(plugin);
	bool busy = drain_pending(plugin) || durable_pending(plugin);
	broker_compat_next_tick(data, busy ? TICK_BUSY_MS : TICK_IDLE_MS);
	return MOSQ_ERR_SUCCESS;
}

static int on_disconnect(int event, void *data, void *userdata)
{
	(void)event;
	const struct mosquitto *client = ((struct mosquitto_evt_disconnect *)data)->client;
	askers_disconnected(userdata, client);
	durable_client_gone(userdata, client);
	subscribers_disconnected(userdata, client);
	return MOSQ_ERR_SUCCESS;
}

static int on_subscribe(int event, void *data, void *userdata)
{
	(void)event;
	const struct broker_evt_subscribe *subscribe = data;
	subscribers_subscribe(userdata, subscribe->client, subscribe->data.topic_filter);
	return MOSQ_ERR_SUCCESS;
}

static int on_unsubscribe(int event, void *data, void *userdata)
{
	(void)event;
	const struct broker_evt_subscribe *unsubscribe = data;
	subscribers_unsubscribe(userdata, unsubscribe->client, unsubscribe->data.topic_filter);
	return MOSQ_ERR_SUCCESS;
}

static int on_connect(int event, void *data, void *userdata)
{
	(void)event;
	const struct mosquitto *client = ((const struct broker_evt_connect *)data)->client;
	subscribers_connected(userdata, client, mosquitto_client_clean_session(client));
	return MOSQ_ERR_SUCCESS;
}

/* --- life --- */

static void plugin_destroy(struct plugin *plugin)
{
	if (!plugin)
		return;
	struct store_thread *store = plugin->store;
	if (store)
		store_thread_stop(store);
	if (plugin->to_broker.slots && plugin->to_store.slots)
		drain_all(plugin);
	fires_finish(plugin);
	durable_finish(plugin);
	taps_finish(plugin);
	askers_finish(plugin);
	store_thread_destroy(store, plugin->garbage);
	router_finish(&plugin->router);
	ruleset_finish(&plugin->ruleset);
	sys_finish(&plugin->sys);
	subscribers_finish(&plugin->subscribers);
	ring_finish(&plugin->to_store);
	ring_finish(&plugin->to_broker);
	broker_compat_finish(&plugin->compat);
	options_finish(&plugin->options);
	free(plugin);
}

/* Takes the options. NULL, with the reason in the log, when it can't start. */
static struct plugin *plugin_create(struct options *options)
{
	struct plugin *plugin = calloc(1, sizeof *plugin);
	if (!plugin) {
		options_finish(options);
		return NULL;
	}
	plugin->options = *options;
	*options = (struct options){ 0 };
	plugin->start_ms = clock_monotonic_ms();
	broker_compat_init(&plugin->compat);
	durable_init(plugin);
	if (!plugin->compat.reads_properties)
		log_line(MOSQ_LOG_WARNING,
		         "MQTT 5 properties are neither matched nor carried over: this "
		         "broker keeps them from plugins, and there is no "
		         "libmosquitto.so.1 of its version");
	struct sluice_error error = { .message = "out of memory" };
	if (!ring_init(&plugin->to_store, TO_STORE_MESSAGES) ||
	    !ring_init(&plugin->to_broker, TO_BROKER_MESSAGES) || !ruleset_init(&plugin->ruleset) ||
	    !router_init(&plugin->router) ||
	    store_thread_create(plugin, &plugin->store, &error) != SLUICE_OK ||
	    durable_start(plugin, &error) != SLUICE_OK) {
		log_line(MOSQ_LOG_ERR, "refusing to start: %s", error.message);
		plugin_destroy(plugin);
		return NULL;
	}
	if (!store_thread_start(plugin->store)) {
		log_line(MOSQ_LOG_ERR, "refusing to start: no thread for the store");
		plugin_destroy(plugin);
		return NULL;
	}
	log_line(MOSQ_LOG_INFO, "version %s, on Mosquitto %s, %llu rules on %llu buses from %s",
	         SLUICE_VERSION, broker_compat_version(&plugin->compat),
	         (unsigned long long)counter_get(&plugin->metrics.rules),
	         (unsigned long long)counter_get(&plugin->metrics.buses), plugin->options.db_file);
	return plugin;
}

static const struct {
	int event;
	MOSQ_FUNC_generic_callback function;
	const char *topic;
	bool of_2_1; /* only there */
} callbacks[] = {
	{ MOSQ_EVT_MESSAGE, on_message, NULL, false },
	{ MOSQ_EVT_CONTROL, on_control, CONTROL_TOPIC, false },
	{ MOSQ_EVT_CONTROL, on_control, CONTROL_VIEW_TOPIC, false },
	{ MOSQ_EVT_TICK, on_tick, NULL, false },
	{ MOSQ_EVT_DISCONNECT, on_disconnect, NULL, false },
	{ BROKER_EVT_CLIENT_OFFLINE, on_disconnect, NULL, true },
	{ BROKER_EVT_CONNECT, on_connect, NULL, true },
	{ BROKER_EVT_SUBSCRIBE, on_subscribe, NULL, true },
	{ BROKER_EVT_UNSUBSCRIBE, on_unsubscribe, NULL, true },
};

enum { CALLBACKS = sizeof callbacks / sizeof *callbacks };

static bool register_callbacks(mosquitto_plugin_id_t *identifier)
{
	for (size_t i = 0; i < CALLBACKS; i++) {
		if (callbacks[i].of_2_1 && !shared->compat.is_2_1)
			continue;
		int result = mosquitto_callback_register(identifier, callbacks[i].event,
		                                         callbacks[i].function, callbacks[i].topic,
		                                         shared);
		/* A second init on a broker that keeps one list for all listeners: it is there. */
		if (result != MOSQ_ERR_SUCCESS && result != MOSQ_ERR_ALREADY_EXISTS) {
			log_line(MOSQ_LOG_ERR,
			         "refusing to start: the broker does not take a callback "
			         "(event %d): %d",
			         callbacks[i].event, result);
			return false;
		}
	}
	return true;
}

/* The broker may call until the end, and this code is unloaded before that. */
static void unregister_callbacks(mosquitto_plugin_id_t *identifier)
{
	for (size_t i = 0; i < CALLBACKS; i++)
		mosquitto_callback_unregister(identifier, callbacks[i].event, callbacks[i].function,
		                              callbacks[i].topic);
}

static void release(void)
{
	if (--instances > 0)
		return;
	plugin_destroy(shared);
	shared = NULL;
}

/* The only functions that the module shows. */
#define EXPORT __attribute__((visibility("default")))

EXPORT int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
	for (int i = 0; i < supported_version_count; i++) {
		if (supported_versions[i] == MOSQ_PLUGIN_VERSION)
			return MOSQ_PLUGIN_VERSION;
	}
	return -1;
}

static bool read_options(struct options *options, const struct mosquitto_opt *lines, int count)
{
	struct option_line *copies = calloc((size_t)count + 1, sizeof *copies);
	struct sluice_error error = { .message = "out of memory" };
	bool done = false;
	for (int i = 0; copies && i < count; i++)
		copies[i] = (struct option_line){ lines[i].key, lines[i].value };
	if (copies)
		done = options_init(options, copies, (size_t)count, &error) == SLUICE_OK;
	free(copies);
	if (!done)
		log_line(MOSQ_LOG_ERR, "refusing to start: %s", error.message);
	return done;
}

EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                                 struct mosquitto_opt *lines, int count)
{
	struct options options;
	*userdata = identifier;
	if (!read_options(&options, lines, count))
		return MOSQ_ERR_INVAL;
	if (shared) {
		bool same = options_equal(&options, &shared->options);
		options_finish(&options);
		if (!same) {
			log_line(MOSQ_LOG_ERR,
			         "refusing to start: two listeners load the plugin with "
			         "different options, but one broker has one store");
			return MOSQ_ERR_INVAL;
		}
	} else {
		shared = plugin_create(&options);
		if (!shared)
			return MOSQ_ERR_UNKNOWN;
	}
	instances++;
	broker_compat_introduce(identifier);
	if (!register_callbacks(identifier)) {
		unregister_callbacks(identifier);
		release();
		return MOSQ_ERR_UNKNOWN;
	}
	return MOSQ_ERR_SUCCESS;
}

EXPORT int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *lines, int count)
{
	(void)lines;
	(void)count;
	if (userdata)
		unregister_callbacks(userdata);
	if (instances > 0)
		release();
	return MOSQ_ERR_SUCCESS;
}
