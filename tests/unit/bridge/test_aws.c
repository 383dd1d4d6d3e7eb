/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aws/message.h"
#include "aws/outcome.h"
#include "aws/service.h"
#include "aws/xml.h"
#include "bridge_made.h"
#include "oom.h"

#define QUEUE  "https://sqs.eu-west-1.amazonaws.com/1/q"
#define LAMBDA "/2015-03-31/functions/"

static enum sluice_status init(struct aws_settings *aws, const struct sluice_bridge_target *target,
                               struct sluice_error *error)
{
	return aws_settings_init(aws, target->kind, target->settings, NULL, error);
}

static void test_a_call_goes_to_the_services_address_in_its_region(void **state)
{
	(void)state;
	static const struct {
		const char *settings, *url, *request_target, *sigv4;
	} cases[] = {
		{ "{\"service\":\"kinesis\",\"stream\":\"s\",\"region\":\"eu-west-1\"}",
		  "https://kinesis.eu-west-1.amazonaws.com/", NULL, "aws:amz:eu-west-1:kinesis" },
		{ "{\"service\":\"events\",\"region\":\"cn-north-1\"}",
		  "https://events.cn-north-1.amazonaws.com.cn/", NULL,
		  "aws:amz:cn-north-1:events" },
		{ "{\"service\":\"sqs\",\"queue_url\":\"" QUEUE "\"}",
		  "https://sqs.eu-west-1.amazonaws.com/", NULL, "aws:amz:eu-west-1:sqs" },
		{ "{\"service\":\"sqs\",\"queue_url\":\"http://localhost:9324/1/"
		  "q\",\"region\":\"x\"}",
		  "http://localhost:9324/", NULL, "aws:amz:x:sqs" },
		{ "{\"service\":\"sns\",\"topic_arn\":\"arn:aws:sns:us-east-1:1:t\"}",
		  "https://sns.us-east-1.amazonaws.com/", NULL, "aws:amz:us-east-1:sns" },
		{ "{\"service\":\"sns\",\"topic_arn\":\"arn:aws:sns:us-east-1:1:t\",\"region\":"
		  "\"r\","
		  "\"endpoint\":\"http://[::1]:80/\"}",
		  "http://[::1]/", NULL, "aws:amz:r:sns" },
		{ "{\"service\":\"lambda\",\"function\":\"f:$LATEST\",\"region\":\"r\"}",
		  "https://lambda.r.amazonaws.com" LAMBDA "f%3A%24LATEST/invocations",
		  LAMBDA "f:$LATEST/invocations", "aws:amz:r:lambda" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_bridge_target *target = made_target("aws", cases[i].settings);
		struct aws_settings aws;
		struct sluice_error error = { 0 };

		if (init(&aws, target, &error))
			fail_msg("%s: %s", cases[i].settings, error.message);
		assert_string_equal(aws.sigv4, cases[i].sigv4);
		/* Newer ones encode what they sign. */
		if (curl_version_info(CURLVERSION_NOW)->version_num < 0x080900) {
			assert_string_equal(aws.url, cases[i].url);
			assert_int_equal(!aws.request_target, !cases[i].request_target);
			if (aws.request_target)
				assert_string_equal(aws.request_target, cases[i].request_target);
		}
		aws_settings_finish(&aws);
		sluice_bridge_target_destroy(target);
	}
}

static void test_settings_that_can_not_be_are_refused_with_their_place(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "{\"service\":\"events\"}", "$.settings.region" },
		{ "{\"service\":\"events\",\"region\":\"a:b\"}", "$.settings.region" },
		{ "{\"service\":\"events\",\"region\":\"evil.example/\"}", "$.settings.region" },
		{ "{\"service\":\"events\",\"region\":\"r\",\"endpoint\":\"ftp://h\"}",
		  "$.settings.endpoint" },
		{ "{\"service\":\"events\",\"region\":\"r\",\"endpoint\":\"http://h/path\"}",
		  "$.settings.endpoint" },
		{ "{\"service\":\"events\",\"region\":\"r\",\"endpoint\":\"http://h/?q\"}",
		  "$.settings.endpoint" },
		{ "{\"service\":\"events\",\"region\":\"r\",\"endpoint\":\"http://u:p@h\"}",
		  "$.settings.endpoint" },
		{ "{\"service\":\"sqs\",\"region\":\"r\",\"queue_url\":\"q\"}",
		  "$.settings.queue_url" },
		{ "{\"service\":\"lambda\",\"region\":\"r\",\"function\":\"a/b\"}",
		  "$.settings.function" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_bridge_target *target = made_target("aws", cases[i][0]);
		struct aws_settings aws;
		struct sluice_error error = { 0 };

		if (init(&aws, target, &error) != SLUICE_ERR_INVALID)
			fail_msg("%s is taken", cases[i][0]);
		assert_string_equal(error.place, cases[i][1]);
		sluice_bridge_target_destroy(target);
	}
}

