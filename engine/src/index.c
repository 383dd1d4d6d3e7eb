/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "index.h"

#include <stddef.h>
#include <stdlib.h>

#include "index_key.h"

/* --- entries --- */

/* Where in its block what an entry's predicate points to begins. */
static size_t room_at(enum sluice_operator op)
{
	return offsetof(struct sluice_entry, predicate) + sluice_predicate_used(op);
}

/* Whether its text is all that an entry keeps of it. */
static bool is_text(const struct sluice_predicate *predicate)
{
	switch (predicate->op) {
	case SLUICE_OP_STRING:
	case SLUICE_OP_PREFIX:
	case SLUICE_OP_SUFFIX:
	case SLUICE_OP_FOLD:
	case SLUICE_OP_FOLD_PREFIX:
	case SLUICE_OP_FOLD_SUFFIX:
		return predicate->text.len <= UINT16_MAX;
	case SLUICE_OP_MQTT_TOPIC: /* those with very many levels stand in a list */
		return predicate->text.len <= UINT16_MAX &&
		       sluice_key_of(predicate).kind == SLUICE_KEY_SHAPE;
	default:
		return false;
	}
}

static size_t entry_bytes(const struct sluice_predicate *predicate)
{
	if (is_text(predicate))
		return offsetof(struct sluice_entry, predicate) + predicate->text.len;
	return room_at(predicate->op) + sluice_predicate_copy_size(predicate);
}

/* NULL when out of memory. */
static struct sluice_entry *entry_create(const struct sluice_predicate *predicate)
{
	struct sluice_entry *entry = calloc(1, entry_bytes(predicate));

	if (!entry)
		return NULL;
	entry->op = predicate->op & 0x1f;
	if (!is_text(predicate)) {
		entry->whole = true;
		sluice_predicate_copy(sluice_entry_whole(entry), predicate,
		                      (char *)entry + room_at(predicate->op));
		return entry;
	}
	entry->text_len = (uint16_t)predicate->text.len;
	if (entry->text_len)
		memcpy(entry->predicate, predicate->text.data, entry->text_len);
	return entry;
}

struct sluice_entry *sluice_entry_find(const struct sluice_entries *entries,
                                       const struct sluice_path_node *node,
                                       const struct sluice_predicate *predicate)
{
	uint64_t hash = sluice_key_hash(node, predicate);
	struct sluice_cursor cursor = { 0 };
	struct sluice_predicate room;
	struct sluice_entry *entry;

	while ((entry = sluice_table_next(&entries->table, hash, &cursor)))
		if (entry->hash == hash && entry->node == node &&
		    sluice_predicate_same(sluice_entry_predicate(entry, &room), predicate))
			return entry;
	return NULL;
}

static void index_destroy(struct sluice_index *index)
{
	for (int i = 0; i < SLUICE_AFFIX_COUNT; i++)
		free(index->lengths[i].list);
	free(index->inner_filter);
	free(index->shapes);
	sluice_ranges_finish(&index->ranges);
	sluice_known_finish(&index->known);
	free(index->list);
	free(index);
}

/* The index of a path, made for its first entry. */
static bool index_take(struct sluice_entries *entries, struct sluice_path_node *node)
{
	if (node->index)
		return true;
	node->index = calloc(1, sizeof(*node->index));
	if (!node->index)
		return false;
	entries->bytes += sizeof(*node->index);
	return true;
}

/* Frees the index of a path that has no entry. */
static void index_release(struct sluice_entries *entries, struct sluice_path_node *node)
{
	if (!node->index || node->index->entries > 0)
		return; /* an operand that was claimed in vain may have been the last */
	entries->bytes -= sizeof(*node->index) + node->index->ranges.bytes +
	                  sluice_known_bytes(&node->index->known);
	index_destroy(node->index);
	node->index = NULL;
}

/* Whether leaves at its path must have their numbers read. */
static bool looks_at_numbers(const struct sluice_predicate *predicate)
{
	if (predicate->op == SLUICE_OP_BUT)
		return predicate->but.list[0].op == SLUICE_OP_NUMBER;
	return predicate->op == SLUICE_OP_NUMBER || predicate->op == SLUICE_OP_NUMERIC;
}

