/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A line for each setting. A number's bounds are those that keep it from being nonsense, not those
 * that anybody would recommend; docs/bridge/ says what each is for.
 */
#include "bridge_kinds.h"

enum {
	PORT_MAX = 65535,
	REDIRECTS_MAX = 20,
	PACKET_MAX = 268435455, /* MQTT's largest */
	YEAR_S = 31536000,
};

#define REQUIRED_TEXT(name)                                                                        \
	{                                                                                          \
		(name), SLUICE_SETTING_TEXT, true, 0, 1, 0, NULL                                   \
	}
#define TEXT(name)                                                                                 \
	{                                                                                          \
		(name), SLUICE_SETTING_TEXT, false, 0, 1, 0, NULL                                  \
	}
#define REQUIRED_TEXTS(name)                                                                       \
	{                                                                                          \
		(name), SLUICE_SETTING_TEXTS, true, 0, 0, 0, NULL                                  \
	}
#define INTEGER(name, otherwise, min, max)                                                         \
	{                                                                                          \
		(name), SLUICE_SETTING_INTEGER, false, (otherwise), (min), (max), NULL             \
	}
#define BOOL(name, otherwise)                                                                      \
	{                                                                                          \
		(name), SLUICE_SETTING_BOOL, false, (otherwise), 0, 0, NULL                        \
	}
#define CHOICE(name, otherwise, choices)                                                           \
	{                                                                                          \
		(name), SLUICE_SETTING_CHOICE, false, (otherwise), 0, 0, (choices)                 \
	}
#define REQUIRED_CHOICE(name, choices)                                                             \
	{                                                                                          \
		(name), SLUICE_SETTING_CHOICE, true, 0, 0, 0, (choices)                            \
	}
#define REQUIRED(name, type)                                                                       \
	{                                                                                          \
		(name), SLUICE_SETTING_##type, true, 0, 0, 0, NULL                                 \
	}
#define OPTIONAL(name, type)                                                                       \
	{                                                                                          \
		(name), SLUICE_SETTING_##type, false, 0, 0, 0, NULL                                \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, SLUICE_SETTING_TEXT, false, 0, 0, 0, NULL                                    \
	}

/* --- targets --- */

static const char *const methods[] = { "POST", "GET", "PUT", "PATCH", "DELETE", NULL };
static const char *const cloudevents[] = { "none", "structured", "binary", NULL };

static const struct sluice_setting http_target[] = {
	REQUIRED("url", TEMPLATE),
	CHOICE("method", 0, methods),
	OPTIONAL("headers", TEMPLATES),
	OPTIONAL("query", TEMPLATES),
	OPTIONAL("body", BODY),
	TEXT("content_type"),
	CHOICE("cloudevents", 0, cloudevents),
	INTEGER("redirects", 0, 0, REDIRECTS_MAX),
	BOOL("private_addresses", true),
	BOOL("private_redirects", false),
	BOOL("http2", true),
	END,
};

static const char *const services[] = { "lambda", "sqs", "sns", "kinesis", "events", NULL };
static const char *const invocations[] = { "Event", "RequestResponse", NULL };

static const struct sluice_setting aws_target[] = {
	REQUIRED_CHOICE("service", services),
	TEXT("region"),
	TEXT("endpoint"),
	TEXT("function"),
	CHOICE("invocation", 0, invocations),
	TEXT("queue_url"),
	TEXT("topic_arn"),
	TEXT("stream"),
	TEXT("event_bus"),
	TEXT("source"),
	TEXT("detail_type"),
	OPTIONAL("partition_key", TEMPLATE),
	OPTIONAL("group_id", TEMPLATE),
	OPTIONAL("subject", TEMPLATE),
	END,
};

static const char *const exec_modes[] = { "each", "lines", NULL };
static const char *const exec_limits[] = { "cpu_s", "memory_bytes", "files", "processes", NULL };

static const struct sluice_setting exec_target[] = {
	REQUIRED_TEXTS("command"),
	CHOICE("mode", 0, exec_modes),
	OPTIONAL("topic", TOPIC),
	TEXT("user"),
	TEXT("group"),
	TEXT("directory"),
	OPTIONAL("environment", MAP),
	INTEGER("max_output_bytes", 1048576, 1, PACKET_MAX),
	{ "limits", SLUICE_SETTING_LIMITS, false, 0, 1, INT64_MAX, exec_limits },
	END,
};

static const char *const starttls[] = { "required", "optional", "none", NULL };

static const struct sluice_setting smtp_target[] = {
	REQUIRED_TEXT("url"),
	REQUIRED_TEXT("from"),
	REQUIRED_TEXTS("to"),
	OPTIONAL("cc", TEXTS),
	OPTIONAL("bcc", TEXTS),
	OPTIONAL("subject", TEMPLATE),
	OPTIONAL("body", TEMPLATE),
	BOOL("html", false),
	BOOL("digest", false),
	CHOICE("starttls", 0, starttls),
	END,
};

