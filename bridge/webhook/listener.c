/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#define _GNU_SOURCE /* memrchr */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "file.h"
#include "webhook.h"

enum { BACKLOG = 128, MEMORY_PER_CONNECTION = 16384, TICK_MS = 250 };

/* A connection, for as long as it is there. */
struct client {
	struct client *next, *previous;
	int fd;
	bool waits;       /* for the broker, not for its peer */
	int64_t since_ms; /* its beginning, or the end of its last request */
};

struct listener {
	struct listener *next;
	char *address; /* as the sources write it */
	struct sluice_buffer certificate, key;
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t run;  /* when libmicrohttpd wants to be called without any traffic */
	uv_timer_t tick; /* looks for who takes too long */
	int handles;
	struct webhook *webhooks;
	struct client *clients;
	size_t suspended, buffered;
	struct MHD_Response *answers[WEBHOOK_ANSWERS];
};

/* Sources know nothing of each other, so who listens where stands here; on the loop's thread alone. */
static struct listener *listeners;

static const struct {
	unsigned status;
	const char *text;
	const char *retry_after;
} answers[WEBHOOK_ANSWERS] = {
	[WEBHOOK_BAD_REQUEST] = { MHD_HTTP_BAD_REQUEST, "{\"error\":\"bad request\"}\n", NULL },
	[WEBHOOK_FORBIDDEN] = { MHD_HTTP_FORBIDDEN, "{\"error\":\"forbidden\"}\n", NULL },
	[WEBHOOK_NOT_FOUND] = { MHD_HTTP_NOT_FOUND, "{\"error\":\"not found\"}\n", NULL },
	[WEBHOOK_TOO_LARGE] = { MHD_HTTP_CONTENT_TOO_LARGE, "{\"error\":\"too large\"}\n", NULL },
	[WEBHOOK_BUSY] = { MHD_HTTP_SERVICE_UNAVAILABLE, "{\"error\":\"busy\"}\n", "1" },
	[WEBHOOK_NO_BROKER] = { MHD_HTTP_SERVICE_UNAVAILABLE, "{\"error\":\"not taken in\"}\n",
	                        "10" },
	[WEBHOOK_IMPOSSIBLE] = { MHD_HTTP_UNPROCESSABLE_CONTENT, "{\"error\":\"no topic\"}\n",
	                         NULL },
};

int64_t listener_now_ms(const struct listener *listener)
{
	return (int64_t)uv_now(listener->loop);
}

/* --- libmicrohttpd on the loop --- */

static void run(struct listener *listener)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;
	MHD_run(listener->daemon);
	if (MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES)
		uv_timer_start(&listener->run, listener->run.timer_cb, timeout_ms, 0);
	else
		uv_timer_stop(&listener->run);
}

static void on_run(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

/* Never from within its handler: in the loop's next turn. */
static void run_soon(struct listener *listener)
{
	uv_timer_start(&listener->run, on_run, 0, 0);
}

void listener_suspend(struct listener *listener, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	if (info && info->socket_context)
		((struct client *)info->socket_context)->waits = true;
	listener->suspended++;
	MHD_suspend_connection(connection);
}

void listener_resume(struct listener *listener, struct MHD_Connection *connection)
{
	listener->suspended--;
	MHD_resume_connection(connection);
	run_soon(listener);
}

/* --- connections --- */

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
	struct listener *listener = cls;
	struct client *client = *context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info =
		        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		client = calloc(1, sizeof *client);
		if (!client) {
			/* Nobody would bound its time, so it has none. */
			if (info)
				shutdown(info->connect_fd, SHUT_RDWR);
			return;
		}
		client->fd = info ? info->connect_fd : -1;
		client->since_ms = listener_now_ms(listener);
		client->next = listener->clients;
		if (client->next)
			client->next->previous = client;
		listener->clients = client;
		*context = client;
		return;
	}
	if (!client)
		return;
	if (client->next)
		client->next->previous = client->previous;
	if (client->previous)
		client->previous->next = client->next;
	else
		listener->clients = client->next;
	free(client);
	*context = NULL;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
	struct listener *listener = cls;
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct client *client = info ? info->socket_context : NULL;
	if (client) {
		client->waits = false;
		client->since_ms = listener_now_ms(listener);
	}
	request_completed(cls, connection, request, code);
}

