/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "transfer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/socket.h>
#include <unistd.h>

#include "curl_loop.h"
#include "private_address.h"

enum {
	CONNECT_TIMEOUT_MS = 10000,
	/* What is read of an answer past what is kept, for the connection's sake: it can be used again only
	 * when all was read. Past that, a new connection is cheaper. */
	MAX_DROPPED = 1 << 20,
};

/* Settings of a connection that name a file, and libcurl's option for each. */
static const struct {
	const char *setting;
	CURLoption option;
} tls_files[] = {
	{ "ca_file", CURLOPT_CAINFO },
	{ "cert_file", CURLOPT_SSLCERT },
	{ "key_file", CURLOPT_SSLKEY },
};

enum { TLS_FILES = sizeof(tls_files) / sizeof(tls_files[0]) };

enum sluice_status transfer_check_files(const struct credentials *credentials,
                                        struct sluice_error *error)
{
	for (size_t i = 0; credentials && i < TLS_FILES; i++) {
		struct sluice_str file = credentials_setting(credentials, tls_files[i].setting);
		if (!file.data)
			continue;
		char *path = strndup(file.data, file.len);
		if (!path)
			return sluice_out_of_memory(error);
		bool readable = access(path, R_OK) == 0;
		free(path);
		if (!readable)
			return sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL,
			                        "%s of the connection can't be read: %.*s",
			                        tls_files[i].setting, (int)file.len, file.data);
	}
	return SLUICE_OK;
}

static bool set_files(CURL *easy, const struct credentials *credentials)
{
	for (size_t i = 0; credentials && i < TLS_FILES; i++) {
		struct sluice_str file = credentials_setting(credentials, tls_files[i].setting);
		if (!file.data)
			continue;
		char *path = strndup(file.data, file.len);
		bool set = path && curl_easy_setopt(easy, tls_files[i].option, path) == CURLE_OK;
		free(path);
		if (!set)
			return false;
	}
	return true;
}

static size_t take_response(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * count;
	size_t room = transfer->max_response - transfer->response.len;
	size_t kept = len < room ? len : room;
	sluice_buffer_append(&transfer->response, data, kept);
	if (transfer->response.failed)
		return CURL_WRITEFUNC_ERROR;
	if (kept < len) {
		transfer->response_cut = true;
		transfer->dropped += len - kept;
	}
	return transfer->dropped > MAX_DROPPED ? CURL_WRITEFUNC_ERROR : len;
}

static size_t give_request(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t left = transfer->request.len - transfer->sent;
	size_t len = size * count < left ? size * count : left;
	if (len > 0)
		memcpy(data, transfer->request.data + transfer->sent, len);
	transfer->sent += len;
	return len;
}

/* libcurl sends once more when a kept connection turns out to be dead. */
static int rewind_request(void *arg, curl_off_t offset, int origin)
{
	struct transfer *transfer = arg;
	if (origin != SEEK_SET || offset < 0 || (size_t)offset > transfer->request.len)
		return CURL_SEEKFUNC_FAIL;
	transfer->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* Asked of each address that is to be connected to: a name may have any. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = arg;
	(void)purpose;
	if (transfer->refuse_private && address_is_private(&address->addr)) {
		transfer->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Asked before each request, also on a connection that was opened by another who may. */
static int before_request(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct transfer *transfer = arg;
	(void)local;
	(void)peer_port;
	(void)local_port;
	if (!transfer->refuse_private || !address_text_is_private(peer))
		return CURL_PREREQFUNC_OK;
	transfer->refused = true;
	return CURL_PREREQFUNC_ABORT;
}

static bool set_common(struct transfer *transfer, const struct transfer_setup *setup)
{
	CURL *easy = transfer->easy;
	long timeout = (long)setup->timeout_ms;
	long connect = timeout > 0 && timeout < CONNECT_TIMEOUT_MS ? timeout : CONNECT_TIMEOUT_MS;
	return curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, setup->protocols) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
	               CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice-bridge/" SLUICE_VERSION) ==
	               CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_response) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_request) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_READDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_request) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer) == CURLE_OK;
}

struct transfer *transfer_create(const struct transfer_setup *setup)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		return NULL;
	transfer->curl = setup->curl;
	transfer->timeout_ms = setup->timeout_ms;
	transfer->max_response = setup->max_response;
	transfer->refuse_private = setup->refuse_private;
	transfer->host = strdup("");
	transfer->easy = curl_easy_init();
	if (!transfer->host || !transfer->easy || !set_common(transfer, setup) ||
	    !set_files(transfer->easy, setup->credentials)) {
		transfer_destroy(transfer);
		return NULL;
	}
	return transfer;
}

