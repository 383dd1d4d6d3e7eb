/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Settings by the table of their kind: checked when they are put, read when they are used. */
#include "bridge_settings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "document.h"
#include "quote.h"
#include "sluice/members.h"
#include "sluice/suggest.h"
#include "sluice/text_template.h"
#include "sluice/topic.h"

enum {
	MAX_SETTINGS = 64, /* of a kind: what sluice_members_read takes */
	MAX_DEPTH = 16,
	TEXT_MAX = 65536,
	MEANT_SIZE = 2 * SLUICE_NAME_MAX,
};

enum sluice_status sluice_bridge_copy(const struct sluice_json *node, const char *what, size_t size,
                                      void **made, struct sluice_json_doc **doc,
                                      struct sluice_error *error)
{
	enum sluice_status status;
	char *memory;

	*made = NULL;
	*doc = NULL;
	if (!node)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$",
		                        "%s must be given", what);
	if (node->raw.len > SLUICE_RULE_MAX_BYTES)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, "$",
		                        "%s is longer than %d bytes", what, SLUICE_RULE_MAX_BYTES);
	memory = calloc(1, size + node->raw.len + 1);
	if (!memory)
		return sluice_out_of_memory(error);
	memcpy(memory + size, node->raw.data, node->raw.len);
	status = sluice_json_parse((struct sluice_str){ memory + size, node->raw.len },
	                           SLUICE_JSON_UNIQUE_KEYS, MAX_DEPTH, doc, error);
	if (status) {
		free(memory);
		return status;
	}
	*made = memory;
	return SLUICE_OK;
}

enum sluice_status sluice_bridge_read_kind(enum sluice_bridge_role role,
                                           const struct sluice_json *where,
                                           const struct sluice_json *node,
                                           const struct sluice_bridge_kind **kind,
                                           struct sluice_error *error)
{
	static const char *const nouns[SLUICE_BRIDGE_ROLES] = { "target", "source", "connection" };
	const char *names[MAX_SETTINGS + 1];
	char meant[MEANT_SIZE], quoted[SLUICE_QUOTE_SIZE];
	const struct sluice_bridge_kind *list = sluice_bridge_kinds[role];
	size_t count = 0;

	if (!node)
		return sluice_json_error(where, error, SLUICE_ERR_INVALID,
		                         "there must be a \"kind\" of %s", nouns[role]);
	if (node->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be a string");
	for (; list[count].name; count++) {
		assert(count < MAX_SETTINGS);
		names[count] = list[count].name;
		if (sluice_str_equal(node->string, sluice_str(list[count].name))) {
			*kind = &list[count];
			return SLUICE_OK;
		}
	}
	names[count] = NULL;
	return sluice_json_error(node, error, SLUICE_ERR_INVALID, "there is no kind %s of %s%s",
	                         sluice_quote(node->string, quoted), nouns[role],
	                         sluice_suggest_format(node->string, names, meant, sizeof(meant)));
}

enum sluice_status sluice_bridge_read_state(const struct sluice_json *node, bool *enabled,
                                            struct sluice_error *error)
{
	enum sluice_rule_state state = SLUICE_RULE_ENABLED;

	if (node && (node->type != SLUICE_JSON_STRING ||
	             !sluice_rule_state_parse(node->string, &state) || state == SLUICE_RULE_SHADOW))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be \"ENABLED\" or \"DISABLED\"");
	*enabled = state == SLUICE_RULE_ENABLED;
	return SLUICE_OK;
}

/* --- the check of one --- */

/* What a compiler of texts said, told of the node. */
static enum sluice_status told(const struct sluice_json *node, enum sluice_status status,
                               const struct sluice_error *why, struct sluice_error *error)
{
	if (status == SLUICE_OK)
		return status;
	if (status == SLUICE_ERR_NOMEM)
		return sluice_out_of_memory(error);
	return sluice_json_error(node, error, status, "%s", why->message);
}

static enum sluice_status check_text(const struct sluice_json *node, size_t min, size_t max,
                                     struct sluice_error *error)
{
	struct sluice_str text;

	return sluice_member_string(node, min, max ? max : TEXT_MAX, &text, error);
}

static enum sluice_status check_template(const struct sluice_json *node, struct sluice_error *error)
{
	struct sluice_text_template *template;
	struct sluice_error why;
	enum sluice_status status = check_text(node, 0, SLUICE_TRANSFORM_MAX_TEMPLATE, error);

	if (status)
		return status;
	status = sluice_text_template_compile(node->string, &template, &why);
	if (status == SLUICE_OK)
		sluice_text_template_destroy(template);
	return told(node, status, &why, error);
}

