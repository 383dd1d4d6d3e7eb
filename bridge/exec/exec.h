/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The target "exec": the two ways in which a command is given events, and the step before a target.
 * Both ways open outlets that begin with a `struct outlet` whose kind is their own.
 */
#ifndef BRIDGE_EXEC_EXEC_H
#define BRIDGE_EXEC_EXEC_H

#include "kinds.h"

extern const struct outlet_kind exec_each, exec_lines;

#endif