/* The longest that any of its sources lets a request take: whose it is, is known by its path alone. */
static int64_t timeout_ms(const struct listener *listener)
{
	int64_t longest_s = 0;
	for (const struct webhook *at = listener->webhooks; at; at = at->next) {
		if (at->timeout_s > longest_s)
			longest_s = at->timeout_s;
	}
	return longest_s * 1000;
}

/* libmicrohttpd ends connections that are idle; this ends those that are slow. */
static void on_tick(uv_timer_t *timer)
{
	struct listener *listener = timer->data;
	int64_t before_ms = listener_now_ms(listener) - timeout_ms(listener);
	for (struct client *at = listener->clients; at; at = at->next) {
		if (!at->waits && at->since_ms < before_ms)
			shutdown(at->fd, SHUT_RDWR);
	}
	for (struct webhook *at = listener->webhooks; at; at = at->next)
		webhook_expire(at, listener_now_ms(listener) - at->timeout_s * 1000);
}

bool listener_buffer(struct listener *listener, size_t more)
{
	if (more > WEBHOOK_BUFFERED_MAX - listener->buffered)
		return false;
	listener->buffered += more;
	return true;
}

void listener_unbuffer(struct listener *listener, size_t bytes)
{
	listener->buffered -= bytes;
}

enum MHD_Result listener_answer(const struct listener *listener, struct MHD_Connection *connection,
                                enum webhook_answer answer)
{
	return MHD_queue_response(connection, answers[answer].status, listener->answers[answer]);
}

enum MHD_Result listener_cut(const struct listener *listener, struct MHD_Connection *connection)
{
	static const char text[] = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
	                           "Content-Length: 0\r\n\r\n";
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	/* Under TLS there is no way to say it. */
	if (info && listener->certificate.len == 0 &&
	    send(info->connect_fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		shutdown(info->connect_fd, SHUT_WR);
	return MHD_NO;
}

struct webhook *listener_find(const struct listener *listener, const char *path)
{
	struct webhook *found = NULL;
	size_t longest = 0;
	for (struct webhook *at = listener->webhooks; at; at = at->next) {
		size_t len = strlen(at->path);
		if (strncmp(path, at->path, len) == 0 && (path[len] == '\0' || path[len] == '/') &&
		    (!found || len > longest)) {
			found = at;
			longest = len;
		}
	}
	return found;
}

/* --- opening --- */

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
	return at && (c | 0x20) == *at ? (int)(at - digits) : -1;
}

/* %XX, but not %00: what follows it would be as if it were not there. */
static size_t unescape(void *cls, struct MHD_Connection *connection, char *text)
{
	char *to = text;
	(void)cls;
	(void)connection;
	for (const char *from = text; *from; from++) {
		int high = *from == '%' ? hex(from[1]) : -1, low = high >= 0 ? hex(from[2]) : -1;
		if (low >= 0 && (high | low) != 0) {
			*to++ = (char)(high << 4 | low);
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return (size_t)(to - text);
}

/* "127.0.0.1:8080", "[::1]:8080" */
static bool read_address(struct sluice_str text, struct sockaddr_storage *address, int *family)
{
	char host[64], *end;
	const char *colon = memrchr(text.data, ':', text.len);
	size_t len = colon ? (size_t)(colon - text.data) : 0;
	if (!colon || len == 0 || text.len - len > 6 || text.len - len < 2)
		return false;
	bool six = len > 2 && text.data[0] == '[' && text.data[len - 1] == ']';
	snprintf(host, sizeof host, "%.*s", (int)(six ? len - 2 : len), text.data + six);
	char digits[8];
	snprintf(digits, sizeof digits, "%.*s", (int)(text.len - len - 1), colon + 1);
	unsigned long port = strtoul(digits, &end, 10);
	if (*end || port == 0 || port > 65535 || digits[0] < '0' || digits[0] > '9')
		return false;
	*family = six ? AF_INET6 : AF_INET;
	return (six ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)address)
	            : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)address)) == 0;
}

