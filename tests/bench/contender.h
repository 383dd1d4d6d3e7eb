/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Those whose speed on the same events is compared. */
#ifndef BENCH_CONTENDER_H
#define BENCH_CONTENDER_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bench_contender {
	const char *name;
	void *state; /* its own */
	/* Takes one event, past which BENCH_PADDING bytes can be read. */
	void (*take)(void *state, struct sluice_str event);
	void (*destroy)(void *state);
};

/* cJSON_ParseWithLength and cJSON_Delete. */
struct bench_contender bench_cjson(void);

/* simdjson's DOM parser, used again for each event. longest: in bytes. */
struct bench_contender bench_simdjson(size_t longest);

#ifdef __cplusplus
}
#endif

#endif
