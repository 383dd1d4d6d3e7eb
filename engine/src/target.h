/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* One target of a rule, read from its JSON. */
#ifndef SLUICE_TARGET_H
#define SLUICE_TARGET_H

#include "sluice/rule.h"

/*
 * Fills *target, whose strings point into the node's document. After a failure too it must be given
 * to sluice_target_finish. Places of errors are from the root of the node's document.
 */
enum sluice_status sluice_target_read(struct sluice_target *target, const struct sluice_json *node,
                                      struct sluice_error *error);

/* What its strings take in an arena, and copies them there. False when out of memory: then the
 * target is still to be finished, but no more to be read. */
size_t sluice_target_bytes(const struct sluice_target *target);
bool sluice_target_keep(struct sluice_target *target, struct sluice_arena *arena);

/* Frees what it compiled. */
void sluice_target_finish(struct sluice_target *target);

/* Which members of $mqtt its topic and its transformer read. */
unsigned sluice_target_metadata(const struct sluice_target *target);

#endif
