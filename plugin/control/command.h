/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A command of the control API: a table entry, and a function that runs it on the store's thread.
 * Each stands in a file of its own; adding one touches that file and the table in commands.c. What
 * a command takes is checked against its members here, so that an unknown one is an error
 * everywhere.
 */
#ifndef SLUICE_PLUGIN_CONTROL_COMMAND_H
#define SLUICE_PLUGIN_CONTROL_COMMAND_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/json.h"
#include "sluice/rule.h"
#include "store_thread.h"

enum member_type {
	MEMBER_NAME, /* a string: 1 to 64 of A-Z a-z 0-9 . _ - */
	MEMBER_STRING,
	MEMBER_BOOL,
	MEMBER_INTEGER, /* within min and max */
	MEMBER_OBJECT,
	MEMBER_ARRAY,
	MEMBER_ANY,
};

enum { COMMAND_MEMBERS_MAX = 8 };

struct member {
	const char *name; /* NULL ends the list */
	enum member_type type;
	bool required;
	int64_t min, max;
};

struct command_call;

struct command {
	const char *name;
	enum sluice_store_kind kind; /* what it is about, of a command that each kind has */
	bool view;                   /* allowed on the topic that only reads */
	/*
	 * Runs it: appends one JSON object, its data, to call->data. On failure what it appended is
	 * dropped. The error's place is from the command, "$.rule.pattern.a[0]".
	 */
	enum sluice_status (*run)(struct command_call *call, struct sluice_error *error);
	struct member members[COMMAND_MEMBERS_MAX + 1];
};

/* One command of a request, its members checked. */
struct command_call {
	const struct command *command;
	struct store_thread *thread;
	struct asker *asker;
	const struct sluice_json *json;
	struct sluice_buffer *data;
};

/* NULL when there is none of that name. */
const struct command *command_find(struct sluice_str name);

/* A member, or NULL. */
const struct sluice_json *call_member(const struct command_call *call, const char *name);
/* A string's characters; absent when it is not there. */
struct sluice_str call_string(const struct command_call *call, const char *name);
bool call_bool(const struct command_call *call, const char *name, bool otherwise);
int64_t call_integer(const struct command_call *call, const char *name, int64_t otherwise);

/* The open store, or an error that says why there is none. */
enum sluice_status call_store(const struct command_call *call, struct sluice_store **store,
                              struct sluice_error *error);

/*
 * The durable state, to look at, by a connection of the store's thread's own; SLUICE_ERR_NOT_FOUND while
 * there is none. What happened in the last milliseconds may not be in it.
 */
enum sluice_status call_data(const struct command_call *call, struct sluice_data **data,
                             struct sluice_error *error);

/* The queue that the member names, which is in force, or an error with its place. */
enum sluice_status call_queue(const struct command_call *call, const char *member,
                              struct queue_record **queue, struct sluice_error *error);

/* Whether a name is among those that the command's `prefix` and `after` choose. */
bool call_chooses(const struct command_call *call, const char *name);

/* Puts what was committed in force; then the command's answer may be sent. */
void call_in_force(const struct command_call *call);

/* Puts `member` before an error's place: "$.pattern.a" becomes "$.rule.pattern.a". */
enum sluice_status call_error_within(enum sluice_status status, const char *member,
                                     struct sluice_error *error);

/* Appends ,"name": (without the comma after '{'). */
void data_key(struct sluice_buffer *data, const char *name);
void data_string(struct sluice_buffer *data, const char *name, struct sluice_str value);
void data_integer(struct sluice_buffer *data, const char *name, int64_t value);
void data_bool(struct sluice_buffer *data, const char *name, bool value);
/* Well-formed JSON as it is. */
void data_raw(struct sluice_buffer *data, const char *name, struct sluice_str json);
/* Bytes as base64. */
void data_base64(struct sluice_buffer *data, const char *name, struct sluice_str bytes);
/* A row of the store: "rule":{…},"revision":…, and "error" when it is not in force as it stands. */
void data_row(struct sluice_buffer *data, enum sluice_store_kind kind,
              const struct sluice_store_row *row);

extern const struct command command_put_rule, command_get_rule, command_list_rules,
        command_delete_rule, command_enable_rule, command_disable_rule, command_shadow_rule,
        command_put_bus, command_get_bus, command_list_buses, command_delete_bus, command_put_queue,
        command_get_queue, command_list_queues, command_delete_queue, command_put_connection,
        command_get_connection, command_list_connections, command_delete_connection,
        command_put_target, command_get_target, command_list_targets, command_delete_target,
        command_enable_target, command_disable_target, command_put_source, command_get_source,
        command_list_sources, command_delete_source, command_enable_source, command_disable_source,
        command_test_pattern, command_explain, command_tap, command_untap, command_import_begin,
        command_import_part, command_import_commit, command_import_abort, command_export_begin,
        command_export_part, command_get_status, command_purge_queue, command_redrive_queue,
        command_get_queue_status, command_report_bridge, command_get_bridge_status,
        command_peek_queue, command_list_archives, command_search_archive, command_read_stream,
        command_test_rule_against_archive, command_start_replay, command_list_replays,
        command_pause_replay, command_resume_replay, command_cancel_replay;

#endif
