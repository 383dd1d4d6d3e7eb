/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

enum { SECRETS = sizeof(((struct credentials *)NULL)->secrets) / sizeof(char *) };

static enum sluice_status copy(struct sluice_str text, char **secret, struct sluice_error *error)
{
	*secret = malloc(text.len + 1);
	if (!*secret)
		return sluice_out_of_memory(error);
	memcpy(*secret, text.data, text.len);
	(*secret)[text.len] = '\0';
	return SLUICE_OK;
}

/* A file's text, without the newline at its end, which editors and `echo` leave there. */
static enum sluice_status read_file(struct sluice_str path, const char *name, char **secret,
                                    struct sluice_error *error)
{
	struct sluice_buffer text = { 0 };
	char *terminated;
	enum sluice_status status = copy(path, &terminated, error);
	if (status != SLUICE_OK)
		return status;
	struct sluice_error fault;
	status = file_read(terminated, &text, &fault);
	if (status != SLUICE_OK)
		sluice_error_set(error, status, SIZE_MAX, NULL, "secret \"%s\": %.200s: %s", name,
		                 terminated, fault.message);
	free(terminated);
	while (status == SLUICE_OK && text.len > 0 &&
	       (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
		text.len--;
	if (status == SLUICE_OK)
		status = copy(sluice_buffer_str(&text), secret, error);
	if (text.data)
		explicit_bzero(text.data, text.capacity);
	sluice_buffer_finish(&text);
	return status;
}

static enum sluice_status read_environment(struct sluice_str variable, const char *name,
                                           char **secret, struct sluice_error *error)
{
	char *terminated;
	enum sluice_status status = copy(variable, &terminated, error);
	if (status != SLUICE_OK)
		return status;
	const char *value = getenv(terminated);
	status = value ? copy(sluice_str(value), secret, error)
	               : sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
	                                  "secret \"%s\": the bridge's environment has no %.200s",
	                                  name, terminated);
	free(terminated);
	return status;
}

static enum sluice_status read_secret(const struct sluice_json *node, const char *name,
                                      char **secret, struct sluice_error *error)
{
	const struct sluice_json *from;
	if (!node || node->type == SLUICE_JSON_NULL)
		return SLUICE_OK;
	if (node->type == SLUICE_JSON_STRING)
		return copy(node->string, secret, error);
	if ((from = sluice_json_get(node, "file")) != NULL)
		return read_file(from->string, name, secret, error);
	if ((from = sluice_json_get(node, "env")) != NULL)
		return read_environment(from->string, name, secret, error);
	return SLUICE_OK;
}

enum sluice_status credentials_create(struct sluice_bridge_connection *connection,
                                      struct credentials **credentials, struct sluice_error *error)
{
	struct credentials *made = calloc(1, sizeof *made);
	*credentials = NULL;
	if (!made) {
		sluice_bridge_connection_destroy(connection);
		return sluice_out_of_memory(error);
	}
	made->connection = connection;
	const char *const *names = connection->kind->secrets;
	enum sluice_status status = SLUICE_OK;
	for (size_t i = 0; i < SECRETS && names[i] && status == SLUICE_OK; i++)
		status = read_secret(sluice_json_get(connection->secrets, names[i]), names[i],
		                     &made->secrets[i], error);
	if (status != SLUICE_OK)
		credentials_destroy(made);
	else
		*credentials = made;
	return status;
}

void credentials_destroy(struct credentials *credentials)
{
	if (!credentials)
		return;
	for (size_t i = 0; i < SECRETS; i++) {
		if (credentials->secrets[i])
			explicit_bzero(credentials->secrets[i], strlen(credentials->secrets[i]));
		free(credentials->secrets[i]);
	}
	sluice_bridge_connection_destroy(credentials->connection);
	free(credentials);
}

bool credentials_are(const struct credentials *credentials, const char *kind)
{
	return credentials && strcmp(credentials->connection->kind->name, kind) == 0;
}

const char *credentials_secret(const struct credentials *credentials, const char *name)
{
	const char *const *names = credentials ? credentials->connection->kind->secrets : NULL;
	for (size_t i = 0; names && i < SECRETS && names[i]; i++) {
		if (strcmp(names[i], name) == 0)
			return credentials->secrets[i];
	}
	return NULL;
}

struct sluice_str credentials_setting(const struct credentials *credentials, const char *name)
{
	if (!credentials)
		return (struct sluice_str){ NULL, 0 };
	return sluice_setting_text(credentials->connection->settings, name);
}
