/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "relation.h"

#include <stdlib.h>

void relation_clear(struct relation *relation)
{
	for (size_t i = 0; i < relation->column_count; i++)
		free(relation->columns[i].name);
	free(relation->columns);
	free(relation->schema);
	free(relation->table);
	relation->columns = NULL;
	relation->column_count = 0;
	relation->schema = relation->table = NULL;
	relation->described = false;
}

void relations_finish(struct relations *relations)
{
	for (size_t i = 0; i < RELATION_BUCKETS; i++) {
		while (relations->buckets[i]) {
			struct relation *relation = relations->buckets[i];
			relations->buckets[i] = relation->next;
			relation_clear(relation);
			sluice_json_destroy(relation->key);
			free(relation->key_text);
			free(relation);
		}
	}
}

struct relation *relations_find(const struct relations *relations, uint32_t oid)
{
	struct relation *relation = relations->buckets[oid % RELATION_BUCKETS];

	while (relation && relation->oid != oid)
		relation = relation->next;
	return relation;
}

struct relation *relations_add(struct relations *relations, uint32_t oid)
{
	struct relation *relation = relations_find(relations, oid);

	if (!relation) {
		relation = calloc(1, sizeof(*relation));
		if (relation) {
			relation->oid = oid;
			relation->next = relations->buckets[oid % RELATION_BUCKETS];
			relations->buckets[oid % RELATION_BUCKETS] = relation;
		}
	}
	return relation;
}

void relations_forget(struct relations *relations)
{
	for (size_t i = 0; i < RELATION_BUCKETS; i++)
		for (struct relation *relation = relations->buckets[i]; relation;
		     relation = relation->next)
			relation_clear(relation);
}

static bool names(const struct sluice_json_doc *key, const char *column)
{
	for (const struct sluice_json *name = sluice_json_root(key)->first; name; name = name->next)
		if (sluice_str_equal(name->string, sluice_str(column)))
			return true;
	return false;
}

void relation_choose_key(struct relation *relation)
{
	size_t found = 0;

	/* Of a FULL identity every column is a part, which tells a row, but is no key. */
	if (relation->identity == 'f' && relation->key) {
		for (size_t i = 0; i < relation->column_count; i++) {
			relation->columns[i].key = names(relation->key, relation->columns[i].name);
			found += relation->columns[i].key;
		}
		/* Else the key was changed since it was asked for. */
		if (found == sluice_json_root(relation->key)->count)
			return;
	}
	for (size_t i = 0; i < relation->column_count; i++)
		relation->columns[i].key = relation->columns[i].identity;
}
