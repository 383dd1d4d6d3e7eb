/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The kinds of targets, sources and connections: what each takes. */
#ifndef SLUICE_BRIDGE_KINDS_H
#define SLUICE_BRIDGE_KINDS_H

#include "sluice/bridge.h"

enum sluice_bridge_role { SLUICE_BRIDGE_TARGET, SLUICE_BRIDGE_SOURCE, SLUICE_BRIDGE_CONNECTION };

enum { SLUICE_BRIDGE_ROLES = SLUICE_BRIDGE_CONNECTION + 1 };

/*
 * What a kind needs beyond what its table marks as required, as it depends on another setting.
 * A setting without a default that is meant only with one choice stands in its table unrequired.
 */
struct sluice_setting_need {
	enum sluice_bridge_role role;
	const char *kind;
	const char *setting, *choice; /* with this choice of that setting; NULL = always */
	const char *needed;           /* a setting; "a|b": just one of the two */
};

/* The kinds of a role; the last has a NULL name. */
extern const struct sluice_bridge_kind *const sluice_bridge_kinds[SLUICE_BRIDGE_ROLES];

/* The last has a NULL kind. */
extern const struct sluice_setting_need sluice_setting_needs[];

#endif
