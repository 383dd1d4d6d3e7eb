/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Taps, on the store's thread: made, stopped, and what they show turned into messages. */
#ifndef SLUICE_PLUGIN_CONTROL_TAPS_H
#define SLUICE_PLUGIN_CONTROL_TAPS_H

#include "threads.h"

struct store_thread;

/* Sends an event that a tap saw to whoever tapped. */
void control_tapped(struct store_thread *thread, const struct tapped_message *tapped);

/* Frees a tap that came back. */
void control_tap_free(struct store_thread *thread, struct tap *tap);

#endif
