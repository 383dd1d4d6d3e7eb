/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Lets an allocation of the code under test fail, and counts what it calls. The linker leads malloc,
 * calloc, realloc, free and the functions that take a lock, of everything that is linked into a unit
 * test, through here (see CMakeLists.txt); those of shared libraries are not touched. Counted for
 * each thread.
 *
 *	for (size_t n = 1;; n++) {
 *		oom_fail_at(n);
 *		status = sluice_json_parse(text, 0, 64, &doc, NULL);
 *		if (!oom_happened())
 *			break;
 *		assert_int_equal(status, SLUICE_ERR_NOMEM);
 *	}
 */
#ifndef TESTS_OOM_H
#define TESTS_OOM_H

#include <stdbool.h>
#include <stddef.h>

/* The nth allocation from now on fails, once; 1 is the next one. */
void oom_fail_at(size_t n);

/* Whether it came to that. No allocation fails afterwards. */
bool oom_happened(void);

/* What this thread called of the memory's functions, and of those that may wait for another. */
struct oom_calls {
	size_t allocations, frees, locks;
};

/* All of it since the call before, or since the thread began. */
struct oom_calls oom_calls(void);

#endif
