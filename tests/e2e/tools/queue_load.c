/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * queue_load: producers of numbered events and workers of queues, which outlive their broker, and hold
 * what arrives against what was acknowledged.
 *
 *   queue_load [OPTION…] PORT QUEUE:CREDIT[:o|:g]…
 *
 *   -e EVENTS   so many (0: until stdin ends)
 *   -a EVENTS   workers come once so many are acknowledged (0: at once)
 *   -p N -g N   producers, groups: event n is of producer n % N, of group n % N
 *   -w N        events in flight of a producer; not more than the broker lets be (20, where it is not told)
 *   -v MS       the queues' visibility timeout
 *   -h MS       a delivery is held up to so long before its ack
 *   -n PERCENT  of deliveries are given back instead
 *   -s SEED
 *
 * Each QUEUE:CREDIT is a worker; `o`: the queue keeps the order of each group, `g`: and has one of a
 * group out at a time. Publishes {"event":17,"group":1,…} to in/PRODUCER; rules take it from there.
 *
 * Connections that break are made anew at once, and what was not acknowledged is sent again: events by
 * the producers, acks and nacks by the workers. When all is over it prints one JSON object; see
 * `struct tally`. Exits with 0 when nothing is lost, and nothing came twice or out of turn that must not.
 *
 * One thread: what is sent before something else is also so in the tally.
 */
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 16,
	QUEUES_MAX = 4,
	GROUPS_MAX = 64,
	IDS = 65536,    /* packet ids of a connection */
	BACKLOG = 1000, /* acknowledged and not consumed: the producers wait */
	RETRY_MS = 20,
	GIVE_UP_MS = 60000,
	RECEIPT_MAX = 64,
};

/* A message of a queue, as it was seen: an event that was sent again enters as another one. */
struct copy {
	uint64_t id; /* hash of its sluice-id */
	int64_t delivered_ms;
	uint32_t attempts;
	bool acknowledged; /* within its lease, and the broker has said so */
	struct copy *next; /* of the event */
};

struct event {
	struct copy *copies[QUEUES_MAX];
	bool acknowledged, sent_again;
	bool done[QUEUES_MAX]; /* some copy was acknowledged */
};

struct group {
	long last; /* the last event that came, for the first time */
	const struct copy *out;
};

struct queue {
	char name[80];
	bool ordered, alone;
	struct group groups[GROUPS_MAX];
	long done;
};

/* A delivery that is held until it is acknowledged. */
struct delivery {
	struct queue *queue;
	long event;
	struct copy *copy;
	char receipt[RECEIPT_MAX];
	int64_t came_ms, due_ms;
	struct delivery *next;
};

enum kind { NOTHING, EVENT, ACK, OTHER };

struct flight {
	enum kind kind;
	long event;
	struct delivery *delivery; /* owned */
};

struct client {
	struct mosquitto *mosquitto;
	bool connected;
	int64_t retry_ms;
	long in_flight;
	struct flight *flights; /* by packet id */
	long next;              /* of a producer: its next event */
	struct queue *queue;    /* of a worker */
	int credit;
	struct delivery *held, *held_last;
};

static struct tally {
	long acknowledged; /* events */
	long refused;      /* events that the broker did not take, by its own word */
	long deliveries;
	long nacks;
	long reconnects;
	long again;  /* came again, with a higher sluice-attempt */
	long copies; /* events that are in a queue twice, since they were sent again */
	/* What must not be. */
	long lost;         /* acknowledged, and acknowledged by no worker */
	long unmarked;     /* came again, and sluice-attempt does not say so */
	long twice;        /* are in a queue twice, and were sent once */
	long undead;       /* came again after their ack was acknowledged */
	long out_of_order; /* within their group */
	long two_at_once;  /* of a group */
	long strange;      /* of no event that was sent */
} tally;

static struct {
	long events, away;
	int producers, groups, window, nack_percent;
	int64_t visibility_ms, hold_ms;
	int port;
} options = { .producers = 1, .groups = 1, .window = 20, .visibility_ms = 30000 };

