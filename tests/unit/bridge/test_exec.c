/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Commands that run: what they are started with, how they end, what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "exec/command.h"
#include "exec/last_line.h"
#include "exec/line.h"
#include "exec/process.h"
#include "oom.h"

/* --- a command from its settings --- */

/* As a bridge that is root demands it. */
static struct sluice_json_doc *settings_of(const char *command, const char *more)
{
	static char text[1024];
	struct sluice_json_doc *doc;

	snprintf(text, sizeof(text), "{\"command\":%s%s%s}", command,
	         geteuid() == 0 ? ",\"user\":\"root\"" : "", more);
	assert_int_equal(sluice_json_parse(sluice_str(text), 0, 8, &doc, NULL), SLUICE_OK);
	return doc;
}

static struct command *make_command(const char *command_text, const char *more)
{
	struct sluice_json_doc *doc = settings_of(command_text, more);
	struct command *command;
	struct sluice_error error;

	if (command_create(sluice_json_root(doc), &command, &error) != SLUICE_OK)
		fail_msg("%s: %s", command_text, error.message);
	sluice_json_destroy(doc);
	return command;
}

static const char *refused(const char *command_text, const char *more)
{
	static struct sluice_error error;
	struct sluice_json_doc *doc = settings_of(command_text, more);
	struct command *command;

	assert_int_not_equal(command_create(sluice_json_root(doc), &command, &error), SLUICE_OK);
	assert_null(command);
	sluice_json_destroy(doc);
	return error.message;
}

static void test_a_command_is_read_from_its_settings(void **state)
{
	(void)state;
	struct command *command =
	        make_command("[\"sh\",\"-c\",\"\"]", ",\"environment\":{\"A\":\"b=c\",\"PATH\":\"/"
	                                             "nowhere:/bin\"},\"directory\":\"/tmp\","
	                                             "\"limits\":{\"files\":7,\"cpu_s\":1}");

	assert_string_equal(command->path, "/bin/sh");
	assert_string_equal(command->argv[0], "sh");
	assert_string_equal(command->argv[2], "");
	assert_null(command->argv[3]);
	assert_string_equal(command->environment[0], "A=b=c");
	assert_string_equal(command->environment[1], "PATH=/nowhere:/bin");
	assert_string_equal(command->directory, "/tmp");
	assert_int_equal(command->limit_count, 2);
	assert_int_equal(command->limits[0].resource, RLIMIT_CPU);
	assert_int_equal(command->limits[1].value, 7);
	command_destroy(command);
	command_destroy(NULL);
}

static void test_a_command_that_cant_be_is_refused(void **state)
{
	(void)state;
	assert_string_equal(refused("[\"no-such-program\"]", ""),
	                    "there is no program no-such-program");
	assert_string_equal(refused("[\"/etc/passwd\"]", ""), "there is no program /etc/passwd");
	assert_string_equal(refused("[\"\"]", ""), "there is no program ");
	assert_string_equal(refused("[\"a\\u0000b\"]", ""), "must hold no NUL");
	assert_string_equal(refused("[\"true\"]", ",\"environment\":{\"A=\":\"b\"}"),
	                    "a variable's name must be no \"…=…\"");
	assert_string_equal(refused("[\"true\"]", ",\"environment\":{\"A\":\"b\\u0000\"}"),
	                    "must hold no NUL");
	assert_string_equal(refused("[\"true\"]", ",\"group\":\"no-such-group\""),
	                    "there is no group no-such-group");
}

static void test_reading_a_command_without_memory_fails_and_leaks_nothing(void **state)
{
	(void)state;
	struct sluice_json_doc *doc = settings_of("[\"true\"]", ",\"environment\":{\"A\":\"b\"}");
	struct command *command;

	for (size_t n = 1;; n++) {
		oom_fail_at(n);
		enum sluice_status status = command_create(sluice_json_root(doc), &command, NULL);
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			break;
		}
		assert_int_equal(status, SLUICE_ERR_NOMEM);
		assert_null(command);
	}
	command_destroy(command);
	sluice_json_destroy(doc);
}

/* --- a process --- */

struct run {
	uv_loop_t loop;
	struct process *process;
	struct sluice_buffer output;
	bool ended;
	enum outcome outcome;
	char reason[PROCESS_REASON_SIZE];
};

static void on_output(void *arg, const char *data, size_t len)
{
	sluice_buffer_append(&((struct run *)arg)->output, data, len);
}