static enum sluice_status open_socket(struct sluice_str text, int *fd, struct sluice_error *error)
{
	struct sockaddr_storage address = { 0 };
	int family, on = 1;
	if (!read_address(text, &address, &family))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "\"listen\" must be an address and a port, as "
		                        "\"127.0.0.1:8080\" or \"[::1]:8080\"");
	*fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd >= 0 && setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    (family == AF_INET ||
	     setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
	    bind(*fd, (const struct sockaddr *)&address,
	         family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) ==
	            0 &&
	    listen(*fd, BACKLOG) == 0)
		return SLUICE_OK;
	sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "can't listen on %.*s: %s",
	                 (int)text.len, text.data, strerror(errno));
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return SLUICE_ERR_IO;
}

static enum sluice_status read_pem(struct sluice_str path, struct sluice_buffer *text,
                                   struct sluice_error *error)
{
	struct sluice_error fault;
	char *terminated = strndup(path.data, path.len);
	if (!terminated)
		return sluice_out_of_memory(error);
	enum sluice_status status = file_read(terminated, text, &fault);
	if (status)
		sluice_error_set(error, status, SIZE_MAX, NULL, "%.200s: %s", terminated,
		                 fault.message);
	free(terminated);
	return status;
}

static bool make_answers(struct listener *listener)
{
	for (size_t i = 0; i < WEBHOOK_ANSWERS; i++) {
		struct MHD_Response *made = MHD_create_response_from_buffer(
		        strlen(answers[i].text), (void *)(uintptr_t)answers[i].text,
		        MHD_RESPMEM_PERSISTENT);
		listener->answers[i] = made;
		if (!made ||
		    MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_TYPE,
		                            "application/json") != MHD_YES ||
		    (answers[i].retry_after &&
		     MHD_add_response_header(made, MHD_HTTP_HEADER_RETRY_AFTER,
		                             answers[i].retry_after) != MHD_YES))
			return false;
	}
	return true;
}

static void listener_free(struct listener *listener)
{
	for (size_t i = 0; i < WEBHOOK_ANSWERS; i++) {
		if (listener->answers[i])
			MHD_destroy_response(listener->answers[i]);
	}
	if (listener->key.data)
		explicit_bzero(listener->key.data, listener->key.capacity);
	sluice_buffer_finish(&listener->certificate);
	sluice_buffer_finish(&listener->key);
	free(listener->address);
	free(listener);
}

static bool start_daemon(struct listener *listener, int fd)
{
	const bool tls = listener->certificate.len > 0;
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_LISTEN_SOCKET, fd, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, WEBHOOK_CONNECTIONS_MAX, NULL },
		{ MHD_OPTION_PER_IP_CONNECTION_LIMIT, WEBHOOK_CONNECTIONS_PER_ADDRESS, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, WEBHOOK_IDLE_S, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_PER_CONNECTION, NULL },
		{ MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
		{ MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL },
		{ tls ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, listener->certificate.data },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, listener->key.data },
		{ MHD_OPTION_END, 0, NULL },
	};
	listener->daemon = MHD_start_daemon(
	        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL,
	        request_handle, listener, MHD_OPTION_ARRAY, options, MHD_OPTION_NOTIFY_COMPLETED,
	        on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
	        MHD_OPTION_UNESCAPE_CALLBACK, unescape, listener, MHD_OPTION_END);
	return listener->daemon != NULL;
}

static enum sluice_status start(struct listener *listener, int fd, struct sluice_error *error)
{
	const union MHD_DaemonInfo *info;
	if (!make_answers(listener)) {
		close(fd);
		return sluice_out_of_memory(error);
	}
	if (!start_daemon(listener, fd)) {
		close(fd);
		return sluice_error_set(
		        error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "libmicrohttpd does not start%s",
		        listener->certificate.len ? ": the certificate or its key is none" : "");
	}
	/* From here on the socket is the daemon's. */
	info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(listener->loop, &listener->poll, info->epoll_fd) != 0) {
		MHD_stop_daemon(listener->daemon);
		return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
		                        "libmicrohttpd can't be polled");
	}
	uv_timer_init(listener->loop, &listener->run);
	uv_timer_init(listener->loop, &listener->tick);
	listener->handles = 3;
	listener->poll.data = listener->run.data = listener->tick.data = listener;
	uv_poll_start(&listener->poll, UV_READABLE, on_poll);
	uv_timer_start(&listener->run, on_run, 0, 0);
	uv_timer_start(&listener->tick, on_tick, TICK_MS, TICK_MS);
	return SLUICE_OK;
}

