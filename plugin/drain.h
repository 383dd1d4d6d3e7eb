/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The broker's side of the rings: what the store's thread sends is put in force and answered. */
#ifndef SLUICE_PLUGIN_DRAIN_H
#define SLUICE_PLUGIN_DRAIN_H

#include "threads.h"

struct plugin;

/* Applies messages for at most so long, in their order, and gives back what is to be freed. */
void drain(struct plugin *plugin, int64_t budget_ns);

/* Publishes the answers that wait, to those that are still connected. */
void drain_answer(struct plugin *plugin);

/* Whether more is to be expected soon, so that the next tick should come early. */
bool drain_pending(const struct plugin *plugin);

/* Applies one message and frees it. */
void drain_apply(struct plugin *plugin, struct message *message);

/* The store's thread, when it has to end and the ring is full: keeps a message for drain_all. */
void drain_keep(struct plugin *plugin, struct message *message);

/* At the end, with the store's thread stopped: applies whatever is left. */
void drain_all(struct plugin *plugin);

#endif
