/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* From a leaf to the entries that it matches (index.h). */
#include "address.h"
#include "index_key.h"
#include "text.h"

struct prober {
	const struct sluice_entries *entries;
	const struct sluice_leaf *leaf;
	uint32_t leaf_id;
	struct sluice_probe *probe;
};

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

static void try_each(const struct prober *p, struct sluice_entry *const *list, uint32_t count)
{
	size_t cost = 1 + p->leaf->value.text.len / 16;

	for (uint32_t i = 0; i < count; i++)
		if (p->probe->try(p->probe, list[i], p->leaf_id, cost) &&
		    sluice_predicate_matches(&list[i]->predicate, &p->leaf->value))
			p->probe->hit(p->probe, list[i], p->leaf_id);
}

static void look_up_affix(const struct prober *p, uint64_t hash, enum sluice_operator op)
{
	struct sluice_cursor cursor = { 0 };
	const struct sluice_bucket *bucket;

	if (op != SLUICE_OP_WILDCARD) {
		look_up(p, hash, op);
		return;
	}
	while ((bucket = sluice_table_next(&p->entries->buckets, hash, &cursor)))
		if (bucket->list[0]->node == p->leaf->node)
			try_each(p, bucket->list, bucket->count);
}

/*
 * Looks up the beginnings of a string that have the lengths given; returns the walk up to the last,
 * *at its place.
 */
static uint64_t probe_beginnings(const struct prober *p, const struct sluice_lengths *lengths,
                                 enum sluice_operator op, size_t *at)
{
	struct sluice_str text = p->leaf->value.text;
	uint64_t walk = sluice_hash_start(p->leaf->node->id);

	*at = 0;
	for (uint32_t i = 0; i < lengths->count && lengths->list[i].length <= text.len; i++) {
		size_t length = lengths->list[i].length;
		walk = sluice_hash_bytes(walk,
		                         (struct sluice_str){ text.data + *at, length - *at });
		*at = length;
		look_up_affix(p, sluice_key_close(walk, op), op);
	}
	return walk;
}

static void probe_ends(const struct prober *p, const struct sluice_lengths *lengths,
                       enum sluice_operator op)
{
	struct sluice_str text = p->leaf->value.text;
	uint64_t walk = sluice_hash_start(p->leaf->node->id);
	size_t done = 0;

	for (uint32_t i = 0; i < lengths->count && lengths->list[i].length <= text.len; i++) {
		size_t length = lengths->list[i].length;
		walk = sluice_key_backward(
		        walk, (struct sluice_str){ text.data + text.len - length, length - done });
		done = length;
		look_up_affix(p, sluice_key_close(walk, op), op);
	}
}

static void probe_plain(const struct prober *p, const struct sluice_index *index)
{
	struct sluice_str text = p->leaf->value.text;
	size_t at;
	uint64_t walk =
	        probe_beginnings(p, &index->lengths[SLUICE_AFFIX_PREFIX], SLUICE_OP_PREFIX, &at);

	if (index->counts[SLUICE_OP_STRING]) {
		walk = sluice_hash_bytes(walk,
		                         (struct sluice_str){ text.data + at, text.len - at });
		look_up(p, sluice_key_close(walk, SLUICE_OP_STRING), SLUICE_OP_STRING);
	}
	probe_ends(p, &index->lengths[SLUICE_AFFIX_SUFFIX], SLUICE_OP_SUFFIX);
	if (index->counts[SLUICE_OP_WILDCARD]) {
		probe_beginnings(p, &index->lengths[SLUICE_AFFIX_WILD_PREFIX], SLUICE_OP_WILDCARD,
		                 &at);
		probe_ends(p, &index->lengths[SLUICE_AFFIX_WILD_SUFFIX], SLUICE_OP_WILDCARD);
	}
}

static void probe_shapes(const struct prober *p, const struct sluice_index *index)
{
	uint64_t hashes[SLUICE_SHAPE_LEVELS];
	uint32_t levels = sluice_key_levels(p->leaf->value.text, hashes);

	for (uint32_t i = 0; i < index->shape_count; i++) {
		const struct sluice_shape *shape = &index->shapes[i];
		/* "a/#" is for "a" too, and for all below it (MQTT 5.0, 4.7.1.2) */
		if (shape->levels == levels || (shape->rest && shape->levels < levels))
			look_up(p,
			        sluice_key_close(sluice_key_shape(p->leaf->node->id, shape, hashes),
			                         SLUICE_OP_MQTT_TOPIC),
			        SLUICE_OP_MQTT_TOPIC);
	}
}

