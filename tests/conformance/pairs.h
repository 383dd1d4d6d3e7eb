/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* One pattern and one event, asked of the oracle and of the engine; and the smallest that differ.
 */
#ifndef PAIRS_H
#define PAIRS_H

#include "spell.h"
#include "sluice/event.h"

enum pair_outcome {
	PAIR_AGREES,
	PAIR_DIFFERS,
	PAIR_UNDECIDED, /* the matcher ran out of its budget for an event */
};

/*
 * Asks both about one pattern in a matcher of its own, and if told has it explained. When they do
 * not agree `what` (cut to size) says how.
 */
enum pair_outcome pair_compare(struct sluice_str pattern, const struct sluice_event *event,
                               bool explained, char *what, size_t size);

/* Makes pattern and event smaller for as long as they still differ. Memory comes from the pool. */
void pair_shrink(struct oracle_pool *pool, struct sluice_str *pattern, struct sluice_event *event);

/* Prints both, and all that is known of the event. */
void pair_print(struct sluice_str pattern, const struct sluice_event *event);

#endif
