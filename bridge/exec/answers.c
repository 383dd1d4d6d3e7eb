/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "answers.h"

#include <stdlib.h>

#include "bridge.h"
#include "sluice/topic.h"

/* An answer that waits for its PUBACK; its address is what the link knows it by. */
struct answer {
	struct answer *next, **link;
	struct answers *answers;
	struct delivery *delivery;
};

struct answers {
	struct bridge *bridge;
	struct sluice_topic_template *topic;
	struct sluice_buffer text; /* of a topic, kept for the next one */
	struct answer *first;
};

enum sluice_status answers_create(const struct outlet_context *context, struct answers **answers,
                                  struct sluice_error *error)
{
	struct sluice_str topic = sluice_setting_text(context->settings, "topic");
	struct answers *made;
	enum sluice_status status;

	*answers = NULL;
	if (!topic.data)
		return SLUICE_OK;
	made = calloc(1, sizeof(*made));
	if (!made)
		return sluice_out_of_memory(error);
	status = sluice_topic_template_compile(topic, &made->topic, error);
	if (status) {
		free(made);
		return status;
	}
	made->bridge = context->bridge;
	made->text.limit = SLUICE_TOPIC_MAX_BYTES;
	*answers = made;
	return SLUICE_OK;
}

static struct delivery *take_delivery(struct answer *answer)
{
	struct delivery *delivery = answer->delivery;

	*answer->link = answer->next;
	if (answer->next)
		answer->next->link = answer->link;
	free(answer);
	return delivery;
}

static void on_published(void *arg, int reason)
{
	struct delivery *delivery = take_delivery(arg);

	if (reason < LINK_REFUSED)
		delivery_done(delivery, OUTCOME_DONE, DELIVERY_NO_HINT, "-");
	else
		delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT,
		              "the broker refused the answer with reason %d", reason);
}

void answers_publish(struct answers *answers, struct delivery *delivery, struct sluice_str payload)
{
	struct sluice_error error;
	struct answer *answer;
	enum sluice_status status;

	sluice_buffer_reset(&answers->text);
	status = sluice_topic_template_expand(answers->topic, &delivery->vars, &answers->text,
	                                      &error);
	if (status) {
		delivery_done(delivery,
		              status == SLUICE_ERR_NOMEM ? OUTCOME_RETRY : OUTCOME_PERMANENT,
		              DELIVERY_NO_HINT, "the answer's topic: %s", error.message);
		return;
	}
	answer = malloc(sizeof(*answer));
	if (!answer) {
		delivery_done(delivery, OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
		return;
	}
	*answer = (struct answer){ answers->first, &answers->first, answers, delivery };
	if (answers->first)
		answers->first->link = &answer->next;
	answers->first = answer;
	if (!bridge_publish(answers->bridge, answers->text.data, payload, NULL, on_published,
	                    answer))
		delivery_done(take_delivery(answer), OUTCOME_RETRY, DELIVERY_NO_HINT,
		              "the answer can't be published");
}

void answers_close(struct answers *answers)
{
	if (!answers)
		return;
	while (answers->first) {
		bridge_forget(answers->bridge, answers->first);
		delivery_done(take_delivery(answers->first), OUTCOME_RETRY, DELIVERY_NO_HINT,
		              "its answer was not acknowledged when its target ended");
	}
	sluice_topic_template_destroy(answers->topic);
	sluice_buffer_finish(&answers->text);
	free(answers);
}
