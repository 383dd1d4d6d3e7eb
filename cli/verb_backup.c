/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice backup, sluice restore */
#include "catalog.h"
#include "control.h"
#include "sluice_store/store.h"
#include "verbs.h"

static enum cli_exit run(const struct cli *cli, unsigned flags,
                         enum sluice_status (*copy)(struct sluice_store *store, const char *file,
                                                    struct sluice_error *error))
{
	const char *path = arguments_value(cli->args, "db");
	struct sluice_store *store;
	struct sluice_error error;
	if (!path)
		return fail_usage(cli, "--db FILE says which store");
	enum sluice_status status = sluice_store_open(path, flags, &store, &error);
	if (status != SLUICE_OK)
		return fail(cli, status == SLUICE_ERR_NOMEM ? CLI_SYSTEM : CLI_STORE, NULL, &error);
	status = copy(store, cli->args->operands[0], &error);
	sluice_store_close(store);
	if (status == SLUICE_OK) {
		struct sluice_buffer out = { 0 };
		if (!cli->json)
			return CLI_OK;
		sluice_buffer_append_text(&out, "{");
		output_member_text(&out, "db", sluice_str(path));
		output_member_text(&out, "file", sluice_str(cli->args->operands[0]));
		sluice_buffer_append_text(&out, "}");
		enum cli_exit written = output_line(cli, &out);
		sluice_buffer_finish(&out);
		return written;
	}
	enum cli_exit code = exit_of_store(status);
	/* A file that is missing is no answer "no". */
	return fail(cli, code == CLI_NO ? CLI_STORE : code, NULL, &error);
}

static enum cli_exit exec_backup(const struct cli *cli)
{
	return run(cli, SLUICE_STORE_READ_ONLY, sluice_store_backup);
}

static enum cli_exit exec_restore(const struct cli *cli)
{
	return run(cli, SLUICE_STORE_CREATE, sluice_store_restore);
}

const struct verb verb_backup = {
	.name = "backup",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_STORE | VERB_JSON,
	.completes = "@file",
	.summary = "copy a store into a new file",
	.help = "A broker may be using the store meanwhile. FILE must not exist.",
	.exec = exec_backup,
};

const struct verb verb_restore = {
	.name = "restore",
	.operands = "FILE",
	.min_operands = 1,
	.max_operands = 1,
	.flags = VERB_STORE | VERB_JSON,
	.completes = "@file",
	.summary = "put a backup in a store's place",
	.help = "All of it or nothing. A broker may be using the store: within a second it\n"
	        "has the rules of the backup in force.",
	.exec = exec_restore,
};
