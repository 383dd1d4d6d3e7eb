/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <cjson/cJSON.h>

#include "common.h"
#include "contender.h"

static void take(void *state, struct sluice_str event)
{
	cJSON *tree = cJSON_ParseWithLength(event.data, event.len);

	(void)state;
	if (!tree)
		bench_fail("cJSON does not take %.*s", (int)event.len, event.data);
	cJSON_Delete(tree);
}

struct bench_contender bench_cjson(void)
{
	return (struct bench_contender){ .name = "cjson", .take = take };
}
