/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* rule put --dry-run: what a rule would have matched. */
#ifndef CLI_DRY_RUN_H
#define CLI_DRY_RUN_H

#include "cli.h"

/* Tries the rule, given as JSON, on the archive of its bus, as --against says; prints what it would
 * have matched, and how that differs from the rule in force. */
enum cli_exit dry_run(const struct cli *cli, struct sluice_str rule);

#endif
