/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What each service of the push target wants to be told, and where: a line for each. */
#ifndef BRIDGE_PUSH_SERVICES_H
#define BRIDGE_PUSH_SERVICES_H

#include <stdbool.h>

#include "sluice/buffer.h"

/* A note for people. */
struct push_note {
	struct sluice_str title; /* absent = none */
	struct sluice_str message;
	int priority; /* 1 to 10; 0 = the service's own */
};

/* Where it goes: a target's settings; what was not said is absent. */
struct push_address {
	struct sluice_str name, chat, account, from, to, project, device;
};

struct push_service {
	const char *name;
	const char *url; /* of the server, when the target says none; NULL = it must */
	/* What follows in the address: {account}, {project} and {token} stand for theirs. */
	const char *path;
	bool token_in_path; /* the connection's token is a part of the address, not a header */
	const char *content_type;
	size_t message_max; /* bytes that the service takes; a longer message is cut */
	/* Appends the body. Failure is in the buffer's `failed`. */
	void (*write)(const struct push_address *address, const struct push_note *note,
	              struct sluice_buffer *out);
};

/* NULL when there is none of that name. */
const struct push_service *push_service_find(struct sluice_str name);

/* The beginning of a text of at most `max` bytes, cut between two characters. */
struct sluice_str push_cut(struct sluice_str text, size_t max);

#endif
