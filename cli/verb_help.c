/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice help, sluice version */
#include <stdio.h>

#include "output.h"
#include "verbs.h"

static enum cli_exit exec_help(const struct cli *cli)
{
	const struct arguments *args = cli->args;
	if (args->operand_count == 0) {
		help_all();
		return CLI_OK;
	}
	const char *first = args->operands[0];
	const char *second = args->operand_count > 1 ? args->operands[1] : NULL;
	for (const struct verb *const *verb = verbs; *verb; verb++) {
		const char *noun = (*verb)->noun;
		if (!noun && !second && strcmp((*verb)->name, first) == 0) {
			help_verb(*verb);
			return CLI_OK;
		}
		if (noun && strcmp(noun, first) == 0) {
			if (!second) {
				help_noun(noun);
				return CLI_OK;
			}
			if (strcmp((*verb)->name, second) == 0) {
				help_verb(*verb);
				return CLI_OK;
			}
		}
	}
	return fail_usage(cli, "there is no verb \"%s%s%s\"", first, second ? " " : "",
	                  second ? second : "");
}

const struct verb verb_help = {
	.name = "help",
	.operands = "[VERB...]",
	.max_operands = 2,
	.summary = "say what there is, or what one verb does",
	.exec = exec_help,
};

static enum cli_exit exec_version(const struct cli *cli)
{
	printf(cli->json ? "{\"version\":\"%s\"}\n" : "sluice %s\n", SLUICE_VERSION);
	return CLI_OK;
}

const struct verb verb_version = {
	.name = "version",
	.operands = "",
	.flags = VERB_JSON,
	.summary = "print the version",
	.exec = exec_version,
};