/* As the numbers of MQTT's versions are written; a choice may be written as a number. */
static const char *const protocols[] = { "5", "311", NULL };

static const struct sluice_setting mqtt_target[] = {
	REQUIRED_TEXT("host"),
	INTEGER("port", 0, 1, PORT_MAX), /* 0: 1883, or 8883 with TLS */
	BOOL("tls", false),
	TEXT("client_id"),
	OPTIONAL("topic", TOPIC),
	INTEGER("qos", 1, 0, 2),
	BOOL("retain", false),
	CHOICE("protocol", 0, protocols),
	BOOL("sluice_properties", false),
	END,
};

static const struct sluice_setting nats_target[] = {
	REQUIRED_TEXTS("urls"),
	OPTIONAL("subject", TEMPLATE),
	TEXT("stream"),
	BOOL("jetstream", true),
	TEXT("creds_file"),
	BOOL("sluice_properties", false),
	END,
};

static const char *const kafka_acks[] = { "all", "1", "0", NULL };
static const char *const compressions[] = { "none", "gzip", "snappy", "lz4", "zstd", NULL };

static const struct sluice_setting kafka_target[] = {
	REQUIRED_TEXTS("brokers"),
	REQUIRED("topic", TEMPLATE),
	OPTIONAL("key", TEMPLATE),
	CHOICE("acks", 0, kafka_acks),
	CHOICE("compression", 0, compressions),
	OPTIONAL("properties", MAP),
	BOOL("sluice_properties", false),
	END,
};

static const char *const databases[] = { "postgres", "sqlite", NULL };

static const struct sluice_setting sql_target[] = {
	REQUIRED_CHOICE("database", databases),
	REQUIRED_TEXT("url"),
	REQUIRED_TEXT("statement"),
	OPTIONAL("parameters", PARAMETERS),
	END,
};

static const char *const push_services[] = { "ntfy",     "gotify", "slack", "discord",
	                                     "telegram", "twilio", "fcm",   NULL };

static const struct sluice_setting push_target[] = {
	REQUIRED_CHOICE("service", push_services),
	TEXT("url"),     /* of the server, or Slack's and Discord's webhook */
	TEXT("name"),    /* ntfy's topic; FCM's, in the place of a device */
	TEXT("chat"),    /* Telegram's */
	TEXT("account"), /* Twilio's */
	TEXT("from"),
	TEXT("to"),
	TEXT("project"), /* FCM's */
	TEXT("device"),
	OPTIONAL("title", TEMPLATE),
	OPTIONAL("message", TEMPLATE),
	INTEGER("priority", 0, 1, 10), /* 0: the service's own */
	END,
};

static const struct sluice_bridge_kind targets[] = {
	{ "http", http_target, NULL },   { "aws", aws_target, NULL },
	{ "exec", exec_target, NULL },   { "smtp", smtp_target, NULL },
	{ "mqtt", mqtt_target, NULL },   { "nats", nats_target, NULL },
	{ "kafka", kafka_target, NULL }, { "sql", sql_target, NULL },
	{ "push", push_target, NULL },   { NULL, NULL, NULL },
};

/* --- sources --- */

static const struct sluice_setting postgres_source[] = {
	REQUIRED_TEXT("url"),      TEXT("publication"),  TEXT("slot"),
	OPTIONAL("tables", TEXTS), BOOL("create", true), END,
};

static const char *const starts[] = { "trim-horizon", "latest", NULL };

static const struct sluice_setting sqlite_source[] = {
	REQUIRED_TEXT("file"),
	OPTIONAL("tables", TEXTS),
	INTEGER("keep_s", 86400, 60, YEAR_S),
	INTEGER("poll_ms", 200, 10, 60000),
	CHOICE("start", 0, starts),
	BOOL("create", true),
	END,
};

static const struct sluice_setting webhook_source[] = {
	REQUIRED_TEXT("listen"),
	REQUIRED_TEXT("path"),
	OPTIONAL("methods", TEXTS),
	INTEGER("max_bytes", 1048576, 1, PACKET_MAX),
	INTEGER("tolerance_s", 300, 1, 86400),
	INTEGER("timeout_s", 30, 1, 300),
	OPTIONAL("headers", TEXTS), /* that become user properties */
	END,
};

static const struct sluice_setting wills_source[] = {
	TEXT("bus"), /* absent: "default" */
	END,
};

static const struct sluice_setting mqtt_source[] = {
	REQUIRED_TEXT("host"),
	INTEGER("port", 0, 1, PORT_MAX),
	BOOL("tls", false),
	REQUIRED("filters", FILTERS),
	TEXT("client_id"),
	INTEGER("qos", 1, 0,
	        1), /* at 2, what was received when the bridge is killed would be lost */
	CHOICE("protocol", 0, protocols),
	INTEGER("expiry_s", 604800, 0, UINT32_MAX), /* of the session */
	END,
};

