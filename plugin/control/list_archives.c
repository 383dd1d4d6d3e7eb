/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdlib.h>

#include "archive_scan.h"

/* What an archive is and holds. `archive` is NULL when the bus has none any more. */
static enum sluice_status write_archive(const struct command_call *call, struct sluice_data *store,
                                        struct sluice_str bus, const struct sluice_archive *archive,
                                        struct sluice_error *error)
{
	struct sluice_buffer *data = call->data;
	struct sluice_archive_stats stats = { 0 };
	enum sluice_status status =
	        store ? sluice_archive_stats(store, bus, &stats, error) : SLUICE_OK;
	if (status != SLUICE_OK)
		return status;
	sluice_buffer_append_text(data, data->data[data->len - 1] == '[' ? "{" : ",{");
	data_string(data, "bus", bus);
	data_bool(data, "in_force", archive != NULL);
	if (archive) {
		if (archive->pattern_text.data)
			data_raw(data, "pattern", archive->pattern_text);
		data_integer(data, "retention_s", archive->retention_s);
		data_integer(data, "max_bytes", archive->max_bytes);
	}
	data_integer(data, "events", (int64_t)stats.events);
	data_integer(data, "bytes", (int64_t)stats.bytes);
	data_time(data, "first", stats.first_ms);
	data_time(data, "last", stats.last_ms);
	sluice_buffer_append(data, "}", 1);
	return SLUICE_OK;
}

/* The names of those that the file has. */
struct names {
	char (*items)[SLUICE_NAME_MAX + 1];
	size_t count;
	bool no_memory;
};

static void add_name(void *arg, struct sluice_str name)
{
	struct names *names = arg;
	void *items = realloc(names->items, (names->count + 1) * sizeof *names->items);
	if (!items || name.len > SLUICE_NAME_MAX) {
		names->no_memory |= !items;
		names->items = items ? items : names->items;
		return;
	}
	names->items = items;
	memcpy(names->items[names->count], name.data, name.len);
	names->items[names->count++][name.len] = '\0';
}

static const struct sluice_archive *archive_in_force(const struct command_call *call,
                                                     struct sluice_str bus)
{
	const struct bus_record *record = registry_bus(&call->thread->registry, bus);
	return record ? record->head.current->content.bus->archive : NULL;
}

static enum sluice_status write_all(const struct command_call *call, struct sluice_data *store,
                                    struct sluice_error *error)
{
	struct names names = { 0 };
	enum sluice_status status = SLUICE_OK;
	const struct defined *bus = call->thread->registry.defined[SLUICE_STORE_BUS];
	for (; bus && status == SLUICE_OK; bus = bus->next) {
		const struct sluice_archive *archive =
		        bus->current ? bus->current->content.bus->archive : NULL;
		if (archive)
			status = write_archive(call, store, sluice_str(bus->name), archive, error);
	}
	if (store && status == SLUICE_OK)
		status = sluice_archive_buses(store, add_name, &names, error);
	if (names.no_memory)
		status = sluice_out_of_memory(error);
	for (size_t i = 0; i < names.count && status == SLUICE_OK; i++) {
		struct sluice_str name = sluice_str(names.items[i]);
		if (!archive_in_force(call, name))
			status = write_archive(call, store, name, NULL, error);
	}
	free(names.items);
	return status;
}

static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct sluice_data *store;
	enum sluice_status status = call_data(call, &store, error);
	if (status != SLUICE_OK && status != SLUICE_ERR_NOT_FOUND)
		return status;
	sluice_buffer_append_text(call->data, "{\"archives\":[");
	status = write_all(call, store, error);
	if (status != SLUICE_OK)
		call_data_failed(call);
	sluice_buffer_append_text(call->data, "]}");
	return status;
}

const struct command command_list_archives = {
	.name = "listArchives",
	.view = true,
	.run = run,
};
