/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The lines of JSON that the bridge and a long-lived command speak. docs/bridge/exec.md shows them. */
#ifndef BRIDGE_EXEC_LINE_H
#define BRIDGE_EXEC_LINE_H

#include <stdbool.h>

#include "delivery.h"
#include "sluice/buffer.h"
#include "sluice/json.h"

/* Appends an event as a line, with its newline. Failure is in the buffer's `failed`. */
void line_write_event(const struct delivery *delivery, struct sluice_buffer *out);

/* What a command says of an event. Its texts live until answer_finish. */
struct line_answer {
	struct sluice_str id;
	bool ok;
	bool retry;
	int64_t delay_ms; /* DELIVERY_NO_HINT when not said */
	struct sluice_str error;
	struct sluice_str payload; /* absent when there is none */
	struct sluice_json_doc *doc;
	char *decoded; /* of "payload_base64" */
};

enum {
	LINE_MAX_DELAY_MS = 2147483647,
	LINE_MAX_DEPTH = 256,
};

/*
 * Reads a line. `answer` is filled, and to be finished, when it is SLUICE_OK. Unknown members are
 * left alone.
 *
 * Errors: SLUICE_ERR_SYNTAX, _INVALID (it is no answer), _LIMIT, _NOMEM.
 */
enum sluice_status line_read_answer(struct sluice_str line, struct line_answer *answer,
                                    struct sluice_error *error);
void line_answer_finish(struct line_answer *answer);

#endif
