/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "index.h"

#include <stdlib.h>

#include "index_key.h"

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

/* Without an operand there is one entry at a path, however it is spelled. */
static bool has_operand(const struct sluice_predicate *predicate)
{
	return predicate->op != SLUICE_OP_ABSENT &&
	       sluice_key_of(predicate).kind != SLUICE_KEY_DIRECT;
}

static struct sluice_entry *entry_find(const struct sluice_entries *entries,
                                       const struct sluice_path_node *node,
                                       const struct sluice_predicate *predicate, uint64_t hash)
{
	struct sluice_cursor cursor = { 0 };
	struct sluice_entry *entry;

	while ((entry = sluice_table_next(&entries->table, hash, &cursor)))
		if (entry->node == node && entry->predicate.op == predicate->op &&
		    (!has_operand(predicate) ||
		     sluice_str_equal(entry->predicate.source, predicate->source)))
			return entry;
	return NULL;
}

/* Whether leaves at its path must have their numbers read. */
static bool looks_at_numbers(const struct sluice_predicate *predicate)
{
	if (predicate->op == SLUICE_OP_BUT)
		return predicate->but.list[0].op == SLUICE_OP_NUMBER;
	return predicate->op == SLUICE_OP_NUMBER || predicate->op == SLUICE_OP_NUMERIC;
}

struct sluice_entry *sluice_entry_claim(struct sluice_entries *entries,
                                        struct sluice_path_node *node,
                                        const struct sluice_predicate *predicate)
{
	uint64_t hash = sluice_key_hash(node->id, predicate);
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
	node->numbers += looks_at_numbers(predicate);
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
	entry->node->numbers -= looks_at_numbers(&entry->predicate);
	free(entry);
}

void sluice_entries_finish(struct sluice_entries *entries)
{
	sluice_table_finish(&entries->table);
	sluice_table_finish(&entries->buckets);
	sluice_ids_finish(&entries->ids);
	free(entries->absent);
	*entries = (struct sluice_entries){ 0 };
}

/* --- the index of a path: which entries have postings --- */

