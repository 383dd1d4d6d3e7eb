/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sluice/suggest.h"

const struct option *option_find(const struct option *const *lists, struct sluice_str name)
{
	for (; *lists; lists++)
		for (const struct option *option = *lists; option->name; option++)
			if (sluice_str_equal(sluice_str(option->name), name))
				return option;
	return NULL;
}

const struct option *option_find_letter(const struct option *const *lists, char letter)
{
	for (; *lists; lists++)
		for (const struct option *option = *lists; option->name; option++)
			if (option->letter && option->letter == letter)
				return option;
	return NULL;
}

/* Names of all options, to suggest one of them; NULL when out of memory (then nothing is). */
static const char **option_names(const struct option *const *lists)
{
	size_t count = 0;
	for (const struct option *const *list = lists; *list; list++)
		for (const struct option *option = *list; option->name; option++)
			count++;
	const char **names = calloc(count + 1, sizeof(*names));
	if (!names)
		return NULL;
	count = 0;
	for (const struct option *const *list = lists; *list; list++)
		for (const struct option *option = *list; option->name; option++)
			names[count++] = option->name;
	return names;
}

static enum sluice_status unknown_option(const char *argument, struct sluice_str name,
                                         const struct option *const *lists,
                                         struct sluice_error *error)
{
	const char **names = name.len > 1 ? option_names(lists) : NULL;
	const char *meant = names ? sluice_suggest(name, names) : NULL;
	free(names);
	if (meant)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "unknown option %s, did you mean --%s?", argument, meant);
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "unknown option %s",
	                        argument);
}

/* Reads the option at argv[*at]; leaves *at at its last word. */
static enum sluice_status read_option(struct arguments *args, int argc, char **argv, int *at,
                                      const struct option *const *lists, struct sluice_error *error)
{
	const char *word = argv[*at];
	const char *value = NULL;
	const struct option *option;
	if (word[1] == '-') {
		struct sluice_str name = sluice_str(word + 2);
		const char *equals = strchr(name.data, '=');
		if (equals) {
			name.len = (size_t)(equals - name.data);
			value = equals + 1;
		}
		option = option_find(lists, name);
		if (!option)
			return unknown_option(word, name, lists, error);
	} else {
		option = word[2] ? NULL : option_find_letter(lists, word[1]);
		if (!option)
			return unknown_option(word, sluice_str(word + 1), lists, error);
	}
	if (!option->value && value)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "--%s takes no value", option->name);
	if (option->value && !value) {
		if (*at + 1 >= argc)
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
			                        "%s needs a value: %s %s", word, word,
			                        option->value);
		value = argv[++*at];
	}
	args->given[args->given_count++] = (struct argument){ option, value };
	return SLUICE_OK;
}

enum sluice_status arguments_parse(struct arguments *args, int argc, char **argv,
                                   const struct option *const *lists, struct sluice_error *error)
{
	*args = (struct arguments){ 0 };
	/* Neither can be longer than the command line. */
	args->given = calloc((size_t)argc + 1, sizeof(*args->given));
	args->operands = calloc((size_t)argc + 1, sizeof(*args->operands));
	if (!args->given || !args->operands) {
		arguments_finish(args);
		return sluice_out_of_memory(error);
	}
	bool options_end = false;
	for (int at = 0; at < argc; at++) {
		const char *word = argv[at];
		if (!options_end && strcmp(word, "--") == 0) {
			options_end = true;
		} else if (options_end || word[0] != '-' || word[1] == '\0') {
			args->operands[args->operand_count++] = word;
		} else {
			enum sluice_status status =
			        read_option(args, argc, argv, &at, lists, error);
			if (status != SLUICE_OK) {
				arguments_finish(args);
				return status;
			}
		}
	}
	return SLUICE_OK;
}

void arguments_finish(struct arguments *args)
{
	free(args->given);
	free(args->operands);
	*args = (struct arguments){ 0 };
}

static const struct argument *last_given(const struct arguments *args, const char *name)
{
	for (size_t i = args->given_count; i > 0; i--)
		if (strcmp(args->given[i - 1].option->name, name) == 0)
			return &args->given[i - 1];
	return NULL;
}

const char *arguments_value(const struct arguments *args, const char *name)
{
	const struct argument *argument = last_given(args, name);
	return argument ? argument->value : NULL;
}

bool arguments_has(const struct arguments *args, const char *name)
{
	return last_given(args, name) != NULL;
}

bool parse_integer(const char *text, int64_t *value)
{
	/* strtoll takes leading white space; a command line does not. */
	if (!(text[0] >= '0' && text[0] <= '9') && text[0] != '-' && text[0] != '+')
		return false;
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return false;
	*value = number;
	return true;
}

enum sluice_status arguments_integer(const struct arguments *args, const char *name, int64_t min,
                                     int64_t max, int64_t otherwise, int64_t *value,
                                     struct sluice_error *error)
{
	*value = otherwise;
	const char *text = arguments_value(args, name);
	if (!text)
		return SLUICE_OK;
	if (!parse_integer(text, value) || *value < min || *value > max)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "--%s: \"%s\" is no whole number from %" PRId64
		                        " to %" PRId64,
		                        name, text, min, max);
	return SLUICE_OK;
}

void options_print(const char *heading, const struct option *options)
{
	if (!options || !options->name)
		return;
	printf("\n%s\n", heading);
	for (; options->name; options++) {
		char said[64];
		int len = options->letter ? snprintf(said, sizeof(said), "-%c, ", options->letter)
		                          : snprintf(said, sizeof(said), "    ");
		snprintf(said + len, sizeof(said) - (size_t)len, "--%s%s%s", options->name,
		         options->value ? " " : "", options->value ? options->value : "");
		printf("  %-32s %s\n", said, options->help);
	}
}
