/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The target "sql": a statement for each event. Each database opens an outlet that begins with a
 * `struct outlet` whose kind is its own.
 */
#ifndef BRIDGE_SQL_SQL_H
#define BRIDGE_SQL_SQL_H

#include "kinds.h"

extern const struct outlet_kind sql_postgres, sql_sqlite;

#endif
