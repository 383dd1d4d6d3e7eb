/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "../log.h"

enum { TOPIC_MAX = 249, NAME_SIZE = 128 };

/* --- what is not to be set --- */

static const struct {
	const char *name; /* with a '*' at its end: all that begin so */
	const char *why;
} refused[] = {
	{ "bootstrap.servers", "say brokers" },
	{ "metadata.broker.list", "say brokers" },
	{ "group.id", "say group" },
	{ "acks", "say acks" },
	{ "request.required.acks", "say acks" },
	{ "compression.*", "say compression" },
	{ "enable.idempotence", "it is what keeps the order" },
	{ "enable.gapless.guarantee", "an event that fails is tried again by its queue" },
	{ "transactional.id", "there are no transactions" },
	{ "message.timeout.ms", "say delivery.timeout_ms" },
	{ "delivery.timeout.ms", "say delivery.timeout_ms" },
	{ "enable.auto.commit", "offsets are committed when an event is taken in" },
	{ "auto.commit.enable", "offsets are committed when an event is taken in" },
	{ "enable.auto.offset.store", "offsets are committed when an event is taken in" },
	{ "enable.partition.eof", "it is no event" },
	{ "delivery.report.only.error", "each report is needed" },
	{ "sasl.username", "it is a connection's" },
	{ "sasl.password", "a secret is a connection's" },
	{ "*.password", "a secret is a connection's" },
	{ "ssl.*.pem", "a secret is a connection's" },
	{ "sasl.oauthbearer.*", "a secret is a connection's" },
	{ "ssl.ca.location", "it is a connection's" },
	{ "ssl.certificate.location", "it is a connection's" },
	{ "ssl.key.location", "it is a connection's" },
	/* What runs programs, or loads them. */
	{ "plugin.library.paths", "no code is loaded" },
	{ "ssl.engine.*", "no code is loaded" },
	{ "ssl.providers", "no code is loaded" },
	{ "sasl.kerberos.*", "no program is run" },
	{ "test.*", "it is for tests" },
	{ "*_cb", "it is no text" },
	{ "opaque", "it is no text" },
	{ "default_topic_conf", "it is no text" },
};

/* A '*' stands for anything, once. */
static bool fits(const char *pattern, struct sluice_str name)
{
	const char *star = strchr(pattern, '*');
	size_t len = strlen(pattern);
	if (!star)
		return sluice_str_equal(name, sluice_str(pattern));
	size_t head = (size_t)(star - pattern), tail = len - head - 1;
	return name.len >= head + tail && memcmp(name.data, pattern, head) == 0 &&
	       memcmp(name.data + name.len - tail, star + 1, tail) == 0;
}

bool kafka_property_allowed(struct sluice_str name, const char **why)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (!fits(refused[i].name, name))
			continue;
		*why = refused[i].why;
		return false;
	}
	return true;
}

/* --- the configuration --- */

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	(void)level;
	log_line(LOG_DEBUG, "librdkafka %s: %s", facility, text);
}

enum sluice_status kafka_config_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                                    struct sluice_error *error)
{
	char why[256];
	rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, why, sizeof(why));
	if (result == RD_KAFKA_CONF_OK)
		return SLUICE_OK;
	if (result == RD_KAFKA_CONF_UNKNOWN)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX,
		                        "$.settings.properties", "librdkafka knows no property %s",
		                        name);
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.settings",
	                        "librdkafka does not take this value of %s", name);
}

static enum sluice_status set_text(rd_kafka_conf_t *conf, const char *name, struct sluice_str text,
                                   struct sluice_error *error)
{
	if (!text.data)
		return SLUICE_OK;
	char *copy = strndup(text.data, text.len);
	if (!copy)
		return sluice_out_of_memory(error);
	enum sluice_status status = kafka_config_set(conf, name, copy, error);
	explicit_bzero(copy, strlen(copy));
	free(copy);
	return status;
}

static enum sluice_status set_brokers(rd_kafka_conf_t *conf, const struct sluice_json *brokers,
                                      struct sluice_error *error)
{
	struct sluice_buffer list = { 0 };
	for (const struct sluice_json *at = brokers->first; at; at = at->next) {
		if (at->index > 0)
			sluice_buffer_append_text(&list, ",");
		sluice_buffer_append_str(&list, at->string);
	}
	enum sluice_status status =
	        list.failed ? sluice_out_of_memory(error)
	                    : set_text(conf, "bootstrap.servers", sluice_buffer_str(&list), error);
	sluice_buffer_finish(&list);
	return status;
}

