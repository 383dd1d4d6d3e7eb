/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* pipe2 */
#define _GNU_SOURCE
#include "watch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { TICK_MS = 1000 };

struct kafka_watch {
	uv_loop_t *loop;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	int pipe[2];
	uv_poll_t poll;
	uv_timer_t timer;
	uv_work_t work;
	kafka_poll_fn on_poll;
	void *arg;
	bool consumer;
	void (*ended)(void *arg);
	void *ended_arg;
	int left; /* of the two handles and the work */
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct kafka_watch *watch = poll->data;
	char bytes[256];
	(void)status;
	(void)events;
	while (read(watch->pipe[0], bytes, sizeof(bytes)) > 0)
		;
	watch->on_poll(watch->arg);
}

static void on_timer(uv_timer_t *timer)
{
	struct kafka_watch *watch = timer->data;
	watch->on_poll(watch->arg);
}

struct kafka_watch *kafka_watch_begin(uv_loop_t *loop, rd_kafka_t *rk, rd_kafka_queue_t *queue,
                                      kafka_poll_fn poll, void *arg)
{
	struct kafka_watch *watch = calloc(1, sizeof *watch);
	if (!watch)
		return NULL;
	if (pipe2(watch->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
		free(watch);
		return NULL;
	}
	if (uv_poll_init(loop, &watch->poll, watch->pipe[0]) != 0) {
		close(watch->pipe[0]);
		close(watch->pipe[1]);
		free(watch);
		return NULL;
	}
	watch->loop = loop;
	watch->rk = rk;
	watch->queue = queue;
	watch->on_poll = poll;
	watch->arg = arg;
	uv_timer_init(loop, &watch->timer);
	watch->poll.data = watch->timer.data = watch->work.data = watch;
	uv_poll_start(&watch->poll, UV_READABLE, on_readable);
	uv_timer_start(&watch->timer, on_timer, TICK_MS, TICK_MS);
	rd_kafka_queue_io_event_enable(queue, watch->pipe[1], "1", 1);
	return watch;
}

static void finish(struct kafka_watch *watch)
{
	if (--watch->left > 0)
		return;
	close(watch->pipe[0]);
	close(watch->pipe[1]);
	if (watch->ended)
		watch->ended(watch->ended_arg);
	free(watch);
}

static void on_closed(uv_handle_t *handle)
{
	finish(handle->data);
}

static void do_end(uv_work_t *work)
{
	struct kafka_watch *watch = work->data;
	rd_kafka_queue_io_event_enable(watch->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(watch->queue);
	if (watch->consumer)
		rd_kafka_consumer_close(watch->rk);
	else
		rd_kafka_purge(watch->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
		                                  RD_KAFKA_PURGE_F_NON_BLOCKING);
	rd_kafka_destroy(watch->rk);
}

static void on_ended(uv_work_t *work, int status)
{
	(void)status;
	finish(work->data);
}

void kafka_watch_end(struct kafka_watch *watch, bool consumer, void (*ended)(void *arg), void *arg)
{
	watch->consumer = consumer;
	watch->ended = ended;
	watch->ended_arg = arg;
	watch->left = 3;
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, on_closed);
	uv_close((uv_handle_t *)&watch->timer, on_closed);
	uv_queue_work(watch->loop, &watch->work, do_end, on_ended);
}