static void on_ended(void *arg, const struct process_end *end)
{
	struct run *run = arg;

	assert_false(run->ended);
	run->ended = true;
	run->outcome = process_outcome(end, 100, run->reason);
}

static const struct process_handler handler = { on_output, on_ended };

static void begin(struct run *run, const char *shell, const char *more)
{
	struct sluice_buffer text = { 0 };
	struct command *command;
	struct sluice_error error;
	const char *const variables[] = { "SLUICE_ID=7", NULL };

	sluice_buffer_append_text(&text, "[\"/bin/sh\",\"-c\",");
	sluice_json_write_string(&text, sluice_str(shell));
	sluice_buffer_append_text(&text, "]");
	command = make_command(text.data, more);
	sluice_buffer_finish(&text);
	*run = (struct run){ 0 };
	assert_int_equal(uv_loop_init(&run->loop), 0);
	if (process_start(&run->loop, command, variables, &handler, run, &run->process, &error))
		fail_msg("%s", error.message);
	command_destroy(command);
}

static void finish(struct run *run)
{
	uv_run(&run->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&run->loop), 0);
	/* No zombie: there is no child at all. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static const char *output(struct run *run)
{
	return run->output.data ? run->output.data : "";
}

static void write_text(struct run *run, const char *text)
{
	assert_true(process_write(run->process, strdup(text), strlen(text)));
}

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (directory && readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void test_a_process_reads_writes_and_ends(void **state)
{
	(void)state;
	struct run run;
	int before = 0;

	for (int round = 0; round < 2; round++) {
		begin(&run, "cat; echo \" $SLUICE_ID\"", "");
		write_text(&run, "one ");
		write_text(&run, "two");
		process_end_input(run.process);
		finish(&run);
		assert_true(run.ended);
		assert_int_equal(run.outcome, OUTCOME_DONE);
		assert_string_equal(output(&run), "one two 7\n");
		sluice_buffer_finish(&run.output);
		/* The first loop of all opens what it keeps. */
		if (round == 0)
			before = count_descriptors();
	}
	assert_int_equal(count_descriptors(), before);
}

static void test_what_its_end_means(void **state)
{
	(void)state;
	static const struct {
		const char *shell;
		enum outcome outcome;
		const char *reason;
	} cases[] = {
		{ "exit 0", OUTCOME_DONE, "" },
		{ "echo why >&2; exit 1", OUTCOME_RETRY, "exit status 1: why" },
		{ "exit 64", OUTCOME_RETRY, "exit status 64" },
		{ "exit 65", OUTCOME_PERMANENT, "exit status 65" },
		{ "exit 75", OUTCOME_RETRY, "exit status 75" },
		{ "exit 100", OUTCOME_PERMANENT, "exit status 100" },
		{ "echo a >&2; kill -9 $$", OUTCOME_RETRY, "ended by SIGKILL: a" },
		{ "kill -TERM $$", OUTCOME_RETRY, "ended by SIGTERM" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run run;

		begin(&run, cases[i].shell, "");
		process_end_input(run.process);
		finish(&run);
		assert_int_equal(run.outcome, cases[i].outcome);
		assert_string_equal(run.reason, cases[i].reason);
	}
}

static void test_a_deadline_ends_it(void **state)
{
	(void)state;
	struct run run;

	begin(&run, "echo begun; exec sleep 60", "");
	process_set_deadline(run.process, 100);
	finish(&run);
	assert_true(run.ended);
	assert_int_equal(run.outcome, OUTCOME_RETRY);
	assert_string_equal(run.reason, "not done within 100 ms");
	assert_string_equal(output(&run), "begun\n");
	sluice_buffer_finish(&run.output);
}

static void test_who_is_left_is_ended_and_not_heard_of(void **state)
{
	(void)state;
	struct run run;

	begin(&run, "yes", "");
	process_leave(run.process);
	finish(&run);
	assert_false(run.ended);
	assert_int_equal(run.output.len, 0);
}

static void test_who_holds_the_streams_does_not_hold_its_end(void **state)
{
	(void)state;
	struct run run;
	uint64_t begun = uv_hrtime();

	/* In a session of its own: no part of its process group. */
	begin(&run, "setsid sh -c 'sleep 3' & echo here", "");
	process_end_input(run.process);
	uv_run(&run.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&run.loop), 0);
	assert_true(run.ended);
	assert_true(uv_hrtime() - begun < UINT64_C(2500000000));
	assert_string_equal(output(&run), "here\n");
	sluice_buffer_finish(&run.output);
}

