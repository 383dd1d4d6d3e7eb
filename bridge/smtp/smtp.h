/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The target kind "smtp": events as mail. */
#ifndef BRIDGE_SMTP_SMTP_H
#define BRIDGE_SMTP_SMTP_H

#include "outlet.h"

extern const struct outlet_kind smtp_outlet_kind;

#endif
