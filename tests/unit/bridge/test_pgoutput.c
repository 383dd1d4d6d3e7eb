/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* pgoutput's messages, made by hand, and the records that come of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "oom.h"
#include "postgres/pgoutput.h"
#include "postgres/value.h"

/* --- messages --- */

static void put(struct sluice_buffer *out, uint64_t number, int bytes)
{
	while (bytes-- > 0) {
		char byte = (char)(number >> 8 * bytes & 0xff);
		sluice_buffer_append(out, &byte, 1);
	}
}

static void put_text(struct sluice_buffer *out, const char *text)
{
	sluice_buffer_append(out, text, strlen(text) + 1);
}

static void put_begin(struct sluice_buffer *out, uint64_t lsn, uint64_t time)
{
	put(out, 'B', 1);
	put(out, lsn, 8);
	put(out, time, 8);
	put(out, 77, 4);
}

static void put_commit(struct sluice_buffer *out, uint64_t lsn, uint64_t end)
{
	put(out, 'C', 1);
	put(out, 0, 1);
	put(out, lsn, 8);
	put(out, end, 8);
	put(out, 0, 8);
}

/* A table (id int4, of the identity; v text). */
static void put_relation(struct sluice_buffer *out, uint32_t oid, char identity)
{
	put(out, 'R', 1);
	put(out, oid, 4);
	put_text(out, "public");
	put_text(out, "items");
	put(out, (uint64_t)identity, 1);
	put(out, 2, 2);
	put(out, 1, 1);
	put_text(out, "id");
	put(out, 23, 4);
	put(out, UINT32_MAX, 4);
	put(out, identity == 'f', 1);
	put_text(out, "v");
	put(out, 25, 4);
	put(out, UINT32_MAX, 4);
}

/* Values: NULL is null, "\1" unchanged. */
static void put_tuple(struct sluice_buffer *out, char kind, const char *id, const char *v)
{
	const char *values[] = { id, v };

	put(out, (uint64_t)kind, 1);
	put(out, 2, 2);
	for (int i = 0; i < 2; i++) {
		const char *value = values[i];
		put(out, !value ? 'n' : value[0] == 1 ? 'u' : 't', 1);
		if (value && value[0] != 1) {
			put(out, strlen(value), 4);
			sluice_buffer_append_text(out, value);
		}
	}
}

/* --- a decoder at work --- */

struct world {
	struct pgoutput *decoder;
	struct sluice_buffer message, records;
	uint64_t committed;
	struct sluice_error error;
};

static enum sluice_status take(void *arg, struct pgoutput_place place,
                               const struct change_record *record, struct sluice_error *error)
{
	struct world *world = arg;

	(void)error;
	assert_true(place.index > 0);
	change_record_write(record, &world->records);
	sluice_buffer_append_text(&world->records, "\n");
	return SLUICE_OK;
}

static enum sluice_status read_message(struct world *world)
{
	/* At its exact size, so that a sanitizer sees an overrun. */
	char *copy = malloc(world->message.len ? world->message.len : 1);
	enum sluice_status status;

	assert_non_null(copy);
	memcpy(copy, world->message.data, world->message.len);
	status = pgoutput_read(world->decoder, sluice_str_of(copy, world->message.len), take, world,
	                       &world->committed, &world->error);
	free(copy);
	sluice_buffer_reset(&world->message);
	return status;
}

static void begin(struct world *world)
{
	*world = (struct world){ 0 };
	world->decoder = pgoutput_create(SLUICE_STR("shop"), SLUICE_STR("7-s"));
	assert_non_null(world->decoder);
	put_relation(&world->message, 9, 'd');
	assert_int_equal(read_message(world), SLUICE_OK);
}

static void begin_transaction(struct world *world)
{
	put_begin(&world->message, 0x1A0, 1000000);
	assert_int_equal(read_message(world), SLUICE_OK);
}

static void end(struct world *world)
{
	pgoutput_destroy(world->decoder);
	sluice_buffer_finish(&world->message);
	sluice_buffer_finish(&world->records);
}

