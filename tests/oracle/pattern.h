/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A pattern as the oracle holds it: its own nesting of fields and `$or`, nothing multiplied out. */
#ifndef ORACLE_PATTERN_H
#define ORACLE_PATTERN_H

#include "oracle.h"
#include "value.h"

enum oracle_operator {
	ORACLE_EQUALS, /* a scalar: `value` */
	ORACLE_PREFIX,
	ORACLE_SUFFIX,
	ORACLE_FOLDED, /* equals-ignore-case */
	ORACLE_FOLDED_PREFIX,
	ORACLE_FOLDED_SUFFIX,
	ORACLE_WILDCARD,
	ORACLE_NUMERIC,
	ORACLE_CIDR,
	ORACLE_MQTT_TOPIC,
	ORACLE_EXISTS,
	ORACLE_ABSENT,
	ORACLE_ANYTHING_BUT, /* none of `but` */
};

struct oracle_leaf_value {
	enum oracle_type type;
	struct oracle_text text;
	struct oracle_number number;
};

struct oracle_alternative {
	enum oracle_operator op;
	struct oracle_leaf_value value; /* its operand */
	char compare[2][3];             /* numeric: ">", "<=" … */
	struct oracle_number bound[2];
	size_t bounds;
	struct oracle_address block;
	unsigned bits;
	struct oracle_alternative *but;
	struct oracle_alternative *next;
};

/* What is ANDed: a field, or an `$or` of such lists. */
struct oracle_item {
	struct oracle_text path;
	bool payload;                            /* the path does not begin with `$mqtt` */
	struct oracle_alternative *alternatives; /* NULL: this is an `$or` */
	struct oracle_branch *branches;
	struct oracle_item *next;
};

struct oracle_branch {
	struct oracle_item *items;
	struct oracle_branch *next;
};

struct oracle_pattern {
	struct oracle_pool pool;
	struct oracle_item *items;
};

/* "a" and "b" are "a.b"; at the top of an object (no parent) "b". */
struct oracle_text oracle_path_join(struct oracle_pool *pool, const struct oracle_text *parent,
                                    struct oracle_text key);
/* Whether the first segment is `$mqtt`. */
bool oracle_path_is_mqtt(struct oracle_text path);

#endif
