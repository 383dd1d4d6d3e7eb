/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * broker_load: one producer and at most one consumer of a broker, and what their messages cost it.
 *
 *	broker_load PORT QOS SECONDS RATE TOPIC FILTER PAYLOAD [PID…]
 *
 * PAYLOAD is a file, published to TOPIC again and again: RATE a second, or, where that is 0, as
 * fast as the broker takes it. FILTER is what the consumer subscribes to, "" for no consumer. The
 * CPU is that of all threads of each PID. Prints one JSON object; exits with 0 when what was sent
 * was taken and arrived, each once.
 *
 * Its own MQTT 3.1.1 on bare sockets, so that it has the other core to itself and no lock: at full
 * load it sleeps between looks rather than in poll(), because a broker that must wake a reader for
 * each message pays for that, now more, now less, and the reading gets noisy.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	WARM_UP = 300, /* messages before the clocks are read */
	/* Sent and not arrived, at full load: more than the broker does between two looks, and too
	 * few to fill a socket, whose overflow costs a pause of 200 ms. */
	WINDOW = 64,
	LOOK_NS = 100000, /* between two looks at full load */
	GIVE_UP_S = 20,
	BUFFER_BYTES = 1 << 18,
	PAYLOAD_MAX = 65536,
	PIDS_MAX = 8,
};

enum { CONNACK = 0x20, PUBLISH = 0x30, PUBACK = 0x40, SUBACK = 0x90, PINGRESP = 0xd0 };

struct peer {
	int socket;
	unsigned char in[BUFFER_BYTES], out[BUFFER_BYTES];
	size_t in_len, out_len;
};

