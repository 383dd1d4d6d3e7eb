/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge_kinds.h"
#include "oom.h"
#include "sluice/bridge.h"
#include "sluice/buffer.h"

/* A definition of any of the three, as a role and a pointer. */
struct made {
	enum sluice_bridge_role role;
	union {
		struct sluice_bridge_target *target;
		struct sluice_bridge_source *source;
		struct sluice_bridge_connection *connection;
		void *any;
	};
};

static enum sluice_status read_one(enum sluice_bridge_role role, const char *text,
                                   struct made *made, struct sluice_error *error)
{
	struct sluice_json_doc *doc;
	enum sluice_status status = sluice_json_parse(sluice_str(text), 0, SIZE_MAX, &doc, error);

	*made = (struct made){ .role = role };
	if (status)
		return status;
	if (role == SLUICE_BRIDGE_TARGET)
		status =
		        sluice_bridge_target_from_json(sluice_json_root(doc), &made->target, error);
	else if (role == SLUICE_BRIDGE_SOURCE)
		status =
		        sluice_bridge_source_from_json(sluice_json_root(doc), &made->source, error);
	else
		status = sluice_bridge_connection_from_json(sluice_json_root(doc),
		                                            &made->connection, error);
	/* What was made stands without it. */
	sluice_json_destroy(doc);
	return status;
}

static struct made parse(enum sluice_bridge_role role, const char *text)
{
	struct made made;
	struct sluice_error error = { 0 };

	if (read_one(role, text, &made, &error))
		fail_msg("%s\nis refused: %s: %s", text, error.place, error.message);
	return made;
}

static void destroy(struct made made)
{
	if (made.role == SLUICE_BRIDGE_TARGET)
		sluice_bridge_target_destroy(made.target);
	else if (made.role == SLUICE_BRIDGE_SOURCE)
		sluice_bridge_source_destroy(made.source);
	else
		sluice_bridge_connection_destroy(made.connection);
}

static void write_one(struct made made, bool secrets, struct sluice_buffer *buf)
{
	if (made.role == SLUICE_BRIDGE_TARGET)
		sluice_bridge_target_write(made.target, buf);
	else if (made.role == SLUICE_BRIDGE_SOURCE)
		sluice_bridge_source_write(made.source, buf);
	else
		sluice_bridge_connection_write(made.connection, secrets, buf);
}

#define DELIVERY                                                                                   \
	"\"delivery\":{\"concurrency\":10,\"rate\":0,\"burst\":0,\"batch_events\":1,"              \
	"\"batch_bytes\":262144,\"batch_wait_ms\":0,\"timeout_ms\":30000,\"max_attempts\":185,"    \
	"\"max_age_s\":86400,\"backoff_ms\":1000,\"backoff_max_ms\":900000,"                       \
	"\"breaker_failures\":10,\"breaker_pause_ms\":30000}"