/* The body of a call with these events, or the error. */
static const char *body_of(const char *settings, const struct sluice_str *payloads, size_t count)
{
	static char result[4096];
	struct sluice_bridge_target *target = made_target("aws", settings);
	struct sluice_buffer body = { 0 };
	struct sluice_error error = { 0 };
	struct aws_settings aws;
	enum sluice_status status = init(&aws, target, &error);

	assert_int_equal(status, SLUICE_OK);
	if (aws.service->begin)
		aws.service->begin(&aws, &body);
	for (size_t i = 0; i < count && !status; i++) {
		struct delivery delivery;
		size_t size;

		status = aws.service->entry(&aws, made_delivery(&delivery, payloads[i]), i, &body,
		                            &size, &error);
	}
	if (!status && aws.service->end)
		aws.service->end(&body);
	snprintf(result, sizeof(result), "%s", status ? error.message : body.data);
	sluice_buffer_finish(&body);
	aws_settings_finish(&aws);
	sluice_bridge_target_destroy(target);
	return result;
}

#define TEXT_ATTRIBUTE(name, value)                                                                \
	"\"" name "\":{\"DataType\":\"String\",\"StringValue\":\"" value "\"}"
#define ATTRIBUTES                                                                                 \
	TEXT_ATTRIBUTE("sluice-id", "id-1")                                                        \
	"," TEXT_ATTRIBUTE("sluice-rule", "hot") "," TEXT_ATTRIBUTE(                               \
	        "sluice-topic", "plants/berlin") "," TEXT_ATTRIBUTE("sluice-time",                 \
	                                                            "2026-01-02T03:04:05.678Z")

static void test_events_become_the_body_that_the_service_wants(void **state)
{
	(void)state;
	const struct sluice_str payloads[] = { SLUICE_STR("{\"a\":\"é\"}"),
		                               SLUICE_STR("{\"b\":2}") };

	assert_string_equal(
	        body_of("{\"service\":\"sqs\",\"queue_url\":\"" QUEUE "\"}", payloads, 2),
	        "{\"QueueUrl\":\"" QUEUE "\",\"Entries\":["
	        "{\"Id\":\"0\",\"MessageBody\":\"{\\\"a\\\":\\\"é\\\"}\",\"MessageAttributes\":"
	        "{" ATTRIBUTES "}},"
	        "{\"Id\":\"1\",\"MessageBody\":\"{\\\"b\\\":2}\",\"MessageAttributes\":{" ATTRIBUTES
	        "}}]}");
	assert_string_equal(
	        body_of("{\"service\":\"kinesis\",\"stream\":\"s\",\"region\":\"r\"}", payloads, 2),
	        "{\"StreamName\":\"s\",\"Records\":[{\"Data\":\"eyJhIjoiw6kifQ==\","
	        "\"PartitionKey\":\"plants/berlin\"},{\"Data\":\"eyJiIjoyfQ==\","
	        "\"PartitionKey\":\"plants/berlin\"}]}");
	assert_string_equal(
	        body_of("{\"service\":\"events\",\"region\":\"r\",\"event_bus\":\"b\"}",
	                payloads + 1, 1),
	        "{\"Entries\":[{\"Source\":\"sluice\",\"DetailType\":\"plants/berlin\","
	        "\"Detail\":\"{\\\"b\\\":2}\",\"EventBusName\":\"b\",\"Time\":1767323045.678}]}");
	assert_string_equal(body_of("{\"service\":\"lambda\",\"function\":\"f\",\"region\":\"r\"}",
	                            payloads, 1),
	                    "{\"a\":\"é\"}");
	const char *sns = body_of("{\"service\":\"sns\",\"topic_arn\":\"arn:aws:sns:r:1:t\","
	                          "\"subject\":\"{topic}\"}",
	                          payloads, 1);
	assert_non_null(
	        strstr(sns, "Action=PublishBatch&Version=2010-03-31&TopicArn=arn%3Aaws%3A"));
	assert_non_null(strstr(sns, "&PublishBatchRequestEntries.member.1.Message="
	                            "%7B%22a%22%3A%22%C3%A9%22%7D&"));
	assert_non_null(strstr(sns,
	                       "&PublishBatchRequestEntries.member.1.MessageAttributes.entry.1."
	                       "Value.StringValue=id-1&"));
	assert_non_null(
	        strstr(sns, "&PublishBatchRequestEntries.member.1.Subject=plants%2Fberlin"));
}

