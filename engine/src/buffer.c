/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

void sluice_buffer_finish(struct sluice_buffer *buf)
{
	free(buf->data);
	*buf = (struct sluice_buffer){ .limit = buf->limit };
}

void sluice_buffer_reset(struct sluice_buffer *buf)
{
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
	buf->failed = false;
	buf->over_limit = false;
}

/* Makes room for `more` bytes and a NUL behind them. */
static bool reserve(struct sluice_buffer *buf, size_t more)
{
	if (buf->failed)
		return false;
	if (buf->limit != 0 && (buf->len > buf->limit || more > buf->limit - buf->len)) {
		buf->failed = true;
		buf->over_limit = true;
		return false;
	}
	if (more > SIZE_MAX / 4 - buf->len) {
		buf->failed = true;
		return false;
	}
	size_t needed = buf->len + more + 1;
	if (needed <= buf->capacity)
		return true;
	size_t capacity = buf->capacity ? buf->capacity : FIRST_CAPACITY;
	while (capacity < needed)
		capacity *= 2;
	char *data = realloc(buf->data, capacity);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->capacity = capacity;
	return true;
}

void sluice_buffer_append(struct sluice_buffer *buf, const void *data, size_t len)
{
	if (!reserve(buf, len))
		return;
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void sluice_buffer_append_str(struct sluice_buffer *buf, struct sluice_str text)
{
	sluice_buffer_append(buf, text.data, text.len);
}

void sluice_buffer_append_text(struct sluice_buffer *buf, const char *text)
{
	sluice_buffer_append(buf, text, strlen(text));
}

void sluice_buffer_printf(struct sluice_buffer *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0) {
		buf->failed = true;
		return;
	}
	if (!reserve(buf, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}

struct sluice_str sluice_buffer_str(const struct sluice_buffer *buf)
{
	if (!buf->data)
		return SLUICE_STR("");
	return (struct sluice_str){ buf->data, buf->len };
}

char *sluice_buffer_take(struct sluice_buffer *buf)
{
	sluice_buffer_append(buf, "", 0); /* so that an empty one has its NUL */
	if (buf->failed)
		return NULL;
	char *data = buf->data;
	buf->data = NULL;
	sluice_buffer_finish(buf);
	return data;
}
