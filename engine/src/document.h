/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the readers of patterns, rules and buses have in common. */
#ifndef SLUICE_DOCUMENT_H
#define SLUICE_DOCUMENT_H

#include "arena.h"
#include "sluice/json.h"

/* The document's own memory, for what dies with it. */
struct sluice_arena *sluice_json_arena(const struct sluice_json_doc *doc);

/*
 * Makes the place of an error found below `root` begin there: `$.commands[0].rule.name` becomes
 * `$.name`. `root` may be a node of a larger document.
 */
static inline void sluice_error_rebase(struct sluice_error *error, const struct sluice_json *root)
{
	char prefix[sizeof(error->place)];

	if (!error || error->place[0] == '\0')
		return;
	sluice_json_place(root, prefix, sizeof(prefix));
	size_t len = strlen(prefix);
	/* A root so deep that its place was cut leaves no room for what is below. */
	if (len + 1 < sizeof(prefix) && strncmp(error->place, prefix, len) == 0)
		memmove(error->place + 1, error->place + len, strlen(error->place + len) + 1);
}

#endif
