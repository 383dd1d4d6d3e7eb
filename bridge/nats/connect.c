/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 2000, AGAIN_MS = 1000, WRITE_MS = 5000, PING_MS = 20000, PINGS_OUT = 2 };

/* An absent text is NULL. False when out of memory. */
static bool copy(char **into, struct sluice_str text)
{
	if (!text.data)
		return true;
	*into = strndup(text.data, text.len);
	return *into != NULL;
}

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static bool copy_urls(struct nats_settings *settings, const struct sluice_json *urls)
{
	settings->urls = calloc(urls->count, sizeof *settings->urls);
	if (!settings->urls)
		return false;
	for (const struct sluice_json *at = urls->first; at; at = at->next) {
		if (!copy(&settings->urls[settings->url_count], at->string))
			return false;
		settings->url_count++;
	}
	const char *host = strrchr(settings->urls[0], '@');
	snprintf(settings->title, sizeof(settings->title), "%s",
	         host ? host + 1 : settings->urls[0]);
	return true;
}

static bool copy_credentials(struct nats_settings *settings, const struct credentials *credentials)
{
	if (credentials_are(credentials, "basic") &&
	    (!copy(&settings->username, credentials_setting(credentials, "username")) ||
	     !copy(&settings->password, sluice_str(credentials_secret(credentials, "password")))))
		return false;
	if (credentials_are(credentials, "bearer") &&
	    !copy(&settings->token, sluice_str(credentials_secret(credentials, "token"))))
		return false;
	return copy(&settings->ca_file, credentials_setting(credentials, "ca_file")) &&
	       copy(&settings->cert_file, credentials_setting(credentials, "cert_file")) &&
	       copy(&settings->key_file, credentials_setting(credentials, "key_file"));
}

enum sluice_status nats_settings_read(struct nats_settings *settings,
                                      const struct sluice_json *json,
                                      const struct credentials *credentials,
                                      struct sluice_error *error)
{
	if (credentials && !credentials_are(credentials, "basic") &&
	    !credentials_are(credentials, "bearer") && !credentials_are(credentials, "tls"))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.connection",
		                        "NATS takes a connection of kind basic, bearer or tls");
	if (!copy_urls(settings, sluice_setting_node(json, "urls")) ||
	    !copy(&settings->creds_file, sluice_setting_text(json, "creds_file")) ||
	    (credentials && !copy_credentials(settings, credentials)))
		return sluice_out_of_memory(error);
	settings->tls = settings->ca_file || settings->cert_file;
	return SLUICE_OK;
}

void nats_settings_finish(struct nats_settings *settings)
{
	for (int i = 0; i < settings->url_count; i++)
		wipe(settings->urls[i]);
	free(settings->urls);
	free(settings->creds_file);
	free(settings->username);
	wipe(settings->password);
	wipe(settings->token);
	free(settings->ca_file);
	free(settings->cert_file);
	free(settings->key_file);
	*settings = (struct nats_settings){ 0 };
}

static natsStatus set_who(const struct nats_settings *settings, natsOptions *options)
{
	natsStatus status = NATS_OK;
	if (settings->username)
		status = natsOptions_SetUserInfo(options, settings->username,
		                                 settings->password ? settings->password : "");
	if (status == NATS_OK && settings->token)
		status = natsOptions_SetToken(options, settings->token);
	if (status == NATS_OK && settings->creds_file)
		status = natsOptions_SetUserCredentialsFromFiles(options, settings->creds_file,
		                                                 NULL);
	if (status == NATS_OK && settings->tls)
		status = natsOptions_SetSecure(options, true);
	if (status == NATS_OK && settings->ca_file)
		status = natsOptions_LoadCATrustedCertificates(options, settings->ca_file);
	if (status == NATS_OK && settings->cert_file)
		status = natsOptions_LoadCertificatesChain(options, settings->cert_file,
		                                           settings->key_file);
	return status;
}

static void on_closed(natsConnection *connection, void *arg)
{
	(void)connection;
	uv_sem_post(&((struct nats_link *)arg)->closed);
}

static void on_completed(void *arg)
{
	uv_sem_post(&((struct nats_link *)arg)->completed);
}

