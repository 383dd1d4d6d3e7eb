/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * order: publishes numbered events and checks, in the same process, that a consumer gets each of
 * them as many times as it should, in order. paho is too slow for 100,000.
 *
 *   order PORT COUNT QOS COPIES TOPIC FILTER [CAFILE]
 *
 * An event is {"n":17,"pad":"…"}; what is delivered must hold n as its first number. The producer
 * waits when the consumer is far behind, so that no queue of the broker runs over. Prints one JSON
 * object; exits with 0 when all came, in order, and nothing more.
 */
#include <mosquitto.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WINDOW = 2000, GIVE_UP_S = 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long copies, received, acknowledged, wrong;
static char first_wrong[128];
static bool subscribed, connected;

static long first_number(const char *payload, int length)
{
	int i = 0;
	while (i < length && (payload[i] < '0' || payload[i] > '9'))
		i++;
	if (i == length)
		return -1;
	long number = 0;
	for (; i < length && payload[i] >= '0' && payload[i] <= '9'; i++)
		number = number * 10 + (payload[i] - '0');
	return number;
}

static void on_message(struct mosquitto *client, void *data,
                       const struct mosquitto_message *message)
{
	(void)client;
	(void)data;
	long number = first_number(message->payload, message->payloadlen);
	pthread_mutex_lock(&lock);
	long expected = received / copies;
	if (number != expected && wrong++ == 0)
		snprintf(first_wrong, sizeof(first_wrong),
		         "delivery %ld is of event %ld, expected %ld", received, number, expected);
	received++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void on_publish(struct mosquitto *client, void *data, int id)
{
	(void)client;
	(void)data;
	(void)id;
	pthread_mutex_lock(&lock);
	acknowledged++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void set(bool *flag)
{
	pthread_mutex_lock(&lock);
	*flag = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void on_subscribe(struct mosquitto *client, void *data, int id, int count,
                         const int *granted)
{
	(void)client;
	(void)data;
	(void)id;
	(void)count;
	(void)granted;
	set(&subscribed);
}

static void on_connect(struct mosquitto *client, void *data, int code)
{
	(void)client;
	(void)data;
	if (code != 0) {
		fprintf(stderr, "refused: %s\n", mosquitto_connack_string(code));
		exit(2);
	}
	set(&connected);
}

/* Waits, with the lock held, until something changed; false when nothing did for GIVE_UP_S. */
static bool wait_for_change(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += GIVE_UP_S;
	return pthread_cond_timedwait(&changed, &lock, &until) == 0;
}

static bool wait_for_flag(const bool *flag)
{
	bool waiting = true;
	pthread_mutex_lock(&lock);
	while (!*flag && waiting)
		waiting = wait_for_change();
	bool value = *flag;
	pthread_mutex_unlock(&lock);
	return value;
}

static struct mosquitto *make_client(int port, const char *cafile)
{
	struct mosquitto *client = mosquitto_new(NULL, true, NULL);
	if (!client || (cafile && mosquitto_tls_set(client, cafile, NULL, NULL, NULL, NULL) != 0)) {
		fprintf(stderr, "no client\n");
		exit(2);
	}
	mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, 20);
	mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_connect_callback_set(client, on_connect);
	mosquitto_message_callback_set(client, on_message);
	mosquitto_subscribe_callback_set(client, on_subscribe);
	connected = false;
	int status = mosquitto_connect(client, cafile ? "localhost" : "127.0.0.1", port, 600);
	if (status == 0)
		status = mosquitto_loop_start(client);
	if (status != 0 || !wait_for_flag(&connected)) {
		fprintf(stderr, "cannot connect: %s\n", mosquitto_strerror(status));
		exit(2);
	}
	return client;
}

/* Publishes all; false when nothing moved for GIVE_UP_S. */
static bool publish_all(struct mosquitto *producer, const char *topic, long count, int qos)
{
	char payload[256];
	for (long n = 0; n < count; n++) {
		int length =
		        snprintf(payload, sizeof(payload), "{\"n\":%ld,\"pad\":\"%0128d\"}", n, 0);
		int status = mosquitto_publish(producer, NULL, topic, length, payload, qos, false);
		if (status != 0) {
			fprintf(stderr, "publish: %s\n", mosquitto_strerror(status));
			return false;
		}
		pthread_mutex_lock(&lock);
		bool moving = true;
		while (moving && n - received / copies > WINDOW)
			moving = wait_for_change();
		pthread_mutex_unlock(&lock);
		if (!moving)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	if (argc < 7) {
		fprintf(stderr, "usage: order PORT COUNT QOS COPIES TOPIC FILTER [CAFILE]\n");
		return 2;
	}
	int port = atoi(argv[1]), qos = atoi(argv[3]);
	long count = atol(argv[2]);
	copies = atol(argv[4]);
	const char *cafile = argc > 7 ? argv[7] : NULL;
	struct timespec began, ended;

	mosquitto_lib_init();
	struct mosquitto *consumer = make_client(port, cafile);
	mosquitto_subscribe(consumer, NULL, argv[6], qos);
	if (!wait_for_flag(&subscribed)) {
		fprintf(stderr, "no answer to SUBSCRIBE\n");
		return 2;
	}
	struct mosquitto *producer = make_client(port, cafile);
	mosquitto_publish_callback_set(producer, on_publish);

	clock_gettime(CLOCK_MONOTONIC, &began);
	bool moving = publish_all(producer, argv[5], count, qos);
	pthread_mutex_lock(&lock);
	while (moving && (received < count * copies || acknowledged < count))
		moving = wait_for_change();
	pthread_mutex_unlock(&lock);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	/* What comes too often comes now. */
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);

	mosquitto_disconnect(producer);
	mosquitto_disconnect(consumer);
	mosquitto_loop_stop(producer, false);
	mosquitto_loop_stop(consumer, false);
	mosquitto_destroy(producer);
	mosquitto_destroy(consumer);
	double seconds = (double)(ended.tv_sec - began.tv_sec) +
	                 (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
	printf("{\"acknowledged\":%ld,\"received\":%ld,\"wrong\":%ld,\"first_wrong\":\"%s\","
	       "\"seconds\":%.2f}\n",
	       acknowledged, received, wrong, first_wrong, seconds);
	return wrong == 0 && received == count * copies && acknowledged == count ? 0 : 1;
}
