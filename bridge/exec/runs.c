/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "runs.h"

#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "process.h"

struct run {
	struct run *next, **link; /* in the list of those that run */
	struct runs *runs;
	struct delivery *delivery;
	struct process *process;
	struct sluice_buffer output; /* its limit is max_output_bytes */
	bool too_long;
};

struct runs {
	uv_loop_t *loop;
	struct command *command;
	int64_t timeout_ms;
	int64_t most;
	int64_t running;
	size_t max_output;
	bool keep_output;
	run_done_fn done;
	void *arg;
	struct run *first;
	struct delivery *waiting, **waiting_end;
};

/* --- what a command is told of an event --- */

enum { VARIABLES = 6 };

static void add_variable(struct sluice_buffer *buf, size_t *offsets, size_t *count,
                         const char *name, struct sluice_str value)
{
	/* None of them can hold a NUL; if one did, it would be another variable. */
	if (value.len > 0 && memchr(value.data, '\0', value.len))
		return;
	offsets[(*count)++] = buf->len;
	sluice_buffer_append_text(buf, name);
	sluice_buffer_append_text(buf, "=");
	sluice_buffer_append_str(buf, value);
	sluice_buffer_append(buf, "", 1);
}

/* Fills variables, NULL-terminated, which point into buf. False when out of memory. */
static bool make_variables(const struct delivery *delivery, struct sluice_buffer *buf,
                           const char *variables[VARIABLES + 1])
{
	const struct sluice_vars *vars = &delivery->vars;
	size_t offsets[VARIABLES], count = 0;
	char time[SLUICE_TIME_SIZE], attempt[16];

	snprintf(attempt, sizeof(attempt), "%u", (unsigned)delivery->attempt);
	add_variable(buf, offsets, &count, "SLUICE_ID", vars->id);
	add_variable(buf, offsets, &count, "SLUICE_TOPIC", delivery->event.topic);
	add_variable(buf, offsets, &count, "SLUICE_RULE", vars->rule);
	add_variable(buf, offsets, &count, "SLUICE_TARGET", vars->target);
	add_variable(buf, offsets, &count, "SLUICE_ATTEMPT", sluice_str(attempt));
	add_variable(buf, offsets, &count, "SLUICE_TIME",
	             sluice_str(sluice_time_format(vars->time_ms, time)));
	if (buf->failed)
		return false;
	for (size_t i = 0; i < count; i++)
		variables[i] = buf->data + offsets[i];
	variables[count] = NULL;
	return true;
}

/* --- a run --- */

static void start_waiting(struct runs *runs);

static void free_run(struct run *run)
{
	*run->link = run->next;
	if (run->next)
		run->next->link = run->link;
	run->runs->running--;
	sluice_buffer_finish(&run->output);
	free(run);
}

static void on_output(void *arg, const char *data, size_t len)
{
	struct run *run = arg;

	if (!run->runs->keep_output || run->too_long)
		return;
	sluice_buffer_append(&run->output, data, len);
	if (!run->output.failed)
		return;
	run->too_long = true;
	process_kill(run->process);
}

static void on_ended(void *arg, const struct process_end *end)
{
	struct run *run = arg;
	struct runs *runs = run->runs;
	struct delivery *delivery = run->delivery;
	char reason[PROCESS_REASON_SIZE];
	enum outcome outcome = process_outcome(end, runs->timeout_ms, reason);

	if (run->too_long) {
		bool over_limit = run->output.over_limit;

		free_run(run);
		if (over_limit)
			delivery_done(delivery, OUTCOME_PERMANENT, DELIVERY_NO_HINT,
			              "the command wrote more than %zu bytes", runs->max_output);
		else
			delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
	} else if (outcome == OUTCOME_DONE) {
		struct sluice_buffer output = run->output;

		run->output = (struct sluice_buffer){ 0 };
		free_run(run);
		runs->done(runs->arg, delivery, runs->keep_output ? &output : NULL);
		sluice_buffer_finish(&output);
	} else {
		free_run(run);
		delivery_done(delivery, outcome, DELIVERY_NO_HINT, "%s", reason);
	}
	start_waiting(runs);
}

