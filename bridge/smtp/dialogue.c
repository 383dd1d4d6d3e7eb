/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "dialogue.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool begins(const char *data, size_t len, const char *with)
{
	size_t length = strlen(with);

	return len >= length && memcmp(data, with, length) == 0;
}

/* Up to the end of its first line. */
static void copy_line(char to[DIALOGUE_TEXT], const char *data, size_t len)
{
	size_t line = 0;

	while (line < len && line < DIALOGUE_TEXT - 1 && data[line] != '\r' && data[line] != '\n')
		line++;
	memcpy(to, data, line);
	to[line] = '\0';
}

static void hear_command(struct dialogue *dialogue, const char *data, size_t len)
{
	/* Of AUTH nothing is kept. */
	if (begins(data, len, "MAIL ") || begins(data, len, "RCPT ") || begins(data, len, "DATA"))
		copy_line(dialogue->command, data, len);
	if (!begins(data, len, "QUIT"))
		return;
	dialogue->ended = true;
	for (size_t i = 0; i < dialogue->socket_count; i++)
		shutdown(dialogue->sockets[i], SHUT_RD);
}

static void hear_reply(struct dialogue *dialogue, const char *data, size_t len)
{
	if (len < 3 || data[0] < '2' || data[0] > '5')
		return;
	dialogue->refusal[0] = dialogue->refused[0] = '\0';
	if (data[0] < '4')
		return; /* and libcurl found a way past what was refused before: HELO for EHLO */
	copy_line(dialogue->refusal, data, len);
	memcpy(dialogue->refused, dialogue->command, sizeof(dialogue->refused));
}

void dialogue_hear(struct dialogue *dialogue, curl_infotype type, const char *data, size_t len)
{
	if (dialogue->ended)
		return;
	if (type == CURLINFO_HEADER_OUT)
		hear_command(dialogue, data, len);
	else if (type == CURLINFO_HEADER_IN)
		hear_reply(dialogue, data, len);
}

static int on_debug(CURL *easy, curl_infotype type, char *data, size_t len, void *arg)
{
	(void)easy;
	dialogue_hear(arg, type, data, len);
	return 0;
}

static int on_socket(void *arg, curl_socket_t socket, curlsocktype purpose)
{
	struct dialogue *dialogue = arg;

	(void)purpose;
	if (dialogue->socket_count == DIALOGUE_SOCKETS)
		return CURL_SOCKOPT_ERROR;
	dialogue->sockets[dialogue->socket_count++] = socket;
	return CURL_SOCKOPT_OK;
}

/* Its number may be another's from now on. */
static int on_close(void *arg, curl_socket_t socket)
{
	struct dialogue *dialogue = arg;

	for (size_t i = 0; i < dialogue->socket_count; i++) {
		if (dialogue->sockets[i] == socket) {
			dialogue->sockets[i] = dialogue->sockets[--dialogue->socket_count];
			break;
		}
	}
	return close(socket);
}

bool dialogue_listen(struct dialogue *dialogue, CURL *easy)
{
	return curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_DEBUGDATA, dialogue) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, dialogue) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, dialogue) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
}
