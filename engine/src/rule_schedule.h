/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What a rule says of its schedule, read from its JSON. */
#ifndef SLUICE_RULE_SCHEDULE_H
#define SLUICE_RULE_SCHEDULE_H

#include "sluice/rule.h"

/* The members of a rule that are about it; each may be NULL. */
struct sluice_rule_schedule_members {
	const struct sluice_json *schedule, *timezone, *input, *input_transformer, *missed;
};

/*
 * Fills *schedule, whose strings point into the nodes' document. After a failure too it must be given
 * to sluice_rule_schedule_finish.
 */
enum sluice_status sluice_rule_schedule_read(struct sluice_rule_schedule *schedule,
                                             const struct sluice_rule_schedule_members *members,
                                             struct sluice_error *error);
/* Frees what it compiled. */
void sluice_rule_schedule_finish(struct sluice_rule_schedule *schedule);
/* Appends its members, each behind a comma. */
void sluice_rule_schedule_write(const struct sluice_rule_schedule *schedule,
                                struct sluice_buffer *buf);

#endif
