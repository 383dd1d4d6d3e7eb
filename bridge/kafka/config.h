/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* librdkafka's configuration, made of a definition; names of topics; what its errors mean. */
#ifndef BRIDGE_KAFKA_CONFIG_H
#define BRIDGE_KAFKA_CONFIG_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

#include "../credentials.h"
#include "../delivery.h"
#include "sluice/buffer.h"

/*
 * Makes the configuration: the brokers, the connection (which may be NULL), and `properties` of the
 * settings, as far as the promises do not depend on them.
 *
 * conf		the caller's, to be given to rd_kafka_new, or destroyed; NULL on failure
 *
 * Errors: SLUICE_ERR_INVALID (what librdkafka does not take, a property that is not to be set), _NOMEM.
 */
enum sluice_status kafka_config(const struct sluice_json *settings,
                                const struct credentials *credentials, rd_kafka_conf_t **conf,
                                struct sluice_error *error);

/* Sets one; its value is not in the error. */
enum sluice_status kafka_config_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                                    struct sluice_error *error);

/* Whether it is a property that a definition may set. `why` gets why not. */
bool kafka_property_allowed(struct sluice_str name, const char **why);

/* The name of a topic: '/' becomes '.', what can't stand in one '_'. False when it is empty, too long,
 * "." or "..". */
bool kafka_topic(struct sluice_str text, struct sluice_buffer *topic);

/* How a message ended that was delivered with this error. */
enum outcome kafka_outcome(rd_kafka_resp_err_t error);

/* The first of the brokers, for messages. */
void kafka_title(const struct sluice_json *settings, char *title, size_t size);

#endif
