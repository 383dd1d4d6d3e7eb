/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#ifndef SLUICE_TOPIC_TEMPLATE_H
#define SLUICE_TOPIC_TEMPLATE_H

#include <stdbool.h>

#include "sluice/transform.h"

/* Whether it names {consumer}: then its target must name one. */
bool sluice_topic_template_names_consumer(const struct sluice_topic_template *tpl);

#endif
