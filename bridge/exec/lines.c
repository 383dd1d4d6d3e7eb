/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * mode "lines": long-lived commands, as many as the target's concurrency at most, started when there
 * is work for one more. Each is given a lot at a time, what one call of send brought:
 *
 *	send ──> waiting lots ──> a worker that is idle, or a new one ──> answers, in any order
 *	                                      └── dies: what it had is RETRY; others start after a pause
 *
 * so that a command which reads, works and answers is never asked for more, and one that is quick
 * gets more by the target's batch_events.
 */
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "target.h"
#include "answers.h"
#include "command.h"
#include "exec.h"
#include "line.h"
#include "lots.h"
#include "process.h"

enum {
	PAUSE_MS = 100, /* after a command that died, doubled each time */
	PAUSE_MAX_MS = 30000,
	PAUSE_DOUBLINGS = 9,
	ERROR_SHOWN = 200,
};

struct worker {
	struct worker *next;
	struct lines *lines;
	struct process *process;
	struct lot *lot;           /* NULL: it is idle */
	struct sluice_buffer line; /* the beginning of one */
	bool broken;               /* it spoke what is no answer: it is being ended */
};

struct lines {
	struct outlet outlet;
	uv_loop_t *loop;
	const struct target *target; /* for log lines */
	struct command *command;
	struct answers *answers; /* NULL: a payload in an answer is nobody's */
	int64_t timeout_ms;
	size_t most, count;
	size_t max_line;
	struct worker *workers;
	struct lots waiting;
	uv_timer_t pause; /* after a death; nothing is started while it is active */
	unsigned deaths;  /* since an answer came */
	bool closing;
};

static void dispatch(struct lines *lines);

/* --- lots --- */

/* Takes it out of its lot before it ends: that may bring another lot in. */
static struct delivery *take_from(struct worker *worker, size_t index)
{
	struct delivery *delivery = lot_take(worker->lot, index);

	if (worker->lot->left == 0) {
		process_set_deadline(worker->process, 0);
		free(worker->lot);
		worker->lot = NULL;
	}
	return delivery;
}

static void end_worker_lot(struct worker *worker, enum outcome outcome, const char *reason)
{
	struct lot *lot = worker->lot;

	worker->lot = NULL;
	lot_end(lot, outcome, reason);
}

/* --- deaths --- */

static void on_pause_over(uv_timer_t *timer)
{
	dispatch(timer->data);
}

static void pause_after_death(struct lines *lines, const char *reason)
{
	uint64_t pause_ms = (uint64_t)PAUSE_MS
	                    << (lines->deaths < PAUSE_DOUBLINGS ? lines->deaths : PAUSE_DOUBLINGS);

	if (pause_ms > PAUSE_MAX_MS)
		pause_ms = PAUSE_MAX_MS;
	/* Once: a command that can't live would fill the log. */
	log_line(lines->deaths == 0 ? LOG_WARNING : LOG_DEBUG,
	         "target %s: its command is started again in %d ms: %s", target_name(lines->target),
	         (int)pause_ms, reason);
	lines->deaths++;
	uv_timer_start(&lines->pause, on_pause_over, pause_ms, 0);
}

static void free_worker(struct worker *worker)
{
	struct worker **at = &worker->lines->workers;

	while (*at != worker)
		at = &(*at)->next;
	*at = worker->next;
	worker->lines->count--;
	sluice_buffer_finish(&worker->line);
	free(worker);
}

static void on_ended(void *arg, const struct process_end *end)
{
	struct worker *worker = arg;
	struct lines *lines = worker->lines;
	struct lot *lot = worker->lot;
	char reason[PROCESS_REASON_SIZE], what[PROCESS_REASON_SIZE + 32];

	if (process_outcome(end, lines->timeout_ms, reason) == OUTCOME_DONE)
		snprintf(reason, sizeof(reason), "exit status 0");
	snprintf(what, sizeof(what), "%s%s",
	         end->timed_out || end->failure ? "" : "the command ended: ", reason);
	free_worker(worker);
	pause_after_death(lines, what);
	lot_end(lot, OUTCOME_RETRY, what);
	dispatch(lines);
}

/* What it says means nothing, so nothing that it says later can be trusted. */
static void give_up_on(struct worker *worker, const char *reason)
{
	worker->broken = true;
	process_kill(worker->process);
	end_worker_lot(worker, OUTCOME_RETRY, reason);
}

/* --- answers --- */

static size_t find_delivery(const struct lot *lot, struct sluice_str id)
{
	for (size_t i = 0; i < lot->count; i++)
		if (lot->deliveries[i] && sluice_str_equal(lot->deliveries[i]->vars.id, id))
			return i;
	return lot->count;
}

static void finish(struct lines *lines, struct delivery *delivery, const struct line_answer *answer)
{
	int shown = answer->error.len < ERROR_SHOWN ? (int)answer->error.len : ERROR_SHOWN;
	struct sluice_error clean; /* control characters are shown as '?' */

	if (answer->ok && answer->payload.data && lines->answers) {
		answers_publish(lines->answers, delivery, answer->payload);
	} else if (answer->ok) {
		delivery_done(delivery, OUTCOME_DONE, DELIVERY_NO_HINT, "-");
	} else {
		sluice_error_set(&clean, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "%.*s", shown,
		                 shown ? answer->error.data : "");
		delivery_done(delivery, answer->retry ? OUTCOME_RETRY : OUTCOME_PERMANENT,
		              answer->delay_ms, "%s",
		              clean.message[0] ? clean.message : "the command says no");
	}
}

