/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "catalog.h"

enum cli_exit catalog_open(const struct cli *cli, unsigned flags, struct catalog **catalog)
{
	struct sluice_error error;
	const char *path = arguments_value(cli->args, "db");
	enum cli_exit code = path ? catalog_open_store(path, flags, catalog, &error)
	                          : catalog_open_broker(cli, catalog, &error);
	if (code == CLI_OK)
		return code;
	if (code == CLI_USAGE)
		return fail_usage(cli, "%s", error.message);
	return fail(cli, code, NULL, &error);
}

void catalog_close(struct catalog *catalog)
{
	if (catalog)
		catalog->ops->close(catalog);
}

enum sluice_store_kind catalog_kind(const struct cli *cli)
{
	enum sluice_store_kind kind = SLUICE_STORE_RULE;
	sluice_store_kind_parse(sluice_str(cli->verb->noun), &kind);
	return kind;
}
