/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What commands answer, published as events on the topic that the target says. */
#ifndef BRIDGE_EXEC_ANSWERS_H
#define BRIDGE_EXEC_ANSWERS_H

#include "outlet.h"

struct answers;

/* NULL, with SLUICE_OK, when the settings have no "topic". */
enum sluice_status answers_create(const struct outlet_context *context, struct answers **answers,
                                  struct sluice_error *error);

/* Publishes it at QoS 1 and ends the delivery: as DONE with the PUBACK. The payload is copied. */
void answers_publish(struct answers *answers, struct delivery *delivery, struct sluice_str payload);

/* What is not acknowledged is given back. NULL is allowed. */
void answers_close(struct answers *answers);

#endif