static const struct process_handler handler = { on_output, on_ended };

static enum sluice_status start_run(struct runs *runs, struct run *run, struct sluice_error *error)
{
	const struct sluice_str payload = run->delivery->event.payload;
	struct sluice_buffer text = { 0 };
	const char *variables[VARIABLES + 1];
	char *input = malloc(payload.len + 1);
	enum sluice_status status;

	if (!input || !make_variables(run->delivery, &text, variables))
		status = sluice_out_of_memory(error);
	else
		status = process_start(runs->loop, runs->command, variables, &handler, run,
		                       &run->process, error);
	sluice_buffer_finish(&text);
	if (status) {
		free(input);
		return status;
	}
	if (payload.len > 0)
		memcpy(input, payload.data, payload.len);
	if (!process_write(run->process, input, payload.len)) {
		/* It must not take a part for the whole. */
		process_leave(run->process);
		return sluice_out_of_memory(error);
	}
	process_end_input(run->process);
	process_set_deadline(run->process, runs->timeout_ms);
	return SLUICE_OK;
}

static void start(struct runs *runs, struct delivery *delivery)
{
	struct run *run = calloc(1, sizeof(*run));
	struct sluice_error error;
	enum sluice_status status;

	if (!run) {
		delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
		return;
	}
	run->runs = runs;
	run->delivery = delivery;
	run->output.limit = runs->max_output;
	run->next = runs->first;
	run->link = &runs->first;
	if (runs->first)
		runs->first->link = &run->next;
	runs->first = run;
	runs->running++;
	status = start_run(runs, run, &error);
	if (status) {
		free_run(run);
		delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT, "%s", error.message);
	}
}

static void start_waiting(struct runs *runs)
{
	while (runs->waiting && runs->running < runs->most) {
		struct delivery *delivery = runs->waiting;

		runs->waiting = delivery->next;
		if (!runs->waiting)
			runs->waiting_end = &runs->waiting;
		delivery->next = NULL;
		start(runs, delivery);
	}
}

void runs_add(struct runs *runs, struct delivery *delivery)
{
	delivery->next = NULL;
	*runs->waiting_end = delivery;
	runs->waiting_end = &delivery->next;
	start_waiting(runs);
}

/* --- all of them --- */

struct runs *runs_create(const struct outlet_context *context, bool keep_output, run_done_fn done,
                         void *arg, struct sluice_error *error)
{
	struct runs *runs = calloc(1, sizeof(*runs));

	if (!runs) {
		sluice_out_of_memory(error);
		return NULL;
	}
	if (command_create(context->settings, &runs->command, error)) {
		free(runs);
		return NULL;
	}
	runs->loop = context->loop;
	runs->timeout_ms = context->delivery->timeout_ms;
	runs->most = context->delivery->concurrency;
	runs->max_output = (size_t)sluice_setting_integer(context->kind, context->settings,
	                                                  "max_output_bytes");
	runs->keep_output = keep_output;
	runs->done = done;
	runs->arg = arg;
	runs->waiting_end = &runs->waiting;
	return runs;
}

void runs_close(struct runs *runs)
{
	if (!runs)
		return;
	runs->most = 0; /* nothing begins any more */
	while (runs->waiting) {
		struct delivery *delivery = runs->waiting;

		runs->waiting = delivery->next;
		delivery->next = NULL;
		delivery_done(delivery, OUTCOME_LET_GO, DELIVERY_NO_HINT, "-");
	}
	while (runs->first) {
		struct run *run = runs->first;
		struct delivery *delivery = run->delivery;

		process_leave(run->process);
		free_run(run);
		delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT,
		              "the command was ended, as its target was");
	}
	command_destroy(runs->command);
	free(runs);
}
