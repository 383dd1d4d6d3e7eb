/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/buffer.h"
#include "sluice/json.h"

enum { ASK_MS = 3000, ANSWER_DEPTH = 8, ACK_WAIT_S = 30 };

static bool read_stream(struct nats_consumer *consumer, struct sluice_str answer)
{
	struct sluice_json_doc *doc;
	if (sluice_json_parse(answer, 0, ANSWER_DEPTH, &doc, NULL) != SLUICE_OK)
		return false;
	const struct sluice_json *names = sluice_json_get(sluice_json_root(doc), "streams");
	if (names && names->type == SLUICE_JSON_ARRAY && names->first &&
	    names->first->type == SLUICE_JSON_STRING)
		consumer->stream = strndup(names->first->string.data, names->first->string.len);
	sluice_json_destroy(doc);
	return consumer->stream != NULL;
}

/* Which stream takes the subject. */
static bool find_stream(struct nats_consumer *consumer, natsConnection *connection, char *why,
                        size_t why_size)
{
	struct sluice_buffer ask = { 0 };
	natsMsg *answer = NULL;
	bool found = false;
	sluice_buffer_append_text(&ask, "{\"subject\":");
	sluice_json_write_string(&ask, sluice_str(consumer->subject));
	sluice_buffer_append_text(&ask, "}");
	natsStatus status =
	        ask.failed ? NATS_NO_MEMORY
	                   : natsConnection_Request(&answer, connection, "$JS.API.STREAM.NAMES",
	                                            ask.data, (int)ask.len, ASK_MS);
	sluice_buffer_finish(&ask);
	if (status == NATS_OK)
		found = read_stream(consumer, sluice_str_of(natsMsg_GetData(answer),
		                                            (size_t)natsMsg_GetDataLength(answer)));
	natsMsg_Destroy(answer);
	if (!found)
		snprintf(why, why_size, "no stream has the subject %s%s%s", consumer->subject,
		         status == NATS_OK ? "" : ": ",
		         status == NATS_OK ? "" : natsStatus_GetText(status));
	return found;
}

/* One that is there is used as it is, be it made by us or by hand; but it must be of our kind. */
static bool check(const struct nats_consumer *consumer, const jsConsumerInfo *info, char *why,
                  size_t why_size)
{
	const jsConsumerConfig *config = info->Config;
	const char *wrong = NULL;
	if (!config)
		return true;
	if (config->DeliverSubject && config->DeliverSubject[0])
		wrong = "is pushed to, not pulled from";
	else if (config->AckPolicy != js_AckExplicit)
		wrong = "does not ask for an acknowledgement of each";
	else if (config->FilterSubject && config->FilterSubject[0] &&
	         strcmp(config->FilterSubject, consumer->subject) != 0)
		wrong = "has another subject";
	if (wrong)
		snprintf(why, why_size, "the consumer %s of %s %s", consumer->durable,
		         consumer->stream, wrong);
	return !wrong;
}

bool nats_consumer_ensure(struct nats_consumer *consumer, natsConnection *connection, char *why,
                          size_t why_size)
{
	jsCtx *js = NULL;
	jsConsumerInfo *info = NULL;
	jsErrCode code = 0;
	if (!consumer->stream && !find_stream(consumer, connection, why, why_size))
		return false;
	natsStatus status = natsConnection_JetStream(&js, connection, NULL);
	if (status == NATS_OK)
		status = js_GetConsumerInfo(&info, js, consumer->stream, consumer->durable, NULL,
		                            &code);
	if (status == NATS_NOT_FOUND) {
		jsConsumerConfig config;
		jsConsumerConfig_Init(&config);
		config.Durable = consumer->durable;
		config.FilterSubject = consumer->subject;
		config.AckPolicy = js_AckExplicit;
		config.AckWait = (int64_t)ACK_WAIT_S * 1000000000;
		config.MaxAckPending = (int64_t)NATS_WINDOW * 4;
		status = js_AddConsumer(&info, js, consumer->stream, &config, NULL, &code);
	}
	bool right = status == NATS_OK && check(consumer, info, why, why_size);
	if (status != NATS_OK)
		snprintf(why, why_size, "the consumer %s of %s: %s (%d)", consumer->durable,
		         consumer->stream, natsStatus_GetText(status), (int)code);
	jsConsumerInfo_Destroy(info);
	jsCtx_Destroy(js);
	return right;
}
