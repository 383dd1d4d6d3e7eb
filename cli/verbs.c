/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "verbs.h"

const struct verb *const verbs[] = {
	&verb_rule_put,       &verb_rule_get,
	&verb_rule_list,      &verb_rule_delete,
	&verb_rule_enable,    &verb_rule_disable,
	&verb_rule_shadow,    &verb_rule_import,
	&verb_rule_export,    &verb_rule_diff,
	&verb_bus_put,        &verb_bus_get,
	&verb_bus_list,       &verb_bus_delete,
	&verb_queue_put,      &verb_queue_get,
	&verb_queue_list,     &verb_queue_delete,
	&verb_queue_status,   &verb_queue_peek,
	&verb_queue_purge,    &verb_queue_redrive,
	&verb_archive_list,   &verb_archive_stats,
	&verb_archive_search, &verb_replay_start,
	&verb_replay_list,    &verb_replay_pause,
	&verb_replay_resume,  &verb_replay_cancel,
	&verb_stream,         &verb_match,
	&verb_explain,        &verb_tap,
	&verb_status,         &verb_backup,
	&verb_restore,        &verb_bench,
	&verb_completion,     &verb_help,
	&verb_version,        NULL,
};
