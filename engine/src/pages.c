/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#define _GNU_SOURCE /* mremap */
#include "pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* From this size on an array is a mapping. */
enum { LARGE = 256 * 1024 };

static void *map(size_t bytes)
{
	void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

void *sluice_pages_alloc(size_t bytes)
{
	return bytes < LARGE ? calloc(1, bytes) : map(bytes);
}

void sluice_pages_free(void *pages, size_t bytes)
{
	if (bytes < LARGE)
		free(pages);
	else if (pages)
		munmap(pages, bytes);
}

void *sluice_pages_grow(void *pages, size_t bytes, size_t wanted)
{
#ifdef MREMAP_MAYMOVE
	if (pages && bytes >= LARGE) {
		void *moved = mremap(pages, bytes, wanted, MREMAP_MAYMOVE);
		return moved == MAP_FAILED ? NULL : moved;
	}
#endif
	void *grown = sluice_pages_alloc(wanted);
	if (grown && pages) {
		memcpy(grown, pages, bytes);
		sluice_pages_free(pages, bytes);
	}
	return grown;
}
