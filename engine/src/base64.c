/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/base64.h"

#include <stdlib.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sluice_base64_encode(struct sluice_str data, char *out)
{
	const unsigned char *bytes = (const unsigned char *)data.data;
	for (size_t i = 0; i < data.len; i += 3) {
		size_t left = data.len - i;
		uint32_t group = (uint32_t)bytes[i] << 16;
		if (left > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 0x3f];
		*out++ = left > 1 ? alphabet[group >> 6 & 0x3f] : '=';
		*out++ = left > 2 ? alphabet[group & 0x3f] : '=';
	}
}

void sluice_buffer_append_base64(struct sluice_buffer *buf, struct sluice_str data)
{
	size_t len = sluice_base64_length(data.len);
	char *text = malloc(len + 1);

	if (!text) {
		buf->failed = true;
		return;
	}
	sluice_base64_encode(data, text);
	sluice_buffer_append(buf, text, len);
	free(text);
}

/* The six bits that c stands for, or -1. */
static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool sluice_base64_decode(struct sluice_str text, char *out, size_t *len)
{
	*len = 0;
	if (text.len % 4 != 0)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t padding = 0;
		if (i + 4 == text.len)
			padding = text.data[i + 3] != '=' ? 0 : text.data[i + 2] != '=' ? 1 : 2;
		uint32_t group = 0;
		for (size_t j = 0; j < 4 - padding; j++) {
			int bits = sextet(text.data[i + j]);
			if (bits < 0)
				return false;
			group |= (uint32_t)bits << (18 - 6 * j);
		}
		if ((padding == 1 && (group & 0xff) != 0) ||
		    (padding == 2 && (group & 0xffff) != 0))
			return false;
		out[(*len)++] = (char)(group >> 16 & 0xff);
		if (padding < 2)
			out[(*len)++] = (char)(group >> 8 & 0xff);
		if (padding < 1)
			out[(*len)++] = (char)(group & 0xff);
	}
	return true;
}
