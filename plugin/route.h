/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The way of a publish: which buses take it in, which rules match, what is delivered where. */
#ifndef SLUICE_PLUGIN_ROUTE_H
#define SLUICE_PLUGIN_ROUTE_H

#include <stdbool.h>

#include "broker_compat.h"
#include "plan.h"
#include "properties.h"
#include "threads.h"

struct plugin;

/* A bus that an event visits, and the payload that it has there. */
struct visit {
	struct bus_record *bus;
	struct sluice_str payload;
	char *owned; /* the payload, when a target on the way transformed it */
};

/* The memory of one event, used again for the next. */
struct router {
	struct sluice_scratch *scratch;
	struct plan plan;
	struct event_properties properties;
	struct sluice_buffer topic;
	struct sluice_buffer transformed;
	struct visit *visits;
	size_t visit_count, visit_capacity;
	struct rule_entry **matched; /* of one visit */
	size_t matched_capacity;
	uint64_t event_number;
	char nonce[16]; /* of this start of the broker, random: the first half of an event's id */
};

enum { ROUTE_ID_SIZE = 33 };

bool router_init(struct router *router);
void router_finish(struct router *router);

/* The id of one more event, into buf. Returns buf. */
char *route_new_id(struct router *router, char buf[ROUTE_ID_SIZE]);

/* A publish as an event; its properties are read where they are wanted. */
struct sluice_event route_event(const struct mosquitto_evt_message *message);

/*
 * Runs a rule whose schedule is due: makes its event, on the topic schedules/RULE, gives it to the
 * targets, and notes in the journal that it ran for time_ms (`note`: only that). False when that can't
 * be noted now; then nothing happened.
 */
bool route_fire(struct plugin *plugin, struct rule_entry *entry, int64_t time_ms, bool note);

/* An event of an archive that is routed again. */
struct replayed {
	struct sluice_str name;           /* of the replay */
	const struct sluice_event *event; /* with its properties */
	char *topic;                      /* the event's, NUL-terminated */
	struct sluice_str id;
	int64_t time_ms;
	struct bus_record *bus;
	const char *rules;        /* " a b ": those of the bus that it is for; NULL = all */
	struct rule_entry *entry; /* whose one target it goes to, instead of the rules'; or NULL */
};

enum route_replay_result {
	REPLAY_MATCHED,
	REPLAY_UNMATCHED,
	REPLAY_LATER, /* there is no room for it now, or no memory: nothing happened */
};

/* Routes it as a publish of now: but that it enters no archive, goes to no plain subscriber, is
 * retained only where a target says so, and tells each whom it is delivered to what it is. */
enum route_replay_result route_replay(struct plugin *plugin, const struct replayed *replay);

/* Routes a client's last will, whose topic, QoS and retain flag the message says, as an event of one
 * bus. False when the journal has no room for it: nothing happened. */
bool route_will(struct plugin *plugin, const struct mosquitto_evt_message *will,
                struct bus_record *bus);

/* Routes a publish; returns what the MESSAGE callback returns to the broker. */
int route_publish(struct plugin *plugin, struct mosquitto_evt_message *message);

#endif
