/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Why a rule did or did not match an event: for every field of the pattern which
 * leaves it saw and which alternative failed. Allocates; not for the way of an event.
 */
#ifndef SLUICE_EXPLAIN_H
#define SLUICE_EXPLAIN_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/event.h"
#include "sluice/pattern.h"

struct sluice_explanation;

/* On success *explanation is the caller's (sluice_explanation_destroy). Errors: SLUICE_ERR_NOMEM.
 */
enum sluice_status sluice_explain(const struct sluice_pattern *pattern,
                                  const struct sluice_event *event,
                                  struct sluice_explanation **explanation,
                                  struct sluice_error *error);

/* NULL is allowed. */
void sluice_explanation_destroy(struct sluice_explanation *explanation);

bool sluice_explanation_matched(const struct sluice_explanation *explanation);

/*
 * How many fields failed, in the conjunction that came nearest (0 when it matched; 1 too when
 * all fields match but not in the same array elements).
 */
size_t sluice_explanation_failed(const struct sluice_explanation *explanation);

/* Appends lines a person reads, each ended by '\n': "$.temperature: 21.5 is not > 30". */
void sluice_explanation_write_text(const struct sluice_explanation *explanation,
                                   struct sluice_buffer *buf);

/* Appends one JSON object (schemas/json/explanation.schema.json). */
void sluice_explanation_write_json(const struct sluice_explanation *explanation,
                                   struct sluice_buffer *buf);

/* One of many rules to be explained together. */
struct sluice_explain_rule {
	struct sluice_str name;
	const struct sluice_pattern *pattern;
};

/* How the rules of sluice_explain_many are shown. */
struct sluice_explain_ranked {
	size_t rule; /* index into the rules given */
	struct sluice_explanation *explanation;
};

/*
 * Explains the event against all rules and keeps those that matched (all of them, in the
 * order given) and then the nearest misses, at most max_misses, ordered by how few fields failed
 * (ties in the order given). *ranked has *count entries; free with sluice_explain_ranked_destroy.
 * `cancelled` (may be NULL) is asked now and then with `arg`; when it says true the call stops with
 * SLUICE_ERR_BUSY.
 */
enum sluice_status sluice_explain_many(const struct sluice_explain_rule *rules, size_t rule_count,
                                       const struct sluice_event *event, size_t max_misses,
                                       bool (*cancelled)(void *arg), void *arg,
                                       struct sluice_explain_ranked **ranked, size_t *count,
                                       struct sluice_error *error);
void sluice_explain_ranked_destroy(struct sluice_explain_ranked *ranked, size_t count);

#endif