static void put_change(struct world *world, char kind)
{
	put(&world->message, (uint64_t)kind, 1);
	put(&world->message, 9, 4);
}

#define HEAD(index, name)                                                                          \
	"{\"eventID\":\"7-s-00000000000001A0-000000000" #index "\",\"eventName\":\"" name          \
	"\",\"eventSource\":\"postgres\",\"database\":\"shop\",\"schema\":\"public\","             \
	"\"table\":\"items\","
#define TAIL(index)                                                                                \
	",\"sequence_number\":\"00000000000001A0-000000000" #index                                 \
	"\",\"time\":\"2000-01-01T00:00:01.000000Z\"}\n"

static void each_change_is_a_record(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	begin_transaction(&world);
	assert_true(pgoutput_in_transaction(world.decoder));
	put_change(&world, 'I');
	put_tuple(&world.message, 'N', "1", "a\"b");
	assert_int_equal(read_message(&world), SLUICE_OK);
	put_change(&world, 'U');
	put_tuple(&world.message, 'K', "1", NULL);
	put_tuple(&world.message, 'N', "2", "\1");
	assert_int_equal(read_message(&world), SLUICE_OK);
	put_change(&world, 'D');
	put_tuple(&world.message, 'K', "2", NULL);
	assert_int_equal(read_message(&world), SLUICE_OK);
	put(&world.message, 'T', 1);
	put(&world.message, 1, 4);
	put(&world.message, 0, 1);
	put(&world.message, 9, 4);
	assert_int_equal(read_message(&world), SLUICE_OK);
	assert_int_equal(world.committed, 0);
	put_commit(&world.message, 0x1A0, 0x1D0);
	assert_int_equal(read_message(&world), SLUICE_OK);
	assert_int_equal(world.committed, 0x1D0);
	assert_false(pgoutput_in_transaction(world.decoder));
	assert_string_equal(
	        world.records.data,
	        HEAD(1,
	             "INSERT") "\"keys\":{\"id\":1},\"new_image\":{\"id\":1,"
	                       "\"v\":\"a\\\"b\"}" TAIL(1) HEAD(
	                               2,
	                               "MODIFY") "\"keys\":{\"id\":2},\"new_image\":{\"id\":2},"
	                                         "\"old_image\":{\"id\":1},\"unchanged\":["
	                                         "\"v\"]" TAIL(2) HEAD(
	                                                 3,
	                                                 "REMOVE") "\"keys\":{\"id\":2},\"old_"
	                                                           "image\":{\"id\":2}" TAIL(3) HEAD(
	                                                                   4,
	                                                                   "TRUNCATE") "\"keys"
	                                                                               "\":{"
	                                                                               "}" TAIL(4));
	end(&world);
}

static void a_full_identity_has_all_of_the_old_row_and_the_key_that_was_told(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	assert_int_equal(pgoutput_set_key(world.decoder, 9, SLUICE_STR("[\"id\"]"), NULL),
	                 SLUICE_OK);
	assert_int_equal(pgoutput_set_key(world.decoder, 9, SLUICE_STR("{}"), NULL),
	                 SLUICE_ERR_INVALID);
	put_relation(&world.message, 9, 'f');
	assert_int_equal(read_message(&world), SLUICE_OK);
	begin_transaction(&world);
	put_change(&world, 'D');
	put_tuple(&world.message, 'O', "1", NULL);
	assert_int_equal(read_message(&world), SLUICE_OK);
	/* A key that is no more tells nothing. */
	assert_int_equal(pgoutput_set_key(world.decoder, 9, SLUICE_STR("[\"gone\"]"), NULL),
	                 SLUICE_OK);
	put_relation(&world.message, 9, 'f');
	assert_int_equal(read_message(&world), SLUICE_OK);
	put_change(&world, 'D');
	put_tuple(&world.message, 'O', "1", "x");
	assert_int_equal(read_message(&world), SLUICE_OK);
	assert_string_equal(
	        world.records.data,
	        HEAD(1,
	             "REMOVE") "\"keys\":{\"id\":1},\"old_image\":{\"id\":1,"
	                       "\"v\":null}" TAIL(1) HEAD(
	                               2,
	                               "REMOVE") "\"keys\":{\"id\":1,\"v\":\"x\"},\"old_image\":{"
	                                         "\"id\":1,\"v\":\"x\"}" TAIL(2));
	end(&world);
}

