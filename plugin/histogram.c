/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "histogram.h"

static unsigned bucket_of(uint64_t value)
{
	if (value < 16)
		return (unsigned)value;
	if (value >= UINT64_C(1) << 40)
		return HISTOGRAM_BUCKETS - 1;
	unsigned high = 63 - (unsigned)__builtin_clzll(value); /* 4 … 39 */
	return 16 + (high - 4) * 8 + (unsigned)(value >> (high - 3) & 7);
}

/* The highest value that falls into the bucket. */
static uint64_t bucket_top(unsigned bucket)
{
	if (bucket < 16)
		return bucket;
	unsigned high = 4 + (bucket - 16) / 8;
	uint64_t step = UINT64_C(1) << (high - 3);
	return (UINT64_C(1) << high) + ((bucket - 16) % 8 + 1) * step - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
	/* One writer: load and store suffice, without the cost of a locked addition. */
	_Atomic uint64_t *count = &histogram->counts[bucket_of(value)];
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
	                      memory_order_relaxed);
	if (value > atomic_load_explicit(&histogram->max, memory_order_relaxed))
		atomic_store_explicit(&histogram->max, value, memory_order_relaxed);
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		counts[i] = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
		total += counts[i];
	}
	if (total == 0)
		return 0;
	uint64_t max = histogram_max(histogram);
	double wanted = share * (double)total;
	uint64_t seen = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += counts[i];
		if (counts[i] > 0 && (double)seen >= wanted) {
			uint64_t top = bucket_top(i);
			return top < max ? top : max;
		}
	}
	return max;
}

uint64_t histogram_max(const struct histogram *histogram)
{
	return atomic_load_explicit(&histogram->max, memory_order_relaxed);
}
