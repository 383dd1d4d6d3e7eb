/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Records as they stand in the journal: what is written is read, and nothing else is. */
#include "store_helper.h"

#include "sluice_store/record.h"

/* The least that a reader takes of a kind. */
static struct sluice_record least(enum sluice_record_kind kind)
{
	struct sluice_record record = { .kind = kind };
	if (kind != SLUICE_RECORD_FIRED)
		record.queue = SLUICE_STR("q");
	if (kind != SLUICE_RECORD_FIRED && kind != SLUICE_RECORD_SEEN)
		record.id = 1;
	switch (kind) {
	case SLUICE_RECORD_MOVE:
		record.to_queue = SLUICE_STR("d");
		record.new_id = 2;
		break;
	case SLUICE_RECORD_SEEN:
		record.dedup_until_ms = 5;
		break;
	case SLUICE_RECORD_FIRED:
		record.rule = SLUICE_STR("r");
		record.time_ms = 7;
		break;
	default:
		break;
	}
	return record;
}

static struct sluice_record full(void)
{
	return (struct sluice_record){
		.kind = SLUICE_RECORD_ENQUEUE,
		.queue = SLUICE_STR("q"),
		.id = INT64_MAX,
		.to_queue = SLUICE_STR("d"),
		.new_id = 0x0102030405060708,
		.event_id = SLUICE_STR("e"),
		.time_ms = -1,
		.bus = SLUICE_STR("b"),
		.rule = SLUICE_STR("r"),
		.target = SLUICE_STR("t"),
		.topic = SLUICE_STR("a/b"),
		.client_id = SLUICE_STR("c"),
		.username = SLUICE_STR(""),
		.qos = 2,
		.retain = true,
		.properties = SLUICE_STR("\0p"),
		.payload = SLUICE_STR("{\"x\":1}\0\xff"),
		.enqueued_ms = 11,
		.due_ms = 12,
		.parked = true,
		.group = SLUICE_STR("g"),
		.attempts = UINT32_MAX,
		.receipt = { 0, 1, [11] = 2 },
		.deadline_ms = 13,
		.worker = SLUICE_STR("w"),
		.reason = SLUICE_STR("why"),
		.origin = SLUICE_STR("o"),
		.error = SLUICE_STR("{}"),
		.dedup = { [15] = 9 },
		.dedup_until_ms = 14,
	};
}

/* Read with the frame at its exact size, so that a sanitizer sees an overrun. */
static enum sluice_status read_copy(const unsigned char *bytes, size_t len)
{
	unsigned char *frame = malloc(len ? len : 1);
	size_t offset = 0;
	struct sluice_record record;
	struct sluice_error error = { .code = SLUICE_OK };
	memcpy(frame, bytes, len);
	enum sluice_status status = sluice_record_read(frame, len, &offset, &record, &error);
	assert_int_equal(error.code, status);
	if (status != SLUICE_OK)
		assert_int_equal(offset, 0);
	free(frame);
	return status;
}

static void test_a_record_comes_back_with_all_its_members(void **state)
{
	unsigned char frame[512], again[512];
	struct sluice_record written = full(), read;
	struct sluice_error error;
	size_t offset = 3;
	(void)state;
	size_t size = sluice_record_write(&written, frame + 3);
	assert_int_equal(size, sluice_record_size(&written));
	assert_ok(sluice_record_read(frame, 3 + size, &offset, &read, &error), error);
	assert_int_equal(offset, 3 + size);
	assert_int_equal(sluice_record_write(&read, again), size);
	assert_memory_equal(again, frame + 3, size);
	assert_int_equal(read.new_id, written.new_id);
	assert_int_equal(read.time_ms, -1);
	assert_int_equal(read.attempts, UINT32_MAX);
	assert_true(read.retain && read.parked && read.qos == 2);
	assert_memory_equal(read.receipt, written.receipt, sizeof(read.receipt));
	assert_memory_equal(read.dedup, written.dedup, sizeof(read.dedup));
	assert_memory_equal(read.payload.data, written.payload.data, written.payload.len);
	assert_non_null(read.username.data);
	assert_int_equal(read.username.len, 0);
	assert_null(least(SLUICE_RECORD_ACK).payload.data);
}