static const struct written {
	enum sluice_bridge_role role;
	const char *text, *written; /* NULL = as it is */
} good[] = {
	{ SLUICE_BRIDGE_TARGET,
	  "{ \"name\":\"t\", \"kind\":\"http\", \"settings\":{ \"url\" : \"http://x/{$.a}\" } }",
	  "{\"name\":\"t\",\"state\":\"ENABLED\",\"queue\":\"t\",\"kind\":\"http\","
	  "\"settings\":{\"url\":\"http://x/{$.a}\"}," DELIVERY "}" },
	{ SLUICE_BRIDGE_TARGET,
	  "{\"name\":\"t\",\"description\":\"d\",\"state\":\"DISABLED\",\"queue\":\"q\","
	  "\"kind\":\"http\",\"connection\":\"c\",\"settings\":{\"url\":\"{topic}\",\"method\":"
	  "\"PUT\",\"headers\":{\"X-A\":\"{id}\"},\"query\":{\"a\":\"\"},\"body\":{\"paths\":"
	  "{\"a\":\"$.a\"},\"template\":\"<a>\"},\"content_type\":\"a/b\",\"cloudevents\":"
	  "\"binary\",\"redirects\":20,\"private_addresses\":false,\"private_redirects\":true,"
	  "\"http2\":false},\"enrichment\":{\"kind\":\"exec\",\"connection\":\"e\",\"settings\":"
	  "{\"command\":[\"/bin/cat\"],\"mode\":\"lines\",\"environment\":{\"A\":\"\"},\"limits\":"
	  "{\"cpu_s\":1}},\"into\":\"$.a.b\"},\"delivery\":{\"concurrency\":1000,\"rate\":1,"
	  "\"burst\":2,\"batch_events\":1000,\"batch_bytes\":1,\"batch_wait_ms\":60000,"
	  "\"timeout_ms\":1,\"max_attempts\":1,\"max_age_s\":1,\"backoff_ms\":1,"
	  "\"backoff_max_ms\":1,\"breaker_failures\":0,\"breaker_pause_ms\":1}}",
	  NULL },
	{ SLUICE_BRIDGE_TARGET,
	  "{\"name\":\"t\",\"state\":\"ENABLED\",\"queue\":\"t\",\"kind\":\"sql\",\"settings\":"
	  "{\"database\":\"sqlite\",\"url\":\"f\",\"statement\":\"INSERT\",\"parameters\":"
	  "[\"{id}\",{\"path\":\"$.a\"}]}," DELIVERY "}",
	  NULL },
	{ SLUICE_BRIDGE_TARGET,
	  "{\"name\":\"t\",\"state\":\"ENABLED\",\"queue\":\"t\",\"kind\":\"mqtt\",\"settings\":"
	  "{\"host\":\"h\",\"topic\":\"a/{topic}\",\"protocol\":311}," DELIVERY "}",
	  NULL },
	{ SLUICE_BRIDGE_SOURCE, "{\"name\":\"s\",\"kind\":\"wills\",\"topic\":\"wills/{topic}\"}",
	  "{\"name\":\"s\",\"state\":\"ENABLED\",\"kind\":\"wills\",\"topic\":\"wills/{topic}\","
	  "\"settings\":{}}" },
	{ SLUICE_BRIDGE_SOURCE,
	  "{\"name\":\"s\",\"description\":\"d\",\"state\":\"DISABLED\",\"kind\":\"mqtt\","
	  "\"connection\":\"c\",\"topic\":\"{topic}\",\"settings\":{\"host\":\"h\",\"filters\":"
	  "[\"a/#\",\"+/b\"],\"qos\":0}}",
	  NULL },
	{ SLUICE_BRIDGE_CONNECTION,
	  "{\"name\":\"c\",\"description\":\"d\",\"kind\":\"aws\",\"settings\":{\"access_key_id\":"
	  "\"A\",\"region\":\"r\",\"ca_file\":\"/ca\"},\"secrets\":{\"secret_access_key\":"
	  "{\"file\":\"/f\"},\"session_token\":{\"env\":\"E\"}}}",
	  NULL },
	{ SLUICE_BRIDGE_CONNECTION, "{\"name\":\"c\",\"kind\":\"tls\"}",
	  "{\"name\":\"c\",\"kind\":\"tls\",\"settings\":{},\"secrets\":{}}" },
};

static void test_a_definition_is_written_on_one_line_with_its_defaults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct made made = parse(good[i].role, good[i].text);
		struct sluice_buffer buf = { 0 };

		write_one(made, true, &buf);
		assert_string_equal(buf.data, good[i].written ? good[i].written : good[i].text);
		destroy(made);
		destroy(parse(good[i].role, buf.data));
		sluice_buffer_finish(&buf);
	}
}

static void test_a_secret_is_written_for_the_store_alone(void **state)
{
	struct made made = parse(SLUICE_BRIDGE_CONNECTION,
	                         "{\"name\":\"c\",\"kind\":\"aws\",\"settings\":{\"access_key_id\":"
	                         "\"A\"},\"secrets\":{\"secret_access_key\":\"s3cret\","
	                         "\"session_token\":null}}");
	struct sluice_buffer buf = { 0 };

	(void)state;
	write_one(made, true, &buf);
	assert_non_null(strstr(buf.data, "\"secrets\":{\"secret_access_key\":\"s3cret\","
	                                 "\"session_token\":null}"));
	sluice_buffer_reset(&buf);
	write_one(made, false, &buf);
	assert_non_null(strstr(buf.data, "\"secrets\":{\"secret_access_key\":null,"
	                                 "\"session_token\":null}"));
	assert_null(strstr(buf.data, "s3cret"));
	destroy(made);
	sluice_buffer_finish(&buf);
}

static void test_only_a_reference_of_a_secret_is_shown(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"a\":\"s3cret\",\"b\":{\"file\":\"/f\"},\"c\":{\"env\":\"E\"}}",
		  "{\"a\":null,\"b\":{\"file\":\"/f\"},\"c\":{\"env\":\"E\"}}" },
		{ "{\"a\":{\"value\":\"s3cret\"},\"b\":[\"s3cret\"],\"c\":7}",
		  "{\"a\":null,\"b\":null,\"c\":null}" },
		{ "{\"a\":{\"file\":\"/f\",\"env\":\"s3cret\"}}", "{\"a\":null}" },
		{ "\"s3cret\"", "null" },
		{ "{}", "{}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_json_doc *doc;
		struct sluice_buffer buf = { 0 };

		assert_int_equal(sluice_json_parse(sluice_str(cases[i][0]), 0, 9, &doc, NULL), 0);
		sluice_bridge_secrets_write(sluice_json_root(doc), &buf);
		assert_string_equal(buf.data, cases[i][1]);
		sluice_json_destroy(doc);
		sluice_buffer_finish(&buf);
	}
}

