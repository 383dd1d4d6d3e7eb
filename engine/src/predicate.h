/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The compiled form of a pattern, shared by the compiler (pattern.c), the matcher and explain: a
 * pattern is an OR of conjunctions, a conjunction an AND of fields, a field a path and an OR of
 * predicates.
 */
#ifndef SLUICE_PREDICATE_H
#define SLUICE_PREDICATE_H

#include <stdbool.h>

#include "number.h"
#include "sluice/json.h"
#include "sluice/pattern.h"
#include "sluice/types.h"

enum sluice_operator {
	SLUICE_OP_STRING, /* "x", {"exactly":"x"}: text */
	SLUICE_OP_NUMBER, /* 1: number */
	SLUICE_OP_TRUE,
	SLUICE_OP_FALSE,
	SLUICE_OP_NULL,
	SLUICE_OP_PREFIX,      /* text */
	SLUICE_OP_SUFFIX,      /* text */
	SLUICE_OP_FOLD,        /* equals-ignore-case: text is folded */
	SLUICE_OP_FOLD_PREFIX, /* text is folded */
	SLUICE_OP_FOLD_SUFFIX, /* text is folded */
	SLUICE_OP_WILDCARD,    /* wildcard */
	SLUICE_OP_NUMERIC,     /* range */
	SLUICE_OP_CIDR,        /* cidr */
	SLUICE_OP_MQTT_TOPIC,  /* text is the filter */
	SLUICE_OP_EXISTS,      /* any leaf */
	SLUICE_OP_ABSENT,      /* {"exists": false}: matches no leaf; see sluice_field.absent */
	SLUICE_OP_BUT,         /* anything-but: a leaf that none of `but` matches */
};

/* A numeric range; a missing bound has has_lower or has_upper false. "=" is both bounds, inclusive.
 */
struct sluice_range {
	struct sluice_number lower, upper;
	bool has_lower, has_upper;
	bool lower_inclusive, upper_inclusive;
};

/* A block of addresses. The host bits of `address` are zero. */
struct sluice_cidr {
	uint8_t family; /* 4 or 6 */
	uint8_t bits;   /* 0 to 32 or 128 */
	uint8_t address[16];
};

/*
 * A wildcard, cut at its stars: "a*b*" is the pieces "a", "b", "". piece_count is stars + 1; the
 * first piece is anchored at the beginning, the last at the end, and escapes are resolved.
 */
struct sluice_wildcard {
	const struct sluice_str *pieces;
	size_t piece_count;
	/* of an entry of the matcher's index: the piece that finds it (index.h) */
	uint64_t found_by; /* its hash */
	uint16_t found_length;
	uint8_t found_affix;
};

struct sluice_predicate {
	enum sluice_operator op;
	uint32_t list_at; /* of an entry of the matcher's index: its place in a list (index.h) */
	union {
		struct sluice_number number;
		struct sluice_range range;
		struct sluice_cidr cidr;
		struct sluice_wildcard wildcard;
		struct {
			const struct sluice_predicate *list;
			size_t count;
		} but;
	};
	struct sluice_str text;
	struct sluice_str
	        source; /* the alternative as it stands in the pattern: for explain and errors */
};

/* A leaf's value as predicates see it. */
struct sluice_value {
	enum sluice_json_type type; /* never ARRAY nor OBJECT */
	struct sluice_str
	        text; /* a string's decoded characters (WTF-8); a number's digits as spelled */
	struct sluice_number number; /* of a SLUICE_JSON_NUMBER */
};

/* Whether two predicates match the same, as far as their operands show it. */
bool sluice_predicate_same(const struct sluice_predicate *a, const struct sluice_predicate *b);

/* Whether the predicate matches the leaf. Allocates nothing. SLUICE_OP_ABSENT matches none. */
bool sluice_predicate_matches(const struct sluice_predicate *predicate,
                              const struct sluice_value *value);

/*
 * Copies of predicates, for the matcher: only as much of the struct as the operator uses, and what
 * that points to. The source is not kept.
 */
size_t sluice_predicate_used(enum sluice_operator op); /* a multiple of 8 */
/* Bytes of what the predicate points to. */
size_t sluice_predicate_copy_size(const struct sluice_predicate *predicate);
/* `to` has room for what is used, `room` (aligned to 8) for copy_size bytes; owned by the caller. */
void sluice_predicate_copy(struct sluice_predicate *to, const struct sluice_predicate *from,
                           char *room);

/* One field of a pattern as spelled there. All pointers live in the pattern's arena. */
struct sluice_field {
	struct sluice_str path; /* dotted: "detail.state", "$mqtt.topic" */
	const struct sluice_predicate *alternatives;
	size_t alternative_count;
	bool absent;  /* an alternative is {"exists": false} (it stands among alternatives too) */
	bool payload; /* a field of the payload: its path does not begin with the segment $mqtt */
	struct sluice_str place; /* "$.detail.state" in the pattern, for explain */
};

struct sluice_conjunction {
	const uint16_t *fields; /* indexes into sluice_pattern.fields, ascending, each once */
	size_t field_count;     /* at least 1 */
	bool payload; /* names a field of the payload: never matches one that is no JSON object */
};

struct sluice_pattern {
	struct sluice_str text;
	const struct sluice_field *fields; /* at most 65,535 */
	size_t field_count;
	const struct sluice_conjunction *conjunctions;
	size_t conjunction_count;
	unsigned metadata;
	struct sluice_arena *arena; /* owns all of the above */
};

#endif
