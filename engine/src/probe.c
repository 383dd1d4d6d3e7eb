/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* From a leaf to the entries that it matches (index.h). */
#include "address.h"
#include "arena.h"
#include "index_key.h"
#include "text.h"

struct prober {
	const struct sluice_entries *entries;
	const struct sluice_leaf *leaf;
	uint32_t leaf_id;
	struct sluice_probe *probe;
};

/* --- by value --- */

static struct sluice_entry *find_text(const struct sluice_entries *entries,
                                      const struct sluice_leaf *leaf, uint64_t hash)
{
	struct sluice_cursor cursor = { 0 };
	struct sluice_entry *entry;

	while ((entry = sluice_table_next(&entries->table, hash, &cursor)))
		if (entry->node == leaf->node && entry->predicate.op == SLUICE_OP_STRING &&
		    sluice_str_equal(entry->predicate.text, leaf->value.text))
			return entry;
	return NULL;
}

static struct sluice_entry *find_number(const struct sluice_entries *entries,
                                        const struct sluice_leaf *leaf, uint64_t hash)
{
	struct sluice_cursor cursor = { 0 };
	struct sluice_entry *entry;

	while ((entry = sluice_table_next(&entries->table, hash, &cursor)))
		if (entry->node == leaf->node && entry->predicate.op == SLUICE_OP_NUMBER &&
		    sluice_number_compare(&entry->predicate.number, &leaf->value.number) == 0)
			return entry;
	return NULL;
}

struct sluice_entry *sluice_index_value(const struct sluice_entries *entries,
                                        const struct sluice_leaf *leaf, uint64_t *hash)
{
	const struct sluice_path_node *node = leaf->node;
	struct sluice_walk walk = { node->seed, 0 };
	enum sluice_operator op;

	switch (leaf->value.type) {
	case SLUICE_JSON_STRING:
		*hash = sluice_key_beginning(&walk, leaf->value.text, leaf->value.text.len,
		                             SLUICE_OP_STRING);
		return node->index->claimed[SLUICE_OP_STRING] ? find_text(entries, leaf, *hash)
		                                              : NULL;
	case SLUICE_JSON_NUMBER:
		if (!node->index->claimed[SLUICE_OP_NUMBER]) {
			*hash = node->seed;
			return NULL;
		}
		*hash = sluice_hash_mix(node->seed ^ sluice_number_hash(&leaf->value.number),
		                        SLUICE_HASH_B);
		return find_number(entries, leaf, *hash);
	case SLUICE_JSON_TRUE:
		op = SLUICE_OP_TRUE;
		break;
	case SLUICE_JSON_FALSE:
		op = SLUICE_OP_FALSE;
		break;
	default:
		op = SLUICE_OP_NULL;
		break;
	}
	*hash = sluice_literal_hash(node, op);
	return node->index->direct[op];
}

/* --- one by one --- */

static void try_each(const struct prober *p, struct sluice_entry *const *list, uint32_t count)
{
	size_t cost = 1 + p->leaf->value.text.len / 16;

	for (uint32_t i = 0; i < count; i++)
		if (p->probe->try(p->probe, list[i], p->leaf_id, cost) &&
		    sluice_predicate_matches(&list[i]->predicate, &p->leaf->value))
			p->probe->hit(p->probe, list[i], p->leaf_id);
}

/* --- by affixes --- */

static void look_up(const struct prober *p, uint64_t hash, enum sluice_operator op)
{
	struct sluice_cursor cursor = { 0 };
	struct sluice_entry *entry;

	while ((entry = sluice_table_next(&p->entries->table, hash, &cursor)))
		if (entry->posting_count && entry->node == p->leaf->node &&
		    entry->predicate.op == op &&
		    sluice_predicate_matches(&entry->predicate, &p->leaf->value))
			p->probe->hit(p->probe, entry, p->leaf_id);
}

static void try_bucket(const struct prober *p, uint64_t hash)
{
	struct sluice_cursor cursor = { 0 };
	const struct sluice_bucket *bucket = sluice_table_next(&p->entries->buckets, hash, &cursor);

	if (bucket)
		try_each(p, bucket->list, bucket->count);
}

static void probe_beginnings(const struct prober *p, enum sluice_affix affix,
                             struct sluice_str text, enum sluice_operator op)
{
	const struct sluice_lengths *lengths = &p->leaf->node->index->lengths[affix];
	struct sluice_walk walk = { p->leaf->node->seed, 0 };

	for (uint32_t i = 0; i < lengths->count && lengths->list[i].length <= text.len; i++)
		look_up(p, sluice_key_beginning(&walk, text, lengths->list[i].length, op), op);
}

static void probe_ends(const struct prober *p, enum sluice_affix affix, struct sluice_str text,
                       enum sluice_operator op)
{
	const struct sluice_lengths *lengths = &p->leaf->node->index->lengths[affix];
	struct sluice_walk walk = { p->leaf->node->seed, 0 };

	for (uint32_t i = 0; i < lengths->count && lengths->list[i].length <= text.len; i++)
		look_up(p, sluice_key_end(&walk, text, lengths->list[i].length, op), op);
}

static void probe_folded(const struct prober *p, const struct sluice_index *index)
{
	enum { USUAL = 256 };
	struct sluice_str text = p->leaf->value.text;
	struct sluice_walk walk = { p->leaf->node->seed, 0 };
	char usual[USUAL * 2 + 4];
	char *folded = usual;

	if (text.len > USUAL)
		folded = sluice_arena_bytes(p->probe->text, 2 * text.len + 4);
	if (!folded) {
		p->probe->out_of_memory = true;
		return;
	}
	text = (struct sluice_str){ folded, sluice_text_fold(text, folded) };
	probe_beginnings(p, SLUICE_AFFIX_FOLD_PREFIX, text, SLUICE_OP_FOLD_PREFIX);
	if (index->counts[SLUICE_OP_FOLD])
		look_up(p, sluice_key_beginning(&walk, text, text.len, SLUICE_OP_FOLD),
		        SLUICE_OP_FOLD);
	probe_ends(p, SLUICE_AFFIX_FOLD_SUFFIX, text, SLUICE_OP_FOLD_SUFFIX);
}

