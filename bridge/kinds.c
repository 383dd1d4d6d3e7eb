/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Every kind that this build knows: a line for each. */
#include "aws/aws.h"
#include "inlet.h"
#include "outlet.h"
#include "smtp/smtp.h"

static const struct outlet_kind *const outlets[] = {
	&aws_outlet_kind,
	&smtp_outlet_kind,
	NULL,
};

static const struct enricher_kind *const enrichers[] = {
	NULL,
};

static const struct inlet_kind *const inlets[] = {
	NULL,
};

const struct outlet_kind *outlet_kind_find(struct sluice_str name)
{
	for (size_t i = 0; outlets[i]; i++) {
		if (sluice_str_equal(sluice_str(outlets[i]->name), name))
			return outlets[i];
	}
	return NULL;
}

const struct enricher_kind *enricher_kind_find(struct sluice_str name)
{
	for (size_t i = 0; enrichers[i]; i++) {
		if (sluice_str_equal(sluice_str(enrichers[i]->name), name))
			return enrichers[i];
	}
	return NULL;
}

const struct inlet_kind *inlet_kind_find(struct sluice_str name)
{
	for (size_t i = 0; inlets[i]; i++) {
		if (sluice_str_equal(sluice_str(inlets[i]->name), name))
			return inlets[i];
	}
	return NULL;
}
