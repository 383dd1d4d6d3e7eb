/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* No message here says a secret: they name places, and members by the names of the tables. */
#include <stdlib.h>

#include "bridge_settings.h"
#include "sluice/members.h"

enum { SECRET_MAX = 65536, SECRETS_MAX = 4, SOURCE_MAX = 4096 };

/* What a secret is when it is no string: where it is to be found. */
static enum sluice_status check_reference(const struct sluice_json *node,
                                          struct sluice_error *error)
{
	enum { FILE_NAME, VARIABLE, MEMBERS };
	static const char *const names[] = { "file", "env", NULL };
	const struct sluice_json *found[MEMBERS];
	struct sluice_str text;
	enum sluice_status status = sluice_members_read(node, "a secret", names, found, error);

	if (status)
		return status;
	if (!found[FILE_NAME] == !found[VARIABLE])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a secret must have \"file\" or \"env\", and not both");
	if ((status = sluice_member_string(found[FILE_NAME], 1, SOURCE_MAX, &text, error)))
		return status;
	return sluice_member_string(found[VARIABLE], 1, SOURCE_MAX, &text, error);
}

static enum sluice_status check_secret(const struct sluice_json *node, struct sluice_error *error)
{
	struct sluice_str text;

	if (!node || node->type == SLUICE_JSON_NULL)
		return SLUICE_OK;
	if (node->type == SLUICE_JSON_OBJECT)
		return check_reference(node, error);
	if (node->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a secret must be a string, null, {\"file\": …} or "
		                         "{\"env\": …}");
	return sluice_member_string(node, 1, SECRET_MAX, &text, error);
}

static enum sluice_status read_secrets(struct sluice_bridge_connection *connection,
                                       const struct sluice_json *node, struct sluice_error *error)
{
	const char *const *names = connection->kind->secrets;
	const struct sluice_json *found[SECRETS_MAX] = { NULL };
	enum sluice_status status = SLUICE_OK;

	if (node)
		status = sluice_members_read(node, "the connection's secrets", names, found, error);
	for (size_t i = 0; names[i] && !status; i++)
		status = check_secret(found[i], error);
	connection->secrets = node;
	return status;
}

static enum sluice_status read_connection(struct sluice_bridge_connection *connection,
                                          const struct sluice_json *node,
                                          struct sluice_error *error)
{
	enum { NAME, DESCRIPTION, KIND, SETTINGS, SECRETS, MEMBERS };
	static const char *const names[] = { "name",     "description", "kind",
		                             "settings", "secrets",     NULL };
	const struct sluice_json *found[MEMBERS];
	enum sluice_status status = sluice_members_read(node, "a connection", names, found, error);

	if (status)
		return status;
	if (!found[NAME])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a connection must have a \"name\"");
	if ((status = sluice_member_name(found[NAME], &connection->name, error)) ||
	    (status = sluice_member_string(found[DESCRIPTION], 0, SLUICE_DESCRIPTION_MAX,
	                                   &connection->description, error)) ||
	    (status = sluice_bridge_read_kind(SLUICE_BRIDGE_CONNECTION, node, found[KIND],
	                                      &connection->kind, error)) ||
	    (status = sluice_bridge_read_settings(SLUICE_BRIDGE_CONNECTION, connection->kind, node,
	                                          found[SETTINGS], &connection->settings, error)))
		return status;
	return read_secrets(connection, found[SECRETS], error);
}

enum sluice_status sluice_bridge_connection_from_json(const struct sluice_json *node,
                                                      struct sluice_bridge_connection **connection,
                                                      struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	void *made;
	enum sluice_status status;

	*connection = NULL;
	status = sluice_bridge_copy(node, "a connection", sizeof(**connection), &made, &doc, error);
	if (status)
		return status;
	*connection = made;
	(*connection)->doc = doc;
	status = read_connection(*connection, sluice_json_root(doc), error);
	if (status) {
		sluice_bridge_connection_destroy(*connection);
		*connection = NULL;
	}
	return status;
}

void sluice_bridge_connection_destroy(struct sluice_bridge_connection *connection)
{
	if (!connection)
		return;
	sluice_json_destroy(connection->doc);
	free(connection);
}

void sluice_bridge_secrets_write(const struct sluice_json *secrets, struct sluice_buffer *buf)
{
	const char *before = "{";

	if (secrets && secrets->type != SLUICE_JSON_OBJECT) {
		sluice_buffer_append_text(buf, "null");
		return;
	}
	for (const struct sluice_json *secret = secrets ? secrets->first : NULL; secret;
	     secret = secret->next) {
		sluice_buffer_append_text(buf, before);
		sluice_json_write_string(buf, secret->key);
		sluice_buffer_append_text(buf, ":");
		/* Only what is a reference for certain is shown: the store's file may hold more
		 * than was ever checked. */
		if (check_reference(secret, NULL) == SLUICE_OK)
			sluice_json_write_compact(buf, secret->raw);
		else
			sluice_buffer_append_text(buf, "null");
		before = ",";
	}
	sluice_buffer_append_text(buf, before[0] == '{' ? "{}" : "}");
}

void sluice_bridge_connection_write(const struct sluice_bridge_connection *connection, bool secrets,
                                    struct sluice_buffer *buf)
{
	sluice_buffer_append_text(buf, "{\"name\":");
	sluice_json_write_string(buf, connection->name);
	sluice_bridge_write_text(buf, "description", connection->description);
	sluice_bridge_write_text(buf, "kind", sluice_str(connection->kind->name));
	sluice_bridge_write_json(buf, "settings", connection->settings);
	sluice_buffer_append_text(buf, ",\"secrets\":");
	if (secrets && connection->secrets)
		sluice_json_write_compact(buf, connection->secrets->raw);
	else
		sluice_bridge_secrets_write(connection->secrets, buf);
	sluice_buffer_append_text(buf, "}");
}
