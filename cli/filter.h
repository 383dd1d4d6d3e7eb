/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A file of events, one a line, matched by several threads on one matcher, with the answers in the
 * order of the events.
 *
 *	            input lock                                       output, by turns
 *	events ──▶ chunk 0 ──▶ thread 0: lines, matches, answers ──▶ waits for turn 0
 *	       ──▶ chunk 1 ──▶ thread 1: lines, matches, answers ──▶ waits for turn 1
 *
 * Each thread in turn reads a chunk that ends with a line, matches it on a scratch of its own and
 * writes what came of it when all chunks before have been written. So memory is bounded by the
 * threads, whatever the file: a chunk (longer only where a line is) and about a megabyte of answers
 * each. What has arrived is answered before more is waited for.
 */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H

#include "cli.h"
#include "sluice/matcher.h"

enum { FILTER_MAX_THREADS = 256 };

/* How a rule is named in an answer. */
struct filter_name {
	struct sluice_str quoted; /* as JSON, with a comma before it */
	size_t rank;              /* among all names, ascending; the same for the same name */
};

/*
 * Prints for each line of the file the JSON array of the names of the rules it matches, sorted. The
 * matcher's ids are places in `names`, of which there are `count`, sorted. Failures are told.
 */
enum cli_exit filter_events(const struct cli *cli, const struct sluice_matcher *matcher,
                            const struct filter_name *names, size_t count, const char *path,
                            size_t threads);

#endif
