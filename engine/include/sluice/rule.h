/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A rule (a pattern and its targets, on one bus) and a bus, read from their JSON
 * (schemas/json/rule.schema.json, bus.schema.json) with everything in them compiled. Immutable
 * after parsing; may be used from any thread.
 *
 *	struct sluice_rule *rule;
 *	if (sluice_rule_parse(text, &rule, &error) == SLUICE_OK &&
 *	    rule->state != SLUICE_RULE_DISABLED)
 *		sluice_matcher_add(matcher, id, rule->pattern, &error);
 *
 * The structs are to be read, never made or changed by the caller. A rule and a bus may get more
 * members at their ends.
 */
#ifndef SLUICE_RULE_H
#define SLUICE_RULE_H

#include <stdbool.h>

#include "sluice/json.h"
#include "sluice/pattern.h"
#include "sluice/transform.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_arena;
struct sluice_schedule;      /* sluice/schedule.h, for our own programs */
struct sluice_deduplication; /* these two: sluice/delivery.h, for our own programs */
struct sluice_delay;

enum {
	SLUICE_NAME_MAX = 64, /* bytes in the name of a rule, bus, queue, target, consumer */
	SLUICE_RULE_MAX_BYTES = 1048576,
	SLUICE_RULE_MAX_TARGETS = 64,
	SLUICE_DESCRIPTION_MAX = 1024, /* bytes in a description */
	SLUICE_CONTENT_TYPE_MAX = 256,
	SLUICE_BUS_MAX_FILTERS = 256,
	SLUICE_BUS_MAX_WILL_FILTERS = 16,
};

/* Whether it is 1 to SLUICE_NAME_MAX of A-Z a-z 0-9 . _ - */
SLUICE_API bool sluice_name_valid(struct sluice_str name);

enum sluice_rule_state { SLUICE_RULE_ENABLED, SLUICE_RULE_DISABLED, SLUICE_RULE_SHADOW };

/* "ENABLED", "DISABLED", "SHADOW": a static string. state is one of the three. */
SLUICE_API const char *sluice_rule_state_name(enum sluice_rule_state state);

/* Reads such a name, letter for letter. Returns false, and leaves *state, when it is none. */
SLUICE_API bool sluice_rule_state_parse(struct sluice_str name, enum sluice_rule_state *state);

enum sluice_target_kind { SLUICE_TARGET_TOPIC, SLUICE_TARGET_BUS, SLUICE_TARGET_QUEUE };

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
	struct sluice_str text;                     /* its verbatim JSON */
	struct sluice_str queue;                    /* SLUICE_TARGET_QUEUE */
	struct sluice_delay *delay;                 /* of a topic or queue; NULL = none */
	struct sluice_deduplication *deduplication; /* the same */
};

/* What sets a rule off that has no pattern. */
struct sluice_rule_schedule {
	struct sluice_schedule *times; /* NULL = the rule has a pattern; else not one of these is */
	struct sluice_str text;        /* "rate(5 minutes)" */
	struct sluice_str timezone;    /* absent = UTC */
	/* makes the event's payload; reads nothing of an event but its id and time. Never NULL */
	struct sluice_transform *input;
	struct sluice_str input_text;             /* its verbatim JSON; absent = not said so */
	struct sluice_str input_transformer_text; /* the same */
	bool run_missed; /* what was due while nobody ran it is made up for, once */
};

struct sluice_rule {
	struct sluice_str name;
	struct sluice_str bus; /* "default" when not named */
	struct sluice_str description;
	enum sluice_rule_state state;
	bool metrics; /* counters as $SYS topics of its own */
	struct sluice_pattern
	        *pattern; /* NULL after sluice_rule_take_pattern, and with a schedule */
	struct sluice_target *targets; /* may be none: such a rule only counts its matches */
	size_t target_count;
	/* SLUICE_META_* that pattern, templates and transformers together read */
	unsigned metadata;
	struct sluice_arena
	        *arena; /* owns this and what it points to, but for the compiled parts */
	struct sluice_str pattern_text; /* the pattern's verbatim JSON; absent with a schedule */
	struct sluice_str dead_letter;  /* the queue of its failed deliveries; absent = none */
	struct sluice_rule_schedule schedule;
};

