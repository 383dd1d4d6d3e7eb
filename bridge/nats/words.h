/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Subjects, headers and JetStream's answers: what NATS takes as text, and what an event may say there. */
#ifndef BRIDGE_NATS_WORDS_H
#define BRIDGE_NATS_WORDS_H

#include <stdbool.h>

#include "../delivery.h"
#include "sluice/buffer.h"
#include "sluice/types.h"

/*
 * Makes a subject: '/' becomes '.', and what can't stand in one ('*', '>', white space, control
 * characters, and nothing between two dots) becomes '_'. So does a first '$', which names the server's
 * own subjects, unless `own` lets it: then it is the definition's.
 *
 * Appends to `subject`, which is empty. False when it is empty, or is too long; failure to grow is in
 * its `failed`.
 */
bool nats_subject(struct sluice_str text, bool own, struct sluice_buffer *subject);

/* As nats_subject, of a topic: a '.' in it becomes '_' too, so that levels stay what they are. */
bool nats_subject_of_topic(struct sluice_str topic, struct sluice_buffer *subject);

/* The topic of a subject: '.' becomes '/', '/' becomes '_', as '+', '#' and a first '$' do. */
bool nats_topic(struct sluice_str subject, struct sluice_buffer *topic);

/* Whether a user property may be a header: a name without ':' and spaces, in ASCII, that is none of
 * JetStream's own ("Nats-…", by which a stream can be emptied), and no line break in either. */
bool nats_header_valid(struct sluice_str name, struct sluice_str value);

enum { NATS_TEXT_SIZE = 192 };

/* What JetStream's answer to a publish means; `text` gets why it is not DONE. */
enum outcome nats_answer(struct sluice_str json, char text[NATS_TEXT_SIZE]);

#endif
