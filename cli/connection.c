/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "connection.h"

#include <ctype.h>
#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lines.h"
#include "output.h"

enum { DEFAULT_TIMEOUT_S = 10, DEFAULT_KEEPALIVE_S = 60, MAX_TIMEOUT_S = 86400 };

/* Where to connect and as whom. The strings point into the arguments, the config file or `url`. */
struct settings {
	const char *host, *unix_path, *bind_address;
	const char *username, *password, *id, *id_prefix;
	const char *cafile, *capath, *cert, *key, *tls_version, *ciphers;
	int64_t port, keepalive_s, timeout_s;
	int protocol;
	bool tls, os_certs, insecure;
	char *url; /* owned: -L taken apart */
};

struct connection {
	struct mosquitto *mosq;
	connection_message_fn message;
	void *arg;
	int64_t timeout_ms;
	bool connected;
	bool failed;
	struct sluice_error error; /* why, when failed */
	char title[128];
};

/* --- settings --- */

static enum sluice_status bad(struct sluice_error *error, const char *option, const char *value,
                              const char *wanted)
{
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "--%s: \"%s\" is no %s",
	                        option, value, wanted);
}

/* Replaces %XX in place. */
static void unescape_url(char *text)
{
	char *out = text;
	for (; *text; text++) {
		if (text[0] == '%' && isxdigit((unsigned char)text[1]) &&
		    isxdigit((unsigned char)text[2])) {
			char digits[3] = { text[1], text[2], '\0' };
			*out++ = (char)strtol(digits, NULL, 16);
			text += 2;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

/* mqtt[s]://[username[:password]@]host[:port] */
static enum sluice_status set_url(struct settings *settings, const char *url,
                                  struct sluice_error *error)
{
	const char *rest;
	if (strncmp(url, "mqtt://", 7) == 0)
		rest = url + 7;
	else if (strncmp(url, "mqtts://", 8) == 0)
		rest = url + 8;
	else
		return bad(error, "url", url, "mqtt:// or mqtts:// URL");
	free(settings->url);
	char *host = settings->url = strdup(rest);
	if (!host)
		return sluice_out_of_memory(error);
	if (url[4] == 's')
		settings->tls = settings->os_certs = true;
	char *slash = strchr(host, '/');
	if (slash && slash[1])
		return bad(error, "url", url, "URL of a broker alone: it names a topic");
	if (slash)
		*slash = '\0';
	char *at = strrchr(host, '@');
	if (at) {
		char *username = host;
		*at = '\0';
		host = at + 1;
		char *colon = strchr(username, ':');
		if (colon) {
			*colon = '\0';
			unescape_url(colon + 1);
			settings->password = colon + 1;
		}
		unescape_url(username);
		settings->username = username;
	}
	/* An IPv6 address stands in brackets. */
	char *port = NULL;
	if (host[0] == '[') {
		char *close = strchr(host, ']');
		if (!close)
			return bad(error, "url", url, "URL: a bracket is missing");
		*close = '\0';
		host++;
		if (close[1] == ':')
			port = close + 2;
	} else if ((port = strchr(host, ':')) != NULL) {
		*port++ = '\0';
	}
	if (port &&
	    (!parse_integer(port, &settings->port) || settings->port < 1 || settings->port > 65535))
		return bad(error, "url", url, "URL: its port is no port");
	if (!host[0])
		return bad(error, "url", url, "URL: its host is missing");
	settings->host = host;
	return SLUICE_OK;
}

static enum sluice_status set_integer(int64_t *into, const char *name, const char *value,
                                      int64_t min, int64_t max, struct sluice_error *error)
{
	char wanted[80];
	snprintf(wanted, sizeof(wanted), "whole number from %lld to %lld", (long long)min,
	         (long long)max);
	if (!parse_integer(value, into) || *into < min || *into > max)
		return bad(error, name, value, wanted);
	return SLUICE_OK;
}

static enum sluice_status set_protocol(struct settings *settings, const char *value,
                                       struct sluice_error *error)
{
	if (strcmp(value, "mqttv5") == 0 || strcmp(value, "5") == 0)
		settings->protocol = MQTT_PROTOCOL_V5;
	else if (strcmp(value, "mqttv311") == 0 || strcmp(value, "311") == 0)
		settings->protocol = MQTT_PROTOCOL_V311;
	else
		return bad(error, "protocol-version", value, "version: mqttv5 or mqttv311");
	return SLUICE_OK;
}

/* Takes one option in, of the config file or the command line; those of other groups are none of
 * ours. */
static enum sluice_status set_option(struct settings *settings, const char *name, const char *value,
                                     struct sluice_error *error)
{
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
		{ "host", &settings->host },
		{ "unix", &settings->unix_path },
		{ "bind", &settings->bind_address },
		{ "username", &settings->username },
		{ "pw", &settings->password },
		{ "id", &settings->id },
		{ "id-prefix", &settings->id_prefix },
		{ "cafile", &settings->cafile },
		{ "capath", &settings->capath },
		{ "cert", &settings->cert },
		{ "key", &settings->key },
		{ "tls-version", &settings->tls_version },
		{ "ciphers", &settings->ciphers },
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(name, texts[i].name) != 0)
			continue;
		*texts[i].text = value;
		/* The later one of a host and a socket holds. */
		if (texts[i].text == &settings->host)
			settings->unix_path = NULL;
		return SLUICE_OK;
	}
	if (strcmp(name, "port") == 0)
		return set_integer(&settings->port, name, value, 1, 65535, error);
	if (strcmp(name, "keepalive") == 0)
		return set_integer(&settings->keepalive_s, name, value, 5, 65535, error);
	if (strcmp(name, "timeout") == 0)
		return set_integer(&settings->timeout_s, name, value, 1, MAX_TIMEOUT_S, error);
	if (strcmp(name, "protocol-version") == 0)
		return set_protocol(settings, value, error);
	if (strcmp(name, "url") == 0)
		return set_url(settings, value, error);
	if (strcmp(name, "tls-use-os-certs") == 0)
		settings->os_certs = true;
	if (strcmp(name, "insecure") == 0)
		settings->insecure = true;
	return SLUICE_OK;
}

/* --- the config file --- */

static FILE *open_config(char *path, size_t size)
{
	const char *home = getenv("XDG_CONFIG_HOME");
	if (home && home[0]) {
		snprintf(path, size, "%s/sluice", home);
	} else {
		home = getenv("HOME");
		if (!home)
			return NULL;
		snprintf(path, size, "%s/.config/sluice", home);
	}
	return fopen(path, "re");
}

/* One line: an option, and its value after white space. `line` is changed. */
static enum sluice_status read_config_line(struct settings *settings, char *line,
                                           struct sluice_error *error)
{
	static const struct option *const lists[] = { connection_options, NULL };
	char *end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = '\0';
	if (line[0] == '\0' || line[0] == '#')
		return SLUICE_OK;
	char *value = line + strcspn(line, " \t");
	if (*value) {
		*value++ = '\0';
		value += strspn(value, " \t");
	}
	const struct option *option = NULL;
	if (line[0] == '-' && line[1] == '-')
		option = option_find(lists, sluice_str(line + 2));
	else if (line[0] == '-' && line[1] && !line[2])
		option = option_find_letter(lists, line[1]);
	if (!option)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "unknown option %s", line);
	if (!option->value != !value[0])
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        option->value ? "%s needs a value" : "%s takes no value",
		                        line);
	return set_option(settings, option->name, value, error);
}

