/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#ifndef SLUICE_PLUGIN_CLOCK_H
#define SLUICE_PLUGIN_CLOCK_H

#include <stdint.h>

/* Time that never goes back, whatever is done to the clock. */
int64_t clock_monotonic_ns(void);
int64_t clock_monotonic_ms(void);

/* Milliseconds since the epoch. */
int64_t clock_real_ms(void);

/*
 * The same two as of the kernel's last timer interrupt, at most 10 ms ago: for what happens at each
 * publish and need not be told apart more finely. They cost a fifth, since no counter is read.
 */
int64_t clock_coarse_monotonic_ms(void);
int64_t clock_coarse_real_ms(void);

#endif
