/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Every kind that this build knows: each is defined in its folder, and found by its name through
 * outlet_kind_find and its like. */
#ifndef BRIDGE_KINDS_H
#define BRIDGE_KINDS_H

#include "inlet.h"
#include "outlet.h"

extern const struct outlet_kind outlet_aws, outlet_exec, outlet_http, outlet_kafka, outlet_mqtt,
        outlet_nats, outlet_push, outlet_smtp, outlet_sql;
extern const struct enricher_kind enricher_exec, enricher_http;
extern const struct inlet_kind inlet_kafka, inlet_mqtt, inlet_nats, inlet_postgres, inlet_sqlite,
        inlet_webhook, inlet_wills;

#endif
