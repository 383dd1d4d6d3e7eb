/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdlib.h>

#include "bridge_settings.h"
#include "sluice/members.h"

static enum sluice_status read_topic(const struct sluice_json *node, struct sluice_str *topic,
                                     struct sluice_error *error)
{
	struct sluice_topic_template *template;
	enum sluice_status status;

	if (node->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be a string");
	status = sluice_topic_template_compile(node->string, &template, error);
	if (status) {
		if (error && status != SLUICE_ERR_NOMEM)
			sluice_json_place(node, error->place, sizeof(error->place));
		return status;
	}
	sluice_topic_template_destroy(template);
	*topic = node->string;
	return SLUICE_OK;
}

static enum sluice_status read_source(struct sluice_bridge_source *source,
                                      const struct sluice_json *node, struct sluice_error *error)
{
	enum { NAME, DESCRIPTION, STATE, KIND, CONNECTION, TOPIC, SETTINGS, MEMBERS };
	static const char *const names[] = { "name",       "description", "state",    "kind",
		                             "connection", "topic",       "settings", NULL };
	const struct sluice_json *found[MEMBERS];
	enum sluice_status status = sluice_members_read(node, "a source", names, found, error);

	if (status)
		return status;
	if (!found[NAME])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a source must have a \"name\"");
	if (!found[TOPIC])
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a source must have a \"topic\"");
	if ((status = sluice_member_name(found[NAME], &source->name, error)) ||
	    (status = sluice_member_string(found[DESCRIPTION], 0, SLUICE_DESCRIPTION_MAX,
	                                   &source->description, error)) ||
	    (status = sluice_bridge_read_state(found[STATE], &source->enabled, error)) ||
	    (status = sluice_bridge_read_kind(SLUICE_BRIDGE_SOURCE, node, found[KIND],
	                                      &source->kind, error)) ||
	    (status = sluice_member_name(found[CONNECTION], &source->connection, error)) ||
	    (status = read_topic(found[TOPIC], &source->topic, error)))
		return status;
	return sluice_bridge_read_settings(SLUICE_BRIDGE_SOURCE, source->kind, node,
	                                   found[SETTINGS], &source->settings, error);
}

enum sluice_status sluice_bridge_source_from_json(const struct sluice_json *node,
                                                  struct sluice_bridge_source **source,
                                                  struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	void *made;
	enum sluice_status status;

	*source = NULL;
	status = sluice_bridge_copy(node, "a source", sizeof(**source), &made, &doc, error);
	if (status)
		return status;
	*source = made;
	(*source)->doc = doc;
	status = read_source(*source, sluice_json_root(doc), error);
	if (status) {
		sluice_bridge_source_destroy(*source);
		*source = NULL;
	}
	return status;
}

void sluice_bridge_source_destroy(struct sluice_bridge_source *source)
{
	if (!source)
		return;
	sluice_json_destroy(source->doc);
	free(source);
}

void sluice_bridge_source_write(const struct sluice_bridge_source *source,
                                struct sluice_buffer *buf)
{
	sluice_buffer_append_text(buf, "{\"name\":");
	sluice_json_write_string(buf, source->name);
	sluice_bridge_write_text(buf, "description", source->description);
	sluice_buffer_printf(buf, ",\"state\":\"%s\"", source->enabled ? "ENABLED" : "DISABLED");
	sluice_bridge_write_text(buf, "kind", sluice_str(source->kind->name));
	sluice_bridge_write_text(buf, "connection", source->connection);
	sluice_bridge_write_text(buf, "topic", source->topic);
	sluice_bridge_write_json(buf, "settings", source->settings);
	sluice_buffer_append_text(buf, "}");
}
