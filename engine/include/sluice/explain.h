/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Why a rule did or did not match an event: for every field of the pattern which
 * leaves it saw and which alternative failed. Allocates; not for the way of an event.
 *
 *	struct sluice_explanation *explanation;
 *	struct sluice_buffer text = { 0 };
 *	if (sluice_explain(pattern, &event, &explanation, &error) == SLUICE_OK) {
 *		sluice_explanation_write_text(explanation, &text);
 *		sluice_explanation_destroy(explanation);
 *	}
 *
 * Threads: pure; may run on any thread, beside matchers too. An explanation is immutable and holds
 * copies: pattern and event may go.
 */
#ifndef SLUICE_EXPLAIN_H
#define SLUICE_EXPLAIN_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/event.h"
#include "sluice/pattern.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_explanation;

/*
 * Explains what one pattern makes of an event. Costs about as much as matching it a few times,
 * and for a pattern of many conjunctions as much as adding as many rules to a matcher.
 *
 * explanation	gets the explanation, the caller's to free with sluice_explanation_destroy
 *
 * Errors: SLUICE_ERR_NOMEM.
 */
SLUICE_API enum sluice_status sluice_explain(const struct sluice_pattern *pattern,
                                             const struct sluice_event *event,
                                             struct sluice_explanation **explanation,
                                             struct sluice_error *error);

/* Frees an explanation. NULL is allowed. */
SLUICE_API void sluice_explanation_destroy(struct sluice_explanation *explanation);

/* Whether the event matched: the matcher's verdict on the same pattern. */
SLUICE_API bool sluice_explanation_matched(const struct sluice_explanation *explanation);

/*
 * How many fields failed, in the conjunction that came nearest (0 when it matched; 1 too when
 * all fields match but not in the same array elements).
 */
SLUICE_API size_t sluice_explanation_failed(const struct sluice_explanation *explanation);

/* Appends lines a person reads, each ended by '\n': "$.temperature: 21.5 is not > 30". */
SLUICE_API void sluice_explanation_write_text(const struct sluice_explanation *explanation,
                                              struct sluice_buffer *buf);

/* Appends one JSON object (schemas/json/explanation.schema.json). */
SLUICE_API void sluice_explanation_write_json(const struct sluice_explanation *explanation,
                                              struct sluice_buffer *buf);

/* One of many rules to be explained together. `name` is for the caller's own use. */
struct sluice_explain_rule {
	struct sluice_str name;
	const struct sluice_pattern *pattern; /* NULL: `text` is compiled, and freed soon after */
	struct sluice_str text;               /* a pattern that compiles; for pattern == NULL */
};

/* How the rules of sluice_explain_many are shown. */
struct sluice_explain_ranked {
	size_t rule; /* index into the rules given */
	struct sluice_explanation *explanation;
};

/*
 * Explains the event against all rules and keeps those that matched (all of them, in the
 * order given) and then the nearest misses, ordered by how few fields failed (ties in the order
 * given).
 *
 * rules	rule_count of them; may be NULL when there are none
 * max_misses	how many that did not match are kept at the most
 * cancelled	asked now and then, with `arg`, whether to stop; NULL = never
 * ranked	gets *count entries, the caller's to free with sluice_explain_ranked_destroy;
 *		NULL and 0 on failure
 *
 * Errors: SLUICE_ERR_BUSY (cancelled), _NOMEM (a text that is no pattern, too).
 */
SLUICE_API enum sluice_status sluice_explain_many(const struct sluice_explain_rule *rules,
                                                  size_t rule_count,
                                                  const struct sluice_event *event,
                                                  size_t max_misses, bool (*cancelled)(void *arg),
                                                  void *arg, struct sluice_explain_ranked **ranked,
                                                  size_t *count, struct sluice_error *error);

/* Frees a list with its explanations. NULL is allowed, with a count of 0. */
SLUICE_API void sluice_explain_ranked_destroy(struct sluice_explain_ranked *ranked, size_t count);

#ifdef __cplusplus
}
#endif

#endif
