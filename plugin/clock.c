/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "clock.h"

#include <time.h>

int64_t clock_monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

int64_t clock_real_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
