/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "check_explain.h"

#include "sluice/explain.h"
#include "sluice/json.h"

static const char *check_writing(const struct sluice_explanation *explanation)
{
	struct sluice_buffer text = { 0 };
	struct sluice_buffer json = { 0 };
	struct sluice_json_doc *doc = NULL;
	const char *wrong = NULL;
	sluice_explanation_write_text(explanation, &text);
	sluice_explanation_write_json(explanation, &json);
	if (text.len == 0 || text.data[text.len - 1] != '\n')
		wrong = "the explanation's text does not end its last line";
	else if (sluice_json_parse(sluice_buffer_str(&json), SLUICE_JSON_UNIQUE_KEYS, 8, &doc,
	                           NULL) != SLUICE_OK)
		wrong = "the explanation's JSON is not well-formed";
	sluice_json_destroy(doc);
	sluice_buffer_finish(&text);
	sluice_buffer_finish(&json);
	return wrong;
}

const char *check_explain(const struct sluice_pattern *pattern, const struct sluice_event *event,
                          bool matched)
{
	struct sluice_explanation *explanation;
	const char *wrong;
	if (sluice_explain(pattern, event, &explanation, NULL) != SLUICE_OK)
		return "it could not be explained";
	if (sluice_explanation_matched(explanation) != matched)
		wrong = matched ? "it matches, but is explained as if it did not"
		                : "it does not match, but is explained as if it did";
	else if ((sluice_explanation_failed(explanation) == 0) != matched)
		wrong = "the explanation counts its failed fields wrongly";
	else
		wrong = check_writing(explanation);
	sluice_explanation_destroy(explanation);
	return wrong;
}
