/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "lines.h"
#include "output.h"

enum {
	CHUNK = 256 * 1024,    /* small enough for a core's cache, read and matched in it */
	ANSWERS = 1024 * 1024, /* of a chunk, before they are written */
	HELP_AFTER = CHUNK,    /* bytes; for less than that no threads are started */
	FEW = 24,              /* matches that are sorted as they come in */
	MARKS_A_WORD = 64,
};

struct filter {
	const struct cli *cli;
	const struct sluice_matcher *matcher;
	const struct filter_name *names;
	size_t name_count;

	pthread_mutex_t input; /* guards what follows, reading included */
	int fd;
	struct sluice_buffer tail; /* the beginning of a line, read with the chunk before */
	size_t taken;              /* chunks */
	bool ended;
	struct sluice_error error; /* of reading, told when all before it is written */

	pthread_mutex_t output;
	pthread_cond_t turned;
	size_t turn; /* the chunk that may be written */

	atomic_bool stopped; /* by a failure: nothing more is read or written */
	int wake[2];         /* a pipe: ends the wait for input when that happens */
};

struct worker {
	struct filter *filter;
	pthread_t thread;
	struct sluice_scratch *scratch;
	char *text; /* the chunk, of `length` bytes */
	size_t capacity, length;
	size_t chunk; /* its number */
	struct sluice_buffer answers;
	uint64_t *marks; /* a bit for each rule that matched; clear between events */
	enum cli_exit code;
};

/* --- input --- */

/* False when the run was stopped meanwhile. */
static bool wait_for_input(struct filter *filter)
{
	struct pollfd fds[] = { { .fd = filter->fd, .events = POLLIN },
		                { .fd = filter->wake[0], .events = POLLIN } };
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	return !atomic_load(&filter->stopped);
}

static bool reserve(struct worker *worker, size_t capacity)
{
	if (capacity <= worker->capacity)
		return true;
	char *text = realloc(worker->text, capacity);
	if (!text)
		return false;
	worker->text = text;
	worker->capacity = capacity;
	return true;
}

/* Reads on until the chunk ends with a line, and leaves what is behind it for the next. */
static enum sluice_status fill(struct worker *worker)
{
	struct filter *filter = worker->filter;
	struct sluice_str tail = sluice_buffer_str(&filter->tail);

	if (!reserve(worker, CHUNK + tail.len))
		return SLUICE_ERR_NOMEM;
	if (tail.len)
		memcpy(worker->text, tail.data, tail.len);
	worker->length = tail.len;
	sluice_buffer_reset(&filter->tail);
	for (;;) {
		if (worker->length == worker->capacity && !reserve(worker, worker->capacity * 2))
			return SLUICE_ERR_NOMEM;
		if (!wait_for_input(filter)) {
			worker->length = 0;
			return SLUICE_OK;
		}
		ssize_t got = read(filter->fd, worker->text + worker->length,
		                   worker->capacity - worker->length);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return SLUICE_ERR_IO;
		if (got == 0) {
			filter->ended = true;
			return SLUICE_OK;
		}
		size_t end = worker->length + (size_t)got;
		size_t line_end = end;
		while (line_end > worker->length && worker->text[line_end - 1] != '\n')
			line_end--;
		if (line_end > worker->length) {
			sluice_buffer_append(&filter->tail, worker->text + line_end,
			                     end - line_end);
			worker->length = line_end;
			return filter->tail.failed ? SLUICE_ERR_NOMEM : SLUICE_OK;
		}
		worker->length = end;
	}
}

/* Takes the next chunk; false when there is none. */
static bool take(struct worker *worker)
{
	struct filter *filter = worker->filter;

	pthread_mutex_lock(&filter->input);
	worker->length = 0;
	if (!filter->ended && !atomic_load(&filter->stopped)) {
		enum sluice_status status = fill(worker);
		if (status != SLUICE_OK) {
			sluice_error_set(&filter->error, status, SIZE_MAX, NULL, "cannot read: %s",
			                 strerror(status == SLUICE_ERR_NOMEM ? ENOMEM : errno));
			filter->ended = true;
			worker->length = 0;
		}
	}
	if (worker->length)
		worker->chunk = filter->taken++;
	pthread_mutex_unlock(&filter->input);
	return worker->length > 0;
}

