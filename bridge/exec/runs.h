/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A command for each event, at most so many at a time; the others wait in the order in which they
 * came. What it makes of a delivery that went well is the caller's, all other ends are told here.
 */
#ifndef BRIDGE_EXEC_RUNS_H
#define BRIDGE_EXEC_RUNS_H

#include "outlet.h"
#include "sluice/buffer.h"

struct runs;

/* The command has ended well. `output` is what it wrote to its stdout, to be taken or left; NULL when
 * it is not kept. */
typedef void (*run_done_fn)(void *arg, struct delivery *delivery, struct sluice_buffer *output);

/*
 * keep_output	a command that writes more than "max_output_bytes" is ended, and its event with it
 *
 * NULL with the error: as command_create.
 */
struct runs *runs_create(const struct outlet_context *context, bool keep_output, run_done_fn done,
                         void *arg, struct sluice_error *error);

void runs_add(struct runs *runs, struct delivery *delivery);

/* Ends what runs, gives all deliveries back, and frees. */
void runs_close(struct runs *runs);

#endif