static void test_what_the_service_would_refuse_is_refused_here(void **state)
{
	(void)state;
	static const char sqs[] = "{\"service\":\"sqs\",\"queue_url\":\"" QUEUE "\"}";
	static const char events[] = "{\"service\":\"events\",\"region\":\"r\"}";
	const struct sluice_str empty = SLUICE_STR(""), list = SLUICE_STR("[1]"),
	                        broken = SLUICE_STR("{\"a\":");

	assert_non_null(strstr(body_of(sqs, &empty, 1), "empty"));
	assert_non_null(strstr(body_of(events, &list, 1), "no JSON object"));
	assert_non_null(strstr(body_of(events, &broken, 1), "no JSON object"));
	assert_non_null(strstr(body_of(events, &empty, 1), "no JSON object"));
}

static void test_what_is_no_text_to_sqs_goes_as_base64(void **state)
{
	(void)state;
	static const char sqs[] = "{\"service\":\"sqs\",\"queue_url\":\"" QUEUE "\"}";
	const struct sluice_str payloads[] = { SLUICE_STR("\xff"), SLUICE_STR("a\001"),
		                               SLUICE_STR("\xef\xbf\xbf"), SLUICE_STR("a\0b") };

	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++)
		assert_non_null(strstr(body_of(sqs, &payloads[i], 1),
		                       TEXT_ATTRIBUTE("sluice-encoding", "base64")));
	const struct sluice_str text = SLUICE_STR("\t\r\n\xef\xbf\xbd\xf0\x9f\x98\x80");
	assert_null(strstr(body_of(sqs, &text, 1), "sluice-encoding"));
}

static void test_at_most_ten_attributes_of_names_and_values_that_sqs_takes(void **state)
{
	(void)state;
	static const struct sluice_property properties[] = {
		{ { "AWS.x", 5 }, { "v", 1 } },    { { "amazon.x", 8 }, { "v", 1 } },
		{ { ".a", 2 }, { "v", 1 } },       { { "a.", 2 }, { "v", 1 } },
		{ { "a..b", 4 }, { "v", 1 } },     { { "a b", 3 }, { "v", 1 } },
		{ { "empty", 5 }, { "", 0 } },     { { "bad", 3 }, { "\x01", 1 } },
		{ { "sluice-x", 8 }, { "v", 1 } }, { { "a.b_c-D9", 8 }, { "v", 1 } },
		{ { "a.b_c-D9", 8 }, { "w", 1 } }, { { "b", 1 }, { "v", 1 } },
		{ { "c", 1 }, { "v", 1 } },        { { "d", 1 }, { "v", 1 } },
		{ { "e", 1 }, { "v", 1 } },        { { "f", 1 }, { "v", 1 } },
		{ { "g", 1 }, { "v", 1 } },
	};
	struct sluice_bridge_target *target =
	        made_target("aws", "{\"service\":\"sqs\",\"queue_url\":\"" QUEUE "\"}");
	struct aws_settings aws;
	struct aws_message message;
	struct delivery delivery;

	assert_int_equal(init(&aws, target, NULL), SLUICE_OK);
	made_delivery(&delivery, SLUICE_STR("x"));
	delivery.event.user_properties = properties;
	delivery.event.user_property_count = sizeof(properties) / sizeof(*properties);
	assert_int_equal(aws_message_init(&message, &aws, &delivery, NULL), SLUICE_OK);
	assert_int_equal(message.attribute_count, AWS_ATTRIBUTES);
	assert_true(sluice_str_equal(message.attributes[4].name, SLUICE_STR("a.b_c-D9")));
	assert_true(sluice_str_equal(message.attributes[4].value, SLUICE_STR("v")));
	assert_true(sluice_str_equal(message.attributes[9].name, SLUICE_STR("f")));
	aws_message_finish(&message);
	aws_settings_finish(&aws);
	sluice_bridge_target_destroy(target);
}

