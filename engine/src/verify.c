/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Does a conjunction hold? Each clause needs a leaf that one of its predicates matches (or none at
 * its path, where it allows absence), and all these leaves must stand in the same element of every
 * array that two of them pass through.
 *
 * Most events settle it at once: each clause has a leaf outside of arrays, or only one is inside.
 * Otherwise elements are chosen from the outside in. Seen from an element (the event itself is the
 * first),
 *
 *	event ── array items ─┬─ element 1: leaves of clauses a, b
 *	      │               └─ element 2: leaves of clauses b, c
 *	      └─ array tags ──── …
 *
 * every clause either has a leaf directly here, or is routed into one of the arrays below, or is
 * absent: then it may have no leaf here, none in an array that nobody is routed into, and none in
 * the chosen elements. All clauses routed into one array must be satisfied by one of its elements;
 * arrays do not influence each other. A clause has nearly always one route (its path passes through
 * one array), and then each element is looked at once and the cost is linear in the leaves. Several
 * routes come of duplicate keys and of arrays in arrays; trying them all is exponential at worst
 * (the problem is NP-hard then), which the event's budget cuts off.
 */
#include <stdlib.h>

#include "matcher_internal.h"

enum {
	SLUICE_SOLVER_LEAVES = 1048576,
	SLUICE_SOLVER_ITEMS = 65536,
	/* Calls of try_routes within each other: some hundred bytes of stack each, and a rule with
	 * 256 fields in arrays nested 512 deep would want 131,072. */
	SLUICE_SOLVER_DEPTH = 4096,
};

/* Where a clause is routed, when it is not into an array's number. */
#define ROUTE_DIRECT UINT32_MAX
#define ROUTE_ABSENT (UINT32_MAX - 1)

/* A clause that is not settled yet, with its leaves below the element at hand, as runs of
 * solver.leaves. */
struct sluice_solver_item {
	uint32_t fit, fit_end; /* leaves that a predicate matches; none: it can't be satisfied by a
	                          leaf */
	uint32_t all,
	        all_end; /* every leaf at its path, where it may be absent; empty: it is absent */
	bool leaf_allowed;
	bool absence_allowed;
	uint32_t route;
};

/* Takes the memory of the search, at the first one. */
static bool solver_prepare(struct sluice_solver *solver)
{
	if (solver->items)
		return true;
	/* malloc: a large block stays untouched until an event needs it */
	solver->leaves = malloc(SLUICE_SOLVER_LEAVES * sizeof(*solver->leaves));
	solver->items = malloc(SLUICE_SOLVER_ITEMS * sizeof(*solver->items));
	if (solver->leaves && solver->items)
		return true;
	sluice_solver_finish(solver);
	return false;
}

void sluice_solver_finish(struct sluice_solver *solver)
{
	free(solver->leaves);
	free(solver->items);
	*solver = (struct sluice_solver){ 0 };
}

/* --- leaves that satisfy a clause --- */

static size_t leaf_cost(const struct sluice_leaf *leaf)
{
	return 1 + leaf->value.text.len / 16;
}

/* The first leaf that an entry of no value matches, looked for. */
static __attribute__((noinline)) uint32_t find_first_match(struct sluice_scratch *scratch,
                                                           const struct sluice_entry *entry)
{
	const struct sluice_leaves *leaves = &scratch->leaves;
	const struct sluice_place *place = &leaves->places[entry->node->id];
	uint32_t id = place->first;

	if (place->known && entry->known_at != SLUICE_NOT_KNOWN)
		return sluice_known_has(place->known, entry->known_at) ? id : SLUICE_NO_LEAF;
	while (id != SLUICE_NO_LEAF) {
		const struct sluice_leaf *leaf = &leaves->leaves[id];
		if (!sluice_charge(scratch, leaf_cost(leaf)))
			return SLUICE_NO_LEAF; /* not remembered: it is not known */
		if (sluice_entry_matches(entry, &leaf->value))
			break;
		id = leaf->next;
	}
	scratch->entry_marks[entry->id] = (struct sluice_entry_mark){ leaves->epoch, id };
	return id;
}