/* --- wildcards, by pieces --- */

static void probe_inner(const struct prober *p, const struct sluice_index *index)
{
	const struct sluice_lengths *lengths = &index->lengths[SLUICE_AFFIX_WILD_INNER];
	struct sluice_str text = p->leaf->value.text;

	for (uint32_t i = 0; i < lengths->count && lengths->list[i].length <= text.len; i++) {
		size_t length = lengths->list[i].length;
		if (!p->probe->spend(p->probe, text.len / 16))
			return;
		for (size_t at = 0; at + length <= text.len; at++) {
			uint64_t hash = sluice_key_inner(p->leaf->node, text.data + at, length);
			uint64_t bit;
			if (*sluice_key_filter(index, hash, &bit) & bit)
				try_bucket(p, hash);
		}
	}
}

static void probe_wildcards(const struct prober *p, const struct sluice_index *index)
{
	struct sluice_str text = p->leaf->value.text;
	const struct sluice_lengths *first = &index->lengths[SLUICE_AFFIX_WILD_PREFIX];
	const struct sluice_lengths *last = &index->lengths[SLUICE_AFFIX_WILD_SUFFIX];
	struct sluice_walk walk = { p->leaf->node->seed, 0 };

	for (uint32_t i = 0; i < first->count && first->list[i].length <= text.len; i++)
		try_bucket(p,
		           sluice_key_beginning(&walk, text, first->list[i].length,
		                                sluice_key_piece_kind(SLUICE_AFFIX_WILD_PREFIX)));
	walk = (struct sluice_walk){ p->leaf->node->seed, 0 };
	for (uint32_t i = 0; i < last->count && last->list[i].length <= text.len; i++)
		try_bucket(p, sluice_key_end(&walk, text, last->list[i].length,
		                             sluice_key_piece_kind(SLUICE_AFFIX_WILD_SUFFIX)));
	if (index->inner_filter)
		probe_inner(p, index);
}

/* --- topics, addresses --- */

static void probe_shapes(const struct prober *p, const struct sluice_index *index)
{
	uint64_t hashes[SLUICE_SHAPE_LEVELS];
	uint32_t levels = sluice_key_levels(p->leaf->value.text, hashes);

	for (uint32_t i = 0; i < index->shape_count; i++) {
		const struct sluice_shape *shape = &index->shapes[i];
		/* "a/#" is for "a" too, and for all below it (MQTT 5.0, 4.7.1.2) */
		if (shape->levels == levels || (shape->rest && shape->levels < levels))
			look_up(p, sluice_key_shape(p->leaf->node, shape, hashes),
			        SLUICE_OP_MQTT_TOPIC);
	}
}

static void probe_blocks_of(const struct prober *p, const struct sluice_lengths *lengths,
                            const struct sluice_address *address)
{
	for (uint32_t i = 0; i < lengths->count; i++)
		look_up(p, sluice_key_block(p->leaf->node, address->bytes, lengths->list[i].length),
		        SLUICE_OP_CIDR);
}

static void probe_blocks(const struct prober *p, const struct sluice_index *index)
{
	struct sluice_address address;

	if (!sluice_address_read(p->leaf->value.text, &address))
		return;
	if (address.family == 6)
		probe_blocks_of(p, &index->lengths[SLUICE_AFFIX_BLOCK6], &address);
	if (address.family == 4 || sluice_address_mapped(&address, &address))
		probe_blocks_of(p, &index->lengths[SLUICE_AFFIX_BLOCK4], &address);
}

static void probe_text(const struct prober *p, const struct sluice_index *index)
{
	const uint32_t *counts = index->counts;

	if (counts[SLUICE_OP_PREFIX])
		probe_beginnings(p, SLUICE_AFFIX_PREFIX, p->leaf->value.text, SLUICE_OP_PREFIX);
	if (counts[SLUICE_OP_SUFFIX])
		probe_ends(p, SLUICE_AFFIX_SUFFIX, p->leaf->value.text, SLUICE_OP_SUFFIX);
	if (counts[SLUICE_OP_WILDCARD])
		probe_wildcards(p, index);
	if (counts[SLUICE_OP_FOLD] || counts[SLUICE_OP_FOLD_PREFIX] ||
	    counts[SLUICE_OP_FOLD_SUFFIX])
		probe_folded(p, index);
	if (counts[SLUICE_OP_MQTT_TOPIC])
		probe_shapes(p, index);
	if (counts[SLUICE_OP_CIDR])
		probe_blocks(p, index);
}

void sluice_index_probe(const struct sluice_entries *entries, const struct sluice_leaf *leaf,
                        uint32_t leaf_id, struct sluice_probe *probe)
{
	const struct sluice_index *index = leaf->node->index;
	struct prober p = { entries, leaf, leaf_id, probe };

	if (leaf->value.type == SLUICE_JSON_STRING)
		probe_text(&p, index);
	else if (leaf->value.type == SLUICE_JSON_NUMBER && index->counts[SLUICE_OP_NUMERIC])
		sluice_ranges_find(&index->ranges, &entries->cells, leaf->node, &leaf->value,
		                   leaf_id, probe);
	if (index->counts[SLUICE_OP_EXISTS])
		probe->hit(probe, index->direct[SLUICE_OP_EXISTS], leaf_id);
	if (index->list_count)
		try_each(&p, index->list, index->list_count);
}
