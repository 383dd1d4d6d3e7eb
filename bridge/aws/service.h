/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What the services of AWS differ in: how events become the body of a call, and what its answer
 * says of each. Nothing here knows of a network: a call is bytes (call.c), and so is the answer.
 *
 *	service	a call carries		an event's place	its outcome
 *	lambda	one event		the body		the status, X-Amz-Function-Error
 *	sqs	10 events, 256 KiB	Entries[], an Id	Successful[] and Failed[], by Id
 *	sns	10 events, 256 KiB	….member.N., an Id	<Successful> and <Failed>, by Id
 *	kinesis	500 events, 5 MiB	Records[]		Records[], in their order
 *	events	10 events, 256 KiB	Entries[]		Entries[], in their order
 */
#ifndef BRIDGE_AWS_SERVICE_H
#define BRIDGE_AWS_SERVICE_H

#include "credentials.h"
#include "verdict.h"
#include "sluice/text_template.h"

struct aws_service;

/* What a target's settings say, read once. */
struct aws_settings {
	const struct aws_service *service;
	char *url;                /* owned; of all calls */
	char *request_target;     /* owned; asked for in the place of the url's path, or NULL */
	char *sigv4;              /* owned: "aws:amz:eu-west-1:sqs" */
	struct sluice_str where;  /* the queue's URL, topic's ARN, stream, bus; or absent */
	struct sluice_str source; /* EventBridge's */
	struct sluice_str detail_type; /* EventBridge's; absent: the event's topic */
	struct sluice_text_template *partition_key, *group_id, *subject; /* owned; NULL: not said */
	bool fifo;
	bool wait; /* for the function's end */
};

struct aws_answer {
	long status;
	struct sluice_str body;
	/* Headers, absent when there are none such. */
	struct sluice_str error_type;     /* x-amzn-errortype */
	struct sluice_str function_error; /* x-amz-function-error */
};

enum {
	AWS_CALL_EVENTS = 500,   /* at most, in a call of any service */
	AWS_ANSWER_MAX = 524288, /* bytes of an answer that are looked at: 500 errors of Kinesis */
};

struct aws_service {
	const char *name;   /* of the setting, the host and the signature */
	const char *target; /* the header X-Amz-Target; NULL = none */
	const char *content_type;
	size_t max_events; /* of a call */
	size_t max_bytes;  /* of a call, as the service counts them */
	size_t max_event;  /* bytes of one event */
	/* What stands before and behind the entries. May be NULL. */
	void (*begin)(const struct aws_settings *aws, struct sluice_buffer *body);
	void (*end)(struct sluice_buffer *body);
	/*
	 * Appends an event as the call's entry `index`.
	 *
	 * size		gets its bytes as the service counts them
	 *
	 * Errors: SLUICE_ERR_NOMEM; any other: this event can't be sent, ever.
	 */
	enum sluice_status (*entry)(const struct aws_settings *aws, const struct delivery *delivery,
	                            size_t index, struct sluice_buffer *body, size_t *size,
	                            struct sluice_error *error);
	/* Reads the answer to a call that was taken (2xx): sets the verdicts on those that it speaks
	 * of. */
	void (*read)(const struct aws_answer *answer, size_t count, struct verdict *verdicts);
};

extern const struct aws_service aws_lambda, aws_sqs, aws_sns, aws_kinesis, aws_events;

/*
 * Reads settings that were checked, and that outlive this.
 *
 * Errors: SLUICE_ERR_INVALID, _NOMEM, and those of text templates.
 */
enum sluice_status aws_settings_init(struct aws_settings *aws,
                                     const struct sluice_bridge_kind *kind,
                                     const struct sluice_json *settings,
                                     const struct credentials *credentials,
                                     struct sluice_error *error);
void aws_settings_finish(struct aws_settings *aws);

#endif
