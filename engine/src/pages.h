/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Zeroed arrays that grow to many megabytes without a pause. From the heap such an array would be
 * zeroed, or copied, as a whole, each page of it faulted in: 20 ms for 16 MB, in which no event is
 * matched. Large ones are mappings of their own: their pages come into being when they are touched,
 * and growing moves the mapping, not what is in it. Small ones are the heap's.
 */
#ifndef SLUICE_PAGES_H
#define SLUICE_PAGES_H

#include <stddef.h>

/* Zeroed; NULL when out of memory. */
void *sluice_pages_alloc(size_t bytes);

/* Grows an array (NULL and 0: a new one); what is new is zeroed. NULL when out of memory: then it is
 * as it was. */
void *sluice_pages_grow(void *pages, size_t bytes, size_t wanted);

/* NULL is allowed. */
void sluice_pages_free(void *pages, size_t bytes);

#endif
