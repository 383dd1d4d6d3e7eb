/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A store in a temporary folder, and the sqlite3 shell as somebody else who writes it. */
#ifndef STORE_HELPER_H
#define STORE_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sluice/buffer.h"
#include "sluice_store/store.h"

struct place {
	char folder[64];
	char db[96]; /* folder/sluice.db, which does not exist yet */
	char shell_output[8192];
};

static inline int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	/* In memory where that can be had: a process that is killed is all that the tests survive. */
	snprintf(place->folder, sizeof(place->folder), "%s/sluice-store-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(place->folder))
		return -1;
	snprintf(place->db, sizeof(place->db), "%s/sluice.db", place->folder);
	*state = place;
	return 0;
}

static inline int remove_place(void **state)
{
	struct place *place = *state;
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", place->folder);
	int result = system(command);
	free(place);
	return result;
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

/* Runs a command of the shell; $DB is the store, $DIR its folder. Returns its exit code. */
static inline int run(struct place *place, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
static inline int run(struct place *place, const char *format, ...)
{
	char command[4096];
	int len = snprintf(command, sizeof(command), "DIR=%s; DB=%s; exec 2>&1\n", place->folder,
	                   place->db);
	va_list args;
	va_start(args, format);
	vsnprintf(command + len, sizeof(command) - (size_t)len, format, args);
	va_end(args);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	size_t size = fread(place->shell_output, 1, sizeof(place->shell_output) - 1, pipe);
	place->shell_output[size] = 0;
	int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Runs SQL in the sqlite3 shell, as a person would; a failure is a failure of the test. */
#define sql(place, text)                                                                           \
	do {                                                                                       \
		if (run(place, "sqlite3 -batch -bail $DB <<'END'\n%s\nEND", text) != 0)            \
			fail_msg("%s: %s", text, (place)->shell_output);                           \
	} while (0)

/* Runs SQL that the schema must refuse, with this in the message. */
#define sql_refused(place, text, message)                                                          \
	do {                                                                                       \
		assert_int_not_equal(                                                              \
		        run(place, "sqlite3 -batch -bail $DB <<'END'\n%s\nEND", text), 0);         \
		if (!strstr((place)->shell_output, message))                                       \
			fail_msg("%s: expected \"%s\", got: %s", text, message,                    \
			         (place)->shell_output);                                           \
	} while (0)

#define sql_gives(place, text, expected)                                                           \
	do {                                                                                       \
		sql(place, text);                                                                  \
		assert_string_equal((place)->shell_output, expected);                              \
	} while (0)

#define assert_ok(call, error)                                                                     \
	do {                                                                                       \
		if ((call) != SLUICE_OK)                                                           \
			fail_msg("%s: %s", #call, (error).message);                                \
	} while (0)

#define assert_status(call, expected)                                                              \
	assert_string_equal(sluice_status_name(call), sluice_status_name(expected))

static inline struct sluice_store *open_store(struct place *place, unsigned flags)
{
	struct sluice_store *store;
	struct sluice_error error;
	assert_ok(sluice_store_open(place->db, flags, &store, &error), error);
	return store;
}

static inline struct sluice_store *create_store(struct place *place)
{
	return open_store(place, SLUICE_STORE_CREATE);
}

/* Puts a rule from its JSON; returns its revision. */
static inline int64_t put(struct sluice_store *store, const char *json)
{
	struct sluice_rule *rule;
	struct sluice_error error;
	int64_t revision = -1;
	assert_ok(sluice_rule_parse(sluice_str(json), &rule, &error), error);
	assert_ok(sluice_store_put(store, sluice_definition_of_rule(rule),
	                           SLUICE_STORE_ANY_REVISION, &revision, &error),
	          error);
	sluice_rule_destroy(rule);
	return revision;
}

static inline int64_t put_bus(struct sluice_store *store, const char *json)
{
	struct sluice_bus *bus;
	struct sluice_error error;
	int64_t revision = -1;
	assert_ok(sluice_bus_parse(sluice_str(json), &bus, &error), error);
	assert_ok(sluice_store_put(store, sluice_definition_of_bus(bus), SLUICE_STORE_ANY_REVISION,
	                           &revision, &error),
	          error);
	sluice_bus_destroy(bus);
	return revision;
}

/* Puts a rule with a pattern that matches x = value and one target. */
static inline int64_t put_named(struct sluice_store *store, const char *name, int value)
{
	char json[256];
	snprintf(json, sizeof(json),
	         "{\"name\":\"%s\",\"pattern\":{\"x\":[%d]},"
	         "\"targets\":[{\"id\":\"t\",\"topic\":\"out/%s\"}]}",
	         name, value, name);
	return put(store, json);
}

/* The text of all rows, a line each. */
static inline bool collect_row(void *arg, const struct sluice_store_row *row)
{
	struct sluice_buffer *lines = arg;
	sluice_buffer_append_str(lines, row->text);
	if (row->error.data) {
		sluice_buffer_append_text(lines, " ! ");
		sluice_buffer_append_str(lines, row->error);
	}
	sluice_buffer_append_text(lines, "\n");
	return true;
}

#define assert_rule(store, name, expected)                                                         \
	do {                                                                                       \
		struct sluice_buffer got_ = { 0 };                                                 \
		struct sluice_error error_;                                                        \
		assert_ok(sluice_store_get(store, SLUICE_STORE_RULE, sluice_str(name),             \
		                           collect_row, &got_, &error_),                           \
		          error_);                                                                 \
		assert_string_equal(sluice_buffer_str(&got_).data, expected "\n");                 \
		sluice_buffer_finish(&got_);                                                       \
	} while (0)

/* What a poll tells: "+rule a", "-bus b", in the order told. */
static inline void collect_change(void *arg, enum sluice_store_kind kind,
                                  const struct sluice_store_row *row)
{
	struct sluice_buffer *lines = arg;
	sluice_buffer_printf(lines, "%s%s%s %.*s", lines->len ? ", " : "",
	                     row->text.data ? "+" : "-", sluice_store_noun(kind),
	                     (int)row->name.len, row->name.data);
}

static inline void poll_is(struct sluice_store *store, const char *expected, const char *file,
                           int line)
{
	struct sluice_buffer got = { 0 };
	struct sluice_error error;
	enum sluice_status status = sluice_store_poll(store, collect_change, &got, &error);
	if (status != SLUICE_OK)
		fail_msg("%s:%d: poll: %s", file, line, error.message);
	if (!sluice_str_equal(sluice_buffer_str(&got), sluice_str(expected)))
		fail_msg("%s:%d: expected \"%s\", got \"%.*s\"", file, line, expected, (int)got.len,
		         sluice_buffer_str(&got).data);
	sluice_buffer_finish(&got);
}
#define assert_poll(store, expected) poll_is(store, expected, __FILE__, __LINE__)

/* A poll that must fail with this status, tell nothing, and have this in its message. */
static inline void poll_fails(struct sluice_store *store, enum sluice_status expected,
                              const char *message, const char *file, int line)
{
	struct sluice_buffer got = { 0 };
	struct sluice_error error = { 0 };
	enum sluice_status status = sluice_store_poll(store, collect_change, &got, &error);
	if (status != expected || !strstr(error.message, message) || got.len > 0)
		fail_msg("%s:%d: expected %s \"%s\", got %s \"%s\" \"%s\"", file, line,
		         sluice_status_name(expected), message, sluice_status_name(status),
		         error.message, got.len ? got.data : "");
	sluice_buffer_finish(&got);
}
#define assert_poll_fails(store, status, message)                                                  \
	poll_fails(store, status, message, __FILE__, __LINE__)

/* Opening must fail with this status, and have this in its message. */
static inline void open_fails(struct place *place, unsigned flags, enum sluice_status expected,
                              const char *message, const char *file, int line)
{
	struct sluice_store *store;
	struct sluice_error error = { 0 };
	enum sluice_status status = sluice_store_open(place->db, flags, &store, &error);
	if (status != expected || !strstr(error.message, message) || store)
		fail_msg("%s:%d: expected %s \"%s\", got %s \"%s\"", file, line,
		         sluice_status_name(expected), message, sluice_status_name(status),
		         error.message);
}
#define assert_open_fails(place, flags, status, message)                                           \
	open_fails(place, flags, status, message, __FILE__, __LINE__)

#endif
