/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * broker_alone: the plugin under a broker that does nothing, to see what of a publish is its own: a
 * real broker's system calls are ten times that, and their noise hides it.
 *
 *	broker_alone PLUGIN DB TOPIC PAYLOAD PROPERTIES
 *
 * Publishes the file PAYLOAD to TOPIC with so many user properties, and ticks after each publish,
 * as Mosquitto 2.0 does under load. Prints nanoseconds, each the lower quartile of its slices:
 * `publish_ns` and `tick_ns`, called again and again; `turn_ns`, the system calls that Mosquitto
 * makes to take in a message; `among_ns`, what a turn takes longer with a publish and a tick in it.
 * That is more than their sum: a system call leaves the caches and the TLB cold, and on some
 * machines empty.
 */
#include <dlfcn.h>
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <mqtt_protocol.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	SLICES = 300,
	SLICE = 1000,
	TURNS = 50, /* of a slice, where the messages must fit into a socket first */
	MESSAGE_BYTES = 220,
	EVENTS = 16,
	PAYLOAD_MAX = 65536,
};

static MOSQ_FUNC_generic_callback callbacks[EVENTS];
static void *userdata_of[EVENTS];
static uint64_t deliveries;

/* --- what a broker gives its plugins --- */

int mosquitto_callback_register(mosquitto_plugin_id_t *identifier, int event,
                                MOSQ_FUNC_generic_callback function, const void *event_data,
                                void *userdata)
{
	(void)identifier;
	(void)event_data;
	if (event < EVENTS) {
		callbacks[event] = function;
		userdata_of[event] = userdata;
	}
	return MOSQ_ERR_SUCCESS;
}

int mosquitto_callback_unregister(mosquitto_plugin_id_t *identifier, int event,
                                  MOSQ_FUNC_generic_callback function, const void *event_data)
{
	(void)identifier;
	(void)event;
	(void)function;
	(void)event_data;
	return MOSQ_ERR_SUCCESS;
}

void mosquitto_log_printf(int level, const char *format, ...)
{
	va_list args;
	if (level != MOSQ_LOG_ERR && level != MOSQ_LOG_WARNING)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

const char *mosquitto_client_id(const struct mosquitto *client)
{
	(void)client;
	return "bench-producer";
}

const char *mosquitto_client_username(const struct mosquitto *client)
{
	(void)client;
	return NULL;
}

const char *mosquitto_client_address(const struct mosquitto *client)
{
	(void)client;
	return "127.0.0.1";
}

int mosquitto_client_protocol(const struct mosquitto *client)
{
	(void)client;
	return mp_mqtt;
}

int mosquitto_client_protocol_version(const struct mosquitto *client)
{
	(void)client;
	return 4;
}

bool mosquitto_client_clean_session(const struct mosquitto *client)
{
	(void)client;
	return true;
}

void *mosquitto_client_certificate(const struct mosquitto *client)
{
	(void)client;
	return NULL;
}

void *mosquitto_malloc(size_t size)
{
	return malloc(size);
}

void mosquitto_free(void *memory)
{
	free(memory);
}

char *mosquitto_strdup(const char *text)
{
	return strdup(text);
}

int mosquitto_broker_publish(const char *client_id, const char *topic, int payloadlen,
                             void *payload, int qos, bool retain, mosquitto_property *properties)
{
	(void)client_id;
	(void)topic;
	(void)payloadlen;
	(void)qos;
	(void)retain;
	deliveries++;
	free(payload);
	mosquitto_property_free_all(&properties);
	return MOSQ_ERR_SUCCESS;
}

int mosquitto_broker_publish_copy(const char *client_id, const char *topic, int payloadlen,
                                  const void *payload, int qos, bool retain,
                                  mosquitto_property *properties)
{
	(void)client_id;
	(void)topic;
	(void)payloadlen;
	(void)payload;
	(void)qos;
	(void)retain;
	mosquitto_property_free_all(&properties);
	return MOSQ_ERR_SUCCESS;
}

/* --- what it does with them --- */

static struct {
	char topic[512]; /* what is published to; a callback may write over the message's */
	char payload[PAYLOAD_MAX];
	size_t payload_len;
	mosquitto_property *properties;
	int sockets[2], epoll;
} bench;

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "broker_alone: %s: %s\n", what, why ? why : "failed");
	exit(2);
}

static void publish(void)
{
	char topic[sizeof bench.topic];
	memcpy(topic, bench.topic, sizeof topic);
	struct mosquitto_evt_message message = {
		.topic = topic,
		.payload = bench.payload,
		.payloadlen = (uint32_t)bench.payload_len,
		.properties = bench.properties,
	};
	callbacks[MOSQ_EVT_MESSAGE](MOSQ_EVT_MESSAGE, &message, userdata_of[MOSQ_EVT_MESSAGE]);
}

