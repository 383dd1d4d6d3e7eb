/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What events and patterns are made of: a few keys and values, so that they often meet. */
#ifndef MAKER_H
#define MAKER_H

#include "spell.h"

struct maker {
	struct oracle_pool *pool;
	struct dice *dice;
};

/* A sluice_str that may stand in a static table. */
#define BYTES(literal)                                                                             \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

#define ONE_OF(maker, list) ((list)[maker_below((maker), sizeof(list) / sizeof(*(list)))])

bool maker_chance(struct maker *maker, unsigned percent);
size_t maker_below(struct maker *maker, size_t sides);

/* Trees. */
struct oracle_json *make_node(struct maker *maker, enum oracle_type type);
struct oracle_json *make_string(struct maker *maker, struct oracle_text characters);
void maker_append(struct oracle_json *parent, struct oracle_json *child);
/* UTF-8 (half surrogates as three bytes) into characters. */
struct oracle_text make_text(struct maker *maker, struct sluice_str bytes);
struct oracle_text make_word(struct maker *maker, const char *ascii);

/* Returns the object. */
struct oracle_json *maker_member(struct maker *maker, struct oracle_json *object, const char *key,
                                 struct oracle_json *value);
struct oracle_json *make_operator(struct maker *maker, const char *name,
                                  struct oracle_json *operand);

/* A leaf of a tree (NULL: none), and the keys on the way to it. */
struct place {
	struct oracle_text keys[8];
	size_t count;
	const struct oracle_json *leaf;
};

/* A member of an object by its key, or NULL. */
struct oracle_json *maker_find(struct oracle_json *object, struct oracle_text key);

/* Puts a value into an object at the place, joining some keys by a dot; false when something else
 * is there. */
bool maker_insert(struct maker *maker, struct oracle_json *object, const struct place *place,
                  struct oracle_json *value);

/* Drawn at random. */
struct oracle_text some_key(struct maker *maker);
struct oracle_text some_string(struct maker *maker);
struct oracle_json *some_scalar(struct maker *maker);

struct oracle_json *some_number(struct maker *maker);
/* An IPv4 or IPv6 address, or what is nearly one. */
struct oracle_text some_address(struct maker *maker);

/* The same number, perhaps spelled otherwise. */
struct oracle_json *respell_number(struct maker *maker, const struct oracle_json *number);
/* One digit of its text is another. */
struct oracle_json *nearby_number(struct maker *maker, const struct oracle_json *number);

/* Changes, drops or doubles a byte. */
struct sluice_str make_damaged(struct maker *maker, struct sluice_str text);

#endif
