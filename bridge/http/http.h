/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#ifndef BRIDGE_HTTP_HTTP_H
#define BRIDGE_HTTP_HTTP_H

#include "outlet.h"

extern const struct outlet_kind http_outlet_kind;
extern const struct enricher_kind http_enricher_kind;

#endif