/* The first leaf that the entry matches, or SLUICE_NO_LEAF. */
static inline uint32_t first_match(struct sluice_scratch *scratch, const struct sluice_entry *entry,
                                   uint32_t id)
{
	const struct sluice_entry_mark *mark = &scratch->entry_marks[id];

	return mark->epoch == scratch->leaves.epoch ? mark->leaf : find_first_match(scratch, entry);
}

/* The same, of a value: all of these were looked up. */
static inline uint32_t first_value(const struct sluice_scratch *scratch, uint32_t id)
{
	const struct sluice_entry_mark *mark = &scratch->entry_marks[id];

	return mark->epoch == scratch->leaves.epoch ? mark->leaf : SLUICE_NO_LEAF;
}

static __attribute__((noinline)) uint32_t match_several(struct sluice_scratch *scratch,
                                                        const struct sluice_clause *clause)
{
	const uint32_t *ids = sluice_clause_ids(clause);
	bool values = clause->kind == SLUICE_CLAUSE_VALUES;
	uint32_t found = SLUICE_NO_LEAF;

	for (uint16_t i = 0; i < clause->entry_count; i++) {
		uint32_t id = values || sluice_entry_is_value(clause->entries[i])
		                      ? first_value(scratch, ids[i])
		                      : first_match(scratch, clause->entries[i], ids[i]);
		if (id == SLUICE_NO_LEAF)
			continue;
		found = id;
		if (scratch->leaves.leaves[id].element == 0)
			break;
	}
	return found;
}

/* A leaf that the clause matches, outside of arrays if the first ones found are; or SLUICE_NO_LEAF.
 */
static inline uint32_t clause_match(struct sluice_scratch *scratch,
                                    const struct sluice_clause *clause)
{
	const struct sluice_place *place = &scratch->leaves.places[clause->path];
	bool lone = place->first == place->last;
	uint32_t leaf = place->first;

	if (place->epoch != scratch->leaves.epoch)
		return SLUICE_NO_LEAF;
	switch ((enum sluice_clause_kind)clause->kind) {
	case SLUICE_CLAUSE_NONE:
		break;
	case SLUICE_CLAUSE_VALUE:
		if (!lone)
			return first_value(scratch, clause->id);
		return clause->id == place->value ? leaf : SLUICE_NO_LEAF;
	case SLUICE_CLAUSE_ONE:
		return first_match(scratch, clause->entry, clause->id);
	case SLUICE_CLAUSE_VALUES:
		if (lone) {
			const uint32_t *ids = sluice_clause_ids(clause);
			for (uint16_t i = 0; i < clause->entry_count; i++)
				if (ids[i] == place->value)
					return leaf;
			break;
		}
		return match_several(scratch, clause);
	case SLUICE_CLAUSE_SEVERAL:
		return match_several(scratch, clause);
	}
	return SLUICE_NO_LEAF;
}

static bool clause_fits(struct sluice_scratch *scratch, const struct sluice_clause *clause,
                        const struct sluice_leaf *leaf)
{
	struct sluice_entry *const *entries = sluice_clause_entries(clause);

	for (uint16_t i = 0; i < clause->entry_count; i++) {
		if (!sluice_charge(scratch, leaf_cost(leaf)))
			return false;
		if (sluice_entry_matches(entries[i], &leaf->value))
			return true;
	}
	return false;
}

/* --- choosing array elements --- */