static void take_line(struct worker *worker, struct sluice_str line)
{
	struct lines *lines = worker->lines;
	struct line_answer answer;
	struct sluice_error error;
	char reason[PROCESS_REASON_SIZE];
	size_t index;

	if (line_read_answer(line, &answer, &error) != SLUICE_OK) {
		snprintf(reason, sizeof(reason), "the command wrote what is no answer: %.200s",
		         error.message);
		give_up_on(worker, reason);
		return;
	}
	index = worker->lot ? find_delivery(worker->lot, answer.id) : 0;
	if (!worker->lot || index == worker->lot->count) {
		line_answer_finish(&answer);
		give_up_on(worker, "the command answered for an event that it does not have");
		return;
	}
	lines->deaths = 0;
	process_set_deadline(worker->process, lines->timeout_ms);
	finish(lines, take_from(worker, index), &answer);
	line_answer_finish(&answer);
}

static void on_output(void *arg, const char *data, size_t len)
{
	struct worker *worker = arg;

	while (len > 0 && !worker->broken) {
		const char *newline = memchr(data, '\n', len);
		size_t taken = newline ? (size_t)(newline - data) : len;

		sluice_buffer_append(&worker->line, data, taken);
		if (worker->line.failed) {
			give_up_on(worker, worker->line.over_limit
			                           ? "the command wrote too long a line"
			                           : "out of memory");
			return;
		}
		if (!newline)
			return;
		if (worker->line.len > 0)
			take_line(worker, sluice_buffer_str(&worker->line));
		sluice_buffer_reset(&worker->line);
		data += taken + 1;
		len -= taken + 1;
	}
	/* Who is idle now may take what waits. */
	dispatch(worker->lines);
}

/* --- work --- */

static const struct process_handler handler = { on_output, on_ended };

static struct worker *start_worker(struct lines *lines, struct sluice_error *error)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker) {
		sluice_out_of_memory(error);
		return NULL;
	}
	worker->lines = lines;
	worker->line.limit = lines->max_line;
	if (process_start(lines->loop, lines->command, NULL, &handler, worker, &worker->process,
	                  error) != SLUICE_OK) {
		free(worker);
		return NULL;
	}
	worker->next = lines->workers;
	lines->workers = worker;
	lines->count++;
	return worker;
}

static struct worker *find_idle(struct lines *lines)
{
	struct worker *worker = lines->workers;

	while (worker && (worker->lot || worker->broken))
		worker = worker->next;
	return worker;
}

static void give(struct worker *worker, struct lot *lot)
{
	struct sluice_buffer text = { 0 };
	size_t len;
	char *data;

	for (size_t i = 0; i < lot->count; i++)
		line_write_event(lot->deliveries[i], &text);
	len = text.len;
	data = sluice_buffer_take(&text);
	sluice_buffer_finish(&text);
	worker->lot = lot;
	/* A command that has closed its stdin can only end; one that had a part of the lot must. */
	if (!data || !process_write(worker->process, data, len)) {
		give_up_on(worker, data ? "the command reads no more" : "out of memory");
		return;
	}
	process_set_deadline(worker->process, worker->lines->timeout_ms);
}

static void dispatch(struct lines *lines)
{
	while (lines->waiting.first && !lines->closing) {
		struct worker *worker = find_idle(lines);
		struct sluice_error error;

		if (!worker) {
			if (lines->count >= lines->most ||
			    uv_is_active((const uv_handle_t *)&lines->pause))
				return;
			worker = start_worker(lines, &error);
		}
		if (worker) {
			give(worker, lots_take(&lines->waiting));
			continue;
		}
		/* One of those that wait tells of it, the others may yet go well. */
		pause_after_death(lines, error.message);
		lot_end(lots_take(&lines->waiting), OUTCOME_RETRY, error.message);
	}
}

static void lines_send(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	struct lines *lines = (struct lines *)outlet;

	lots_add(&lines->waiting, deliveries, count);
	dispatch(lines);
}

/* --- the outlet --- */

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void lines_close(struct outlet *outlet)
{
	struct lines *lines = (struct lines *)outlet;

	lines->closing = true;
	lots_end(&lines->waiting, OUTCOME_LET_GO, "-");
	while (lines->workers) {
		struct worker *worker = lines->workers;
		struct lot *lot = worker->lot;

		process_end_input(worker->process);
		process_leave(worker->process);
		free_worker(worker);
		lot_end(lot, OUTCOME_RETRY, "the command was ended, as its target was");
	}
	answers_close(lines->answers);
	command_destroy(lines->command);
	uv_close((uv_handle_t *)&lines->pause, on_closed);
}

static struct outlet *lines_open(const struct outlet_context *context, struct sluice_error *error)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	if (!lines) {
		sluice_out_of_memory(error);
		return NULL;
	}
	lines->outlet.kind = &exec_lines;
	lines->loop = context->loop;
	lines->target = context->target;
	lines->timeout_ms = context->delivery->timeout_ms;
	lines->most = (size_t)context->delivery->concurrency;
	lines->max_line = (size_t)sluice_setting_integer(context->kind, context->settings,
	                                                 "max_output_bytes");
	lots_init(&lines->waiting);
	if (command_create(context->settings, &lines->command, error) != SLUICE_OK ||
	    answers_create(context, &lines->answers, error) != SLUICE_OK) {
		command_destroy(lines->command);
		free(lines);
		return NULL;
	}
	uv_timer_init(lines->loop, &lines->pause);
	lines->pause.data = lines;
	return &lines->outlet;
}

const struct outlet_kind exec_lines = {
	.name = "exec",
	.open = lines_open,
	.send = lines_send,
	.close = lines_close,
};