static void test_what_cant_be_executed_is_told(void **state)
{
	(void)state;
	struct run run;
	int before = count_descriptors();

	begin(&run, "exit 0", ",\"directory\":\"/no/such\"");
	process_end_input(run.process);
	finish(&run);
	assert_int_equal(run.outcome, OUTCOME_RETRY);
	assert_string_equal(run.reason,
	                    "the command can't be started: its directory can't be entered: "
	                    "No such file or directory");
	assert_int_equal(count_descriptors(), before);
}

static void test_a_start_without_memory_fails_and_leaves_nobody(void **state)
{
	(void)state;
	struct command *command = make_command("[\"/bin/true\"]", "");
	struct process *process;
	struct run run = { 0 };

	assert_int_equal(uv_loop_init(&run.loop), 0);
	for (size_t n = 1;; n++) {
		oom_fail_at(n);
		enum sluice_status status =
		        process_start(&run.loop, command, NULL, &handler, &run, &process, NULL);
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			break;
		}
		assert_int_equal(status, SLUICE_ERR_NOMEM);
		assert_null(process);
	}
	process_end_input(process);
	finish(&run);
	assert_true(run.ended);
	command_destroy(command);
}

/* --- its last line --- */

static const char *last_line_of(const char *text, size_t len, size_t step)
{
	static struct last_line line;

	line = (struct last_line){ 0 };
	for (size_t at = 0; at < len; at += step)
		last_line_add(&line, text + at, len - at < step ? len - at : step);
	return last_line_text(&line);
}

static void test_the_last_line_that_is_not_empty(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "" },
		{ "\n\r\n", "" },
		{ "one", "one" },
		{ "one\ntwo\n\n", "two" },
		{ "one\r\n", "one" },
		{ "a\001\x7f\xc3\xa9\xff!", "a??\xc3\xa9?!" },
		{ "cut \xc3", "cut ?" },
	};
	char longer[1000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 1; step < 4; step++)
			assert_string_equal(last_line_of(cases[i][0], strlen(cases[i][0]), step),
			                    cases[i][1]);
	memset(longer, 'x', sizeof(longer));
	assert_int_equal(strlen(last_line_of(longer, sizeof(longer), 7)), LAST_LINE_SIZE - 1);
}

/* --- lines of JSON --- */

static void write_event(const char *payload, size_t len, struct sluice_buffer *out)
{
	struct delivery delivery = { .attempt = 2 };

	delivery.event = SLUICE_EVENT_INIT;
	delivery.event.topic = SLUICE_STR("a/\"b");
	delivery.event.payload = (struct sluice_str){ payload, len };
	delivery.vars = (struct sluice_vars){ .event = &delivery.event,
		                              .id = SLUICE_STR("id-1"),
		                              .rule = SLUICE_STR("hot"),
		                              .time_ms = 1767323045678 };
	line_write_event(&delivery, out);
}

static void test_an_event_is_one_line(void **state)
{
	(void)state;
#define HEAD                                                                                       \
	"{\"id\":\"id-1\",\"topic\":\"a/\\\"b\",\"rule\":\"hot\","                                 \
	"\"time\":\"2026-01-02T03:04:05.678Z\",\"attempt\":2,"
	static const struct {
		const char *payload;
		size_t len;
		const char *line;
	} cases[] = {
		{ "{ \"a\":\n [1, \"x y\"] }", 20, HEAD "\"payload\":{\"a\":[1,\"x y\"]}}\n" },
		{ " 12 ", 4, HEAD "\"payload\":12}\n" },
		{ "{\"a\":", 5, HEAD "\"payload_base64\":\"eyJhIjo=\"}\n" },
		{ "\xff\0", 2, HEAD "\"payload_base64\":\"/wA=\"}\n" },
		{ NULL, 0, HEAD "\"payload_base64\":\"\"}\n" },
	};
#undef HEAD

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_buffer out = { 0 };

		write_event(cases[i].payload, cases[i].len, &out);
		assert_false(out.failed);
		assert_string_equal(out.data, cases[i].line);
		sluice_buffer_finish(&out);
	}
}

