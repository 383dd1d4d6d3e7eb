/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The table entries of all verbs; each is defined in the file of its verb. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "cli.h"

extern const struct verb verb_rule_put, verb_bus_put, verb_queue_put;
extern const struct verb verb_rule_get, verb_bus_get, verb_queue_get;
extern const struct verb verb_rule_list, verb_bus_list, verb_queue_list;
extern const struct verb verb_rule_delete, verb_bus_delete, verb_queue_delete;
extern const struct verb verb_rule_enable, verb_rule_disable, verb_rule_shadow;
extern const struct verb verb_connection_put, verb_connection_get, verb_connection_list,
        verb_connection_delete;
extern const struct verb verb_target_put, verb_target_get, verb_target_list, verb_target_delete,
        verb_target_enable, verb_target_disable, verb_target_status;
extern const struct verb verb_source_put, verb_source_get, verb_source_list, verb_source_delete,
        verb_source_enable, verb_source_disable, verb_source_add;
extern const struct verb verb_rule_import;
extern const struct verb verb_rule_export;
extern const struct verb verb_rule_diff;
extern const struct verb verb_archive_list, verb_archive_stats, verb_archive_search;
extern const struct verb verb_replay_start, verb_replay_list, verb_replay_cancel, verb_replay_pause,
        verb_replay_resume;
extern const struct verb verb_stream;
extern const struct verb verb_queue_status, verb_queue_peek, verb_queue_purge, verb_queue_redrive;
extern const struct verb verb_match;
extern const struct verb verb_explain;
extern const struct verb verb_tap;
extern const struct verb verb_status;
extern const struct verb verb_backup, verb_restore;
extern const struct verb verb_bench;
extern const struct verb verb_completion;
extern const struct verb verb_help, verb_version;

#endif
