/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "exec.h"

static const struct outlet_kind *const modes[] = { &exec_each, &exec_lines };

static struct outlet *exec_open(const struct outlet_context *context, struct sluice_error *error)
{
	return modes[sluice_setting_choice(context->kind, context->settings, "mode")]->open(context,
	                                                                                    error);
}

static void exec_send(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	outlet->kind->send(outlet, deliveries, count);
}

static void exec_close(struct outlet *outlet)
{
	outlet->kind->close(outlet);
}

const struct outlet_kind outlet_exec = {
	.name = "exec",
	.open = exec_open,
	.send = exec_send,
	.close = exec_close,
};
