/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* From a leaf to the entries that it matches (index.h). */
#include "address.h"
#include "arena.h"
#include "index_key.h"
#include "text.h"

/* A leaf, and what it is looked up in. */
struct prober {
	struct sluice_probe *probe;
	const struct sluice_leaf *leaf;
	uint32_t leaf_id;
};

/* --- look-ups, many at a time --- */

static const struct sluice_table *table_of(const struct sluice_probe *probe, uint8_t kind)
{
	return kind == SLUICE_QUERY_BUCKET ? &probe->entries->buckets : &probe->entries->table;
}

static void try_each(struct sluice_probe *probe, uint32_t leaf_id, const struct sluice_lead *list,
                     uint32_t count)
{
	enum { TOGETHER = 16 }; /* so many are fetched at a time */
	const struct sluice_value *value = &probe->leaves->leaves[leaf_id].value;
	size_t cost = 1 + value->text.len / 16;
	struct sluice_entry *passed[TOGETHER];

	if (!probe->spend(probe, count / 16))
		return;
	for (uint32_t at = 0; at < count;) {
		unsigned together = 0;
		for (; at < count && together < TOGETHER; at++) {
			if (!sluice_checks_pass(probe->leaves, &list[at].checks))
				continue;
			__builtin_prefetch(list[at].entry);
			__builtin_prefetch(list[at].entry->predicate);
			passed[together++] = list[at].entry;
		}
		for (unsigned i = 0; i < together; i++)
			if (probe->may_try(probe, passed[i], cost) &&
			    sluice_entry_matches(passed[i], value))
				probe->hit(probe, passed[i], leaf_id);
	}
}

/* A leaf's value: what it matches may be known (again: it was hit already). */
static inline void hit_value(struct sluice_probe *probe, struct sluice_entry *entry,
                             uint32_t leaf_id)
{
	const struct sluice_known *known = &entry->node->index->known;
	bool first = probe->hit(probe, entry, leaf_id);

	if (known->rows && entry->known_at != SLUICE_NOT_KNOWN) {
		const struct sluice_known_row *row = &known->rows[entry->known_at];
		struct sluice_place *place = &probe->leaves->places[entry->node->id];
		probe->leaves->leaves[leaf_id].known = first ? row : &sluice_known_nothing;
		if (place->first == place->last)
			place->known = row;
	}
}

/* Whether the entry is the operand that was asked for. */
static bool answers(const struct sluice_query *query, const struct sluice_entry *entry,
                    const struct sluice_leaf *leaf)
{
	if (entry->hash != query->hash || entry->op != query->kind || entry->node != leaf->node)
		return false;
	const struct sluice_cidr *cidr;
	struct sluice_predicate room;
	switch ((enum sluice_operator)entry->op) {
	case SLUICE_OP_NUMBER:
	case SLUICE_OP_MQTT_TOPIC:
		return sluice_entry_matches(entry, &leaf->value);
	case SLUICE_OP_CIDR:
		cidr = &sluice_entry_whole(entry)->cidr;
		return sluice_address_same_block(cidr->address, (const uint8_t *)query->part.data,
		                                 cidr->bits) &&
		       (cidr->family == 4) == (query->part.len == 4);
	default:
		return sluice_str_equal(sluice_entry_predicate(entry, &room)->text, query->part);
	}
}

static void answer(struct sluice_probe *probe, struct sluice_query *query)
{
	const struct sluice_table *table = table_of(probe, query->kind);

	while (query->found) {
		if (query->kind == SLUICE_QUERY_BUCKET) {
			const struct sluice_bucket *bucket = query->found;
			if (bucket->hash == query->hash) {
				try_each(probe, query->leaf, bucket->list, bucket->count);
				return;
			}
		} else if (answers(query, query->found, &probe->leaves->leaves[query->leaf])) {
			if (query->kind <= SLUICE_OP_NULL)
				hit_value(probe, query->found, query->leaf);
			else
				probe->hit(probe, query->found, query->leaf);
			if (query->kind != SLUICE_OP_MQTT_TOPIC)
				return; /* an operand has one entry */
		}
		query->found = sluice_table_next(table, query->hash, &query->cursor);
	}
}

static void answer_all(struct sluice_probe *probe)
{
	for (uint32_t i = 0; i < probe->query_count; i++) {
		struct sluice_query *query = &probe->queries[i];
		query->found = sluice_table_next(table_of(probe, query->kind), query->hash,
		                                 &query->cursor);
		if (query->found) {
			__builtin_prefetch(query->found);
			__builtin_prefetch((const char *)query->found + 64);
		}
	}
	for (uint32_t i = 0; i < probe->query_count; i++)
		if (probe->queries[i].found)
			answer(probe, &probe->queries[i]);
	probe->query_count = 0;
}

