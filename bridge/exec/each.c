/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* mode "each": a command for each event, which reads it from its stdin. */
#include <stdlib.h>

#include "answers.h"
#include "exec.h"
#include "runs.h"

struct each {
	struct outlet outlet;
	struct runs *runs;
	struct answers *answers; /* NULL: what a command writes is nobody's */
};

static void on_done(void *arg, struct delivery *delivery, struct sluice_buffer *output)
{
	struct each *each = arg;

	if (output && output->len > 0)
		answers_publish(each->answers, delivery, sluice_buffer_str(output));
	else
		delivery_done(delivery, OUTCOME_DONE, DELIVERY_NO_HINT, "-");
}

static void each_close(struct outlet *outlet)
{
	struct each *each = (struct each *)outlet;

	runs_close(each->runs);
	answers_close(each->answers);
	free(each);
}

static struct outlet *each_open(const struct outlet_context *context, struct sluice_error *error)
{
	struct each *each = calloc(1, sizeof(*each));

	if (!each) {
		sluice_out_of_memory(error);
		return NULL;
	}
	each->outlet.kind = &exec_each;
	if (answers_create(context, &each->answers, error) == SLUICE_OK)
		each->runs = runs_create(context, each->answers != NULL, on_done, each, error);
	if (!each->runs) {
		each_close(&each->outlet);
		return NULL;
	}
	return &each->outlet;
}

static void each_send(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		runs_add(((struct each *)outlet)->runs, deliveries[i]);
}

const struct outlet_kind exec_each = {
	.name = "exec",
	.open = each_open,
	.send = each_send,
	.close = each_close,
};
