/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "path.h"

#include <stdlib.h>

#include "hash.h"

static uint64_t segment_hash(const struct sluice_path_node *parent, struct sluice_str segment)
{
	return sluice_hash_finish(sluice_hash_bytes(sluice_hash_start(parent->id), segment));
}

/* The filter's bit for a segment, or for a key that begins with it. */
static uint64_t filter_bit(struct sluice_str text)
{
	unsigned first = 0, second = 0;

	if (text.len > 0 && text.data[0] != '.') {
		first = (unsigned char)text.data[0];
		if (text.len > 1 && text.data[1] != '.')
			second = (unsigned char)text.data[1];
	}
	return UINT64_C(1) << ((first + second * 5) & 63);
}

static struct sluice_path_node *find_child(const struct sluice_path_trie *trie,
                                           const struct sluice_path_node *parent,
                                           struct sluice_str segment, uint64_t hash)
{
	struct sluice_cursor cursor = { 0 };
	struct sluice_path_node *node;

	while ((node = sluice_table_next(&trie->table, hash, &cursor)))
		if (node->parent == parent && node->segment_len == segment.len &&
		    memcmp(node->segment, segment.data, segment.len) == 0)
			return node;
	return NULL;
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
		if (!(from->child_filter & filter_bit(key)))
			return NULL;
		struct sluice_str segment = cut_segment(&key, &more);
		from = find_child(trie, from, segment, segment_hash(from, segment));
	}
	return (struct sluice_path_node *)from;
}

static struct sluice_path_node *node_create(struct sluice_path_trie *trie,
                                            struct sluice_path_node *parent,
                                            struct sluice_str segment, uint64_t hash)
{
	size_t size = sizeof(struct sluice_path_node) + segment.len;
	struct sluice_path_node *node = calloc(1, size);

	if (!node)
		return NULL;
	if (!sluice_ids_take(&trie->ids, &node->id)) {
		free(node);
		return NULL;
	}
	node->parent = parent;
	node->hash = hash;
	node->segment_len = (uint32_t)segment.len;
	if (segment.len)
		memcpy(node->segment, segment.data, segment.len);
	if (parent && !sluice_table_insert(&trie->table, hash, node)) {
		sluice_ids_give(&trie->ids, node->id);
		free(node);
		return NULL;
	}
	if (parent) {
		parent->children++;
		parent->child_filter |= filter_bit(segment);
	}
	trie->bytes += size;
	return node;
}

enum sluice_status sluice_path_trie_init(struct sluice_path_trie *trie)
{
	*trie = (struct sluice_path_trie){ 0 };
	trie->root = node_create(trie, NULL, SLUICE_STR(""), 0);
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
		sluice_table_remove(&trie->table, node->hash, node);
		sluice_ids_give(&trie->ids, node->id);
		trie->bytes -= sizeof(*node) + node->segment_len;
		if (--parent->children == 0)
			parent->child_filter = 0;
		free(node);
		node = parent;
	}
}

struct sluice_path_node *sluice_path_claim(struct sluice_path_trie *trie, struct sluice_str path)
{
	struct sluice_path_node *node = trie->root;
	bool more = true;

	while (more) {
		struct sluice_str segment = cut_segment(&path, &more);
		uint64_t hash = segment_hash(node, segment);
		struct sluice_path_node *child = find_child(trie, node, segment, hash);
		if (!child)
			child = node_create(trie, node, segment, hash);
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