/* Lines of a table that is in the cache anyway: waiting for others would be dearer. */
enum { SMALL = 1024 };

static void ask(const struct prober *p, uint64_t hash, unsigned kind, struct sluice_str part)
{
	struct sluice_probe *probe = p->probe;
	const struct sluice_table *table = table_of(probe, (uint8_t)kind);
	struct sluice_query *query = &probe->queries[probe->query_count];

	query->cursor = (struct sluice_cursor){ 0 };
	if (table->lines < SMALL) {
		query->found = sluice_table_next(table, hash, &query->cursor);
		if (!query->found)
			return;
	}
	query->hash = hash;
	query->part = part;
	query->leaf = p->leaf_id;
	query->kind = (uint8_t)kind;
	if (table->lines < SMALL) {
		answer(probe, query);
		return;
	}
	sluice_table_prefetch(table, hash);
	if (++probe->query_count == SLUICE_QUERIES)
		answer_all(probe);
}

/* --- affixes --- */

static void probe_beginnings(const struct prober *p, enum sluice_affix affix,
                             struct sluice_str text, enum sluice_operator op)
{
	const struct sluice_lengths *lengths = &p->leaf->node->index->lengths[affix];
	struct sluice_walk walk = { p->leaf->node->seed, 0 };

	for (uint32_t i = 0; i < lengths->count && lengths->list[i].length <= text.len; i++) {
		struct sluice_str part = { text.data, lengths->list[i].length };
		uint64_t hash = sluice_key_beginning(&walk, text, part.len, op);
		if (sluice_filter_has(&lengths->filter, hash))
			ask(p, hash, op, part);
	}
}

static void probe_ends(const struct prober *p, enum sluice_affix affix, struct sluice_str text,
                       enum sluice_operator op)
{
	const struct sluice_lengths *lengths = &p->leaf->node->index->lengths[affix];
	struct sluice_walk walk = { p->leaf->node->seed, 0 };

	for (uint32_t i = 0; i < lengths->count && lengths->list[i].length <= text.len; i++) {
		size_t length = lengths->list[i].length;
		struct sluice_str part = { text.data + text.len - length, length };
		uint64_t hash = sluice_key_end(&walk, text, length, op);
		if (sluice_filter_has(&lengths->filter, hash))
			ask(p, hash, op, part);
	}
}

static void probe_folded(const struct prober *p, const struct sluice_index *index)
{
	struct sluice_str text = p->leaf->value.text;
	struct sluice_walk walk = { p->leaf->node->seed, 0 };
	char *folded = sluice_arena_bytes(p->probe->leaves->text, 2 * text.len + 4);

	if (!folded) {
		p->probe->out_of_memory = true;
		return;
	}
	text = (struct sluice_str){ folded, sluice_text_fold(text, folded) };
	probe_beginnings(p, SLUICE_AFFIX_FOLD_PREFIX, text, SLUICE_OP_FOLD_PREFIX);
	if (index->counts[SLUICE_OP_FOLD])
		ask(p, sluice_key_beginning(&walk, text, text.len, SLUICE_OP_FOLD), SLUICE_OP_FOLD,
		    text);
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
			if (*sluice_key_filter(index, hash) & sluice_key_filter_bit(hash))
				ask(p, hash, SLUICE_QUERY_BUCKET, text);
		}
	}
}

static void probe_wildcards(const struct prober *p, const struct sluice_index *index)
{
	struct sluice_str text = p->leaf->value.text;
	const struct sluice_lengths *first = &index->lengths[SLUICE_AFFIX_WILD_PREFIX];
	const struct sluice_lengths *last = &index->lengths[SLUICE_AFFIX_WILD_SUFFIX];
	struct sluice_walk walk = { p->leaf->node->seed, 0 };

	for (uint32_t i = 0; i < first->count && first->list[i].length <= text.len; i++) {
		unsigned kind = sluice_key_piece_kind(SLUICE_AFFIX_WILD_PREFIX);
		uint64_t hash = sluice_key_beginning(&walk, text, first->list[i].length, kind);
		if (sluice_filter_has(&first->filter, hash))
			ask(p, hash, SLUICE_QUERY_BUCKET, text);
	}
	walk = (struct sluice_walk){ p->leaf->node->seed, 0 };
	for (uint32_t i = 0; i < last->count && last->list[i].length <= text.len; i++) {
		unsigned kind = sluice_key_piece_kind(SLUICE_AFFIX_WILD_SUFFIX);
		uint64_t hash = sluice_key_end(&walk, text, last->list[i].length, kind);
		if (sluice_filter_has(&last->filter, hash))
			ask(p, hash, SLUICE_QUERY_BUCKET, text);
	}
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
		if (shape->levels != levels && !(shape->rest && shape->levels < levels))
			continue;
		/* several filters may have one hash, and each of them may match */
		ask(p, sluice_key_shape(p->leaf->node, shape, hashes), SLUICE_OP_MQTT_TOPIC,
		    p->leaf->value.text);
	}
}

