/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * What libcurl and a mail server say to each other, overheard: for the reason why a mail was refused,
 * and so that saying good-bye costs no time.
 *
 * libcurl ends a connection with QUIT and waits for the answer in a call that does not return before,
 * for two minutes if the server keeps silent; all other transfers of the bridge, and its link to the
 * broker, would wait along. So once QUIT is sent the socket is read no more: libcurl finds its end, and
 * goes on. For that each mail has a connection of its own, whose QUIT comes while we listen.
 */
#ifndef BRIDGE_SMTP_DIALOGUE_H
#define BRIDGE_SMTP_DIALOGUE_H

#include <stdbool.h>

#include <curl/curl.h>

enum {
	DIALOGUE_TEXT = 200,
	DIALOGUE_SOCKETS = 4, /* one, or one for each family of addresses that is tried at a time */
};

struct dialogue {
	char command[DIALOGUE_TEXT]; /* the last MAIL, RCPT or DATA; "" before */
	char refusal[DIALOGUE_TEXT]; /* the last reply, if it is a 4xx or 5xx; "" = it is not */
	char refused[DIALOGUE_TEXT]; /* the command that it answers */
	bool ended;                  /* QUIT was said */
	curl_socket_t sockets[DIALOGUE_SOCKETS]; /* that are open */
	size_t socket_count;
};

/* Sets the options of a handle that has them call the dialogue, which must live until the handle is
 * cleaned up. False when out of memory. */
bool dialogue_listen(struct dialogue *dialogue, CURL *easy);

/* What was said, as libcurl tells it; dialogue_listen has it called. */
void dialogue_hear(struct dialogue *dialogue, curl_infotype type, const char *data, size_t len);

#endif
