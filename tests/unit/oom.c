/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "oom.h"

#include <errno.h>
#include <pthread.h>

static _Thread_local size_t countdown;
static _Thread_local bool happened;
static _Thread_local struct oom_calls calls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

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

struct oom_calls oom_calls(void)
{
	struct oom_calls since = calls;
	calls = (struct oom_calls){ 0 };
	return since;
}

static bool fails(void)
{
	calls.allocations++;
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

void __wrap_free(void *memory)
{
	calls.frees++;
	__real_free(memory);
}

/* The functions that take a lock, by what they take. */
#define COUNT_LOCK(function, type)                                                                 \
	int __real_##function(type *lock);                                                         \
	int __wrap_##function(type *lock);                                                         \
	int __wrap_##function(type *lock)                                                          \
	{                                                                                          \
		calls.locks++;                                                                     \
		return __real_##function(lock);                                                    \
	}

COUNT_LOCK(pthread_mutex_lock, pthread_mutex_t)
COUNT_LOCK(pthread_mutex_trylock, pthread_mutex_t)
COUNT_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
COUNT_LOCK(pthread_rwlock_tryrdlock, pthread_rwlock_t)
COUNT_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
COUNT_LOCK(pthread_rwlock_trywrlock, pthread_rwlock_t)
COUNT_LOCK(pthread_spin_lock, volatile int)
COUNT_LOCK(pthread_spin_trylock, volatile int)

#undef COUNT_LOCK
