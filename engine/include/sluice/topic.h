/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * MQTT topic names and topic filters (MQTT 5.0, sections 4.7 and 1.5.4; same in 3.1.1).
 * All of it is pure, allocates nothing and may run on any thread.
 */
#ifndef SLUICE_TOPIC_H
#define SLUICE_TOPIC_H

#include <stdbool.h>

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SLUICE_TOPIC_MAX_BYTES = 65535 };

/* Whether it may be published to: 1 to 65,535 bytes of UTF-8, no NUL, no '+' nor '#'. */
SLUICE_API bool sluice_topic_valid(struct sluice_str topic);

/*
 * Whether it is a topic filter: the same, '+' alone in its level, '#' alone in the last one.
 * `$share/…` is refused (it is a subscription, not a filter).
 *
 * error	says why on false (code SLUICE_ERR_INVALID); its offset is the faulty byte
 */
SLUICE_API bool sluice_topic_filter_valid(struct sluice_str filter, struct sluice_error *error);

/*
 * Whether a filter matches a topic. A filter whose first level is a wildcard matches no topic that
 * begins with '$' (4.7.2). Linear in the shorter of the two.
 *
 * filter	valid (sluice_topic_filter_valid), which is not checked here; empty matches nothing
 * topic	valid too; empty matches nothing
 */
SLUICE_API bool sluice_topic_matches(struct sluice_str filter, struct sluice_str topic);

#ifdef __cplusplus
}
#endif

#endif