/*
 * Parses and compiles a rule. Unknown and repeated members are errors.
 *
 * text		JSON, at most SLUICE_RULE_MAX_BYTES; nothing of it is referred to afterwards
 * rule		gets the rule, the caller's to free with sluice_rule_destroy
 * error	the place is from the rule's root, and inside the pattern `$.pattern.detail…`
 *
 * Errors: SLUICE_ERR_SYNTAX, _INVALID, _LIMIT, _NOMEM.
 */
SLUICE_API enum sluice_status sluice_rule_parse(struct sluice_str text, struct sluice_rule **rule,
                                                struct sluice_error *error);

/* The same of a node of a larger document (a command, an import), which may go afterwards. */
SLUICE_API enum sluice_status sluice_rule_from_json(const struct sluice_json *node,
                                                    struct sluice_rule **rule,
                                                    struct sluice_error *error);

/*
 * Takes the compiled pattern out of a rule, which is much the larger part of it: once a matcher has
 * copied what it needs, the rest of the rule is enough to deliver by. Not while another thread uses
 * the rule.
 *
 * Returns the pattern, the caller's to free with sluice_pattern_destroy; NULL when it was taken
 * before, or the rule has a schedule.
 */
SLUICE_API struct sluice_pattern *sluice_rule_take_pattern(struct sluice_rule *rule);

/* Frees a rule with its pattern, topics and transformers. NULL is allowed. */
SLUICE_API void sluice_rule_destroy(struct sluice_rule *rule);

/*
 * Appends the rule as one line of JSON, pattern and targets verbatim (white space outside strings
 * folded). Failure is in the buffer's `failed`.
 */
SLUICE_API void sluice_rule_write(const struct sluice_rule *rule, struct sluice_buffer *buf);

/* Which of a bus's events are kept for a while, to be looked at and replayed. */
struct sluice_archive {
	struct sluice_pattern *pattern; /* NULL = all */
	struct sluice_str pattern_text; /* its verbatim JSON; absent = all */
	int64_t retention_s;
	int64_t max_bytes; /* 0 = no bound */
};

struct sluice_bus {
	struct sluice_str name;
	struct sluice_str description;
	struct sluice_str
	        *topics; /* topic filters it takes in; may be none: reached only by chaining */
	size_t topic_count;
	struct sluice_str *exclude; /* topic filters it leaves out, whatever `topics` says */
	size_t exclude_count;
	bool deliver_original;          /* default true */
	struct sluice_arena *arena;     /* owns all of the above */
	struct sluice_archive *archive; /* NULL = none; owned but for its pattern by the arena */
	struct sluice_str *will_topics; /* filters, of which no two match the same topic */
	size_t will_topic_count;
};

/*
 * Parses a bus. Unknown and repeated members are errors.
 *
 * text		JSON; nothing of it is referred to afterwards. Its length is not bounded here
 * bus		gets the bus, the caller's to free with sluice_bus_destroy
 * error	the place is from the bus's root
 *
 * Errors: SLUICE_ERR_SYNTAX, _INVALID, _LIMIT (filters, a length), _NOMEM.
 */
SLUICE_API enum sluice_status sluice_bus_parse(struct sluice_str text, struct sluice_bus **bus,
                                               struct sluice_error *error);

/* The same of a node of a larger document, which may go afterwards. */
SLUICE_API enum sluice_status sluice_bus_from_json(const struct sluice_json *node,
                                                   struct sluice_bus **bus,
                                                   struct sluice_error *error);

/* Frees a bus. NULL is allowed. */
SLUICE_API void sluice_bus_destroy(struct sluice_bus *bus);

/* Appends the bus as one line of JSON. Failure is in the buffer's `failed`. */
SLUICE_API void sluice_bus_write(const struct sluice_bus *bus, struct sluice_buffer *buf);

/*
 * Whether the bus takes in what is published to this topic: one of `topics` matches it, and none of
 * `exclude`. Allocates nothing.
 */
SLUICE_API bool sluice_bus_takes(const struct sluice_bus *bus, struct sluice_str topic);

/* Whether it takes in a client's last will of this topic: the same with `will_topics`. */
SLUICE_API bool sluice_bus_takes_will(const struct sluice_bus *bus, struct sluice_str topic);

#ifdef __cplusplus
}
#endif

#endif
