/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * churn [--steps N] [--seed S] [--rules R] [--from W]: rules come and go one by one, and after
 * every step the matcher is held against the oracle. They come in waves: each is a crowd (crowd.h)
 * of up to R rules that grows, stays about as large while rules are exchanged, and is taken away,
 * to the last rule or to a few among which the next crowd grows. So every structure of the index
 * grows, splits and shrinks again, with others beside it. The same seed makes the same run
 * everywhere; each wave has a seed of its own, and --from W begins with the Wth.
 */
#include <stdio.h>

#include "crowd.h"
#include "held.h"
#include "options.h"

enum { EVENTS = 40 };

struct wave {
	struct oracle_pool pool; /* its events */
	struct made_event events[EVENTS];
	struct crowd crowd;
	struct dice dice;
	struct sluice_str last; /* the pattern added last, for the many that are added twice */
	struct held *held;
};

static void check_some(struct wave *wave, size_t count)
{
	struct held *held = wave->held;
	for (size_t i = 0; i < count && held->failures < HELD_FAILURES; i++)
		held_check(held, dice_below(&wave->dice, EVENTS),
		           dice_below(&wave->dice, HELD_SCRATCHES));
}

static void add(struct wave *wave)
{
	struct oracle_pool pool = { 0 };
	struct held *held = wave->held;
	struct dice *dice = &wave->dice;
	if (held->count && dice_chance(dice, 5))
		held_add(held, held->rules[held->order[dice_below(dice, held->count)]].text);
	else
		held_add(held, crowd_pattern(&wave->crowd, &pool, dice,
		                             &wave->events[dice_below(dice, EVENTS)]));
	held->step++;
	check_some(wave, 1);
	oracle_free_all(&pool);
}

/* Mostly any of them, sometimes the one added last. */
static void drop(struct wave *wave)
{
	struct held *held = wave->held;
	size_t last = held->count - 1;
	held_remove(held, dice_chance(&wave->dice, 20) ? last : dice_below(&wave->dice, last + 1));
	held->step++;
	check_some(wave, 1);
}

/* Towards so many rules, with some steps in the other direction. */
static void lead(struct wave *wave, size_t target, unsigned back)
{
	struct held *held = wave->held;
	bool growing = held->count < target;
	while (held->count != target && held->failures < HELD_FAILURES) {
		bool forth = !dice_chance(&wave->dice, back);
		if (forth == growing)
			add(wave);
		else if (held->count)
			drop(wave);
	}
}

static void check_all(struct wave *wave)
{
	for (size_t e = 0; e < EVENTS && wave->held->failures < HELD_FAILURES; e++)
		held_check(wave->held, e, dice_below(&wave->dice, HELD_SCRATCHES));
}

static void run_wave(struct held *held, uint64_t number, size_t rules)
{
	static struct wave wave;
	wave = (struct wave){ .held = held };
	wave.dice.state = held->seed * UINT64_C(0x2545f4914f6cdd1d) + number;
	crowd_draw(&wave.dice, &wave.crowd);
	for (size_t e = 0; e < EVENTS; e++) {
		if (dice_chance(&wave.dice, 12))
			make_event(&wave.pool, &wave.dice, NULL, &wave.events[e]);
		else
			crowd_event(&wave.crowd, &wave.pool, &wave.dice, &wave.events[e]);
	}
	held_set_events(held, wave.events, EVENTS);
	check_all(&wave);
	/* Most crowds are small: each of them is another chance. */
	size_t size = rules >> dice_below(&wave.dice, 6);
	size = 1 + size / 2 + dice_below(&wave.dice, size / 2 + 1);
	lead(&wave, size > held->count ? size : held->count + size, 10);
	check_all(&wave);
	for (size_t i = 0; i < size / 4 && held->failures < HELD_FAILURES; i++) {
		if (held->count)
			drop(&wave);
		add(&wave);
	}
	lead(&wave, dice_chance(&wave.dice, 70) ? 0 : dice_below(&wave.dice, size / 8 + 1), 10);
	check_all(&wave);
	held_set_events(held, NULL, 0);
	oracle_free_all(&wave.pool);
}

int main(int argc, char **argv)
{
	static struct held held;
	size_t steps = (size_t)number_option(argc, argv, "--steps", 100000);
	size_t rules = (size_t)number_option(argc, argv, "--rules", 2000);
	uint64_t wave = number_option(argc, argv, "--from", 0);
	if (rules < 1 || rules > HELD_RULES / 2) {
		fprintf(stderr, "churn: --rules takes 1 to %d\n", HELD_RULES / 2);
		return 2;
	}
	held_init(&held, number_option(argc, argv, "--seed", 1));
	while (held.step < steps && held.failures < HELD_FAILURES) {
		run_wave(&held, wave, rules);
		if (held.failures)
			printf("wave %llu: run again with --from %llu\n", (unsigned long long)wave,
			       (unsigned long long)wave);
		wave++;
	}
	held_finish(&held);
	return held_result(&held);
}
