/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Lines on standard error, with the time, for people and for whoever collects them. Any thread. */
#ifndef BRIDGE_LOG_H
#define BRIDGE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_DEBUG };

/* What is said of DEBUG; off at first. */
void log_set_verbose(bool verbose);

/* One line; no newline in it. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
