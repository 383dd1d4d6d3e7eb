/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The groups of options that many verbs take. */
#include "cli.h"

const struct option common_options[] = {
	{ "help", 0, NULL, "say what the verb does and takes, and exit", NULL },
	{ 0 },
};

const struct option json_options[] = {
	{ "json", 0, NULL, "print JSON; failures too, on standard error", NULL },
	{ 0 },
};

const struct option store_options[] = {
	{ "db", 0, "FILE", "work on this store, without a broker", "@file" },
	{ 0 },
};

const struct option connection_options[] = {
	{ "host", 'h', "HOST", "the broker's host (localhost)", NULL },
	{ "port", 'p', "PORT", "its port (1883, with TLS 8883)", NULL },
	{ "unix", 0, "PATH", "connect through this unix socket instead", "@file" },
	{ "url", 'L', "URL", "mqtt[s]://[username[:password]@]host[:port]", NULL },
	{ "username", 'u', "NAME", "username", NULL },
	{ "pw", 'P', "PASSWORD", "password", NULL },
	{ "id", 'i', "ID", "client id (the broker's choice)", NULL },
	{ "id-prefix", 'I', "PREFIX", "client id: this and the process id", NULL },
	{ "keepalive", 'k', "SECONDS", "keepalive (60)", NULL },
	{ "protocol-version", 'V', "VERSION", "mqttv5 (default) or mqttv311", "mqttv5 mqttv311" },
	{ "bind", 'A', "ADDRESS", "local address to connect from", NULL },
	{ "cafile", 0, "FILE", "certificates of authorities to trust; turns TLS on", "@file" },
	{ "capath", 0, "DIR", "a folder of such certificates", "@dir" },
	{ "cert", 0, "FILE", "client certificate", "@file" },
	{ "key", 0, "FILE", "its private key", "@file" },
	{ "tls-version", 0, "VERSION", "tlsv1.3, tlsv1.2", "tlsv1.3 tlsv1.2" },
	{ "ciphers", 0, "CIPHERS", "TLS ciphers", NULL },
	{ "tls-use-os-certs", 0, NULL, "trust the system's authorities; turns TLS on", NULL },
	{ "insecure", 0, NULL, "do not check that the certificate is the host's", NULL },
	{ "timeout", 0, "SECONDS", "how long to wait for the broker's answer (10)", NULL },
	{ 0 },
};

void verb_option_lists(const struct verb *verb, const struct option *lists[VERB_OPTION_LISTS])
{
	size_t count = 0;
	if (verb->options)
		lists[count++] = verb->options;
	if (verb->flags & VERB_STORE)
		lists[count++] = store_options;
	if (verb->flags & VERB_JSON)
		lists[count++] = json_options;
	if (verb->flags & VERB_BROKER)
		lists[count++] = connection_options;
	lists[count++] = common_options;
	lists[count] = NULL;
}
