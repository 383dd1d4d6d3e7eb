/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#ifndef STORE_FUNCTIONS_H
#define STORE_FUNCTIONS_H

#include <sqlite3.h>

/*
 * Gives a connection json_valid(x), json_type(x) and json_extract(x, '$.member'), as far as the
 * schema uses them, fit for a schema that is not trusted. Returns an SQLite code.
 */
int store_add_functions(sqlite3 *db);

#endif
