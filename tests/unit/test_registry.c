/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oom.h"
#include "registry.h"

struct fixture {
	struct registry registry;
	struct registry_sink sink;
	enum sluice_status reported;
	struct defined *queue; /* the last that changed */
};

/* Takes a change as the broker's thread does, and gives back at once what it replaces. */
static void emit(void *arg, struct message *message)
{
	struct fixture *fixture = arg;
	if (message->kind == MESSAGE_CHANGE_RULE) {
		struct rule_entry *old = ((struct change_rule_message *)message)->old;
		if (old)
			registry_free(&fixture->registry, &old->garbage);
		sluice_pattern_destroy(((struct change_rule_message *)message)->pattern);
	} else {
		struct change_defined_message *change = (struct change_defined_message *)message;
		if (change->defined->definition)
			registry_free(&fixture->registry, &change->defined->definition->garbage);
		change->defined->definition = change->definition;
		if (change->defined->kind == SLUICE_STORE_QUEUE)
			fixture->queue = change->defined;
	}
	free(message);
}

static void report(void *arg, enum sluice_store_kind kind, struct sluice_str name, int64_t revision,
                   const struct sluice_error *fault)
{
	(void)kind, (void)name, (void)revision;
	((struct fixture *)arg)->reported = fault ? fault->code : SLUICE_OK;
}

static void change(struct fixture *fixture, enum sluice_store_kind kind, const char *name,
                   const char *text, int64_t revision)
{
	const struct sluice_store_row row = { .name = sluice_str(name),
		                              .text = sluice_str(text), /* NULL: gone */
		                              .revision = revision };
	registry_change(&fixture->registry, kind, &row, &fixture->sink);
}

static void start(struct fixture *fixture)
{
	*fixture = (struct fixture){ .sink = { emit, report, fixture } };
	assert_true(registry_init(&fixture->registry));
	change(fixture, SLUICE_STORE_BUS, "default", "{\"name\":\"default\"}", 1);
}

static void test_what_has_no_memory_is_reported_and_leaves_no_trace(void **state)
{
	static const enum sluice_store_kind kinds[] = { SLUICE_STORE_BUS, SLUICE_STORE_QUEUE };
	static const char *const texts[] = {
		"{\"name\":\"b\",\"archive\":{\"pattern\":{\"a\":[1]}}}", "{\"name\":\"b\"}"
	};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		bool happened = true;
		for (size_t n = 1; happened; n++) {
			struct fixture fixture;
			start(&fixture);
			size_t before = fixture.registry.defined_counts[kinds[i]];
			oom_fail_at(n);
			change(&fixture, kinds[i], "b", texts[i], 2);
			happened = oom_happened();
			if (happened) {
				assert_int_equal(fixture.reported, SLUICE_ERR_NOMEM);
				assert_int_equal(fixture.registry.defined_counts[kinds[i]], before);
				change(&fixture, kinds[i], "b", texts[i], 2);
			}
			assert_int_equal(fixture.reported, SLUICE_OK);
			assert_int_equal(fixture.registry.faults, 0);
			assert_int_equal(fixture.registry.defined_counts[kinds[i]], before + 1);
			registry_finish(&fixture.registry);
		}
	}
}

static void test_a_faulty_queue_stays_in_its_last_good_version_until_it_is_gone(void **state)
{
	struct fixture fixture;
	(void)state;
	start(&fixture);
	change(&fixture, SLUICE_STORE_QUEUE, "default", "{\"name\":\"default\"}", 2);
	change(&fixture, SLUICE_STORE_QUEUE, "default", "{\"name\":\"default\",\"group\":\"g\"}",
	       3);
	assert_int_equal(fixture.reported, SLUICE_ERR_SYNTAX);
	assert_int_equal(fixture.registry.faults, 1);
	assert_int_equal(fixture.registry.defined_counts[SLUICE_STORE_QUEUE], 1);
	assert_null(fixture.queue->definition->content.queue->group);
	/* A bus of that name is another thing. */
	assert_non_null(registry_bus(&fixture.registry, SLUICE_STR("default")));
	change(&fixture, SLUICE_STORE_QUEUE, "default", NULL, 3);
	assert_int_equal(fixture.registry.faults, 0);
	assert_int_equal(fixture.registry.defined_counts[SLUICE_STORE_QUEUE], 0);
	registry_free(&fixture.registry, &fixture.queue->garbage);
	assert_non_null(registry_bus(&fixture.registry, SLUICE_STR("default")));
	registry_finish(&fixture.registry);
}

