/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_bool is_verbose;

void log_set_verbose(bool verbose)
{
	atomic_store(&is_verbose, verbose);
}

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "error", "warning", "notice", "debug" };
	char text[1024], time_text[32];
	struct timespec now;
	struct tm utc;
	va_list args;
	if (level == LOG_DEBUG && !atomic_load(&is_verbose))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* What outside servers say may be in it: one line stays one line. */
	for (char *at = text; *at; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = ' ';
	}
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(stderr, "%s.%03ldZ %s: %s\n", time_text, now.tv_nsec / 1000000, names[level], text);
}
