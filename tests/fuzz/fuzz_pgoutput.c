/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Any bytes as messages of pgoutput: two bytes of length before each. A record that is made is JSON, one
 * event after another, as our own reader reads it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "postgres/pgoutput.h"
#include "sluice/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static enum sluice_status take(void *arg, struct pgoutput_place place,
                               const struct change_record *record, struct sluice_error *error)
{
	struct pgoutput_place *before = arg;
	struct sluice_buffer text = { 0 };
	struct sluice_json_doc *doc;

	(void)error;
	/* A transaction counts from 1; where the next one lies is the server's word. */
	check(place.commit_lsn == before->commit_lsn
	              ? place.index > before->index || place.index == 1
	              : place.index == 1);
	*before = place;
	change_record_write(record, &text);
	check(!text.failed);
	check(sluice_json_parse(sluice_buffer_str(&text), 0, 512, &doc, NULL) == SLUICE_OK);
	check(sluice_json_get(sluice_json_root(doc), "keys") != NULL);
	sluice_json_destroy(doc);
	sluice_buffer_finish(&text);
	return SLUICE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgoutput *decoder = pgoutput_create(SLUICE_STR("db"), SLUICE_STR("1-s"));
	struct pgoutput_place place = { 0, 0 };

	check(decoder != NULL);
	while (size >= 2) {
		size_t len = (size_t)data[0] << 8 | data[1];
		uint64_t committed;
		struct sluice_error error;
		char *message;
		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		/* At its exact size, so that a sanitizer sees an overrun. */
		message = malloc(len ? len : 1);
		check(message != NULL);
		memcpy(message, data, len);
		if (pgoutput_read(decoder, sluice_str_of(message, len), take, &place, &committed,
		                  &error) != SLUICE_OK) {
			check(error.message[0] != '\0');
			pgoutput_reset(decoder);
		}
		free(message);
		data += len;
		size -= len;
	}
	pgoutput_destroy(decoder);
	return 0;
}
