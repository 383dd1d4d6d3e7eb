/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Files that are no data of Sluice's, or were: told, never overwritten, and no harm to the process. */
#include "data_helper.h"

enum { PAGE = 8192 };

static void fill(struct place *place)
{
	struct sluice_data *data = open_data(place, 0);
	begin(data);
	for (uint64_t id = 1; id <= 2000; id += 2) {
		struct sluice_record record =
		        message(id % 3 ? "a" : "b", id,
		                "a payload that is long enough for a page not to hold too many");
		record.due_ms = id % 5 == 0 ? 50 : 0;
		apply(data, record);
		record.kind = SLUICE_RECORD_ARCHIVE;
		record.queue = SLUICE_STR("default");
		record.id = id + 1;
		apply(data, record);
	}
	commit(data, 7);
	sluice_data_close(data);
}

static bool look(void *arg, const struct sluice_record *row)
{
	size_t *bytes = arg;
	for (size_t i = 0; i < row->payload.len; i++)
		*bytes += (unsigned char)row->payload.data[i];
	return true;
}

static size_t corrupt_count;

/* Damage is met or not; if it is, the file is named. */
static bool sound(struct place *place, enum sluice_status status, const struct sluice_error *error)
{
	if (status == SLUICE_OK)
		return true;
	corrupt_count++;
	if (status != SLUICE_ERR_CORRUPT || !strstr(error->message, place->db))
		fail_msg("%s: %s", sluice_status_name(status), error->message);
	return false;
}

static void use_all(struct place *place, struct sluice_data *data)
{
	struct sluice_archive_query query = { .bus = SLUICE_STR("default") };
	struct sluice_archive_stats stats;
	struct sluice_data_counts counts;
	struct sluice_error error;
	size_t bytes = 0;
	bool more;
	struct sluice_str a = SLUICE_STR("a");
	sound(place, sluice_data_ready(data, a, 0, 0, 0, look, &bytes, &error), &error);
	sound(place, sluice_data_peek(data, a, 500, 0, look, &bytes, &error), &error);
	sound(place, sluice_data_count(data, a, &counts, &error), &error);
	sound(place, sluice_archive_read(data, &query, look, &bytes, &error), &error);
	sound(place, sluice_archive_stats(data, query.bus, &stats, &error), &error);
	sound(place, sluice_data_due(data, 60, 10, look, &bytes, &error), &error);
	sound(place, sluice_archive_trim(data, query.bus, 5000, 0, 100, &more, &error), &error);
	if (!sound(place, sluice_data_begin(data, &error), &error))
		return;
	for (uint64_t id = 1; id < 2000; id += 200) {
		struct sluice_record record = about(SLUICE_RECORD_ACK, id % 3 ? "a" : "b", id);
		if (!sound(place, sluice_data_apply(data, &record, &error), &error))
			return;
	}
	sound(place, sluice_data_commit(data, 9, &error), &error);
}

/* Some bytes of a page become others. */
static void damage(struct place *place, size_t page, unsigned round)
{
	int fd = open(place->db, O_RDWR);
	unsigned char bytes[PAGE];
	assert_int_equal(pread(fd, bytes, PAGE, (off_t)(page * PAGE)), PAGE);
	if (round == 0) {
		memset(bytes, 0, PAGE);
	} else {
		for (size_t i = 0; i < 40; i++)
			bytes[(i * 211 * round) % PAGE] ^= (unsigned char)(1 + i * round);
		for (size_t i = 0; i < 16; i++) /* the page's head */
			bytes[i] ^= (unsigned char)(round << (i & 3));
	}
	assert_int_equal(pwrite(fd, bytes, PAGE, (off_t)(page * PAGE)), PAGE);
	close(fd);
}

static size_t pages_of(struct place *place)
{
	struct stat file;
	assert_int_equal(stat(place->db, &file), 0);
	assert_int_equal(file.st_size % PAGE, 0);
	return (size_t)file.st_size / PAGE;
}

