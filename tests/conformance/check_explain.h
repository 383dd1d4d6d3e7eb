/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What holds of every explanation, whatever the pattern and the event. */
#ifndef CHECK_EXPLAIN_H
#define CHECK_EXPLAIN_H

#include <stdbool.h>

#include "sluice/event.h"
#include "sluice/pattern.h"

/*
 * Explains one pattern and one event, of which the verdict is known. NULL when the explanation says
 * the same, counts no failed field only then, and can be written as lines and as JSON; else what is
 * wrong with it.
 */
const char *check_explain(const struct sluice_pattern *pattern, const struct sluice_event *event,
                          bool matched);

#endif