#define TARGET(rest) "{\"name\":\"t\",\"kind\":" rest "}"
#define SOURCE(rest) "{\"name\":\"s\",\"topic\":\"t\",\"kind\":" rest "}"
#define HTTP(rest)   TARGET("\"http\",\"settings\":{\"url\":\"u\"" rest "}")

static void test_a_fault_is_told_with_its_place(void **state)
{
	static const struct {
		enum sluice_bridge_role role;
		const char *text, *place, *message;
	} cases[] = {
		{ SLUICE_BRIDGE_TARGET, "[]", "$", "a target must be an object" },
		{ SLUICE_BRIDGE_TARGET, "{\"kind\":\"http\"}", "$", "must have a \"name\"" },
		{ SLUICE_BRIDGE_TARGET, "{\"name\":\"t\"}", "$", "there must be a \"kind\"" },
		{ SLUICE_BRIDGE_TARGET, TARGET("7"), "$.kind", "must be a string" },
		{ SLUICE_BRIDGE_TARGET, TARGET("\"htpp\""), "$.kind", "did you mean \"http\"?" },
		{ SLUICE_BRIDGE_TARGET, TARGET("\"http\""), "$", "must have \"url\"" },
		{ SLUICE_BRIDGE_TARGET, TARGET("\"http\",\"settings\":[]"), "$.settings",
		  "must be an object" },
		{ SLUICE_BRIDGE_TARGET, TARGET("\"http\",\"seting\":{}"), "$.seting",
		  "did you mean \"settings\"?" },
		{ SLUICE_BRIDGE_TARGET, TARGET("\"http\",\"state\":\"SHADOW\""), "$.state",
		  "\"ENABLED\" or \"DISABLED\"" },
		{ SLUICE_BRIDGE_TARGET,
		  TARGET("\"http\",\"settings\":{\"url\":\"https://u:p@h/\"}"), "$.settings.url",
		  "holds a password" },
		{ SLUICE_BRIDGE_TARGET,
		  TARGET("\"nats\",\"settings\":{\"urls\":[\"nats://h:1\",\"nats://u:p@h\"]}"),
		  "$.settings.urls[1]", "holds a password" },
		{ SLUICE_BRIDGE_SOURCE,
		  SOURCE("\"postgres\",\"settings\":{\"url\":\"host=h password = 'x'\"}"),
		  "$.settings.url", "holds a password" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"methd\":\"GET\""), "$.settings.methd",
		  "did you mean \"method\"?" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"method\":\"get\""), "$.settings.method",
		  "must be \"POST\", \"GET\", \"PUT\", \"PATCH\" or \"DELETE\", did you mean" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"method\":null"), "$.settings.method", "must be" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"url\":\"v\""), "$.url", "" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"headers\":{\"a\":1}"), "$.settings.headers.a",
		  "must be a string" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"headers\":{\"a\":\"{nope}\"}"),
		  "$.settings.headers.a", "no variable" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"body\":{\"template\":\"<a>\"}"), "$.settings.body",
		  "" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"body\":7"), "$.settings.body",
		  "must be a string" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"redirects\":21"), "$.settings.redirects",
		  "from 0 to 20" },
		{ SLUICE_BRIDGE_TARGET, HTTP(",\"http2\":1"), "$.settings.http2",
		  "must be true or false" },
		{ SLUICE_BRIDGE_TARGET, TARGET("\"exec\",\"settings\":{\"command\":[]}"),
		  "$.settings.command", "must not be empty" },
		{ SLUICE_BRIDGE_TARGET, TARGET("\"exec\",\"settings\":{\"command\":\"x\"}"),
		  "$.settings.command", "must be a list" },
		{ SLUICE_BRIDGE_TARGET,
		  TARGET("\"exec\",\"settings\":{\"command\":[\"x\"],\"limits\":{\"cpu\":1}}"),
		  "$.settings.limits.cpu", "did you mean \"cpu_s\"?" },
		{ SLUICE_BRIDGE_TARGET,
		  TARGET("\"exec\",\"settings\":{\"command\":[\"x\"],\"topic\":\"a/+\"}"),
		  "$.settings.topic", "" },
		{ SLUICE_BRIDGE_TARGET,
		  TARGET("\"sql\",\"settings\":{\"database\":\"sqlite\",\"url\":\"u\","
		         "\"statement\":\"s\",\"parameters\":[{\"path\":\"a\"}]}"),
		  "$.settings.parameters[0].path", "" },
		{ SLUICE_BRIDGE_TARGET, TARGET("\"aws\",\"settings\":{\"service\":\"sqs\"}"),
		  "$.settings", "must have \"queue_url\" with the service \"sqs\"" },
		{ SLUICE_BRIDGE_TARGET, HTTP("},\"delivery\":{\"concurrency\":0"),
		  "$.delivery.concurrency", "from 1 to 1000" },
		{ SLUICE_BRIDGE_TARGET, HTTP("},\"delivery\":{\"backoff_max_ms\":9"), "$.delivery",
		  "must not be below" },
		{ SLUICE_BRIDGE_TARGET, HTTP("},\"enrichment\":{\"kind\":\"smtp\""),
		  "$.enrichment.kind", "\"http\" or \"exec\"" },
		{ SLUICE_BRIDGE_TARGET,
		  HTTP("},\"enrichment\":{\"kind\":\"http\",\"settings\":{\"url\":\"u\"},\"into\":"
		       "\"$.a[0]\""),
		  "$.enrichment.into", "path of a member" },
		{ SLUICE_BRIDGE_TARGET,
		  HTTP("},\"enrichment\":{\"kind\":\"http\",\"settings\":{\"url\":\"u\"},\"into\":"
		       "\"$\""),
		  "$.enrichment.into", "path of a member" },
		{ SLUICE_BRIDGE_SOURCE, "{\"name\":\"s\",\"kind\":\"wills\"}", "$",
		  "must have a \"topic\"" },
		{ SLUICE_BRIDGE_SOURCE, "{\"name\":\"s\",\"kind\":\"wills\",\"topic\":\"{topik}\"}",
		  "$.topic", "did you mean \"topic\"?" },
		{ SLUICE_BRIDGE_SOURCE,
		  "{\"name\":\"s\",\"kind\":\"mqtt\",\"topic\":\"t\",\"settings\":{\"host\":\"h\","
		  "\"filters\":[\"a\",\"#/b\"]}}",
		  "$.settings.filters[1]", "" },
		{ SLUICE_BRIDGE_CONNECTION,
		  "{\"name\":\"c\",\"kind\":\"basic\",\"settings\":{\"username\":\"u\"},"
		  "\"secrets\":{\"pasword\":\"s3cret\"}}",
		  "$.secrets.pasword", "did you mean \"password\"?" },
		{ SLUICE_BRIDGE_CONNECTION,
		  "{\"name\":\"c\",\"kind\":\"bearer\",\"secrets\":{\"token\":[\"s3cret\"]}}",
		  "$.secrets.token", "a secret must be" },
		{ SLUICE_BRIDGE_CONNECTION,
		  "{\"name\":\"c\",\"kind\":\"bearer\",\"secrets\":{\"token\":{}}}",
		  "$.secrets.token", "\"file\" or \"env\"" },
		{ SLUICE_BRIDGE_CONNECTION,
		  "{\"name\":\"c\",\"kind\":\"bearer\",\"secrets\":\"s3cret\"}", "$.secrets",
		  "must be an object" },
		{ SLUICE_BRIDGE_CONNECTION, "{\"name\":\"c\",\"kind\":\"api-key\"}", "$",
		  "must have \"header\" or \"query\"" },
		{ SLUICE_BRIDGE_CONNECTION,
		  "{\"name\":\"c\",\"kind\":\"api-key\",\"settings\":{\"header\":\"h\",\"query\":"
		  "\"q\"}}",
		  "$.settings", "not both" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error = { 0 };
		struct made made;
		enum sluice_status status = read_one(cases[i].role, cases[i].text, &made, &error);

		if (!status || made.any || error.code != status ||
		    (cases[i].message[0] && strcmp(error.place, cases[i].place) != 0) ||
		    !strstr(error.message, cases[i].message) || !error.message[0] ||
		    strstr(error.message, "s3cret"))
			fail_msg("%s\nexpected %s: %s\ngot %s: %s", cases[i].text, cases[i].place,
			         cases[i].message, error.place, error.message);
	}
}

