/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Between the files of explain. An explanation is made in two steps: a session (explain_session.c)
 * matches the event on a private matcher that holds each conjunction as a rule of its own, so the
 * verdict is the matcher's, and judges every field by the leaves that were recorded; then what is
 * to be shown is copied out (explain.c), since the leaves live no longer than the session.
 *
 *	pattern ─ conjunctions ─ fields          explanation ─ fields of the conjunction shown
 *	              │ verdict     │ state                       └ leaves: value, why
 */
#ifndef SLUICE_EXPLAIN_INTERNAL_H
#define SLUICE_EXPLAIN_INTERNAL_H

#include "arena.h"
#include "leaves.h"
#include "sluice/buffer.h"
#include "sluice/explain.h"

enum {
	SLUICE_EXPLAIN_LEAVES = 8,       /* shown of a field */
	SLUICE_EXPLAIN_ALTERNATIVES = 8, /* shown of a leaf */
	SLUICE_EXPLAIN_VALUE_BYTES = 120 /* shown of a value */
};

enum sluice_field_state {
	SLUICE_FIELD_MATCHED,        /* a leaf matches an alternative */
	SLUICE_FIELD_MATCHED_ABSENT, /* it may be absent, and is, perhaps in some elements only */
	SLUICE_FIELD_FAILED,         /* no leaf does, or there is none */
	SLUICE_FIELD_NO_PAYLOAD,     /* the payload has no fields */
	SLUICE_FIELD_UNDECIDED       /* its leaves cost more than an explanation may */
};

/* --- what is shown; all strings live in the explanation's arena --- */

struct sluice_explained_leaf {
	struct sluice_str value; /* as JSON, cut where it is long */
	bool cut;
	struct sluice_str why; /* "is not > 30" */
};

struct sluice_explained_field {
	struct sluice_str path;
	struct sluice_str place; /* in the pattern */
	enum sluice_field_state state;
	struct sluice_explained_leaf *leaves; /* the one that matched, or the first that did not */
	size_t shown;
	size_t leaf_count; /* leaves at the path */
};

struct sluice_explanation {
	struct sluice_arena *arena;
	bool matched;
	bool undecided;          /* the matcher could not decide it within its bound */
	bool not_together;       /* all fields match, but not in the same array elements */
	bool empty_payload;      /* no bytes */
	bool no_payload;         /* not even an empty one */
	unsigned flags;          /* SLUICE_MATCH_* */
	struct sluice_str array; /* path of the array they match in different elements of; absent
	                            when it is not one array alone */
	size_t failed;
	size_t conjunction; /* which one is shown */
	size_t conjunction_count;
	struct sluice_explained_field *fields;
	size_t field_count;
};

/* --- the session --- */

/* A field of the pattern, judged by itself. */
struct sluice_judged_field {
	bool judged;
	enum sluice_field_state state;
	uint32_t first;     /* the first leaf at its path, or SLUICE_NO_LEAF */
	uint32_t leaf;      /* SLUICE_FIELD_MATCHED: the first that matches */
	size_t alternative; /* … and what it matches */
	size_t leaf_count;
	uint32_t
	        array; /* the outermost array that `leaf`, or else `first`, stands in, or UINT32_MAX
	                   */
	bool in_elements; /* all its leaves stand in array elements */
};

struct sluice_session {
	const struct sluice_event *event;
	struct sluice_scratch *scratch; /* the caller's */
	struct sluice_matcher *matcher; /* owned */
	uint64_t *matched;              /* owned; ids of conjunctions, sorted */
	size_t matched_count;
	size_t next_id;
	unsigned flags;
	bool undecided; /* some conjunction is */
	int64_t budget; /* of judging one rule's fields */
};

/* A rule in a session. */
struct sluice_session_rule {
	const struct sluice_pattern *pattern;
	uint64_t first_id;                  /* of its first conjunction */
	struct sluice_judged_field *fields; /* owned; by field of the pattern */
	size_t nearest;                     /* conjunction that matched, or came nearest */
	bool matched;
	bool not_together;
	size_t failed;
};

enum sluice_status sluice_session_init(struct sluice_session *session,
                                       struct sluice_scratch *scratch,
                                       const struct sluice_event *event);
void sluice_session_finish(struct sluice_session *session);
enum sluice_status sluice_session_add(struct sluice_session *session,
                                      struct sluice_session_rule *rule,
                                      const struct sluice_pattern *pattern);
void sluice_session_rule_finish(struct sluice_session_rule *rule);
/* Matches the event against all that was added. */
enum sluice_status sluice_session_match(struct sluice_session *session);
/* Judges the rule's fields and finds its nearest conjunction. */
void sluice_session_judge(struct sluice_session *session, struct sluice_session_rule *rule);
/* The path node of the array in which the fields of the nearest conjunction match in different
 * elements; NULL when there is no such one. */
const struct sluice_path_node *sluice_session_parting(struct sluice_session *session,
                                                      const struct sluice_session_rule *rule);

/* --- words --- */

/* Appends a leaf's value as JSON, cut where it is long; true when it was. */
bool sluice_explain_value(struct sluice_buffer *buf, const struct sluice_value *value);

/*
 * Appends what the alternative says of the leaf: "is > 30", "is not > 30". SLUICE_ERR_NOMEM is
 * all that can fail.
 */
enum sluice_status sluice_explain_predicate(struct sluice_buffer *buf,
                                            const struct sluice_predicate *predicate,
                                            const struct sluice_value *value, bool matches);

/* Appends "$.a.b" or "$mqtt.topic", control characters as '?', cut where it is long. */
void sluice_explain_path(struct sluice_buffer *buf, struct sluice_str path);

/* Why the payload has no fields: "the payload is not JSON". */
const char *sluice_explain_payload(const struct sluice_explanation *explanation);

#endif
