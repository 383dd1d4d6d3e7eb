/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A member of a consumer group. Of each partition records are published in their order, and its offset
 * is stored, to be committed, behind the last one before which all are taken in:
 *
 *	partition:  | in | in | under way | in | under way | ...
 *	                      ^ offset
 *
 * When a partition is taken away what is under way there is dropped: whoever has it next begins at that
 * offset. While there is no room, nothing is polled; when that lasts, as our broker is away, all
 * partitions are paused and the group is kept alive.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../headers.h"
#include "../log.h"
#include "../via.h"
#include "config.h"
#include "kinds.h"
#include "watch.h"

enum { AGAIN_MS = 5000, TROUBLE_SIZE = 512 };

struct partition;

struct record {
	struct record *next; /* of its partition, in the order of offsets */
	struct kafka_in *in;
	struct partition *partition; /* NULL: it was taken away */
	rd_kafka_message_t *message; /* NULL once it was published */
	int64_t offset;
	bool ended;
	bool published; /* the source has it, and will tell */
};

struct partition {
	struct partition *next;
	char *topic;
	int32_t number;
	struct record *first, **last;
};

struct kafka_in {
	struct inlet inlet;
	uv_loop_t *loop;
	struct source *source;
	rd_kafka_t *rk;
	struct kafka_watch *watch;
	uv_timer_t timer;
	struct partition *partitions;
	struct record *lost; /* published, of partitions that were taken away; by `next` */
	bool full;           /* there is no room */
	bool paused;         /* for a while now */
	bool polling, said_loop, closing;
	char title[128], mark[400];
	int left; /* of the timer and the consumer, to be gone */
};

/* --- partitions --- */

static struct partition *find_partition(struct kafka_in *in, const char *topic, int32_t number)
{
	struct partition *at = in->partitions;
	while (at && (at->number != number || strcmp(at->topic, topic) != 0))
		at = at->next;
	return at;
}

static struct partition *get_partition(struct kafka_in *in, const char *topic, int32_t number)
{
	struct partition *partition = find_partition(in, topic, number);
	if (partition)
		return partition;
	partition = calloc(1, sizeof *partition);
	if (!partition || !(partition->topic = strdup(topic))) {
		free(partition);
		return NULL;
	}
	partition->number = number;
	partition->last = &partition->first;
	partition->next = in->partitions;
	in->partitions = partition;
	return partition;
}

static void record_free(struct record *record)
{
	if (record->message)
		rd_kafka_message_destroy(record->message);
	free(record);
}

/* Those that the source has are told of later: they belong to nobody until then. */
static void drop_partition(struct kafka_in *in, struct partition *partition)
{
	struct partition **at = &in->partitions;
	while (*at != partition)
		at = &(*at)->next;
	*at = partition->next;
	for (struct record *record = partition->first, *next; record; record = next) {
		next = record->next;
		record->partition = NULL;
		if (record->published && !record->ended) {
			record->next = in->lost;
			in->lost = record;
		} else {
			record_free(record);
		}
	}
	free(partition->topic);
	free(partition);
}

static void forget_lost(struct kafka_in *in, struct record *record)
{
	struct record **at = &in->lost;
	while (*at != record)
		at = &(*at)->next;
	*at = record->next;
	record_free(record);
}

