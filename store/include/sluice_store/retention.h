/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* How long the archive of each bus keeps its events: what the bus said last, kept beside them, so
 * that they go in their time even when the bus is gone. */
#ifndef SLUICE_STORE_RETENTION_H
#define SLUICE_STORE_RETENTION_H

#include "sluice_store/data.h"

struct sluice_retention {
	struct sluice_str bus;
	int64_t retention_ms;
	uint64_t max_bytes; /* 0 = no bound */
};

/* A transaction of its own, not within a batch. Writes nothing when it says so already. */
enum sluice_status sluice_retention_put(struct sluice_data *data,
                                        const struct sluice_retention *retention,
                                        struct sluice_error *error);

typedef bool (*sluice_retention_fn)(void *arg, const struct sluice_retention *retention);

/* All, in the order of names, until fn returns false. */
enum sluice_status sluice_retention_each(struct sluice_data *data, sluice_retention_fn fn,
                                         void *arg, struct sluice_error *error);

#endif