static void test_records_of_a_frame_are_read_one_after_the_other(void **state)
{
	unsigned char frame[1024];
	size_t len = 0, offset = 0;
	(void)state;
	for (int kind = SLUICE_RECORD_ENQUEUE; kind <= SLUICE_RECORD_FIRED; kind++) {
		struct sluice_record record = least((enum sluice_record_kind)kind);
		len += sluice_record_write(&record, frame + len);
	}
	for (int kind = SLUICE_RECORD_ENQUEUE; kind <= SLUICE_RECORD_FIRED; kind++) {
		struct sluice_record record;
		struct sluice_error error;
		assert_ok(sluice_record_read(frame, len, &offset, &record, &error), error);
		assert_int_equal(record.kind, kind);
	}
	assert_int_equal(offset, len);
}

static void test_the_bytes_are_what_the_header_says(void **state)
{
	static const unsigned char expected[] = {
		16, 0, 0, 0, SLUICE_RECORD_ACK, 1, 1, 0, 0, 0, 'q', 2, 5, 1, 0, 0, 0, 0, 0, 0
	};
	unsigned char frame[64];
	struct sluice_record record = least(SLUICE_RECORD_ACK);
	record.id = 0x105;
	(void)state;
	assert_int_equal(sluice_record_write(&record, frame), sizeof(expected));
	assert_memory_equal(frame, expected, sizeof(expected));
}

static void test_a_record_that_is_cut_anywhere_is_damaged(void **state)
{
	unsigned char frame[512];
	struct sluice_record record = full();
	size_t size = sluice_record_write(&record, frame);
	(void)state;
	for (size_t len = 0; len < size; len++)
		assert_status(read_copy(frame, len), SLUICE_ERR_CORRUPT);
	/* Cut, and its length made to fit: a field that lost its tail, or one fewer. */
	for (size_t len = 5; len < size; len++) {
		unsigned char cut[512];
		memcpy(cut, frame, len);
		cut[0] = (unsigned char)(len - 4);
		cut[1] = (unsigned char)((len - 4) >> 8);
		enum sluice_status status = read_copy(cut, len);
		assert_true(status == SLUICE_OK || status == SLUICE_ERR_CORRUPT);
	}
}

static void test_no_byte_that_is_changed_breaks_the_reader(void **state)
{
	unsigned char frame[512];
	struct sluice_record record = full();
	size_t size = sluice_record_write(&record, frame);
	(void)state;
	for (size_t i = 0; i < size; i++) {
		unsigned char kept = frame[i];
		for (unsigned flip = 1; flip < 256; flip++) {
			frame[i] = (unsigned char)(kept ^ flip);
			read_copy(frame, size);
		}
		frame[i] = kept;
	}
	assert_status(read_copy(frame, size), SLUICE_OK);
}

static void test_what_a_kind_needs_must_be_there(void **state)
{
	(void)state;
	for (int kind = SLUICE_RECORD_ENQUEUE; kind <= SLUICE_RECORD_FIRED; kind++) {
		struct sluice_record whole = least((enum sluice_record_kind)kind);
		struct sluice_record lacking[] = {
			whole, whole, whole, whole, whole, whole, whole
		};
		lacking[0].queue = SLUICE_STR("");
		lacking[1].id = 0;
		lacking[2].to_queue.data = NULL;
		lacking[3].new_id = 0;
		lacking[4].dedup_until_ms = 0;
		lacking[5].rule.data = NULL;
		lacking[6].time_ms = 0;
		for (size_t i = 0; i < 7; i++) {
			unsigned char bytes[128], whole_bytes[128];
			size_t size = sluice_record_write(&lacking[i], bytes);
			bool same = size == sluice_record_write(&whole, whole_bytes) &&
			            memcmp(bytes, whole_bytes, size) == 0;
			/* FIRED has no queue to lack: an empty one is one too many, and harmless. */
			same = same || (kind == SLUICE_RECORD_FIRED && i == 0);
			assert_status(read_copy(bytes, size),
			              same ? SLUICE_OK : SLUICE_ERR_CORRUPT);
		}
	}
}

