/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A pattern, an empty line, a payload: the engine and the oracle must say the same, that the
 * pattern is invalid too. The rest of the publish is always the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../conformance/pairs.h"
#include "publish.h"

enum { MAX_BYTES = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char what[512];
	size_t cut = 0;
	if (size > MAX_BYTES)
		return 0;
	while (cut < size && !(data[cut] == '\n' && cut + 1 < size && data[cut + 1] == '\n'))
		cut++;
	struct sluice_str pattern = { (const char *)data, cut };
	size_t payload = cut + 2 < size ? cut + 2 : size;
	struct sluice_event event =
	        fuzz_publish((struct sluice_str){ (const char *)data + payload, size - payload });
	/* Explaining costs far more than all the rest under a sanitizer. */
	bool explained = size % 16 == 0;
	if (pair_compare(pattern, &event, explained, what, sizeof(what)) == PAIR_DIFFERS) {
		printf("%s\n", what);
		pair_print(pattern, &event);
		fflush(stdout);
		abort();
	}
	return 0;
}