static enum sluice_status check_topic(const struct sluice_json *node, struct sluice_error *error)
{
	struct sluice_topic_template *template;
	struct sluice_error why;
	enum sluice_status status = check_text(node, 1, SLUICE_TOPIC_MAX_BYTES, error);

	if (status)
		return status;
	status = sluice_topic_template_compile(node->string, &template, &why);
	if (status == SLUICE_OK)
		sluice_topic_template_destroy(template);
	return told(node, status, &why, error);
}

static enum sluice_status check_choice(const struct sluice_setting *setting,
                                       const struct sluice_json *node, struct sluice_error *error)
{
	char meant[MEANT_SIZE], list[160] = "";
	size_t len = 0;

	if (node->type == SLUICE_JSON_STRING || node->type == SLUICE_JSON_NUMBER) {
		struct sluice_str text =
		        node->type == SLUICE_JSON_STRING ? node->string : node->raw;

		for (size_t i = 0; setting->choices[i]; i++)
			if (sluice_str_equal(text, sluice_str(setting->choices[i])))
				return SLUICE_OK;
	}
	for (size_t i = 0; setting->choices[i] && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s\"%s\"",
		                        i == 0                    ? ""
		                        : setting->choices[i + 1] ? ", "
		                                                  : " or ",
		                        setting->choices[i]);
	return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be %s%s", list,
	                         node->type == SLUICE_JSON_STRING
	                                 ? sluice_suggest_format(node->string, setting->choices,
	                                                         meant, sizeof(meant))
	                                 : "");
}

static enum sluice_status check_path(const struct sluice_json *node, struct sluice_error *error)
{
	static const char *const names[] = { "path", NULL };
	const struct sluice_json *path;
	struct sluice_transform *transform;
	struct sluice_error why;
	enum sluice_status status = sluice_members_read(node, "a parameter", names, &path, error);

	if (status)
		return status;
	if (!path || path->type != SLUICE_JSON_STRING)
		return sluice_json_error(path ? path : node, error, SLUICE_ERR_INVALID,
		                         "a parameter must be a string, or have a \"path\"");
	status = sluice_transform_from_path(path->string, &transform, &why);
	if (status == SLUICE_OK)
		sluice_transform_destroy(transform);
	return told(path, status, &why, error);
}

static enum sluice_status check_parameter(const struct sluice_json *node,
                                          struct sluice_error *error)
{
	return node->type == SLUICE_JSON_OBJECT ? check_path(node, error)
	                                        : check_template(node, error);
}

static enum sluice_status check_body(const struct sluice_json *node, struct sluice_error *error)
{
	struct sluice_transform *transform;
	enum sluice_status status;

	if (node->type != SLUICE_JSON_OBJECT)
		return check_template(node, error);
	status = sluice_transform_from_json(node, &transform, error);
	if (status == SLUICE_OK)
		sluice_transform_destroy(transform);
	return status;
}

static enum sluice_status check_filter(const struct sluice_json *node, struct sluice_error *error)
{
	struct sluice_error why;

	if (node->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be a topic filter");
	if (!sluice_topic_filter_valid(node->string, &why))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "%s", why.message);
	return SLUICE_OK;
}

static enum sluice_status check_word(const struct sluice_json *node, struct sluice_error *error)
{
	return check_text(node, 1, TEXT_MAX, error);
}

static enum sluice_status check_value(const struct sluice_json *node, struct sluice_error *error)
{
	return check_text(node, 0, TEXT_MAX, error);
}

static enum sluice_status check_each(const struct sluice_json *node, enum sluice_json_type type,
                                     enum sluice_status (*check)(const struct sluice_json *,
                                                                 struct sluice_error *),
                                     struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;

	if (node->type != type)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be %s",
		                         type == SLUICE_JSON_ARRAY ? "a list" : "an object");
	for (const struct sluice_json *item = node->first; item && !status; item = item->next)
		status = check(item, error);
	return status;
}

static enum sluice_status check_list(const struct sluice_json *node,
                                     enum sluice_status (*check)(const struct sluice_json *,
                                                                 struct sluice_error *),
                                     struct sluice_error *error)
{
	enum sluice_status status = check_each(node, SLUICE_JSON_ARRAY, check, error);

	if (status == SLUICE_OK && node->count == 0)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must not be empty");
	return status;
}

static enum sluice_status check_limits(const struct sluice_setting *setting,
                                       const struct sluice_json *node, struct sluice_error *error)
{
	const struct sluice_json *found[MAX_SETTINGS];
	enum sluice_status status =
	        sluice_members_read(node, setting->name, setting->choices, found, error);

	for (size_t i = 0; setting->choices[i] && !status; i++) {
		int64_t value;

		status = sluice_member_integer(found[i], setting->min, setting->max, &value, error);
	}
	return status;
}

