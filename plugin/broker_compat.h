/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The differences between the brokers that one binary, built on 2.0.11's headers, runs in:
 * Mosquitto 2.0.11 and later 2.0, and 2.1. Which one it is is found out at run time.
 */
#ifndef SLUICE_PLUGIN_BROKER_COMPAT_H
#define SLUICE_PLUGIN_BROKER_COMPAT_H

#include <stdbool.h>
#include <stdint.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "gate.h"

/*
 * What reads a list of properties. 2.0.11 and 2.1 bring these functions; later 2.0 keep them from
 * plugins, and they are taken from libmosquitto, which Debian installs with the broker in the same
 * version. They only look: all that makes or frees properties is the broker's own, whose memory it
 * counts.
 */
struct property_reader {
	int (*identifier)(const mosquitto_property *);
	const mosquitto_property *(*next)(const mosquitto_property *);
	const mosquitto_property *(*byte)(const mosquitto_property *, int, uint8_t *, bool);
	const mosquitto_property *(*binary)(const mosquitto_property *, int, void **, uint16_t *,
	                                    bool);
	const mosquitto_property *(*string)(const mosquitto_property *, int, char **, bool);
	const mosquitto_property *(*string_pair)(const mosquitto_property *, int, char **, char **,
	                                         bool);
	/* What 2.1 brings beyond that. The first four, NULL on 2.0, look without copying. */
	const char *(*string_name)(const mosquitto_property *);
	const char *(*string_value)(const mosquitto_property *);
	const void *(*binary_value)(const mosquitto_property *);
	uint16_t (*binary_length)(const mosquitto_property *);
	/* 2.0 has it too, but there an empty string in the list ends the broker. */
	int (*copy_all)(mosquitto_property **, const mosquitto_property *);
};

/* Whether it looks without copying: all four, or none is used. */
static inline bool property_reader_borrows(const struct property_reader *reader)
{
	return reader->string_name && reader->string_value && reader->binary_value &&
	       reader->binary_length;
}

struct broker_compat {
	bool is_2_1;
	bool reads_properties; /* false: there is no reader, properties are neither matched nor carried */
	struct property_reader reader;
	void *libmosquitto;        /* where the reader came from, when it is not the broker */
	void (*x509_free)(void *); /* OpenSSL's, which the broker brings; NULL when it has none */
};

/* Events of 2.1, and what they bring; its headers have them (mosquitto/broker.h). */
enum {
	BROKER_EVT_CONNECT = 11,
	BROKER_EVT_SUBSCRIBE = 12,
	BROKER_EVT_UNSUBSCRIBE = 13,
	BROKER_EVT_CLIENT_OFFLINE = 28, /* as DISCONNECT, of a session that stays */
};

struct broker_evt_connect {
	void *future;
	struct mosquitto *client;
	void *future2[4];
};

struct broker_evt_subscribe { /* of both */
	void *future;
	struct mosquitto *client;
	struct {
		char *client_id;
		char *topic_filter;
		mosquitto_property *properties;
		uint32_t identifier;
		uint8_t options;
		uint8_t padding[3];
		void *future2[8];
	} data;
	void *future2[8];
};

void broker_compat_init(struct broker_compat *compat);
void broker_compat_finish(struct broker_compat *compat);

/* "2.0" or "2.1" */
const char *broker_compat_version(const struct broker_compat *compat);

/* On 2.1, tells the broker the plugin's name and version, for its log. */
void broker_compat_introduce(mosquitto_plugin_id_t *identifier);

/* Asks for the next tick in so many ms: an idle 2.1 would else call in 10 s. To be set at each
 * tick. */
void broker_compat_next_tick(struct mosquitto_evt_tick *tick, long ms);

/*
 * Turns the message's topic, from within the MESSAGE callback, into one that nobody can hear: no
 * wildcard matches a first level that begins with '$', and no broker takes a subscription with a
 * control character. It is written over the topic in place, since brokers differ in who frees a topic
 * that was replaced (2.0.11 nobody, 2.0.21 and 2.1 the broker).
 */
void broker_compat_hide_topic(struct mosquitto_evt_message *message);

/* What the gate asks of a client. Its strings live as long as the client. */
struct gate_client broker_compat_gate_client(const struct broker_compat *compat,
                                             const struct mosquitto *client);

#endif
