/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Text templates with the bounds that a service sets. Errors begin with `what`. */
#ifndef BRIDGE_AWS_EXPAND_H
#define BRIDGE_AWS_EXPAND_H

#include "service.h"

/* Appends what the template (not NULL) makes of the event: one line of at most `max` bytes. */
enum sluice_status aws_expand(const struct sluice_text_template *tpl,
                              const struct delivery *delivery, const char *what, size_t max,
                              struct sluice_buffer *out, struct sluice_error *error);

/*
 * The same for a key, of which nothing matters but that equal ones are equal: one that is longer
 * than max, or holds other than ASCII's letters, digits and signs, is made its SHA-256, 64 digits;
 * an empty one stays empty.
 */
enum sluice_status aws_expand_key(const struct sluice_text_template *tpl,
                                  const struct delivery *delivery, const char *what, size_t max,
                                  struct sluice_buffer *out, struct sluice_error *error);

#endif
