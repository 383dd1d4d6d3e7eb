/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The readers of rules, of buses, of queues and of what the bridge is told on any text. What it takes is written back as text that it takes
 * again, and that is written the same; what it refuses has a status, a place and a message to show.
 */
#include <stdint.h>
#include <stdlib.h>

#include "sluice/bridge.h"
#include "sluice/buffer.h"
#include "sluice/queue.h"
#include "sluice/rule.h"
#include "sluice/schedule.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_error(enum sluice_status status, const struct sluice_error *error)
{
	struct sluice_str message = sluice_str(error->message);
	struct sluice_str place = sluice_str(error->place);

	check(error->code == status);
	check(message.len > 0 && sluice_text_utf8_length(message) == message.len);
	check(place.len > 0 && place.data[0] == '$' && sluice_text_utf8_length(place) == place.len);
}

static void check_rule(struct sluice_str text)
{
	struct sluice_error error = { 0 };
	struct sluice_rule *rule, *again;
	enum sluice_status status = sluice_rule_parse(text, &rule, &error);

	if (status) {
		check(!rule);
		check_error(status, &error);
		return;
	}
	if (rule->schedule.times) {
		const int64_t now_ms = INT64_C(1767323045678);
		int64_t next_ms = sluice_schedule_next(rule->schedule.times, now_ms);
		check(next_ms > now_ms);
		check(next_ms == INT64_MAX ||
		      sluice_schedule_next(rule->schedule.times, next_ms - 1) == next_ms);
	}
	struct sluice_buffer first = { 0 }, second = { 0 };
	sluice_rule_write(rule, &first);
	check(!first.failed && !memchr(first.data, '\n', first.len));
	/* Escapes that were in names and defaults that were left out can make it longer. */
	if (first.len <= SLUICE_RULE_MAX_BYTES) {
		check(sluice_rule_parse(sluice_buffer_str(&first), &again, &error) == SLUICE_OK);
		check(again->target_count == rule->target_count && again->state == rule->state &&
		      again->metadata == rule->metadata);
		sluice_rule_write(again, &second);
		check(sluice_str_equal(sluice_buffer_str(&first), sluice_buffer_str(&second)));
		sluice_rule_destroy(again);
	}
	sluice_rule_destroy(rule);
	sluice_buffer_finish(&first);
	sluice_buffer_finish(&second);
}

static void check_bus(struct sluice_str text)
{
	struct sluice_error error = { 0 };
	struct sluice_bus *bus, *again;
	enum sluice_status status = sluice_bus_parse(text, &bus, &error);

	if (status) {
		check(!bus);
		check_error(status, &error);
		return;
	}
	struct sluice_buffer first = { 0 }, second = { 0 };
	sluice_bus_write(bus, &first);
	check(sluice_bus_parse(sluice_buffer_str(&first), &again, &error) == SLUICE_OK);
	sluice_bus_write(again, &second);
	check(sluice_str_equal(sluice_buffer_str(&first), sluice_buffer_str(&second)));
	sluice_bus_destroy(again);
	sluice_bus_destroy(bus);
	sluice_buffer_finish(&first);
	sluice_buffer_finish(&second);
}

static void check_queue(struct sluice_str text)
{
	struct sluice_error error = { 0 };
	struct sluice_queue *queue, *again;
	enum sluice_status status = sluice_queue_parse(text, &queue, &error);

	if (status) {
		check(!queue);
		check_error(status, &error);
		return;
	}
	struct sluice_buffer first = { 0 }, second = { 0 };
	sluice_queue_write(queue, &first);
	check(sluice_queue_parse(sluice_buffer_str(&first), &again, &error) == SLUICE_OK);
	sluice_queue_write(again, &second);
	check(sluice_str_equal(sluice_buffer_str(&first), sluice_buffer_str(&second)));
	sluice_queue_destroy(again);
	sluice_queue_destroy(queue);
	sluice_buffer_finish(&first);
	sluice_buffer_finish(&second);
}