/* A message with `cut` bytes off its end, in a transaction. */
static void check_cut(void (*make)(struct world *), size_t cut)
{
	struct world world;

	begin(&world);
	begin_transaction(&world);
	make(&world);
	if (cut < world.message.len) {
		world.message.len -= cut;
		assert_int_equal(read_message(&world), SLUICE_ERR_CORRUPT);
		assert_int_equal(world.records.len, 0);
	}
	end(&world);
}

static void make_insert(struct world *world)
{
	put_change(world, 'I');
	put_tuple(&world->message, 'N', "1", "a");
}

static void make_update(struct world *world)
{
	put_change(world, 'U');
	put_tuple(&world->message, 'O', "1", "a");
	put_tuple(&world->message, 'N', "1", "b");
}

static void make_relation(struct world *world)
{
	put_relation(&world->message, 9, 'd');
}

static void make_truncate(struct world *world)
{
	put(&world->message, 'T', 1);
	put(&world->message, 2, 4);
	put(&world->message, 0, 1);
	put(&world->message, 9, 4);
	put(&world->message, 9, 4);
}

static void a_message_that_ends_too_early_is_refused_whole(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < 60; cut++) {
		check_cut(make_insert, cut);
		check_cut(make_update, cut);
		check_cut(make_relation, cut);
		check_cut(make_truncate, cut);
	}
}

static void what_is_no_message_of_version_1_is_never_passed_over(void **state)
{
	static const char kinds[] = "SEcAMPbrpK\0 ~";
	struct world world;

	(void)state;
	begin(&world);
	begin_transaction(&world);
	for (size_t i = 0; i < sizeof(kinds) - 1; i++) {
		sluice_buffer_append(&world.message, &kinds[i], 1);
		assert_int_equal(read_message(&world), SLUICE_ERR_CORRUPT);
	}
	/* Another table, a transaction within this one, the end of another. */
	put(&world.message, 'I', 1);
	put(&world.message, 10, 4);
	put_tuple(&world.message, 'N', "1", "a");
	assert_int_equal(read_message(&world), SLUICE_ERR_CORRUPT);
	put_begin(&world.message, 0x1B0, 0);
	assert_int_equal(read_message(&world), SLUICE_ERR_CORRUPT);
	put_commit(&world.message, 0x1B0, 0x1D0);
	assert_int_equal(read_message(&world), SLUICE_ERR_CORRUPT);
	make_insert(&world);
	sluice_buffer_append_text(&world.message, "x");
	assert_int_equal(read_message(&world), SLUICE_ERR_CORRUPT);
	/* After a reset nothing is described, and no transaction under way. */
	pgoutput_reset(world.decoder);
	make_insert(&world);
	assert_int_equal(read_message(&world), SLUICE_ERR_CORRUPT);
	begin_transaction(&world);
	make_insert(&world);
	assert_int_equal(read_message(&world), SLUICE_ERR_CORRUPT);
	assert_int_equal(world.records.len, 0);
	/* What says nothing of a row. */
	sluice_buffer_append_text(&world.message, "Y1234public");
	assert_int_equal(read_message(&world), SLUICE_OK);
	sluice_buffer_append_text(&world.message, "O12345678name");
	assert_int_equal(read_message(&world), SLUICE_OK);
	end(&world);
}

static void any_time_is_a_time(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ INT64_C(1767225600123456), "2026-01-01T00:00:00.123456Z" },
		{ INT64_MAX, "1970-01-01T00:00:00.000000Z" },
		{ INT64_MIN, "1970-01-01T00:00:00.000000Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_buffer out = { 0 };
		change_write_time(&out, cases[i].us);
		assert_string_equal(out.data, cases[i].text);
		sluice_buffer_finish(&out);
	}
}

