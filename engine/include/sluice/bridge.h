/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the bridge is told to do: targets that carry a queue's events outside, sources that bring
 * outside changes in, and the connections (credentials) that both use. Read from their JSON
 * (schemas/json/target.schema.json, source.schema.json, connection.schema.json). What a kind takes
 * stands in tables, so that a definition is checked wherever it is put, with nothing linked that
 * the kind itself needs. Immutable after parsing; may be used from any thread.
 */
#ifndef SLUICE_BRIDGE_H
#define SLUICE_BRIDGE_H

#include <stdbool.h>

#include "sluice/json.h"
#include "sluice/rule.h"

enum sluice_setting_type {
	SLUICE_SETTING_TEXT,
	SLUICE_SETTING_INTEGER,
	SLUICE_SETTING_BOOL,
	SLUICE_SETTING_CHOICE,     /* one of `choices` */
	SLUICE_SETTING_TEXTS,      /* an array of strings, at least one */
	SLUICE_SETTING_MAP,        /* an object of strings */
	SLUICE_SETTING_TEMPLATE,   /* a text template, see sluice/text_template.h */
	SLUICE_SETTING_TEMPLATES,  /* an object of text templates */
	SLUICE_SETTING_PARAMETERS, /* an array of text templates and {"path": "$.x"} */
	SLUICE_SETTING_BODY,       /* a text template, or an input_transformer's object */
	SLUICE_SETTING_TOPIC,      /* an MQTT topic template, see sluice/transform.h */
	SLUICE_SETTING_FILTERS,    /* an array of MQTT topic filters */
	SLUICE_SETTING_LIMITS,     /* an object of integers, named by `choices` */
};

struct sluice_setting {
	const char *name;
	enum sluice_setting_type type;
	bool required;
	int64_t otherwise; /* INTEGER, BOOL: when it is absent */
	int64_t min, max;  /* INTEGER, LIMITS: of a number; TEXT: of its bytes, 0 = no bound */
	const char *const *choices; /* CHOICE, LIMITS: NULL-terminated */
};

/* A kind of target, source or connection. */
struct sluice_bridge_kind {
	const char *name;
	const struct sluice_setting *settings; /* ends with a NULL name */
	const char *const *secrets;            /* of a connection: their names; NULL-terminated */
};

/* The numbers of a target's "delivery". */
struct sluice_bridge_delivery {
	int64_t concurrency;
	int64_t rate, burst; /* events a second, 0 = no bound; burst 0 = rate */
	int64_t batch_events, batch_bytes, batch_wait_ms;
	int64_t timeout_ms;
	int64_t max_attempts, max_age_s;
	int64_t backoff_ms, backoff_max_ms;
	int64_t breaker_failures, breaker_pause_ms; /* failures 0 = no breaker */
};

/* A step before a target: its response replaces the event, or becomes a part of it. */
struct sluice_bridge_enrichment {
	const struct sluice_bridge_kind *kind; /* http or exec; NULL = no such step */
	struct sluice_str connection;          /* absent = none */
	const struct sluice_json *settings;
	struct sluice_str into; /* a member's path "$.customer"; absent: it replaces the event */
};

/* To be read, never made or changed by the caller; their texts live as long as they do. */
struct sluice_bridge_target {
	struct sluice_str name, description;
	bool enabled;
	struct sluice_str queue; /* the name, when none is said */
	const struct sluice_bridge_kind *kind;
	struct sluice_str connection;       /* absent = none */
	const struct sluice_json *settings; /* an object, maybe empty; never NULL */
	struct sluice_bridge_enrichment enrichment;
	struct sluice_bridge_delivery delivery;
	struct sluice_json_doc *doc; /* owns all of the above */
};

struct sluice_bridge_source {
	struct sluice_str name, description;
	bool enabled;
	const struct sluice_bridge_kind *kind;
	struct sluice_str connection;
	struct sluice_str topic; /* a topic template that is applied to each record */
	const struct sluice_json *settings;
	struct sluice_json_doc *doc;
};

struct sluice_bridge_connection {
	struct sluice_str name, description;
	const struct sluice_bridge_kind *kind;
	const struct sluice_json *settings;
	/* Of strings, null (kept as it is in the store), {"file"}, {"env"}; NULL = none. */
	const struct sluice_json *secrets;
	struct sluice_json_doc *doc;
};

/* As sluice_queue_parse and its like. Errors name the place from the definition's root. */
enum sluice_status sluice_bridge_target_from_json(const struct sluice_json *node,
                                                  struct sluice_bridge_target **target,
                                                  struct sluice_error *error);
enum sluice_status sluice_bridge_source_from_json(const struct sluice_json *node,
                                                  struct sluice_bridge_source **source,
                                                  struct sluice_error *error);
enum sluice_status sluice_bridge_connection_from_json(const struct sluice_json *node,
                                                      struct sluice_bridge_connection **connection,
                                                      struct sluice_error *error);

/* Free one. NULL is allowed. */
void sluice_bridge_target_destroy(struct sluice_bridge_target *target);
void sluice_bridge_source_destroy(struct sluice_bridge_source *source);
void sluice_bridge_connection_destroy(struct sluice_bridge_connection *connection);

/* Append one as a line of JSON. A connection's with secrets that are null where they are strings,
 * unless `secrets` says that they are wanted: for the store alone. Failure is in the buffer's
 * `failed`. */
void sluice_bridge_target_write(const struct sluice_bridge_target *target,
                                struct sluice_buffer *buf);
void sluice_bridge_source_write(const struct sluice_bridge_source *source,
                                struct sluice_buffer *buf);
void sluice_bridge_connection_write(const struct sluice_bridge_connection *connection, bool secrets,
                                    struct sluice_buffer *buf);

/* Appends an object of secrets as it may be shown: only where they are to be found, null for the
 * rest. NULL is none; anything but an object gives null. */
void sluice_bridge_secrets_write(const struct sluice_json *secrets, struct sluice_buffer *buf);

/*
 * Reading settings that were checked. `settings` is the object, `kind` whose; an absent one gives
 * what the kind's table says: `otherwise`, and an absent text.
 */
struct sluice_str sluice_setting_text(const struct sluice_json *settings, const char *name);
int64_t sluice_setting_integer(const struct sluice_bridge_kind *kind,
                               const struct sluice_json *settings, const char *name);
bool sluice_setting_bool(const struct sluice_bridge_kind *kind, const struct sluice_json *settings,
                         const char *name);
/* Which of the choices it is; `otherwise` of the table when it is absent. */
int sluice_setting_choice(const struct sluice_bridge_kind *kind, const struct sluice_json *settings,
                          const char *name);
/* Any other: the node, NULL when absent. */
const struct sluice_json *sluice_setting_node(const struct sluice_json *settings, const char *name);

#endif
