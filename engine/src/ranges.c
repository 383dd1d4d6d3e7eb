/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "ranges.h"

#include <stdlib.h>

#include "index.h"

struct sluice_range_node {
	struct sluice_range_node *left, *right;
	struct sluice_entry *entry;
	const struct sluice_range *greatest; /* of the subtree, by upper bound */
	uint32_t priority;                   /* no child's is greater */
};

static const struct sluice_range *range_of(const struct sluice_range_node *node)
{
	return &node->entry->predicate.range;
}

/* By lower bound; none is below all, and an inclusive one before an exclusive one. */
static int compare_lower(const struct sluice_range *a, const struct sluice_range *b)
{
	if (!a->has_lower || !b->has_lower)
		return a->has_lower - b->has_lower;
	int order = sluice_number_compare(&a->lower, &b->lower);
	return order ? order : b->lower_inclusive - a->lower_inclusive;
}

/* By upper bound; none is above all, and an inclusive one behind an exclusive one. */
static int compare_upper(const struct sluice_range *a, const struct sluice_range *b)
{
	if (!a->has_upper || !b->has_upper)
		return b->has_upper - a->has_upper;
	int order = sluice_number_compare(&a->upper, &b->upper);
	return order ? order : a->upper_inclusive - b->upper_inclusive;
}

/* A total order: several entries may be the same range in other words. */
static int compare(const struct sluice_entry *a, const struct sluice_entry *b)
{
	int order = compare_lower(&a->predicate.range, &b->predicate.range);

	return order ? order : (a->id > b->id) - (a->id < b->id);
}

static bool begins_above(const struct sluice_range *range, const struct sluice_number *number)
{
	if (!range->has_lower)
		return false;
	int order = sluice_number_compare(&range->lower, number);
	return order > 0 || (order == 0 && !range->lower_inclusive);
}

static bool ends_below(const struct sluice_range *range, const struct sluice_number *number)
{
	if (!range->has_upper)
		return false;
	int order = sluice_number_compare(&range->upper, number);
	return order < 0 || (order == 0 && !range->upper_inclusive);
}

static void update(struct sluice_range_node *node)
{
	node->greatest = range_of(node);
	if (node->left && compare_upper(node->left->greatest, node->greatest) > 0)
		node->greatest = node->left->greatest;
	if (node->right && compare_upper(node->right->greatest, node->greatest) > 0)
		node->greatest = node->right->greatest;
}

/* Cuts a tree into what stands before the entry and what stands behind it. */
static void split(struct sluice_range_node *node, const struct sluice_entry *entry,
                  struct sluice_range_node **before, struct sluice_range_node **behind)
{
	if (!node) {
		*before = *behind = NULL;
		return;
	}
	if (compare(node->entry, entry) < 0) {
		split(node->right, entry, &node->right, behind);
		*before = node;
	} else {
		split(node->left, entry, before, &node->left);
		*behind = node;
	}
	update(node);
}

/* All of `before` stands before all of `behind`. */
static struct sluice_range_node *merge(struct sluice_range_node *before,
                                       struct sluice_range_node *behind)
{
	if (!before || !behind)
		return before ? before : behind;
	if (before->priority >= behind->priority) {
		before->right = merge(before->right, behind);
		update(before);
		return before;
	}
	behind->left = merge(before, behind->left);
	update(behind);
	return behind;
}

static struct sluice_range_node *insert(struct sluice_range_node *tree,
                                        struct sluice_range_node *node)
{
	if (!tree || node->priority > tree->priority) {
		split(tree, node->entry, &node->left, &node->right);
		update(node);
		return node;
	}
	if (compare(node->entry, tree->entry) < 0)
		tree->left = insert(tree->left, node);
	else
		tree->right = insert(tree->right, node);
	update(tree);
	return tree;
}

/* Takes the node of the entry out; *out gets it. */
static struct sluice_range_node *take(struct sluice_range_node *tree,
                                      const struct sluice_entry *entry,
                                      struct sluice_range_node **out)
{
	int order = compare(entry, tree->entry);

	if (order == 0) {
		*out = tree;
		return merge(tree->left, tree->right);
	}
	if (order < 0)
		tree->left = take(tree->left, entry, out);
	else
		tree->right = take(tree->right, entry, out);
	update(tree);
	return tree;
}

/* xorshift (Marsaglia 2003) */
static uint32_t next_random(struct sluice_ranges *ranges)
{
	uint32_t x = ranges->random ? ranges->random : UINT32_C(2463534242);

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return ranges->random = x;
}

bool sluice_ranges_add(struct sluice_ranges *ranges, struct sluice_entry *entry)
{
	struct sluice_range_node *node = calloc(1, sizeof(*node));

	if (!node)
		return false;
	node->entry = entry;
	node->priority = next_random(ranges);
	ranges->root = insert(ranges->root, node);
	ranges->bytes += sizeof(*node);
	return true;
}

void sluice_ranges_drop(struct sluice_ranges *ranges, struct sluice_entry *entry)
{
	struct sluice_range_node *node;

	ranges->root = take(ranges->root, entry, &node);
	ranges->bytes -= sizeof(*node);
	free(node);
}

static void free_tree(struct sluice_range_node *node)
{
	if (!node)
		return;
	free_tree(node->left);
	free_tree(node->right);
	free(node);
}

void sluice_ranges_finish(struct sluice_ranges *ranges)
{
	free_tree(ranges->root);
	*ranges = (struct sluice_ranges){ 0 };
}

static void find(const struct sluice_range_node *node, const struct sluice_number *number,
                 void (*found)(void *arg, struct sluice_entry *entry), void *arg)
{
	while (node && !ends_below(node->greatest, number)) {
		find(node->left, number, found, arg);
		if (begins_above(range_of(node), number))
			return;
		if (!ends_below(range_of(node), number))
			found(arg, node->entry);
		node = node->right;
	}
}

void sluice_ranges_find(const struct sluice_ranges *ranges, const struct sluice_number *number,
                        void (*found)(void *arg, struct sluice_entry *entry), void *arg)
{
	find(ranges->root, number, found, arg);
}