/* Stores the offset behind those that are in. */
static void advance(struct kafka_in *in, struct partition *partition)
{
	int64_t offset = -1;
	while (partition->first && partition->first->ended) {
		struct record *record = partition->first;
		partition->first = record->next;
		if (!partition->first)
			partition->last = &partition->first;
		offset = record->offset + 1;
		record_free(record);
	}
	if (offset < 0)
		return;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	if (!list)
		return; /* with the next one */
	rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)->offset =
	        offset;
	rd_kafka_offsets_store(in->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

/* --- pausing --- */

static void pause_all(struct kafka_in *in, bool pause)
{
	rd_kafka_topic_partition_list_t *list = NULL;
	in->paused = pause;
	if (rd_kafka_assignment(in->rk, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	if (pause)
		rd_kafka_pause_partitions(in->rk, list);
	else
		rd_kafka_resume_partitions(in->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t error,
                         rd_kafka_topic_partition_list_t *list, void *arg)
{
	struct kafka_in *in = arg;
	bool cooperative = strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0;
	bool assign = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
	/* While it is closed this is another thread, and all that is left to do. */
	if (in->closing) {
		rd_kafka_assign(rk, NULL);
		return;
	}
	for (int i = 0; i < list->cnt && !assign; i++) {
		struct partition *partition =
		        find_partition(in, list->elems[i].topic, list->elems[i].partition);
		if (partition)
			drop_partition(in, partition);
	}
	if (cooperative) {
		rd_kafka_error_t *failed = assign ? rd_kafka_incremental_assign(rk, list)
		                                  : rd_kafka_incremental_unassign(rk, list);
		rd_kafka_error_destroy(failed);
	} else {
		rd_kafka_assign(rk, assign ? list : NULL);
	}
	if (assign && in->paused)
		pause_all(in, true);
}

/* --- taking in --- */

static bool take_in(struct kafka_in *in, struct record *record);

static void start_again_later(struct kafka_in *in);

static void on_published(void *arg, enum published how, const char *reason)
{
	struct record *record = arg;
	struct kafka_in *in = record->in;
	record->published = false;
	if (!record->partition) {
		forget_lost(in, record);
		return;
	}
	source_trouble(in->source, how == PUBLISHED ? NULL : reason);
	if (how == PUBLISH_REFUSED) {
		start_again_later(in);
		return;
	}
	record->ended = true;
	advance(in, record->partition);
}

static void read_headers(const rd_kafka_message_t *message, struct headers *headers,
                         struct sluice_event *event)
{
	rd_kafka_headers_t *list;
	const char *name;
	const void *value;
	size_t size;
	if (rd_kafka_message_headers(message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	for (size_t i = 0;
	     rd_kafka_header_get_all(list, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
	     i++) {
		struct sluice_str text = sluice_str_of(value ? value : "", size);
		if (strcmp(name, "content-type") == 0 && header_text_valid(text))
			event->content_type = text;
		else
			headers_add(headers, sluice_str(name), text);
	}
}

/* False when there is no room. */
static bool take_in(struct kafka_in *in, struct record *record)
{
	const rd_kafka_message_t *message = record->message;
	struct sluice_event event = SLUICE_EVENT_INIT;
	struct headers headers = { 0 };
	char position[320];
	const char *topic = rd_kafka_topic_name(message->rkt);
	event.topic = sluice_str(topic);
	event.payload = sluice_str_of(message->payload ? message->payload : "",
	                              message->payload ? message->len : 0);
	read_headers(message, &headers, &event);
	event.user_properties = headers.list;
	event.user_property_count = headers.count;
	if (via_has(&event, sluice_str(in->mark))) {
		if (!in->said_loop)
			log_line(LOG_WARNING,
			         "source at %s: an event comes round, and is let go: %s", in->title,
			         topic);
		in->said_loop = true;
		headers_finish(&headers);
		record->ended = true;
		return true;
	}
	snprintf(position, sizeof(position), "%s/%" PRId32 "/%" PRId64, topic, message->partition,
	         message->offset);
	if (message->key)
		headers_add(&headers, SLUICE_STR("kafka-key"),
		            sluice_str_of(message->key, message->key_len));
	headers_add(&headers, SLUICE_STR("kafka-position"), sluice_str(position));
	headers_add(&headers, SLUICE_STR(VIA_NAME), sluice_str(in->mark));
	event.user_properties = headers.list;
	event.user_property_count = headers.count;
	record->published =
	        !headers.failed && source_publish(in->source, &event, on_published, record);
	headers_finish(&headers);
	return record->published;
}

/* Publishes what waits in a partition, in its order. False when there is no room. */
static bool take_in_waiting(struct kafka_in *in, struct partition *partition)
{
	bool room = true;
	for (struct record *at = partition->first; at && room; at = at->next) {
		if (!at->ended && !at->published)
			room = take_in(in, at);
	}
	advance(in, partition);
	return room;
}

static void on_poll(void *arg);

static void take_in_all(struct kafka_in *in)
{
	in->full = false;
	for (struct partition *at = in->partitions; at && !in->full; at = at->next)
		in->full = !take_in_waiting(in, at);
	if (in->full)
		return;
	if (in->paused)
		pause_all(in, false);
	on_poll(in);
}

static void on_timer(uv_timer_t *timer)
{
	struct kafka_in *in = timer->data;
	take_in_all(in);
	if (!in->full)
		return;
	/* Who does not poll for long is thrown out of the group. */
	if (!in->paused)
		pause_all(in, true);
	start_again_later(in);
}

/* There is no room, or our broker refused something: what is here waits. */
static void start_again_later(struct kafka_in *in)
{
	in->full = true;
	uv_timer_start(&in->timer, on_timer, AGAIN_MS, 0);
}

static void on_record(struct kafka_in *in, rd_kafka_message_t *message)
{
	struct partition *partition =
	        get_partition(in, rd_kafka_topic_name(message->rkt), message->partition);
	struct record *record = partition ? calloc(1, sizeof *record) : NULL;
	if (!record) {
		/* What is behind it must not be committed: it is read again, later. */
		rd_kafka_seek(message->rkt, message->partition, message->offset, 0);
		rd_kafka_message_destroy(message);
		return;
	}
	*record = (struct record){
		.in = in, .partition = partition, .message = message, .offset = message->offset
	};
	*partition->last = record;
	partition->last = &record->next;
	if (in->full)
		return;
	if (!take_in(in, record))
		start_again_later(in);
	else if (record->ended)
		advance(in, partition);
}

static void on_poll(void *arg)
{
	struct kafka_in *in = arg;
	char text[TROUBLE_SIZE];
	if (in->polling || in->closing)
		return;
	in->polling = true;
	/* The pipe tells that there is something once: all is taken, or, with no room, asked for later. */
	while (!in->full || in->paused) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(in->rk, 0);
		if (!message)
			break;
		if (!message->err) {
			on_record(in, message);
			continue;
		}
		snprintf(text, sizeof(text), "%s: %s", in->title, rd_kafka_message_errstr(message));
		source_trouble(in->source, text);
		rd_kafka_message_destroy(message);
	}
	in->polling = false;
}

static void on_error(rd_kafka_t *rk, int error, const char *reason, void *arg)
{
	struct kafka_in *in = arg;
	char text[TROUBLE_SIZE];
	(void)rk;
	(void)reason;
	if (in->closing)
		return;
	snprintf(text, sizeof(text), "%s: %s", in->title,
	         rd_kafka_err2str((rd_kafka_resp_err_t)error));
	source_trouble(in->source, text);
}

/* --- the kind --- */

static void resume(struct inlet *inlet)
{
	take_in_all((struct kafka_in *)inlet);
}

static void finish(struct kafka_in *in)
{
	if (--in->left > 0)
		return;
	while (in->partitions)
		drop_partition(in, in->partitions);
	while (in->lost)
		forget_lost(in, in->lost);
	free(in);
}

static void on_gone(void *arg)
{
	finish(arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
	finish(handle->data);
}

/* Records hold on to the consumer: they are given up first, and then it commits what was stored. */
static void close_inlet(struct inlet *inlet)
{
	struct kafka_in *in = (struct kafka_in *)inlet;
	in->closing = true;
	while (in->partitions)
		drop_partition(in, in->partitions);
	while (in->lost)
		forget_lost(in, in->lost);
	in->left = 2;
	uv_close((uv_handle_t *)&in->timer, on_timer_closed);
	kafka_watch_end(in->watch, true, on_gone, in);
}

static enum sluice_status configure(struct kafka_in *in, const struct inlet_context *context,
                                    rd_kafka_conf_t **conf, struct sluice_error *error)
{
	const struct sluice_bridge_source *definition = context->definition;
	struct sluice_str said = sluice_setting_text(definition->settings, "group");
	char group[256];
	if (said.data)
		snprintf(group, sizeof(group), "%.*s", (int)said.len, said.data);
	else
		snprintf(group, sizeof(group), "sluice-%.*s", (int)definition->name.len,
		         definition->name.data);
	kafka_title(definition->settings, in->title, sizeof(in->title));
	snprintf(in->mark, sizeof(in->mark), "%s@%s", group, in->title);
	enum sluice_status status =
	        kafka_config(definition->settings, context->credentials, conf, error);
	if (status)
		return status;
	status = kafka_config_set(*conf, "group.id", group, error);
	if (!status)
		status = kafka_config_set(*conf, "enable.auto.offset.store", "false", error);
	if (!status)
		status = kafka_config_set(*conf, "auto.commit.interval.ms", "1000", error);
	/* A new group takes all that is there, unless it is told otherwise. */
	if (!status && !sluice_json_get(sluice_setting_node(definition->settings, "properties"),
	                                "auto.offset.reset"))
		status = kafka_config_set(*conf, "auto.offset.reset", "earliest", error);
	if (status) {
		rd_kafka_conf_destroy(*conf);
		return status;
	}
	rd_kafka_conf_set_rebalance_cb(*conf, on_rebalance);
	rd_kafka_conf_set_error_cb(*conf, on_error);
	rd_kafka_conf_set_opaque(*conf, in);
	return SLUICE_OK;
}

static enum sluice_status subscribe(struct kafka_in *in, const struct sluice_json *topics,
                                    struct sluice_error *error)
{
	rd_kafka_topic_partition_list_t *list =
	        rd_kafka_topic_partition_list_new((int)topics->count);
	bool failed = !list;
	for (const struct sluice_json *at = topics->first; at && !failed; at = at->next) {
		char *topic = strndup(at->string.data, at->string.len);
		failed = !topic;
		if (topic)
			rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
		free(topic);
	}
	if (failed) {
		if (list)
			rd_kafka_topic_partition_list_destroy(list);
		return sluice_out_of_memory(error);
	}
	rd_kafka_resp_err_t result = rd_kafka_subscribe(in->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (result)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.settings.topics",
		                        "%s", rd_kafka_err2str(result));
	return SLUICE_OK;
}

static enum sluice_status start(struct kafka_in *in, const struct inlet_context *context,
                                struct sluice_error *error)
{
	rd_kafka_conf_t *conf;
	char why[256];
	enum sluice_status status = configure(in, context, &conf, error);
	if (status)
		return status;
	in->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (!in->rk) {
		rd_kafka_conf_destroy(conf);
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.settings", "%s",
		                        why);
	}
	rd_kafka_poll_set_consumer(in->rk);
	status = subscribe(in, sluice_setting_node(context->definition->settings, "topics"), error);
	if (!status) {
		in->watch = kafka_watch_begin(context->loop, in->rk,
		                              rd_kafka_queue_get_consumer(in->rk), on_poll, in);
		if (in->watch)
			return SLUICE_OK;
		status = sluice_out_of_memory(error);
	}
	rd_kafka_destroy(in->rk);
	return status;
}

static struct inlet *open_inlet(const struct inlet_context *context, struct sluice_error *error)
{
	struct kafka_in *in = calloc(1, sizeof *in);
	if (!in) {
		sluice_out_of_memory(error);
		return NULL;
	}
	in->inlet.kind = &inlet_kafka;
	in->loop = context->loop;
	in->source = context->source;
	in->left = 1;
	if (start(in, context, error) != SLUICE_OK) {
		finish(in);
		return NULL;
	}
	uv_timer_init(context->loop, &in->timer);
	in->timer.data = in;
	return &in->inlet;
}

const struct inlet_kind inlet_kafka = {
	.name = "kafka",
	.open = open_inlet,
	.resume = resume,
	.close = close_inlet,
};
