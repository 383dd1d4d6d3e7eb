/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A pattern, an empty line, a payload: the engine and the oracle must say the same, that the
 * pattern is invalid too. The rest of the publish is always the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../conformance/pairs.h"

enum { MAX_BYTES = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sluice_property properties[] = {
		{ { "a", 1 }, { "x", 1 } },
		{ { "a", 1 }, { "y", 1 } },
		{ { "a.b", 3 }, { "10.1.2.3", 8 } },
	};
	struct sluice_event event = SLUICE_EVENT_INIT;
	char what[512];
	size_t cut = 0;
	if (size > MAX_BYTES)
		return 0;
	while (cut < size && !(data[cut] == '\n' && cut + 1 < size && data[cut + 1] == '\n'))
		cut++;
	struct sluice_str pattern = { (const char *)data, cut };
	size_t payload = cut + 2 < size ? cut + 2 : size;
	event.payload = (struct sluice_str){ (const char *)data + payload, size - payload };
	event.topic = SLUICE_STR("a/b/c");
	event.client_id = SLUICE_STR("Client");
	event.content_type = SLUICE_STR("");
	event.correlation_data = SLUICE_STR("\0\xff");
	event.qos = 1;
	event.retain = 0;
	event.user_properties = properties;
	event.user_property_count = sizeof(properties) / sizeof(*properties);
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
