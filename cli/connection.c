/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "connection.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker_options.h"
#include "output.h"

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

static enum cli_exit start(struct connection *connection, const struct broker_options *options,
                           struct sluice_error *error)
{
	struct mosquitto *mosq = broker_client_create(options, connection, error);
	if (!mosq)
		return error->code == SLUICE_ERR_NOMEM ? CLI_SYSTEM : CLI_USAGE;
	connection->mosq = mosq;
	mosquitto_connect_v5_callback_set(mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(mosq, on_disconnect);
	mosquitto_publish_v5_callback_set(mosq, on_publish);
	mosquitto_message_v5_callback_set(mosq, on_message);
	errno = 0;
	int rc = mosquitto_connect_bind_v5(mosq, broker_host(options), broker_port(options),
	                                   (int)options->keepalive_s, options->bind_address, NULL);
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
	struct broker_options options;
	*connection = NULL;
	enum cli_exit code = CLI_SYSTEM;
	struct connection *made = calloc(1, sizeof(*made));
	if (!made) {
		sluice_out_of_memory(error);
		return code;
	}
	mosquitto_lib_init();
	enum sluice_status status = broker_options_read(args, &options, error);
	if (status != SLUICE_OK) {
		code = status == SLUICE_ERR_NOMEM ? CLI_SYSTEM : CLI_USAGE;
		goto done;
	}
	made->message = message;
	made->arg = arg;
	made->timeout_ms = options.timeout_s * 1000;
	memcpy(made->title, options.title, sizeof(made->title));
	code = start(made, &options, error);
	if (code == CLI_OK)
		code = await_connack(made, error);
done:
	broker_options_finish(&options);
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
