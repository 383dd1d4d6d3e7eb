/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Reads lines "KIND<tab>TEXT" (rule, bus, queue, target, source, connection, pattern, publish, delivery)
 * and prints for each "ok", or
 * the status, the place and the message of the error. A delivery is {"rule":…,"publish":…}, and
 * what is printed is {"topic":…,"payload":…} (the payload as a string) of the rule's first target;
 * the event's id and time are fixed. For lines "explain<tab>PATTERN<tab>PAYLOAD" it prints the
 * explanation. For "kinds<tab>" it prints the settings and secrets of each kind of the bridge, as
 * {"target": {"http": [["url", …], []], …}, …}.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bridge_kinds.h"
#include "sluice/bridge.h"
#include "sluice/buffer.h"
#include "sluice/event.h"
#include "sluice/explain.h"
#include "sluice/queue.h"
#include "sluice/rule.h"

static enum sluice_status judge_publish(struct sluice_str text, struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	struct sluice_event event;
	void *storage = NULL;
	enum sluice_status status = sluice_json_parse(text, 0, 128, &doc, error);

	if (!status)
		status = sluice_event_from_json(sluice_json_root(doc), &event, &storage, error);
	free(storage);
	sluice_json_destroy(doc);
	return status;
}

static enum sluice_status deliver(const struct sluice_rule *rule, const struct sluice_event *event,
                                  struct sluice_buffer *out, struct sluice_error *error)
{
	const struct sluice_target *target = &rule->targets[0];
	const struct sluice_vars vars = { .event = event,
		                          .rule = rule->name,
		                          .bus = rule->bus,
		                          .consumer = target->consumer,
		                          .target = target->id,
		                          .id = SLUICE_STR("5d3c0f8a12e94b77000000000000002a"),
		                          .time_ms = INT64_C(1767323045678) };
	struct sluice_buffer topic = { 0 }, payload = { 0 };
	enum sluice_status status = SLUICE_OK;

	sluice_buffer_append_str(&payload, event->payload);
	if (target->topic)
		status = sluice_topic_template_expand(target->topic, &vars, &topic, error);
	if (!status && target->transform) {
		sluice_buffer_reset(&payload);
		status = sluice_transform_apply(target->transform, &vars, &payload, error);
	}
	if (!status) {
		sluice_buffer_append_text(out, "{\"topic\":");
		sluice_json_write_string(out, sluice_buffer_str(&topic));
		sluice_buffer_append_text(out, ",\"payload\":");
		sluice_json_write_string(out, sluice_buffer_str(&payload));
		sluice_buffer_append_text(out, "}");
	}
	sluice_buffer_finish(&topic);
	sluice_buffer_finish(&payload);
	return status;
}

static enum sluice_status judge_delivery(struct sluice_str text, struct sluice_buffer *out,
                                         struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	struct sluice_event event;
	struct sluice_rule *rule = NULL;
	void *storage = NULL;
	enum sluice_status status = sluice_json_parse(text, 0, 128, &doc, error);
	if (status)
		return status;

	const struct sluice_json *root = sluice_json_root(doc);
	status = sluice_rule_from_json(sluice_json_get(root, "rule"), &rule, error);
	if (!status)
		status = sluice_event_from_json(sluice_json_get(root, "publish"), &event, &storage,
		                                error);
	if (!status)
		status = deliver(rule, &event, out, error);
	sluice_rule_destroy(rule);
	free(storage);
	sluice_json_destroy(doc);
	return status;
}

static enum sluice_status judge_bridge(const char *kind, struct sluice_str text,
                                       struct sluice_error *error)
{
	struct sluice_bridge_target *target = NULL;
	struct sluice_bridge_source *source = NULL;
	struct sluice_bridge_connection *connection = NULL;
	struct sluice_json_doc *doc;
	enum sluice_status status = sluice_json_parse(text, 0, 128, &doc, error);
	if (status)
		return status;

	const struct sluice_json *root = sluice_json_root(doc);
	if (strcmp(kind, "target") == 0)
		status = sluice_bridge_target_from_json(root, &target, error);
	else if (strcmp(kind, "source") == 0)
		status = sluice_bridge_source_from_json(root, &source, error);
	else
		status = sluice_bridge_connection_from_json(root, &connection, error);
	sluice_bridge_target_destroy(target);
	sluice_bridge_source_destroy(source);
	sluice_bridge_connection_destroy(connection);
	sluice_json_destroy(doc);
	return status;
}