static struct client clients[CLIENTS_MAX];
static int client_count;
static struct queue queues[QUEUES_MAX];
static int queue_count;
static struct event *events;
static long event_capacity;
static bool producing = true, working;
static int64_t moved_ms; /* something went on */
static uint64_t random_state;

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "queue_load: %s\n", what);
	exit(2);
}

static void *must(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % below;
}

static uint64_t hash(const char *text)
{
	uint64_t value = 14695981039346656037u;
	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 1099511628211u;
	return value;
}

static struct event *event_at(long number)
{
	if (number >= event_capacity) {
		long capacity = number * 2 + 1024;
		events = must(realloc(events, (size_t)capacity * sizeof *events));
		memset(events + event_capacity, 0,
		       (size_t)(capacity - event_capacity) * sizeof *events);
		event_capacity = capacity;
	}
	return &events[number];
}

/* --- sending --- */

/* What is in flight stays so over a lost connection: libmosquitto sends it again by itself, also what
 * it was given while there was none. */
static void send(struct client *client, const char *topic, const char *payload,
                 const struct flight *flight)
{
	int id;
	int code = mosquitto_publish(client->mosquitto, &id, topic, (int)strlen(payload), payload,
	                             1, false);
	if (code != MOSQ_ERR_SUCCESS && code != MOSQ_ERR_NO_CONN && code != MOSQ_ERR_CONN_LOST &&
	    code != MOSQ_ERR_ERRNO)
		die(mosquitto_strerror(code));
	client->flights[id] = *flight;
	client->in_flight++;
}

static void send_event(struct client *client)
{
	char topic[32], payload[320];
	long number = client->next;
	client->next += options.producers;
	event_at(number);
	snprintf(topic, sizeof topic, "in/%ld", number % options.producers);
	snprintf(payload, sizeof payload, "{\"event\":%ld,\"group\":%ld,\"pad\":\"%0150d\"}",
	         number, number % options.groups, 0);
	send(client, topic, payload, &(struct flight){ .kind = EVENT, .event = number });
}

static void settle(struct client *client, struct delivery *delivery)
{
	char topic[256];
	bool nack = (int)draw(100) < options.nack_percent;
	struct group *group = &delivery->queue->groups[delivery->event % options.groups];
	snprintf(topic, sizeof topic, "queues/%s/%s/%s", delivery->queue->name,
	         nack ? "nack" : "ack", delivery->receipt);
	if (nack) {
		tally.nacks++;
		free(delivery);
		send(client, topic, "", &(struct flight){ .kind = OTHER });
		return;
	}
	if (group->out == delivery->copy)
		group->out = NULL;
	send(client, topic, "", &(struct flight){ .kind = ACK, .delivery = delivery });
}

/* --- what comes --- */

static void lost_connection(struct client *client)
{
	if (!client->connected)
		return;
	client->connected = false;
	for (int i = 0; i < IDS; i++) {
		if (client->flights[i].kind == EVENT)
			events[client->flights[i].event].sent_again = true;
	}
}

static void on_disconnect(struct mosquitto *mosquitto, void *arg, int code)
{
	(void)mosquitto;
	(void)code;
	lost_connection(arg);
}

static void on_connect(struct mosquitto *mosquitto, void *arg, int code)
{
	struct client *client = arg;
	char topic[128], credit[16];
	(void)mosquitto;
	if (code != 0)
		return;
	client->connected = true;
	if (!client->queue)
		return;
	snprintf(topic, sizeof topic, "queues/%s/ready", client->queue->name);
	snprintf(credit, sizeof credit, "%d", client->credit);
	send(client, topic, credit, &(struct flight){ .kind = OTHER });
}

static void on_publish(struct mosquitto *mosquitto, void *arg, int id, int reason,
                       const mosquitto_property *properties)
{
	struct client *client = arg;
	(void)mosquitto;
	(void)properties;
	struct flight *flight = &client->flights[id];
	if (flight->kind == NOTHING)
		return;
	if (flight->kind == EVENT && reason >= 0x80) {
		tally.refused++;
	} else if (flight->kind == EVENT) {
		events[flight->event].acknowledged = true;
		if (tally.acknowledged++ == 0) {
			puts("moving");
			fflush(stdout);
		}
	} else if (flight->kind == ACK) {
		struct delivery *delivery = flight->delivery;
		struct event *event = &events[delivery->event];
		size_t queue = (size_t)(delivery->queue - queues);
		/* Later it may have been of a lease that ran out, which counts for nothing. */
		if (now_ms() - delivery->came_ms < options.visibility_ms * 8 / 10)
			delivery->copy->acknowledged = true;
		if (!event->done[queue])
			delivery->queue->done++;
		event->done[queue] = true;
		free(delivery);
	}
	*flight = (struct flight){ 0 };
	client->in_flight--;
	moved_ms = now_ms();
}