/* --- output --- */

static void stop(struct worker *worker, enum cli_exit code)
{
	struct filter *filter = worker->filter;

	worker->code = code;
	pthread_mutex_lock(&filter->output);
	atomic_store(&filter->stopped, true);
	pthread_cond_broadcast(&filter->turned);
	pthread_mutex_unlock(&filter->output);
	/* The pipe's end is never read: one byte wakes whoever waits now or later. */
	while (write(filter->wake[1], "", 1) < 0 && errno == EINTR)
		;
}

/* Writes the answers when all chunks before have been written. */
static void write_answers(struct worker *worker)
{
	struct filter *filter = worker->filter;

	pthread_mutex_lock(&filter->output);
	while (filter->turn != worker->chunk && !atomic_load(&filter->stopped))
		pthread_cond_wait(&filter->turned, &filter->output);
	pthread_mutex_unlock(&filter->output);
	/* It stays this thread's turn, so that nobody else writes. */
	if (!atomic_load(&filter->stopped) && output_text(filter->cli, &worker->answers) != CLI_OK)
		stop(worker, CLI_SYSTEM);
}

static void pass_turn(struct filter *filter)
{
	pthread_mutex_lock(&filter->output);
	filter->turn++;
	pthread_cond_broadcast(&filter->turned);
	pthread_mutex_unlock(&filter->output);
}

static void append_name(struct worker *worker, const struct filter_name *name, bool first)
{
	sluice_buffer_append(&worker->answers, name->quoted.data + first, name->quoted.len - first);
}

/* A few ids: sorted by insertion. */
static void append_few(struct worker *worker, const struct sluice_match *match)
{
	const struct filter_name *names = worker->filter->names;
	const struct filter_name *sorted[FEW];
	size_t count = 0;

	for (size_t i = 0; i < match->count; i++) {
		const struct filter_name *name = &names[match->ids[i]];
		size_t at = count;
		while (at > 0 && sorted[at - 1]->rank > name->rank)
			at--;
		if (at > 0 && sorted[at - 1]->rank == name->rank)
			continue; /* two rules of one name are one name */
		for (size_t k = count++; k > at; k--)
			sorted[k] = sorted[k - 1];
		sorted[at] = name;
	}
	for (size_t i = 0; i < count; i++)
		append_name(worker, sorted[i], i == 0);
}

/* Many: marked, and read off in the order of the names. */
static void append_many(struct worker *worker, const struct sluice_match *match)
{
	const struct filter *filter = worker->filter;
	bool first = true;

	for (size_t i = 0; i < match->count; i++)
		worker->marks[match->ids[i] / MARKS_A_WORD] |= UINT64_C(1)
		                                               << match->ids[i] % MARKS_A_WORD;
	size_t last = SIZE_MAX;
	for (size_t word = 0; word <= filter->name_count / MARKS_A_WORD; word++) {
		uint64_t marks = worker->marks[word];
		for (; marks; marks &= marks - 1) {
			size_t bit = (size_t)__builtin_ctzll(marks);
			const struct filter_name *name = &filter->names[word * MARKS_A_WORD + bit];
			if (name->rank == last)
				continue;
			append_name(worker, name, first);
			first = false;
			last = name->rank;
		}
		worker->marks[word] = 0;
	}
}

static void append_answer(struct worker *worker, const struct sluice_match *match)
{
	sluice_buffer_append(&worker->answers, "[", 1);
	if (match->count <= FEW)
		append_few(worker, match);
	else
		append_many(worker, match);
	sluice_buffer_append(&worker->answers, "]\n", 2);
}

/* --- the threads --- */

