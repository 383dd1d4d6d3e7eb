/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A rule (a pattern and its targets, on one bus) and a bus, read from their JSON
 * (schemas/json/rule.schema.json, bus.schema.json) with everything in them compiled. Immutable
 * after parsing; may be used from any thread.
 */
#ifndef SLUICE_RULE_H
#define SLUICE_RULE_H

#include <stdbool.h>

#include "sluice/json.h"
#include "sluice/pattern.h"
#include "sluice/transform.h"

struct sluice_arena;

enum {
	SLUICE_NAME_MAX = 64, /* bytes in the name of a rule, bus, queue, target, consumer */
	SLUICE_RULE_MAX_BYTES = 1048576,
	SLUICE_RULE_MAX_TARGETS = 64,
	SLUICE_DESCRIPTION_MAX = 1024, /* bytes in a description */
	SLUICE_CONTENT_TYPE_MAX = 256,
	SLUICE_BUS_MAX_FILTERS = 256,
};

/* 1 to 64 of A-Z a-z 0-9 . _ - */
bool sluice_name_valid(struct sluice_str name);

enum sluice_rule_state { SLUICE_RULE_ENABLED, SLUICE_RULE_DISABLED, SLUICE_RULE_SHADOW };

/* "ENABLED", "DISABLED", "SHADOW" */
const char *sluice_rule_state_name(enum sluice_rule_state state);
bool sluice_rule_state_parse(struct sluice_str name, enum sluice_rule_state *state);

enum sluice_target_kind { SLUICE_TARGET_TOPIC, SLUICE_TARGET_BUS };

/* Bits of sluice_target.properties: user properties added to what is delivered. */
enum {
	SLUICE_ADD_RULE = 1 << 0,  /* sluice-rule */
	SLUICE_ADD_TOPIC = 1 << 1, /* sluice-topic */
	SLUICE_ADD_ID = 1 << 2,    /* sluice-id */
	SLUICE_ADD_TIME = 1 << 3,  /* sluice-time, RFC 3339 UTC with milliseconds */
};

struct sluice_target {
	struct sluice_str id;
	enum sluice_target_kind kind;
	struct sluice_topic_template *topic; /* SLUICE_TARGET_TOPIC */
	struct sluice_str consumer;          /* absent when not named */
	struct sluice_str bus;               /* SLUICE_TARGET_BUS */
	struct sluice_transform *transform;  /* NULL = the event's payload as it is */
	struct sluice_str content_type;      /* of a transformed payload; absent = none */
	int8_t qos;                          /* 0, 1, 2; -1 = inherit (the default) */
	int8_t retain;                       /* 0 (the default), 1; -1 = inherit */
	bool once;           /* skip when the same event was already delivered to the same topic */
	unsigned properties; /* SLUICE_ADD_* */
	uint32_t expiry_s;   /* 0 = none */
	struct sluice_str text; /* its verbatim JSON */
};

struct sluice_rule {
	struct sluice_str name;
	struct sluice_str bus; /* "default" when not named */
	struct sluice_str description;
	enum sluice_rule_state state;
	bool metrics;                   /* counters as $SYS topics of its own */
	struct sluice_pattern *pattern; /* its text: sluice_pattern_text() */
	struct sluice_target *targets;  /* may be none: such a rule only counts its matches */
	size_t target_count;
	/* SLUICE_META_* that pattern, templates and transformers together read */
	unsigned metadata;
	struct sluice_arena
	        *arena; /* owns this and what it points to, but for the compiled parts */
};

/*
 * Parses and compiles a rule's JSON text, or a node of a larger document (a command, an import).
 * Nothing of the input is referred to afterwards. Unknown and repeated members are errors; the
 * place is from the rule's root, and inside the pattern `$.pattern.detail…`. On success *rule is
 * the caller's (sluice_rule_destroy).
 */
enum sluice_status sluice_rule_parse(struct sluice_str text, struct sluice_rule **rule,
                                     struct sluice_error *error);
enum sluice_status sluice_rule_from_json(const struct sluice_json *node, struct sluice_rule **rule,
                                         struct sluice_error *error);
void sluice_rule_destroy(struct sluice_rule *rule);

/* Appends the rule as one line of JSON, pattern and targets verbatim (white space outside strings
 * folded). */
void sluice_rule_write(const struct sluice_rule *rule, struct sluice_buffer *buf);

struct sluice_bus {
	struct sluice_str name;
	struct sluice_str description;
	struct sluice_str
	        *topics; /* topic filters it takes in; may be none: reached only by chaining */
	size_t topic_count;
	struct sluice_str *exclude; /* topic filters it leaves out, whatever `topics` says */
	size_t exclude_count;
	bool deliver_original;      /* default true */
	struct sluice_arena *arena; /* owns all of the above */
};

enum sluice_status sluice_bus_parse(struct sluice_str text, struct sluice_bus **bus,
                                    struct sluice_error *error);
enum sluice_status sluice_bus_from_json(const struct sluice_json *node, struct sluice_bus **bus,
                                        struct sluice_error *error);
void sluice_bus_destroy(struct sluice_bus *bus);
void sluice_bus_write(const struct sluice_bus *bus, struct sluice_buffer *buf);

/* Whether the bus takes in what is published to this topic. Allocates nothing. */
bool sluice_bus_takes(const struct sluice_bus *bus, struct sluice_str topic);

#endif
