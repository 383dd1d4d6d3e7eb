/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "crossing.h"

#include <stdlib.h>

struct list {
	struct crossing_item *first, **last;
};

struct crossing {
	struct crossing_events events;
	uv_mutex_t lock;
	uv_cond_t sent;
	uv_async_t async;
	uv_thread_t thread;
	struct list to_thread, to_loop; /* under the lock, as the two below */
	bool stops, ended;
	bool closing;
};

static void add(struct list *list, struct crossing_item *item)
{
	item->next = NULL;
	*list->last = item;
	list->last = &item->next;
}

static struct crossing_item *take(struct list *list)
{
	struct crossing_item *item = list->first;
	if (!item)
		return NULL;
	list->first = item->next;
	if (!list->first)
		list->last = &list->first;
	return item;
}

static void drop_all(struct crossing *crossing, struct list *list)
{
	struct crossing_item *item;
	while ((item = take(list)) != NULL)
		crossing->events.dropped(crossing->events.arg, item);
}

static void on_closed(uv_handle_t *handle)
{
	struct crossing *crossing = handle->data;
	struct crossing_events events = crossing->events;
	drop_all(crossing, &crossing->to_thread);
	drop_all(crossing, &crossing->to_loop);
	uv_mutex_destroy(&crossing->lock);
	uv_cond_destroy(&crossing->sent);
	free(crossing);
	events.gone(events.arg);
}

static void run(void *arg)
{
	struct crossing *crossing = arg;
	crossing->events.run(crossing->events.arg);
	uv_mutex_lock(&crossing->lock);
	crossing->ended = true;
	uv_async_send(&crossing->async);
	uv_mutex_unlock(&crossing->lock);
}

static void on_async(uv_async_t *async)
{
	struct crossing *crossing = async->data;
	uv_mutex_lock(&crossing->lock);
	struct list told = crossing->to_loop;
	crossing->to_loop.first = NULL;
	crossing->to_loop.last = &crossing->to_loop.first;
	bool ended = crossing->ended;
	uv_mutex_unlock(&crossing->lock);

	for (struct crossing_item *item = told.first, *next; item; item = next) {
		next = item->next;
		if (crossing->closing)
			crossing->events.dropped(crossing->events.arg, item);
		else
			crossing->events.arrived(crossing->events.arg, item);
	}
	if (ended && crossing->closing && !uv_is_closing((uv_handle_t *)async)) {
		uv_thread_join(&crossing->thread);
		uv_close((uv_handle_t *)async, on_closed);
	}
}

static void on_unborn(uv_handle_t *handle)
{
	struct crossing *crossing = handle->data;
	uv_mutex_destroy(&crossing->lock);
	uv_cond_destroy(&crossing->sent);
	free(crossing);
}

enum sluice_status crossing_create(uv_loop_t *loop, const struct crossing_events *events,
                                   struct crossing **crossing, struct sluice_error *error)
{
	struct crossing *made = calloc(1, sizeof *made);
	*crossing = made;
	if (!made)
		return sluice_out_of_memory(error);
	made->events = *events;
	made->to_thread.last = &made->to_thread.first;
	made->to_loop.last = &made->to_loop.first;
	made->async.data = made;
	if (uv_mutex_init(&made->lock) != 0)
		goto error_lock;
	if (uv_cond_init(&made->sent) != 0)
		goto error_cond;
	if (uv_async_init(loop, &made->async, on_async) != 0)
		goto error_async;
	if (uv_thread_create(&made->thread, run, made) == 0)
		return SLUICE_OK;
	uv_close((uv_handle_t *)&made->async, on_unborn);
	goto error;

error_async:
	uv_cond_destroy(&made->sent);
error_cond:
	uv_mutex_destroy(&made->lock);
error_lock:
	free(made);
error:
	*crossing = NULL;
	return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "no thread can be started");
}

void crossing_send(struct crossing *crossing, struct crossing_item *item)
{
	uv_mutex_lock(&crossing->lock);
	add(&crossing->to_thread, item);
	uv_cond_signal(&crossing->sent);
	uv_mutex_unlock(&crossing->lock);
}

struct crossing_item *crossing_wait(struct crossing *crossing, int64_t timeout_ms)
{
	uint64_t until_ns = uv_hrtime() + (uint64_t)timeout_ms * 1000000, now_ns;
	uv_mutex_lock(&crossing->lock);
	while (!crossing->to_thread.first && !crossing->stops && (now_ns = uv_hrtime()) < until_ns)
		uv_cond_timedwait(&crossing->sent, &crossing->lock, until_ns - now_ns);
	struct crossing_item *item = crossing->stops ? NULL : take(&crossing->to_thread);
	uv_mutex_unlock(&crossing->lock);
	return item;
}

struct crossing_item *crossing_take(struct crossing *crossing)
{
	uv_mutex_lock(&crossing->lock);
	struct crossing_item *item = crossing->stops ? NULL : take(&crossing->to_thread);
	uv_mutex_unlock(&crossing->lock);
	return item;
}

bool crossing_stops(struct crossing *crossing)
{
	uv_mutex_lock(&crossing->lock);
	bool stops = crossing->stops;
	uv_mutex_unlock(&crossing->lock);
	return stops;
}

void crossing_tell(struct crossing *crossing, struct crossing_item *item)
{
	uv_mutex_lock(&crossing->lock);
	add(&crossing->to_loop, item);
	uv_async_send(&crossing->async);
	uv_mutex_unlock(&crossing->lock);
}

void crossing_close(struct crossing *crossing)
{
	crossing->closing = true;
	uv_mutex_lock(&crossing->lock);
	crossing->stops = true;
	uv_cond_signal(&crossing->sent);
	uv_async_send(&crossing->async);
	uv_mutex_unlock(&crossing->lock);
}
