/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the readers of targets, sources and connections have in common. */
#ifndef SLUICE_BRIDGE_SETTINGS_H
#define SLUICE_BRIDGE_SETTINGS_H

#include "bridge_kinds.h"
#include "sluice/buffer.h"

/*
 * Memory of `size` zeroed bytes for a definition, and the definition's text copied and parsed, so
 * that both are the caller's alone: *made to be freed with free() after *doc was destroyed. `what`
 * is the thing with its article.
 */
enum sluice_status sluice_bridge_copy(const struct sluice_json *node, const char *what, size_t size,
                                      void **made, struct sluice_json_doc **doc,
                                      struct sluice_error *error);

/* The member "kind": one of the role's. `where` is what must have it. */
enum sluice_status sluice_bridge_read_kind(enum sluice_bridge_role role,
                                           const struct sluice_json *where,
                                           const struct sluice_json *node,
                                           const struct sluice_bridge_kind **kind,
                                           struct sluice_error *error);

/*
 * Checks the settings of a kind. `where` is what they are a member of; node may be NULL: there are
 * none. *settings gets an object, never NULL.
 */
enum sluice_status sluice_bridge_read_settings(enum sluice_bridge_role role,
                                               const struct sluice_bridge_kind *kind,
                                               const struct sluice_json *where,
                                               const struct sluice_json *node,
                                               const struct sluice_json **settings,
                                               struct sluice_error *error);

/* "ENABLED" or "DISABLED"; NULL is ENABLED. */
enum sluice_status sluice_bridge_read_state(const struct sluice_json *node, bool *enabled,
                                            struct sluice_error *error);

/* Appends `,"name":` and the text as a string, or the JSON without its white space. Nothing when
 * it is absent. */
void sluice_bridge_write_text(struct sluice_buffer *buf, const char *name, struct sluice_str text);
void sluice_bridge_write_json(struct sluice_buffer *buf, const char *name,
                              const struct sluice_json *node);

#endif