/* "…://user:password@…", or libpq's "password=…". */
static bool holds_password(struct sluice_str url)
{
	static const struct sluice_str key = { "password", 8 };
	bool in_authority = false, colon = false;

	for (size_t i = 0; i < url.len; i++) {
		char c = url.data[i];
		size_t end = i + key.len;

		if (c == '/') {
			in_authority = i > 1 && url.data[i - 1] == '/' && url.data[i - 2] == ':';
			colon = false;
		} else if (in_authority && c == '@' && colon) {
			return true;
		} else if (c == ':') {
			colon = true;
		}
		if (end >= url.len || memcmp(url.data + i, key.data, key.len) != 0)
			continue;
		while (end < url.len && url.data[end] == ' ')
			end++;
		if (end < url.len && url.data[end] == '=')
			return true;
	}
	return false;
}

/* A setting is shown to whoever may read definitions. */
static enum sluice_status check_no_password(const struct sluice_setting *setting,
                                            const struct sluice_json *node,
                                            struct sluice_error *error)
{
	const struct sluice_json *at = node->type == SLUICE_JSON_ARRAY ? node->first : node;

	if (strcmp(setting->name, "url") != 0 && strcmp(setting->name, "urls") != 0)
		return SLUICE_OK;
	for (; at; at = node->type == SLUICE_JSON_ARRAY ? at->next : NULL)
		if (holds_password(at->string))
			return sluice_json_error(at, error, SLUICE_ERR_INVALID,
			                         "holds a password, which anybody could see: it "
			                         "belongs into a connection's secrets");
	return SLUICE_OK;
}

static enum sluice_status check_setting(const struct sluice_setting *setting,
                                        const struct sluice_json *node, struct sluice_error *error)
{
	int64_t number;
	bool truth;

	switch (setting->type) {
	case SLUICE_SETTING_TEXT:
		return check_text(node, (size_t)setting->min, (size_t)setting->max, error);
	case SLUICE_SETTING_INTEGER:
		return sluice_member_integer(node, setting->min, setting->max, &number, error);
	case SLUICE_SETTING_BOOL:
		return sluice_member_bool(node, &truth, error);
	case SLUICE_SETTING_CHOICE:
		return check_choice(setting, node, error);
	case SLUICE_SETTING_TEXTS:
		return check_list(node, check_word, error);
	case SLUICE_SETTING_MAP:
		return check_each(node, SLUICE_JSON_OBJECT, check_value, error);
	case SLUICE_SETTING_TEMPLATE:
		return check_template(node, error);
	case SLUICE_SETTING_TEMPLATES:
		return check_each(node, SLUICE_JSON_OBJECT, check_template, error);
	case SLUICE_SETTING_PARAMETERS:
		return check_each(node, SLUICE_JSON_ARRAY, check_parameter, error);
	case SLUICE_SETTING_BODY:
		return check_body(node, error);
	case SLUICE_SETTING_TOPIC:
		return check_topic(node, error);
	case SLUICE_SETTING_FILTERS:
		return check_list(node, check_filter, error);
	case SLUICE_SETTING_LIMITS:
		break;
	}
	return check_limits(setting, node, error);
}

/* --- the check of all --- */

static const struct sluice_setting *find_setting(const struct sluice_bridge_kind *kind,
                                                 const char *name)
{
	const struct sluice_setting *setting = kind->settings;

	while (setting->name && strcmp(setting->name, name) != 0)
		setting++;
	assert(setting->name);
	return setting;
}

static enum sluice_status check_need(const struct sluice_setting_need *need,
                                     const struct sluice_bridge_kind *kind,
                                     const struct sluice_json *settings,
                                     const struct sluice_json *where, struct sluice_error *error)
{
	const char *bar = strchr(need->needed, '|');
	char first[SLUICE_NAME_MAX];
	int len = bar ? (int)(bar - need->needed) : (int)strlen(need->needed);
	bool has_first, has_second;

	if (need->setting) {
		const char *const *choices = find_setting(kind, need->setting)->choices;

		if (strcmp(choices[sluice_setting_choice(kind, settings, need->setting)],
		           need->choice) != 0)
			return SLUICE_OK;
	}
	snprintf(first, sizeof(first), "%.*s", len, need->needed);
	has_first = sluice_json_get(settings, first) != NULL;
	has_second = bar && sluice_json_get(settings, bar + 1) != NULL;
	if (has_first != has_second)
		return SLUICE_OK;
	if (bar)
		return sluice_json_error(where, error, SLUICE_ERR_INVALID,
		                         "the settings must have \"%s\" or \"%s\"%s", first,
		                         bar + 1, has_first ? ", not both" : "");
	if (need->setting)
		return sluice_json_error(where, error, SLUICE_ERR_INVALID,
		                         "the settings must have \"%s\" with the %s \"%s\"", first,
		                         need->setting, need->choice);
	return sluice_json_error(where, error, SLUICE_ERR_INVALID, "the settings must have \"%s\"",
	                         first);
}