/* Without one libnats writes to standard error. What it tells of has its own end: a publish without
 * permission is not acknowledged in time. */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *arg)
{
	(void)connection;
	(void)subscription;
	(void)status;
	(void)arg;
}

static natsStatus set_how(const struct nats_settings *settings,
                          const struct nats_callbacks *callbacks, struct nats_link *link,
                          natsOptions *options)
{
	natsStatus status =
	        natsOptions_SetServers(options, (const char **)settings->urls, settings->url_count);
	if (status == NATS_OK)
		status = natsOptions_SetName(options, "sluice-bridge");
	if (status == NATS_OK)
		status = natsOptions_SetTimeout(options, CONNECT_MS);
	if (status == NATS_OK)
		status = natsOptions_SetMaxReconnect(options, -1);
	if (status == NATS_OK)
		status = natsOptions_SetReconnectWait(options, AGAIN_MS);
	if (status == NATS_OK)
		status = natsOptions_SetPingInterval(options, PING_MS);
	if (status == NATS_OK)
		status = natsOptions_SetMaxPingsOut(options, PINGS_OUT);
	if (status == NATS_OK)
		status = natsOptions_SetWriteDeadline(options, WRITE_MS);
	if (status == NATS_OK)
		status = natsOptions_SetDisconnectedCB(options, callbacks->disconnected,
		                                       callbacks->arg);
	if (status == NATS_OK)
		status = natsOptions_SetReconnectedCB(options, callbacks->reconnected,
		                                      callbacks->arg);
	if (status == NATS_OK)
		status = natsOptions_SetErrorHandler(options, on_error, NULL);
	if (status == NATS_OK)
		status = natsOptions_SetClosedCB(options, on_closed, link);
	return status;
}

static natsStatus subscribe(struct nats_link *link, const struct nats_callbacks *callbacks)
{
	if (!callbacks->message)
		return NATS_OK;
	natsStatus status =
	        natsConnection_Subscribe(&link->subscription, link->connection, callbacks->subject,
	                                 callbacks->message, callbacks->arg);
	if (status == NATS_OK)
		status = natsSubscription_SetPendingLimits(link->subscription, -1, -1);
	if (status == NATS_OK)
		status = natsSubscription_SetOnCompleteCB(link->subscription, on_completed, link);
	if (status != NATS_OK) {
		/* Nobody waits for what will not be told. */
		natsSubscription_Destroy(link->subscription);
		link->subscription = NULL;
	}
	return status;
}

bool nats_link_open(struct nats_link *link, const struct nats_settings *settings,
                    const struct nats_callbacks *callbacks, char *why, size_t why_size)
{
	natsOptions *options = NULL;
	*link = (struct nats_link){ 0 };
	if (uv_sem_init(&link->closed, 0) != 0 || uv_sem_init(&link->completed, 0) != 0) {
		snprintf(why, why_size, "out of memory");
		return false;
	}
	natsStatus status = natsOptions_Create(&options);
	if (status == NATS_OK)
		status = set_how(settings, callbacks, link, options);
	if (status == NATS_OK)
		status = set_who(settings, options);
	if (status == NATS_OK)
		status = natsConnection_Connect(&link->connection, options);
	if (status == NATS_OK)
		status = subscribe(link, callbacks);
	natsOptions_Destroy(options);
	if (status == NATS_OK)
		return true;
	/* libnats's own words are longer, and may quote what it was given. */
	snprintf(why, why_size, "%s: %s", settings->title, natsStatus_GetText(status));
	nats_link_close(link);
	return false;
}

void nats_link_close(struct nats_link *link)
{
	if (link->connection) {
		natsConnection_Close(link->connection);
		uv_sem_wait(&link->closed);
		if (link->subscription)
			uv_sem_wait(&link->completed);
		natsSubscription_Destroy(link->subscription);
		natsConnection_Destroy(link->connection);
	}
	uv_sem_destroy(&link->closed);
	uv_sem_destroy(&link->completed);
	*link = (struct nats_link){ 0 };
}

bool nats_link_is_connected(const struct nats_link *link)
{
	return link->connection &&
	       natsConnection_Status(link->connection) == NATS_CONN_STATUS_CONNECTED;
}
