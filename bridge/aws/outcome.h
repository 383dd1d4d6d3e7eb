/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What the errors of AWS mean for an event. */
#ifndef BRIDGE_AWS_OUTCOME_H
#define BRIDGE_AWS_OUTCOME_H

#include "service.h"

/* Whose fault an error is, where the answer says so. */
enum aws_fault { AWS_FAULT_UNSAID, AWS_FAULT_SENDER, AWS_FAULT_SERVICE };

/*
 * The verdict on an event that failed: "Throttling: Rate exceeded". RETRY where the fault is the
 * service's, or the code says that it passes: the service's own trouble, too much at a time,
 * credentials that ran out.
 *
 * message	absent when there is none. Its first line is shown: what comes behind that may be the
 *		request once more, with its token
 */
void aws_failed(struct verdict *verdict, enum aws_fault fault, struct sluice_str code,
                struct sluice_str message);

/* The same, of a member `code_name` and `message_name` of an object. */
void aws_failed_json(struct verdict *verdict, enum aws_fault fault,
                     const struct sluice_json *object, const char *code_name,
                     const char *message_name);

/*
 * The verdict on all of a call that was not taken (no 2xx).
 *
 * Returns true when one of its events may be the cause: the others are worth a call without it.
 */
bool aws_refused(const struct aws_answer *answer, struct verdict *verdict);

/* An answer's JSON; NULL when it is none, or out of memory. */
struct sluice_json_doc *aws_answer_json(const struct aws_answer *answer);

/*
 * The verdicts of an answer that lists results in the events' order: DONE where an element of the
 * array `list` has no "ErrorCode".
 */
void aws_read_list(const struct aws_answer *answer, const char *list, size_t count,
                   struct verdict *verdicts);

#endif
