/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "event_key.h"

#include <stdio.h>

#include "sha256.h"
#include "sluice/buffer.h"

/* With its length before it, so that no two lists of texts are the same bytes. */
static void append(struct sluice_buffer *buf, struct sluice_str text)
{
	uint64_t len = text.len;

	sluice_buffer_append(buf, &len, sizeof(len));
	sluice_buffer_append_str(buf, text);
}

bool event_key(const struct delivery *const *deliveries, size_t count, char key[EVENT_KEY_SIZE])
{
	struct sluice_buffer buf = { 0 };
	unsigned char hash[SLUICE_SHA256_BYTES];

	for (size_t i = 0; i < count; i++) {
		append(&buf, deliveries[i]->vars.id);
		append(&buf, deliveries[i]->vars.rule);
		append(&buf, deliveries[i]->event.payload);
	}
	if (buf.failed) {
		sluice_buffer_finish(&buf);
		return false;
	}
	sluice_sha256(sluice_buffer_str(&buf), hash);
	sluice_buffer_finish(&buf);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(key + 2 * i, 3, "%02x", hash[i]);
	return true;
}