/* It is the first that is seen of the message. */
static void first_time(struct queue *queue, long number, struct copy *copy)
{
	struct event *event = &events[number];
	struct group *group = &queue->groups[number % options.groups];
	if (copy->next) {
		tally.copies++;
		tally.twice += !event->sent_again;
		return;
	}
	if (number <= group->last)
		tally.out_of_order += queue->ordered;
	else
		group->last = number;
}

static void check(struct queue *queue, long number, struct copy *copy, uint32_t attempts,
                  int64_t time_ms)
{
	struct group *group = &queue->groups[number % options.groups];
	if (copy->attempts == 0) {
		first_time(queue, number, copy);
	} else {
		tally.again++;
		tally.unmarked += attempts <= copy->attempts;
		tally.undead += copy->acknowledged;
	}
	if (queue->alone && group->out && group->out != copy &&
	    time_ms - group->out->delivered_ms < options.visibility_ms * 8 / 10)
		tally.two_at_once++;
	group->out = copy;
	copy->attempts = attempts;
	copy->delivered_ms = time_ms;
}

static struct copy *copy_of(const struct queue *queue, long number, uint64_t id)
{
	struct copy **copies = &events[number].copies[queue - queues];
	for (struct copy *copy = *copies; copy; copy = copy->next) {
		if (copy->id == id)
			return copy;
	}
	struct copy *copy = must(calloc(1, sizeof *copy));
	copy->id = id;
	copy->next = *copies;
	return *copies = copy;
}

static void read_properties(const mosquitto_property *properties, uint64_t *id, uint32_t *attempts)
{
	char *name = NULL, *value = NULL;
	const mosquitto_property *at = mosquitto_property_read_string_pair(
	        properties, MQTT_PROP_USER_PROPERTY, &name, &value, false);
	while (at) {
		if (strcmp(name, "sluice-id") == 0)
			*id = hash(value);
		else if (strcmp(name, "sluice-attempt") == 0)
			*attempts = (uint32_t)strtoul(value, NULL, 10);
		free(name);
		free(value);
		at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value,
		                                         true);
	}
}

static void on_message(struct mosquitto *mosquitto, void *arg,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
	struct client *client = arg;
	(void)mosquitto;
	char payload[64];
	uint64_t id = 0;
	uint32_t attempts = 0;
	long number;
	const char *receipt = strrchr(message->topic, '/');
	snprintf(payload, sizeof payload, "%.*s", message->payloadlen,
	         (const char *)message->payload);
	read_properties(properties, &id, &attempts);
	if (sscanf(payload, "{\"event\":%ld,", &number) != 1 || number < 0 ||
	    number >= event_capacity || id == 0 || attempts == 0 || !receipt ||
	    strlen(receipt + 1) >= RECEIPT_MAX) {
		tally.strange++;
		return;
	}
	int64_t time_ms = moved_ms = now_ms();
	tally.deliveries++;
	struct delivery *delivery = must(calloc(1, sizeof *delivery));
	delivery->queue = client->queue;
	delivery->event = number;
	delivery->copy = copy_of(client->queue, number, id);
	strcpy(delivery->receipt, receipt + 1);
	delivery->came_ms = delivery->due_ms = time_ms;
	if (options.hold_ms > 0)
		delivery->due_ms += draw((uint32_t)options.hold_ms);
	check(client->queue, number, delivery->copy, attempts, time_ms);
	if (client->held_last)
		client->held_last->next = delivery;
	else
		client->held = delivery;
	client->held_last = delivery;
}

/* --- turns --- */

