/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "receipt.h"

#include <sys/random.h>

enum { ID_DIGITS = 16, SECRET_DIGITS = SLUICE_RECEIPT_BYTES * 2 };

static const char digits[] = "0123456789abcdef";

void receipt_write(const struct receipt *receipt, char text[RECEIPT_TEXT_SIZE])
{
	if (receipt->batch)
		*text++ = 'b';
	for (int i = 0; i < ID_DIGITS; i++)
		*text++ = digits[receipt->id >> (ID_DIGITS - 1 - i) * 4 & 15];
	for (size_t i = 0; i < SLUICE_RECEIPT_BYTES; i++) {
		*text++ = digits[receipt->secret[i] >> 4];
		*text++ = digits[receipt->secret[i] & 15];
	}
	*text = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool receipt_read(struct sluice_str text, struct receipt *receipt)
{
	*receipt = (struct receipt){ 0 };
	if (text.len > 0 && text.data[0] == 'b' && text.len == ID_DIGITS + SECRET_DIGITS + 1) {
		receipt->batch = true;
		text = (struct sluice_str){ text.data + 1, text.len - 1 };
	}
	if (text.len != ID_DIGITS + SECRET_DIGITS)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int value = digit(text.data[i]);
		if (value < 0)
			return false;
		if (i < ID_DIGITS) {
			receipt->id = receipt->id << 4 | (unsigned)value;
		} else {
			unsigned char *byte = &receipt->secret[(i - ID_DIGITS) / 2];
			*byte = (unsigned char)(*byte << 4 | value);
		}
	}
	return true;
}

bool receipt_draw(struct receipt_source *source, unsigned char secret[SLUICE_RECEIPT_BYTES])
{
	if (source->left < SLUICE_RECEIPT_BYTES) {
		/* More than 256 bytes may come in parts, when a signal is caught. */
		size_t got = 0;
		while (got < sizeof source->bytes) {
			ssize_t n = getrandom(source->bytes + got, sizeof source->bytes - got, 0);
			if (n < 0)
				return false;
			got += (size_t)n;
		}
		source->left = sizeof source->bytes;
	}
	source->left -= SLUICE_RECEIPT_BYTES;
	memcpy(secret, source->bytes + source->left, SLUICE_RECEIPT_BYTES);
	memset(source->bytes + source->left, 0, SLUICE_RECEIPT_BYTES);
	return true;
}
