/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#define _GNU_SOURCE /* sigabbrev_np */
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "last_line.h"
#include "spawn.h"

enum {
	GRACE_MS = 2000, /* from SIGTERM to SIGKILL */
	CHUNK = 16384,
	/* Of a stream once the command has ended: more than a pipe holds. Who writes on is no part of
	 * the command any more. */
	DRAIN_CHUNKS = 128,
	EXIT_DATAERR = 65, /* of sysexits.h */
	EXIT_PERMANENT = 100,
};

enum { IN, OUT, ERR, STREAMS };

struct process {
	uv_poll_t watch; /* of the pidfd */
	uv_timer_t timer;
	uv_pipe_t streams[STREAMS];
	int open_handles;
	int pid_fd, status_fd;
	pid_t pid;
	size_t writes; /* under way */
	bool input_ends;
	bool input_closed;
	bool killed; /* SIGTERM was sent */
	bool timed_out;
	struct last_line last_line;
	const struct process_handler *handler; /* NULL: it was left */
	void *arg;
	char chunk[CHUNK];
};

struct write {
	uv_write_t request;
	struct process *process;
	char *data;
};

/* --- handles --- */

static void on_close(uv_handle_t *handle)
{
	struct process *process = handle->data;

	if (--process->open_handles == 0)
		free(process);
}

static void close_handle(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, on_close);
}

static void close_input(struct process *process)
{
	process->input_closed = true;
	close_handle((uv_handle_t *)&process->streams[IN]);
}

/* Its memory goes when the last handle is closed. */
static void close_all(struct process *process)
{
	process->handler = NULL;
	close_handle((uv_handle_t *)&process->watch);
	close(process->pid_fd);
	close(process->status_fd);
	close_handle((uv_handle_t *)&process->timer);
	close_input(process);
	close_handle((uv_handle_t *)&process->streams[OUT]);
	close_handle((uv_handle_t *)&process->streams[ERR]);
}

/* --- its end --- */

/* Its pid is its own until it was waited for, and so is the group's, which it makes when it has its
 * first turn. */
static void signal_group(const struct process *process, int number)
{
	if (kill(-process->pid, number) != 0)
		kill(process->pid, number);
}

static void on_grace(uv_timer_t *timer)
{
	signal_group(timer->data, SIGKILL);
}

static void on_deadline(uv_timer_t *timer)
{
	struct process *process = timer->data;

	process->timed_out = true;
	process_kill(process);
}

void process_kill(struct process *process)
{
	if (process->killed)
		return;
	process->killed = true;
	signal_group(process, SIGTERM);
	/* One that is stopped would not hear of it. */
	signal_group(process, SIGCONT);
	uv_timer_start(&process->timer, on_grace, GRACE_MS, 0);
}

void process_set_deadline(struct process *process, int64_t ms)
{
	if (process->killed)
		return;
	if (ms > 0)
		uv_timer_start(&process->timer, on_deadline, (uint64_t)ms, 0);
	else
		uv_timer_stop(&process->timer);
}

void process_leave(struct process *process)
{
	if (!process)
		return;
	process->handler = NULL;
	process_kill(process);
}

static void take(struct process *process, int stream, const char *data, size_t len)
{
	if (stream == ERR)
		last_line_add(&process->last_line, data, len);
	else if (process->handler)
		process->handler->output(process->arg, data, len);
}

/* What still stands in a pipe; it does not wait. */
static void drain(struct process *process, int stream)
{
	uv_handle_t *handle = (uv_handle_t *)&process->streams[stream];
	uv_os_fd_t fd;

	if (uv_is_closing(handle) || uv_fileno(handle, &fd) != 0)
		return;
	for (int i = 0; i < DRAIN_CHUNKS; i++) {
		ssize_t size = read(fd, process->chunk, sizeof(process->chunk));

		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return;
		take(process, stream, process->chunk, (size_t)size);
	}
}

