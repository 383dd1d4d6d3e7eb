/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A transfer, against a server on the same loop that says what it is told to. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <netinet/in.h>

#include "curl_loop.h"
#include "oom.h"
#include "transfer.h"

struct server {
	uv_tcp_t tcp;
	int port;
	const char *answer; /* to each request; NULL = none */
	size_t filler;      /* bytes that follow it */
	bool cuts;          /* closes afterwards */
	int connections;
	char request[4096]; /* of the last connection */
	size_t len;
};

struct world {
	uv_loop_t loop;
	struct curl_loop *curl;
	struct server server;
	struct transfer_setup setup;
	int done;
	struct verdict verdict;
	char response[64];
	long status;
	char header[64];
};

/* No connection names files here. */
struct sluice_str credentials_setting(const struct credentials *credentials, const char *name)
{
	(void)name;
	return sluice_str((const char *)credentials->secrets[0]);
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void give_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char memory[65536];
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(memory, sizeof(memory));
}

static void on_written(uv_write_t *write, int status)
{
	struct server *server = write->handle->loop->data;
	(void)status;
	if (server->cuts && !uv_is_closing((uv_handle_t *)write->handle))
		uv_close((uv_handle_t *)write->handle, free_handle);
	free(write);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
	static char filler[4 << 20];
	struct server *server = stream->loop->data;
	if (count < 0) {
		if (!uv_is_closing((uv_handle_t *)stream))
			uv_close((uv_handle_t *)stream, free_handle);
		return;
	}
	/* A head comes in one piece, over loopback. */
	bool head = memmem(buf->base, (size_t)count, " HTTP/1.1\r\n", 11) != NULL;
	if (server->len + (size_t)count < sizeof(server->request)) {
		memcpy(server->request + server->len, buf->base, (size_t)count);
		server->len += (size_t)count;
	}
	if (!head || !server->answer)
		return;
	uv_buf_t parts[2] = { uv_buf_init((char *)server->answer, (unsigned)strlen(server->answer)),
		              uv_buf_init(filler, (unsigned)server->filler) };
	uv_write_t *write = malloc(sizeof(*write));
	assert_int_equal(uv_write(write, stream, parts, 2, on_written), 0);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct server *server = listener->loop->data;
	assert_int_equal(status, 0);
	uv_tcp_t *client = malloc(sizeof(*client));
	uv_tcp_init(listener->loop, client);
	assert_int_equal(uv_accept(listener, (uv_stream_t *)client), 0);
	server->connections++;
	uv_read_start((uv_stream_t *)client, give_memory, on_read);
}

