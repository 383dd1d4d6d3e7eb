/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * One pass over a payload: checks that it is well-formed JSON (RFC 8259, UTF-8) and records the
 * leaves at paths that rules name. What no rule names is checked and skipped.
 */
#ifndef SLUICE_SCAN_H
#define SLUICE_SCAN_H

#include "leaves.h"
#include "spelling.h"

enum sluice_scan_result {
	SLUICE_SCAN_OBJECT,   /* well-formed, a JSON object */
	SLUICE_SCAN_OTHER,    /* well-formed, another value */
	SLUICE_SCAN_BAD,      /* not well-formed */
	SLUICE_SCAN_TOO_DEEP, /* nested past SLUICE_EVENT_MAX_NESTING */
};

/*
 * Members of an object are recorded below the trie's root, except those whose path begins with the
 * segment $mqtt, in whatever spelling; another value at `value` ($mqtt.value; NULL when no rule
 * names anything there). When the result is _BAD or _TOO_DEEP the caller truncates what was
 * recorded until then. Time: linear in the text. Stack: fixed. Allocates only to decode a string
 * with escapes (leaves->text).
 *
 * `spellings` is what the scanner remembers of the events before, and learns from this one; zeroed
 * before the first. It makes the scan quick where events are alike, and changes nothing else.
 */
enum sluice_scan_result sluice_scan(const struct sluice_path_trie *trie,
                                    struct sluice_path_node *value, struct sluice_str text,
                                    struct sluice_leaves *leaves,
                                    struct sluice_spellings *spellings);

#endif