/* *text gets the file's lines, which the settings point into; to be freed with them. */
static enum sluice_status read_config(struct settings *settings, struct sluice_buffer *text,
                                      struct sluice_error *error)
{
	char path[4096];
	FILE *file = open_config(path, sizeof(path));
	if (!file)
		return SLUICE_OK;
	fclose(file);
	/* A folder of that name, say, is no config file of ours. */
	if (file_read(path, text, NULL) != SLUICE_OK || text->len == 0)
		return SLUICE_OK;
	size_t number = 0;
	for (char *line = text->data; line;) {
		char *newline = strchr(line, '\n');
		if (newline)
			*newline = '\0';
		number++;
		struct sluice_error fault;
		enum sluice_status status = read_config_line(settings, line, &fault);
		if (status != SLUICE_OK)
			return sluice_error_set(error, status, SIZE_MAX, NULL, "%s:%zu: %s", path,
			                        number, fault.message);
		line = newline ? newline + 1 : NULL;
	}
	return SLUICE_OK;
}

/* --- connecting --- */

/* A failure that keeps the connection from being of use; the first one is kept. */
static void lose(struct connection *connection, const char *reason)
{
	if (connection->failed)
		return;
	connection->failed = true;
	sluice_error_set(&connection->error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%s: %s",
	                 connection->title, reason);
}

static void on_connect(struct mosquitto *mosq, void *userdata, int reason, int flags,
                       const mosquitto_property *properties)
{
	struct connection *connection = userdata;
	(void)flags;
	(void)properties;
	if (reason == 0) {
		connection->connected = true;
		return;
	}
	/* 3.1.1's codes end at 5, 5.0's begin at 128. */
	char text[128];
	snprintf(text, sizeof(text), "the broker refused the connection: %s",
	         reason < 128 ? mosquitto_connack_string(reason) : mosquitto_reason_string(reason));
	lose(connection, text);
	mosquitto_disconnect(mosq);
}

