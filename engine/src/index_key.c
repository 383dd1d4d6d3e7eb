/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "index_key.h"

static struct sluice_key affix_key(enum sluice_affix affix, struct sluice_str text)
{
	return (struct sluice_key){ .kind = SLUICE_KEY_AFFIX,
		                    .affix = affix,
		                    .length = (uint32_t)text.len };
}

/* Cuts the level at *at off, and moves *at behind its '/', or past the end. */
static struct sluice_str next_level(struct sluice_str topic, size_t *at)
{
	const char *start = topic.data + *at;
	const char *slash = *at < topic.len ? memchr(start, '/', topic.len - *at) : NULL;
	size_t len = slash ? (size_t)(slash - start) : topic.len - *at;

	*at += len + 1;
	return (struct sluice_str){ start, len };
}

static struct sluice_key filter_key(struct sluice_str filter)
{
	struct sluice_shape shape = { 0 };

	for (size_t at = 0; at <= filter.len;) {
		struct sluice_str level = next_level(filter, &at);
		if (sluice_str_equal(level, SLUICE_STR("#"))) {
			shape.rest = true;
			break;
		}
		if (shape.levels == SLUICE_SHAPE_LEVELS)
			return (struct sluice_key){ .kind = SLUICE_KEY_LIST };
		if (sluice_str_equal(level, SLUICE_STR("+")))
			shape.open |= UINT64_C(1) << shape.levels;
		shape.levels++;
	}
	return (struct sluice_key){ .kind = SLUICE_KEY_SHAPE, .shape = shape };
}

struct sluice_key sluice_key_of(const struct sluice_predicate *predicate)
{
	switch (predicate->op) {
	case SLUICE_OP_STRING:
	case SLUICE_OP_NUMBER:
	case SLUICE_OP_FOLD:
		return (struct sluice_key){ .kind = SLUICE_KEY_VALUE };
	case SLUICE_OP_TRUE:
	case SLUICE_OP_FALSE:
	case SLUICE_OP_NULL:
	case SLUICE_OP_EXISTS:
		return (struct sluice_key){ .kind = SLUICE_KEY_DIRECT };
	case SLUICE_OP_PREFIX:
		return affix_key(SLUICE_AFFIX_PREFIX, predicate->text);
	case SLUICE_OP_SUFFIX:
		return affix_key(SLUICE_AFFIX_SUFFIX, predicate->text);
	case SLUICE_OP_FOLD_PREFIX:
		return affix_key(SLUICE_AFFIX_FOLD_PREFIX, predicate->text);
	case SLUICE_OP_FOLD_SUFFIX:
		return affix_key(SLUICE_AFFIX_FOLD_SUFFIX, predicate->text);
	case SLUICE_OP_WILDCARD:
		return (struct sluice_key){ .kind = SLUICE_KEY_WILDCARD };
	case SLUICE_OP_MQTT_TOPIC:
		return filter_key(predicate->text);
	case SLUICE_OP_CIDR:
		return (struct sluice_key){ .kind = SLUICE_KEY_AFFIX,
			                    .affix = predicate->cidr.family == 4
			                                     ? SLUICE_AFFIX_BLOCK4
			                                     : SLUICE_AFFIX_BLOCK6,
			                    .length = predicate->cidr.bits };
	case SLUICE_OP_NUMERIC:
		return (struct sluice_key){ .kind = SLUICE_KEY_RANGE };
	default:
		return (struct sluice_key){ .kind = SLUICE_KEY_LIST };
	}
}

uint64_t sluice_key_hash(const struct sluice_path_node *node,
                         const struct sluice_predicate *predicate)
{
	struct sluice_key key = sluice_key_of(predicate);
	struct sluice_walk walk = { node->seed, 0 };
	uint64_t hashes[SLUICE_SHAPE_LEVELS];

	switch (key.kind) {
	case SLUICE_KEY_VALUE:
		if (predicate->op == SLUICE_OP_NUMBER)
			return sluice_hash_mix(node->seed ^ sluice_number_hash(&predicate->number),
			                       SLUICE_HASH_B);
		break;
	case SLUICE_KEY_AFFIX:
		if (predicate->op == SLUICE_OP_CIDR)
			return sluice_key_block(node, sluice_key_words(predicate->cidr.address),
			                        key.length);
		if (key.affix == SLUICE_AFFIX_SUFFIX || key.affix == SLUICE_AFFIX_FOLD_SUFFIX)
			return sluice_key_end(&walk, predicate->text, key.length, predicate->op);
		break;
	case SLUICE_KEY_SHAPE:
		sluice_key_levels(predicate->text, hashes);
		return sluice_key_shape(node, &key.shape, hashes);
	case SLUICE_KEY_DIRECT:
		return sluice_literal_hash(node, predicate->op);
	case SLUICE_KEY_WILDCARD:
	case SLUICE_KEY_RANGE:
	case SLUICE_KEY_LIST:
		if (predicate->op == SLUICE_OP_ABSENT)
			return sluice_literal_hash(node, predicate->op);
		return sluice_key_beginning(&walk, predicate->source, predicate->source.len,
		                            predicate->op);
	}
	return sluice_key_beginning(&walk, predicate->text, predicate->text.len, predicate->op);
}

bool sluice_shape_equal(const struct sluice_shape *a, const struct sluice_shape *b)
{
	return a->open == b->open && a->levels == b->levels && a->rest == b->rest;
}

uint32_t sluice_key_address(unsigned family, const uint8_t *address, uint32_t bits, uint32_t *mask)
{
	uint32_t before = family == 4 ? 0 : 32;
	uint32_t known = bits <= before ? 0 : bits - before < 32 ? bits - before : 32;

	address += before / 8;
	*mask = known ? UINT32_MAX << (32 - known) : 0;
	return ((uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 |
	        (uint32_t)address[2] << 8 | address[3]) &
	       *mask;
}

uint32_t sluice_key_levels(struct sluice_str topic, uint64_t hashes[SLUICE_SHAPE_LEVELS])
{
	uint32_t count = 0;

	for (size_t at = 0; at <= topic.len; count++) {
		struct sluice_str level = next_level(topic, &at);
		if (count < SLUICE_SHAPE_LEVELS)
			hashes[count] = sluice_hash_text(count, level);
	}
	return count;
}

uint64_t sluice_key_shape(const struct sluice_path_node *node, const struct sluice_shape *shape,
                          const uint64_t hashes[SLUICE_SHAPE_LEVELS])
{
	uint64_t walk = sluice_hash_step(node->seed, shape->open);

	for (uint32_t i = 0; i < shape->levels; i++)
		if (!(shape->open & UINT64_C(1) << i))
			walk = sluice_hash_step(walk, hashes[i]);
	return sluice_hash_close(walk, shape->rest, (uint64_t)SLUICE_OP_MQTT_TOPIC << 40);
}
