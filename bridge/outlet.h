/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What carries deliveries outside, one outlet for each target; what a kind has to bring. Everything is
 * called, and must be answered, on the loop's thread: a library with threads of its own comes back by
 * uv_async_send.
 */
#ifndef BRIDGE_OUTLET_H
#define BRIDGE_OUTLET_H

#include <uv.h>

#include "credentials.h"
#include "delivery.h"
#include "sluice/bridge.h"

struct bridge;
struct curl_loop;
struct outlet;
struct enricher;

/* What an outlet may use as long as it lives. */
struct outlet_context {
	uv_loop_t *loop;
	struct bridge *bridge;  /* to publish, see bridge.h */
	struct curl_loop *curl; /* the transfers of all, see curl_loop.h */
	struct target *target;  /* whose it is; for log lines: target_name */
	const struct sluice_bridge_kind *kind;
	const struct sluice_json *settings;    /* checked */
	const struct credentials *credentials; /* of the connection; NULL = the target names none */
	const struct sluice_bridge_delivery *delivery; /* timeout_ms, concurrency, batch_events */
};

struct outlet_kind {
	const char *name; /* of the target's kind */
	/* NULL with the error: an address that can't be, a file that is not there. It is told, and tried
	 * anew with the next change, and every half minute. */
	struct outlet *(*open)(const struct outlet_context *context, struct sluice_error *error);
	/*
	 * Takes deliveries, `count` of them, at most the target's batch_events; the array is the
	 * caller's. Each is ended once by delivery_done, here or later, in any order. At most
	 * `concurrency` calls' are under way at a time.
	 */
	void (*send)(struct outlet *outlet, struct delivery *const *deliveries, size_t count);
	/* The definition changed, or the bridge stops: what is under way and not known to have arrived is
	 * ended with LET_GO or RETRY before this returns, and the outlet is freed by itself, now or when
	 * its handles are closed. */
	void (*close)(struct outlet *outlet);
};

/* The step before an outlet. */
struct enricher_kind {
	const char *name;
	struct enricher *(*open)(const struct outlet_context *context, struct sluice_error *error);
	/* Gives the response to enriched(): or ends the delivery by delivery_done. */
	void (*send)(struct enricher *enricher, struct delivery *delivery);
	void (*close)(struct enricher *enricher); /* as an outlet's */
};

/* The response of an enrichment: it replaces the event or becomes its part, and the event goes on.
 * Takes `response`, which was allocated with malloc. */
void enriched(struct delivery *delivery, char *response, size_t len);

/* Every outlet begins with this, which its kind's open sets. */
struct outlet {
	const struct outlet_kind *kind;
};

struct enricher {
	const struct enricher_kind *kind;
};

/* NULL when there is no such kind in this build. */
const struct outlet_kind *outlet_kind_find(struct sluice_str name);
const struct enricher_kind *enricher_kind_find(struct sluice_str name);

#endif