static void test_a_rule_without_memory_stays_in_its_last_good_version(void **state)
{
	bool happened = true;
	(void)state;
	for (size_t n = 1; happened; n++) {
		struct fixture fixture;
		start(&fixture);
		change(&fixture, SLUICE_STORE_RULE, "r", "{\"name\":\"r\",\"pattern\":{\"a\":[1]}}",
		       2);
		const struct rule_entry *good =
		        registry_rule(&fixture.registry, SLUICE_STR("r"))->current;
		oom_fail_at(n);
		change(&fixture, SLUICE_STORE_RULE, "r", "{\"name\":\"r\",\"pattern\":{\"a\":[2]}}",
		       3);
		happened = oom_happened();
		const struct rule_record *record =
		        registry_rule(&fixture.registry, SLUICE_STR("r"));
		assert_int_equal(fixture.reported, happened ? SLUICE_ERR_NOMEM : SLUICE_OK);
		assert_int_equal(fixture.registry.faults, happened);
		assert_int_equal(fixture.registry.in_force, 1);
		if (happened)
			assert_ptr_equal(record->current, good);
		registry_finish(&fixture.registry);
	}
}

static void test_what_the_bridge_is_told_is_checked_and_counted(void **state)
{
	static const char good[] =
	        "{\"name\":\"t\",\"kind\":\"http\",\"settings\":{\"url\":\"u\"}}";
	static const char bad[] = "{\"name\":\"t\",\"kind\":\"htp\"}";
	const enum sluice_store_kind kind = SLUICE_STORE_TARGET;
	struct fixture fixture;
	(void)state;
	start(&fixture);
	const struct bridged *bridged = &fixture.registry.bridged;
	change(&fixture, kind, "t", bad, 2);
	assert_int_equal(fixture.reported, SLUICE_ERR_INVALID);
	assert_int_equal(bridged->in_force[kind], 0);
	assert_int_equal(bridged->faults, 1);
	change(&fixture, kind, "t", good, 3);
	assert_int_equal(fixture.reported, SLUICE_OK);
	assert_int_equal(bridged->in_force[kind], 1);
	assert_int_equal(bridged->faults, 0);
	/* A source of that name is another thing. */
	change(&fixture, SLUICE_STORE_SOURCE, "t", bad, 4);
	change(&fixture, kind, "t", bad, 5);
	assert_int_equal(bridged->in_force[kind], 1);
	assert_int_equal(bridged->faults, 2);
	change(&fixture, kind, "t", NULL, 5);
	assert_int_equal(bridged->in_force[kind], 0);
	assert_int_equal(bridged->faults, 1);
	registry_finish(&fixture.registry);
}

static void test_a_target_without_memory_is_reported_and_taken_the_next_time(void **state)
{
	static const char text[] =
	        "{\"name\":\"t\",\"kind\":\"http\",\"settings\":{\"url\":\"u\"}}";
	bool happened = true;
	(void)state;
	for (size_t n = 1; happened; n++) {
		struct fixture fixture;
		start(&fixture);
		oom_fail_at(n);
		change(&fixture, SLUICE_STORE_TARGET, "t", text, 2);
		happened = oom_happened();
		assert_int_equal(fixture.reported, happened ? SLUICE_ERR_NOMEM : SLUICE_OK);
		change(&fixture, SLUICE_STORE_TARGET, "t", text, 2);
		assert_int_equal(fixture.reported, SLUICE_OK);
		assert_int_equal(fixture.registry.bridged.in_force[SLUICE_STORE_TARGET], 1);
		assert_int_equal(fixture.registry.bridged.faults, 0);
		registry_finish(&fixture.registry);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_has_no_memory_is_reported_and_leaves_no_trace),
		cmocka_unit_test(
		        test_a_faulty_queue_stays_in_its_last_good_version_until_it_is_gone),
		cmocka_unit_test(test_a_rule_without_memory_stays_in_its_last_good_version),
		cmocka_unit_test(test_what_the_bridge_is_told_is_checked_and_counted),
		cmocka_unit_test(test_a_target_without_memory_is_reported_and_taken_the_next_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
