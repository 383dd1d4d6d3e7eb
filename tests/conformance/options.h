/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The command line of the random runs. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdlib.h>
#include <string.h>

/* The number behind the option `name`, or `otherwise`. */
static inline unsigned long long number_option(int argc, char **argv, const char *name,
                                               unsigned long long otherwise)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return strtoull(argv[i + 1], NULL, 10);
	return otherwise;
}

#endif