static enum sluice_status listener_open(uv_loop_t *loop, struct sluice_str listen,
                                        struct sluice_buffer *certificate,
                                        struct sluice_buffer *key, struct listener **out,
                                        struct sluice_error *error)
{
	struct listener *listener = calloc(1, sizeof *listener);
	int fd = -1;
	if (!listener)
		return sluice_out_of_memory(error);
	listener->loop = loop;
	listener->certificate = *certificate;
	listener->key = *key;
	*certificate = *key = (struct sluice_buffer){ 0 };
	listener->address = strndup(listen.data, listen.len);
	enum sluice_status status =
	        listener->address ? open_socket(listen, &fd, error) : sluice_out_of_memory(error);
	if (status == SLUICE_OK)
		status = start(listener, fd, error);
	if (status) {
		listener_free(listener);
		return status;
	}
	listener->next = listeners;
	listeners = listener;
	*out = listener;
	return SLUICE_OK;
}

/* --- joining and leaving --- */

static enum sluice_status find_listener(uv_loop_t *loop, struct sluice_str listen,
                                        struct sluice_buffer *certificate,
                                        struct sluice_buffer *key, struct listener **out,
                                        struct sluice_error *error)
{
	struct listener *at = listeners;
	while (at && (at->loop != loop || !sluice_str_equal(sluice_str(at->address), listen)))
		at = at->next;
	if (!at)
		return listener_open(loop, listen, certificate, key, out, error);
	if (!sluice_str_equal(sluice_buffer_str(&at->certificate),
	                      sluice_buffer_str(certificate)) ||
	    !sluice_str_equal(sluice_buffer_str(&at->key), sluice_buffer_str(key)))
		return sluice_error_set(error, SLUICE_ERR_CONFLICT, SIZE_MAX, NULL,
		                        "another source listens on %.*s, with another certificate "
		                        "or none",
		                        (int)listen.len, listen.data);
	*out = at;
	return SLUICE_OK;
}

enum sluice_status listener_join(struct webhook *webhook, uv_loop_t *loop, struct sluice_str listen,
                                 struct sluice_str certificate, struct sluice_str key,
                                 struct sluice_error *error)
{
	struct sluice_buffer certificate_text = { 0 }, key_text = { 0 };
	struct listener *listener = NULL;
	enum sluice_status status = SLUICE_OK;
	if (!certificate.data != !key.data)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "TLS needs both cert_file and key_file");
	if (!status && certificate.data)
		status = read_pem(certificate, &certificate_text, error);
	if (!status && key.data)
		status = read_pem(key, &key_text, error);
	if (!status)
		status =
		        find_listener(loop, listen, &certificate_text, &key_text, &listener, error);
	if (key_text.data)
		explicit_bzero(key_text.data, key_text.capacity);
	sluice_buffer_finish(&certificate_text);
	sluice_buffer_finish(&key_text);
	if (status)
		return status;
	for (struct webhook *at = listener->webhooks; at; at = at->next) {
		if (strcmp(at->path, webhook->path) == 0)
			return sluice_error_set(error, SLUICE_ERR_CONFLICT, SIZE_MAX, NULL,
			                        "another source, %.*s, has that path there",
			                        (int)at->name.len, at->name.data);
	}
	webhook->listener = listener;
	webhook->next = listener->webhooks;
	listener->webhooks = webhook;
	return SLUICE_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct listener *listener = handle->data;
	if (--listener->handles == 0)
		listener_free(listener);
}

/* With the last source: nobody is suspended any more. */
static void listener_close(struct listener *listener)
{
	struct listener **at = &listeners;
	while (*at != listener)
		at = &(*at)->next;
	*at = listener->next;
	/* Those that were just answered hear it. */
	MHD_run(listener->daemon);
	uv_poll_stop(&listener->poll);
	MHD_stop_daemon(listener->daemon);
	uv_close((uv_handle_t *)&listener->poll, on_closed);
	uv_close((uv_handle_t *)&listener->run, on_closed);
	uv_close((uv_handle_t *)&listener->tick, on_closed);
}

void listener_leave(struct webhook *webhook)
{
	struct listener *listener = webhook->listener;
	struct webhook **at = &listener->webhooks;
	while (*at != webhook)
		at = &(*at)->next;
	*at = webhook->next;
	while (webhook->requests)
		request_orphan(webhook->requests);
	if (!listener->webhooks)
		listener_close(listener);
}
