/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What is counted of a rule, as JSON. */
#ifndef SLUICE_PLUGIN_CONTROL_NUMBERS_H
#define SLUICE_PLUGIN_CONTROL_NUMBERS_H

#include "sluice/buffer.h"
#include "threads.h"

/* Appends members: "matched", "delivered", "failed", "last_match_ms"; zeroes when record is NULL.
 */
void data_rule_numbers(struct sluice_buffer *data, const struct rule_record *record);

/* Appends the member "samples" when the rule, being SHADOW, has kept any, the newest first. */
void data_rule_samples(struct sluice_buffer *data, struct rule_record *record);

struct queue_numbers;

/* A queue's, as members. */
void data_queue_numbers(struct sluice_buffer *data, const struct queue_numbers *numbers);

#endif