static void test_settings_that_are_absent_are_what_their_table_says(void **state)
{
	struct made made = parse(SLUICE_BRIDGE_TARGET, HTTP(""));
	const struct sluice_bridge_target *target = made.target;

	(void)state;
	assert_true(
	        sluice_str_equal(sluice_setting_text(target->settings, "url"), SLUICE_STR("u")));
	assert_null(sluice_setting_text(target->settings, "content_type").data);
	assert_int_equal(sluice_setting_integer(target->kind, target->settings, "redirects"), 0);
	assert_true(sluice_setting_bool(target->kind, target->settings, "http2"));
	assert_int_equal(sluice_setting_choice(target->kind, target->settings, "method"), 0);
	assert_null(sluice_setting_node(target->settings, "body"));
	destroy(made);
	made = parse(SLUICE_BRIDGE_TARGET,
	             HTTP(",\"redirects\":3,\"http2\":false,\"method\":\"PUT\""));
	target = made.target;
	assert_int_equal(sluice_setting_integer(target->kind, target->settings, "redirects"), 3);
	assert_false(sluice_setting_bool(target->kind, target->settings, "http2"));
	assert_int_equal(sluice_setting_choice(target->kind, target->settings, "method"), 2);
	destroy(made);
	made = parse(SLUICE_BRIDGE_TARGET,
	             TARGET("\"mqtt\",\"settings\":{\"host\":\"h\",\"protocol\":311}"));
	assert_int_equal(
	        sluice_setting_choice(made.target->kind, made.target->settings, "protocol"), 1);
	destroy(made);
}

