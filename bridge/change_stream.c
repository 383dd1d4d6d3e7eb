/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "change_stream.h"

#include <stdlib.h>

enum {
	RECORDS_MAX = 512, /* held at a time, under way and waiting */
	UNDER_WAY_MAX = 256,
	BYTES_MAX = 16 * 1024 * 1024,
	RETRY_MS = 1000, /* after a record that could not be published */
};

enum state { WAITING, UNDER_WAY, TAKEN_IN, FAILED };

struct item {
	struct item *next;
	struct change_stream *stream;
	struct change_position position;
	enum state state;
	bool is_place;
	size_t topic_len, payload_len;
	char *payload; /* owned */
	char topic[];
};

struct change_stream {
	uv_timer_t retry;
	struct source *source;
	const struct change_stream_events *events;
	void *arg;
	struct item *first, *last; /* in order; owned */
	size_t count, bytes, under_way;
	bool full;    /* has_room said no */
	bool stopped; /* a record failed: nothing is published until the retry */
	bool troubled;
	bool settling; /* settled() or room() is being called */
};

struct change_stream *change_stream_create(uv_loop_t *loop, struct source *source,
                                           const struct change_stream_events *events, void *arg)
{
	struct change_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	if (uv_timer_init(loop, &stream->retry) != 0) {
		free(stream);
		return NULL;
	}
	stream->retry.data = stream;
	stream->source = source;
	stream->events = events;
	stream->arg = arg;
	return stream;
}

static void free_stream(uv_handle_t *handle)
{
	free(handle->data);
}

static void free_item(struct item *item)
{
	free(item->payload);
	free(item);
}

void change_stream_close(struct change_stream *stream)
{
	if (!stream)
		return;
	while (stream->first) {
		struct item *item = stream->first;
		stream->first = item->next;
		free_item(item);
	}
	uv_close((uv_handle_t *)&stream->retry, free_stream);
}

bool change_stream_has_room(struct change_stream *stream)
{
	stream->full = stream->count >= RECORDS_MAX || stream->bytes >= BYTES_MAX;
	return !stream->full;
}

bool change_stream_is_empty(const struct change_stream *stream)
{
	return !stream->first;
}

static void remove_first(struct change_stream *stream)
{
	struct item *item = stream->first;

	stream->first = item->next;
	if (!stream->first)
		stream->last = NULL;
	stream->count--;
	stream->bytes -= item->payload_len;
	free_item(item);
}

/* Takes what is settled off the head, and tells of it, and of room. */
static void settle(struct change_stream *stream)
{
	/* What is called back may add, and so come here again. */
	if (stream->settling)
		return;
	stream->settling = true;
	while (stream->first && stream->first->state == TAKEN_IN) {
		struct change_position position = stream->first->position;
		remove_first(stream);
		stream->events->settled(stream->arg, position);
		if (stream->full && stream->count < RECORDS_MAX / 2 &&
		    stream->bytes < BYTES_MAX / 2) {
			stream->full = false;
			stream->events->room(stream->arg);
		}
	}
	stream->settling = false;
}

static void publish(struct change_stream *stream);

static void on_retry(uv_timer_t *timer)
{
	struct change_stream *stream = timer->data;

	stream->stopped = false;
	publish(stream);
}

/* When nothing is under way any more, the first that failed, and all behind it, wait anew. */
static void wait_anew(struct change_stream *stream)
{
	struct item *item = stream->first;

	while (item && item->state != FAILED)
		item = item->next;
	for (; item; item = item->next)
		if (!item->is_place)
			item->state = WAITING;
	uv_timer_start(&stream->retry, on_retry, RETRY_MS, 0);
}

static void on_published(void *arg, enum published how, const char *reason)
{
	struct item *item = arg;
	struct change_stream *stream = item->stream;

	stream->under_way--;
	item->state = how == PUBLISHED ? TAKEN_IN : FAILED;
	if (how != PUBLISHED) {
		stream->stopped = true;
		stream->troubled = true;
		stream->events->trouble(stream->arg, reason);
	} else if (stream->troubled && !stream->stopped) {
		stream->troubled = false;
		stream->events->trouble(stream->arg, NULL);
	}
	if (stream->stopped && stream->under_way == 0)
		wait_anew(stream);
	settle(stream);
	publish(stream);
}

/* Publishes what waits, in order, as far as there is room with the broker. */
static void publish(struct change_stream *stream)
{
	for (struct item *item = stream->first; item && !stream->stopped; item = item->next) {
		struct sluice_event event = SLUICE_EVENT_INIT;

		if (item->state != WAITING)
			continue;
		if (stream->under_way >= UNDER_WAY_MAX)
			return;
		event.payload = sluice_str_of(item->payload, item->payload_len);
		event.topic = sluice_str_of(item->topic, item->topic_len);
		event.content_type = SLUICE_STR("application/json");
		if (!source_publish(stream->source, &event, on_published, item)) {
			/* Nothing that ends would call for more. */
			if (stream->under_way == 0)
				uv_timer_start(&stream->retry, on_retry, RETRY_MS, 0);
			return;
		}
		item->state = UNDER_WAY;
		stream->under_way++;
	}
}

static void append(struct change_stream *stream, struct item *item)
{
	if (stream->last)
		stream->last->next = item;
	else
		stream->first = item;
	stream->last = item;
	stream->count++;
	stream->bytes += item->payload_len;
}

bool change_stream_add(struct change_stream *stream, struct change_position position,
                       struct sluice_str topic, struct sluice_buffer *payload)
{
	size_t len = payload->len;
	struct item *item = calloc(1, sizeof(*item) + topic.len);

	if (!item)
		return false;
	item->payload = sluice_buffer_take(payload);
	if (!item->payload) {
		free(item);
		return false;
	}
	item->stream = stream;
	item->position = position;
	item->payload_len = len;
	item->topic_len = topic.len;
	if (topic.len > 0)
		memcpy(item->topic, topic.data, topic.len);
	append(stream, item);
	publish(stream);
	return true;
}

bool change_stream_add_place(struct change_stream *stream, struct change_position position)
{
	struct item *item;

	if (stream->last && stream->last->is_place) {
		stream->last->position = position;
		return true;
	}
	item = calloc(1, sizeof(*item));
	if (!item)
		return false;
	item->stream = stream;
	item->position = position;
	item->is_place = true;
	item->state = TAKEN_IN;
	append(stream, item);
	settle(stream);
	return true;
}

void change_stream_drop_waiting(struct change_stream *stream)
{
	struct item *last = NULL, *item;

	/* A record that failed, and what was under way behind it, stay: the one must not be passed over
	 * when the others are taken in. */
	for (item = stream->first; item; item = item->next)
		if (!item->is_place && item->state != WAITING)
			last = item;
	item = last ? last->next : stream->first;
	stream->last = last;
	if (last)
		last->next = NULL;
	else
		stream->first = NULL;
	while (item) {
		struct item *next = item->next;
		stream->count--;
		stream->bytes -= item->payload_len;
		free_item(item);
		item = next;
	}
}

void change_stream_resume(struct change_stream *stream)
{
	publish(stream);
}
