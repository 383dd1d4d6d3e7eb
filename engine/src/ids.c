/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "ids.h"

#include <stdlib.h>

void sluice_ids_finish(struct sluice_ids *ids)
{
	free(ids->free);
	*ids = (struct sluice_ids){ 0 };
}

bool sluice_ids_take(struct sluice_ids *ids, uint32_t *id)
{
	if (ids->free_count) {
		*id = ids->free[--ids->free_count];
		return true;
	}
	if (ids->limit >= ids->capacity) {
		uint32_t capacity = ids->capacity ? ids->capacity * 2 : 64;
		uint32_t *free_ids = realloc(ids->free, capacity * sizeof(*free_ids));
		if (!free_ids)
			return false;
		ids->free = free_ids;
		ids->capacity = capacity;
	}
	*id = ids->limit++;
	return true;
}

void sluice_ids_give(struct sluice_ids *ids, uint32_t id)
{
	ids->free[ids->free_count++] = id;
}
