/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "bridged.h"

#include <stdlib.h>

struct bridged_row {
	struct bridged_row *next;
	enum sluice_store_kind kind;
	bool in_force, faulty;
	size_t len;
	char name[];
};

void bridged_finish(struct bridged *bridged)
{
	struct bridged_row *next;
	for (struct bridged_row *row = bridged->rows; row; row = next) {
		next = row->next;
		free(row);
	}
	*bridged = (struct bridged){ 0 };
}

bool bridged_is(enum sluice_store_kind kind)
{
	return kind == SLUICE_STORE_CONNECTION || kind == SLUICE_STORE_TARGET ||
	       kind == SLUICE_STORE_SOURCE;
}

static struct bridged_row **find(struct bridged *bridged, enum sluice_store_kind kind,
                                 struct sluice_str name)
{
	struct bridged_row **link = &bridged->rows;
	while (*link && !((*link)->kind == kind &&
	                  sluice_str_equal(sluice_str_of((*link)->name, (*link)->len), name)))
		link = &(*link)->next;
	return link;
}

static void count(struct bridged *bridged, struct bridged_row *row, bool in_force, bool faulty)
{
	bridged->in_force[row->kind] += in_force;
	bridged->in_force[row->kind] -= row->in_force;
	bridged->faults += faulty;
	bridged->faults -= row->faulty;
	row->in_force = in_force;
	row->faulty = faulty;
}

static struct bridged_row *row_of(struct bridged *bridged, enum sluice_store_kind kind,
                                  struct sluice_str name)
{
	struct bridged_row **link = find(bridged, kind, name);
	if (*link)
		return *link;
	struct bridged_row *row = calloc(1, sizeof *row + name.len);
	if (!row)
		return NULL;
	row->kind = kind;
	row->len = name.len;
	memcpy(row->name, name.data, name.len);
	*link = row;
	return row;
}

bool bridged_change(struct bridged *bridged, enum sluice_store_kind kind,
                    const struct sluice_store_row *row, struct sluice_error *error)
{
	if (!row->text.data) {
		struct bridged_row **link = find(bridged, kind, row->name), *gone = *link;
		if (!gone)
			return true;
		count(bridged, gone, false, false);
		*link = gone->next;
		free(gone);
		return true;
	}
	struct bridged_row *known = row_of(bridged, kind, row->name);
	struct sluice_definition definition = { .kind = kind };
	bool good = known != NULL;
	if (good)
		good = sluice_definition_parse(kind, row->text, &definition, error) == SLUICE_OK;
	else
		sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	sluice_definition_finish(&definition);
	if (known)
		count(bridged, known, good || known->in_force, !good);
	return good;
}