/* What the path's index knows of all its entries, those without postings too. */
static void count_entry(struct sluice_entry *entry, bool added)
{
	struct sluice_path_node *node = entry->node;
	enum sluice_operator op = (enum sluice_operator)entry->op;
	struct sluice_predicate room;
	const struct sluice_predicate *predicate = sluice_entry_predicate(entry, &room);
	uint32_t one = added ? 1 : UINT32_MAX;

	node->index->claimed[op] += one;
	node->index->entries += one;
	if (looks_at_numbers(predicate))
		node->numbers += one;
	if (op == SLUICE_OP_NUMERIC && added)
		sluice_span_add(&node->index->span, &predicate->range);
	if (sluice_key_of(predicate).kind == SLUICE_KEY_DIRECT)
		node->index->direct[op] = added ? entry : NULL;
}

/* What the values of its path are known to match of it, or it of them. */
static bool know_entry(struct sluice_entries *entries, struct sluice_entry *entry)
{
	struct sluice_known *known = &entry->node->index->known;
	size_t before = sluice_known_bytes(known);
	bool added = sluice_known_add(known, entry);

	entries->bytes += sluice_known_bytes(known) - before;
	return added;
}

/* --- the operands of an anything-but, where it keeps them as entries --- */

static void release_operands(struct sluice_entries *entries, struct sluice_path_node *node,
                             const struct sluice_predicate *predicate, size_t count)
{
	for (size_t i = 0;
	     i < count && sluice_entry_keeps_operands(predicate) && i < predicate->but.count; i++)
		sluice_entry_release(entries,
		                     sluice_entry_find(entries, node, &predicate->but.list[i]));
}

static bool claim_operands(struct sluice_entries *entries, struct sluice_path_node *node,
                           const struct sluice_predicate *predicate)
{
	for (size_t i = 0; sluice_entry_keeps_operands(predicate) && i < predicate->but.count; i++)
		if (!sluice_entry_claim(entries, node, &predicate->but.list[i])) {
			release_operands(entries, node, predicate, i);
			return false;
		}
	return true;
}

/* --- claiming --- */

struct sluice_entry *sluice_entry_claim(struct sluice_entries *entries,
                                        struct sluice_path_node *node,
                                        const struct sluice_predicate *predicate)
{
	uint64_t hash = sluice_key_hash(node, predicate);
	struct sluice_entry *entry = sluice_entry_find(entries, node, predicate);

	if (entry) {
		entry->refs++;
		return entry;
	}
	if (!index_take(entries, node))
		return NULL;
	entry = entry_create(predicate);
	if (!entry)
		goto error_index;
	entry->node = node;
	entry->hash = hash;
	entry->refs = 1;
	if (!sluice_ids_take(&entries->ids, &entry->id))
		goto error_entry;
	if (!claim_operands(entries, node, predicate))
		goto error_id;
	if (!know_entry(entries, entry))
		goto error_operands;
	if (!sluice_table_insert(&entries->table, hash, entry))
		goto error_known;
	entries->bytes += entry_bytes(predicate);
	count_entry(entry, true);
	return entry;

error_known:
	sluice_known_drop(&node->index->known, entry);
error_operands:
	release_operands(entries, node, predicate, SLUICE_CHECK_VALUES);
error_id:
	sluice_ids_give(&entries->ids, entry->id);
error_entry:
	free(entry);
error_index:
	index_release(entries, node);
	return NULL;
}

void sluice_entry_release(struct sluice_entries *entries, struct sluice_entry *entry)
{
	if (--entry->refs > 0)
		return;
	struct sluice_path_node *node = entry->node;
	struct sluice_predicate room;
	const struct sluice_predicate *predicate = sluice_entry_predicate(entry, &room);
	release_operands(entries, node, predicate, SLUICE_CHECK_VALUES);
	sluice_table_remove(&entries->table, entry->hash, entry);
	sluice_ids_give(&entries->ids, entry->id);
	entries->bytes -= entry_bytes(predicate);
	count_entry(entry, false);
	sluice_known_drop(&node->index->known, entry);
	free(entry);
	index_release(entries, node);
}

static uint64_t hash_of_entry(const void *entry)
{
	return ((const struct sluice_entry *)entry)->hash;
}

static uint64_t hash_of_bucket(const void *bucket)
{
	return ((const struct sluice_bucket *)bucket)->hash;
}

void sluice_entries_init(struct sluice_entries *entries)
{
	*entries = (struct sluice_entries){ .table.hash_of = hash_of_entry,
		                            .buckets.hash_of = hash_of_bucket,
		                            .cells.hash_of = sluice_ranges_cell_hash };
}

