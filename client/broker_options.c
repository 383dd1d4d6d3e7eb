/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "broker_options.h"

#include <ctype.h>
#include <errno.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "file.h"

enum { DEFAULT_TIMEOUT_S = 10, DEFAULT_KEEPALIVE_S = 60, MAX_TIMEOUT_S = 86400 };

const struct option connection_options[] = {
	{ "host", 'h', "HOST", "the broker's host (localhost)", NULL },
	{ "port", 'p', "PORT", "its port (1883, with TLS 8883)", NULL },
	{ "unix", 0, "PATH", "connect through this unix socket instead", "@file" },
	{ "url", 'L', "URL", "mqtt[s]://[username[:password]@]host[:port]", NULL },
	{ "username", 'u', "NAME", "username", NULL },
	{ "pw", 'P', "PASSWORD", "password", NULL },
	{ "id", 'i', "ID", "client id (the broker's choice)", NULL },
	{ "id-prefix", 'I', "PREFIX", "client id: this and the process id", NULL },
	{ "keepalive", 'k', "SECONDS", "keepalive (60)", NULL },
	{ "protocol-version", 'V', "VERSION", "mqttv5 (default) or mqttv311", "mqttv5 mqttv311" },
	{ "bind", 'A', "ADDRESS", "local address to connect from", NULL },
	{ "cafile", 0, "FILE", "certificates of authorities to trust; turns TLS on", "@file" },
	{ "capath", 0, "DIR", "a folder of such certificates", "@dir" },
	{ "cert", 0, "FILE", "client certificate", "@file" },
	{ "key", 0, "FILE", "its private key", "@file" },
	{ "tls-version", 0, "VERSION", "tlsv1.3, tlsv1.2", "tlsv1.3 tlsv1.2" },
	{ "ciphers", 0, "CIPHERS", "TLS ciphers", NULL },
	{ "tls-use-os-certs", 0, NULL, "trust the system's authorities; turns TLS on", NULL },
	{ "insecure", 0, NULL, "do not check that the certificate is the host's", NULL },
	{ "timeout", 0, "SECONDS", "how long to wait for the broker's answer (10)", NULL },
	{ 0 },
};

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
static enum sluice_status set_url(struct broker_options *options, const char *url,
                                  struct sluice_error *error)
{
	const char *rest;
	if (strncmp(url, "mqtt://", 7) == 0)
		rest = url + 7;
	else if (strncmp(url, "mqtts://", 8) == 0)
		rest = url + 8;
	else
		return bad(error, "url", url, "mqtt:// or mqtts:// URL");
	free(options->url);
	char *host = options->url = strdup(rest);
	if (!host)
		return sluice_out_of_memory(error);
	if (url[4] == 's')
		options->tls = options->os_certs = true;
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
			options->password = colon + 1;
		}
		unescape_url(username);
		options->username = username;
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
	    (!parse_integer(port, &options->port) || options->port < 1 || options->port > 65535))
		return bad(error, "url", url, "URL: its port is no port");
	if (!host[0])
		return bad(error, "url", url, "URL: its host is missing");
	options->host = host;
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

static enum sluice_status set_protocol(struct broker_options *options, const char *value,
                                       struct sluice_error *error)
{
	if (strcmp(value, "mqttv5") == 0 || strcmp(value, "5") == 0)
		options->protocol = MQTT_PROTOCOL_V5;
	else if (strcmp(value, "mqttv311") == 0 || strcmp(value, "311") == 0)
		options->protocol = MQTT_PROTOCOL_V311;
	else
		return bad(error, "protocol-version", value, "version: mqttv5 or mqttv311");
	return SLUICE_OK;
}

/* Takes one option in, of the config file or the command line; those of other groups are none of
 * ours. */
static enum sluice_status set_option(struct broker_options *options, const char *name,
                                     const char *value, struct sluice_error *error)
{
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
		{ "host", &options->host },
		{ "unix", &options->unix_path },
		{ "bind", &options->bind_address },
		{ "username", &options->username },
		{ "pw", &options->password },
		{ "id", &options->id },
		{ "id-prefix", &options->id_prefix },
		{ "cafile", &options->cafile },
		{ "capath", &options->capath },
		{ "cert", &options->cert },
		{ "key", &options->key },
		{ "tls-version", &options->tls_version },
		{ "ciphers", &options->ciphers },
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(name, texts[i].name) != 0)
			continue;
		*texts[i].text = value;
		/* The later one of a host and a socket holds. */
		if (texts[i].text == &options->host)
			options->unix_path = NULL;
		return SLUICE_OK;
	}
	if (strcmp(name, "port") == 0)
		return set_integer(&options->port, name, value, 1, 65535, error);
	if (strcmp(name, "keepalive") == 0)
		return set_integer(&options->keepalive_s, name, value, 5, 65535, error);
	if (strcmp(name, "timeout") == 0)
		return set_integer(&options->timeout_s, name, value, 1, MAX_TIMEOUT_S, error);
	if (strcmp(name, "protocol-version") == 0)
		return set_protocol(options, value, error);
	if (strcmp(name, "url") == 0)
		return set_url(options, value, error);
	if (strcmp(name, "tls-use-os-certs") == 0)
		options->os_certs = true;
	if (strcmp(name, "insecure") == 0)
		options->insecure = true;
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
static enum sluice_status read_config_line(struct broker_options *options, char *line,
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
	return set_option(options, option->name, value, error);
}

