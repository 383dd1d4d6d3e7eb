/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The groups of options that many verbs take. */
#include "broker_options.h"
#include "cli.h"

const struct option common_options[] = {
	{ "help", 0, NULL, "say what the verb does and takes, and exit", NULL },
	{ 0 },
};

const struct option json_options[] = {
	{ "json", 0, NULL, "print JSON; failures too, on standard error", NULL },
	{ 0 },
};

const struct option store_options[] = {
	{ "db", 0, "FILE", "work on this store, without a broker", "@file" },
	{ 0 },
};

void verb_option_lists(const struct verb *verb, const struct option *lists[VERB_OPTION_LISTS])
{
	size_t count = 0;
	if (verb->options)
		lists[count++] = verb->options;
	if (verb->flags & VERB_STORE)
		lists[count++] = store_options;
	if (verb->flags & VERB_JSON)
		lists[count++] = json_options;
	if (verb->flags & VERB_BROKER)
		lists[count++] = connection_options;
	lists[count++] = common_options;
	lists[count] = NULL;
}
