/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* One target of a rule, read from its JSON. */
#ifndef SLUICE_TARGET_H
#define SLUICE_TARGET_H

#include "sluice/rule.h"

/*
 * Fills *target, whose strings go into the arena. After a failure too it must be given to
 * sluice_target_finish. Places of errors are from the root of the node's document.
 */
enum sluice_status sluice_target_read(struct sluice_target *target, const struct sluice_json *node,
                                      struct sluice_arena *arena, struct sluice_error *error);

/* Frees what it compiled. */
void sluice_target_finish(struct sluice_target *target);

/* Which members of $mqtt its topic and its transformer read. */
unsigned sluice_target_metadata(const struct sluice_target *target);

#endif