static const struct sluice_setting nats_source[] = {
	REQUIRED_TEXTS("urls"), TEXT("stream"),     REQUIRED_TEXT("subject"),
	TEXT("durable"),        TEXT("creds_file"), END,
};

static const struct sluice_setting kafka_source[] = {
	REQUIRED_TEXTS("brokers"),
	REQUIRED_TEXTS("topics"),
	TEXT("group"),
	OPTIONAL("properties", MAP),
	END,
};

static const struct sluice_bridge_kind sources[] = {
	{ "postgres", postgres_source, NULL }, { "sqlite", sqlite_source, NULL },
	{ "webhook", webhook_source, NULL },   { "wills", wills_source, NULL },
	{ "mqtt", mqtt_source, NULL },         { "nats", nats_source, NULL },
	{ "kafka", kafka_source, NULL },       { NULL, NULL, NULL },
};

/* --- connections --- */

/* Of every kind: whom to trust, and who we are. */
#define TLS_FILES TEXT("ca_file"), TEXT("cert_file"), TEXT("key_file")

static const struct sluice_setting basic[] = { REQUIRED_TEXT("username"), TLS_FILES, END };
static const struct sluice_setting api_key[] = { TEXT("header"), TEXT("query"), TLS_FILES, END };
static const struct sluice_setting files[] = { TLS_FILES, END };

static const char *const places[] = { "header", "body", NULL };

static const struct sluice_setting oauth2[] = {
	REQUIRED_TEXT("token_url"),
	REQUIRED_TEXT("client_id"),
	TEXT("scope"),
	TEXT("audience"),
	CHOICE("credentials_in", 0, places),
	TLS_FILES,
	END,
};

static const char *const schemes[] = { "standard", "github", "stripe", "slack", "hmac", NULL };

static const struct sluice_setting signature[] = {
	CHOICE("scheme", 0, schemes),
	TEXT("header"), /* with "hmac": where it stands */
	TEXT("prefix"), /* and what stands before it */
	TLS_FILES,
	END,
};

static const struct sluice_setting aws[] = {
	REQUIRED_TEXT("access_key_id"),
	TEXT("region"),
	TLS_FILES,
	END,
};

static const char *const password[] = { "password", NULL };
static const char *const key[] = { "key", NULL };
static const char *const token[] = { "token", NULL };
static const char *const client_secret[] = { "client_secret", NULL };
static const char *const secret[] = { "secret", NULL };
static const char *const aws_secrets[] = { "secret_access_key", "session_token", NULL };
static const char *const none[] = { NULL };

static const struct sluice_bridge_kind connections[] = {
	{ "basic", basic, password },
	{ "api-key", api_key, key },
	{ "bearer", files, token },
	{ "oauth2", oauth2, client_secret },
	{ "signature", signature, secret },
	{ "aws", aws, aws_secrets },
	{ "tls", files, none },
	{ NULL, NULL, NULL },
};

const struct sluice_bridge_kind *const sluice_bridge_kinds[SLUICE_BRIDGE_ROLES] = {
	[SLUICE_BRIDGE_TARGET] = targets,
	[SLUICE_BRIDGE_SOURCE] = sources,
	[SLUICE_BRIDGE_CONNECTION] = connections,
};

const struct sluice_setting_need sluice_setting_needs[] = {
	{ SLUICE_BRIDGE_TARGET, "aws", "service", "lambda", "function" },
	{ SLUICE_BRIDGE_TARGET, "aws", "service", "sqs", "queue_url" },
	{ SLUICE_BRIDGE_TARGET, "aws", "service", "sns", "topic_arn" },
	{ SLUICE_BRIDGE_TARGET, "aws", "service", "kinesis", "stream" },
	{ SLUICE_BRIDGE_TARGET, "push", "service", "ntfy", "name" },
	{ SLUICE_BRIDGE_TARGET, "push", "service", "gotify", "url" },
	{ SLUICE_BRIDGE_TARGET, "push", "service", "telegram", "chat" },
	{ SLUICE_BRIDGE_TARGET, "push", "service", "twilio", "account" },
	{ SLUICE_BRIDGE_TARGET, "push", "service", "twilio", "from" },
	{ SLUICE_BRIDGE_TARGET, "push", "service", "twilio", "to" },
	{ SLUICE_BRIDGE_TARGET, "push", "service", "fcm", "project" },
	{ SLUICE_BRIDGE_TARGET, "push", "service", "fcm", "device|name" },
	{ SLUICE_BRIDGE_CONNECTION, "api-key", NULL, NULL, "header|query" },
	{ SLUICE_BRIDGE_CONNECTION, "signature", "scheme", "hmac", "header" },
	{ SLUICE_BRIDGE_TARGET, NULL, NULL, NULL, NULL },
};
