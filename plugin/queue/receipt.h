/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A receipt names one delivery, and can't be guessed: it is what acknowledges it.
 *
 *	00000000000004d2 9f3c5a0e77b1c2d3e4f50617   the message's id, 96 random bits: 40 digits
 *	b00000000000004d2 …                          of a batch: its first message; it stands for all
 */
#ifndef SLUICE_PLUGIN_QUEUE_RECEIPT_H
#define SLUICE_PLUGIN_QUEUE_RECEIPT_H

#include <stdbool.h>

#include "sluice_store/record.h"

enum { RECEIPT_TEXT_SIZE = 42 };

struct receipt {
	uint64_t id;
	unsigned char secret[SLUICE_RECEIPT_BYTES];
	bool batch;
};

void receipt_write(const struct receipt *receipt, char text[RECEIPT_TEXT_SIZE]);

/* False when it is none, letter for letter. */
bool receipt_read(struct sluice_str text, struct receipt *receipt);

/* Random bytes, from a store of them that a system call fills now and then. */
struct receipt_source {
	unsigned char bytes[SLUICE_RECEIPT_BYTES * 256];
	size_t left;
};

/* False when the system gives none. */
bool receipt_draw(struct receipt_source *source, unsigned char secret[SLUICE_RECEIPT_BYTES]);

#endif
