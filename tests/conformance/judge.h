/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Who is asked for a verdict: the oracle (judge_oracle.c) or the engine (judge_engine.c). */
#ifndef JUDGE_H
#define JUDGE_H

#include "cases.h"

/*
 * "match", "nomatch" or "invalid"; anything else is a failure of its own. reason (cut to size) says
 * why a pattern is invalid.
 */
const char *judge(const struct test_case *test_case, char *reason, size_t size);

#endif
