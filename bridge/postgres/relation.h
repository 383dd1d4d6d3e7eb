/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The tables that pgoutput described, by their OID, and the primary keys that it does not tell. */
#ifndef BRIDGE_POSTGRES_RELATION_H
#define BRIDGE_POSTGRES_RELATION_H

#include <stdbool.h>

#include "sluice/json.h"
#include "sluice/types.h"

struct relation_column {
	char *name; /* owned */
	uint32_t type;
	bool identity; /* of the REPLICA IDENTITY */
	bool key;      /* of the record's keys */
};

struct relation {
	struct relation *next; /* of the same bucket */
	uint32_t oid;
	bool described;                  /* by this connection; else only its key is known */
	char *schema, *table;            /* owned */
	char identity;                   /* 'd' default, 'n' nothing, 'f' full, 'i' index */
	struct relation_column *columns; /* owned */
	size_t column_count;
	char *key_text; /* owned: what `key` points into */
	struct sluice_json_doc
	        *key; /* its primary key, an array of names; owned; NULL = not known */
};

enum { RELATION_BUCKETS = 256 };

struct relations {
	struct relation *buckets[RELATION_BUCKETS]; /* owned */
};

void relations_finish(struct relations *relations);

/* NULL when it is not known. */
struct relation *relations_find(const struct relations *relations, uint32_t oid);
/* Found or made; NULL when out of memory. */
struct relation *relations_add(struct relations *relations, uint32_t oid);
/* No table counts as described. */
void relations_forget(struct relations *relations);

/* Frees what describes the table; its key stays. */
void relation_clear(struct relation *relation);
/* Says of each column whether it is of the keys. */
void relation_choose_key(struct relation *relation);

#endif