static void reconnect(struct client *client, int64_t time_ms)
{
	if (time_ms < client->retry_ms)
		return;
	client->retry_ms = time_ms + RETRY_MS;
	moved_ms = time_ms; /* as long as there is no broker nothing can */
	if (mosquitto_reconnect(client->mosquitto) == MOSQ_ERR_SUCCESS)
		tally.reconnects++;
}

/* Those behind one that is held longer wait for it. */
static void settle_due(struct client *client, int64_t time_ms)
{
	while (client->connected && client->held && client->held->due_ms <= time_ms) {
		struct delivery *delivery = client->held;
		client->held = delivery->next;
		if (!client->held)
			client->held_last = NULL;
		delivery->next = NULL;
		settle(client, delivery);
	}
}

static long behind(void)
{
	long least = tally.acknowledged;
	for (int i = 0; i < queue_count; i++)
		least = queues[i].done < least ? queues[i].done : least;
	return working ? tally.acknowledged - least : 0;
}

static void produce(struct client *client)
{
	while (producing && client->connected && client->in_flight < options.window &&
	       behind() < BACKLOG && (options.events == 0 || client->next < options.events))
		send_event(client);
}

static void turn(void)
{
	struct pollfd polled[CLIENTS_MAX + 1] = { 0 };
	int64_t time_ms = now_ms();
	if (!working && tally.acknowledged >= options.away)
		working = true;
	for (int i = 0; i < client_count; i++) {
		struct client *client = &clients[i];
		if (client->queue && !working) {
			polled[i].fd = -1;
			continue;
		}
		if (mosquitto_socket(client->mosquitto) < 0)
			reconnect(client, time_ms);
		if (client->queue)
			settle_due(client, time_ms);
		else
			produce(client);
		polled[i].fd = mosquitto_socket(client->mosquitto);
		polled[i].events = POLLIN;
		if (mosquitto_want_write(client->mosquitto))
			polled[i].events |= POLLOUT;
	}
	polled[client_count].fd = producing && options.events == 0 ? STDIN_FILENO : -1;
	polled[client_count].events = POLLIN;
	poll(polled, (nfds_t)client_count + 1, 5);
	if (polled[client_count].revents != 0) {
		char byte;
		producing = read(STDIN_FILENO, &byte, 1) > 0;
	}
	for (int i = 0; i < client_count; i++) {
		struct client *client = &clients[i];
		int code = MOSQ_ERR_SUCCESS;
		if (polled[i].fd < 0)
			continue;
		if (polled[i].revents & (POLLIN | POLLERR | POLLHUP))
			code = mosquitto_loop_read(client->mosquitto, 1);
		if (code == MOSQ_ERR_SUCCESS && mosquitto_want_write(client->mosquitto))
			code = mosquitto_loop_write(client->mosquitto, 1);
		if (code == MOSQ_ERR_SUCCESS)
			code = mosquitto_loop_misc(client->mosquitto);
		if (code != MOSQ_ERR_SUCCESS)
			lost_connection(client);
	}
}

/* --- the whole --- */