/* What a mistake in a table would break: a need of a setting that is not there, a default that is
 * out of its bounds, more settings than are read. */
static void test_the_tables_hold_together(void **state)
{
	(void)state;
	for (int role = 0; role < SLUICE_BRIDGE_ROLES; role++)
		for (const struct sluice_bridge_kind *kind = sluice_bridge_kinds[role]; kind->name;
		     kind++) {
			size_t count = 0;

			for (const struct sluice_setting *setting = kind->settings; setting->name;
			     setting++, count++) {
				bool chosen = setting->type == SLUICE_SETTING_CHOICE ||
				              setting->type == SLUICE_SETTING_LIMITS;

				assert_int_equal(chosen, setting->choices != NULL);
				if (setting->type == SLUICE_SETTING_INTEGER)
					assert_true(setting->otherwise <= setting->max &&
					            setting->min <= setting->max);
			}
			assert_true(count <= 64);
			assert_int_equal(kind->secrets != NULL, role == SLUICE_BRIDGE_CONNECTION);
		}
	for (const struct sluice_setting_need *need = sluice_setting_needs; need->kind; need++) {
		const struct sluice_bridge_kind *kind = sluice_bridge_kinds[need->role];
		bool found = false;

		while (kind->name && strcmp(kind->name, need->kind) != 0)
			kind++;
		assert_non_null(kind->name);
		for (const struct sluice_setting *setting = kind->settings; setting->name;
		     setting++)
			found = found ||
			        strncmp(setting->name, need->needed, strlen(setting->name)) == 0;
		assert_true(found);
	}
}

static void test_each_allocation_may_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t n = 1;; n++) {
			struct made made;
			enum sluice_status status;
			bool happened;

			oom_fail_at(n);
			status = read_one(good[i].role, good[i].text, &made, NULL);
			happened = oom_happened();
			assert_int_equal(status, happened ? SLUICE_ERR_NOMEM : SLUICE_OK);
			destroy(made);
			if (!happened)
				break;
		}
}

static void test_a_definition_is_bounded(void **state)
{
	struct sluice_buffer text = { 0 };
	struct sluice_error error;
	struct made made;

	(void)state;
	sluice_buffer_append_text(&text, "{\"name\":\"t\",\"kind\":\"exec\",\"settings\":"
	                                 "{\"command\":[\"");
	while (text.len <= SLUICE_RULE_MAX_BYTES)
		sluice_buffer_append_text(&text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"");
	sluice_buffer_append_text(&text, "\"]}}");
	assert_int_equal(read_one(SLUICE_BRIDGE_TARGET, text.data, &made, &error),
	                 SLUICE_ERR_LIMIT);
	sluice_buffer_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_definition_is_written_on_one_line_with_its_defaults),
		cmocka_unit_test(test_a_secret_is_written_for_the_store_alone),
		cmocka_unit_test(test_only_a_reference_of_a_secret_is_shown),
		cmocka_unit_test(test_a_fault_is_told_with_its_place),
		cmocka_unit_test(test_settings_that_are_absent_are_what_their_table_says),
		cmocka_unit_test(test_the_tables_hold_together),
		cmocka_unit_test(test_each_allocation_may_fail),
		cmocka_unit_test(test_a_definition_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
