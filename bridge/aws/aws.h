/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The target kind "aws": events to Lambda, SQS, SNS, Kinesis, EventBridge. */
#ifndef BRIDGE_AWS_AWS_H
#define BRIDGE_AWS_AWS_H

#include "outlet.h"

extern const struct outlet_kind aws_outlet_kind;

#endif