static void tick(void)
{
	struct mosquitto_evt_tick event = { 0 };
	if (callbacks[MOSQ_EVT_TICK])
		callbacks[MOSQ_EVT_TICK](MOSQ_EVT_TICK, &event, userdata_of[MOSQ_EVT_TICK]);
}

static void read_all(size_t len)
{
	char bytes[MESSAGE_BYTES];
	if (read(bench.sockets[1], bytes, len) != (ssize_t)len)
		die("read", NULL);
}

/* Mosquitto reads a packet's first byte, its length byte by byte, and then the rest. */
static void take_in(bool publishes)
{
	struct epoll_event events[1];
	sigset_t block, before;
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_SETMASK, &block, &before);
	epoll_wait(bench.epoll, events, 1, 100);
	sigprocmask(SIG_SETMASK, &before, NULL);
	read_all(1);
	read_all(1);
	read_all(1);
	read_all(MESSAGE_BYTES - 3);
	if (publishes) {
		publish();
		tick();
	}
}

static double time_turns(bool publishes)
{
	static const char message[MESSAGE_BYTES];
	for (int i = 0; i < TURNS; i++)
		if (write(bench.sockets[0], message, sizeof message) != sizeof message)
			die("write", NULL);
	int64_t start_ns = now_ns();
	for (int i = 0; i < TURNS; i++)
		take_in(publishes);
	return (double)(now_ns() - start_ns) / TURNS;
}

static double time_calls(void (*call)(void))
{
	int64_t start_ns = now_ns();
	for (int i = 0; i < SLICE; i++)
		call();
	return (double)(now_ns() - start_ns) / SLICE;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static double quartile(double times[SLICES])
{
	qsort(times, SLICES, sizeof *times, compare);
	return times[SLICES / 4];
}

static void measure(void)
{
	static double publishes[SLICES], ticks[SLICES], turns[SLICES], full_turns[SLICES];
	for (int i = 0; i < SLICES; i++) {
		publishes[i] = time_calls(publish);
		ticks[i] = time_calls(tick);
		turns[i] = time_turns(false);
		full_turns[i] = time_turns(true);
	}
	double turn_ns = quartile(turns);
	printf("{\"publish_ns\":%.1f,\"tick_ns\":%.1f,\"turn_ns\":%.1f,\"among_ns\":%.1f,"
	       "\"deliveries\":%.2f}\n",
	       quartile(publishes), quartile(ticks), turn_ns, quartile(full_turns) - turn_ns,
	       (double)deliveries / (SLICES * (SLICE + TURNS)));
}

static void prepare(char **arguments)
{
	FILE *file = fopen(arguments[4], "rb");
	if (!file)
		die(arguments[4], "can't be opened");
	bench.payload_len = fread(bench.payload, 1, sizeof bench.payload, file);
	fclose(file);
	snprintf(bench.topic, sizeof bench.topic, "%s", arguments[3]);
	for (int i = atoi(arguments[5]); i > 0; i--)
		if (mosquitto_property_add_string_pair(
		            &bench.properties, MQTT_PROP_USER_PROPERTY, "trace",
		            "4bf92f3577b34da6a3ce929d0e0e4736") != MOSQ_ERR_SUCCESS)
			die("properties", NULL);
	bench.epoll = epoll_create1(0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, bench.sockets) != 0 ||
	    epoll_ctl(bench.epoll, EPOLL_CTL_ADD, bench.sockets[1],
	              &(struct epoll_event){ .events = EPOLLIN }) != 0)
		die("sockets", NULL);
}

/* ISO C has no cast from an object's address to a function's. */
static void find(void *library, const char *name, void *function)
{
	void *address = dlsym(library, name);
	if (!address)
		die(name, dlerror());
	memcpy(function, &address, sizeof address);
}

int main(int argc, char **argv)
{
	int (*init)(mosquitto_plugin_id_t *, void **, struct mosquitto_opt *, int);
	int (*cleanup)(void *, struct mosquitto_opt *, int);
	if (argc != 6) {
		fprintf(stderr, "usage: broker_alone PLUGIN DB TOPIC PAYLOAD PROPERTIES\n");
		return 2;
	}
	void *library = dlopen(argv[1], RTLD_NOW);
	if (!library)
		die("dlopen", dlerror());
	find(library, "mosquitto_plugin_init", &init);
	find(library, "mosquitto_plugin_cleanup", &cleanup);
	struct mosquitto_opt option = { (char[]){ "db_file" }, argv[2] };
	void *userdata = NULL;
	/* What identifies the plugin is only handed back to us. */
	if (init((mosquitto_plugin_id_t *)&bench, &userdata, &option, 1) != MOSQ_ERR_SUCCESS ||
	    !callbacks[MOSQ_EVT_MESSAGE])
		die(argv[1], "does not start");
	prepare(argv);
	measure();
	mosquitto_property_free_all(&bench.properties);
	return cleanup(userdata, &option, 1) == MOSQ_ERR_SUCCESS ? 0 : 1;
}
