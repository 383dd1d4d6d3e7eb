/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * As much of XML as the answers of AWS's query protocol need: elements by their names, in the text's
 * order. No attributes, comments, CDATA, nor an element inside one of its own name: they have none.
 * Whatever the text holds, no more is read than there is, once from left to right for each element
 * that is asked for.
 */
#ifndef BRIDGE_AWS_XML_H
#define BRIDGE_AWS_XML_H

#include <stdbool.h>

#include "sluice/types.h"

/* Finds the next element in *rest: *inside gets what is between its tags (empty: `<a/>`), *rest what
 * comes behind it. False when there is none; then both are untouched. */
bool xml_next(struct sluice_str *rest, const char *name, struct sluice_str *inside);

/* The first element of a text; absent when there is none. */
struct sluice_str xml_first(struct sluice_str text, const char *name);

#endif
