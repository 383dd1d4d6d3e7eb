/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <time.h>

#include "sluice/transform.h"

char *sluice_time_format(int64_t time_ms, char buf[SLUICE_TIME_SIZE])
{
	int64_t ms = (time_ms % 1000 + 1000) % 1000;
	time_t seconds = (time_t)(time_ms / 1000 - (time_ms % 1000 < 0));
	struct tm tm;

	/* Years past 9999 are beyond RFC 3339. */
	if (seconds > INT64_C(253402300799) || !gmtime_r(&seconds, &tm) ||
	    strftime(buf, SLUICE_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm) != 19)
		return memcpy(buf, "1970-01-01T00:00:00.000Z", sizeof("1970-01-01T00:00:00.000Z"));
	char *at = buf + 19;
	*at++ = '.';
	*at++ = (char)('0' + ms / 100);
	*at++ = (char)('0' + ms / 10 % 10);
	*at++ = (char)('0' + ms % 10);
	*at++ = 'Z';
	*at = '\0';
	return buf;
}
