/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Which addresses are of this machine, its network, or nobody: where a stranger's redirect must not
 * lead the bridge, which stands behind the firewall. */
#ifndef BRIDGE_PRIVATE_ADDRESS_H
#define BRIDGE_PRIVATE_ADDRESS_H

#include <stdbool.h>

#include <sys/socket.h>

/* Loopback, private, link-local, shared (RFC 6598), multicast and reserved ones, also inside of an IPv6
 * address that stands for an IPv4 one; what is neither IPv4 nor IPv6. */
bool address_is_private(const struct sockaddr *address);

/* The same of its text, "192.168.1.1" or "fe80::1"; what can't be read is private. */
bool address_text_is_private(const char *text);

#endif