/* One of the three, behind one face. */
struct told {
	enum sluice_status (*read)(const struct sluice_json *node, void **made,
	                           struct sluice_error *error);
	void (*write)(const void *made, struct sluice_buffer *buf);
	void (*destroy)(void *made);
};

static enum sluice_status read_target(const struct sluice_json *node, void **made,
                                      struct sluice_error *error)
{
	struct sluice_bridge_target *target;
	enum sluice_status status = sluice_bridge_target_from_json(node, &target, error);
	*made = target;
	return status;
}

static void write_target(const void *made, struct sluice_buffer *buf)
{
	sluice_bridge_target_write(made, buf);
}

static void destroy_target(void *made)
{
	sluice_bridge_target_destroy(made);
}

static enum sluice_status read_source(const struct sluice_json *node, void **made,
                                      struct sluice_error *error)
{
	struct sluice_bridge_source *source;
	enum sluice_status status = sluice_bridge_source_from_json(node, &source, error);
	*made = source;
	return status;
}

static void write_source(const void *made, struct sluice_buffer *buf)
{
	sluice_bridge_source_write(made, buf);
}

static void destroy_source(void *made)
{
	sluice_bridge_source_destroy(made);
}

static enum sluice_status read_connection(const struct sluice_json *node, void **made,
                                          struct sluice_error *error)
{
	struct sluice_bridge_connection *connection;
	enum sluice_status status = sluice_bridge_connection_from_json(node, &connection, error);
	*made = connection;
	return status;
}

static void write_connection(const void *made, struct sluice_buffer *buf)
{
	struct sluice_buffer shown = { 0 };
	sluice_bridge_connection_write(made, true, buf);
	/* What may be shown is a definition as well. */
	sluice_bridge_connection_write(made, false, &shown);
	struct sluice_json_doc *doc;
	void *again = NULL;
	check(sluice_json_parse(sluice_buffer_str(&shown), 0, SIZE_MAX, &doc, NULL) == SLUICE_OK);
	check(shown.len > SLUICE_RULE_MAX_BYTES ||
	      read_connection(sluice_json_root(doc), &again, NULL) == SLUICE_OK);
	sluice_bridge_connection_destroy(again);
	sluice_json_destroy(doc);
	sluice_buffer_finish(&shown);
}

static void destroy_connection(void *made)
{
	sluice_bridge_connection_destroy(made);
}

static void check_told(const struct told *told, const struct sluice_json *node)
{
	struct sluice_error error = { 0 };
	struct sluice_buffer first = { 0 }, second = { 0 };
	struct sluice_json_doc *doc;
	void *made, *again;
	enum sluice_status status = told->read(node, &made, &error);

	if (status) {
		check(!made);
		check_error(status, &error);
		return;
	}
	told->write(made, &first);
	check(!first.failed && !memchr(first.data, '\n', first.len));
	if (first.len <= SLUICE_RULE_MAX_BYTES) {
		check(sluice_json_parse(sluice_buffer_str(&first), 0, SIZE_MAX, &doc, NULL) ==
		      SLUICE_OK);
		check(told->read(sluice_json_root(doc), &again, &error) == SLUICE_OK);
		told->write(again, &second);
		check(sluice_str_equal(sluice_buffer_str(&first), sluice_buffer_str(&second)));
		told->destroy(again);
		sluice_json_destroy(doc);
	}
	told->destroy(made);
	sluice_buffer_finish(&first);
	sluice_buffer_finish(&second);
}

static void check_bridge(struct sluice_str text)
{
	static const struct told kinds[] = {
		{ read_target, write_target, destroy_target },
		{ read_source, write_source, destroy_source },
		{ read_connection, write_connection, destroy_connection },
	};
	struct sluice_json_doc *doc;

	if (sluice_json_parse(text, 0, SIZE_MAX, &doc, NULL))
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		check_told(&kinds[i], sluice_json_root(doc));
	sluice_json_destroy(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sluice_str text = { (const char *)data, size };

	check_rule(text);
	check_bus(text);
	check_queue(text);
	check_bridge(text);
	return 0;
}
