/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "curl_loop.h"

#include <stdlib.h>

enum {
	/* Under the 1,024 files that a process may have open where nobody said otherwise, with room for
	 * the broker, the store and the other kinds. What comes when all are in use waits. */
	MAX_CONNECTIONS = 512,
	MAX_IDLE_CONNECTIONS = 128,
};

/* A transfer that is under way; the easy handle's CURLOPT_PRIVATE. */
struct running {
	struct running *next, **link; /* in curl_loop.running */
	CURL *easy;
	curl_done_fn done;
	void *arg;
	bool starved; /* no memory to watch its socket: it is to be ended */
};

struct curl_loop {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
	struct running *running;
	bool any_starved;
	bool ending;  /* within end_finished: a `done` may close us */
	bool closing; /* curl_loop_close was called */
};

/* A socket that libcurl wants watched. It may outlive the curl_loop by a turn of the loop. */
struct watch {
	uv_poll_t poll;
	struct curl_loop *curl;
	curl_socket_t socket;
};

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static void free_curl_loop(uv_handle_t *handle)
{
	free(handle->data);
}

static void really_close(struct curl_loop *curl)
{
	curl_multi_cleanup(curl->multi);
	uv_close((uv_handle_t *)&curl->timer, free_curl_loop);
}

/* Takes it from the multi handle and the list. */
static void take_out(struct curl_loop *curl, struct running *running)
{
	curl_multi_remove_handle(curl->multi, running->easy);
	curl_easy_setopt(running->easy, CURLOPT_PRIVATE, NULL);
	*running->link = running->next;
	if (running->next)
		running->next->link = running->link;
}

static void end(struct curl_loop *curl, struct running *running, CURLcode result)
{
	take_out(curl, running);
	struct running ended = *running;
	free(running);
	ended.done(ended.arg, ended.easy, result);
}

static struct running *find_starved(struct curl_loop *curl)
{
	for (struct running *running = curl->running; running; running = running->next) {
		if (running->starved)
			return running;
	}
	return NULL;
}

/* A `done` may start and cancel others, so nothing of the lists is kept over it. */
static void end_finished(struct curl_loop *curl)
{
	if (curl->ending)
		return;
	curl->ending = true;
	int left;
	for (CURLMsg *message; (message = curl_multi_info_read(curl->multi, &left));) {
		if (message->msg != CURLMSG_DONE)
			continue;
		struct running *running = NULL;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &running);
		if (running)
			end(curl, running, message->data.result);
	}
	while (curl->any_starved) {
		struct running *running = find_starved(curl);
		if (running)
			end(curl, running, CURLE_OUT_OF_MEMORY);
		else
			curl->any_starved = false;
	}
	curl->ending = false;
	if (curl->closing)
		really_close(curl);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	/* An error is for libcurl to find: it reads or writes, and is told. */
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	/* The watch may be gone when it returns. */
	struct curl_loop *curl = watch->curl;
	int running;
	curl_multi_socket_action(curl->multi, watch->socket, flags, &running);
	end_finished(curl);
}

static void on_timer(uv_timer_t *timer)
{
	struct curl_loop *curl = timer->data;
	int running;
	curl_multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	end_finished(curl);
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_loop *curl = arg;
	(void)multi;
	/* 0 is "at once", but not from within libcurl's own call: the loop's next turn is. */
	if (timeout_ms < 0)
		uv_timer_stop(&curl->timer);
	else
		uv_timer_start(&curl->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static struct watch *watch_socket(struct curl_loop *curl, curl_socket_t socket)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return NULL;
	watch->curl = curl;
	watch->socket = socket;
	if (uv_poll_init_socket(curl->loop, &watch->poll, socket) != 0) {
		free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	if (curl_multi_assign(curl->multi, socket, watch) != CURLM_OK) {
		uv_close((uv_handle_t *)&watch->poll, free_watch);
		return NULL;
	}
	return watch;
}

static void unwatch(struct curl_loop *curl, curl_socket_t socket, struct watch *watch)
{
	/* libcurl may close the socket as soon as we return, and another may get its number. */
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, free_watch);
	curl_multi_assign(curl->multi, socket, NULL);
}

static int set_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *socket_arg)
{
	struct curl_loop *curl = arg;
	struct watch *watch = socket_arg;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			unwatch(curl, socket, watch);
		return 0;
	}
	int events = 0;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	if (!watch)
		watch = watch_socket(curl, socket);
	if (watch && uv_poll_start(&watch->poll, events, on_socket) == 0)
		return 0;
	/* To say so to libcurl would end every transfer of the multi handle, and the handle with them. So
	 * this one alone is ended, as soon as that may be done, and by the timer where nothing else comes. */
	struct running *running = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &running);
	if (running) {
		running->starved = true;
		curl->any_starved = true;
		uv_timer_start(&curl->timer, on_timer, 0, 0);
	}
	return 0;
}

static bool set_up(struct curl_loop *curl)
{
	CURLM *multi = curl->multi;
	return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)MAX_CONNECTIONS) ==
	               CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MAX_IDLE_CONNECTIONS) ==
	               CURLM_OK;
}

struct curl_loop *curl_loop_create(uv_loop_t *loop)
{
	struct curl_loop *curl = calloc(1, sizeof(*curl));
	if (!curl)
		return NULL;
	curl->loop = loop;
	curl->multi = curl_multi_init();
	if (!curl->multi || !set_up(curl) || uv_timer_init(loop, &curl->timer) != 0) {
		curl_multi_cleanup(curl->multi);
		free(curl);
		return NULL;
	}
	curl->timer.data = curl;
	return curl;
}

bool curl_loop_start(struct curl_loop *curl, CURL *easy, curl_done_fn done, void *arg)
{
	struct running *running = calloc(1, sizeof(*running));
	if (!running)
		return false;
	running->easy = easy;
	running->done = done;
	running->arg = arg;
	if (curl_easy_setopt(easy, CURLOPT_PRIVATE, running) != CURLE_OK ||
	    curl_multi_add_handle(curl->multi, easy) != CURLM_OK) {
		curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
		free(running);
		return false;
	}
	running->next = curl->running;
	running->link = &curl->running;
	if (running->next)
		running->next->link = &running->next;
	curl->running = running;
	return true;
}

void curl_loop_cancel(struct curl_loop *curl, CURL *easy)
{
	struct running *running = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &running);
	if (!running)
		return;
	take_out(curl, running);
	free(running);
}

void curl_loop_close(struct curl_loop *curl)
{
	if (!curl || curl->closing)
		return;
	curl->closing = true;
	if (!curl->ending)
		really_close(curl);
}
