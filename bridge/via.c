/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "via.h"

static const struct sluice_str ours = { "sluice-", 7 };

bool via_carried(struct sluice_str name, bool sluice_properties)
{
	return sluice_properties || name.len < ours.len ||
	       memcmp(name.data, ours.data, ours.len) != 0;
}

bool via_has(const struct sluice_event *event, struct sluice_str mark)
{
	for (size_t i = 0; i < event->user_property_count; i++) {
		const struct sluice_property *property = &event->user_properties[i];
		if (sluice_str_equal(property->name, SLUICE_STR(VIA_NAME)) &&
		    sluice_str_equal(property->value, mark))
			return true;
	}
	return false;
}
