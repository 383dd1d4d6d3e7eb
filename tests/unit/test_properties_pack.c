/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "properties_pack.h"

static const struct sluice_property users[] = {
	{ { "tenant", sizeof "tenant" - 1 }, { "acme", sizeof "acme" - 1 } },
	{ { "sluice-rule", sizeof "sluice-rule" - 1 }, { "forged", sizeof "forged" - 1 } },
	{ { "", sizeof "" - 1 }, { "", sizeof "" - 1 } },
};

static struct sluice_event an_event(void)
{
	struct sluice_event event = SLUICE_EVENT_INIT;
	event.payload_format = 1;
	event.content_type = SLUICE_STR("application/json");
	event.correlation_data = (struct sluice_str){ "\0\1", 2 };
	event.user_properties = users;
	event.user_property_count = 3;
	return event;
}

static void test_what_was_packed_is_unpacked(void **state)
{
	static const struct packed_property expected[] = {
		{ PACKED_PAYLOAD_FORMAT, { "", sizeof "" - 1 }, { "\1", sizeof "\1" - 1 } },
		{ PACKED_CONTENT_TYPE,
		  { "", sizeof "" - 1 },
		  { "application/json", sizeof "application/json" - 1 } },
		{ PACKED_CORRELATION_DATA, { "", sizeof "" - 1 }, { "\0\1", sizeof "\0\1" - 1 } },
		{ PACKED_USER_PROPERTY,
		  { "tenant", sizeof "tenant" - 1 },
		  { "acme", sizeof "acme" - 1 } },
		{ PACKED_USER_PROPERTY, { "", sizeof "" - 1 }, { "", sizeof "" - 1 } },
	};
	const struct sluice_event event = an_event();
	struct sluice_buffer bytes = { 0 };
	struct packed_property property;
	(void)state;

	properties_pack(&event, false, (struct sluice_str){ 0 }, &bytes);
	struct sluice_str rest = sluice_buffer_str(&bytes);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		assert_true(properties_unpack(&rest, &property));
		assert_int_equal(property.id, expected[i].id);
		assert_true(sluice_str_equal(property.name, expected[i].name));
		assert_true(sluice_str_equal(property.value, expected[i].value));
		assert_int_equal(property.value.data[property.value.len], '\0');
	}
	assert_false(properties_unpack(&rest, &property));
	sluice_buffer_finish(&bytes);
}

static void test_a_transformed_payload_has_its_own_content_type(void **state)
{
	const struct sluice_event event = an_event();
	struct sluice_buffer bytes = { 0 };
	struct packed_property property;
	(void)state;

	properties_pack(&event, true, SLUICE_STR("text/plain"), &bytes);
	struct sluice_str rest = sluice_buffer_str(&bytes);
	assert_true(properties_unpack(&rest, &property));
	assert_int_equal(property.id, PACKED_CONTENT_TYPE);
	assert_true(sluice_str_equal(property.value, SLUICE_STR("text/plain")));
	sluice_buffer_finish(&bytes);
}

static void test_damaged_bytes_are_the_end(void **state)
{
	const struct sluice_event event = an_event();
	struct sluice_buffer bytes = { 0 };
	struct packed_property property;
	(void)state;

	properties_pack(&event, false, (struct sluice_str){ 0 }, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		char *part = malloc(len + 1);
		assert_non_null(part);
		memcpy(part, bytes.data, len);
		struct sluice_str rest = { part, len };
		size_t count = 0;
		while (properties_unpack(&rest, &property))
			count++;
		assert_true(count < 5);
		free(part);
	}
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] = (char)(bytes.data[i] ^ 0xff);
		struct sluice_str rest = sluice_buffer_str(&bytes);
		while (properties_unpack(&rest, &property))
			assert_true(property.value.data + property.value.len <
			            bytes.data + bytes.len);
		bytes.data[i] = (char)(bytes.data[i] ^ 0xff);
	}
	sluice_buffer_finish(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_packed_is_unpacked),
		cmocka_unit_test(test_a_transformed_payload_has_its_own_content_type),
		cmocka_unit_test(test_damaged_bytes_are_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