static void memory_that_runs_out_is_told(void **state)
{
	enum sluice_status status = SLUICE_OK;

	(void)state;
	for (size_t n = 1; n < 1000; n++) {
		struct world world;
		begin(&world);
		begin_transaction(&world);
		put_relation(&world.message, 10, 'd');
		sluice_buffer_append_text(&world.records, "room for the record to come: "
		                                          "its writing is not what is tested");
		oom_fail_at(n);
		uint64_t committed;
		status = pgoutput_read(world.decoder, sluice_buffer_str(&world.message), take,
		                       &world, &committed, NULL);
		sluice_buffer_reset(&world.message);
		bool happened = oom_happened();
		if (status == SLUICE_OK) {
			make_update(&world);
			oom_fail_at(n);
			status = pgoutput_read(world.decoder, sluice_buffer_str(&world.message),
			                       take, &world, &committed, NULL);
			happened = oom_happened();
		}
		assert_true(status == SLUICE_OK || status == SLUICE_ERR_NOMEM);
		end(&world);
		if (!happened)
			return;
	}
	fail();
}

/* --- values --- */

static const struct {
	uint32_t type;
	const char *text, *json;
} values[] = {
	{ 23, "-5", "-5" },
	{ 701, "1e+20", "1e+20" },
	{ 701, "Infinity", "\"Infinity\"" },
	{ 1700, "NaN", "\"NaN\"" },
	{ 1700, "1.", "\"1.\"" },
	{ 1700, "01", "\"01\"" },
	{ 1700, "-", "\"-\"" },
	{ 1700, "", "\"\"" },
	{ 1700, "123456789012345678901234567890.000", "123456789012345678901234567890.000" },
	{ 16, "t", "true" },
	{ 16, "f", "false" },
	{ 17, "\\x", "\"\"" },
	{ 17, "\\x00", "\"AA==\"" },
	{ 17, "\\x0001ff", "\"AAH/\"" },
	{ 17, "\\x0", "\"0\"" },
	{ 17, "\\xzz", "\"zz\"" },
	{ 114, "{\"a\": 1}", "{\"a\":1}" },
	{ 114, "{\"a\": ", "\"{\\\"a\\\": \"" },
	{ 3802, "\"x\"", "\"x\"" },
	{ 25, "{1,2}", "\"{1,2}\"" },
	{ 1007, "{1,2}", "[1,2]" },
	{ 1007, "{}", "[]" },
	{ 1007, "{{1},{2}}", "[[1],[2]]" },
	{ 1007, "[2:3]={1,2}", "\"[2:3]={1,2}\"" },
	{ 1007, "{1,2", "\"{1,2\"" },
	{ 1007, "{1,}", "\"{1,}\"" },
	{ 1007, "{1}}", "\"{1}}\"" },
	{ 1007, "{{{{{{{1}}}}}}}", "\"{{{{{{{1}}}}}}}\"" },
	{ 1009, "{\"a\\\\b\",NULL,\"NULL\",\"\"}", "[\"a\\\\b\",null,\"NULL\",\"\"]" },
	{ 1009, "{\"a", "\"{\\\"a\"" },
	{ 1009, "{a\\", "\"{a\\\\\"" },
	{ 1000, "{t,f}", "[true,false]" },
	{ 3807, "{\"{\\\"a\\\": 1}\"}", "[{\"a\":1}]" },
	{ 99999, "sad", "\"sad\"" },
};

static void a_value_is_what_json_has_for_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct sluice_buffer out = { 0 };
		postgres_value_write(&out, values[i].type, sluice_str(values[i].text));
		assert_string_equal(sluice_buffer_str(&out).data, values[i].json);
		assert_int_equal(out.len, strlen(values[i].json));
		sluice_buffer_finish(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_is_a_record),
		cmocka_unit_test(a_full_identity_has_all_of_the_old_row_and_the_key_that_was_told),
		cmocka_unit_test(a_message_that_ends_too_early_is_refused_whole),
		cmocka_unit_test(what_is_no_message_of_version_1_is_never_passed_over),
		cmocka_unit_test(any_time_is_a_time),
		cmocka_unit_test(memory_that_runs_out_is_told),
		cmocka_unit_test(a_value_is_what_json_has_for_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