static void print_kinds(void)
{
	static const char *const roles[] = { "target", "source", "connection" };
	for (int role = 0; role < SLUICE_BRIDGE_ROLES; role++) {
		printf("%s\"%s\":{", role ? "," : "{", roles[role]);
		for (const struct sluice_bridge_kind *kind = sluice_bridge_kinds[role]; kind->name;
		     kind++) {
			printf("%s\"%s\":[[", kind == sluice_bridge_kinds[role] ? "" : ",",
			       kind->name);
			for (const struct sluice_setting *at = kind->settings; at->name; at++)
				printf("%s\"%s\"", at == kind->settings ? "" : ",", at->name);
			printf("],[");
			for (const char *const *at = kind->secrets; at && *at; at++)
				printf("%s\"%s\"", at == kind->secrets ? "" : ",", *at);
			printf("]]");
		}
		printf("}");
	}
	puts("}");
}

static enum sluice_status judge(const char *kind, struct sluice_str text, struct sluice_buffer *out,
                                struct sluice_error *error)
{
	struct sluice_rule *rule = NULL;
	struct sluice_bus *bus = NULL;
	struct sluice_queue *queue = NULL;
	struct sluice_pattern *pattern = NULL;
	enum sluice_status status = SLUICE_ERR_NOT_FOUND;

	if (strcmp(kind, "rule") == 0)
		status = sluice_rule_parse(text, &rule, error);
	else if (strcmp(kind, "bus") == 0)
		status = sluice_bus_parse(text, &bus, error);
	else if (strcmp(kind, "queue") == 0)
		status = sluice_queue_parse(text, &queue, error);
	else if (strcmp(kind, "pattern") == 0)
		status = sluice_pattern_compile(text, &pattern, error);
	else if (strcmp(kind, "target") == 0 || strcmp(kind, "source") == 0 ||
	         strcmp(kind, "connection") == 0)
		status = judge_bridge(kind, text, error);
	else if (strcmp(kind, "publish") == 0)
		status = judge_publish(text, error);
	else if (strcmp(kind, "delivery") == 0)
		status = judge_delivery(text, out, error);
	else
		sluice_error_set(error, status, SIZE_MAX, NULL, "no kind of document: %s", kind);
	sluice_rule_destroy(rule);
	sluice_bus_destroy(bus);
	sluice_queue_destroy(queue);
	sluice_pattern_destroy(pattern);
	return status;
}

/* Prints "no pattern" for what is none. */
static void explain(struct sluice_str text)
{
	const char *tab = memchr(text.data, '\t', text.len);
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_pattern *pattern = NULL;
	struct sluice_explanation *explanation = NULL;
	struct sluice_buffer json = { 0 };

	if (tab) {
		struct sluice_str before = { text.data, (size_t)(tab - text.data) };
		event.payload = (struct sluice_str){ tab + 1, text.len - before.len - 1 };
		event.topic = SLUICE_STR("a/b");
		sluice_pattern_compile(before, &pattern, NULL);
	}
	if (pattern && !sluice_explain(pattern, &event, &explanation, NULL))
		sluice_explanation_write_json(explanation, &json);
	puts(json.len ? json.data : "no pattern");
	sluice_buffer_finish(&json);
	sluice_explanation_destroy(explanation);
	sluice_pattern_destroy(pattern);
}

int main(void)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len;

	while ((len = getline(&line, &capacity, stdin)) > 0) {
		char *tab = strchr(line, '\t');
		char message[640];
		struct sluice_error error = { 0 };
		struct sluice_buffer out = { 0 };

		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (!tab)
			return 2;
		*tab = '\0';
		struct sluice_str text = { tab + 1, (size_t)(line + len - tab - 1) };
		if (strcmp(line, "explain") == 0)
			explain(text);
		else if (strcmp(line, "kinds") == 0)
			print_kinds();
		else if (judge(line, text, &out, &error))
			printf("%s: %s\n", sluice_status_name(error.code),
			       sluice_error_format(&error, NULL, message, sizeof(message)));
		else
			puts(out.len ? out.data : "ok");
		sluice_buffer_finish(&out);
	}
	free(line);
	return 0;
}
