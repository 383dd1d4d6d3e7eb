/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* MQTT topic names and topic filters (MQTT 5.0, sections 4.7 and 1.5.4; same in 3.1.1). */
#ifndef SLUICE_TOPIC_H
#define SLUICE_TOPIC_H

#include <stdbool.h>

#include "sluice/types.h"

enum { SLUICE_TOPIC_MAX_BYTES = 65535 };

/* A topic that may be published to: 1 to 65,535 bytes of UTF-8, no NUL, no '+' nor '#'. */
bool sluice_topic_valid(struct sluice_str topic);

/*
 * A topic filter: the same, '+' alone in its level, '#' alone in the last one. `$share/…` is
 * refused (it is a subscription, not a filter). On false the error says why; its offset is the
 * faulty byte.
 */
bool sluice_topic_filter_valid(struct sluice_str filter, struct sluice_error *error);

/*
 * Whether a valid filter matches a topic. A filter whose first level is a wildcard matches no
 * topic that begins with '$' (4.7.2). Linear in the shorter of the two; allocates nothing.
 */
bool sluice_topic_matches(struct sluice_str filter, struct sluice_str topic);

#endif
