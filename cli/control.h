/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The control API from the asker's side: a command to the plugin, and its answer. */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "connection.h"
#include "sluice/buffer.h"
#include "sluice/json.h"
#include "sluice/rule.h"

struct control;

/* Which of its topics a command goes to; what only reads is allowed on the second too. */
enum control_topic { CONTROL_CHANGE, CONTROL_VIEW };

/* An answer. Owned by whoever asked: answer_finish. */
struct answer {
	struct sluice_buffer text;
	struct sluice_json_doc *doc;
	const struct sluice_json *data; /* an object */
};
void answer_finish(struct answer *answer);
/* The name behind which the next page begins; "" when this was the last. */
void answer_next(const struct answer *answer, char after[SLUICE_NAME_MAX + 1]);

/*
 * A tapped event; see docs/control-api.md. `payload` is the whole message, valid during the call.
 */
typedef void (*control_tap_fn)(void *arg, struct sluice_str payload);

enum cli_exit control_open(const struct cli *cli, struct control **control,
                           struct sluice_error *error);
/* The same; a failure is told. */
enum cli_exit control_start(const struct cli *cli, struct control **control);
/* NULL is allowed. */
void control_close(struct control *control);

/*
 * Sends {"command":command, members} and waits for the answer. `members` is the inside of a JSON
 * object, as `"name":"x","ifRevision":3`; NULL = none. On CLI_OK the answer is the caller's. A
 * refusal by the plugin gives its code, place and message, and the exit code that fits.
 */
enum cli_exit control_call(struct control *control, enum control_topic topic, const char *command,
                           const struct sluice_buffer *members, struct answer *answer,
                           struct sluice_error *error);

/* Lets the next call wait longer than --timeout by more_ms: it asks for much work. */
void control_be_patient(struct control *control, int64_t more_ms);

/* Gives what arrives for taps to fn. */
void control_on_tap(struct control *control, control_tap_fn fn, void *arg);

/* Waits for at most wait_ms for what arrives; as connection_step. */
enum cli_exit control_step(struct control *control, int wait_ms, struct sluice_error *error);

/* The exit code of what the plugin or the store said. */
enum cli_exit exit_of_store(enum sluice_status status);

#endif