static void probe_blocks_of(const struct prober *p, const struct sluice_lengths *lengths,
                            const struct sluice_address *address, size_t bytes)
{
	struct sluice_key_words words = sluice_key_words(address->bytes);
	char *kept = NULL; /* asked for later: the bytes must stay until then */

	for (uint32_t i = 0; i < lengths->count; i++) {
		uint64_t hash = sluice_key_block(p->leaf->node, words, lengths->list[i].length);
		if (!sluice_filter_has(&lengths->filter, hash))
			continue;
		if (!kept) {
			kept = sluice_arena_bytes(p->probe->leaves->text, bytes);
			if (!kept) {
				p->probe->out_of_memory = true;
				return;
			}
			memcpy(kept, address->bytes, bytes);
		}
		ask(p, hash, SLUICE_OP_CIDR, (struct sluice_str){ kept, bytes });
	}
}

static void probe_blocks(const struct prober *p, const struct sluice_index *index)
{
	struct sluice_address address;

	if (!sluice_address_read(p->leaf->value.text, &address))
		return;
	if (address.family == 6)
		probe_blocks_of(p, &index->lengths[SLUICE_AFFIX_BLOCK6], &address, 16);
	if (address.family == 4 || sluice_address_mapped(&address, &address))
		probe_blocks_of(p, &index->lengths[SLUICE_AFFIX_BLOCK4], &address, 4);
}

/* --- a leaf --- */

#define HAS(probes, op) ((probes)&UINT32_C(1) << (op))

static void probe_text(const struct prober *p, const struct sluice_index *index)
{
	uint32_t probes = index->probes;

	if (HAS(probes, SLUICE_OP_PREFIX))
		probe_beginnings(p, SLUICE_AFFIX_PREFIX, p->leaf->value.text, SLUICE_OP_PREFIX);
	if (HAS(probes, SLUICE_OP_SUFFIX))
		probe_ends(p, SLUICE_AFFIX_SUFFIX, p->leaf->value.text, SLUICE_OP_SUFFIX);
	if (HAS(probes, SLUICE_OP_WILDCARD))
		probe_wildcards(p, index);
	if (HAS(probes, SLUICE_OP_FOLD) || HAS(probes, SLUICE_OP_FOLD_PREFIX) ||
	    HAS(probes, SLUICE_OP_FOLD_SUFFIX))
		probe_folded(p, index);
	if (HAS(probes, SLUICE_OP_MQTT_TOPIC))
		probe_shapes(p, index);
	if (HAS(probes, SLUICE_OP_CIDR))
		probe_blocks(p, index);
}

/* All that the leaf's value is known to match and leads on. */
static void hit_known(const struct prober *p, const struct sluice_known *known)
{
	for (uint32_t at = 0; at < known->column_count; at += 64) {
		uint64_t bits = p->leaf->known->bits[at / 64] & known->active.bits[at / 64];
		for (; bits; bits &= bits - 1) {
			const struct sluice_lead *lead =
			        &known->columns[at + (uint32_t)__builtin_ctzll(bits)];
			if (sluice_checks_pass(p->probe->leaves, &lead->checks))
				p->probe->hit(p->probe, lead->entry, p->leaf_id);
		}
	}
}

/* Everything but the leaf's value. */
static void probe_rest(const struct prober *p, const struct sluice_index *index)
{
	struct sluice_probe *probe = p->probe;

	if (HAS(index->probes, SLUICE_OP_EXISTS))
		probe->hit(probe, index->direct[SLUICE_OP_EXISTS], p->leaf_id);
	if (p->leaf->known) {
		hit_known(p, &index->known);
		return;
	}
	if (p->leaf->value.type == SLUICE_JSON_STRING)
		probe_text(p, index);
	else if (p->leaf->value.type == SLUICE_JSON_NUMBER && HAS(index->probes, SLUICE_OP_NUMERIC))
		sluice_ranges_find(&index->ranges, &probe->entries->cells, p->leaf->node,
		                   &p->leaf->value, p->leaf_id, probe);
	if (index->list_count)
		try_each(probe, p->leaf_id, index->list, index->list_count);
}