static void test_a_damaged_page_is_told_at_opening_and_nothing_is_overwritten(void **state)
{
	struct place *place = *state;
	fill(place);
	run(place, "cp $DB $DIR/whole");
	corrupt_count = 0;
	for (size_t page = 0; page < pages_of(place); page++) {
		struct sluice_data *data;
		struct sluice_error error;
		run(place, "cp $DIR/whole $DB");
		damage(place, page, (unsigned)page % 4);
		run(place, "cp $DB $DIR/damaged");
		enum sluice_status status = sluice_data_open(place->db, 0, &data, &error);
		if (sound(place, status, &error))
			use_all(place, data);
		else
			assert_int_equal(run(place, "cmp $DB $DIR/damaged"), 0);
		sluice_data_close(data);
		run(place, "rm -f $DB-wal $DB-shm");
	}
	assert_true(corrupt_count >= pages_of(place) / 2);
}

static void test_a_page_damaged_while_it_is_open_is_told_when_it_is_met(void **state)
{
	struct place *place = *state;
	fill(place);
	run(place, "cp $DB $DIR/whole");
	corrupt_count = 0;
	/* The header stays: SQLite keeps what it read of it. */
	for (size_t page = 1; page < pages_of(place); page++) {
		run(place, "cp $DIR/whole $DB");
		struct sluice_data *data = open_data(place, 0);
		/* What checking left in memory goes. */
		struct sluice_data *other = open_data(place, 0);
		begin(other);
		commit(other, 8);
		sluice_data_close(other);
		damage(place, page, (unsigned)page % 3 + 1);
		use_all(place, data);
		sluice_data_close(data);
		run(place, "rm -f $DB-wal $DB-shm");
	}
	assert_true(corrupt_count > 0);
}

static void open_is(struct place *place, unsigned flags, enum sluice_status expected,
                    const char *message)
{
	struct sluice_data *data;
	struct sluice_error error = { 0 };
	assert_status(sluice_data_open(place->db, flags, &data, &error), expected);
	assert_null(data);
	assert_non_null(strstr(error.message, message));
	assert_non_null(strstr(error.message, place->db));
}

static void test_what_is_no_data_file_is_refused(void **state)
{
	struct place *place = *state;
	open_is(place, SLUICE_DATA_READ_ONLY, SLUICE_ERR_NOT_FOUND, "can't be opened");
	run(place, "yes | head -c 20000 >$DB");
	open_is(place, 0, SLUICE_ERR_CORRUPT, "not a database");
	run(place, "rm $DB; mkfifo $DB");
	open_is(place, 0, SLUICE_ERR_INVALID, "not a regular file");
	run(place, "rm $DB");
	sluice_store_close(create_store(place));
	open_is(place, 0, SLUICE_ERR_CORRUPT, "not a Sluice data file");
	run(place, "rm $DB*");
	fill(place);
	assert_open_fails(place, 0, SLUICE_ERR_CORRUPT, "not a Sluice store");
	sql(place, "PRAGMA user_version = 99;");
	open_is(place, 0, SLUICE_ERR_VERSION, "newer Sluice");
}

static void test_a_file_whose_tables_were_tampered_with_is_refused(void **state)
{
	struct place *place = *state;
	fill(place);
	sql(place, "DROP INDEX entries_due;");
	open_is(place, 0, SLUICE_ERR_CORRUPT, "entries_due is missing");
	run(place, "rm $DB*");
	fill(place);
	sql(place, "DELETE FROM progress;");
	open_is(place, 0, SLUICE_ERR_CORRUPT, "can't be read");
	run(place, "rm $DB*");
	fill(place);
	sql(place, "DELETE FROM messages WHERE id = 1;");
	struct sluice_data *data = open_data(place, 0);
	struct sluice_error error;
	size_t bytes = 0;
	assert_status(sluice_data_ready(data, SLUICE_STR("a"), 0, 0, 0, look, &bytes, &error),
	              SLUICE_ERR_CORRUPT);
	sluice_data_close(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_a_damaged_page_is_told_at_opening_and_nothing_is_overwritten),
		STORE_TEST(test_a_page_damaged_while_it_is_open_is_told_when_it_is_met),
		STORE_TEST(test_what_is_no_data_file_is_refused),
		STORE_TEST(test_a_file_whose_tables_were_tampered_with_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