static void on_ended(uv_poll_t *watch, int status, int events)
{
	struct process *process = watch->data;
	siginfo_t about = { 0 };
	struct process_end end = { 0 };
	char failure[PROCESS_REASON_SIZE];

	(void)status;
	(void)events;
	if (waitid(P_PID, (id_t)process->pid, &about, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    about.si_pid == 0)
		return;
	/* What it left behind in its group, before the group's number may be another's. */
	kill(-process->pid, SIGKILL);
	while (waitpid(process->pid, &end.status, 0) < 0)
		if (errno != EINTR) {
			end.status = 0x7f00; /* somebody else waited for it: as a shell's 127 */
			break;
		}
	process->killed = true; /* from here on its number may be anybody's */
	drain(process, ERR);
	drain(process, OUT);
	end.timed_out = process->timed_out;
	if (spawn_failure(process->status_fd, failure, sizeof(failure)))
		end.failure = failure;
	end.last_line = last_line_text(&process->last_line);
	if (process->handler)
		process->handler->ended(process->arg, &end);
	close_all(process);
}

enum outcome process_outcome(const struct process_end *end, int64_t timeout_ms,
                             char reason[PROCESS_REASON_SIZE])
{
	const char *colon = end->last_line[0] ? ": " : "";
	int status = WIFEXITED(end->status) ? WEXITSTATUS(end->status) : -1;

	reason[0] = '\0';
	if (end->failure) {
		snprintf(reason, PROCESS_REASON_SIZE, "%s", end->failure);
		return OUTCOME_RETRY;
	}
	if (end->timed_out) {
		snprintf(reason, PROCESS_REASON_SIZE, "not done within %lld ms%s%s",
		         (long long)timeout_ms, colon, end->last_line);
		return OUTCOME_RETRY;
	}
	if (status == 0)
		return OUTCOME_DONE;
	if (status > 0) {
		snprintf(reason, PROCESS_REASON_SIZE, "exit status %d%s%s", status, colon,
		         end->last_line);
		return status == EXIT_DATAERR || status == EXIT_PERMANENT ? OUTCOME_PERMANENT
		                                                          : OUTCOME_RETRY;
	}
	const char *name = sigabbrev_np(WTERMSIG(end->status));
	snprintf(reason, PROCESS_REASON_SIZE, "ended by SIG%s%s%s", name ? name : "?", colon,
	         end->last_line);
	return OUTCOME_RETRY;
}

/* --- its streams --- */

static void on_allocate(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct process *process = handle->data;

	(void)size;
	*buf = uv_buf_init(process->chunk, sizeof(process->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	struct process *process = stream->data;
	int which = stream == (uv_stream_t *)&process->streams[ERR] ? ERR : OUT;

	if (size > 0)
		take(process, which, buf->base, (size_t)size);
	else if (size < 0)
		close_handle((uv_handle_t *)stream);
}

static void on_written(uv_write_t *request, int status)
{
	struct write *write = (struct write *)request;
	struct process *process = write->process;

	free(write->data);
	free(write);
	process->writes--;
	/* EPIPE: it does not want to read more. */
	if (!process->input_closed && (status < 0 || (process->input_ends && !process->writes)))
		close_input(process);
}

bool process_write(struct process *process, char *data, size_t len)
{
	struct write *write = process->input_closed ? NULL : malloc(sizeof(*write));
	uv_buf_t buf = uv_buf_init(data, (unsigned)len);

	if (!write) {
		free(data);
		return false;
	}
	*write = (struct write){ .process = process, .data = data };
	if (uv_write(&write->request, (uv_stream_t *)&process->streams[IN], &buf, 1, on_written) !=
	    0) {
		free(data);
		free(write);
		return false;
	}
	process->writes++;
	return true;
}

void process_end_input(struct process *process)
{
	process->input_ends = true;
	if (!process->writes && !process->input_closed)
		close_input(process);
}

/* --- its beginning --- */

/* What spawn gave goes to the handles; streams that no handle took stay in `spawned`. */
static int open_handles(struct process *process, uv_loop_t *loop, struct spawned *spawned)
{
	int failed;

	uv_timer_init(loop, &process->timer);
	for (int i = 0; i < STREAMS; i++)
		uv_pipe_init(loop, &process->streams[i], 0);
	process->open_handles = STREAMS + 1;
	process->timer.data = process;
	for (int i = 0; i < STREAMS; i++)
		process->streams[i].data = process;
	failed = uv_poll_init(loop, &process->watch, spawned->pid_fd);
	if (failed)
		return failed;
	process->watch.data = process;
	process->open_handles++;
	for (int i = 0; i < STREAMS && !failed; i++) {
		failed = uv_pipe_open(&process->streams[i], spawned->streams[i]);
		if (!failed)
			spawned->streams[i] = -1;
	}
	for (int i = OUT; i < STREAMS && !failed; i++)
		failed = uv_read_start((uv_stream_t *)&process->streams[i], on_allocate, on_read);
	if (!failed)
		failed = uv_poll_start(&process->watch, UV_READABLE, on_ended);
	return failed;
}

static void give_up(struct process *process, struct spawned *spawned)
{
	kill(spawned->pid, SIGKILL);
	while (waitpid(spawned->pid, NULL, 0) < 0 && errno == EINTR)
		;
	for (int i = 0; i < STREAMS; i++)
		if (spawned->streams[i] >= 0)
			close(spawned->streams[i]);
	if (process->watch.data)
		close_handle((uv_handle_t *)&process->watch);
	close(spawned->pid_fd);
	close(spawned->status_fd);
	close_handle((uv_handle_t *)&process->timer);
	for (int i = 0; i < STREAMS; i++)
		close_handle((uv_handle_t *)&process->streams[i]);
}

enum sluice_status process_start(uv_loop_t *loop, const struct command *command,
                                 const char *const *variables,
                                 const struct process_handler *handler, void *arg,
                                 struct process **process, struct sluice_error *error)
{
	struct process *made = calloc(1, sizeof(*made));
	struct spawned spawned;
	enum sluice_status status;
	int failed;

	*process = NULL;
	if (!made)
		return sluice_out_of_memory(error);
	status = spawn(command, variables, &spawned, error);
	if (status) {
		free(made);
		return status;
	}
	made->handler = handler;
	made->arg = arg;
	made->pid = spawned.pid;
	made->pid_fd = spawned.pid_fd;
	made->status_fd = spawned.status_fd;
	failed = open_handles(made, loop, &spawned);
	if (failed) {
		give_up(made, &spawned);
		return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
		                        "%s: it can't be watched: %s", command->argv[0],
		                        uv_strerror(failed));
	}
	*process = made;
	return SLUICE_OK;
}