static int set_up(void **state)
{
	static struct world world;
	memset(&world, 0, sizeof(world));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	uv_loop_init(&world.loop);
	world.loop.data = &world.server;
	struct sockaddr_in address = { .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	uv_tcp_init(&world.loop, &world.server.tcp);
	uv_tcp_bind(&world.server.tcp, (struct sockaddr *)&address, 0);
	uv_listen((uv_stream_t *)&world.server.tcp, 1024, on_connection);
	int size = sizeof(address);
	uv_tcp_getsockname(&world.server.tcp, (struct sockaddr *)&address, &size);
	world.server.port = ntohs(address.sin_port);
	world.curl = curl_loop_create(&world.loop);
	world.setup = (struct transfer_setup){ .curl = world.curl,
		                               .protocols = "http,https",
		                               .timeout_ms = 5000,
		                               .max_response = 16 };
	*state = &world;
	return world.curl ? 0 : -1;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	struct world *world = arg;
	if (uv_is_closing(handle))
		return;
	uv_close(handle, handle == (uv_handle_t *)&world->server.tcp ? NULL : free_handle);
}

static int tear_down(void **state)
{
	struct world *world = *state;
	curl_loop_close(world->curl);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	uv_walk(&world->loop, close_handle, world);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	curl_global_cleanup();
	return 0;
}

static const char *url_of(const struct world *world, const char *rest)
{
	static char url[256];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", world->server.port, rest);
	return url;
}

static void on_done(void *arg, struct transfer *transfer)
{
	struct world *world = arg;
	world->done++;
	uv_stop(&world->loop);
	world->verdict = transfer->verdict;
	world->status = transfer->status;
	snprintf(world->response, sizeof(world->response), "%s%s",
	         transfer->response.len ? transfer->response.data : "",
	         transfer->response_cut ? "…" : "");
	const char *header = transfer_response_header(transfer, "X-Is");
	snprintf(world->header, sizeof(world->header), "%s", header ? header : "(none)");
	transfer_destroy(transfer);
}

static struct transfer *begin(struct world *world, const char *url, const char *method,
                              const char *body)
{
	struct transfer *transfer = transfer_create(&world->setup);
	assert_non_null(transfer);
	assert_true(transfer_url(transfer, url));
	sluice_buffer_append_text(&transfer->request, body);
	assert_true(transfer_method(transfer, method));
	assert_true(transfer_start(transfer, on_done, world));
	assert_int_equal(world->done, 0);
	return transfer;
}

static void wait_for(struct world *world, int done)
{
	while (world->done < done)
		uv_run(&world->loop, UV_RUN_DEFAULT);
}

/* One request from its beginning to its end. */
static void request(struct world *world, const char *url, const char *method, const char *body)
{
	world->done = 0;
	world->server.len = 0;
	memset(world->server.request, 0, sizeof(world->server.request));
	begin(world, url, method, body);
	wait_for(world, 1);
}

static void test_a_request_and_its_answer(void **state)
{
	struct world *world = *state;
	world->server.answer = "HTTP/1.1 200 OK\r\nX-Is: a\r\nX-Is: here\r\n"
	                       "Content-Length: 5\r\n\r\nhello";
	request(world, url_of(world, "/a?b=c"), "PUT", "body");
	assert_int_equal(world->verdict.outcome, OUTCOME_DONE);
	assert_string_equal(world->response, "hello");
	assert_string_equal(world->header, "here");
	assert_non_null(strstr(world->server.request, "PUT /a?b=c HTTP/1.1\r\n"));
	assert_non_null(strstr(world->server.request, "User-Agent: sluice-bridge/"));
	assert_non_null(strstr(world->server.request, "Content-Length: 4\r\n"));
	assert_non_null(strstr(world->server.request, "\r\n\r\nbody"));

	/* The connection is kept, though each request is a new handle. */
	request(world, url_of(world, "/"), "GET", "");
	request(world, url_of(world, "/"), "DELETE", "");
	assert_non_null(strstr(world->server.request, "DELETE / HTTP/1.1\r\n"));
	request(world, url_of(world, "/"), "POST", "");
	assert_non_null(strstr(world->server.request, "Content-Length: 0\r\n"));
	assert_int_equal(world->server.connections, 1);
}

static void test_an_answer_is_kept_up_to_a_bound(void **state)
{
	struct world *world = *state;
	world->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n"
	                       "abcdefghijklmnopqrstuvwxyz";
	request(world, url_of(world, "/"), "GET", "");
	assert_int_equal(world->verdict.outcome, OUTCOME_DONE);
	assert_string_equal(world->response, "abcdefghijklmnop…");
	/* Not read to its end: it says 40 MB. */
	world->server.answer = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n"
	                       "Content-Length: 40000000\r\n\r\nabcdefghijklmnopqrstuvwxyz";
	world->server.filler = 4 << 20;
	request(world, url_of(world, "/"), "GET", "");
	assert_int_equal(world->verdict.outcome, OUTCOME_RETRY);
	assert_int_equal(world->verdict.hint_ms, 7000);
	assert_int_equal(world->status, 503);
}

static void test_failures_say_why_and_no_secret(void **state)
{
	struct world *world = *state;
	char expected[128];

	world->server.answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	request(world, url_of(world, "/secret?key=secret"), "POST", "{}");
	assert_int_equal(world->verdict.outcome, OUTCOME_PERMANENT);
	snprintf(expected, sizeof(expected), "HTTP 404 from 127.0.0.1:%d", world->server.port);
	assert_string_equal(world->verdict.reason, expected);

	/* Within the answer; and before. */
	world->server.cuts = true;
	world->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel";
	request(world, url_of(world, "/secret?key=secret"), "POST", "{}");
	assert_int_equal(world->verdict.outcome, OUTCOME_RETRY);
	snprintf(expected, sizeof(expected), "the connection was cut by 127.0.0.1:%d",
	         world->server.port);
	assert_string_equal(world->verdict.reason, expected);
	world->server.answer = "";
	request(world, url_of(world, "/secret?key=secret"), "POST", "{}");
	assert_int_equal(world->verdict.outcome, OUTCOME_RETRY);
	assert_null(strstr(world->verdict.reason, "secret"));

	world->server.answer = "SSH-2.0-OpenSSH_9.2\r\n";
	request(world, url_of(world, "/"), "POST", "{}");
	assert_int_equal(world->verdict.outcome, OUTCOME_RETRY);
	snprintf(expected, sizeof(expected), "what answers is no HTTP server: 127.0.0.1:%d",
	         world->server.port);
	assert_string_equal(world->verdict.reason, expected);
	world->server.cuts = false;

	world->server.answer = NULL;
	world->setup.timeout_ms = 50;
	request(world, url_of(world, "/"), "POST", "{}");
	assert_int_equal(world->verdict.outcome, OUTCOME_RETRY);
	snprintf(expected, sizeof(expected), "no answer from 127.0.0.1:%d within 50 ms",
	         world->server.port);
	assert_string_equal(world->verdict.reason, expected);

	request(world, "http://127.0.0.1:1/", "POST", "{}");
	assert_int_equal(world->verdict.outcome, OUTCOME_RETRY);
	assert_string_equal(world->verdict.reason,
	                    "can't connect to 127.0.0.1:1: Connection refused");
}

static void test_what_is_no_address_is_hopeless(void **state)
{
	struct world *world = *state;
	static const char *const cases[][2] = {
		{ "", "the address is no URL" },
		{ "example.com/x", "the address is no URL" },
		{ "http://", "the address is no URL" },
		{ "http://a b/", "the address is no URL" },
		{ "http://a:99999/", "the address is no URL" },
		{ "http://user:secret@127.0.0.1/", "the address is no URL" },
		{ "file:///etc/passwd",
		  "the URL's protocol is none that this kind of target speaks" },
		{ "gopher://127.0.0.1/",
		  "the URL's protocol is none that this kind of target speaks" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		request(world, cases[i][0], "POST", "{}");
		assert_string_equal(world->verdict.reason, cases[i][1]);
		assert_int_equal(world->verdict.outcome, OUTCOME_PERMANENT);
	}
}

static void test_a_private_address_is_refused_on_a_kept_connection_too(void **state)
{
	struct world *world = *state;
	world->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	world->setup.refuse_private = true;
	request(world, url_of(world, "/"), "GET", "");
	assert_int_equal(world->verdict.outcome, OUTCOME_PERMANENT);
	assert_int_equal(world->server.connections, 0);
	world->setup.refuse_private = false;
	request(world, url_of(world, "/"), "GET", "");
	assert_int_equal(world->verdict.outcome, OUTCOME_DONE);
	world->setup.refuse_private = true;
	request(world, url_of(world, "/"), "GET", "");
	assert_int_equal(world->verdict.outcome, OUTCOME_PERMANENT);
	assert_int_equal(world->server.len, 0);
	assert_non_null(strstr(world->verdict.reason, "has a private address"));
	/* By its name, whatever that resolves to. */
	char url[64];
	snprintf(url, sizeof(url), "http://localhost:%d/", world->server.port);
	request(world, url, "GET", "");
	assert_non_null(strstr(world->verdict.reason, "has a private address"));
	world->setup.refuse_private = false;
}

static void test_one_that_is_destroyed_says_nothing(void **state)
{
	struct world *world = *state;
	world->done = 0;
	world->server.answer = NULL;
	struct transfer *transfer = begin(world, url_of(world, "/"), "GET", "");
	transfer_destroy(transfer);
	transfer = begin(world, url_of(world, "/"), "GET", "");
	world->server.len = 0;
	while (world->server.len == 0)
		uv_run(&world->loop, UV_RUN_ONCE);
	transfer_destroy(transfer);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_equal(world->done, 0);
}

static void test_many_at_a_time(void **state)
{
	enum { MANY = 700 }; /* more than there may be connections */
	struct world *world = *state;
	world->done = 0;
	world->setup.timeout_ms = 20000;
	world->server.answer = "HTTP/1.1 204 No Content\r\n\r\n";
	world->server.cuts = true;
	for (int i = 0; i < MANY; i++)
		begin(world, url_of(world, "/"), "GET", "");
	wait_for(world, MANY);
	assert_int_equal(world->verdict.outcome, OUTCOME_DONE);
	assert_int_equal(world->server.connections, MANY);
}

static void test_running_out_of_memory(void **state)
{
	struct world *world = *state;
	world->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	for (size_t n = 1;; n++) {
		world->done = 0;
		world->server.len = 0;
		/* The server's own are not to fail: 3 for a connection, so it is on a kept one. */
		oom_fail_at(n);
		struct transfer *transfer = transfer_create(&world->setup);
		bool started = transfer && transfer_url(transfer, url_of(world, "/")) &&
		               transfer_header(transfer, "A", "b") &&
		               transfer_method(transfer, "GET") &&
		               transfer_start(transfer, on_done, world);
		bool happened = oom_happened();
		if (started)
			wait_for(world, 1);
		else
			transfer_destroy(transfer);
		assert_true(started != happened);
		if (!happened)
			break;
	}
	assert_int_equal(world->verdict.outcome, OUTCOME_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_request_and_its_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_answer_is_kept_up_to_a_bound, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(test_failures_say_why_and_no_secret, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_no_address_is_hopeless, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(
		        test_a_private_address_is_refused_on_a_kept_connection_too, set_up,
		        tear_down),
		cmocka_unit_test_setup_teardown(test_one_that_is_destroyed_says_nothing, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(test_many_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_running_out_of_memory, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
