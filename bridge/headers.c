/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "headers.h"

#include <stdlib.h>

#include <mosquitto.h>

enum { TEXT_MAX = 65535, CAPACITY_MIN = 8 };

bool header_text_valid(struct sluice_str text)
{
	return text.len <= TEXT_MAX &&
	       (text.len == 0 ||
	        mosquitto_validate_utf8(text.data, (int)text.len) == MOSQ_ERR_SUCCESS);
}

void headers_add(struct headers *headers, struct sluice_str name, struct sluice_str value)
{
	if (headers->failed || name.len == 0 || !header_text_valid(name) ||
	    !header_text_valid(value))
		return;
	if (headers->count == headers->capacity) {
		size_t capacity = headers->capacity ? headers->capacity * 2 : CAPACITY_MIN;
		struct sluice_property *list =
		        realloc(headers->list, capacity * sizeof *headers->list);
		if (!list) {
			headers->failed = true;
			return;
		}
		headers->list = list;
		headers->capacity = capacity;
	}
	headers->list[headers->count++] = (struct sluice_property){ name, value };
}

void headers_finish(struct headers *headers)
{
	free(headers->list);
	*headers = (struct headers){ 0 };
}
