/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What SQS and SNS have in common: a message is text, and has at most ten attributes. A payload that is
 * no text, as they understand it, goes as base64, and an attribute says so.
 */
#ifndef BRIDGE_AWS_MESSAGE_H
#define BRIDGE_AWS_MESSAGE_H

#include "event_key.h"
#include "outcome.h"
#include "sluice/buffer.h"

enum { AWS_ATTRIBUTES = 10 };

struct aws_message {
	struct sluice_str text; /* the payload, or what base64 made of it */
	/* sluice-id, -rule, -topic, -time, -encoding, content-type; then the event's user properties,
	 * as far as there is room, and SQS takes their names and values. */
	struct sluice_property attributes[AWS_ATTRIBUTES];
	size_t attribute_count;
	struct sluice_str group;  /* of a FIFO queue or topic; else absent */
	char key[EVENT_KEY_SIZE]; /* of the same: its name for deduplication */
	size_t size;              /* bytes as both services count them */
	/* Own what the above point to. */
	struct sluice_buffer base64, group_text;
	char time[SLUICE_TIME_SIZE];
};

/*
 * Makes it of a delivery, to which it points. aws_message_finish frees it, after an error too.
 *
 * Errors: SLUICE_ERR_INVALID (an empty payload), _NOMEM, and those of the group's template.
 */
enum sluice_status aws_message_init(struct aws_message *message, const struct aws_settings *aws,
                                    const struct delivery *delivery, struct sluice_error *error);
void aws_message_finish(struct aws_message *message);

/*
 * Sets the verdict on the entry of a Failed list with this Id. An Id that is none of ours is passed
 * over.
 */
void aws_entry_failed(struct verdict *verdicts, size_t count, struct sluice_str id,
                      enum aws_fault fault, struct sluice_str code, struct sluice_str message);
void aws_entry_done(struct verdict *verdicts, size_t count, struct sluice_str id);

#endif
