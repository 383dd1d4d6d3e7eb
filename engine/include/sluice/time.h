/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Times as people and commands say them: RFC 3339, as "2026-01-02T03:04:05.678Z". */
#ifndef SLUICE_TIME_H
#define SLUICE_TIME_H

#include <stdbool.h>

#include "sluice/types.h"

/* Milliseconds since 1970; what is finer is cut off. Years 1000 to 9999, as sluice_time_format writes
 * them. False when it is no such time. */
bool sluice_time_read(struct sluice_str text, int64_t *time_ms);

#endif
