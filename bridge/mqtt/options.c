/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mqtt_protocol.h>

#include "client.h"

enum { PORT = 1883, PORT_TLS = 8883 };

/* An absent text is NULL. False when out of memory, or where it holds a NUL. */
static bool copy(char **into, struct sluice_str text)
{
	if (!text.data)
		return true;
	if (memchr(text.data, '\0', text.len))
		return false;
	*into = strndup(text.data, text.len);
	return *into != NULL;
}

static bool copy_files(struct mqtt_options *options, const struct credentials *credentials)
{
	return copy(&options->ca_file, credentials_setting(credentials, "ca_file")) &&
	       copy(&options->cert_file, credentials_setting(credentials, "cert_file")) &&
	       copy(&options->key_file, credentials_setting(credentials, "key_file"));
}

enum sluice_status mqtt_options_read(struct mqtt_options *options,
                                     const struct sluice_bridge_kind *kind,
                                     const struct sluice_json *settings,
                                     const struct credentials *credentials,
                                     struct sluice_error *error)
{
	bool basic = credentials_are(credentials, "basic");
	if (credentials && !basic && !credentials_are(credentials, "tls"))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.connection",
		                        "MQTT takes a connection of kind basic or tls");
	bool copied = copy(&options->host, sluice_setting_text(settings, "host")) &&
	              copy(&options->client_id, sluice_setting_text(settings, "client_id"));
	if (copied && credentials)
		copied = copy_files(options, credentials);
	if (copied && basic) {
		copied = copy(&options->username, credentials_setting(credentials, "username")) &&
		         copy(&options->password,
		              sluice_str(credentials_secret(credentials, "password")));
	}
	if (!copied)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.settings",
		                        "a text holds a NUL, or there is no memory");
	/* Files are given to be used: nobody wants a password in the clear who names a CA. */
	options->tls = sluice_setting_bool(kind, settings, "tls") || options->ca_file ||
	               options->cert_file;
	options->port = (int)sluice_setting_integer(kind, settings, "port");
	if (options->port == 0)
		options->port = options->tls ? PORT_TLS : PORT;
	options->protocol = sluice_setting_choice(kind, settings, "protocol") == 0
	                            ? MQTT_PROTOCOL_V5
	                            : MQTT_PROTOCOL_V311;
	snprintf(options->title, sizeof(options->title), "%s:%d", options->host, options->port);
	return SLUICE_OK;
}

void mqtt_options_finish(struct mqtt_options *options)
{
	if (options->password)
		explicit_bzero(options->password, strlen(options->password));
	free(options->host);
	free(options->client_id);
	free(options->username);
	free(options->password);
	free(options->ca_file);
	free(options->cert_file);
	free(options->key_file);
	*options = (struct mqtt_options){ 0 };
}
