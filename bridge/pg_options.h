/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * How to connect to a PostgreSQL server: a conninfo (or URI), and what a connection adds to it. What
 * is made here holds a password: it is given to libpq and overwritten.
 */
#ifndef BRIDGE_PG_OPTIONS_H
#define BRIDGE_PG_OPTIONS_H

#include <stdbool.h>

#include "credentials.h"

enum { PG_OPTIONS_MAX = 20 };

/* For PQconnectStartParams, with expand_dbname: both end with NULL. */
struct pg_options {
	const char *keywords[PG_OPTIONS_MAX + 1];
	const char *values[PG_OPTIONS_MAX + 1];
	size_t count;
	char *copies[PG_OPTIONS_MAX]; /* owned: the values that are not the caller's */
	size_t copy_count;
	/* The one host to be looked up before libpq does, which would wait for it; NULL: none is a
	 * name, or there are several. Owned. */
	char *host;
};

/*
 * Puts them together: the url; a basic connection's username and password; any connection's ca_file,
 * cert_file and key_file, and with a ca_file "sslmode=verify-full" unless the url says another;
 * UTF-8; an application_name unless the url says one.
 *
 * Errors: SLUICE_ERR_INVALID (the url can't be read: what it says is not told, as it may hold a
 * password; a connection of a kind that means nothing here), _NOMEM.
 */
enum sluice_status pg_options_create(struct sluice_str url, const struct credentials *credentials,
                                     struct pg_options **options, struct sluice_error *error);

/* Adds one, over what the url says of it. Both live as long as the options. False when there is no
 * room. */
bool pg_options_add(struct pg_options *options, const char *keyword, const char *value);

/* Overwrites and frees. NULL is allowed. */
void pg_options_destroy(struct pg_options *options);

#endif
