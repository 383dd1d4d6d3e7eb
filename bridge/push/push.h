/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#ifndef BRIDGE_PUSH_PUSH_H
#define BRIDGE_PUSH_PUSH_H

#include "outlet.h"

extern const struct outlet_kind push_outlet_kind;

#endif
