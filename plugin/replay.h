/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Replays on the broker's thread: events of an archive come in pages from the data thread, and are
 * routed again when their time has come, a bounded time at each tick. How far each has come is told to
 * the data thread, which keeps it: after a kill some events come twice, none is left out.
 */
#ifndef SLUICE_PLUGIN_REPLAY_H
#define SLUICE_PLUGIN_REPLAY_H

#include <stdbool.h>

#include "data_messages.h"

struct plugin;
struct replay;

enum {
	REPLAYS_MAX = 8,        /* that have not ended */
	REPLAY_RULES_MAX = 100, /* that one may name */
	REPLAY_SPEED_MAX = 1000000,
};

/* Zeroed memory has none. */
struct replays {
	struct replay *first;
	struct data_replay_message *unsent, *last_unsent; /* while the ring is full */
	uint64_t orders; /* that were passed on, to compare with data_numbers.replay_orders */
	int64_t last_tick_ns;
};

void replays_finish(struct plugin *plugin);

/* A command's order, which is taken, goes on to the data thread behind all that was told before. */
void replays_order(struct plugin *plugin, struct data_replay_order *order);
/* What the data thread says. */
void replays_begun(struct plugin *plugin, const struct data_replay_begun *begun);
/* Takes the page. */
void replays_page(struct plugin *plugin, struct data_rows *page);

void replays_tick(struct plugin *plugin);
/* Whether a tick is wanted soon. */
bool replays_pending(const struct plugin *plugin);
/* Whether all orders have been carried out. */
bool replays_settled(const struct plugin *plugin);

/* The rule that stands for a replay's topic: it has one target, and the replay's name. The error's
 * place is "$.topic". */
enum sluice_status replay_rule(struct sluice_str name, struct sluice_str bus,
                               struct sluice_str topic, struct sluice_rule **rule,
                               struct sluice_error *error);

#endif