/* ask for a whole string, which is what is asked for most. */
static void ask_string(const struct prober *p, uint64_t hash, struct sluice_str text)
{
	struct sluice_probe *probe = p->probe;
	const struct sluice_table *table = &probe->entries->table;
	struct sluice_cursor cursor = { 0 };
	struct sluice_entry *entry;

	if (table->lines >= SMALL) {
		ask(p, hash, SLUICE_OP_STRING, text);
		return;
	}
	while ((entry = sluice_table_next(table, hash, &cursor)))
		if (entry->hash == hash && entry->node == p->leaf->node &&
		    entry->op == SLUICE_OP_STRING &&
		    sluice_str_equal(sluice_entry_text(entry), text)) {
			hit_value(probe, entry, p->leaf_id);
			return;
		}
}

/* What stands for an address at its place, so that checks can tell blocks. */
static void note_address(const struct prober *p, struct sluice_place *place)
{
	struct sluice_address address, mapped;
	uint32_t mask;

	if (!sluice_address_read(p->leaf->value.text, &address))
		return;
	/* one that is of both families may be in the blocks of either */
	if (place->number != HUGE_VAL || sluice_address_mapped(&address, &mapped))
		place->number = (double)NAN;
	else
		place->number = sluice_key_address(address.family, address.bytes, 128, &mask);
}

static void probe_string(const struct prober *p, struct sluice_place *place)
{
	struct sluice_str text = p->leaf->value.text;
	struct sluice_walk walk = { p->leaf->node->seed, 0 };
	uint64_t hash = sluice_key_beginning(&walk, text, text.len, SLUICE_OP_STRING);

	place->bits[SLUICE_BITS_VALUE] |= sluice_bit_of_hash(hash);
	if (text.len) {
		place->bits[SLUICE_BITS_FIRST] |= sluice_bit_of_byte(text.data[0]);
		place->bits[SLUICE_BITS_LAST] |= sluice_bit_of_byte(text.data[text.len - 1]);
	}
	if (p->leaf->node->index->claimed[SLUICE_OP_CIDR])
		note_address(p, place);
	if (p->leaf->node->index->claimed[SLUICE_OP_STRING])
		ask_string(p, hash, text);
}

static void probe_number(const struct prober *p, struct sluice_place *place)
{
	const struct sluice_number *number = &p->leaf->value.number;
	const struct sluice_path_node *node = p->leaf->node;
	uint64_t hash = node->seed;

	if (node->numbers)
		place->number =
		        place->number == HUGE_VAL ? sluice_number_near(number) : (double)NAN;
	if (node->index->claimed[SLUICE_OP_NUMBER]) {
		hash = sluice_hash_mix(node->seed ^ sluice_number_hash(number), SLUICE_HASH_B);
		ask(p, hash, SLUICE_OP_NUMBER, p->leaf->value.text);
	}
	place->bits[SLUICE_BITS_VALUE] |= sluice_bit_of_hash(hash);
}

static void probe_literal(const struct prober *p, struct sluice_place *place)
{
	enum sluice_operator op = p->leaf->value.type == SLUICE_JSON_TRUE    ? SLUICE_OP_TRUE
	                          : p->leaf->value.type == SLUICE_JSON_FALSE ? SLUICE_OP_FALSE
	                                                                     : SLUICE_OP_NULL;
	struct sluice_entry *entry = p->leaf->node->index->direct[op];

	place->bits[SLUICE_BITS_VALUE] |=
	        sluice_bit_of_hash(sluice_literal_hash(p->leaf->node, op));
	if (entry)
		hit_value(p->probe, entry, p->leaf_id);
}

void sluice_index_probe(struct sluice_probe *probe)
{
	struct sluice_leaves *leaves = probe->leaves;

	probe->query_count = 0;
	/* values first: what the places tell of them must be whole before anything else is hit */
	for (uint32_t i = 0; i < leaves->leaf_count; i++) {
		struct prober p = { probe, &leaves->leaves[i], i };
		struct sluice_place *place = &leaves->places[p.leaf->node->id];
		if (p.leaf->value.type == SLUICE_JSON_STRING)
			probe_string(&p, place);
		else if (p.leaf->value.type == SLUICE_JSON_NUMBER)
			probe_number(&p, place);
		else
			probe_literal(&p, place);
	}
	if (probe->query_count)
		answer_all(probe);
	for (uint32_t i = 0; i < leaves->leaf_count; i++) {
		struct prober p = { probe, &leaves->leaves[i], i };
		if (p.leaf->node->index->probes)
			probe_rest(&p, p.leaf->node->index);
	}
	if (probe->query_count)
		answer_all(probe);
}