static void probe_blocks_of(const struct prober *p, const struct sluice_lengths *lengths,
                            const struct sluice_address *address)
{
	for (uint32_t i = 0; i < lengths->count; i++)
		look_up(p,
		        sluice_key_close(sluice_key_block(p->leaf->node->id, address->bytes,
		                                          lengths->list[i].length),
		                         SLUICE_OP_CIDR),
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

static void probe_folded_forward(const struct prober *p, const struct sluice_index *index)
{
	const struct sluice_lengths *lengths = &index->lengths[SLUICE_AFFIX_FOLD_PREFIX];
	struct sluice_str rest = p->leaf->value.text;
	uint64_t hash = sluice_hash_start(p->leaf->node->id);
	size_t folded = 0;
	uint32_t next = 0;

	for (;;) {
		/* lengths that end inside a character can't match: the operand is whole characters
		 */
		while (next < lengths->count && lengths->list[next].length < folded)
			next++;
		if (next < lengths->count && lengths->list[next].length == folded)
			look_up(p, sluice_key_close(hash, SLUICE_OP_FOLD_PREFIX),
			        SLUICE_OP_FOLD_PREFIX);
		bool wanted = index->counts[SLUICE_OP_FOLD] || next < lengths->count;
		if (rest.len == 0 || !wanted)
			break;
		size_t length;
		char bytes[4];
		size_t count = sluice_text_encode(sluice_text_fold_next(rest, &length), bytes);
		hash = sluice_hash_bytes(hash, (struct sluice_str){ bytes, count });
		folded += count;
		rest.data += length;
		rest.len -= length;
	}
	if (index->counts[SLUICE_OP_FOLD] && rest.len == 0)
		look_up(p, sluice_key_close(hash, SLUICE_OP_FOLD), SLUICE_OP_FOLD);
}

static void probe_folded_backward(const struct prober *p, const struct sluice_index *index)
{
	const struct sluice_lengths *lengths = &index->lengths[SLUICE_AFFIX_FOLD_SUFFIX];
	struct sluice_str rest = p->leaf->value.text;
	uint64_t hash = sluice_hash_start(p->leaf->node->id);
	size_t folded = 0;

	for (uint32_t next = 0;;) {
		while (next < lengths->count && lengths->list[next].length < folded)
			next++;
		if (next == lengths->count)
			break;
		if (lengths->list[next].length == folded)
			look_up(p, sluice_key_close(hash, SLUICE_OP_FOLD_SUFFIX),
			        SLUICE_OP_FOLD_SUFFIX);
		if (rest.len == 0)
			break;
		size_t length;
		char bytes[4];
		size_t count = sluice_text_encode(sluice_text_fold_last(rest, &length), bytes);
		hash = sluice_key_backward(hash, (struct sluice_str){ bytes, count });
		folded += count;
		rest.len -= length;
	}
}

static void probe_direct(const struct prober *p, const struct sluice_index *index,
                         enum sluice_operator op)
{
	if (index->direct[op])
		p->probe->hit(p->probe, index->direct[op], p->leaf_id);
}

static void found_range(void *arg, struct sluice_entry *entry)
{
	const struct prober *p = arg;

	p->probe->hit(p->probe, entry, p->leaf_id);
}

static void probe_number(struct prober *p, const struct sluice_index *index)
{
	const struct sluice_number *number = &p->leaf->value.number;

	if (index->counts[SLUICE_OP_NUMBER])
		look_up(p,
		        sluice_key_close(sluice_hash_start(p->leaf->node->id) ^
		                                 sluice_number_hash(number),
		                         SLUICE_OP_NUMBER),
		        SLUICE_OP_NUMBER);
	sluice_ranges_find(&index->ranges, number, found_range, p);
}

void sluice_index_probe(const struct sluice_entries *entries, const struct sluice_leaf *leaf,
                        uint32_t leaf_id, struct sluice_probe *probe)
{
	const struct sluice_index *index = leaf->node->index;
	struct prober p = { entries, leaf, leaf_id, probe };

	switch (leaf->value.type) {
	case SLUICE_JSON_STRING:
		probe_plain(&p, index);
		if (index->counts[SLUICE_OP_FOLD] || index->counts[SLUICE_OP_FOLD_PREFIX])
			probe_folded_forward(&p, index);
		if (index->counts[SLUICE_OP_FOLD_SUFFIX])
			probe_folded_backward(&p, index);
		if (index->shape_count)
			probe_shapes(&p, index);
		if (index->counts[SLUICE_OP_CIDR])
			probe_blocks(&p, index);
		break;
	case SLUICE_JSON_NUMBER:
		probe_number(&p, index);
		break;
	case SLUICE_JSON_TRUE:
		probe_direct(&p, index, SLUICE_OP_TRUE);
		break;
	case SLUICE_JSON_FALSE:
		probe_direct(&p, index, SLUICE_OP_FALSE);
		break;
	case SLUICE_JSON_NULL:
		probe_direct(&p, index, SLUICE_OP_NULL);
		break;
	default:
		break;
	}
	probe_direct(&p, index, SLUICE_OP_EXISTS);
	try_each(&p, index->list, index->list_count);
}
