/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice-bridge: see sluice-bridge(8). */
#include <signal.h>
#include <stdio.h>

#include <curl/curl.h>
#include <mosquitto.h>

#include "log.h"
#include "options.h"
#include "run.h"

int main(int argc, char **argv)
{
	struct options options;
	int status = 0;
	signal(SIGPIPE, SIG_IGN);
	switch (options_read(argc, argv, &options)) {
	case OPTIONS_HELP:
		options_help();
		break;
	case OPTIONS_VERSION:
		printf("sluice-bridge %s\n", SLUICE_VERSION);
		break;
	case OPTIONS_WRONG:
		status = 2;
		break;
	case OPTIONS_RUN:
		log_set_verbose(options.verbose);
		mosquitto_lib_init();
		curl_global_init(CURL_GLOBAL_DEFAULT);
		status = bridge_run(&options);
		curl_global_cleanup();
		mosquitto_lib_cleanup();
		break;
	}
	options_finish(&options);
	return status;
}