static struct {
	struct peer producer, consumer;
	bool consumes;
	int qos;
	unsigned char message[PAYLOAD_MAX + 1024]; /* a PUBLISH, whole */
	size_t message_len, id_at;
	uint64_t sent, acknowledged, received;
	unsigned answers;         /* CONNACK, SUBACK, PINGRESP so far */
	int64_t *sent_ns;         /* of each message since the warm-up */
	int64_t *latency_ns;      /* filled as they arrive */
	uint64_t first, capacity; /* the number of the first of them; how many fit */
	clockid_t clocks[PIDS_MAX];
	int clock_count;
} load;

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	if (clock_gettime(clock, &now) != 0) {
		fprintf(stderr, "a process to be measured is gone\n");
		exit(2);
	}
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t cpu_ns(void)
{
	int64_t sum = 0;
	for (int i = 0; i < load.clock_count; i++)
		sum += clock_ns(load.clocks[i]);
	return sum;
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- packets --- */

static void put(struct peer *peer, const void *bytes, size_t len)
{
	memcpy(peer->out + peer->out_len, bytes, len);
	peer->out_len += len;
}

static void flush(struct peer *peer)
{
	if (peer->out_len == 0)
		return;
	ssize_t done = send(peer->socket, peer->out, peer->out_len, MSG_NOSIGNAL);
	if (done < 0 && errno != EAGAIN)
		die("the broker hung up");
	if (done <= 0)
		return;
	peer->out_len -= (size_t)done;
	memmove(peer->out, peer->out + done, peer->out_len);
}

static size_t put_length(unsigned char *at, size_t len)
{
	size_t bytes = 0;
	do {
		at[bytes] = (unsigned char)(len % 128 | (len > 127 ? 0x80 : 0));
		len /= 128;
		bytes++;
	} while (len > 0);
	return bytes;
}

static size_t put_text(unsigned char *at, const char *text)
{
	size_t len = strlen(text);
	at[0] = (unsigned char)(len >> 8);
	at[1] = (unsigned char)len;
	memcpy(at + 2, text, len);
	return len + 2;
}

/* Makes load.message; where its packet id stands is load.id_at. */
static void make_message(const char *topic, const char *payload, size_t payload_len)
{
	size_t rest = 2 + strlen(topic) + (load.qos > 0 ? 2 : 0) + payload_len;
	unsigned char *at = load.message;
	*at++ = (unsigned char)(PUBLISH | load.qos << 1);
	at += put_length(at, rest);
	at += put_text(at, topic);
	load.id_at = (size_t)(at - load.message);
	at += load.qos > 0 ? 2 : 0;
	memcpy(at, payload, payload_len);
	load.message_len = (size_t)(at - load.message) + payload_len;
}

static void send_one(int64_t now_ns)
{
	if (load.qos > 0) {
		unsigned id = (unsigned)(load.sent % 65535) + 1;
		load.message[load.id_at] = (unsigned char)(id >> 8);
		load.message[load.id_at + 1] = (unsigned char)id;
	}
	put(&load.producer, load.message, load.message_len);
	if (load.sent >= load.first && load.sent - load.first < load.capacity)
		load.sent_ns[load.sent - load.first] = now_ns;
	load.sent++;
}

/* One packet that came whole: its first byte, and what follows the length. */
static void take(struct peer *peer, unsigned char kind, const unsigned char *rest, int64_t now_ns)
{
	switch (kind & 0xf0) {
	case PUBLISH:
		/* The broker keeps the order, so the count says which one it is. */
		if (load.received >= load.first && load.received - load.first < load.capacity)
			load.latency_ns[load.received - load.first] =
			        now_ns - load.sent_ns[load.received - load.first];
		load.received++;
		if ((kind >> 1 & 3) > 0) {
			const unsigned char *id = rest + 2 + (rest[0] << 8 | rest[1]);
			put(peer, (unsigned char[]){ PUBACK, 2, id[0], id[1] }, 4);
		}
		break;
	case PUBACK:
		load.acknowledged++;
		break;
	case CONNACK:
	case SUBACK:
		if (rest[(kind & 0xf0) == CONNACK ? 1 : 2] > 2) {
			fprintf(stderr, "the broker refuses\n");
			exit(2);
		}
		load.answers++;
		break;
	case PINGRESP:
		load.answers++;
		break;
	default:
		break;
	}
}

/* The length of a packet's head and, in *rest, of what follows; 0 when it is not all there. */
static size_t head_length(const unsigned char *at, size_t len, size_t *rest)
{
	*rest = 0;
	for (size_t i = 1; i < len && i < 5; i++) {
		*rest |= (size_t)(at[i] & 0x7f) << 7 * (i - 1);
		if (!(at[i] & 0x80))
			return i + 1;
	}
	return 0;
}

static bool receive(struct peer *peer)
{
	ssize_t got =
	        recv(peer->socket, peer->in + peer->in_len, sizeof peer->in - peer->in_len, 0);
	if (got == 0 || (got < 0 && errno != EAGAIN))
		die("the broker hung up");
	if (got < 0)
		return false;
	int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	peer->in_len += (size_t)got;
	size_t at = 0;
	for (;;) {
		size_t rest, head = head_length(peer->in + at, peer->in_len - at, &rest);
		if (head == 0 || peer->in_len - at < head + rest ||
		    sizeof peer->out - peer->out_len < 4)
			break;
		take(peer, peer->in[at], peer->in + at + head, now_ns);
		at += head + rest;
	}
	peer->in_len -= at;
	memmove(peer->in, peer->in + at, peer->in_len);
	return true;
}

/* --- connections --- */

/* Waits for as many answers as there were requests. */
static void await(struct peer *peer, unsigned answers)
{
	int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + (int64_t)GIVE_UP_S * 1000000000;
	while (load.answers < answers && clock_ns(CLOCK_MONOTONIC) < end_ns) {
		flush(peer);
		poll(&(struct pollfd){ .fd = peer->socket, .events = POLLIN }, 1, 100);
		receive(peer);
	}
	if (load.answers < answers) {
		fprintf(stderr, "no answer from the broker\n");
		exit(2);
	}
}

static void connect_peer(struct peer *peer, int port, const char *client_id)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons((uint16_t)port),
		                       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	peer->socket = socket(AF_INET, SOCK_STREAM, 0);
	if (peer->socket < 0 ||
	    connect(peer->socket, (struct sockaddr *)&address, sizeof address) != 0)
		die("can't connect");
	setsockopt(peer->socket, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	fcntl(peer->socket, F_SETFL, O_NONBLOCK);
	unsigned char rest[128] = { 0, 4, 'M', 'Q', 'T', 'T', 4, 2 /* clean session */, 0, 0 };
	size_t len = 10 + put_text(rest + 10, client_id);
	put(peer, (unsigned char[]){ 0x10, (unsigned char)len }, 2);
	put(peer, rest, len);
	await(peer, load.answers + 1);
}

static void subscribe(struct peer *peer, const char *filter)
{
	unsigned char packet[1024] = { 0x82 };
	size_t rest = 2 + 2 + strlen(filter) + 1;
	size_t at = 1 + put_length(packet + 1, rest);
	packet[at++] = 0;
	packet[at++] = 1;
	at += put_text(packet + at, filter);
	packet[at++] = (unsigned char)load.qos;
	put(peer, packet, at);
	await(peer, load.answers + 1);
}

/* --- the load --- */

/* How many are under way: what the producer has to wait for. */
static uint64_t under_way(void)
{
	uint64_t behind = 0;
	if (load.qos > 0)
		behind = load.sent - load.acknowledged;
	if (load.consumes && load.sent - load.received > behind)
		behind = load.sent - load.received;
	return behind;
}

static bool has_room(void)
{
	return sizeof load.producer.out - load.producer.out_len >= load.message_len;
}

static void look(int64_t wait_ns, bool sleeps)
{
	struct timespec wait = { wait_ns / 1000000000, wait_ns % 1000000000 };
	flush(&load.producer);
	flush(&load.consumer);
	if (sleeps) {
		nanosleep(&wait, NULL);
	} else {
		/* Not for the producer: to be woken by a PUBACK would make the consumer late. */
		struct peer *peer = load.consumes ? &load.consumer : &load.producer;
		ppoll(&(struct pollfd){ .fd = peer->socket, .events = POLLIN }, 1, &wait, NULL);
	}
	while (load.consumes && receive(&load.consumer))
		flush(&load.consumer);
	receive(&load.producer);
}

/* Until all that was sent is taken, and has arrived. The broker answers a PINGREQ after what was
 * sent before it, which is all that QoS 0 tells. */
static void drain(void)
{
	unsigned answers = load.answers + 1;
	int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + (int64_t)GIVE_UP_S * 1000000000;
	while (sizeof load.producer.out - load.producer.out_len < 2)
		look(LOOK_NS, true);
	put(&load.producer, (unsigned char[]){ 0xc0, 0 }, 2);
	while (load.answers < answers || under_way() > 0) {
		if (clock_ns(CLOCK_MONOTONIC) > end_ns) {
			fprintf(stderr, "%llu sent, %llu acknowledged, %llu arrived\n",
			        (unsigned long long)load.sent,
			        (unsigned long long)load.acknowledged,
			        (unsigned long long)load.received);
			exit(1);
		}
		look(LOOK_NS, true);
	}
}

static void send_at_full_load(int64_t end_ns, uint64_t most)
{
	for (;;) {
		int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
		if (now_ns >= end_ns)
			return;
		while (has_room() && under_way() < WINDOW && load.sent < most)
			send_one(now_ns);
		if (load.sent >= most)
			return;
		look(LOOK_NS, true);
	}
}

static void send_at_rate(int64_t end_ns, double rate)
{
	int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	for (uint64_t i = 0;; i++) {
		int64_t due_ns = start_ns + (int64_t)((double)i / rate * 1e9);
		int64_t now_ns;
		while ((now_ns = clock_ns(CLOCK_MONOTONIC)) < due_ns)
			look(due_ns - now_ns, false);
		if (now_ns >= end_ns || !has_room())
			return;
		send_one(now_ns);
	}
}

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

static double percentile_us(uint64_t count, double share)
{
	return count ? (double)load.latency_ns[(uint64_t)((double)(count - 1) * share)] / 1000 : 0;
}

static void measure(double seconds, double rate)
{
	send_at_full_load(INT64_MAX, WARM_UP);
	drain();
	load.first = load.sent;
	load.capacity = (uint64_t)(seconds * 1e6) + WINDOW;
	load.sent_ns = calloc(load.capacity, sizeof *load.sent_ns);
	load.latency_ns = calloc(load.capacity, sizeof *load.latency_ns);
	if (!load.sent_ns || !load.latency_ns)
		die("no memory");

	int64_t cpu_start_ns = cpu_ns(), start_ns = clock_ns(CLOCK_MONOTONIC);
	int64_t end_ns = start_ns + (int64_t)(seconds * 1e9);
	if (rate > 0)
		send_at_rate(end_ns, rate);
	else
		send_at_full_load(end_ns, UINT64_MAX);
	drain();
	int64_t took_ns = clock_ns(CLOCK_MONOTONIC) - start_ns, cpu = cpu_ns() - cpu_start_ns;

	uint64_t count = load.sent - load.first;
	uint64_t timed = load.consumes ? count < load.capacity ? count : load.capacity : 0;
	qsort(load.latency_ns, timed, sizeof *load.latency_ns, compare_times);
	printf("{\"sent\":%llu,\"cpu_us\":%.4f,\"per_second\":%.0f,\"p50_us\":%.2f,"
	       "\"p90_us\":%.2f,\"p99_us\":%.2f,\"max_us\":%.2f}\n",
	       (unsigned long long)load.sent, (double)cpu / 1000 / (double)count,
	       (double)count * 1e9 / (double)took_ns, percentile_us(timed, 0.5),
	       percentile_us(timed, 0.9), percentile_us(timed, 0.99), percentile_us(timed, 1));
}

static size_t read_payload(const char *path, char *payload)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		die(path);
	size_t len = fread(payload, 1, PAYLOAD_MAX, file);
	fclose(file);
	return len;
}

