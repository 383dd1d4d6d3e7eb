/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Any bytes as a frame of the journal. A record that is read lies within the frame, and written again
 * it is the same bytes: there is one spelling of each.
 */
#include <stdint.h>
#include <stdlib.h>

#include "sluice_store/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sluice_record record;
	struct sluice_error error = { .code = SLUICE_OK };
	size_t offset = 0, start = 0;

	while (sluice_record_read(data, size, &offset, &record, &error) == SLUICE_OK) {
		check(offset > start && offset <= size);
		check(sluice_record_size(&record) == offset - start);
		unsigned char *again = malloc(offset - start);
		check(again != NULL);
		check(sluice_record_write(&record, again) == offset - start);
		check(memcmp(again, data + start, offset - start) == 0);
		free(again);
		start = offset;
	}
	check(offset == start && error.message[0] != '\0');
	check(error.code == SLUICE_ERR_CORRUPT || error.code == SLUICE_ERR_VERSION);
	return 0;
}
