/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The template of an input transformer: text with <variables>, filled in for each event.
 *
 * A template that begins with '{', '[' or '"' is JSON, and what comes out is JSON whatever the
 * event holds: a variable outside of strings is a JSON value, one inside a string is its text,
 * escaped. Any other template is plain text, into which variables are put as they are.
 */
#ifndef SLUICE_INPUT_TEMPLATE_H
#define SLUICE_INPUT_TEMPLATE_H

#include "arena.h"
#include "json_path.h"
#include "sluice/transform.h"

/* A name of `paths` and where it leads. */
struct sluice_template_variable {
	struct sluice_str name;
	struct sluice_json_path path;
};

struct sluice_input_template;

/*
 * Compiles the text into the arena, which then owns the template; `variables` must live as long.
 * Errors: SLUICE_ERR_SYNTAX, _INVALID, _LIMIT, _NOMEM; with the offset in `text`, without a place.
 */
enum sluice_status sluice_input_template_compile(struct sluice_str text,
                                                 const struct sluice_template_variable *variables,
                                                 size_t variable_count, struct sluice_arena *arena,
                                                 struct sluice_input_template **tpl,
                                                 struct sluice_error *error);

/* The members of $mqtt that its reserved variables read; not those of its paths. */
unsigned sluice_input_template_metadata(const struct sluice_input_template *tpl);

/* Whether applying it walks through the payload. */
bool sluice_input_template_reads_payload(const struct sluice_input_template *tpl);

/* A failure of `out` is the caller's to ask for. */
enum sluice_status sluice_input_template_apply(const struct sluice_input_template *tpl,
                                               const struct sluice_vars *vars,
                                               struct sluice_buffer *out,
                                               struct sluice_error *error);

#endif
