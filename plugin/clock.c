/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "clock.h"

#include <time.h>

static int64_t read_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

int64_t clock_real_ms(void)
{
	return read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_coarse_monotonic_ms(void)
{
	return read_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
}

int64_t clock_coarse_real_ms(void)
{
	return read_ns(CLOCK_REALTIME_COARSE) / 1000000;
}