static void on_disconnect(struct mosquitto *mosq, void *userdata, int reason,
                          const mosquitto_property *properties)
{
	struct connection *connection = userdata;
	(void)mosq;
	(void)properties;
	char text[160];
	snprintf(text, sizeof(text), "the broker closed the connection%s%s",
	         reason >= 128 ? ": " : "", reason >= 128 ? mosquitto_reason_string(reason) : "");
	lose(connection, text);
}

static void on_publish(struct mosquitto *mosq, void *userdata, int id, int reason,
                       const mosquitto_property *properties)
{
	struct connection *connection = userdata;
	(void)mosq;
	(void)id;
	(void)properties;
	if (reason < 128)
		return;
	char text[160];
	snprintf(text, sizeof(text), "the broker refused the command: %s%s",
	         mosquitto_reason_string(reason),
	         reason == MQTT_RC_NOT_AUTHORIZED ? " (see its ACLs for $CONTROL/sluice/v1)" : "");
	lose(connection, text);
}

static void on_message(struct mosquitto *mosq, void *userdata,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
	struct connection *connection = userdata;
	(void)mosq;
	(void)properties;
	struct sluice_str payload = { message->payload ? message->payload : "",
		                      (size_t)message->payloadlen };
	connection->message(connection->arg, message->topic, payload);
}

static int set_tls(struct mosquitto *mosq, const struct settings *settings)
{
	int rc = MOSQ_ERR_SUCCESS;
	if (settings->cafile || settings->capath) {
		rc = mosquitto_tls_set(mosq, settings->cafile, settings->capath, settings->cert,
		                       settings->key, NULL);
	} else if (settings->os_certs || settings->cert || settings->key || settings->tls) {
		rc = mosquitto_int_option(mosq, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
		/* The system's authorities, and a client certificate with them. */
		if (rc == MOSQ_ERR_SUCCESS && (settings->cert || settings->key))
			rc = mosquitto_tls_set(mosq, NULL, "/etc/ssl/certs", settings->cert,
			                       settings->key, NULL);
	}
	if (rc == MOSQ_ERR_SUCCESS && (settings->tls_version || settings->ciphers))
		rc = mosquitto_tls_opts_set(mosq, 1, settings->tls_version, settings->ciphers);
	if (rc == MOSQ_ERR_SUCCESS && settings->insecure)
		rc = mosquitto_tls_insecure_set(mosq, true);
	return rc;
}

static bool wants_tls(const struct settings *settings)
{
	return settings->tls || settings->cafile || settings->capath || settings->os_certs;
}

static enum cli_exit start(struct connection *connection, const struct settings *settings,
                           struct sluice_error *error)
{
	char id[256];
	const char *client_id = settings->id;
	if (!client_id && settings->id_prefix) {
		snprintf(id, sizeof(id), "%s%ld", settings->id_prefix, (long)getpid());
		client_id = id;
	}
	connection->mosq = mosquitto_new(client_id, true, connection);
	if (!connection->mosq) {
		sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL,
		                 errno == EINVAL ? "the client id is not valid" : "out of memory");
		return errno == EINVAL ? CLI_USAGE : CLI_SYSTEM;
	}
	struct mosquitto *mosq = connection->mosq;
	mosquitto_connect_v5_callback_set(mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(mosq, on_disconnect);
	mosquitto_publish_v5_callback_set(mosq, on_publish);
	mosquitto_message_v5_callback_set(mosq, on_message);
	int rc = mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, settings->protocol);
	if (rc == MOSQ_ERR_SUCCESS && (settings->username || settings->password))
		rc = mosquitto_username_pw_set(mosq, settings->username, settings->password);
	if (rc != MOSQ_ERR_SUCCESS) {
		sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "%s",
		                 mosquitto_strerror(rc));
		return CLI_USAGE;
	}
	rc = set_tls(mosq, settings);
	if (rc != MOSQ_ERR_SUCCESS) {
		sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                 "the TLS options do not fit (certificates that cannot be read, a "
		                 "certificate without its key): %s",
		                 mosquitto_strerror(rc));
		return CLI_USAGE;
	}
	errno = 0;
	/* A path with port 0 is a unix socket to libmosquitto. */
	rc = mosquitto_connect_bind_v5(mosq,
	                               settings->unix_path ? settings->unix_path : settings->host,
	                               settings->unix_path ? 0 : (int)settings->port,
	                               (int)settings->keepalive_s, settings->bind_address, NULL);
	if (rc != MOSQ_ERR_SUCCESS) {
		sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "cannot connect to %s: %s",
		                 connection->title,
		                 rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
		return CLI_BROKER;
	}
	return CLI_OK;
}