void sluice_entries_finish(struct sluice_entries *entries)
{
	sluice_table_finish(&entries->table);
	sluice_table_finish(&entries->buckets);
	sluice_table_finish(&entries->cells);
	sluice_ids_finish(&entries->ids);
	free(entries->absent);
	sluice_entries_init(entries);
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

/* One more that has this length, and this hash. */
static bool length_add(struct sluice_lengths *lengths, uint32_t length, uint64_t hash)
{
	uint32_t at = length_place(lengths, length);

	if (at < lengths->count && lengths->list[at].length == length) {
		lengths->list[at].entries++;
		sluice_filter_add(&lengths->filter, hash);
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
	sluice_filter_add(&lengths->filter, hash);
	return true;
}

static void length_drop(struct sluice_lengths *lengths, uint32_t length)
{
	uint32_t at = length_place(lengths, length);

	if (--lengths->list[at].entries > 0)
		return;
	lengths->count--;
	if (lengths->count == 0)
		lengths->filter = (struct sluice_filter){ 0 };
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

static bool list_add(struct sluice_lead **list, uint32_t *count, uint32_t *capacity,
                     struct sluice_entry *entry)
{
	if (*count == *capacity) {
		uint32_t grown = *capacity ? *capacity * 2 : 1;
		struct sluice_lead *moved = realloc(*list, grown * sizeof(**list));
		if (!moved)
			return false;
		*list = moved;
		*capacity = grown;
	}
	sluice_entry_whole(entry)->list_at = *count;
	(*list)[(*count)++] = sluice_lead_to(entry);
	return true;
}

static void list_drop(struct sluice_lead *list, uint32_t *count, struct sluice_entry *entry)
{
	struct sluice_lead last = list[--*count];

	uint32_t at = sluice_entry_whole(entry)->list_at;

	list[at] = last;
	sluice_entry_whole(last.entry)->list_at = at;
}

/* --- wildcards --- */

struct sluice_bucket *sluice_bucket_find(const struct sluice_entries *entries, uint64_t hash)
{
	struct sluice_cursor cursor = { 0 };
	struct sluice_bucket *bucket;

	while ((bucket = sluice_table_next(&entries->buckets, hash, &cursor)))
		if (bucket->hash == hash)
			break;
	return bucket;
}

static bool bucket_add(struct sluice_entries *entries, struct sluice_entry *entry)
{
	uint64_t hash = sluice_entry_whole(entry)->wildcard.found_by;
	struct sluice_bucket *bucket = sluice_bucket_find(entries, hash);

	if (bucket)
		return list_add(&bucket->list, &bucket->count, &bucket->capacity, entry);
	bucket = calloc(1, sizeof(*bucket));
	if (!bucket)
		return false;
	bucket->hash = hash;
	if (!list_add(&bucket->list, &bucket->count, &bucket->capacity, entry) ||
	    !sluice_table_insert(&entries->buckets, bucket->hash, bucket)) {
		free(bucket->list);
		free(bucket);
		return false;
	}
	return true;
}

static void bucket_drop(struct sluice_entries *entries, struct sluice_entry *entry)
{
	struct sluice_bucket *bucket =
	        sluice_bucket_find(entries, sluice_entry_whole(entry)->wildcard.found_by);

	list_drop(bucket->list, &bucket->count, entry);
	if (bucket->count > 0)
		return;
	sluice_table_remove(&entries->buckets, bucket->hash, bucket);
	free(bucket->list);
	free(bucket);
}

enum { FILTER_WORDS = (1 << SLUICE_INNER_FILTER_BITS) / 64 };

/* Bits stay until no inner piece is left. */
static bool filter_add(struct sluice_entries *entries, struct sluice_index *index, uint64_t hash)
{
	if (!index->inner_filter) {
		index->inner_filter = calloc(FILTER_WORDS, sizeof(*index->inner_filter));
		if (!index->inner_filter)
			return false;
		entries->bytes += FILTER_WORDS * sizeof(*index->inner_filter);
	}
	*sluice_key_filter(index, hash) |= sluice_key_filter_bit(hash);
	return true;
}

static void filter_release(struct sluice_entries *entries, struct sluice_index *index)
{
	if (!index->inner_filter || index->lengths[SLUICE_AFFIX_WILD_INNER].count > 0)
		return;
	free(index->inner_filter);
	index->inner_filter = NULL;
	entries->bytes -= FILTER_WORDS * sizeof(*index->inner_filter);
}

static bool wildcard_add(struct sluice_entries *entries, struct sluice_entry *entry)
{
	struct sluice_index *index = entry->node->index;
	struct sluice_piece piece = sluice_piece_choose(entries, entry);
	struct sluice_wildcard *wildcard = &sluice_entry_whole(entry)->wildcard;

	wildcard->found_affix = (uint8_t)piece.affix;
	wildcard->found_length = (uint16_t)piece.length;
	wildcard->found_by = piece.hash;
	if (piece.affix == SLUICE_AFFIX_NONE)
		return list_add(&index->list, &index->list_count, &index->list_capacity, entry);
	if (piece.affix == SLUICE_AFFIX_WILD_INNER && !filter_add(entries, index, piece.hash))
		return false;
	if (length_add(&index->lengths[piece.affix], piece.length, piece.hash)) {
		if (bucket_add(entries, entry))
			return true;
		length_drop(&index->lengths[piece.affix], piece.length);
	}
	filter_release(entries, index);
	return false;
}

static void wildcard_drop(struct sluice_entries *entries, struct sluice_entry *entry)
{
	struct sluice_index *index = entry->node->index;
	const struct sluice_wildcard *wildcard = &sluice_entry_whole(entry)->wildcard;

	if (wildcard->found_affix == SLUICE_AFFIX_NONE) {
		list_drop(index->list, &index->list_count, entry);
		return;
	}
	bucket_drop(entries, entry);
	length_drop(&index->lengths[wildcard->found_affix], wildcard->found_length);
	filter_release(entries, index);
}

/* --- entries that come to have postings, and have none any more --- */

static bool is_probed(const struct sluice_entry *entry)
{
	return !sluice_entry_is_value(entry) && entry->op != SLUICE_OP_ABSENT;
}

/* What the path's values are known to match is told of an entry that leads on, or does no more. */
static bool known_lead(struct sluice_entries *entries, struct sluice_entry *entry, bool postings)
{
	struct sluice_known *known = &entry->node->index->known;
	size_t before = sluice_known_bytes(known);
	bool told = sluice_known_lead(known, entry, postings);

	entries->bytes += sluice_known_bytes(known) - before;
	return told;
}

/* An entry's first posting: from now on leaves must find it. */
static bool activate(struct sluice_entries *entries, struct sluice_entry *entry)
{
	struct sluice_index *index = entry->node->index;
	struct sluice_predicate room;
	struct sluice_key key = sluice_key_of(sluice_entry_predicate(entry, &room));
	bool added = true;
	size_t before = index->ranges.bytes;

	if (!known_lead(entries, entry, true))
		return false;
	switch (key.kind) {
	case SLUICE_KEY_VALUE:
	case SLUICE_KEY_DIRECT:
		break;
	case SLUICE_KEY_AFFIX:
		added = length_add(&index->lengths[key.affix], key.length, entry->hash);
		break;
	case SLUICE_KEY_WILDCARD:
		added = wildcard_add(entries, entry);
		break;
	case SLUICE_KEY_SHAPE:
		added = shape_add(index, key.shape);
		break;
	case SLUICE_KEY_RANGE:
		added = sluice_ranges_add(&index->ranges, &entries->cells, entry);
		entries->bytes += index->ranges.bytes - before;
		break;
	case SLUICE_KEY_LIST:
		if (entry->op == SLUICE_OP_ABSENT)
			added = list_add(&entries->absent, &entries->absent_count,
			                 &entries->absent_capacity, entry);
		else
			added = list_add(&index->list, &index->list_count, &index->list_capacity,
			                 entry);
		break;
	}
	if (!added) {
		known_lead(entries, entry, false);
		return false;
	}
	if (index->counts[entry->op]++ == 0 && is_probed(entry))
		index->probes |= UINT32_C(1) << entry->op;
	return true;
}

/* An entry's last posting went. */
static void deactivate(struct sluice_entries *entries, struct sluice_entry *entry)
{
	struct sluice_index *index = entry->node->index;
	struct sluice_predicate room;
	struct sluice_key key = sluice_key_of(sluice_entry_predicate(entry, &room));
	size_t before = index->ranges.bytes;

	switch (key.kind) {
	case SLUICE_KEY_VALUE:
	case SLUICE_KEY_DIRECT:
		break;
	case SLUICE_KEY_AFFIX:
		length_drop(&index->lengths[key.affix], key.length);
		break;
	case SLUICE_KEY_WILDCARD:
		wildcard_drop(entries, entry);
		break;
	case SLUICE_KEY_SHAPE:
		shape_drop(index, key.shape);
		break;
	case SLUICE_KEY_RANGE:
		sluice_ranges_drop(&index->ranges, &entries->cells, entry);
		entries->bytes -= before - index->ranges.bytes;
		break;
	case SLUICE_KEY_LIST:
		if (entry->op == SLUICE_OP_ABSENT)
			list_drop(entries->absent, &entries->absent_count, entry);
		else
			list_drop(index->list, &index->list_count, entry);
		break;
	}
	if (--index->counts[entry->op] == 0)
		index->probes &= ~(UINT32_C(1) << entry->op);
	known_lead(entries, entry, false);
}

/* The list that an entry stands in, or NULL. */
static struct sluice_lead *list_of(struct sluice_entries *entries, const struct sluice_entry *entry)
{
	struct sluice_index *index = entry->node->index;
	struct sluice_predicate room;
	const struct sluice_predicate *predicate = sluice_entry_predicate(entry, &room);

	switch (sluice_key_of(predicate).kind) {
	case SLUICE_KEY_WILDCARD:
		if (predicate->wildcard.found_affix == SLUICE_AFFIX_NONE)
			return index->list;
		return sluice_bucket_find(entries, predicate->wildcard.found_by)->list;
	case SLUICE_KEY_LIST:
		return entry->op == SLUICE_OP_ABSENT ? entries->absent : index->list;
	default:
		return NULL;
	}
}

/* It has several postings now, so what leads to it has nothing to check. */
static void lead_update(struct sluice_entries *entries, struct sluice_entry *entry)
{
	struct sluice_lead *list = list_of(entries, entry);

	if (list)
		list[sluice_entry_whole(entry)->list_at] = sluice_lead_to(entry);
	else if (entry->op == SLUICE_OP_NUMERIC)
		sluice_ranges_update(&entry->node->index->ranges, &entries->cells, entry);
	known_lead(entries, entry, true);
}

/* Its checks fail. They must not be those of a posting that went, which look at entries that may have
 * gone too. */
static const struct sluice_posting no_posting;

/* Where a posting goes; NULL when out of memory. */
static struct sluice_posting *posting_room(struct sluice_entries *entries,
                                           struct sluice_entry *entry)
{
	if (!entry->several && entry->posting_count == 0)
		return &entry->posting;
	uint32_t capacity = entry->several ? entry->postings.capacity : 1;
	if (entry->posting_count == capacity) {
		uint32_t grown = capacity * 2;
		struct sluice_posting *list = entry->several ? entry->postings.list : NULL;
		list = realloc(list, grown * sizeof(*list));
		if (!list)
			return NULL;
		entries->bytes += (grown - (entry->several ? capacity : 0)) * sizeof(*list);
		bool first = !entry->several;
		if (first)
			list[0] = entry->posting;
		entry->postings.list = list;
		entry->postings.capacity = grown;
		entry->several = true;
		if (first)
			lead_update(entries, entry);
	}
	return &entry->postings.list[entry->posting_count];
}

bool sluice_entry_post(struct sluice_entries *entries, struct sluice_entry *entry,
                       struct sluice_posting posting, uint32_t *at)
{
	struct sluice_posting *room = posting_room(entries, entry);

	if (!room)
		return false;
	*room = posting;
	if (entry->posting_count == 0 && !activate(entries, entry)) {
		entry->posting = no_posting;
		return false;
	}
	*at = entry->posting_count++;
	return true;
}

bool sluice_entry_unpost(struct sluice_entries *entries, struct sluice_entry *entry, uint32_t at,
                         struct sluice_posting *moved)
{
	bool behind = at + 1 < entry->posting_count;
	struct sluice_posting *list = entry->several ? entry->postings.list : &entry->posting;

	*moved = list[--entry->posting_count];
	list[at] = *moved;
	if (entry->posting_count > 0)
		return behind;
	deactivate(entries, entry);
	if (entry->several) {
		entries->bytes -= entry->postings.capacity * sizeof(*list);
		free(list);
		entry->several = false;
	}
	entry->posting = no_posting;
	return false;
}