enum sluice_status sluice_bridge_read_settings(enum sluice_bridge_role role,
                                               const struct sluice_bridge_kind *kind,
                                               const struct sluice_json *where,
                                               const struct sluice_json *node,
                                               const struct sluice_json **settings,
                                               struct sluice_error *error)
{
	static const struct sluice_json empty = { .type = SLUICE_JSON_OBJECT, .raw = { "{}", 2 } };
	const struct sluice_json *found[MAX_SETTINGS];
	const char *names[MAX_SETTINGS + 1] = { NULL };
	char what[SLUICE_NAME_MAX + 16];
	enum sluice_status status = SLUICE_OK;
	size_t count = 0;

	*settings = node ? node : &empty;
	if (node && node->type != SLUICE_JSON_OBJECT)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "settings must be an object");
	for (; kind->settings[count].name; count++) {
		assert(count < MAX_SETTINGS);
		names[count] = kind->settings[count].name;
	}
	snprintf(what, sizeof(what), "the kind \"%s\"", kind->name);
	status = sluice_members_read(*settings, what, names, found, error);
	for (size_t i = 0; i < count && !status; i++) {
		const struct sluice_setting *setting = &kind->settings[i];

		if (found[i]) {
			status = check_setting(setting, found[i], error);
			if (status == SLUICE_OK)
				status = check_no_password(setting, found[i], error);
		} else if (setting->required) {
			status = sluice_json_error(node ? node : where, error, SLUICE_ERR_INVALID,
			                           "the settings must have \"%s\"", setting->name);
		}
	}
	for (const struct sluice_setting_need *need = sluice_setting_needs; need->kind && !status;
	     need++)
		if (need->role == role && strcmp(need->kind, kind->name) == 0)
			status = check_need(need, kind, *settings, node ? node : where, error);
	return status;
}

/* --- writing --- */

void sluice_bridge_write_text(struct sluice_buffer *buf, const char *name, struct sluice_str text)
{
	if (!text.data)
		return;
	sluice_buffer_printf(buf, ",\"%s\":", name);
	sluice_json_write_string(buf, text);
}

void sluice_bridge_write_json(struct sluice_buffer *buf, const char *name,
                              const struct sluice_json *node)
{
	if (!node)
		return;
	sluice_buffer_printf(buf, ",\"%s\":", name);
	sluice_json_write_compact(buf, node->raw);
}

/* --- reading what was checked --- */

const struct sluice_json *sluice_setting_node(const struct sluice_json *settings, const char *name)
{
	return sluice_json_get(settings, name);
}

struct sluice_str sluice_setting_text(const struct sluice_json *settings, const char *name)
{
	const struct sluice_json *node = sluice_json_get(settings, name);

	return node ? node->string : (struct sluice_str){ NULL, 0 };
}

int64_t sluice_setting_integer(const struct sluice_bridge_kind *kind,
                               const struct sluice_json *settings, const char *name)
{
	const struct sluice_setting *setting = find_setting(kind, name);
	int64_t value = setting->otherwise;

	sluice_json_integer(sluice_json_get(settings, name), setting->min, setting->max, &value);
	return value;
}

bool sluice_setting_bool(const struct sluice_bridge_kind *kind, const struct sluice_json *settings,
                         const char *name)
{
	const struct sluice_json *node = sluice_json_get(settings, name);

	return node ? node->type == SLUICE_JSON_TRUE : find_setting(kind, name)->otherwise != 0;
}

int sluice_setting_choice(const struct sluice_bridge_kind *kind, const struct sluice_json *settings,
                          const char *name)
{
	const struct sluice_setting *setting = find_setting(kind, name);
	const struct sluice_json *node = sluice_json_get(settings, name);
	struct sluice_str text = { NULL, 0 };

	if (node)
		text = node->type == SLUICE_JSON_STRING ? node->string : node->raw;
	for (int i = 0; text.data && setting->choices[i]; i++)
		if (sluice_str_equal(text, sluice_str(setting->choices[i])))
			return i;
	return (int)setting->otherwise;
}