/* *text gets the file's lines, which the settings point into; to be freed with them. */
static enum sluice_status read_config(struct broker_options *options, struct sluice_buffer *text,
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
		enum sluice_status status = read_config_line(options, line, &fault);
		if (status != SLUICE_OK)
			return sluice_error_set(error, status, SIZE_MAX, NULL, "%s:%zu: %s", path,
			                        number, fault.message);
		line = newline ? newline + 1 : NULL;
	}
	return SLUICE_OK;
}

static int set_tls(struct mosquitto *mosq, const struct broker_options *options)
{
	int rc = MOSQ_ERR_SUCCESS;
	if (options->cafile || options->capath) {
		rc = mosquitto_tls_set(mosq, options->cafile, options->capath, options->cert,
		                       options->key, NULL);
	} else if (options->os_certs || options->cert || options->key || options->tls) {
		rc = mosquitto_int_option(mosq, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
		/* The system's authorities, and a client certificate with them. */
		if (rc == MOSQ_ERR_SUCCESS && (options->cert || options->key))
			rc = mosquitto_tls_set(mosq, NULL, "/etc/ssl/certs", options->cert,
			                       options->key, NULL);
	}
	if (rc == MOSQ_ERR_SUCCESS && (options->tls_version || options->ciphers))
		rc = mosquitto_tls_opts_set(mosq, 1, options->tls_version, options->ciphers);
	if (rc == MOSQ_ERR_SUCCESS && options->insecure)
		rc = mosquitto_tls_insecure_set(mosq, true);
	return rc;
}

static bool wants_tls(const struct broker_options *options)
{
	return options->tls || options->cafile || options->capath || options->os_certs;
}

enum sluice_status broker_options_read(const struct arguments *args, struct broker_options *options,
                                       struct sluice_error *error)
{
	*options = (struct broker_options){ .host = "localhost",
		                            .keepalive_s = DEFAULT_KEEPALIVE_S,
		                            .timeout_s = DEFAULT_TIMEOUT_S,
		                            .protocol = MQTT_PROTOCOL_V5 };
	enum sluice_status status = read_config(options, &options->config, error);
	for (size_t i = 0; i < args->given_count && status == SLUICE_OK; i++)
		status = set_option(options, args->given[i].option->name, args->given[i].value,
		                    error);
	if (status != SLUICE_OK)
		return status;
	if (!options->port)
		options->port = wants_tls(options) ? 8883 : 1883;
	if (options->unix_path)
		snprintf(options->title, sizeof(options->title), "%s", options->unix_path);
	else
		snprintf(options->title, sizeof(options->title), "%s:%d", options->host,
		         (int)options->port);
	return SLUICE_OK;
}

void broker_options_finish(struct broker_options *options)
{
	free(options->url);
	sluice_buffer_finish(&options->config);
	*options = (struct broker_options){ 0 };
}

struct mosquitto *broker_client_create(const struct broker_options *options, void *userdata,
                                       struct sluice_error *error)
{
	char id[256];
	const char *client_id = options->id;
	if (!client_id && options->id_prefix) {
		snprintf(id, sizeof(id), "%s%ld", options->id_prefix, (long)getpid());
		client_id = id;
	}
	struct mosquitto *mosq = mosquitto_new(client_id, true, userdata);
	if (!mosq) {
		bool wrong = errno == EINVAL;
		sluice_error_set(error, wrong ? SLUICE_ERR_INVALID : SLUICE_ERR_NOMEM, SIZE_MAX,
		                 NULL, wrong ? "the client id is not valid" : "out of memory");
		return NULL;
	}
	int rc = mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, options->protocol);
	if (rc == MOSQ_ERR_SUCCESS && (options->username || options->password))
		rc = mosquitto_username_pw_set(mosq, options->username, options->password);
	const char *what = "";
	if (rc == MOSQ_ERR_SUCCESS) {
		what = "the TLS options do not fit (certificates that cannot be read, a "
		       "certificate without its key): ";
		rc = set_tls(mosq, options);
	}
	if (rc == MOSQ_ERR_SUCCESS)
		return mosq;
	sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "%s%s", what,
	                 mosquitto_strerror(rc));
	mosquitto_destroy(mosq);
	return NULL;
}

const char *broker_host(const struct broker_options *options)
{
	return options->unix_path ? options->unix_path : options->host;
}

int broker_port(const struct broker_options *options)
{
	return options->unix_path ? 0 : (int)options->port;
}
