/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Every kind that this build knows: a line for each. */
#include "exec/exec.h"
#include "http/http.h"
#include "inlet.h"
#include "kafka/kafka.h"
#include "mqtt/mqtt.h"
#include "nats/nats_kind.h"
#include "outlet.h"
#include "push/push.h"
#include "sql/sql.h"
#include "webhook/webhook.h"
#include "wills/wills.h"

extern const struct inlet_kind postgres_inlet_kind, sqlite_inlet_kind;

static const struct outlet_kind *const outlets[] = {
	&outlet_exec,
	&http_outlet_kind,
	&push_outlet_kind,
	&outlet_sql,
	&kafka_outlet,
	&mqtt_outlet,
	&nats_outlet,
	NULL,
};

static const struct enricher_kind *const enrichers[] = {
	&http_enricher_kind,
	&enricher_exec,
	NULL,
};

static const struct inlet_kind *const inlets[] = {
	&postgres_inlet_kind,
	&sqlite_inlet_kind,
	&webhook_inlet,
	&wills_inlet,
	&kafka_inlet,
	&mqtt_inlet,
	&nats_inlet,
	NULL,
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
