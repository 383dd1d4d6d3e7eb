/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What clients publish below `queues/`: credit, acknowledgements, messages. It goes to nobody else. */
#include "enqueue.h"
#include "plugin.h"
#include "queue/wire.h"

/* One publish to a queue. */
struct asking {
	struct plugin *plugin;
	struct mosquitto_evt_message *message;
	struct queue *queue;
	struct queue_topic topic;
	struct sluice_str payload;
	uint64_t holder;
};

static void bad_request(const struct asking *asking, const char *reason)
{
	struct plugin *plugin = asking->plugin;
	const char *client_id = mosquitto_client_id(asking->message->client);
	counter_add(&plugin->durable.bad_requests, 1);
	log_limited(&plugin->log, LOG_QUEUE, clock_monotonic_ms(), MOSQ_LOG_WARNING,
	            "client %s on %.200s: %s", client_id ? client_id : "", asking->message->topic,
	            reason);
}

/* It was taken in, and nobody else is to have it. */
static int swallow(struct mosquitto_evt_message *message)
{
	broker_compat_hide_topic(message);
	message->retain = false;
	return MOSQ_ERR_SUCCESS;
}

static int ready(const struct asking *asking)
{
	struct queue_ready ready;
	struct sluice_error error;
	const struct mosquitto *client = asking->message->client;
	if (queue_ready_read(asking->payload, &ready, &error) != SLUICE_OK) {
		bad_request(asking, error.message);
		return swallow(asking->message);
	}
	const struct worker_terms terms = {
		.client = client,
		.client_id = sluice_str(mosquitto_client_id(client)),
		.username = sluice_str(mosquitto_client_username(client)),
		.credit = ready.credit,
		.batch = ready.batch,
		.lease_ms = ready.lease_ms,
	};
	if (terms.client_id.data && !queue_worker(asking->queue, &terms))
		bad_request(asking, "out of memory");
	return swallow(asking->message);
}

/* Acts on one receipt. */
static enum queue_answer settle(const struct asking *asking, struct sluice_str text)
{
	struct queue *queue = asking->queue;
	struct receipt receipt;
	struct queue_nack nack;
	struct sluice_error error;
	int64_t lease_ms;
	if (!receipt_read(text, &receipt)) {
		counter_add(&queue->numbers->bad_receipts, 1);
		bad_request(asking, "that is no receipt");
		return QUEUE_GONE_BEFORE;
	}
	enum queue_answer answer = QUEUE_GONE_BEFORE;
	if (asking->topic.verb == QUEUE_VERB_ACK) {
		answer = queue_ack(queue, &receipt, asking->holder);
	} else if (asking->topic.verb == QUEUE_VERB_NACK) {
		if (queue_nack_read(asking->payload, &nack, &error) == SLUICE_OK)
			answer = (nack.dead_letter ? queue_reject : queue_nack)(
			        queue, &receipt, asking->holder, nack.delay_ms,
			        sluice_str(nack.reason));
		else
			bad_request(asking, error.message);
	} else if (queue_extend_read(asking->payload, queue->settings.visibility_ms, &lease_ms,
	                             &error) == SLUICE_OK) {
		answer = queue_extend(queue, &receipt, asking->holder, lease_ms);
	} else {
		bad_request(asking, error.message);
	}
	if (answer == QUEUE_BAD_RECEIPT)
		bad_request(asking, "the receipt is of no delivery that is still held");
	return answer;
}

static int settle_all(const struct asking *asking)
{
	struct sluice_str rest = asking->payload;
	if (asking->topic.receipt.data) {
		if (settle(asking, asking->topic.receipt) == QUEUE_NO_ROOM)
			return durable_refuse(asking->plugin, asking->message);
		return swallow(asking->message);
	}
	/* A receipt on each line. */
	while (rest.len > 0) {
		const char *end = memchr(rest.data, '\n', rest.len);
		struct sluice_str line = { rest.data, end ? (size_t)(end - rest.data) : rest.len };
		rest.data += end ? line.len + 1 : line.len;
		rest.len -= end ? line.len + 1 : line.len;
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		/* What was acknowledged before is no error when all are sent again. */
		if (line.len > 0 && settle(asking, line) == QUEUE_NO_ROOM)
			return durable_refuse(asking->plugin, asking->message);
	}
	return swallow(asking->message);
}

bool queue_publish(struct plugin *plugin, struct mosquitto_evt_message *message, int *result)
{
	struct asking asking = { .plugin = plugin, .message = message };
	if (!queue_topic_read(sluice_str(message->topic), &asking.topic))
		return false;
	asking.payload = (struct sluice_str){ message->payload ? message->payload : "",
		                              message->payload ? message->payloadlen : 0 };
	asking.queue = queues_find(&plugin->durable.queues, asking.topic.queue);
	asking.holder = queues_holder(sluice_str(mosquitto_client_username(message->client)));
	if (!asking.queue || asking.topic.verb == QUEUE_VERB_NONE ||
	    asking.topic.verb == QUEUE_VERB_OUT) {
		if (!asking.queue && !plugin->durable.queues.first)
			return false; /* without queues the topics are anybody's */
		bad_request(&asking, !asking.queue ? "there is no such queue"
		                     : asking.topic.verb == QUEUE_VERB_OUT
		                             ? "only the router delivers"
		                             : "there is no such topic of a queue");
		*result = MOSQ_ERR_ACL_DENIED;
		return true;
	}
	durable_now(plugin);
	if (asking.topic.verb == QUEUE_VERB_READY)
		*result = ready(&asking);
	else if (asking.topic.verb == QUEUE_VERB_IN)
		*result = enqueue_publish(plugin, asking.queue, message)
		                  ? swallow(message)
		                  : durable_refuse(plugin, message);
	else
		*result = settle_all(&asking);
	plugin->durable.next_ms = 0;
	return true;
}
