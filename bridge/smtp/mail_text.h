/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Text in the forms that mail wants: 7 bits, short lines (RFC 5322, 2045, 2047). */
#ifndef BRIDGE_SMTP_MAIL_TEXT_H
#define BRIDGE_SMTP_MAIL_TEXT_H

#include <stdbool.h>

#include "sluice/buffer.h"

/*
 * "Boiler <boiler@example.com>", or the address alone. Both parts point into the text.
 */
struct mail_address {
	struct sluice_str name; /* empty when there is none */
	struct sluice_str address;
};

/* False where it is no such thing: an address has an '@', nothing but ASCII, and no sign that would
 * end it in a command or a header. */
bool mail_address_read(struct sluice_str text, struct mail_address *address);

/* Appends it as a header has it, its name quoted or encoded. */
void mail_address_write(struct mail_address address, struct sluice_buffer *out);

/*
 * Appends a header's unstructured value: as it is where it is ASCII of one line's length, folded at
 * spaces, else as encoded words. Control characters become spaces, what is not UTF-8 becomes U+FFFD.
 *
 * used		characters that stand before it in its line
 */
void mail_header_text(struct sluice_str text, size_t used, struct sluice_buffer *out);

/* Appends a body in quoted-printable. Each of CR LF, CR and LF ends a line; what is not UTF-8 becomes
 * U+FFFD. Ends with the end of a line. */
void mail_quoted_printable(struct sluice_str text, struct sluice_buffer *out);

enum { MAIL_DATE_SIZE = 40 };

/* "Thu, 26 Nov 2026 00:26:29 +0000" of milliseconds since 1970. Returns buf. */
char *mail_date(int64_t time_ms, char buf[MAIL_DATE_SIZE]);

#endif
