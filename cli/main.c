/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice: finds the verb, reads its command line, runs it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "output.h"
#include "sluice/suggest.h"

enum { MAX_WORDS = 64 };

static const struct verb *find_verb(const char *noun, const char *name)
{
	for (const struct verb *const *verb = verbs; *verb; verb++) {
		bool same_noun =
		        noun ? (*verb)->noun && strcmp((*verb)->noun, noun) == 0 : !(*verb)->noun;
		if (same_noun && strcmp((*verb)->name, name) == 0)
			return *verb;
	}
	return NULL;
}

static bool is_noun(const char *word)
{
	for (const struct verb *const *verb = verbs; *verb; verb++)
		if ((*verb)->noun && strcmp((*verb)->noun, word) == 0)
			return true;
	return false;
}

/* Names a wrong verb, and perhaps the one that was meant. noun == NULL: a first word. */
static enum cli_exit unknown_verb(const char *noun, const char *word)
{
	const char *words[MAX_WORDS + 1];
	size_t count = 0;
	for (const struct verb *const *verb = verbs; *verb && count < MAX_WORDS; verb++) {
		if (!noun)
			words[count++] = (*verb)->noun ? (*verb)->noun : (*verb)->name;
		else if ((*verb)->noun && strcmp((*verb)->noun, noun) == 0)
			words[count++] = (*verb)->name;
	}
	words[count] = NULL;
	char hint[96];
	sluice_suggest_format(sluice_str(word), words, hint, sizeof(hint));
	return fail_usage(NULL, "unknown verb \"%s%s%s\"%s", noun ? noun : "", noun ? " " : "",
	                  word, hint);
}

static enum cli_exit run(const struct verb *verb, int argc, char **argv)
{
	const struct option *lists[VERB_OPTION_LISTS];
	struct arguments args;
	struct sluice_error error;
	verb_option_lists(verb, lists);
	struct cli cli = { .verb = verb, .args = &args };
	enum sluice_status status = arguments_parse(&args, argc, argv, lists, &error);
	if (status == SLUICE_ERR_NOMEM)
		return fail_memory(&cli);
	if (status != SLUICE_OK)
		return fail_usage(&cli, "%s", error.message);
	enum cli_exit code;
	cli.json = arguments_has(&args, "json");
	if (arguments_has(&args, "help")) {
		help_verb(verb);
		code = CLI_OK;
	} else if (args.operand_count < verb->min_operands) {
		code = fail_usage(&cli, "it takes: %s", verb->operands);
	} else if (args.operand_count > verb->max_operands) {
		code = fail_usage(&cli, "unexpected \"%s\"", args.operands[verb->max_operands]);
	} else {
		code = verb->exec(&cli);
	}
	if (output_flush(&cli) != CLI_OK && code == CLI_OK)
		code = CLI_SYSTEM;
	arguments_finish(&args);
	return code;
}

int main(int argc, char **argv)
{
	/* A closed pipe is an error of write(), not the end of the process amid a transaction. */
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 1 << 16);

	if (argc < 2) {
		help_all();
		return CLI_USAGE;
	}
	const char *word = argv[1];
	if (strcmp(word, "--help") == 0) {
		help_all();
		return CLI_OK;
	}
	if (strcmp(word, "--version") == 0)
		word = "version";
	if (word[0] == '-')
		return (int)fail_usage(NULL, "a verb comes first, options after it");
	if (!is_noun(word)) {
		const struct verb *verb = find_verb(NULL, word);
		return (int)(verb ? run(verb, argc - 2, argv + 2) : unknown_verb(NULL, word));
	}
	if (argc < 3 || strcmp(argv[2], "--help") == 0) {
		help_noun(word);
		return argc < 3 ? CLI_USAGE : CLI_OK;
	}
	const struct verb *verb = find_verb(word, argv[2]);
	return (int)(verb ? run(verb, argc - 3, argv + 3) : unknown_verb(word, argv[2]));
}
