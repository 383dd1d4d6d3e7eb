/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The step before a target: a command reads the event from its stdin and writes the response. */
#include <stdlib.h>

#include "exec.h"
#include "runs.h"

struct exec_enricher {
	struct enricher enricher;
	struct runs *runs;
};

static void on_done(void *arg, struct delivery *delivery, struct sluice_buffer *output)
{
	(void)arg;
	size_t len = output->len;
	char *response = sluice_buffer_take(output);

	if (response)
		enriched(delivery, response, len);
	else
		delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
}

static struct enricher *enricher_open(const struct outlet_context *context,
                                      struct sluice_error *error)
{
	struct exec_enricher *made;

	if (sluice_setting_choice(context->kind, context->settings, "mode") != 0 ||
	    sluice_setting_text(context->settings, "topic").data) {
		sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.enrichment.settings",
		                 "an enrichment is a run for each event, and answers its target");
		return NULL;
	}
	made = calloc(1, sizeof(*made));
	if (!made) {
		sluice_out_of_memory(error);
		return NULL;
	}
	made->enricher.kind = &enricher_exec;
	made->runs = runs_create(context, true, on_done, made, error);
	if (!made->runs) {
		free(made);
		return NULL;
	}
	return &made->enricher;
}

static void enricher_send(struct enricher *enricher, struct delivery *delivery)
{
	runs_add(((struct exec_enricher *)enricher)->runs, delivery);
}

static void enricher_close(struct enricher *enricher)
{
	runs_close(((struct exec_enricher *)enricher)->runs);
	free(enricher);
}

const struct enricher_kind enricher_exec = {
	.name = "exec",
	.open = enricher_open,
	.send = enricher_send,
	.close = enricher_close,
};
