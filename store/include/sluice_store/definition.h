/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the store holds by name: queues, buses, rules, and the bridge's connections, targets and
 * sources, each a definition of one kind. Whoever treats them alike (the store, commands, the CLI)
 * knows only this.
 */
#ifndef SLUICE_STORE_DEFINITION_H
#define SLUICE_STORE_DEFINITION_H

#include <stdbool.h>

#include "sluice/bridge.h"
#include "sluice/buffer.h"
#include "sluice/queue.h"
#include "sluice/rule.h"

/* In the order in which they need each other: who goes through them puts upwards, deletes downwards.
 * Sources come last, so that what they bring finds its rules, and rules find their queues. */
enum sluice_store_kind {
	SLUICE_STORE_QUEUE,
	SLUICE_STORE_BUS,
	SLUICE_STORE_RULE,
	SLUICE_STORE_CONNECTION,
	SLUICE_STORE_TARGET,
	SLUICE_STORE_SOURCE
};

enum { SLUICE_STORE_KINDS = SLUICE_STORE_SOURCE + 1 };

/* "queue", "bus", "target": the member that holds one, a noun of the CLI. */
const char *sluice_store_noun(enum sluice_store_kind kind);
/* "queues", "buses", "targets": a list of them. */
const char *sluice_store_plural(enum sluice_store_kind kind);
/* The kind that people are told of in the i-th place: rules first. */
enum sluice_store_kind sluice_store_shown(int i);
/* Reads a noun. Returns false, and leaves *kind, when it is none. */
bool sluice_store_kind_parse(struct sluice_str noun, enum sluice_store_kind *kind);
/* Whether it is there from the start and can't be deleted: the bus "default". */
bool sluice_store_is_fixed(enum sluice_store_kind kind, struct sluice_str name);
/* Whether it is enabled or disabled: rules, targets and sources. */
bool sluice_store_has_state(enum sluice_store_kind kind);

/* Zeroed memory is none. */
struct sluice_definition {
	enum sluice_store_kind kind;
	union {
		struct sluice_queue *queue;
		struct sluice_bus *bus;
		struct sluice_rule *rule;
		struct sluice_bridge_connection *connection;
		struct sluice_bridge_target *target;
		struct sluice_bridge_source *source;
	};
};

static inline struct sluice_definition sluice_definition_of_queue(struct sluice_queue *queue)
{
	return (struct sluice_definition){ .kind = SLUICE_STORE_QUEUE, .queue = queue };
}

static inline struct sluice_definition sluice_definition_of_bus(struct sluice_bus *bus)
{
	return (struct sluice_definition){ .kind = SLUICE_STORE_BUS, .bus = bus };
}

static inline struct sluice_definition sluice_definition_of_rule(struct sluice_rule *rule)
{
	return (struct sluice_definition){ .kind = SLUICE_STORE_RULE, .rule = rule };
}

/* As sluice_rule_parse and its like; *definition is to be given to sluice_definition_finish. */
enum sluice_status sluice_definition_parse(enum sluice_store_kind kind, struct sluice_str text,
                                           struct sluice_definition *definition,
                                           struct sluice_error *error);
enum sluice_status sluice_definition_from_json(enum sluice_store_kind kind,
                                               const struct sluice_json *node,
                                               struct sluice_definition *definition,
                                               struct sluice_error *error);
void sluice_definition_finish(struct sluice_definition *definition);

/* Absent when it is none. */
struct sluice_str sluice_definition_name(const struct sluice_definition *definition);
/* Appends it as one line of JSON; a connection's without secrets. Failure is in the buffer's
 * `failed`. */
void sluice_definition_write(const struct sluice_definition *definition, struct sluice_buffer *buf);

#endif
