/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "oom.h"

#include <errno.h>

static _Thread_local size_t countdown;
static _Thread_local bool happened;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void oom_fail_at(size_t n)
{
	countdown = n;
	happened = false;
}

bool oom_happened(void)
{
	countdown = 0;
	return happened;
}

static bool fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	happened = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fails() ? NULL : __real_realloc(memory, size);
}