static enum cli_exit await_connack(struct connection *connection, struct sluice_error *error)
{
	int64_t deadline = clock_ms() + connection->timeout_ms;
	while (!connection->connected) {
		int64_t left = deadline - clock_ms();
		if (left <= 0) {
			sluice_error_set(error, SLUICE_ERR_BUSY, SIZE_MAX, NULL,
			                 "%s: the broker did not accept the connection within "
			                 "%lld s",
			                 connection->title,
			                 (long long)(connection->timeout_ms / 1000));
			return CLI_BROKER;
		}
		enum cli_exit code =
		        connection_step(connection, left > 1000 ? 1000 : (int)left, error);
		if (code != CLI_OK)
			return code;
	}
	return CLI_OK;
}

enum cli_exit connection_open(const struct arguments *args, connection_message_fn message,
                              void *arg, struct connection **connection, struct sluice_error *error)
{
	struct settings settings = { .host = "localhost",
		                     .keepalive_s = DEFAULT_KEEPALIVE_S,
		                     .timeout_s = DEFAULT_TIMEOUT_S,
		                     .protocol = MQTT_PROTOCOL_V5 };
	struct sluice_buffer config = { 0 };
	*connection = NULL;
	enum cli_exit code = CLI_SYSTEM;
	struct connection *made = calloc(1, sizeof(*made));
	if (!made) {
		sluice_out_of_memory(error);
		return code;
	}
	mosquitto_lib_init();
	enum sluice_status status = read_config(&settings, &config, error);
	for (size_t i = 0; i < args->given_count && status == SLUICE_OK; i++)
		status = set_option(&settings, args->given[i].option->name, args->given[i].value,
		                    error);
	if (status != SLUICE_OK) {
		code = status == SLUICE_ERR_NOMEM ? CLI_SYSTEM : CLI_USAGE;
		goto done;
	}
	if (!settings.port)
		settings.port = wants_tls(&settings) ? 8883 : 1883;
	made->message = message;
	made->arg = arg;
	made->timeout_ms = settings.timeout_s * 1000;
	if (settings.unix_path)
		snprintf(made->title, sizeof(made->title), "%s", settings.unix_path);
	else
		snprintf(made->title, sizeof(made->title), "%s:%d", settings.host,
		         (int)settings.port);
	code = start(made, &settings, error);
	if (code == CLI_OK)
		code = await_connack(made, error);
done:
	free(settings.url);
	sluice_buffer_finish(&config);
	if (code == CLI_OK)
		*connection = made;
	else
		connection_close(made);
	return code;
}

void connection_close(struct connection *connection)
{
	if (!connection)
		return;
	if (connection->mosq && connection->connected && !connection->failed) {
		/* What is still to be said goes out with the DISCONNECT. */
		mosquitto_disconnect(connection->mosq);
		mosquitto_loop(connection->mosq, 0, 1);
	}
	mosquitto_destroy(connection->mosq);
	mosquitto_lib_cleanup();
	free(connection);
}

enum cli_exit connection_publish(struct connection *connection, const char *topic,
                                 struct sluice_str payload, struct sluice_error *error)
{
	if (payload.len > 268435455) {
		sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                 "larger than an MQTT message can be");
		return CLI_INVALID;
	}
	int rc = mosquitto_publish_v5(connection->mosq, NULL, topic, (int)payload.len, payload.data,
	                              1, false, NULL);
	if (rc == MOSQ_ERR_SUCCESS)
		return CLI_OK;
	sluice_error_set(error, rc == MOSQ_ERR_NOMEM ? SLUICE_ERR_NOMEM : SLUICE_ERR_IO, SIZE_MAX,
	                 NULL, "%s: cannot send the command: %s", connection->title,
	                 rc == MOSQ_ERR_OVERSIZE_PACKET ? "larger than the broker takes"
	                                                : mosquitto_strerror(rc));
	return CLI_BROKER;
}

enum cli_exit connection_step(struct connection *connection, int wait_ms,
                              struct sluice_error *error)
{
	errno = 0;
	int rc = connection->failed ? MOSQ_ERR_CONN_LOST
	                            : mosquitto_loop(connection->mosq, wait_ms, 1);
	if (rc != MOSQ_ERR_SUCCESS && rc != MOSQ_ERR_NO_CONN && errno == EINTR)
		return CLI_OK;
	if (rc != MOSQ_ERR_SUCCESS)
		lose(connection,
		     rc == MOSQ_ERR_ERRNO && errno ? strerror(errno) : mosquitto_strerror(rc));
	if (!connection->failed)
		return CLI_OK;
	if (error)
		*error = connection->error;
	return CLI_BROKER;
}

int64_t connection_timeout_ms(const struct connection *connection)
{
	return connection->timeout_ms;
}

const char *connection_title(const struct connection *connection)
{
	return connection->title;
}
