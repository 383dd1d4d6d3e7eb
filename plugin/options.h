/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The plugin_opt_* lines of mosquitto.conf (docs/operating.md describes each). */
#ifndef SLUICE_PLUGIN_OPTIONS_H
#define SLUICE_PLUGIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice/types.h"
#include "sluice_store/journal.h"

/* Who may use the control topics, beside what the broker's ACLs say. */
enum control_access { CONTROL_AUTO, CONTROL_ACL, CONTROL_NONE };

struct options {
	char *db_file;              /* absolute path; required */
	bool continue_on_bad_store; /* on_bad_store: start without rules, and go on trying */
	enum control_access control_access;
	char **control_users; /* usernames let in under CONTROL_AUTO */
	size_t control_user_count;
	bool protect_targets;
	int64_t sys_interval_s; /* 0 = no $SYS topics */
	int64_t max_deliveries; /* of one event */
	/* Of one event: topics and payloads together, and the payload again for each target whose
	 * topic or transformer looks into it. */
	int64_t max_delivery_bytes;
	int64_t max_bus_visits; /* of one event */
	/* Durable delivery. The files lie beside db_file unless they are named. */
	char *data_file;
	char *journal_dir;
	int64_t journal_max; /* bytes of all segments */
	enum sluice_durability durability;
	int64_t sync_ms; /* SLUICE_DURABLE_BATCH */
};

/* One line: plugin_opt_KEY VALUE. */
struct option_line {
	const char *key;
	const char *value;
};

/*
 * Reads the lines over the defaults. On failure the options are finished, and the error names
 * the option. An unknown option is an error: a misspelled one must not be silently without effect.
 */
enum sluice_status options_init(struct options *options, const struct option_line *lines,
                                size_t count, struct sluice_error *error);
void options_finish(struct options *options);

/* Whether both say the same: one store can't be served under two sets of options. */
bool options_equal(const struct options *a, const struct options *b);

#endif
