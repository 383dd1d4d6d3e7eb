/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice_store/definition.h"

static const char *const nouns[SLUICE_STORE_KINDS] = {
	[SLUICE_STORE_QUEUE] = "queue",   [SLUICE_STORE_BUS] = "bus",
	[SLUICE_STORE_RULE] = "rule",     [SLUICE_STORE_CONNECTION] = "connection",
	[SLUICE_STORE_TARGET] = "target", [SLUICE_STORE_SOURCE] = "source",
};

static const char *const plurals[SLUICE_STORE_KINDS] = {
	[SLUICE_STORE_QUEUE] = "queues",   [SLUICE_STORE_BUS] = "buses",
	[SLUICE_STORE_RULE] = "rules",     [SLUICE_STORE_CONNECTION] = "connections",
	[SLUICE_STORE_TARGET] = "targets", [SLUICE_STORE_SOURCE] = "sources",
};

const char *sluice_store_noun(enum sluice_store_kind kind)
{
	return nouns[kind];
}

const char *sluice_store_plural(enum sluice_store_kind kind)
{
	return plurals[kind];
}

enum sluice_store_kind sluice_store_shown(int i)
{
	static const enum sluice_store_kind kinds[SLUICE_STORE_KINDS] = {
		SLUICE_STORE_RULE,       SLUICE_STORE_BUS,    SLUICE_STORE_QUEUE,
		SLUICE_STORE_CONNECTION, SLUICE_STORE_TARGET, SLUICE_STORE_SOURCE,
	};
	return kinds[i];
}

bool sluice_store_kind_parse(struct sluice_str noun, enum sluice_store_kind *kind)
{
	for (int i = 0; i < SLUICE_STORE_KINDS; i++) {
		if (!sluice_str_equal(sluice_str(nouns[i]), noun))
			continue;
		*kind = (enum sluice_store_kind)i;
		return true;
	}
	return false;
}

bool sluice_store_is_fixed(enum sluice_store_kind kind, struct sluice_str name)
{
	return kind == SLUICE_STORE_BUS && sluice_str_equal(name, SLUICE_STR("default"));
}

bool sluice_store_has_state(enum sluice_store_kind kind)
{
	return kind == SLUICE_STORE_RULE || kind == SLUICE_STORE_TARGET ||
	       kind == SLUICE_STORE_SOURCE;
}

/* Those that are always made from a node. */
static enum sluice_status parse_node(enum sluice_store_kind kind, struct sluice_str text,
                                     struct sluice_definition *definition,
                                     struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	/* Deeper than any may be: the reader of the node says so. */
	enum sluice_status status = sluice_json_parse(text, 0, SIZE_MAX, &doc, error);

	if (status)
		return status;
	status = sluice_definition_from_json(kind, sluice_json_root(doc), definition, error);
	sluice_json_destroy(doc);
	return status;
}

enum sluice_status sluice_definition_parse(enum sluice_store_kind kind, struct sluice_str text,
                                           struct sluice_definition *definition,
                                           struct sluice_error *error)
{
	*definition = (struct sluice_definition){ .kind = kind };
	switch (kind) {
	case SLUICE_STORE_QUEUE:
		return sluice_queue_parse(text, &definition->queue, error);
	case SLUICE_STORE_BUS:
		return sluice_bus_parse(text, &definition->bus, error);
	case SLUICE_STORE_CONNECTION:
	case SLUICE_STORE_TARGET:
	case SLUICE_STORE_SOURCE:
		return parse_node(kind, text, definition, error);
	case SLUICE_STORE_RULE:
		break;
	}
	return sluice_rule_parse(text, &definition->rule, error);
}

enum sluice_status sluice_definition_from_json(enum sluice_store_kind kind,
                                               const struct sluice_json *node,
                                               struct sluice_definition *definition,
                                               struct sluice_error *error)
{
	*definition = (struct sluice_definition){ .kind = kind };
	switch (kind) {
	case SLUICE_STORE_QUEUE:
		return sluice_queue_from_json(node, &definition->queue, error);
	case SLUICE_STORE_BUS:
		return sluice_bus_from_json(node, &definition->bus, error);
	case SLUICE_STORE_CONNECTION:
		return sluice_bridge_connection_from_json(node, &definition->connection, error);
	case SLUICE_STORE_TARGET:
		return sluice_bridge_target_from_json(node, &definition->target, error);
	case SLUICE_STORE_SOURCE:
		return sluice_bridge_source_from_json(node, &definition->source, error);
	case SLUICE_STORE_RULE:
		break;
	}
	return sluice_rule_from_json(node, &definition->rule, error);
}

void sluice_definition_finish(struct sluice_definition *definition)
{
	switch (definition->kind) {
	case SLUICE_STORE_QUEUE:
		sluice_queue_destroy(definition->queue);
		break;
	case SLUICE_STORE_BUS:
		sluice_bus_destroy(definition->bus);
		break;
	case SLUICE_STORE_RULE:
		sluice_rule_destroy(definition->rule);
		break;
	case SLUICE_STORE_CONNECTION:
		sluice_bridge_connection_destroy(definition->connection);
		break;
	case SLUICE_STORE_TARGET:
		sluice_bridge_target_destroy(definition->target);
		break;
	case SLUICE_STORE_SOURCE:
		sluice_bridge_source_destroy(definition->source);
		break;
	}
	*definition = (struct sluice_definition){ .kind = definition->kind };
}

struct sluice_str sluice_definition_name(const struct sluice_definition *definition)
{
	if (!definition->rule)
		return (struct sluice_str){ NULL, 0 };
	switch (definition->kind) {
	case SLUICE_STORE_QUEUE:
		return definition->queue->name;
	case SLUICE_STORE_BUS:
		return definition->bus->name;
	case SLUICE_STORE_CONNECTION:
		return definition->connection->name;
	case SLUICE_STORE_TARGET:
		return definition->target->name;
	case SLUICE_STORE_SOURCE:
		return definition->source->name;
	case SLUICE_STORE_RULE:
		break;
	}
	return definition->rule->name;
}

void sluice_definition_write(const struct sluice_definition *definition, struct sluice_buffer *buf)
{
	switch (definition->kind) {
	case SLUICE_STORE_QUEUE:
		sluice_queue_write(definition->queue, buf);
		break;
	case SLUICE_STORE_BUS:
		sluice_bus_write(definition->bus, buf);
		break;
	case SLUICE_STORE_RULE:
		sluice_rule_write(definition->rule, buf);
		break;
	case SLUICE_STORE_CONNECTION:
		sluice_bridge_connection_write(definition->connection, false, buf);
		break;
	case SLUICE_STORE_TARGET:
		sluice_bridge_target_write(definition->target, buf);
		break;
	case SLUICE_STORE_SOURCE:
		sluice_bridge_source_write(definition->source, buf);
		break;
	}
}
