/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/buffer.h"
#include "wills.h"

char *wills_filter(const struct sluice_bus *bus, size_t index)
{
	struct sluice_buffer text = { 0 };
	sluice_buffer_append_text(&text, "$share/sluice-wills-");
	sluice_buffer_append_str(&text, bus->name);
	sluice_buffer_append_text(&text, "/");
	sluice_buffer_append_str(&text, bus->will_topics[index]);
	if (!text.failed)
		return text.data;
	sluice_buffer_finish(&text);
	return NULL;
}

uint32_t wills_identifier(struct sluice_str bus)
{
	/* FNV-1a, folded to the 28 bits that there are. */
	uint32_t hash = 0x811c9dc5U;
	for (size_t i = 0; i < bus.len; i++)
		hash = (hash ^ (unsigned char)bus.data[i]) * 0x01000193U;
	hash = (hash >> 28) ^ (hash & 0x0fffffffU);
	return hash > 0 ? hash : 1;
}