/* The first place in [low, high) of the solver's leaves whose leaf is not before `leaf`. */
static uint32_t place_of(const struct sluice_solver *solver, uint32_t low, uint32_t high,
                         uint32_t leaf)
{
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (solver->leaves[middle] < leaf)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The element right below `element` in which the leaf stands; `element` itself when it stands there
 * directly. */
static uint32_t element_below(struct sluice_scratch *scratch, uint32_t element, uint32_t leaf)
{
	const struct sluice_leaves *leaves = &scratch->leaves;
	uint32_t at = leaves->leaves[leaf].element;
	size_t steps = 1;

	if (at == element)
		return element;
	for (; leaves->elements[at].parent != element; steps++)
		at = leaves->elements[at].parent;
	sluice_charge(scratch, steps);
	return at;
}

/*
 * One step through a run of leaves below an element: *route gets where the leaf at `at` leads
 * (ROUTE_DIRECT or an array), and the place behind all that stand in the same element there is
 * returned. It can't go on to the array's end: a scalar right in the array is direct.
 */
static uint32_t next_route(struct sluice_scratch *scratch, uint32_t element, uint32_t at,
                           uint32_t end, uint32_t *route)
{
	const struct sluice_leaves *leaves = &scratch->leaves;
	uint32_t below = element_below(scratch, element, scratch->solver.leaves[at]);

	if (below == element) {
		*route = ROUTE_DIRECT;
		return at + 1;
	}
	*route = leaves->elements[below].array;
	return place_of(&scratch->solver, at + 1, end, leaves->elements[below].end);
}

static bool solve(struct sluice_scratch *scratch, uint32_t element, uint32_t first, uint32_t count);

static struct sluice_solver_item *items_push(struct sluice_scratch *scratch, uint32_t count)
{
	struct sluice_solver *solver = &scratch->solver;

	if (count > SLUICE_SOLVER_ITEMS - solver->item_count) {
		scratch->budget = -1;
		return NULL;
	}
	solver->item_count += count;
	return &solver->items[solver->item_count - count];
}

/* Narrows an item's runs to the leaves [from, to). */
static struct sluice_solver_item narrow(const struct sluice_solver *solver,
                                        struct sluice_solver_item item, uint32_t from, uint32_t to)
{
	item.fit = place_of(solver, item.fit, item.fit_end, from);
	item.fit_end = place_of(solver, item.fit, item.fit_end, to);
	item.all = place_of(solver, item.all, item.all_end, from);
	item.all_end = place_of(solver, item.all, item.all_end, to);
	return item;
}

/* Whether one element of the array satisfies all items (at items[first]) that are routed into it.
 */
static bool solve_array(struct sluice_scratch *scratch, uint32_t element, uint32_t first,
                        uint32_t count, uint32_t array)
{
	struct sluice_solver *solver = &scratch->solver;
	const struct sluice_leaves *leaves = &scratch->leaves;
	const uint32_t from = leaves->arrays[array].first, to = leaves->arrays[array].end;
	const uint32_t base = solver->item_count;
	uint32_t routed = 0;
	bool found = false;

	/* what concerns this array: those routed into it, and those that must be absent in it */
	for (uint32_t i = first; i < first + count; i++) {
		struct sluice_solver_item item = solver->items[i];
		if (item.route != array && item.route != ROUTE_ABSENT)
			continue;
		bool absent = item.route == ROUTE_ABSENT;
		item = narrow(solver, item, from, to);
		item.leaf_allowed = !absent;
		item.absence_allowed = absent;
		if (absent && item.all == item.all_end)
			continue;
		struct sluice_solver_item *room = items_push(scratch, 1);
		if (!room)
			goto done;
		*room = item;
		routed++;
	}
	/* any item that needs a leaf leads through the elements that can do */
	uint32_t lead = base;
	while (lead < base + routed && !solver->items[lead].leaf_allowed)
		lead++;
	uint32_t at = solver->items[lead].fit;
	while (!found && at < solver->items[lead].fit_end && sluice_charge(scratch, routed)) {
		uint32_t below = element_below(scratch, element, solver->leaves[at]);
		if (below == element) { /* a scalar right in the array is in none of its elements */
			at++;
			continue;
		}
		const struct sluice_element *candidate = &leaves->elements[below];
		const uint32_t inner = solver->item_count;
		struct sluice_solver_item *items = items_push(scratch, routed);
		if (!items)
			break;
		bool possible = true;
		for (uint32_t i = 0; i < routed && possible; i++) {
			items[i] = narrow(solver, solver->items[base + i], candidate->first,
			                  candidate->end);
			possible = items[i].absence_allowed || items[i].fit < items[i].fit_end;
		}
		found = possible && solve(scratch, below, inner, routed);
		solver->item_count = inner;
		at = place_of(solver, at, solver->items[lead].fit_end, candidate->end);
	}
done:
	solver->item_count = base;
	return found;
}

/* All items are routed: is nothing there that must be absent, and does each array in use have an
 * element? */
static bool check_routes(struct sluice_scratch *scratch, uint32_t element, uint32_t first,
                         uint32_t count)
{
	const struct sluice_solver_item *items = scratch->solver.items;

	for (uint32_t i = first; i < first + count; i++) {
		if (items[i].route != ROUTE_ABSENT)
			continue;
		for (uint32_t at = items[i].all; at < items[i].all_end;) {
			uint32_t route;
			bool used = false;
			at = next_route(scratch, element, at, items[i].all_end, &route);
			for (uint32_t k = first; k < first + count && !used; k++)
				used = items[k].route == route;
			if (route == ROUTE_DIRECT || !used || !sluice_charge(scratch, count))
				return false;
		}
	}
	for (uint32_t i = first; i < first + count; i++) {
		uint32_t array = items[i].route;
		bool seen = array == ROUTE_DIRECT || array == ROUTE_ABSENT;
		for (uint32_t k = first; k < i && !seen; k++)
			seen = items[k].route == array;
		if (!seen && !solve_array(scratch, element, first, count, array))
			return false;
	}
	return true;
}

static bool try_routes(struct sluice_scratch *scratch, uint32_t element, uint32_t first,
                       uint32_t count, uint32_t at);

/* Tries all routes of items[at], each with all of those behind it. */
static bool try_routes_of(struct sluice_scratch *scratch, uint32_t element, uint32_t first,
                          uint32_t count, uint32_t at)
{
	struct sluice_solver_item *items = scratch->solver.items;

	if (items[at].leaf_allowed) {
		bool direct = false;
		uint32_t array = ROUTE_ABSENT; /* the one tried last: they come one after another */
		for (uint32_t place = items[at].fit; place < items[at].fit_end;) {
			uint32_t route;
			place = next_route(scratch, element, place, items[at].fit_end, &route);
			if (route == array || (route == ROUTE_DIRECT && direct))
				continue;
			if (route == ROUTE_DIRECT)
				direct = true;
			else
				array = route;
			items[at].route = route;
			if (try_routes(scratch, element, first, count, at + 1))
				return true;
			if (scratch->budget < 0)
				return false;
		}
	}
	if (!items[at].absence_allowed)
		return false;
	items[at].route = ROUTE_ABSENT;
	return try_routes(scratch, element, first, count, at + 1);
}

/* Tries all routes of items[at] and of those behind it. */
static bool try_routes(struct sluice_scratch *scratch, uint32_t element, uint32_t first,
                       uint32_t count, uint32_t at)
{
	struct sluice_solver *solver = &scratch->solver;
	bool found;

	if (!sluice_charge(scratch, 1))
		return false;
	if (at == first + count)
		return check_routes(scratch, element, first, count);
	if (solver->depth == SLUICE_SOLVER_DEPTH) {
		scratch->budget = -1;
		return false;
	}
	solver->depth++;
	found = try_routes_of(scratch, element, first, count, at);
	solver->depth--;
	return found;
}

/* Whether the items (clauses whose leaves below this element are at items[first]) can be satisfied
 * in it. */
static bool solve(struct sluice_scratch *scratch, uint32_t element, uint32_t first, uint32_t count)
{
	struct sluice_solver_item *items = scratch->solver.items;
	bool absences = false;
	uint32_t kept = 0;

	/* what has no leaf to be absent from is settled */
	for (uint32_t i = 0; i < count; i++) {
		struct sluice_solver_item item = items[first + i];
		if (item.absence_allowed && item.all == item.all_end)
			continue;
		absences |= item.absence_allowed;
		items[first + kept++] = item;
	}
	count = kept;
	if (!absences) {
		/* a leaf right here binds nothing, so it is never the worse choice */
		for (uint32_t i = kept = 0; i < count; i++) {
			struct sluice_solver_item item = items[first + i];
			bool direct = false;
			for (uint32_t at = item.fit; at < item.fit_end && !direct;) {
				uint32_t route;
				at = next_route(scratch, element, at, item.fit_end, &route);
				direct = route == ROUTE_DIRECT;
			}
			if (!direct)
				items[first + kept++] = item;
		}
		count = kept;
	}
	return try_routes(scratch, element, first, count, first);
}

/* --- the whole conjunction --- */

/* Gathers the leaves of a clause for the search. False when there is no room (the budget is spent
 * then). */
static bool gather(struct sluice_scratch *scratch, const struct sluice_clause *clause)
{
	struct sluice_solver *solver = &scratch->solver;
	const struct sluice_leaves *leaves = &scratch->leaves;
	struct sluice_solver_item *item = items_push(scratch, 1);

	if (!item)
		return false;
	*item = (struct sluice_solver_item){ .leaf_allowed = true,
		                             .absence_allowed = clause->absent };
	for (int pass = 0; pass < 2; pass++) {
		uint32_t start = solver->leaf_count;
		uint32_t id = sluice_leaves_first_at(leaves, clause->path);
		for (; id != SLUICE_NO_LEAF; id = leaves->leaves[id].next) {
			if (pass == 0 && !clause_fits(scratch, clause, &leaves->leaves[id]))
				continue;
			if (solver->leaf_count == SLUICE_SOLVER_LEAVES)
				scratch->budget = -1;
			if (!sluice_charge(scratch, 1))
				return false;
			solver->leaves[solver->leaf_count++] = id;
		}
		if (pass == 0) {
			item->fit = start;
			item->fit_end = solver->leaf_count;
		} else {
			item->all = start;
			item->all_end = solver->leaf_count;
		}
		if (!clause->absent)
			break;
	}
	return scratch->budget >= 0;
}

/* `absences`: some clause that allows absence has leaves. */
static bool search(struct sluice_scratch *scratch, const struct sluice_conj *conj, bool absences)
{
	struct sluice_solver *solver = &scratch->solver;

	if (!solver_prepare(solver)) {
		scratch->leaves.out_of_memory = true;
		return false;
	}
	solver->leaf_count = 0;
	solver->item_count = 0;
	solver->depth = 0;
	for (uint16_t i = 0; i < conj->clause_count; i++) {
		const struct sluice_clause *clause = sluice_conj_clause(conj, i);
		if (!absences) {
			/*
			 * Settled outside of arrays: binds nothing. (Where something must be
			 * absent, a leaf that binds to an element may be the better choice, so then
			 * all are gathered.)
			 */
			uint32_t id = clause_match(scratch, clause);
			if (id == SLUICE_NO_LEAF || scratch->leaves.leaves[id].element == 0)
				continue;
		}
		if (!gather(scratch, clause))
			return false;
	}
	return solve(scratch, 0, 0, solver->item_count);
}

bool sluice_verify(struct sluice_scratch *scratch, const struct sluice_conj *conj)
{
	unsigned in_arrays = 0;
	bool absences = false, must_search = false;

	if (conj->payload && !scratch->object)
		return false;
	/* it was found through an entry of its only clause, which the event matches */
	if (conj->clause_count == 1)
		return true;
	if (!sluice_charge(scratch, conj->clause_count))
		return false;
	const struct sluice_clause *clauses = sluice_conj_set(conj)->clauses;
	const uint16_t *order = sluice_conj_order(conj);
	const uint16_t count = conj->clause_count;
	for (uint16_t i = 0; i < count; i++) {
		const struct sluice_clause *clause = &clauses[order ? order[i] : i];
		/* what a check can tell needs no look at entries */
		if (!sluice_check_passes(&scratch->leaves, clause->check, clause->operand))
			return false;
		if (clause->absent &&
		    sluice_leaves_first_at(&scratch->leaves, clause->path) == SLUICE_NO_LEAF)
			continue;
		absences |= clause->absent;
		uint32_t id = clause_match(scratch, clause);
		if (id != SLUICE_NO_LEAF)
			in_arrays += scratch->leaves.leaves[id].element != 0;
		else if (clause->absent && scratch->leaves.element_count > 1)
			must_search =
			        true; /* it has leaves, but perhaps not in the elements chosen */
		else
			return false;
	}
	if (!must_search && in_arrays < 2)
		return true;
	return scratch->budget >= 0 && search(scratch, conj, absences);
}
