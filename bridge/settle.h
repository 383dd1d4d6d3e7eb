/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What becomes of a delivery when its attempt has ended, and how the queue is told. */
#ifndef BRIDGE_SETTLE_H
#define BRIDGE_SETTLE_H

#include "delivery.h"
#include "link.h"
#include "sluice/bridge.h"

enum settle_verb {
	SETTLE_ACK,   /* it has arrived */
	SETTLE_LATER, /* it failed, and comes again after delay_ms */
	SETTLE_DEAD,  /* it failed for good: to the dead letters */
	SETTLE_BACK,  /* it was not tried: given back */
};

struct settlement {
	enum settle_verb verb;
	int64_t delay_ms;
	char reason[256];
};

/*
 * Decides. RETRY backs off with full jitter, not sooner than the hint, and becomes a dead letter when
 * the attempts are used up, or the next one would come when the event is past its age.
 *
 * now_ms	since 1970, as the event's time
 * random	evenly drawn from all of 64 bits
 */
void settle_decide(const struct delivery *delivery, enum outcome outcome, int64_t hint_ms,
                   const char *reason, const struct sluice_bridge_delivery *settings,
                   int64_t now_ms, uint64_t random, struct settlement *settlement);

/* Tell the queue. What can't be told comes again when its lease is over. */
void settle_tell(struct link *link, struct sluice_str queue, struct sluice_str receipt,
                 const struct settlement *settlement);
void settle_extend(struct link *link, struct sluice_str queue, struct sluice_str receipt,
                   int64_t lease_ms);

/*
 * Puts an enrichment's response in the place of the payload or, with `into` ("$.customer"), adds it to
 * the payload, an object, as that member: as JSON when it is, else as a string. Takes the response.
 *
 * Errors: SLUICE_ERR_INVALID (the payload is no JSON object, the response no UTF-8), _NOMEM.
 */
enum sluice_status settle_enrich(struct delivery *delivery, struct sluice_str into, char *response,
                                 size_t len, struct sluice_error *error);

#endif
