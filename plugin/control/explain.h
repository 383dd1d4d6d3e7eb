/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* How answers show an explanation. */
#ifndef SLUICE_PLUGIN_CONTROL_EXPLAIN_H
#define SLUICE_PLUGIN_CONTROL_EXPLAIN_H

#include "sluice/explain.h"

/* Appends the members "explanation", as JSON, and "text", for a person. */
void data_explanation(struct sluice_buffer *data, const struct sluice_explanation *explanation);

#endif
