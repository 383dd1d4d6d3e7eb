/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "gate.h"

#include <arpa/inet.h>

/* A unix socket (its path) or a loopback address: the client runs on the broker's machine. */
static bool is_local(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (strchr(address, '/')) /* no host name nor address holds one */
		return true;
	if (inet_pton(AF_INET, address, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, address, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6) ||
		       (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
	return false;
}

bool gate_admits(const struct options *options, const struct gate_client *client)
{
	switch (options->control_access) {
	case CONTROL_ACL:
		return true;
	case CONTROL_NONE:
		return false;
	case CONTROL_AUTO:
		break;
	}
	if (client->certificate)
		return true;
	if (client->address && !client->websockets && is_local(client->address))
		return true;
	for (size_t i = 0; client->username && i < options->control_user_count; i++) {
		if (strcmp(client->username, options->control_users[i]) == 0)
			return true;
	}
	return false;
}
