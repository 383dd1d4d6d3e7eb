/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "index.h"

#include <stdlib.h>

#include "hash.h"
#include "text.h"

/* --- hashes: one walk over a string serves a kind and all prefixes of it --- */

static uint64_t hash_kind(uint64_t walked, enum sluice_operator op)
{
	return sluice_hash_finish(walked + (uint64_t)op * UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t hash_backward(uint64_t hash, struct sluice_str text)
{
	for (size_t i = text.len; i > 0; i--)
		hash = sluice_hash_byte(hash, (unsigned char)text.data[i - 1]);
	return hash;
}

static uint64_t predicate_hash(const struct sluice_path_node *node,
                               const struct sluice_predicate *predicate)
{
	uint64_t start = sluice_hash_start(node->id);

	switch (predicate->op) {
	case SLUICE_OP_STRING:
	case SLUICE_OP_PREFIX:
	case SLUICE_OP_FOLD:
	case SLUICE_OP_FOLD_PREFIX:
		return hash_kind(sluice_hash_bytes(start, predicate->text), predicate->op);
	case SLUICE_OP_SUFFIX:
	case SLUICE_OP_FOLD_SUFFIX:
		return hash_kind(hash_backward(start, predicate->text), predicate->op);
	case SLUICE_OP_NUMBER:
		return hash_kind(start ^ sluice_number_hash(&predicate->number), predicate->op);
	case SLUICE_OP_TRUE:
	case SLUICE_OP_FALSE:
	case SLUICE_OP_NULL:
	case SLUICE_OP_EXISTS:
	case SLUICE_OP_ABSENT:
		return hash_kind(start, predicate->op);
	default:
		return hash_kind(sluice_hash_bytes(start, predicate->source), predicate->op);
	}
}

/* --- entries: a deep copy of a predicate in one block --- */

static size_t copy_size(const struct sluice_predicate *predicate)
{
	size_t size = predicate->text.len + predicate->source.len;

	switch (predicate->op) {
	case SLUICE_OP_NUMBER:
		size += predicate->number.tail.len;
		break;
	case SLUICE_OP_NUMERIC:
		size += predicate->range.lower.tail.len + predicate->range.upper.tail.len;
		break;
	case SLUICE_OP_WILDCARD:
		size += predicate->wildcard.piece_count * sizeof(struct sluice_str);
		for (size_t i = 0; i < predicate->wildcard.piece_count; i++)
			size += predicate->wildcard.pieces[i].len;
		break;
	case SLUICE_OP_BUT:
		size += (predicate->but.count * sizeof(struct sluice_predicate) + 15) & ~(size_t)15;
		for (size_t i = 0; i < predicate->but.count; i++)
			size += copy_size(&predicate->but.list[i]);
		break;
	default:
		break;
	}
	/* Arrays begin aligned, whatever text stood before them. */
	return (size + 15) & ~(size_t)15;
}

static void copy_text(struct sluice_str *text, char **room)
{
	if (text->len)
		memcpy(*room, text->data, text->len);
	text->data = *room;
	*room += text->len;
}

/* Copies what the predicate points to into room (copy_size bytes, aligned to 16): arrays first,
 * then texts. */
static void copy_into(struct sluice_predicate *to, const struct sluice_predicate *from, char *room)
{
	*to = *from;
	if (from->op == SLUICE_OP_WILDCARD) {
		struct sluice_str *pieces = (struct sluice_str *)(void *)room;
		room += from->wildcard.piece_count * sizeof(*pieces);
		for (size_t i = 0; i < from->wildcard.piece_count; i++) {
			pieces[i] = from->wildcard.pieces[i];
			copy_text(&pieces[i], &room);
		}
		to->wildcard.pieces = pieces;
	} else if (from->op == SLUICE_OP_BUT) {
		struct sluice_predicate *list = (struct sluice_predicate *)(void *)room;
		room += (from->but.count * sizeof(*list) + 15) & ~(size_t)15;
		for (size_t i = 0; i < from->but.count; i++) {
			copy_into(&list[i], &from->but.list[i], room);
			room += copy_size(&from->but.list[i]);
		}
		to->but.list = list;
	} else if (from->op == SLUICE_OP_NUMBER) {
		copy_text(&to->number.tail, &room);
	} else if (from->op == SLUICE_OP_NUMERIC) {
		copy_text(&to->range.lower.tail, &room);
		copy_text(&to->range.upper.tail, &room);
	}
	copy_text(&to->text, &room);
	copy_text(&to->source, &room);
}

static bool is_direct(enum sluice_operator op)
{
	return op == SLUICE_OP_TRUE || op == SLUICE_OP_FALSE || op == SLUICE_OP_NULL ||
	       op == SLUICE_OP_EXISTS;
}

/* Without an operand there is one entry at a path, however it is spelled. */
static bool has_operand(enum sluice_operator op)
{
	return op != SLUICE_OP_ABSENT && !is_direct(op);
}

static struct sluice_entry *entry_find(const struct sluice_entries *entries,
                                       const struct sluice_path_node *node,
                                       const struct sluice_predicate *predicate, uint64_t hash)
{
	struct sluice_cursor cursor = { 0 };
	struct sluice_entry *entry;

	while ((entry = sluice_table_next(&entries->table, hash, &cursor)))
		if (entry->node == node && entry->predicate.op == predicate->op &&
		    (!has_operand(predicate->op) ||
		     sluice_str_equal(entry->predicate.source, predicate->source)))
			return entry;
	return NULL;
}

struct sluice_entry *sluice_entry_claim(struct sluice_entries *entries,
                                        struct sluice_path_node *node,
                                        const struct sluice_predicate *predicate)
{
	uint64_t hash = predicate_hash(node, predicate);
	struct sluice_entry *entry = entry_find(entries, node, predicate, hash);

	if (entry) {
		entry->refs++;
		return entry;
	}
	/* the block begins aligned by malloc, and so does what follows the struct */
	size_t head = (sizeof(*entry) + 15) & ~(size_t)15;
	size_t bytes = head + copy_size(predicate);
	entry = calloc(1, bytes);
	if (!entry)
		return NULL;
	copy_into(&entry->predicate, predicate, (char *)entry + head);
	entry->node = node;
	entry->hash = hash;
	entry->bytes = bytes;
	entry->refs = 1;
	if (!sluice_ids_take(&entries->ids, &entry->id))
		goto error_entry;
	if (!sluice_table_insert(&entries->table, hash, entry))
		goto error_id;
	entries->bytes += bytes;
	return entry;

error_id:
	sluice_ids_give(&entries->ids, entry->id);
error_entry:
	free(entry);
	return NULL;
}

void sluice_entry_release(struct sluice_entries *entries, struct sluice_entry *entry)
{
	if (--entry->refs > 0)
		return;
	sluice_table_remove(&entries->table, entry->hash, entry);
	sluice_ids_give(&entries->ids, entry->id);
	entries->bytes -= entry->bytes;
	free(entry);
}

void sluice_entries_finish(struct sluice_entries *entries)
{
	sluice_table_finish(&entries->table);
	sluice_ids_finish(&entries->ids);
	free(entries->absent);
	*entries = (struct sluice_entries){ 0 };
}

/* --- the index of a path: which entries have postings --- */

static struct sluice_lengths *lengths_of(struct sluice_index *index, enum sluice_operator op)
{
	switch (op) {
	case SLUICE_OP_PREFIX:
		return &index->prefix;
	case SLUICE_OP_SUFFIX:
		return &index->suffix;
	case SLUICE_OP_FOLD_PREFIX:
		return &index->fold_prefix;
	case SLUICE_OP_FOLD_SUFFIX:
		return &index->fold_suffix;
	default:
		return NULL;
	}
}

static bool is_hashed(enum sluice_operator op)
{
	return op == SLUICE_OP_STRING || op == SLUICE_OP_NUMBER || op == SLUICE_OP_FOLD;
}

/* The place of a length in the list, or where it belongs. */
static uint32_t length_place(const struct sluice_lengths *lengths, uint32_t bytes)
{
	uint32_t low = 0, high = lengths->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (lengths->list[middle].bytes < bytes)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool length_add(struct sluice_lengths *lengths, uint32_t bytes)
{
	uint32_t at = length_place(lengths, bytes);

	if (at < lengths->count && lengths->list[at].bytes == bytes) {
		lengths->list[at].entries++;
		return true;
	}
	if (lengths->count == lengths->capacity) {
		uint32_t capacity = lengths->capacity ? lengths->capacity * 2 : 4;
		struct sluice_length *list = realloc(lengths->list, capacity * sizeof(*list));
		if (!list)
			return false;
		lengths->list = list;
		lengths->capacity = capacity;
	}
	memmove(&lengths->list[at + 1], &lengths->list[at],
	        (lengths->count - at) * sizeof(*lengths->list));
	lengths->list[at] = (struct sluice_length){ bytes, 1 };
	lengths->count++;
	return true;
}

static void length_drop(struct sluice_lengths *lengths, uint32_t bytes)
{
	uint32_t at = length_place(lengths, bytes);

	if (--lengths->list[at].entries > 0)
		return;
	lengths->count--;
	memmove(&lengths->list[at], &lengths->list[at + 1],
	        (lengths->count - at) * sizeof(*lengths->list));
}

static bool list_add(struct sluice_entry ***list, uint32_t *count, uint32_t *capacity,
                     struct sluice_entry *entry)
{
	if (*count == *capacity) {
		uint32_t grown = *capacity ? *capacity * 2 : 4;
		struct sluice_entry **moved = realloc(*list, grown * sizeof(struct sluice_entry *));
		if (!moved)
			return false;
		*list = moved;
		*capacity = grown;
	}
	entry->list_at = *count;
	(*list)[(*count)++] = entry;
	return true;
}

static void list_drop(struct sluice_entry **list, uint32_t *count, struct sluice_entry *entry)
{
	struct sluice_entry *last = list[--*count];

	list[entry->list_at] = last;
	last->list_at = entry->list_at;
}

/* An entry's first posting: from now on leaves must find it. */
static bool activate(struct sluice_entries *entries, struct sluice_entry *entry)
{
	enum sluice_operator op = entry->predicate.op;

	if (op == SLUICE_OP_ABSENT)
		return list_add(&entries->absent, &entries->absent_count, &entries->absent_capacity,
		                entry);

	struct sluice_index *index = entry->node->index;
	if (!index) {
		index = calloc(1, sizeof(*index));
		if (!index)
			return false;
		entry->node->index = index;
		entries->bytes += sizeof(*index);
	}
	struct sluice_lengths *lengths = lengths_of(index, op);
	if (lengths) {
		if (!length_add(lengths, (uint32_t)entry->predicate.text.len))
			return false;
	} else if (is_direct(op)) {
		index->direct[op] = entry;
	} else if (!is_hashed(op)) {
		if (!list_add(&index->list, &index->list_count, &index->list_capacity, entry))
			return false;
	}
	index->counts[op]++;
	return true;
}

static void index_destroy(struct sluice_index *index)
{
	free(index->prefix.list);
	free(index->suffix.list);
	free(index->fold_prefix.list);
	free(index->fold_suffix.list);
	free(index->list);
	free(index);
}

/* An entry's last posting went. */
static void deactivate(struct sluice_entries *entries, struct sluice_entry *entry)
{
	enum sluice_operator op = entry->predicate.op;

	free(entry->postings);
	entry->postings = NULL;
	entries->bytes -= entry->posting_capacity * sizeof(struct sluice_posting);
	entry->posting_capacity = 0;
	if (op == SLUICE_OP_ABSENT) {
		list_drop(entries->absent, &entries->absent_count, entry);
		return;
	}
	struct sluice_index *index = entry->node->index;
	struct sluice_lengths *lengths = lengths_of(index, op);
	if (lengths)
		length_drop(lengths, (uint32_t)entry->predicate.text.len);
	else if (is_direct(op))
		index->direct[op] = NULL;
	else if (!is_hashed(op))
		list_drop(index->list, &index->list_count, entry);
	index->counts[op]--;
	for (int i = 0; i < SLUICE_OP_COUNT; i++)
		if (index->counts[i])
			return;
	index_destroy(index);
	entry->node->index = NULL;
	entries->bytes -= sizeof(*index);
}

bool sluice_entry_post(struct sluice_entries *entries, struct sluice_entry *entry,
                       struct sluice_posting posting, uint32_t *at)
{
	if (entry->posting_count == entry->posting_capacity) {
		uint32_t capacity = entry->posting_capacity ? entry->posting_capacity * 2 : 1;
		struct sluice_posting *postings =
		        realloc(entry->postings, capacity * sizeof(*postings));
		if (!postings)
			return false;
		entries->bytes += (capacity - entry->posting_capacity) * sizeof(*postings);
		entry->postings = postings;
		entry->posting_capacity = capacity;
	}
	if (entry->posting_count == 0 && !activate(entries, entry))
		return false;
	*at = entry->posting_count;
	entry->postings[entry->posting_count++] = posting;
	return true;
}

bool sluice_entry_unpost(struct sluice_entries *entries, struct sluice_entry *entry, uint32_t at,
                         struct sluice_posting *moved)
{
	bool behind = at + 1 < entry->posting_count;

	*moved = entry->postings[--entry->posting_count];
	entry->postings[at] = *moved;
	if (entry->posting_count == 0)
		deactivate(entries, entry);
	return behind;
}

/* --- from a leaf to its entries --- */

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

static void probe_forward(const struct prober *p, const struct sluice_index *index)
{
	struct sluice_str text = p->leaf->value.text;
	uint64_t hash = sluice_hash_start(p->leaf->node->id);
	size_t at = 0;

	for (uint32_t i = 0; i < index->prefix.count; i++) {
		size_t length = index->prefix.list[i].bytes;
		if (length > text.len)
			break;
		hash = sluice_hash_bytes(hash, (struct sluice_str){ text.data + at, length - at });
		at = length;
		look_up(p, hash_kind(hash, SLUICE_OP_PREFIX), SLUICE_OP_PREFIX);
	}
	if (index->counts[SLUICE_OP_STRING]) {
		hash = sluice_hash_bytes(hash,
		                         (struct sluice_str){ text.data + at, text.len - at });
		look_up(p, hash_kind(hash, SLUICE_OP_STRING), SLUICE_OP_STRING);
	}
}

static void probe_backward(const struct prober *p, const struct sluice_index *index)
{
	struct sluice_str text = p->leaf->value.text;
	uint64_t hash = sluice_hash_start(p->leaf->node->id);
	size_t done = 0;

	for (uint32_t i = 0; i < index->suffix.count; i++) {
		size_t length = index->suffix.list[i].bytes;
		if (length > text.len)
			break;
		hash = hash_backward(
		        hash, (struct sluice_str){ text.data + text.len - length, length - done });
		done = length;
		look_up(p, hash_kind(hash, SLUICE_OP_SUFFIX), SLUICE_OP_SUFFIX);
	}
}

static void probe_folded_forward(const struct prober *p, const struct sluice_index *index)
{
	const struct sluice_lengths *lengths = &index->fold_prefix;
	struct sluice_str rest = p->leaf->value.text;
	uint64_t hash = sluice_hash_start(p->leaf->node->id);
	size_t folded = 0;
	uint32_t next = 0;

	for (;;) {
		/* lengths that end inside a character can't match: the operand is whole characters
		 */
		while (next < lengths->count && lengths->list[next].bytes < folded)
			next++;
		if (next < lengths->count && lengths->list[next].bytes == folded)
			look_up(p, hash_kind(hash, SLUICE_OP_FOLD_PREFIX), SLUICE_OP_FOLD_PREFIX);
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
		look_up(p, hash_kind(hash, SLUICE_OP_FOLD), SLUICE_OP_FOLD);
}

static void probe_folded_backward(const struct prober *p, const struct sluice_index *index)
{
	const struct sluice_lengths *lengths = &index->fold_suffix;
	struct sluice_str rest = p->leaf->value.text;
	uint64_t hash = sluice_hash_start(p->leaf->node->id);
	size_t folded = 0;

	for (uint32_t next = 0;;) {
		while (next < lengths->count && lengths->list[next].bytes < folded)
			next++;
		if (next == lengths->count)
			break;
		if (lengths->list[next].bytes == folded)
			look_up(p, hash_kind(hash, SLUICE_OP_FOLD_SUFFIX), SLUICE_OP_FOLD_SUFFIX);
		if (rest.len == 0)
			break;
		size_t length;
		char bytes[4];
		size_t count = sluice_text_encode(sluice_text_fold_last(rest, &length), bytes);
		hash = hash_backward(hash, (struct sluice_str){ bytes, count });
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

static void probe_one_by_one(const struct prober *p, const struct sluice_index *index)
{
	size_t cost = 1 + p->leaf->value.text.len / 16;

	for (uint32_t i = 0; i < index->list_count; i++) {
		struct sluice_entry *entry = index->list[i];
		if (p->probe->try(p->probe, entry, p->leaf_id, cost) &&
		    sluice_predicate_matches(&entry->predicate, &p->leaf->value))
			p->probe->hit(p->probe, entry, p->leaf_id);
	}
}

void sluice_index_probe(const struct sluice_entries *entries, const struct sluice_leaf *leaf,
                        uint32_t leaf_id, struct sluice_probe *probe)
{
	const struct sluice_index *index = leaf->node->index;
	struct prober p = { entries, leaf, leaf_id, probe };

	switch (leaf->value.type) {
	case SLUICE_JSON_STRING:
		if (index->counts[SLUICE_OP_STRING] || index->prefix.count)
			probe_forward(&p, index);
		if (index->suffix.count)
			probe_backward(&p, index);
		if (index->counts[SLUICE_OP_FOLD] || index->fold_prefix.count)
			probe_folded_forward(&p, index);
		if (index->fold_suffix.count)
			probe_folded_backward(&p, index);
		break;
	case SLUICE_JSON_NUMBER:
		if (index->counts[SLUICE_OP_NUMBER])
			look_up(&p,
			        hash_kind(sluice_hash_start(leaf->node->id) ^
			                          sluice_number_hash(&leaf->value.number),
			                  SLUICE_OP_NUMBER),
			        SLUICE_OP_NUMBER);
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
	probe_one_by_one(&p, index);
}
