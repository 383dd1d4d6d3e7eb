/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "pg_options.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

bool pg_options_add(struct pg_options *options, const char *keyword, const char *value)
{
	if (options->count >= PG_OPTIONS_MAX)
		return false;
	options->keywords[options->count] = keyword;
	options->values[options->count++] = value;
	return true;
}

static char *keep(struct pg_options *options, struct sluice_str text)
{
	char *copy = options->copy_count < PG_OPTIONS_MAX ? malloc(text.len + 1) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	options->copies[options->copy_count++] = copy;
	return copy;
}

static bool add_copy(struct pg_options *options, const char *keyword, struct sluice_str text)
{
	char *copy;

	if (!text.data)
		return true;
	copy = keep(options, text);
	return copy && pg_options_add(options, keyword, copy);
}

/* What the url says itself, without the defaults; "" when nothing. */
static const char *said(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val ? options->val : "";
	return "";
}

static bool is_name(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return host[0] != '\0' && host[0] != '/' && host[0] != '@' && !strchr(host, ',') &&
	       inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

static enum sluice_status add_said(struct pg_options *options, const PQconninfoOption *url,
                                   bool verifies, struct sluice_error *error)
{
	const char *host = said(url, "host");

	if (!said(url, "application_name")[0])
		pg_options_add(options, "application_name", "sluice-bridge");
	if (verifies && !said(url, "sslmode")[0])
		pg_options_add(options, "sslmode", "verify-full");
	if (is_name(host) && !said(url, "hostaddr")[0]) {
		options->host = strdup(host);
		if (!options->host)
			return sluice_out_of_memory(error);
	}
	return SLUICE_OK;
}

static enum sluice_status add_credentials(struct pg_options *options,
                                          const struct credentials *credentials,
                                          struct sluice_error *error)
{
	const char *password;

	if (!credentials)
		return SLUICE_OK;
	if (!credentials_are(credentials, "basic") && !credentials_are(credentials, "tls"))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.connection",
		                        "must be of the kind basic or tls");
	password = credentials_are(credentials, "basic")
	                   ? credentials_secret(credentials, "password")
	                   : NULL;
	if (!add_copy(options, "user", credentials_setting(credentials, "username")) ||
	    (password && !add_copy(options, "password", sluice_str(password))) ||
	    !add_copy(options, "sslrootcert", credentials_setting(credentials, "ca_file")) ||
	    !add_copy(options, "sslcert", credentials_setting(credentials, "cert_file")) ||
	    !add_copy(options, "sslkey", credentials_setting(credentials, "key_file")))
		return sluice_out_of_memory(error);
	return SLUICE_OK;
}

enum sluice_status pg_options_create(struct sluice_str url, const struct credentials *credentials,
                                     struct pg_options **options, struct sluice_error *error)
{
	struct pg_options *made = calloc(1, sizeof(*made));
	PQconninfoOption *parsed = NULL;
	enum sluice_status status = SLUICE_OK;
	bool verifies = credentials && credentials_setting(credentials, "ca_file").data;
	char *why = NULL;

	*options = NULL;
	if (!made || !add_copy(made, "dbname", url)) {
		pg_options_destroy(made);
		return sluice_out_of_memory(error);
	}
	if (memchr(url.data, '\0', url.len) || !(parsed = PQconninfoParse(made->values[0], &why)))
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.url",
		                          "is no conninfo of PostgreSQL's, nor a URI");
	else if (!pg_options_add(made, "client_encoding", "UTF8"))
		status = sluice_out_of_memory(error);
	if (status == SLUICE_OK)
		status = add_said(made, parsed, verifies, error);
	if (status == SLUICE_OK)
		status = add_credentials(made, credentials, error);
	PQconninfoFree(parsed);
	PQfreemem(why);
	if (status) {
		pg_options_destroy(made);
		return status;
	}
	*options = made;
	return SLUICE_OK;
}

void pg_options_destroy(struct pg_options *options)
{
	if (!options)
		return;
	for (size_t i = 0; i < options->copy_count; i++) {
		explicit_bzero(options->copies[i], strlen(options->copies[i]));
		free(options->copies[i]);
	}
	free(options->host);
	free(options);
}
