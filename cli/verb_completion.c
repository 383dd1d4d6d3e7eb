/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice completion: a shell script made from the tables of verbs and options. */
#include <stdio.h>

#include "output.h"
#include "verbs.h"

/* What bash runs to offer words of `what` (see option.completes; NULL = nothing). */
static void print_offer(const char *what)
{
	if (!what)
		printf(":");
	else if (strcmp(what, "@file") == 0)
		printf("COMPREPLY=($(compgen -f -- \"$cur\"))");
	else if (strcmp(what, "@dir") == 0)
		printf("COMPREPLY=($(compgen -d -- \"$cur\"))");
	else
		printf("COMPREPLY=($(compgen -W '%s' -- \"$cur\"))", what);
}

static void print_verb(const struct verb *verb)
{
	const struct option *lists[VERB_OPTION_LISTS];
	char title[64];
	verb_option_lists(verb, lists);
	printf("\t'%s')\n\t\tcase $prev in\n", verb_title(verb, title, sizeof(title)));
	for (const struct option *const *list = lists; *list; list++) {
		for (const struct option *option = *list; option->name; option++) {
			if (!option->value)
				continue;
			printf("\t\t--%s", option->name);
			if (option->letter)
				printf("|-%c", option->letter);
			printf(") ");
			print_offer(option->completes);
			printf("; return ;;\n");
		}
	}
	printf("\t\tesac\n\t\tif [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '");
	for (const struct option *const *list = lists; *list; list++)
		for (const struct option *option = *list; option->name; option++)
			printf("--%s ", option->name);
	printf("' -- \"$cur\"))\n\t\telse ");
	print_offer(verb->completes);
	printf("; fi ;;\n");
}

static bool first_of_noun(const struct verb *const *verb)
{
	for (const struct verb *const *earlier = verbs; earlier < verb; earlier++)
		if ((*earlier)->noun && strcmp((*earlier)->noun, (*verb)->noun) == 0)
			return false;
	return true;
}

static void print_function(void)
{
	printf("_sluice()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	       "prev=${COMP_WORDS[COMP_CWORD-1]}"
	       " verb=${COMP_WORDS[1]}\n\tCOMPREPLY=()\n"
	       "\tif ((COMP_CWORD == 1)); then\n\t\tCOMPREPLY=($(compgen -W '");
	for (const struct verb *const *verb = verbs; *verb; verb++)
		if (!(*verb)->noun || first_of_noun(verb))
			printf("%s ", (*verb)->noun ? (*verb)->noun : (*verb)->name);
	printf("--help --version' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $verb in\n");
	for (const struct verb *const *verb = verbs; *verb; verb++) {
		if (!(*verb)->noun || !first_of_noun(verb))
			continue;
		printf("\t%s)\n\t\tif ((COMP_CWORD == 2)); then\n"
		       "\t\t\tCOMPREPLY=($(compgen -W '",
		       (*verb)->noun);
		for (const struct verb *const *other = verb; *other; other++)
			if ((*other)->noun && strcmp((*other)->noun, (*verb)->noun) == 0)
				printf("%s ", (*other)->name);
		printf("--help' -- \"$cur\"))\n\t\t\treturn\n\t\tfi\n"
		       "\t\tverb=\"$verb ${COMP_WORDS[2]}\" ;;\n");
	}
	printf("\tesac\n\tcase $verb in\n");
	for (const struct verb *const *verb = verbs; *verb; verb++)
		print_verb(*verb);
	printf("\tesac\n}\n");
}

static enum cli_exit exec_completion(const struct cli *cli)
{
	const char *shell = cli->args->operands[0];
	if (strcmp(shell, "bash") == 0) {
		print_function();
		printf("complete -o filenames -F _sluice sluice\n");
	} else if (strcmp(shell, "zsh") == 0) {
		/* zsh runs bash's functions; one generator serves both. */
		printf("#compdef sluice\nautoload -U +X bashcompinit && bashcompinit\n");
		print_function();
		printf("complete -o filenames -F _sluice sluice\n");
	} else {
		return fail_usage(cli, "no completion for \"%s\": bash or zsh", shell);
	}
	return CLI_OK;
}

const struct verb verb_completion = {
	.name = "completion",
	.operands = "bash|zsh",
	.min_operands = 1,
	.max_operands = 1,
	.completes = "bash zsh",
	.summary = "print a completion script for the shell",
	.help = "  sluice completion bash > /etc/bash_completion.d/sluice",
	.exec = exec_completion,
};
