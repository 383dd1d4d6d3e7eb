/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* From a queue as it was defined to what its runtime needs, and from an event to its record. */
#ifndef SLUICE_PLUGIN_QUEUE_DEFINITION_H
#define SLUICE_PLUGIN_QUEUE_DEFINITION_H

#include "queue/queue.h"
#include "sluice/queue.h"

void queue_settings_of(const struct sluice_queue *definition, struct queue_settings *settings);

#endif
