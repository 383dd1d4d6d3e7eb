/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sql.h"

static const struct outlet_kind *const databases[] = { &sql_postgres, &sql_sqlite };

static struct outlet *sql_open(const struct outlet_context *context, struct sluice_error *error)
{
	int database = sluice_setting_choice(context->kind, context->settings, "database");

	return databases[database]->open(context, error);
}

static void sql_send(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	outlet->kind->send(outlet, deliveries, count);
}

static void sql_close(struct outlet *outlet)
{
	outlet->kind->close(outlet);
}

const struct outlet_kind outlet_sql = {
	.name = "sql",
	.open = sql_open,
	.send = sql_send,
	.close = sql_close,
};
