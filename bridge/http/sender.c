/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sender.h"

#include <stdlib.h>

/* A call and its deliveries. */
struct job {
	struct job *next, **link; /* in http_sender.jobs */
	struct http_sender *sender;
	struct http_call *call;
	size_t count;
	struct delivery *deliveries[];
};

struct http_sender {
	struct http_client *client;
	http_answered_fn answered;
	struct job *jobs;
};

void http_end_all(struct delivery *const *deliveries, size_t count, const struct verdict *verdict,
                  struct transfer *answer)
{
	(void)answer;
	for (size_t i = 0; i < count; i++)
		delivery_done(deliveries[i], verdict->outcome, verdict->hint_ms, "%s",
		              verdict->reason);
}

enum sluice_status http_sender_create(const struct outlet_context *context,
                                      const struct http_rules *rules, http_answered_fn answered,
                                      struct http_sender **sender, struct sluice_error *error)
{
	*sender = NULL;
	struct http_sender *made = calloc(1, sizeof(*made));
	if (!made)
		return sluice_out_of_memory(error);
	made->answered = answered;
	enum sluice_status status = http_client_create(context, rules, &made->client, error);
	if (status)
		free(made);
	else
		*sender = made;
	return status;
}

static void unlink_job(struct job *job)
{
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
}

static void on_done(void *arg, const struct verdict *verdict, struct transfer *answer)
{
	struct job *job = arg;
	/* What it ends makes room for more: sends may come from within. */
	unlink_job(job);
	job->sender->answered(job->deliveries, job->count, verdict, answer);
	free(job);
}

void http_sender_send(struct http_sender *sender, struct http_message *message,
                      struct delivery *const *deliveries, size_t count)
{
	struct job *job = malloc(sizeof(*job) + count * sizeof(*deliveries));
	struct http_call *call = NULL;
	if (job)
		call = http_call_create(sender->client, message, on_done, job);
	else
		http_message_finish(message);
	if (!call) {
		struct verdict verdict;
		free(job);
		verdict_set(&verdict, OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
		http_end_all(deliveries, count, &verdict, NULL);
		return;
	}
	job->sender = sender;
	job->call = call;
	job->count = count;
	memcpy(job->deliveries, deliveries, count * sizeof(*deliveries));
	job->next = sender->jobs;
	job->link = &sender->jobs;
	if (job->next)
		job->next->link = &job->next;
	sender->jobs = job;
	http_call_begin(call);
}

void http_sender_close(struct http_sender *sender)
{
	if (!sender)
		return;
	struct verdict let_go;
	verdict_set(&let_go, OUTCOME_LET_GO, DELIVERY_NO_HINT, "the target is being closed");
	while (sender->jobs) {
		struct job *job = sender->jobs;
		unlink_job(job);
		http_call_cancel(job->call);
		http_end_all(job->deliveries, job->count, &let_go, NULL);
		free(job);
	}
	http_client_destroy(sender->client);
	free(sender);
}