static void match_chunk(struct worker *worker)
{
	struct filter *filter = worker->filter;
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_match match;
	const char *at = worker->text, *end = worker->text + worker->length;

	while (at < end && !atomic_load_explicit(&filter->stopped, memory_order_relaxed)) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *line_end = newline ? newline : end;
		event.payload = (struct sluice_str){ at, (size_t)(line_end - at) };
		if (sluice_match(filter->matcher, worker->scratch, &event, &match) != SLUICE_OK) {
			stop(worker, fail_memory(filter->cli));
			return;
		}
		append_answer(worker, &match);
		if (worker->answers.len >= ANSWERS)
			write_answers(worker);
		at = line_end + 1;
	}
	write_answers(worker);
	pass_turn(filter);
}

static bool worker_init(struct worker *worker, struct filter *filter)
{
	*worker = (struct worker){ .filter = filter };
	worker->scratch = sluice_scratch_create();
	worker->marks = calloc(filter->name_count / MARKS_A_WORD + 1, sizeof(*worker->marks));
	return worker->scratch && worker->marks;
}

static void worker_finish(struct worker *worker)
{
	sluice_scratch_destroy(worker->scratch);
	sluice_buffer_finish(&worker->answers);
	free(worker->text);
	free(worker->marks);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	while (take(worker))
		match_chunk(worker);
	return NULL;
}

/*
 * Works through the events: alone, and once there was enough of them to be worth it with as many
 * helpers as there is memory for. Fewer of them change nothing but the time.
 */
static enum cli_exit run(struct filter *filter, struct worker *workers, size_t threads)
{
	size_t started = 1, seen = 0;
	enum cli_exit code = CLI_OK;

	if (!worker_init(&workers[0], filter))
		stop(&workers[0], fail_memory(filter->cli));
	while (take(&workers[0])) {
		seen += workers[0].length;
		if (seen >= HELP_AFTER && started == 1) {
			while (started < threads && worker_init(&workers[started], filter) &&
			       pthread_create(&workers[started].thread, NULL, work,
			                      &workers[started]) == 0)
				started++;
			if (started < threads)
				worker_finish(&workers[started]);
			threads = started;
		}
		match_chunk(&workers[0]);
	}
	for (size_t i = 1; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	for (size_t i = 0; i < started; i++) {
		code = code == CLI_OK ? workers[i].code : code;
		worker_finish(&workers[i]);
	}
	return code;
}

enum cli_exit filter_events(const struct cli *cli, const struct sluice_matcher *matcher,
                            const struct filter_name *names, size_t count, const char *path,
                            size_t threads)
{
	struct filter filter = { .cli = cli,
		                 .matcher = matcher,
		                 .names = names,
		                 .name_count = count,
		                 .input = PTHREAD_MUTEX_INITIALIZER,
		                 .output = PTHREAD_MUTEX_INITIALIZER,
		                 .turned = PTHREAD_COND_INITIALIZER };
	struct sluice_error error;
	bool standard = strcmp(path, "-") == 0;
	enum cli_exit code = CLI_SYSTEM;

	filter.fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (filter.fd < 0) {
		sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL, "cannot read: %s",
		                 strerror(errno));
		return fail(cli, CLI_SYSTEM, file_title(path), &error);
	}
	struct worker *workers = calloc(threads, sizeof(*workers));
	if (!workers) {
		fail_memory(cli);
	} else if (pipe(filter.wake) != 0) {
		sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL, "no pipe: %s",
		                 strerror(errno));
		fail(cli, CLI_SYSTEM, NULL, &error);
	} else {
		code = run(&filter, workers, threads);
		close(filter.wake[0]);
		close(filter.wake[1]);
	}
	if (code == CLI_OK && filter.error.code != SLUICE_OK)
		code = fail(cli, CLI_SYSTEM, file_title(path), &filter.error);
	free(workers);
	sluice_buffer_finish(&filter.tail);
	if (!standard)
		close(filter.fd);
	return code;
}
