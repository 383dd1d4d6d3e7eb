/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#define _GNU_SOURCE /* close_range, pipe2, setgroups */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	STREAMS = 3,
	READ_END = 0,
	WRITE_END = 1,
	BEYOND_STREAMS = 10, /* where a descriptor is moved to, out of the streams' way */
	CLOSED_BY_HAND = 4096,
};

enum step {
	STEP_STREAMS,
	STEP_LIMITS,
	STEP_GROUPS,
	STEP_GROUP,
	STEP_USER,
	STEP_DIRECTORY,
	STEP_EXECUTE,
};

static const char *const step_names[] = {
	[STEP_STREAMS] = "its streams can't be set",
	[STEP_LIMITS] = "its limits can't be set",
	[STEP_GROUPS] = "its groups can't be set",
	[STEP_GROUP] = "its group can't be set",
	[STEP_USER] = "its user can't be set",
	[STEP_DIRECTORY] = "its directory can't be entered",
	[STEP_EXECUTE] = "it can't be executed",
};

/* What a child says when it can't become the command. */
struct failure {
	enum step step;
	int error;
};

/* --- in the child, where nothing but system calls is allowed: other threads may hold any lock --- */

static _Noreturn void give_up(int status_fd, enum step step)
{
	struct failure failure = { step, errno };
	ssize_t written = write(status_fd, &failure, sizeof(failure));

	_exit(written == sizeof(failure) ? 127 : 126);
}

static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* An ignored signal (SIGPIPE) would stay ignored in the command. */
	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		sigaction(signal_number, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool take_streams(const int ends[STREAMS], int *status_fd)
{
	int moved[STREAMS];

	for (int i = 0; i < STREAMS; i++)
		if ((moved[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, BEYOND_STREAMS)) < 0)
			return false;
	if (*status_fd < STREAMS) {
		int high = fcntl(*status_fd, F_DUPFD_CLOEXEC, BEYOND_STREAMS);

		if (high < 0)
			return false;
		*status_fd = high;
	}
	for (int i = 0; i < STREAMS; i++)
		if (dup2(moved[i], i) < 0)
			return false;
	/* All others are closed on exec; until then the status may be written. */
	if (close_range(STREAMS, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		for (int fd = STREAMS; fd < CLOSED_BY_HAND; fd++)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	return true;
}

static bool set_limits(const struct command *command)
{
	for (size_t i = 0; i < command->limit_count; i++) {
		const struct command_limit *limit = &command->limits[i];
		struct rlimit bounds = { limit->value, limit->value };

		/* A second to end by itself, between SIGXCPU and SIGKILL. */
		if (limit->resource == RLIMIT_CPU)
			bounds.rlim_max++;
		if (setrlimit((unsigned)limit->resource, &bounds) != 0)
			return false;
	}
	return true;
}

static _Noreturn void become(const struct command *command, char *const *environment,
                             const int ends[STREAMS], int status_fd, pid_t parent)
{
	setsid();
	reset_signals();
	if (!take_streams(ends, &status_fd))
		give_up(status_fd, STEP_STREAMS);
	if (!set_limits(command))
		give_up(status_fd, STEP_LIMITS);
	if (command->changes_user) {
		if (setgroups(command->group_count, command->groups) != 0)
			give_up(status_fd, STEP_GROUPS);
		if (setgid(command->gid) != 0)
			give_up(status_fd, STEP_GROUP);
		if (setuid(command->uid) != 0)
			give_up(status_fd, STEP_USER);
	}
	if (chdir(command->directory) != 0)
		give_up(status_fd, STEP_DIRECTORY);
	/* A bridge that was killed leaves nobody at work on an event that others are given. Not
	 * before the user is changed, which would take it back. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	execve(command->path, command->argv, environment);
	give_up(status_fd, STEP_EXECUTE);
}

/* --- in the bridge --- */

static void close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

static char **join_environment(const struct command *command, const char *const *variables)
{
	size_t count = 0;
	char **joined;

	while (variables && variables[count])
		count++;
	joined = malloc((count + command->environment_count + 1) * sizeof(*joined));
	if (!joined)
		return NULL;
	if (count > 0)
		memcpy(joined, variables, count * sizeof(*joined));
	memcpy(joined + count, command->environment,
	       (command->environment_count + 1) * sizeof(*joined));
	return joined;
}

/* With all signals blocked: a handler of the bridge's must not run in the child. */
static pid_t fork_quietly(const struct command *command, char *const *environment,
                          int pipes[STREAMS + 1][2])
{
	const int ends[STREAMS] = { pipes[0][READ_END], pipes[1][WRITE_END], pipes[2][WRITE_END] };
	pid_t parent = getpid(), pid;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become(command, environment, ends, pipes[STREAMS][WRITE_END], parent);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

bool spawn_failure(int status_fd, char *text, size_t size)
{
	struct failure failure;

	/* It does not wait: who could write has ended, or executed, which closed it. */
	if (read(status_fd, &failure, sizeof(failure)) != (ssize_t)sizeof(failure))
		return false;
	snprintf(text, size, "the command can't be started: %s: %s", step_names[failure.step],
	         strerror(failure.error));
	return true;
}

static enum sluice_status failed(const struct command *command, struct sluice_error *error,
                                 const char *what, int number)
{
	return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%s: %s: %s",
	                        command->argv[0], what, strerror(number));
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static enum sluice_status start(const struct command *command, char *const *environment,
                                int pipes[STREAMS + 1][2], struct spawned *spawned,
                                struct sluice_error *error)
{
	pid_t pid = fork_quietly(command, environment, pipes);

	if (pid < 0)
		return failed(command, error, "no process can be made", errno);
	spawned->pid_fd = pidfd_open(pid, 0);
	if (spawned->pid_fd < 0) {
		int number = errno;

		end_child(pid);
		return failed(command, error, "it can't be watched", number);
	}
	spawned->pid = pid;
	return SLUICE_OK;
}

enum sluice_status spawn(const struct command *command, const char *const *variables,
                         struct spawned *spawned, struct sluice_error *error)
{
	int pipes[STREAMS + 1][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
	char **environment = join_environment(command, variables);
	enum sluice_status status = SLUICE_OK;

	if (!environment)
		return sluice_out_of_memory(error);
	for (int i = 0; i <= STREAMS && !status; i++)
		if (pipe2(pipes[i], O_CLOEXEC | (i == STREAMS ? O_NONBLOCK : 0)) != 0)
			status = failed(command, error, "no pipe can be made", errno);
	if (status == SLUICE_OK)
		status = start(command, environment, pipes, spawned, error);
	free(environment);
	if (status == SLUICE_OK) {
		static const int kept[STREAMS] = { WRITE_END, READ_END, READ_END };

		for (int i = 0; i < STREAMS; i++) {
			spawned->streams[i] = pipes[i][kept[i]];
			pipes[i][kept[i]] = -1;
		}
		spawned->status_fd = pipes[STREAMS][READ_END];
		pipes[STREAMS][READ_END] = -1;
	}
	for (int i = 0; i <= STREAMS; i++)
		close_pair(pipes[i]);
	return status;
}