static enum sluice_status set_connection(rd_kafka_conf_t *conf,
                                         const struct credentials *credentials,
                                         struct sluice_error *error)
{
	bool basic = credentials_are(credentials, "basic");
	if (!credentials)
		return SLUICE_OK;
	if (!basic && !credentials_are(credentials, "tls"))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.connection",
		                        "Kafka takes a connection of kind basic or tls");
	struct sluice_str ca = credentials_setting(credentials, "ca_file");
	struct sluice_str cert = credentials_setting(credentials, "cert_file");
	struct sluice_str key = credentials_setting(credentials, "key_file");
	bool tls = !basic || ca.data || cert.data;
	enum sluice_status status = kafka_config_set(conf, "security.protocol",
	                                             basic && tls ? "SASL_SSL"
	                                             : basic      ? "SASL_PLAINTEXT"
	                                                          : "SSL",
	                                             error);
	if (!status && basic)
		status = kafka_config_set(conf, "sasl.mechanisms", "PLAIN", error);
	if (!status && basic)
		status = set_text(conf, "sasl.username",
		                  credentials_setting(credentials, "username"), error);
	if (!status && basic)
		status = set_text(conf, "sasl.password",
		                  sluice_str(credentials_secret(credentials, "password")), error);
	if (!status)
		status = set_text(conf, "ssl.ca.location", ca, error);
	if (!status)
		status = set_text(conf, "ssl.certificate.location", cert, error);
	if (!status)
		status = set_text(conf, "ssl.key.location", key, error);
	return status;
}

static enum sluice_status set_properties(rd_kafka_conf_t *conf, const struct sluice_json *map,
                                         struct sluice_error *error)
{
	char name[NAME_SIZE];
	const char *why;
	for (const struct sluice_json *at = map ? map->first : NULL; at; at = at->next) {
		if (!kafka_property_allowed(at->key, &why))
			return sluice_json_error(at, error, SLUICE_ERR_INVALID,
			                         "%.*s is not to be set: %s", (int)at->key.len,
			                         at->key.data, why);
		if (at->key.len >= sizeof(name))
			return sluice_json_error(at, error, SLUICE_ERR_INVALID, "no property");
		snprintf(name, sizeof(name), "%.*s", (int)at->key.len, at->key.data);
		enum sluice_status status = set_text(conf, name, at->string, error);
		if (status)
			return status;
	}
	return SLUICE_OK;
}

enum sluice_status kafka_config(const struct sluice_json *settings,
                                const struct credentials *credentials, rd_kafka_conf_t **conf,
                                struct sluice_error *error)
{
	rd_kafka_conf_t *made = rd_kafka_conf_new();
	*conf = NULL;
	if (!made)
		return sluice_out_of_memory(error);
	rd_kafka_conf_set_log_cb(made, on_log);
	enum sluice_status status = kafka_config_set(made, "client.id", "sluice-bridge", error);
	if (!status)
		status = set_brokers(made, sluice_setting_node(settings, "brokers"), error);
	if (!status)
		status = set_connection(made, credentials, error);
	if (!status)
		status = set_properties(made, sluice_setting_node(settings, "properties"), error);
	if (status)
		rd_kafka_conf_destroy(made);
	else
		*conf = made;
	return status;
}

/* --- names and errors --- */

bool kafka_topic(struct sluice_str text, struct sluice_buffer *topic)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "0123456789._-";
	if (text.len == 0 || text.len > TOPIC_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i] == '/' ? '.' : text.data[i];
		if (!c || !strchr(allowed, c))
			c = '_';
		sluice_buffer_append(topic, &c, 1);
	}
	return !topic->failed && strcmp(topic->data, ".") != 0 && strcmp(topic->data, "..") != 0;
}

enum outcome kafka_outcome(rd_kafka_resp_err_t error)
{
	switch (error) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return OUTCOME_DONE;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
		return OUTCOME_PERMANENT;
	default:
		return OUTCOME_RETRY;
	}
}

void kafka_title(const struct sluice_json *settings, char *title, size_t size)
{
	struct sluice_str broker = sluice_setting_node(settings, "brokers")->first->string;
	snprintf(title, size, "%.*s", (int)broker.len, broker.data);
}
