/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <cstdio>
#include <cstdlib>
#include <simdjson.h>

#include "contender.h"

static void take(void *state, struct sluice_str event)
{
	auto *parser = static_cast<simdjson::dom::parser *>(state);
	simdjson::dom::element root;

	/* false: what lies behind the event may be read, so that it need not be copied */
	if (parser->parse(event.data, event.len, false).get(root)) {
		fprintf(stderr, "simdjson does not take %.*s\n", static_cast<int>(event.len),
		        event.data);
		exit(1);
	}
}

static void destroy(void *state)
{
	delete static_cast<simdjson::dom::parser *>(state);
}

struct bench_contender bench_simdjson(size_t longest)
{
	auto *parser = new simdjson::dom::parser();

	if (parser->allocate(longest)) {
		fputs("simdjson: out of memory\n", stderr);
		exit(1);
	}
	return { "simdjson", parser, take, destroy };
}
