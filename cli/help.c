/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* --help, made from the tables. */
#include <stdio.h>

#include "broker_options.h"
#include "cli.h"

char *verb_title(const struct verb *verb, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", verb->noun ? verb->noun : "", verb->noun ? " " : "",
	         verb->name);
	return buf;
}

void help_verb(const struct verb *verb)
{
	char title[64];
	verb_title(verb, title, sizeof(title));
	printf("Usage: sluice %s [options]%s%s\n\n%s.\n", title, verb->operands[0] ? " " : "",
	       verb->operands, verb->summary);
	if (verb->help)
		printf("\n%s\n", verb->help);
	options_print("Options:", verb->options);
	if (verb->flags & VERB_STORE)
		options_print("Store:", store_options);
	if (verb->flags & VERB_BROKER)
		options_print("Broker:", connection_options);
	options_print("Also:", common_options);
	if (verb->flags & VERB_JSON)
		for (const struct option *option = json_options; option->name; option++)
			printf("      --%-26s %s\n", option->name, option->help);
}

static void print_summary(const struct verb *verb)
{
	char title[64];
	printf("  %-14s %s\n", verb_title(verb, title, sizeof(title)), verb->summary);
}

void help_noun(const char *noun)
{
	printf("Usage: sluice %s VERB …\n\n", noun);
	for (const struct verb *const *verb = verbs; *verb; verb++)
		if ((*verb)->noun && strcmp((*verb)->noun, noun) == 0)
			print_summary(*verb);
	printf("\n'sluice %s VERB --help' says more of each.\n", noun);
}

void help_all(void)
{
	printf("Usage: sluice VERB …\n\nContent-based event routing for MQTT.\n\n");
	for (const struct verb *const *verb = verbs; *verb; verb++)
		print_summary(*verb);
	printf("\n'sluice VERB --help' says more of each; sluice(1) has examples.\n");
}
