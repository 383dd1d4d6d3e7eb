/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "index_key.h"

static struct sluice_key affix_key(enum sluice_affix affix, struct sluice_str text)
{
	return (struct sluice_key){
		.kind = SLUICE_KEY_AFFIX, .affix = affix, .text = text, .length = (uint32_t)text.len
	};
}

static struct sluice_key wildcard_key(const struct sluice_wildcard *wildcard)
{
	struct sluice_str first = wildcard->pieces[0];
	struct sluice_str last = wildcard->pieces[wildcard->piece_count - 1];

	if (first.len)
		return affix_key(SLUICE_AFFIX_WILD_PREFIX, first);
	if (last.len)
		return affix_key(SLUICE_AFFIX_WILD_SUFFIX, last);
	return (struct sluice_key){ .kind = SLUICE_KEY_LIST };
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
		return (struct sluice_key){ .kind = SLUICE_KEY_HASH };
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
		return wildcard_key(&predicate->wildcard);
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

bool sluice_key_is_bucket(const struct sluice_key *key)
{
	return key->kind == SLUICE_KEY_AFFIX &&
	       (key->affix == SLUICE_AFFIX_WILD_PREFIX || key->affix == SLUICE_AFFIX_WILD_SUFFIX);
}

uint64_t sluice_key_bucket(uint32_t node_id, const struct sluice_key *key)
{
	uint64_t walk = sluice_hash_start(node_id);

	walk = key->affix == SLUICE_AFFIX_WILD_PREFIX ? sluice_hash_bytes(walk, key->text)
	                                              : sluice_key_backward(walk, key->text);
	return sluice_key_close(walk, SLUICE_OP_WILDCARD);
}

uint64_t sluice_key_hash(uint32_t node_id, const struct sluice_predicate *predicate)
{
	uint64_t walk = sluice_hash_start(node_id);
	struct sluice_key key = sluice_key_of(predicate);

	switch (key.kind) {
	case SLUICE_KEY_HASH:
		if (predicate->op == SLUICE_OP_NUMBER)
			walk ^= sluice_number_hash(&predicate->number);
		else
			walk = sluice_hash_bytes(walk, predicate->text);
		break;
	case SLUICE_KEY_AFFIX:
		if (predicate->op == SLUICE_OP_CIDR)
			walk = sluice_key_block(node_id, predicate->cidr.address, key.length);
		else if (sluice_key_is_bucket(&key))
			walk = sluice_hash_bytes(walk, predicate->source);
		else if (key.affix == SLUICE_AFFIX_SUFFIX || key.affix == SLUICE_AFFIX_FOLD_SUFFIX)
			walk = sluice_key_backward(walk, key.text);
		else
			walk = sluice_hash_bytes(walk, key.text);
		break;
	case SLUICE_KEY_SHAPE: {
		uint64_t hashes[SLUICE_SHAPE_LEVELS];
		sluice_key_levels(predicate->text, hashes);
		walk = sluice_key_shape(node_id, &key.shape, hashes);
		break;
	}
	case SLUICE_KEY_DIRECT:
		break;
	case SLUICE_KEY_RANGE:
	case SLUICE_KEY_LIST:
		if (predicate->op != SLUICE_OP_ABSENT)
			walk = sluice_hash_bytes(walk, predicate->source);
		break;
	}
	return sluice_key_close(walk, predicate->op);
}

bool sluice_shape_equal(const struct sluice_shape *a, const struct sluice_shape *b)
{
	return a->open == b->open && a->levels == b->levels && a->rest == b->rest;
}

uint64_t sluice_key_block(uint32_t node_id, const uint8_t *address, uint32_t bits)
{
	/* the length goes in, since a block may end in zeros that a longer one has too */
	uint64_t walk = sluice_hash_start(node_id) ^ bits;

	for (uint32_t i = 0; i < bits / 8; i++)
		walk = sluice_hash_byte(walk, address[i]);
	if (bits % 8)
		walk = sluice_hash_byte(walk,
		                        (unsigned char)(address[bits / 8] & 0xFF00 >> bits % 8));
	return walk;
}

uint32_t sluice_key_levels(struct sluice_str topic, uint64_t hashes[SLUICE_SHAPE_LEVELS])
{
	uint32_t count = 0;

	for (size_t at = 0; at <= topic.len; count++) {
		struct sluice_str level = next_level(topic, &at);
		if (count < SLUICE_SHAPE_LEVELS)
			hashes[count] = sluice_hash_finish(
			        sluice_hash_bytes(sluice_hash_start(count), level));
	}
	return count;
}

uint64_t sluice_key_shape(uint32_t node_id, const struct sluice_shape *shape,
                          const uint64_t hashes[SLUICE_SHAPE_LEVELS])
{
	uint64_t walk = sluice_hash_start(node_id) ^ shape->open ^ (shape->rest ? 1 : 0);

	for (uint32_t i = 0; i < shape->levels; i++)
		if (!(shape->open & UINT64_C(1) << i))
			walk = (walk ^ hashes[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return walk;
}
