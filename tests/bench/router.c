/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * router: Sluice's rules in a client beside the broker, to show what it saves to be inside.
 *
 *	router PORT RULES
 *
 * Subscribes to everything, matches with the engine that the plugin uses, and publishes what
 * matches to the targets' topics. RULES holds a rule a line; those that are ENABLED count, and of
 * their targets the topics. MQTT 5, because there a subscription can leave out what the client
 * itself publishes ("no local"): under 3.1.1 each delivery would come back once more. Says "ready"
 * when it is subscribed; SIGTERM ends it.
 */
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/matcher.h"
#include "sluice/rule.h"

struct router {
	struct sluice_matcher *matcher;
	struct sluice_scratch *scratch;
	struct sluice_rule **rules;
	size_t rule_count, rule_capacity;
	struct sluice_buffer topic, payload;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "router: %s: %s\n", what, why);
	exit(1);
}

static void add_rule(struct router *router, struct sluice_str text)
{
	struct sluice_error error;
	struct sluice_rule *rule;
	if (sluice_rule_parse(text, &rule, &error) != SLUICE_OK)
		die("a rule", error.message);
	if (router->rule_count == router->rule_capacity) {
		router->rule_capacity = router->rule_capacity ? router->rule_capacity * 2 : 64;
		router->rules = realloc(router->rules,
		                        router->rule_capacity * sizeof(struct sluice_rule *));
		if (!router->rules)
			die("rules", "out of memory");
	}
	router->rules[router->rule_count++] = rule;
	if (rule->state == SLUICE_RULE_ENABLED &&
	    sluice_matcher_add(router->matcher, router->rule_count - 1, rule->pattern, &error) !=
	            SLUICE_OK)
		die("a rule", error.message);
}

static void load_rules(struct router *router, const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len;
	if (!file)
		die(path, "can't be opened");
	while ((len = getline(&line, &capacity, file)) > 0)
		if (line[0] != '\n')
			add_rule(router, (struct sluice_str){ line, (size_t)len });
	free(line);
	fclose(file);
}

static void deliver(struct router *router, struct mosquitto *client,
                    const struct mosquitto_message *message, const struct sluice_rule *rule,
                    const struct sluice_target *target, const struct sluice_event *event)
{
	struct sluice_error error;
	struct sluice_vars vars = { .event = event,
		                    .rule = rule->name,
		                    .bus = rule->bus,
		                    .consumer = target->consumer,
		                    .target = target->id,
		                    .id = SLUICE_STR("") };
	struct sluice_str payload = event->payload;
	if (target->kind != SLUICE_TARGET_TOPIC)
		return;
	sluice_buffer_reset(&router->topic);
	if (sluice_topic_template_expand(target->topic, &vars, &router->topic, &error) !=
	    SLUICE_OK) {
		fprintf(stderr, "router: %s\n", error.message);
		return;
	}
	if (target->transform) {
		sluice_buffer_reset(&router->payload);
		if (sluice_transform_apply(target->transform, &vars, &router->payload, &error) !=
		    SLUICE_OK) {
			fprintf(stderr, "router: %s\n", error.message);
			return;
		}
		payload = sluice_buffer_str(&router->payload);
	}
	int result =
	        mosquitto_publish(client, NULL, router->topic.data, (int)payload.len, payload.data,
	                          target->qos < 0 ? message->qos : target->qos, false);
	if (result != MOSQ_ERR_SUCCESS)
		fprintf(stderr, "router: %s\n", mosquitto_strerror(result));
}

static void on_message(struct mosquitto *client, void *data,
                       const struct mosquitto_message *message, const mosquitto_property *list)
{
	(void)list;
	struct router *router = data;
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct sluice_match match;
	event.topic = sluice_str(message->topic);
	event.payload = (struct sluice_str){ message->payload ? message->payload : "",
		                             (size_t)message->payloadlen };
	event.qos = (int8_t)message->qos;
	event.retain = message->retain ? 1 : 0;
	if (sluice_match(router->matcher, router->scratch, &event, &match) != SLUICE_OK)
		return;
	for (size_t i = 0; i < match.count; i++) {
		const struct sluice_rule *rule = router->rules[match.ids[i]];
		for (size_t j = 0; j < rule->target_count; j++)
			deliver(router, client, message, rule, &rule->targets[j], &event);
	}
}

static void on_connect(struct mosquitto *client, void *data, int code, int flags,
                       const mosquitto_property *list)
{
	(void)data;
	(void)flags;
	(void)list;
	if (code != 0)
		die("the broker", mosquitto_reason_string(code));
	mosquitto_subscribe_v5(client, NULL, "#", 1, MQTT_SUB_OPT_NO_LOCAL, NULL);
}

static void on_subscribe(struct mosquitto *client, void *data, int id, int count,
                         const int *granted)
{
	(void)client;
	(void)data;
	(void)id;
	if (count != 1 || granted[0] != 1)
		die("the broker", "refuses the subscription");
	printf("ready\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct router router = { .matcher = sluice_matcher_create(),
		                 .scratch = sluice_scratch_create() };
	if (argc != 3) {
		fprintf(stderr, "usage: router PORT RULES\n");
		return 2;
	}
	if (!router.matcher || !router.scratch)
		die("the matcher", "out of memory");
	load_rules(&router, argv[2]);
	mosquitto_lib_init();
	struct mosquitto *client = mosquitto_new("bench-router", true, &router);
	if (!client)
		die("a client", "out of memory");
	mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_connect_v5_callback_set(client, on_connect);
	mosquitto_subscribe_callback_set(client, on_subscribe);
	mosquitto_message_v5_callback_set(client, on_message);
	int result = mosquitto_connect(client, "127.0.0.1", atoi(argv[1]), 600);
	if (result != MOSQ_ERR_SUCCESS)
		die("connect", mosquitto_strerror(result));
	/* On one thread: what arrives is routed where it is read. */
	mosquitto_loop_forever(client, -1, 1);
	return 1;
}
