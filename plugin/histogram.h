/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * How long something took, as percentiles, in constant memory and constant time.
 *
 * A value falls into a bucket by its highest bit and the three bits below it, so a bucket is at
 * most an eighth wide of what it counts (what is reported may be 12.5 % too high, never too low):
 *
 *	bucket   0 … 15   16 … 23      24 … 31      …
 *	value    itself   16–17 … 30–31  32–35 … 60–63
 *
 * One thread records; any may read, and sees each bucket as it was a moment ago.
 */
#ifndef SLUICE_PLUGIN_HISTOGRAM_H
#define SLUICE_PLUGIN_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 16 + 36 * 8 }; /* up to 2^40 - 1; more is counted as that */

/* Zeroed memory is an empty histogram. */
struct histogram {
	_Atomic uint64_t counts[HISTOGRAM_BUCKETS];
	_Atomic uint64_t max;
};

void histogram_record(struct histogram *histogram, uint64_t value);
/* The value that `share` (0 to 1) of all recorded ones do not pass; 0 when there are none. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);
uint64_t histogram_max(const struct histogram *histogram);

#endif
