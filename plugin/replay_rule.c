/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdio.h>

#include "replay.h"
#include "sluice/buffer.h"
#include "sluice/json.h"

enum sluice_status replay_rule(struct sluice_str name, struct sluice_str bus,
                               struct sluice_str topic, struct sluice_rule **rule,
                               struct sluice_error *error)
{
	struct sluice_buffer text = { 0 };
	*rule = NULL;
	sluice_buffer_append_text(&text, "{\"name\":");
	sluice_json_write_string(&text, name);
	sluice_buffer_append_text(&text, ",\"bus\":");
	sluice_json_write_string(&text, bus);
	sluice_buffer_append_text(
	        &text, ",\"pattern\":{\"$mqtt\":{\"topic\":[{\"exists\":true}]}},\"targets\":"
	               "[{\"id\":\"replay\",\"topic\":");
	sluice_json_write_string(&text, topic);
	sluice_buffer_append_text(&text, "}]}");
	enum sluice_status status =
	        text.failed ? sluice_out_of_memory(error)
	                    : sluice_rule_parse(sluice_buffer_str(&text), rule, error);
	if (status != SLUICE_OK && error)
		snprintf(error->place, sizeof error->place, "$.topic");
	sluice_buffer_finish(&text);
	return status;
}
