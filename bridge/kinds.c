/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "kinds.h"

static const struct outlet_kind *const outlets[] = {
	&outlet_aws,  &outlet_exec, &outlet_http, &outlet_kafka, &outlet_mqtt,
	&outlet_nats, &outlet_push, &outlet_smtp, &outlet_sql,   NULL,
};

static const struct enricher_kind *const enrichers[] = { &enricher_exec, &enricher_http, NULL };

static const struct inlet_kind *const inlets[] = {
	&inlet_kafka,  &inlet_mqtt,    &inlet_nats,  &inlet_postgres,
	&inlet_sqlite, &inlet_webhook, &inlet_wills, NULL,
};

const struct outlet_kind *outlet_kind_find(struct sluice_str name)
{
	for (size_t i = 0; outlets[i]; i++) {
		if (sluice_str_equal(sluice_str(outlets[i]->name), name))
			return outlets[i];
	}
	return NULL;
}

const struct enricher_kind *enricher_kind_find(struct sluice_str name)
{
	for (size_t i = 0; enrichers[i]; i++) {
		if (sluice_str_equal(sluice_str(enrichers[i]->name), name))
			return enrichers[i];
	}
	return NULL;
}

const struct inlet_kind *inlet_kind_find(struct sluice_str name)
{
	for (size_t i = 0; inlets[i]; i++) {
		if (sluice_str_equal(sluice_str(inlets[i]->name), name))
			return inlets[i];
	}
	return NULL;
}