/* The place of a length in the list, or where it belongs. */
static uint32_t length_place(const struct sluice_lengths *lengths, uint32_t length)
{
	uint32_t low = 0, high = lengths->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (lengths->list[middle].length < length)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool length_add(struct sluice_lengths *lengths, uint32_t length)
{
	uint32_t at = length_place(lengths, length);

	if (at < lengths->count && lengths->list[at].length == length) {
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
	lengths->list[at] = (struct sluice_length){ length, 1 };
	lengths->count++;
	return true;
}

static void length_drop(struct sluice_lengths *lengths, uint32_t length)
{
	uint32_t at = length_place(lengths, length);

	if (--lengths->list[at].entries > 0)
		return;
	lengths->count--;
	memmove(&lengths->list[at], &lengths->list[at + 1],
	        (lengths->count - at) * sizeof(*lengths->list));
}

static bool shape_add(struct sluice_index *index, struct sluice_shape shape)
{
	uint32_t at = 0;

	while (at < index->shape_count && !sluice_shape_equal(&index->shapes[at], &shape))
		at++;
	if (at == index->shape_count) {
		if (at == index->shape_capacity) {
			uint32_t capacity = at ? at * 2 : 4;
			struct sluice_shape *shapes =
			        realloc(index->shapes, capacity * sizeof(*shapes));
			if (!shapes)
				return false;
			index->shapes = shapes;
			index->shape_capacity = capacity;
		}
		shape.entries = 0;
		index->shapes[index->shape_count++] = shape;
	}
	index->shapes[at].entries++;
	return true;
}

static void shape_drop(struct sluice_index *index, struct sluice_shape shape)
{
	uint32_t at = 0;

	while (!sluice_shape_equal(&index->shapes[at], &shape))
		at++;
	if (--index->shapes[at].entries == 0)
		index->shapes[at] = index->shapes[--index->shape_count];
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

static struct sluice_bucket *bucket_find(const struct sluice_entries *entries,
                                         const struct sluice_entry *entry,
                                         const struct sluice_key *key, uint64_t hash)
{
	struct sluice_cursor cursor = { 0 };
	struct sluice_bucket *bucket;

	while ((bucket = sluice_table_next(&entries->buckets, hash, &cursor))) {
		struct sluice_key other = sluice_key_of(&bucket->list[0]->predicate);
		if (bucket->list[0]->node == entry->node && other.affix == key->affix &&
		    sluice_str_equal(other.text, key->text))
			return bucket;
	}
	return NULL;
}

static bool bucket_add(struct sluice_entries *entries, struct sluice_entry *entry,
                       const struct sluice_key *key)
{
	uint64_t hash = sluice_key_bucket(entry->node->id, key);
	struct sluice_bucket *bucket = bucket_find(entries, entry, key, hash);

	if (bucket)
		return list_add(&bucket->list, &bucket->count, &bucket->capacity, entry);
	bucket = calloc(1, sizeof(*bucket));
	if (!bucket)
		return false;
	bucket->hash = hash;
	if (!list_add(&bucket->list, &bucket->count, &bucket->capacity, entry) ||
	    !sluice_table_insert(&entries->buckets, hash, bucket)) {
		free(bucket->list);
		free(bucket);
		return false;
	}
	return true;
}

static void bucket_drop(struct sluice_entries *entries, struct sluice_entry *entry,
                        const struct sluice_key *key)
{
	uint64_t hash = sluice_key_bucket(entry->node->id, key);
	struct sluice_bucket *bucket = bucket_find(entries, entry, key, hash);

	list_drop(bucket->list, &bucket->count, entry);
	if (bucket->count > 0)
		return;
	sluice_table_remove(&entries->buckets, hash, bucket);
	free(bucket->list);
	free(bucket);
}

static bool affix_add(struct sluice_entries *entries, struct sluice_entry *entry,
                      const struct sluice_key *key)
{
	struct sluice_lengths *lengths = &entry->node->index->lengths[key->affix];

	if (!length_add(lengths, key->length))
		return false;
	if (!sluice_key_is_bucket(key) || bucket_add(entries, entry, key))
		return true;
	length_drop(lengths, key->length);
	return false;
}

static void index_destroy(struct sluice_index *index)
{
	for (int i = 0; i < SLUICE_AFFIX_COUNT; i++)
		free(index->lengths[i].list);
	free(index->shapes);
	sluice_ranges_finish(&index->ranges);
	free(index->list);
	free(index);
}

/* Frees the index of a path on which no entry has postings. */
static void index_release(struct sluice_entries *entries, struct sluice_path_node *node)
{
	for (int i = 0; i < SLUICE_OP_COUNT; i++)
		if (node->index->counts[i])
			return;
	index_destroy(node->index);
	node->index = NULL;
	entries->bytes -= sizeof(struct sluice_index);
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
	struct sluice_key key = sluice_key_of(&entry->predicate);
	bool added = true;
	switch (key.kind) {
	case SLUICE_KEY_HASH:
		break;
	case SLUICE_KEY_AFFIX:
		added = affix_add(entries, entry, &key);
		break;
	case SLUICE_KEY_SHAPE:
		added = shape_add(index, key.shape);
		break;
	case SLUICE_KEY_RANGE:
		added = sluice_ranges_add(&index->ranges, entry);
		break;
	case SLUICE_KEY_DIRECT:
		index->direct[op] = entry;
		break;
	case SLUICE_KEY_LIST:
		added = list_add(&index->list, &index->list_count, &index->list_capacity, entry);
		break;
	}
	if (added)
		index->counts[op]++;
	else
		index_release(entries, entry->node);
	return added;
}

/* An entry's last posting went. */
static void deactivate(struct sluice_entries *entries, struct sluice_entry *entry)
{
	enum sluice_operator op = entry->predicate.op;

	if (op == SLUICE_OP_ABSENT) {
		list_drop(entries->absent, &entries->absent_count, entry);
		return;
	}
	struct sluice_index *index = entry->node->index;
	struct sluice_key key = sluice_key_of(&entry->predicate);
	switch (key.kind) {
	case SLUICE_KEY_HASH:
		break;
	case SLUICE_KEY_AFFIX:
		if (sluice_key_is_bucket(&key))
			bucket_drop(entries, entry, &key);
		length_drop(&index->lengths[key.affix], key.length);
		break;
	case SLUICE_KEY_SHAPE:
		shape_drop(index, key.shape);
		break;
	case SLUICE_KEY_RANGE:
		sluice_ranges_drop(&index->ranges, entry);
		break;
	case SLUICE_KEY_DIRECT:
		index->direct[op] = NULL;
		break;
	case SLUICE_KEY_LIST:
		list_drop(index->list, &index->list_count, entry);
		break;
	}
	index->counts[op]--;
	index_release(entries, entry->node);
}

static void postings_free(struct sluice_entries *entries, struct sluice_entry *entry)
{
	free(entry->postings);
	entry->postings = NULL;
	entries->bytes -= entry->posting_capacity * sizeof(struct sluice_posting);
	entry->posting_capacity = 0;
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
	if (entry->posting_count == 0 && !activate(entries, entry)) {
		postings_free(entries, entry);
		return false;
	}
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
	if (entry->posting_count == 0) {
		deactivate(entries, entry);
		postings_free(entries, entry);
	}
	return behind;
}
