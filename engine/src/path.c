/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "path.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A number that no trie of this program has had. It is all that tries share: one that is made where
 * another was would else pass for it. */
static uint64_t next_generation(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* Cuts the first segment off *rest; *more says whether a dot, and so another segment, followed. */
static struct sluice_str cut_segment(struct sluice_str *rest, bool *more)
{
	const char *dot = rest->len ? memchr(rest->data, '.', rest->len) : NULL;
	struct sluice_str segment = *rest;

	*more = dot != NULL;
	if (dot) {
		segment.len = (size_t)(dot - rest->data);
		rest->data = dot + 1;
		rest->len -= segment.len + 1;
	}
	return segment;
}

struct sluice_path_node *sluice_path_walk(const struct sluice_path_trie *trie,
                                          const struct sluice_path_node *from,
                                          struct sluice_str key)
{
	bool more = true;

	while (more && from) {
		struct sluice_segment segment = sluice_segment_of(cut_segment(&key, &more));
		from = sluice_path_child(trie, from, &segment);
	}
	return (struct sluice_path_node *)from;
}

/* A key whose first segment is empty begins with its end, or with a dot. */
static uint64_t first_bits(struct sluice_str segment)
{
	if (segment.len == 0)
		return sluice_path_first_bit('"') | sluice_path_first_bit('.');
	return sluice_path_first_bit((unsigned char)segment.data[0]);
}

static struct sluice_path_node *node_create(struct sluice_path_trie *trie,
                                            struct sluice_path_node *parent,
                                            const struct sluice_segment *segment)
{
	size_t size = sizeof(struct sluice_path_node) + segment->text.len;
	struct sluice_path_node *node = calloc(1, size);

	if (!node)
		return NULL;
	if (!sluice_ids_take(&trie->ids, &node->id)) {
		free(node);
		return NULL;
	}
	node->parent = parent;
	node->head = segment->head;
	node->tail = segment->tail;
	node->seed = sluice_hash_start(node->id);
	node->segment_len = (uint32_t)segment->text.len;
	if (segment->text.len)
		memcpy(node->segment, segment->text.data, segment->text.len);
	uint64_t hash = parent ? sluice_segment_hash(parent, segment) : 0;
	if (parent && !sluice_table_insert(&trie->table, hash, node)) {
		sluice_ids_give(&trie->ids, node->id);
		free(node);
		return NULL;
	}
	if (parent) {
		parent->children++;
		parent->child_filter |= sluice_path_bit(segment->text);
		parent->child_firsts |= first_bits(segment->text);
	}
	trie->bytes += size;
	trie->generation = next_generation();
	return node;
}

static uint64_t hash_of_node(const void *entry)
{
	const struct sluice_path_node *node = entry;
	struct sluice_segment segment = { { node->segment, node->segment_len },
		                          node->head,
		                          node->tail };

	return sluice_segment_hash(node->parent, &segment);
}

enum sluice_status sluice_path_trie_init(struct sluice_path_trie *trie)
{
	*trie = (struct sluice_path_trie){ .table.hash_of = hash_of_node };
	trie->root = node_create(trie, NULL, &(struct sluice_segment){ .text = SLUICE_STR("") });
	if (trie->root)
		return SLUICE_OK;
	sluice_path_trie_finish(trie);
	return SLUICE_ERR_NOMEM;
}

void sluice_path_trie_finish(struct sluice_path_trie *trie)
{
	free(trie->root);
	sluice_table_finish(&trie->table);
	sluice_ids_finish(&trie->ids);
	*trie = (struct sluice_path_trie){ 0 };
}

/* Frees the node and then its parents, as long as nothing needs them. */
static void prune(struct sluice_path_trie *trie, struct sluice_path_node *node)
{
	while (node->parent && node->named == 0 && node->children == 0) {
		struct sluice_path_node *parent = node->parent;
		sluice_table_remove(&trie->table, hash_of_node(node), node);
		sluice_ids_give(&trie->ids, node->id);
		trie->bytes -= sizeof(*node) + node->segment_len;
		if (--parent->children == 0)
			parent->child_filter = parent->child_firsts = 0;
		free(node);
		node = parent;
		trie->generation = next_generation();
	}
}

struct sluice_path_node *sluice_path_claim(struct sluice_path_trie *trie, struct sluice_str path)
{
	struct sluice_path_node *node = trie->root;
	bool more = true;

	while (more) {
		struct sluice_segment segment = sluice_segment_of(cut_segment(&path, &more));
		struct sluice_path_node *child = sluice_path_child(trie, node, &segment);
		if (!child)
			child = node_create(trie, node, &segment);
		if (!child) {
			prune(trie, node);
			return NULL;
		}
		node = child;
	}
	node->named++;
	return node;
}

void sluice_path_release(struct sluice_path_trie *trie, struct sluice_path_node *node)
{
	node->named--;
	prune(trie, node);
}