enum { ENTRIES = 3 };

/* "D" done, "R" retry, "P" permanent, for each of three events; and the last one's reason. */
static const char *read_answer(const struct aws_service *service, const char *body,
                               char reason[VERDICT_REASON_SIZE])
{
	static char result[ENTRIES + 1];
	struct verdict verdicts[ENTRIES];
	struct aws_answer answer = { .status = 200, .body = sluice_str(body) };

	for (size_t i = 0; i < ENTRIES; i++)
		verdict_set(&verdicts[i], OUTCOME_RETRY, DELIVERY_NO_HINT, "not said");
	service->read(&answer, ENTRIES, verdicts);
	for (size_t i = 0; i < ENTRIES; i++)
		result[i] = "DRP"[verdicts[i].outcome];
	memcpy(reason, verdicts[ENTRIES - 1].reason, VERDICT_REASON_SIZE);
	return result;
}

static void test_each_entry_of_an_answer_has_its_own_outcome(void **state)
{
	(void)state;
	static const struct {
		const struct aws_service *service;
		const char *body, *outcomes, *reason;
	} cases[] = {
		{ &aws_sqs,
		  "{\"Successful\":[{\"Id\":\"0\"}],\"Failed\":[{\"Id\":\"1\",\"Code\":"
		  "\"InternalError\","
		  "\"SenderFault\":false},{\"Id\":\"2\",\"Code\":\"InvalidMessageContents\","
		  "\"SenderFault\":true,\"Message\":\"bad\\nsecret\"}]}",
		  "DRP", "InvalidMessageContents: bad" },
		{ &aws_sqs,
		  "{\"Failed\":[{\"Id\":\"2\",\"Code\":\"RequestThrottled\",\"SenderFault\":true}]"
		  "}",
		  "RRR", "RequestThrottled" },
		{ &aws_sqs,
		  "{\"Successful\":[{\"Id\":\"3\"},{\"Id\":\"-1\"},{\"Id\":\"00\"},{\"Id\":2},{"
		  "\"Id\":\"\"},7]}",
		  "RRR", "not said" },
		{ &aws_sqs, "{\"Successful\":{\"Id\":\"0\"},\"Failed\":\"x\"}", "RRR", "not said" },
		{ &aws_sqs, "<html>", "RRR", "not said" },
		{ &aws_sns,
		  "<R "
		  "x=\"y\"><Failed><member><Id>1</Id><Code>InternalError</Code><SenderFault>false"
		  "</SenderFault></member><member><Id>2</Id><Code>InvalidParameter</Code><Message>m"
		  "</Message><SenderFault>true</SenderFault></member></"
		  "Failed>\n<Successful><member>"
		  "<MessageId>9</MessageId><Id>0</Id></member></Successful></R>",
		  "DRP", "InvalidParameter: m" },
		{ &aws_sns,
		  "<Failed/><Successful><member><Id>0</Id></member><member><Id>2</Id></member>"
		  "</Successful>",
		  "DRD", "" },
		{ &aws_sns, "<Successful><member><Id>0</Id>", "RRR", "not said" },
		{ &aws_kinesis,
		  "{\"FailedRecordCount\":2,\"Records\":[{\"SequenceNumber\":\"1\"},{\"ErrorCode\":"
		  "\"ProvisionedThroughputExceededException\",\"ErrorMessage\":\"Rate\"},{"
		  "\"ErrorCode\":"
		  "\"InternalFailure\"}]}",
		  "DRR", "InternalFailure" },
		{ &aws_kinesis, "{\"Records\":[{\"SequenceNumber\":\"1\"}]}", "RRR", "not said" },
		{ &aws_kinesis, "{\"Records\":[1,2,3]}", "RRR", "not said" },
		{ &aws_events,
		  "{\"Entries\":[{\"EventId\":\"1\"},{\"ErrorCode\":\"ThrottlingException\"},"
		  "{\"ErrorCode\":\"MalformedDetail\",\"ErrorMessage\":\"Detail is malformed.\"}]}",
		  "DRP", "MalformedDetail: Detail is malformed." },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char reason[VERDICT_REASON_SIZE];
		const char *outcomes = read_answer(cases[i].service, cases[i].body, reason);

		if (strcmp(outcomes, cases[i].outcomes) != 0)
			fail_msg("%s\nexpected %s, got %s", cases[i].body, cases[i].outcomes,
			         outcomes);
		assert_string_equal(reason, cases[i].reason);
	}
}

