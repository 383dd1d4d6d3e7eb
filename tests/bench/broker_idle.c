/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A plugin that does nothing: it is called for each publish, and returns. What any plugin costs the
 * broker is measured with it, so that what Sluice costs is told apart from that.
 */
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

static int on_message(int event, void *data, void *userdata)
{
	(void)event;
	(void)data;
	(void)userdata;
	return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
	for (int i = 0; i < supported_version_count; i++) {
		if (supported_versions[i] == MOSQ_PLUGIN_VERSION)
			return MOSQ_PLUGIN_VERSION;
	}
	return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                          struct mosquitto_opt *options, int count)
{
	(void)options;
	(void)count;
	*userdata = identifier;
	return mosquitto_callback_register(identifier, MOSQ_EVT_MESSAGE, on_message, NULL, NULL);
}

int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int count)
{
	(void)options;
	(void)count;
	if (userdata)
		mosquitto_callback_unregister(userdata, MOSQ_EVT_MESSAGE, on_message, NULL);
	return MOSQ_ERR_SUCCESS;
}
