/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice_store/definition.h"

static const char *const nouns[SLUICE_STORE_KINDS] = { "queue", "bus", "rule" };
static const char *const plurals[SLUICE_STORE_KINDS] = { "queues", "buses", "rules" };

const char *sluice_store_noun(enum sluice_store_kind kind)
{
	return nouns[kind];
}

const char *sluice_store_plural(enum sluice_store_kind kind)
{
	return plurals[kind];
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
	}
}