void transfer_destroy(struct transfer *transfer)
{
	if (!transfer)
		return;
	if (transfer->running)
		curl_loop_cancel(transfer->curl, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	sluice_buffer_finish(&transfer->request);
	sluice_buffer_finish(&transfer->response);
	free(transfer->host);
	free(transfer);
}

/* "example.com:8443", the port only where it is said: what of an address is no secret. Paths are
 * secrets as well, of Slack's and Discord's webhooks. "" when it has none; NULL when out of memory. */
static char *shown_host(CURLU *url)
{
	char *host = NULL, *port = NULL;
	CURLUcode host_code = curl_url_get(url, CURLUPART_HOST, &host, 0);
	CURLUcode port_code = curl_url_get(url, CURLUPART_PORT, &port, 0);
	char *shown = NULL;
	if (host_code != CURLUE_OUT_OF_MEMORY && port_code != CURLUE_OUT_OF_MEMORY) {
		size_t size = (host ? strlen(host) : 0) + (port ? strlen(port) : 0) + 2;
		shown = malloc(size);
		if (shown)
			snprintf(shown, size, "%s%s%s", host ? host : "", port ? ":" : "",
			         port ? port : "");
	}
	curl_free(host);
	curl_free(port);
	return shown;
}

bool transfer_url(struct transfer *transfer, const char *url)
{
	CURLU *parsed = curl_url();
	if (!parsed)
		return false;
	CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url,
	                              CURLU_NON_SUPPORT_SCHEME | CURLU_DISALLOW_USER);
	char *host = code == CURLUE_OK ? shown_host(parsed) : strdup("");
	curl_url_cleanup(parsed);
	if (code == CURLUE_OUT_OF_MEMORY || !host) {
		free(host);
		return false;
	}
	free(transfer->host);
	transfer->host = host;
	/* libcurl would guess a scheme, and take a user out of it. With an empty one it ends the transfer
	 * as it does with others that are none. */
	return curl_easy_setopt(transfer->easy, CURLOPT_URL, code == CURLUE_OK ? url : "") ==
	       CURLE_OK;
}

static bool printable(const char *text)
{
	for (; *text; text++) {
		if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
			return false;
	}
	return true;
}

bool transfer_header(struct transfer *transfer, const char *name, const char *value)
{
	assert(printable(name) && (!value || printable(value)));
	/* libcurl's words: "Name:" takes a header out, "Name;" is one without a value. */
	const char *between = !value ? ":" : *value ? ": " : ";";
	size_t size = strlen(name) + strlen(between) + (value ? strlen(value) : 0) + 1;
	char *line = malloc(size);
	if (!line)
		return false;
	snprintf(line, size, "%s%s%s", name, between, value ? value : "");
	struct curl_slist *headers = curl_slist_append(transfer->headers, line);
	free(line);
	if (!headers)
		return false;
	transfer->headers = headers;
	return true;
}

bool transfer_method(struct transfer *transfer, const char *method)
{
	CURL *easy = transfer->easy;
	bool get = strcmp(method, "GET") == 0;
	if (transfer->request.failed)
		return false;
	if (transfer->request.len == 0 && (get || strcmp(method, "DELETE") == 0))
		return get ? curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK
		           : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
	/* libcurl does not copy the body. */
	const char *body = transfer->request.data ? transfer->request.data : "";
	return curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
	                        (curl_off_t)transfer->request.len) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

bool transfer_upload(struct transfer *transfer)
{
	return !transfer->request.failed &&
	       curl_easy_setopt(transfer->easy, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
	       curl_easy_setopt(transfer->easy, CURLOPT_INFILESIZE_LARGE,
	                        (curl_off_t)transfer->request.len) == CURLE_OK;
}

const char *transfer_response_header(struct transfer *transfer, const char *name)
{
	struct curl_header *header;
	if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	if (header->amount > 1 && curl_easy_header(transfer->easy, name, header->amount - 1,
	                                           CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

static void judge_answer(struct transfer *transfer)
{
	const char *after = transfer_response_header(transfer, "Retry-After");
	int64_t hint = after ? retry_after_ms(after, (int64_t)time(NULL) * 1000) : DELIVERY_NO_HINT;
	verdict_of_status(&transfer->verdict, transfer->status, transfer->host, hint);
}

static void judge_failure(struct transfer *transfer)
{
	if (transfer->refused && (transfer->result == CURLE_COULDNT_CONNECT ||
	                          transfer->result == CURLE_ABORTED_BY_CALLBACK)) {
		/* Whoever may change it does so in the target's definition. */
		verdict_set(&transfer->verdict, OUTCOME_PERMANENT, DELIVERY_NO_HINT,
		            "%s has a private address, which this target must not connect to",
		            transfer->host);
		return;
	}
	long os_error = 0;
	char *peer = NULL;
	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
	curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &peer);
	struct transfer_failure failure = {
		.code = transfer->result,
		.host = transfer->host,
		.detail = transfer->error,
		.os_error = (int)os_error,
		.status = transfer->status,
		.connected = peer && *peer,
		.timeout_ms = transfer->timeout_ms,
	};
	verdict_of_failure(&transfer->verdict, &failure);
}

static void finish(void *arg, CURL *easy, CURLcode result)
{
	struct transfer *transfer = arg;
	transfer->running = false;
	transfer->result = result;
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &transfer->status);
	/* An answer that we stopped reading is an answer. */
	if (result == CURLE_WRITE_ERROR && transfer->dropped > MAX_DROPPED)
		transfer->result = CURLE_OK;
	if (transfer->response.failed)
		transfer->result = CURLE_OUT_OF_MEMORY;
	if (transfer->result == CURLE_OK)
		judge_answer(transfer);
	else
		judge_failure(transfer);
	transfer->done(transfer->arg, transfer);
}

bool transfer_start(struct transfer *transfer, transfer_done_fn done, void *arg)
{
	transfer->done = done;
	transfer->arg = arg;
	if (transfer->headers &&
	    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers) != CURLE_OK)
		return false;
	transfer->running = curl_loop_start(transfer->curl, transfer->easy, finish, transfer);
	return transfer->running;
}
