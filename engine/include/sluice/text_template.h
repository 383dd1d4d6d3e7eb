/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A text template: what a target of the bridge makes of an event for an address, a header, a subject,
 * a statement's parameter: "https://shop.example/orders/{$.order.id}?from={topic[1]}". The variables
 * are those of topic templates (sluice/transform.h) and {id}, {time} (RFC 3339), {payload}. What is not
 * there is empty; a value that is no text is its JSON. `{{` and `}}` are literal braces.
 *
 * Each value is encoded for the place where it comes to stand, so that an event can't say more than
 * a value there. The literal text is its author's, and stays as it is.
 *
 * Threads: a compiled template is immutable and may be shared.
 */
#ifndef SLUICE_TEXT_TEMPLATE_H
#define SLUICE_TEXT_TEMPLATE_H

#include <stdbool.h>

#include "sluice/buffer.h"
#include "sluice/transform.h"

enum sluice_encoding {
	SLUICE_ENCODE_NONE,
	SLUICE_ENCODE_URL,    /* RFC 3986: all but unreserved characters as %XX */
	SLUICE_ENCODE_LINE,   /* a header's value, a subject: control characters are refused */
	SLUICE_ENCODE_STRING, /* the inside of a JSON string */
	SLUICE_ENCODE_HTML,   /* & < > " ' as entities */
};

struct sluice_text_template;

/*
 * Compiles a text template.
 *
 * text		at most SLUICE_TRANSFORM_MAX_TEMPLATE bytes of UTF-8, SLUICE_TOPIC_MAX_VARIABLES
 *		variables; may be empty; it is copied
 * tpl		gets the template, the caller's to free with sluice_text_template_destroy
 * error	its offset is the fault's in text
 *
 * Errors: SLUICE_ERR_SYNTAX (braces, a path), _INVALID, _LIMIT, _NOMEM.
 */
enum sluice_status sluice_text_template_compile(struct sluice_str text,
                                                struct sluice_text_template **tpl,
                                                struct sluice_error *error);

/* Frees a template. NULL is allowed. */
void sluice_text_template_destroy(struct sluice_text_template *tpl);

/* The whole text when it has no variables (what {{ and }} stand for replaced), else absent. */
struct sluice_str sluice_text_template_constant(const struct sluice_text_template *tpl);

/*
 * Makes the text of an event.
 *
 * vars		its event must be set; of the others, those that the template names
 * encoding	of values
 * out		the text is appended; its limit bounds it; after an error what it holds means nothing
 *
 * Errors: SLUICE_ERR_NOT_FOUND (a path leads into a payload that is not well-formed JSON), _INVALID
 * (LINE: a value with a control character; the message names the variable), _LIMIT, _NOMEM.
 */
enum sluice_status sluice_text_template_expand(const struct sluice_text_template *tpl,
                                               const struct sluice_vars *vars,
                                               enum sluice_encoding encoding,
                                               struct sluice_buffer *out,
                                               struct sluice_error *error);

/* Appends a text so encoded. False, with nothing appended, where LINE refuses it. Failure to grow is
 * in the buffer's `failed`. */
bool sluice_encode(struct sluice_str text, enum sluice_encoding encoding,
                   struct sluice_buffer *out);

#endif