int main(int argc, char **argv)
{
	static char payload[PAYLOAD_MAX];
	if (argc < 8 || argc > 8 + PIDS_MAX || strlen(argv[5]) > 512 || strlen(argv[6]) > 512) {
		fprintf(stderr, "usage: broker_load PORT QOS SECONDS RATE TOPIC FILTER PAYLOAD "
		                "[PID…]\n");
		return 2;
	}
	for (int i = 8; i < argc; i++)
		if (clock_getcpuclockid(atoi(argv[i]), &load.clocks[load.clock_count++]) != 0)
			die(argv[i]);
	load.qos = atoi(argv[2]) > 0 ? 1 : 0;
	load.consumes = argv[6][0] != '\0';
	/* Else a wait of 100 µs is one of 150. */
	prctl(PR_SET_TIMERSLACK, 1);
	make_message(argv[5], payload, read_payload(argv[7], payload));
	if (load.consumes) {
		connect_peer(&load.consumer, atoi(argv[1]), "bench-consumer");
		subscribe(&load.consumer, argv[6]);
	}
	connect_peer(&load.producer, atoi(argv[1]), "bench-producer");
	measure(strtod(argv[3], NULL), strtod(argv[4], NULL));
	free(load.sent_ns);
	free(load.latency_ns);
	return 0;
}
