/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "auth.h"

#include <stdio.h>
#include <stdlib.h>

#include "sign.h"
#include "sluice/base64.h"
#include "transfer.h"

/* The kinds that there are for HTTP, and the secret that each can't be without. */
static const struct {
	const char *kind, *secret;
} kinds[] = {
	{ "basic", "password" },       { "api-key", "key" },      { "bearer", "token" },
	{ "oauth2", "client_secret" }, { "signature", "secret" }, { "tls", NULL },
};

/* Room for a setting's text with its NUL: a header's name, a scheme. */
enum { NAME_SIZE = 128 };

static bool copy_setting(const struct credentials *credentials, const char *name,
                         char copy[NAME_SIZE])
{
	struct sluice_str text = credentials_setting(credentials, name);
	if (text.len >= NAME_SIZE)
		return false;
	snprintf(copy, NAME_SIZE, "%.*s", (int)text.len, text.data ? text.data : "");
	return text.len > 0;
}

/* The texts live in the caller's arrays. */
static struct signer signer_of(const struct credentials *credentials, char scheme[NAME_SIZE],
                               char header[NAME_SIZE])
{
	struct signer signer = { "standard", header, credentials_secret(credentials, "secret") };
	if (copy_setting(credentials, "scheme", scheme))
		signer.scheme = scheme;
	copy_setting(credentials, "header", header);
	return signer;
}

static enum sluice_status check_names(const struct credentials *credentials,
                                      struct sluice_error *error)
{
	char scheme[NAME_SIZE], header[NAME_SIZE] = "";
	struct sluice_str named = credentials_setting(credentials, "header");
	bool names = credentials_are(credentials, "api-key") ||
	             credentials_are(credentials, "signature");
	if (names && named.data && (!http_is_token(named) || named.len >= NAME_SIZE))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "\"%.*s\" of the connection can't be the name of a header",
		                        (int)named.len, named.data);
	if (!credentials_are(credentials, "signature"))
		return SLUICE_OK;
	struct signer signer = signer_of(credentials, scheme, header);
	return signer_is_valid(&signer)
	               ? SLUICE_OK
	               : sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
	                                  "the connection's secret must be base64, as a rule with "
	                                  "\"whsec_\" before it");
}

enum sluice_status http_auth_check(const struct credentials *credentials,
                                   struct sluice_error *error)
{
	if (!credentials)
		return SLUICE_OK;
	size_t kind = 0, count = sizeof(kinds) / sizeof(kinds[0]);
	while (kind < count && !credentials_are(credentials, kinds[kind].kind))
		kind++;
	if (kind == count)
		return sluice_error_set(
		        error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		        "a connection of this kind is none that HTTP has a use for");
	const char *secret =
	        kinds[kind].secret ? credentials_secret(credentials, kinds[kind].secret) : "";
	if (!secret)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "the connection has no secret \"%s\"", kinds[kind].secret);
	/* In base64 (basic) and in a form (oauth2) anything may stand. */
	if ((credentials_are(credentials, "bearer") || credentials_are(credentials, "api-key")) &&
	    !http_is_value(sluice_str(secret)))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "the connection's secret \"%s\" holds a control character",
		                        kinds[kind].secret);
	enum sluice_status status = check_names(credentials, error);
	return status ? status : transfer_check_files(credentials, error);
}

static void add_basic(const struct credentials *credentials, struct http_message *addition)
{
	struct sluice_buffer plain = { 0 }, value = { 0 };
	sluice_buffer_append_str(&plain, credentials_setting(credentials, "username"));
	sluice_buffer_append_text(&plain, ":");
	sluice_buffer_append_text(&plain, credentials_secret(credentials, "password"));
	sluice_buffer_append_text(&value, "Basic ");
	sluice_buffer_append_base64(&value, sluice_buffer_str(&plain));
	http_message_header(addition, "Authorization", sluice_buffer_str(&value));
	addition->headers.failed = addition->headers.failed || plain.failed || value.failed;
	sluice_buffer_finish(&plain);
	sluice_buffer_finish(&value);
}

static void add_bearer(const char *token, struct http_message *addition)
{
	struct sluice_buffer value = { 0 };
	sluice_buffer_printf(&value, "Bearer %s", token);
	http_message_header(addition, "Authorization", sluice_buffer_str(&value));
	addition->headers.failed = addition->headers.failed || value.failed;
	sluice_buffer_finish(&value);
}

static void add_key(const struct credentials *credentials, struct http_message *addition)
{
	char header[NAME_SIZE];
	struct sluice_str key = sluice_str(credentials_secret(credentials, "key"));
	struct sluice_str query = credentials_setting(credentials, "query");
	if (copy_setting(credentials, "header", header))
		http_message_header(addition, header, key);
	if (query.data)
		http_message_query(addition, query, key);
}

void http_auth_add(const struct credentials *credentials, const struct http_message *message,
                   const char *token, int64_t now_s, struct http_message *addition)
{
	char scheme[NAME_SIZE], header[NAME_SIZE] = "";
	sluice_buffer_append_str(&addition->url, sluice_buffer_str(&message->url));
	if (credentials_are(credentials, "basic")) {
		add_basic(credentials, addition);
	} else if (credentials_are(credentials, "bearer")) {
		add_bearer(credentials_secret(credentials, "token"), addition);
	} else if (credentials_are(credentials, "oauth2")) {
		add_bearer(token, addition);
	} else if (credentials_are(credentials, "api-key")) {
		add_key(credentials, addition);
	} else if (credentials_are(credentials, "signature")) {
		struct signer signer = signer_of(credentials, scheme, header);
		sign(&signer, sluice_buffer_str(&message->id), now_s,
		     sluice_buffer_str(&message->body), addition);
	}
}
