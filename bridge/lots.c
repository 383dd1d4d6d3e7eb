/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "lots.h"

#include <stdlib.h>
#include <string.h>

void lots_init(struct lots *lots)
{
	lots->first = NULL;
	lots->last = &lots->first;
}

void lots_add(struct lots *lots, struct delivery *const *deliveries, size_t count)
{
	struct lot *lot = malloc(sizeof(*lot) + count * sizeof(struct delivery *));

	if (!lot) {
		for (size_t i = 0; i < count; i++)
			delivery_done(deliveries[i], OUTCOME_RETRY, DELIVERY_NO_HINT,
			              "out of memory");
		return;
	}
	*lot = (struct lot){ .count = count, .left = count };
	memcpy(lot->deliveries, deliveries, count * sizeof(struct delivery *));
	*lots->last = lot;
	lots->last = &lot->next;
}

struct lot *lots_take(struct lots *lots)
{
	struct lot *lot = lots->first;

	if (!lot)
		return NULL;
	lots->first = lot->next;
	if (!lots->first)
		lots->last = &lots->first;
	lot->next = NULL;
	return lot;
}

void lots_end(struct lots *lots, enum outcome outcome, const char *reason)
{
	struct lot *lot = lots->first;

	lots_init(lots);
	while (lot) {
		struct lot *next = lot->next;

		lot_end(lot, outcome, reason);
		lot = next;
	}
}

struct delivery *lot_take(struct lot *lot, size_t index)
{
	struct delivery *delivery = lot->deliveries[index];

	lot->deliveries[index] = NULL;
	lot->left--;
	return delivery;
}

void lot_end(struct lot *lot, enum outcome outcome, const char *reason)
{
	for (size_t i = 0; lot && i < lot->count; i++)
		if (lot->deliveries[i])
			delivery_done(lot_take(lot, i), outcome, DELIVERY_NO_HINT, "%s", reason);
	free(lot);
}
