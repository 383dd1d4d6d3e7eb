/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>

enum { LIMIT_MS = 5000, LINE_MAX_BYTES = 1024 };

/* A client's name or topic must not be able to forge lines, nor to speak to a terminal. */
static void write_line(int level, char *line)
{
	for (unsigned char *c = (unsigned char *)line; *c; c++) {
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	mosquitto_log_printf(level, "sluice: %s", line);
}

void log_line(int level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	write_line(level, line);
}

void log_limited(struct log *log, enum log_kind kind, int64_t now_ms, int level, const char *format,
                 ...)
{
	if (now_ms < log->kinds[kind].next_ms) {
		log->kinds[kind].left_out++;
		return;
	}
	char line[LINE_MAX_BYTES];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(line, sizeof line - 64, format, args);
	va_end(args);
	if (log->kinds[kind].left_out > 0 && length >= 0) {
		size_t at = (size_t)length < sizeof line - 64 ? (size_t)length : sizeof line - 65;
		snprintf(line + at, sizeof line - at, " (and %" PRIu64 " like it)",
		         log->kinds[kind].left_out);
	}
	write_line(level, line);
	log->kinds[kind].next_ms = now_ms + LIMIT_MS;
	log->kinds[kind].left_out = 0;
}
