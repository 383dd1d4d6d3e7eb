/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Every rule, bus and queue by name, with the version of each that is in force, on the store's thread. It
 * owns them all; what the broker's thread uses comes back as garbage before it is freed.
 */
#ifndef SLUICE_PLUGIN_REGISTRY_H
#define SLUICE_PLUGIN_REGISTRY_H

#include <stdbool.h>

#include "bridged.h"
#include "sluice_store/store.h"
#include "threads.h"

struct registry {
	struct rule_record **rules; /* chained by hash of the name */
	size_t rule_slots, rule_count;
	struct defined *defined[SLUICE_STORE_KINDS]; /* buses and queues */
	size_t defined_counts[SLUICE_STORE_KINDS];   /* those in force */
	size_t in_force;                             /* rules */
	struct bridged bridged;
	size_t faults; /* of these, not of `bridged`: whose row, as it stands, is not in force */
};

/* Sends a change to the broker's thread; takes the message. */
typedef void (*registry_emit_fn)(void *arg, struct message *message);

/* What registry_change tells of a row: fault == NULL, it is in force. */
typedef void (*registry_report_fn)(void *arg, enum sluice_store_kind kind, struct sluice_str name,
                                   int64_t revision, const struct sluice_error *fault);

struct registry_sink {
	registry_emit_fn emit;
	registry_report_fn report;
	void *arg;
};

bool registry_init(struct registry *registry);
/* Frees all that it knows. Everything that the broker's thread had must have come back, or be no
 * longer used. */
void registry_finish(struct registry *registry);

/*
 * Takes a row as the store tells of it: compiles it and emits the change. A row that can't be
 * compiled is reported, and its last good version stays in force. The same revision again changes
 * nothing.
 */
void registry_change(struct registry *registry, enum sluice_store_kind kind,
                     const struct sluice_store_row *row, const struct registry_sink *sink);

/* Frees a rule, bus, queue, definition or sample that came back. */
void registry_free(struct registry *registry, struct garbage *garbage);

/* NULL when there is none of that name, or no version of it in force. */
struct rule_record *registry_rule(const struct registry *registry, struct sluice_str name);
struct bus_record *registry_bus(const struct registry *registry, struct sluice_str name);
struct queue_record *registry_queue(const struct registry *registry, struct sluice_str name);

/* All rules with a version in force, in the order of names: *count of them, to be freed with
 * free(). NULL when out of memory. */
struct rule_record **registry_sorted(const struct registry *registry, size_t *count);

#endif