static void test_each_damage_is_told_from_what_is_newer(void **state)
{
#define RECORD(...)                                                                                \
	{                                                                                          \
		sizeof((unsigned char[]){ __VA_ARGS__ }),                                          \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define HEAD(len, kind) (len), 0, 0, 0, (kind), 1, 1, 0, 0, 0, 'q'
#define ONE             1, 0, 0, 0, 0, 0, 0, 0
	static const struct {
		enum sluice_status status;
		struct {
			unsigned char len;
			unsigned char bytes[64];
		} record;
	} cases[] = {
		{ SLUICE_OK, RECORD(HEAD(16, 3), 2, ONE) },
		{ SLUICE_ERR_VERSION, RECORD(HEAD(16, 0), 2, ONE) },
		{ SLUICE_ERR_VERSION, RECORD(HEAD(16, 10), 2, ONE) },
		{ SLUICE_ERR_VERSION, RECORD(HEAD(25, 3), 2, ONE, 30, ONE) },
		{ SLUICE_ERR_VERSION, RECORD(HEAD(25, 3), 2, ONE, 255, ONE) },
		{ SLUICE_ERR_VERSION, RECORD(HEAD(25, 3), 2, ONE, 0, ONE) },
		/* twice, and in another order */
		{ SLUICE_ERR_CORRUPT, RECORD(HEAD(25, 3), 2, ONE, 2, ONE) },
		{ SLUICE_ERR_CORRUPT, RECORD(16, 0, 0, 0, 3, 2, ONE, 1, 1, 0, 0, 0, 'q') },
		/* ids of 0 and past 2^63, QoS 3, a retain of 2, too many attempts */
		{ SLUICE_ERR_CORRUPT, RECORD(HEAD(16, 3), 2, 0, 0, 0, 0, 0, 0, 0, 0) },
		{ SLUICE_ERR_CORRUPT, RECORD(HEAD(16, 3), 2, 0, 0, 0, 0, 0, 0, 0, 128) },
		{ SLUICE_ERR_CORRUPT, RECORD(HEAD(25, 3), 2, ONE, 13, 3, 0, 0, 0, 0, 0, 0, 0) },
		{ SLUICE_ERR_CORRUPT, RECORD(HEAD(25, 3), 2, ONE, 14, 2, 0, 0, 0, 0, 0, 0, 0) },
		{ SLUICE_ERR_CORRUPT, RECORD(HEAD(25, 3), 2, ONE, 21, 0, 0, 0, 0, 1, 0, 0, 0) },
		/* a receipt of one byte, and one of zeros */
		{ SLUICE_ERR_CORRUPT, RECORD(HEAD(22, 3), 2, ONE, 22, 1, 0, 0, 0, 7) },
		{ SLUICE_ERR_CORRUPT, RECORD(HEAD(33, 3), 2, ONE, 22, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		                             0, 0, 0, 0, 0, 0) },
		/* lengths: none, past the end of the frame, past the end of the record */
		{ SLUICE_ERR_CORRUPT, RECORD(0, 0, 0, 0, 3) },
		{ SLUICE_ERR_CORRUPT, RECORD(255, 255, 255, 255, 3, 1) },
		{ SLUICE_ERR_CORRUPT, RECORD(7, 0, 0, 0, 3, 1, 2, 0, 0, 0, 'q', 'r') },
		{ SLUICE_ERR_CORRUPT, RECORD(7, 0, 0, 0, 3, 1, 255, 255, 255, 255, 'q') },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum sluice_status got = read_copy(cases[i].record.bytes, cases[i].record.len);
		if (got != cases[i].status)
			fail_msg("case %zu: expected %s, got %s", i,
			         sluice_status_name(cases[i].status), sluice_status_name(got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record_comes_back_with_all_its_members),
		cmocka_unit_test(test_records_of_a_frame_are_read_one_after_the_other),
		cmocka_unit_test(test_the_bytes_are_what_the_header_says),
		cmocka_unit_test(test_a_record_that_is_cut_anywhere_is_damaged),
		cmocka_unit_test(test_no_byte_that_is_changed_breaks_the_reader),
		cmocka_unit_test(test_what_a_kind_needs_must_be_there),
		cmocka_unit_test(test_each_damage_is_told_from_what_is_newer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