static struct client *add_client(void)
{
	static int number;
	char id[32];
	if (client_count == CLIENTS_MAX)
		die("too many clients");
	struct client *client = &clients[client_count++];
	snprintf(id, sizeof id, "load-%d", number++);
	client->flights = must(calloc(IDS, sizeof *client->flights));
	client->mosquitto = must(mosquitto_new(id, true, client));
	mosquitto_int_option(client->mosquitto, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	mosquitto_int_option(client->mosquitto, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_int_option(client->mosquitto, MOSQ_OPT_SEND_MAXIMUM, 1000);
	mosquitto_int_option(client->mosquitto, MOSQ_OPT_RECEIVE_MAXIMUM, 1000);
	mosquitto_connect_callback_set(client->mosquitto, on_connect);
	mosquitto_disconnect_callback_set(client->mosquitto, on_disconnect);
	mosquitto_publish_v5_callback_set(client->mosquitto, on_publish);
	mosquitto_message_v5_callback_set(client->mosquitto, on_message);
	/* Fails while there is no broker: then it is tried again. */
	mosquitto_connect(client->mosquitto, "127.0.0.1", options.port, 600);
	return client;
}

static struct queue *queue_named(const char *name)
{
	for (int i = 0; i < queue_count; i++) {
		if (strcmp(queues[i].name, name) == 0)
			return &queues[i];
	}
	if (queue_count == QUEUES_MAX)
		die("too many queues");
	struct queue *queue = &queues[queue_count++];
	snprintf(queue->name, sizeof queue->name, "%s", name);
	for (int i = 0; i < GROUPS_MAX; i++)
		queue->groups[i].last = -1;
	return queue;
}

static void add_worker(const char *text)
{
	char name[65], how = '\0';
	int credit;
	if (sscanf(text, "%64[^:]:%d:%c", name, &credit, &how) < 2)
		die("a worker is QUEUE:CREDIT[:o|:g]");
	struct queue *queue = queue_named(name);
	queue->ordered |= how == 'o' || how == 'g';
	queue->alone |= how == 'g';
	struct client *client = add_client();
	client->queue = queue;
	client->credit = credit;
}

static bool finished(void)
{
	int64_t quiet_ms = now_ms() - moved_ms;
	if (quiet_ms > GIVE_UP_MS)
		return true;
	for (int i = 0; i < client_count; i++) {
		const struct client *client = &clients[i];
		if (client->in_flight > 0 || client->held ||
		    (!client->queue && producing &&
		     (options.events == 0 || client->next < options.events)))
			return false;
	}
	/* Leases that nobody holds any more run out, and what is behind them comes. */
	return behind() <= 0 && working && quiet_ms > options.visibility_ms * 3 / 2;
}

static void read_options(int argc, char **argv)
{
	int option;
	while ((option = getopt(argc, argv, "e:a:p:g:w:v:h:n:s:")) != -1) {
		long value = optarg ? strtol(optarg, NULL, 10) : 0;
		switch (option) {
		case 'e':
			options.events = value;
			break;
		case 'a':
			options.away = value;
			break;
		case 'p':
			options.producers = (int)value;
			break;
		case 'g':
			options.groups = (int)value;
			break;
		case 'w':
			options.window = (int)value;
			break;
		case 'v':
			options.visibility_ms = value;
			break;
		case 'h':
			options.hold_ms = value;
			break;
		case 'n':
			options.nack_percent = (int)value;
			break;
		case 's':
			random_state = (uint64_t)value;
			break;
		default:
			die("see the head of queue_load.c");
		}
	}
	if (argc - optind < 2 || options.groups < 1 || options.groups > GROUPS_MAX ||
	    options.producers < 1 || options.groups % options.producers != 0)
		die("see the head of queue_load.c; a group has one producer");
	random_state = random_state * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
	options.port = atoi(argv[optind]);
}

int main(int argc, char **argv)
{
	mosquitto_lib_init();
	read_options(argc, argv);
	for (int i = 0; i < options.producers; i++)
		add_client()->next = i;
	for (int i = optind + 1; i < argc; i++)
		add_worker(argv[i]);
	moved_ms = now_ms();
	while (!finished())
		turn();
	for (long number = 0; number < event_capacity; number++) {
		for (int i = 0; i < queue_count; i++)
			tally.lost += events[number].acknowledged && !events[number].done[i];
	}
	printf("{\"acknowledged\":%ld,\"refused\":%ld,\"deliveries\":%ld,\"nacks\":%ld,"
	       "\"reconnects\":%ld,\"again\":%ld,\"copies\":%ld,\"lost\":%ld,\"unmarked\":%ld,"
	       "\"twice\":%ld,\"undead\":%ld,\"out_of_order\":%ld,\"two_at_once\":%ld,"
	       "\"strange\":%ld}\n",
	       tally.acknowledged, tally.refused, tally.deliveries, tally.nacks, tally.reconnects,
	       tally.again, tally.copies, tally.lost, tally.unmarked, tally.twice, tally.undead,
	       tally.out_of_order, tally.two_at_once, tally.strange);
	return tally.lost + tally.unmarked + tally.twice + tally.undead + tally.out_of_order +
	                               tally.two_at_once + tally.strange ==
	                       0
	               ? 0
	               : 1;
}
