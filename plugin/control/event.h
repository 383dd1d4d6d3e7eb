/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The event that a command is about: its member "event" or "publish". */
#ifndef SLUICE_PLUGIN_CONTROL_EVENT_H
#define SLUICE_PLUGIN_CONTROL_EVENT_H

#include "command.h"
#include "sluice/event.h"

/*
 * Exactly one of both must be there: "event", a JSON value or a string that holds JSON text, or
 * "publish" (sluice/event.h). *storage is to be freed with free() after use of the event.
 */
enum sluice_status call_event(const struct command_call *call, struct sluice_event *event,
                              void **storage, struct sluice_error *error);

/* JSON text given as a value or as a string: the text. */
struct sluice_str call_text(const struct sluice_json *json);

/* A payload as the member "payload", when it is text, else "payload_base64". `cut`: there was more. */
void data_payload(struct sluice_buffer *out, struct sluice_str payload, bool cut);

#endif
