/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "pace.h"

int64_t backoff_delay(int64_t base_ms, int64_t max_ms, uint32_t attempt, uint64_t random)
{
	int64_t most = base_ms;
	for (uint32_t i = 1; i < attempt && most < max_ms; i++)
		most *= 2;
	if (most > max_ms)
		most = max_ms;
	return most > 0 ? (int64_t)(random % ((uint64_t)most + 1)) : 0;
}

/* --- bucket --- */

enum { TOKEN = 1000 };

void bucket_init(struct bucket *bucket, int64_t rate, int64_t burst, int64_t now_ms)
{
	*bucket =
	        (struct bucket){ .rate = rate, .burst = burst > 0 ? burst : rate, .at_ms = now_ms };
	bucket->tokens_ms = bucket->burst * TOKEN;
}

int64_t bucket_tokens(struct bucket *bucket, int64_t now_ms)
{
	if (bucket->rate == 0)
		return INT64_MAX;
	int64_t most = bucket->burst * TOKEN, passed = now_ms - bucket->at_ms;
	/* Compared before it is multiplied: it may be long ago. */
	if (passed >= (most - bucket->tokens_ms) / bucket->rate + 1)
		bucket->tokens_ms = most;
	else if (passed > 0)
		bucket->tokens_ms += passed * bucket->rate;
	if (bucket->tokens_ms > most)
		bucket->tokens_ms = most;
	bucket->at_ms = now_ms;
	return bucket->tokens_ms / TOKEN;
}

void bucket_take(struct bucket *bucket, int64_t count)
{
	if (bucket->rate > 0)
		bucket->tokens_ms -= count * TOKEN;
}

int64_t bucket_wait_ms(const struct bucket *bucket)
{
	if (bucket->rate == 0 || bucket->tokens_ms >= TOKEN)
		return 0;
	return (TOKEN - bucket->tokens_ms + bucket->rate - 1) / bucket->rate;
}

/* --- breaker --- */

const char *breaker_state_name(enum breaker_state state)
{
	static const char *const names[] = { "closed", "open", "half-open" };
	return names[state];
}

bool breaker_note(struct breaker *breaker, bool went_well, int64_t now_ms)
{
	enum breaker_state before = breaker->state;
	breaker->failures = went_well ? 0 : breaker->failures + 1;
	if (went_well)
		breaker->state = BREAKER_CLOSED;
	else if (breaker->failures_max > 0 &&
	         (before == BREAKER_HALF_OPEN || breaker->failures >= breaker->failures_max))
		breaker->state = BREAKER_OPEN;
	if (breaker->state == BREAKER_OPEN && before != BREAKER_OPEN)
		breaker->until_ms = now_ms + breaker->pause_ms;
	return breaker->state != before;
}

enum breaker_state breaker_look(struct breaker *breaker, int64_t now_ms)
{
	if (breaker->state == BREAKER_OPEN && now_ms >= breaker->until_ms)
		breaker->state = BREAKER_HALF_OPEN;
	return breaker->state;
}
