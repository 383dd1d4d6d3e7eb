/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "outcome.h"

#include "xml.h"

enum { JSON_DEPTH = 16 };

static bool holds(struct sluice_str text, const char *part)
{
	size_t len = strlen(part);

	for (size_t at = 0; at + len <= text.len; at++) {
		if (memcmp(text.data + at, part, len) == 0)
			return true;
	}
	return false;
}

static bool holds_one(struct sluice_str text, const char *const *parts)
{
	for (; *parts; parts++) {
		if (holds(text, *parts))
			return true;
	}
	return false;
}

/* Each service spells them in ways of its own, with "Exception" behind it and "AWS.…." before it, or
 * without. Whoever has ProvisionedThroughputExceededException asks for less at a time; credentials that
 * ran out are replaced, and a clock is set right, with the events still there. */
static const char *const passing[] = {
	"Throttl",
	"ThroughputExceeded",
	"TooManyRequests",
	"RequestLimit",
	"LimitExceeded",
	"BandwidthLimit",
	"SlowDown",
	"OverLimit",
	"PriorRequestNotComplete",
	"InternalFailure",
	"InternalError",
	"InternalException",
	"InternalServer",
	"ServiceUnavailable",
	"ServiceException",
	"RequestTimeout",
	"TransactionInProgress",
	"ExpiredToken",
	"RequestExpired",
	"TimeTooSkewed",
	"NotReady",
	"ResourceConflict",
	"ENILimitReached",
	"EC2Unexpected",
	"SnapStart",
	NULL,
};

/* Of a whole call, what one of its events may have brought upon the others. */
static const char *const of_one[] = {
	"Validation",
	"InvalidMessageContents",
	"InvalidParameter",
	"InvalidArgument",
	"InvalidAttribute",
	"InvalidBatchEntry",
	"Serialization",
	"ParameterValueInvalid",
	"BatchRequestTooLong",
	"TooLarge",
	"MalformedDetail",
	"UnsupportedOperation",
	NULL,
};

static struct sluice_str first_line(struct sluice_str text)
{
	const char *end = text.len ? memchr(text.data, '\n', text.len) : NULL;

	if (end)
		text.len = (size_t)(end - text.data);
	return text;
}

static int at_most(struct sluice_str text, size_t max)
{
	return (int)(text.len < max ? text.len : max);
}

void aws_failed(struct verdict *verdict, enum aws_fault fault, struct sluice_str code,
                struct sluice_str message)
{
	bool passes = fault == AWS_FAULT_SERVICE || holds_one(code, passing);
	struct sluice_str words = first_line(message);

	if (code.len == 0)
		code = SLUICE_STR("no error code");
	verdict_set(verdict, passes ? OUTCOME_RETRY : OUTCOME_PERMANENT, DELIVERY_NO_HINT,
	            "%.*s%s%.*s", at_most(code, 80), code.data, words.len ? ": " : "",
	            at_most(words, 160), words.len ? words.data : "");
}

static struct sluice_str member_text(const struct sluice_json *object, const char *name)
{
	const struct sluice_json *node = sluice_json_get(object, name);

	return node ? node->string : (struct sluice_str){ NULL, 0 };
}

void aws_failed_json(struct verdict *verdict, enum aws_fault fault,
                     const struct sluice_json *object, const char *code_name,
                     const char *message_name)
{
	aws_failed(verdict, fault, member_text(object, code_name),
	           member_text(object, message_name));
}

struct sluice_json_doc *aws_answer_json(const struct aws_answer *answer)
{
	struct sluice_json_doc *doc;

	if (answer->body.len == 0 ||
	    sluice_json_parse(answer->body, 0, JSON_DEPTH, &doc, NULL) != SLUICE_OK)
		return NULL;
	return doc;
}

/* "com.amazonaws.sqs#QueueDoesNotExist", "ResourceNotFoundException:http://…": the name alone. */
static struct sluice_str bare_code(struct sluice_str code)
{
	const char *hash = code.len ? memchr(code.data, '#', code.len) : NULL;

	if (hash) {
		code.len -= (size_t)(hash + 1 - code.data);
		code.data = hash + 1;
	}
	const char *colon = code.len ? memchr(code.data, ':', code.len) : NULL;
	if (colon)
		code.len = (size_t)(colon - code.data);
	return code;
}

/* An error's code and message, in whichever of the three forms it comes. */
static void find_error(const struct aws_answer *answer, const struct sluice_json *root,
                       struct sluice_str *code, struct sluice_str *message)
{
	if (root) {
		*code = member_text(root, "__type");
		*message = member_text(root, "message");
		if (!message->data)
			*message = member_text(root, "Message");
	} else {
		*code = xml_first(answer->body, "Code");
		*message = xml_first(answer->body, "Message");
	}
	if (answer->error_type.len)
		*code = answer->error_type;
	*code = bare_code(*code);
}

bool aws_refused(const struct aws_answer *answer, struct verdict *verdict)
{
	struct sluice_json_doc *doc = aws_answer_json(answer);
	struct sluice_str code, message;
	long status = answer->status;

	find_error(answer, doc ? sluice_json_root(doc) : NULL, &code, &message);
	if (code.len == 0) {
		/* A proxy's answer, say; its text is for browsers. */
		verdict_of_status(verdict, status, "AWS", DELIVERY_NO_HINT);
	} else {
		bool service = status >= 500 || status == 429 || status == 408 || status == 425;

		aws_failed(verdict, service ? AWS_FAULT_SERVICE : AWS_FAULT_UNSAID, code, message);
	}
	bool of_one_event =
	        verdict->outcome == OUTCOME_PERMANENT && (status == 413 || holds_one(code, of_one));
	sluice_json_destroy(doc);
	return of_one_event;
}

void aws_read_list(const struct aws_answer *answer, const char *list, size_t count,
                   struct verdict *verdicts)
{
	struct sluice_json_doc *doc = aws_answer_json(answer);
	const struct sluice_json *results = NULL;

	if (doc)
		results = sluice_json_get(sluice_json_root(doc), list);
	/* One that lists more or less than was asked is about another call. */
	if (results && results->type == SLUICE_JSON_ARRAY && results->count == count) {
		const struct sluice_json *result = results->first;

		for (size_t i = 0; i < count; i++, result = result->next) {
			const struct sluice_json *code = sluice_json_get(result, "ErrorCode");

			if (result->type == SLUICE_JSON_OBJECT &&
			    (!code || code->type == SLUICE_JSON_NULL))
				verdict_set(&verdicts[i], OUTCOME_DONE, DELIVERY_NO_HINT, "%s", "");
			else if (result->type == SLUICE_JSON_OBJECT)
				aws_failed_json(&verdicts[i], AWS_FAULT_UNSAID, result, "ErrorCode",
				                "ErrorMessage");
		}
	}
	sluice_json_destroy(doc);
}
