/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Runs the commands of docs/store.md, in their order, in a folder with a new store: each must
 * succeed and print what the document says, and leave a store whose rules the engine takes.
 */
#include "store_helper.h"

static void compile(void *arg, enum sluice_store_kind kind, const struct sluice_store_row *row)
{
	struct sluice_definition definition;
	struct sluice_error error;
	(void)arg;
	if (!row->text.data)
		return;
	assert_ok(sluice_definition_parse(kind, row->text, &definition, &error), error);
	sluice_definition_finish(&definition);
}

static char *read_document(void)
{
	FILE *file = fopen(SLUICE_SOURCE_DIR "/docs/store.md", "r");
	assert_non_null(file);
	char *text = calloc(1, 1 << 20);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

/* Cuts the block off that begins at `text` (behind its opening fence); returns what follows it. */
static char *cut_block(char *text)
{
	char *end = strstr(text, "\n```");
	assert_non_null(end);
	end[1] = 0;
	return end + 4;
}

static void test_what_the_document_shows_works(void **state)
{
	static const char code[] = "```sh\n", output[] = "\n```text\n";
	struct place *place = *state;
	struct sluice_store *store = create_store(place);
	char *document = read_document();
	int blocks = 0;
	for (char *at = strstr(document, code); at; at = strstr(at, code)) {
		struct sluice_error error;
		char *block = at + strlen(code);
		at = cut_block(block);
		if (run(place, "cd $DIR; set -e\n%s", block) != 0)
			fail_msg("%s: %s", block, place->shell_output);
		if (strncmp(at, output, strlen(output)) == 0) {
			char *expected = at + strlen(output);
			at = cut_block(expected);
			assert_string_equal(place->shell_output, expected);
		} else {
			assert_string_equal(place->shell_output, "");
		}
		assert_ok(sluice_store_poll(store, compile, NULL, &error), error);
		blocks++;
	}
	assert_true(blocks > 8);
	free(document);
	sluice_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_what_the_document_shows_works),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