/* What an answer says, in words. */
static const char *read_answer(const char *line)
{
	static char words[1024];
	struct line_answer answer;
	struct sluice_error error;

	if (line_read_answer(sluice_str(line), &answer, &error) != SLUICE_OK) {
		snprintf(words, sizeof(words), "%s: %s", error.place, error.message);
		return words;
	}
	snprintf(words, sizeof(words), "%.*s %s %s %lld <%.*s> <%.*s>", (int)answer.id.len,
	         answer.id.data, answer.ok ? "ok" : "no", answer.retry ? "retry" : "dead",
	         (long long)answer.delay_ms, (int)answer.error.len,
	         answer.error.len ? answer.error.data : "", (int)answer.payload.len,
	         answer.payload.data ? answer.payload.data : "-");
	line_answer_finish(&answer);
	return words;
}

static void test_an_answer_is_read(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "{\"id\":\"7\",\"ok\":true}", "7 ok retry -1 <> <>" },
		{ " {\"ok\":true,\"id\":\"7\",\"more\":[1]}\r", "7 ok retry -1 <> <>" },
		{ "{\"id\":\"7\",\"ok\":true,\"payload\":{\"a\": 1}}",
		  "7 ok retry -1 <> <{\"a\": 1}>" },
		{ "{\"id\":\"7\",\"ok\":true,\"payload\":\"a\\nb\"}", "7 ok retry -1 <> <a\nb>" },
		{ "{\"id\":\"7\",\"ok\":true,\"payload\":null}", "7 ok retry -1 <> <>" },
		{ "{\"id\":\"7\",\"ok\":true,\"payload_base64\":\"YWI=\"}",
		  "7 ok retry -1 <> <ab>" },
		{ "{\"id\":\"7\",\"ok\":false,\"error\":\"bad\",\"retry\":false}",
		  "7 no dead -1 <bad> <>" },
		{ "{\"id\":\"7\",\"ok\":false,\"delay_ms\":50}", "7 no retry 50 <> <>" },
		{ "{\"id\":7,\"ok\":true}", "$: an answer must have an \"id\" and \"ok\"" },
		{ "{\"id\":\"7\"}", "$: an answer must have an \"id\" and \"ok\"" },
		{ "[]", "$: an answer must have an \"id\" and \"ok\"" },
		{ "{\"id\":\"7\",\"ok\":1}", "$.ok: must be true or false" },
		{ "{\"id\":\"7\",\"ok\":false,\"error\":1}", "$.error: must be a string" },
		{ "{\"id\":\"7\",\"ok\":false,\"delay_ms\":-1}",
		  "$.delay_ms: must be a number of milliseconds" },
		{ "{\"id\":\"7\",\"ok\":true,\"payload_base64\":\"YWI\"}",
		  "$.payload_base64: must be base64" },
		{ "{\"id\":\"7\",\"ok\":true,\"payload\":1,\"payload_base64\":\"YWI=\"}",
		  "$.payload_base64: must be base64, without a \"payload\" beside it" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *words = read_answer(cases[i][0]);

		/* An absent text prints "-", of which no character is asked. */
		if (strcmp(words, cases[i][1]) != 0)
			fail_msg("%s: expected %s, got %s", cases[i][0], cases[i][1], words);
	}
}

static void test_an_answer_without_memory_is_none(void **state)
{
	(void)state;
	static const char line[] = "{\"id\":\"7\",\"ok\":true,\"payload_base64\":\"YWI=\"}";
	struct line_answer answer;

	for (size_t n = 1;; n++) {
		oom_fail_at(n);
		enum sluice_status status = line_read_answer(sluice_str(line), &answer, NULL);
		if (!oom_happened()) {
			assert_int_equal(status, SLUICE_OK);
			break;
		}
		assert_int_equal(status, SLUICE_ERR_NOMEM);
	}
	line_answer_finish(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_command_is_read_from_its_settings),
		cmocka_unit_test(test_a_command_that_cant_be_is_refused),
		cmocka_unit_test(test_reading_a_command_without_memory_fails_and_leaks_nothing),
		cmocka_unit_test(test_a_process_reads_writes_and_ends),
		cmocka_unit_test(test_what_its_end_means),
		cmocka_unit_test(test_a_deadline_ends_it),
		cmocka_unit_test(test_who_is_left_is_ended_and_not_heard_of),
		cmocka_unit_test(test_who_holds_the_streams_does_not_hold_its_end),
		cmocka_unit_test(test_what_cant_be_executed_is_told),
		cmocka_unit_test(test_a_start_without_memory_fails_and_leaves_nobody),
		cmocka_unit_test(test_the_last_line_that_is_not_empty),
		cmocka_unit_test(test_an_event_is_one_line),
		cmocka_unit_test(test_an_answer_is_read),
		cmocka_unit_test(test_an_answer_without_memory_is_none),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