static void test_a_call_that_is_refused_says_so_in_one_of_three_forms(void **state)
{
	(void)state;
	static const struct {
		long status;
		const char *body, *error_type;
		enum outcome outcome;
		bool of_one;
		const char *reason;
	} cases[] = {
		{ 400, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"none\"}",
		  NULL, OUTCOME_PERMANENT, false, "QueueDoesNotExist: none" },
		{ 400, "{\"__type\":\"ThrottlingException\"}", NULL, OUTCOME_RETRY, false,
		  "ThrottlingException" },
		{ 400, "{\"__type\":\"ValidationException\",\"message\":\"1 error\"}", NULL,
		  OUTCOME_PERMANENT, true, "ValidationException: 1 error" },
		{ 403, "{\"__type\":\"ExpiredTokenException\"}", NULL, OUTCOME_RETRY, false,
		  "ExpiredTokenException" },
		{ 403, "{\"message\":\"first\\nTOKEN\"}", "InvalidSignatureException:http://x/",
		  OUTCOME_PERMANENT, false, "InvalidSignatureException: first" },
		{ 404, "<E><Error><Code>NotFound</Code><Message>Topic &lt;t</Message></Error></E>",
		  NULL, OUTCOME_PERMANENT, false, "NotFound: Topic &lt;t" },
		{ 413, "{}", NULL, OUTCOME_PERMANENT, true, "HTTP 413 from AWS" },
		{ 429, "{\"Message\":\"Rate\"}", "TooManyRequestsException", OUTCOME_RETRY, false,
		  "TooManyRequestsException: Rate" },
		{ 500, "", NULL, OUTCOME_RETRY, false, "HTTP 500 from AWS" },
		{ 503, "<html>", NULL, OUTCOME_RETRY, false, "HTTP 503 from AWS" },
		{ 503, "{\"__type\":\"AccessDenied\"}", NULL, OUTCOME_RETRY, false,
		  "AccessDenied" },
		{ 302, "", NULL, OUTCOME_PERMANENT, false, "HTTP 302 from AWS" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct verdict verdict;
		struct aws_answer answer = { .status = cases[i].status,
			                     .body = sluice_str(cases[i].body),
			                     .error_type = sluice_str(cases[i].error_type) };
		bool of_one = aws_refused(&answer, &verdict);

		assert_string_equal(verdict.reason, cases[i].reason);
		assert_int_equal(verdict.outcome, cases[i].outcome);
		assert_int_equal(of_one, cases[i].of_one);
	}
}

static void test_a_functions_failure_is_tried_again(void **state)
{
	(void)state;
	struct verdict verdict;
	struct aws_answer answer = { .status = 200, .body = SLUICE_STR("\"done\"") };

	aws_lambda.read(&answer, 1, &verdict);
	assert_int_equal(verdict.outcome, OUTCOME_DONE);
	answer.function_error = SLUICE_STR("Unhandled");
	answer.body = SLUICE_STR("{\"errorMessage\":\"boom\",\"errorType\":\"ValueError\"}");
	aws_lambda.read(&answer, 1, &verdict);
	assert_int_equal(verdict.outcome, OUTCOME_RETRY);
	assert_string_equal(verdict.reason, "ValueError: boom");
	answer.body = SLUICE_STR("{\"errorMessage\":\"cut of");
	aws_lambda.read(&answer, 1, &verdict);
	assert_int_equal(verdict.outcome, OUTCOME_RETRY);
	assert_string_equal(verdict.reason, "Unhandled: the function failed");
}

static void test_elements_of_xml(void **state)
{
	(void)state;
	static const char *const cases[][3] = {
		{ "<a>1</a>", "a", "1" },
		{ "<ab>2</ab><a>1</a>", "a", "1" },
		{ "<a x='y'>1</a>", "a", "1" },
		{ "<a/>", "a", "" },
		{ "<a />", "a", "" },
		{ "<a>", "a", NULL },
		{ "<a", "a", NULL },
		{ "", "a", NULL },
		{ "<", "a", NULL },
		{ "<a></b></a>", "a", "</b>" },
		{ "</a>", "a", NULL },
		{ "<a>1</a", "a", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		/* On the heap, so that a byte too far is found. */
		size_t len = strlen(cases[i][0]);
		char *text = malloc(len ? len : 1);
		assert_non_null(text);
		memcpy(text, cases[i][0], len);
		struct sluice_str inside = xml_first(sluice_str_of(text, len), cases[i][1]);

		if (!cases[i][2])
			assert_null(inside.data);
		else if (!inside.data || !sluice_str_equal(inside, sluice_str(cases[i][2])))
			fail_msg("%s", cases[i][0]);
		free(text);
	}
}

static void test_an_entry_survives_every_allocation_that_fails(void **state)
{
	(void)state;
	static const char *const settings[] = {
		"{\"service\":\"sqs\",\"queue_url\":\"" QUEUE ".fifo\",\"group_id\":\"{$.a}\"}",
		"{\"service\":\"sns\",\"topic_arn\":\"arn:aws:s:r:1:t.fifo\",\"subject\":\"{id}\"}",
		"{\"service\":\"kinesis\",\"stream\":\"s\",\"region\":\"r\"}",
		"{\"service\":\"events\",\"region\":\"r\"}",
		"{\"service\":\"lambda\",\"function\":\"f\",\"region\":\"r\"}",
	};
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		struct sluice_bridge_target *target = made_target("aws", settings[i]);

		for (size_t n = 1;; n++) {
			struct aws_settings aws;
			struct delivery delivery;
			struct sluice_buffer body = { 0 };
			size_t size = 0;

			made_delivery(&delivery, SLUICE_STR("{\"a\":\"\xc3\xa9\"}"));
			oom_fail_at(n);
			enum sluice_status status = init(&aws, target, NULL);
			if (!status)
				status = aws.service->entry(&aws, &delivery, 0, &body, &size, NULL);
			bool happened = oom_happened();
			assert_true(status ==
			            (happened && !body.failed ? SLUICE_ERR_NOMEM : SLUICE_OK));
			sluice_buffer_finish(&body);
			aws_settings_finish(&aws);
			if (!happened)
				break;
		}
		sluice_bridge_target_destroy(target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_call_goes_to_the_services_address_in_its_region),
		cmocka_unit_test(test_settings_that_can_not_be_are_refused_with_their_place),
		cmocka_unit_test(test_events_become_the_body_that_the_service_wants),
		cmocka_unit_test(test_what_the_service_would_refuse_is_refused_here),
		cmocka_unit_test(test_what_is_no_text_to_sqs_goes_as_base64),
		cmocka_unit_test(test_at_most_ten_attributes_of_names_and_values_that_sqs_takes),
		cmocka_unit_test(test_each_entry_of_an_answer_has_its_own_outcome),
		cmocka_unit_test(test_a_call_that_is_refused_says_so_in_one_of_three_forms),
		cmocka_unit_test(test_a_functions_failure_is_tried_again),
		cmocka_unit_test(test_elements_of_xml),
		cmocka_unit_test(test_an_entry_survives_every_allocation_that_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
