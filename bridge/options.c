/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sluice/rule.h"

static const struct option own_options[] = {
	{ "db", 0, "FILE", "the store with its definitions (/var/lib/mosquitto/sluice.db)",
	  "@file" },
	{ "name", 0, "NAME", "what it is called in `sluice target status` (the host's name)",
	  NULL },
	{ "no-sources", 0, NULL, "run targets alone: sources run in another bridge", NULL },
	{ "no-exec", 0, NULL, "run no commands, whoever puts a target that would", NULL },
	{ "verbose", 'v', NULL, "tell of each delivery", NULL },
	{ "version", 0, NULL, "say which version it is, and exit", NULL },
	{ "help", 0, NULL, "say what it takes, and exit", NULL },
	{ 0 },
};

static const struct option *const lists[] = { own_options, connection_options, NULL };

void options_help(void)
{
	printf("Usage: sluice-bridge [options]\n\n"
	       "Carries events from queues to outside targets, and outside changes in.\n");
	options_print("Options:", own_options);
	options_print("Broker:", connection_options);
}

/* The host's name as far as it is a name. */
static void make_name(char name[65])
{
	char host[256] = "";
	size_t len = 0;
	gethostname(host, sizeof host - 1);
	for (const char *at = host; *at && len < 64; at++) {
		if (sluice_name_valid((struct sluice_str){ at, 1 }))
			name[len++] = *at;
	}
	name[len] = '\0';
	if (len == 0)
		strcpy(name, "bridge");
}

static enum options_said wrong(const char *message)
{
	fprintf(stderr, "sluice-bridge: %s\n", message);
	return OPTIONS_WRONG;
}

enum options_said options_read(int argc, char **argv, struct options *options)
{
	struct sluice_error error;
	*options = (struct options){ 0 };
	if (arguments_parse(&options->args, argc - 1, argv + 1, lists, &error) != SLUICE_OK)
		return wrong(error.message);
	if (arguments_has(&options->args, "help"))
		return OPTIONS_HELP;
	if (arguments_has(&options->args, "version"))
		return OPTIONS_VERSION;
	if (options->args.operand_count > 0)
		return wrong("it takes options alone; see --help");
	if (broker_options_read(&options->args, &options->broker, &error) != SLUICE_OK)
		return wrong(error.message);
	options->store = arguments_value(&options->args, "db");
	if (!options->store)
		options->store = "/var/lib/mosquitto/sluice.db";
	const char *name = arguments_value(&options->args, "name");
	if (name && !sluice_name_valid(sluice_str(name)))
		return wrong("--name: a name is 1 to 64 of A-Z a-z 0-9 . _ -");
	if (name)
		snprintf(options->name, sizeof options->name, "%s", name);
	else
		make_name(options->name);
	options->no_sources = arguments_has(&options->args, "no-sources");
	options->no_exec = arguments_has(&options->args, "no-exec");
	options->verbose = arguments_has(&options->args, "verbose");
	return OPTIONS_RUN;
}

void options_finish(struct options *options)
{
	broker_options_finish(&options->broker);
	arguments_finish(&options->args);
}
