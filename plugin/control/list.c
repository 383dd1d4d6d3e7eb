/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* listRules, listBuses, listQueues, and the bridge's */
#include "command.h"
#include "numbers.h"
#include "request.h"

enum { PAGE = 100, PAGE_MAX = 1000, PAGE_BYTES = 1024 * 1024 };

struct page {
	enum sluice_store_kind kind;
	struct sluice_buffer *data;
	bool full; /* whole definitions */
	size_t limit, count, start;
	char last[SLUICE_NAME_MAX + 1];
	bool more;
};

/* A rule's member of its text, as a string; absent when the text can't be read. */
static void write_summary(struct sluice_buffer *data, const struct sluice_store_row *row)
{
	struct sluice_json_doc *doc;
	data_string(data, "name", row->name);
	if (sluice_json_parse(row->text, 0, REQUEST_NESTING_MAX, &doc, NULL) != SLUICE_OK)
		return;
	const struct sluice_json *bus = sluice_json_get(sluice_json_root(doc), "bus");
	const struct sluice_json *state = sluice_json_get(sluice_json_root(doc), "state");
	data_string(data, "bus", bus ? bus->string : SLUICE_STR("default"));
	data_string(data, "state", state ? state->string : SLUICE_STR("ENABLED"));
	sluice_json_destroy(doc);
}

static bool write_row(void *arg, const struct sluice_store_row *row)
{
	struct page *page = arg;
	struct sluice_buffer *data = page->data;
	/* A page ends by count or by size: an answer must fit into what brokers let through. */
	if (page->count == page->limit ||
	    (page->count > 0 && data->len - page->start > PAGE_BYTES)) {
		page->more = true;
		return false;
	}
	sluice_buffer_append_text(data, page->count++ ? ",{" : "{");
	if (page->full) {
		data_row(data, page->kind, row);
	} else {
		write_summary(data, row);
		data_integer(data, "revision", row->revision);
		if (row->error.data)
			data_string(data, "error", row->error);
	}
	sluice_buffer_append(data, "}", 1);
	if (row->name.len < sizeof page->last) {
		memcpy(page->last, row->name.data, row->name.len);
		page->last[row->name.len] = '\0';
	}
	return true;
}

/* The row of any but a rule is whole, and few stand there: without `limit` a page ends by size alone. */
static enum sluice_status run(struct command_call *call, struct sluice_error *error)
{
	struct sluice_store *store;
	enum sluice_store_kind kind = call->command->kind;
	bool rules = kind == SLUICE_STORE_RULE;
	struct page page = { .kind = kind,
		             .data = call->data,
		             .full = !rules || call_bool(call, "full", false),
		             .limit = (size_t)call_integer(call, "limit", rules ? PAGE : 0) };
	struct sluice_store_query query = { .prefix = call_string(call, "prefix"),
		                            .bus = call_string(call, "bus"),
		                            .state = -1,
		                            .after = call_string(call, "after") };
	struct sluice_str state_name = call_string(call, "state");
	enum sluice_status status = call_store(call, &store, error);
	if (status != SLUICE_OK)
		return status;
	if (state_name.data) {
		enum sluice_rule_state state;
		if (!sluice_rule_state_parse(state_name, &state))
			return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.state",
			                        "must be ENABLED, DISABLED or SHADOW");
		query.state = (int)state;
	}
	if (page.limit > 0)
		query.limit = page.limit + 1;
	else
		page.limit = SIZE_MAX;
	sluice_buffer_append(call->data, "{", 1);
	data_key(call->data, sluice_store_plural(kind));
	sluice_buffer_append(call->data, "[", 1);
	page.start = call->data->len;
	status = sluice_store_list(store, kind, &query, write_row, &page, error);
	sluice_buffer_append(call->data, "]", 1);
	if (page.more)
		data_string(call->data, "next", sluice_str(page.last));
	sluice_buffer_append(call->data, "}", 1);
	return status;
}

const struct command command_list_rules = {
	.name = "listRules",
	.kind = SLUICE_STORE_RULE,
	.view = true,
	.run = run,
	.members = { { "prefix", MEMBER_STRING, false, 0, 0 },
	             { "bus", MEMBER_NAME, false, 0, 0 },
	             { "state", MEMBER_STRING, false, 0, 0 },
	             { "after", MEMBER_STRING, false, 0, 0 },
	             { "limit", MEMBER_INTEGER, false, 1, PAGE_MAX },
	             { "full", MEMBER_BOOL, false, 0, 0 } },
};

#define LIST(the_name, the_kind)                                                                   \
	{                                                                                          \
		.name = (the_name), .kind = (the_kind), .view = true, .run = run,                  \
		.members = { { "prefix", MEMBER_STRING, false, 0, 0 },                             \
			     { "after", MEMBER_STRING, false, 0, 0 },                              \
			     { "limit", MEMBER_INTEGER, false, 1, PAGE_MAX } },                    \
	}

const struct command command_list_buses = LIST("listBuses", SLUICE_STORE_BUS);
const struct command command_list_queues = LIST("listQueues", SLUICE_STORE_QUEUE);
const struct command command_list_connections = LIST("listConnections", SLUICE_STORE_CONNECTION);
const struct command command_list_targets = LIST("listTargets", SLUICE_STORE_TARGET);
const struct command command_list_sources = LIST("listSources", SLUICE_STORE_SOURCE);

#undef LIST
