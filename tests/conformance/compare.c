/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * compare [--pairs N] [--seed S] [--rules R]: patterns and events of every kind, as wild as they
 * may be. Holds R patterns in one matcher, replaces many of them for every few events, and compares
 * what the matcher says with the oracle, after every change and for each (pattern, event). The same
 * seed makes the same run everywhere. What large sets do to the index is churn.c's subject.
 */
#include <stdio.h>

#include "held.h"
#include "options.h"
#include "pairs.h"

enum { EVENTS = 12 };

/* Now and then one pair alone, with what explain says of it. */
static void check_alone(struct held *held, struct dice *dice, const struct sluice_event *event)
{
	char what[256];
	if (held->count == 0)
		return;
	struct sluice_str text = held->rules[held->order[dice_below(dice, held->count)]].text;
	if (pair_compare(text, event, true, what, sizeof(what)) != PAIR_AGREES)
		held_report(held, text, event, "");
}

static void one_round(struct held *held, struct dice *dice, size_t rules)
{
	struct oracle_pool pool = { 0 };
	struct made_event events[EVENTS];
	for (size_t i = 0; i < EVENTS; i++)
		make_event(&pool, dice, i ? &events[dice_below(dice, i)] : NULL, &events[i]);
	held_set_events(held, events, EVENTS);
	size_t changes = rules * 3 / 4 + 1;
	for (size_t i = 0; i < changes && held->failures < HELD_FAILURES; i++, held->step++) {
		if (held->count == rules)
			held_remove(held, dice_below(dice, held->count));
		if (dice_chance(dice, 5))
			continue;
		held_add(held, make_pattern(&pool, dice, &events[dice_below(dice, EVENTS)]));
		held_check(held, dice_below(dice, EVENTS), dice_below(dice, HELD_SCRATCHES));
	}
	for (size_t i = 0; i < EVENTS && held->failures < HELD_FAILURES; i++) {
		held_check(held, i, dice_below(dice, HELD_SCRATCHES));
		if (dice_chance(dice, 20))
			check_alone(held, dice, &events[i].event);
	}
	held_set_events(held, NULL, 0);
	oracle_free_all(&pool);
}

int main(int argc, char **argv)
{
	static struct held held;
	size_t pairs = (size_t)number_option(argc, argv, "--pairs", 1000000);
	size_t rules = (size_t)number_option(argc, argv, "--rules", 200);
	struct dice dice = { number_option(argc, argv, "--seed", 1) };
	if (rules < 1 || rules >= HELD_RULES) {
		fprintf(stderr, "compare: --rules takes 1 to %d\n", HELD_RULES - 1);
		return 2;
	}
	held_init(&held, dice.state);
	while (held.pairs < pairs && held.failures < HELD_FAILURES)
		one_round(&held, &dice, rules);
	held_finish(&held);
	return held_result(&held);
}
