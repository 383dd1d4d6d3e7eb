/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What others wrote, fit to be shown in an error message. */
#ifndef SLUICE_QUOTE_H
#define SLUICE_QUOTE_H

#include "sluice/types.h"

enum { SLUICE_QUOTE_SIZE = 80 };

/*
 * `text` in double quotes: cut at a character's border where it is long, with control characters
 * and what is not UTF-8 as '?'. Returns buf, NUL-terminated.
 */
char *sluice_quote(struct sluice_str text, char buf[SLUICE_QUOTE_SIZE]);

#endif
