/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sluice/members.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "sluice/rule.h"
#include "sluice/suggest.h"
#include "text.h"

enum { MAX_NAMES = 64, SHOWN = 64 };

bool sluice_name_valid(struct sluice_str name)
{
	if (name.len == 0 || name.len > SLUICE_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

enum sluice_status sluice_members_read(const struct sluice_json *object, const char *what,
                                       const char *const *names, const struct sluice_json **found,
                                       struct sluice_error *error)
{
	char meant[2 * MAX_NAMES];
	size_t count = 0;

	while (names[count])
		found[count++] = NULL;
	assert(count <= MAX_NAMES);
	if (!object)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$",
		                        "%s must be given", what);
	if (object->type != SLUICE_JSON_OBJECT)
		return sluice_json_error(object, error, SLUICE_ERR_INVALID, "%s must be an object",
		                         what);
	for (const struct sluice_json *member = object->first; member; member = member->next) {
		size_t i = 0;

		while (i < count && !sluice_str_equal(member->key, sluice_str(names[i])))
			i++;
		if (i == count)
			return sluice_json_error(
			        member, error, SLUICE_ERR_INVALID, "%s has no member \"%.*s\"%s",
			        what, (int)(member->key.len < SHOWN ? member->key.len : SHOWN),
			        member->key.data,
			        sluice_suggest_format(member->key, names, meant, sizeof(meant)));
		if (found[i])
			return sluice_json_error(member, error, SLUICE_ERR_INVALID,
			                         "the member \"%s\" stands twice", names[i]);
		found[i] = member;
	}
	return SLUICE_OK;
}

enum sluice_status sluice_member_bool(const struct sluice_json *node, bool *value,
                                      struct sluice_error *error)
{
	if (!node)
		return SLUICE_OK;
	if (node->type != SLUICE_JSON_TRUE && node->type != SLUICE_JSON_FALSE)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be true or false");
	*value = node->type == SLUICE_JSON_TRUE;
	return SLUICE_OK;
}

enum sluice_status sluice_member_integer(const struct sluice_json *node, int64_t min, int64_t max,
                                         int64_t *value, struct sluice_error *error)
{
	if (node && !sluice_json_integer(node, min, max, value))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be a whole number from %" PRId64 " to %" PRId64, min,
		                         max);
	return SLUICE_OK;
}

enum sluice_status sluice_member_string(const struct sluice_json *node, size_t min, size_t max,
                                        struct sluice_str *value, struct sluice_error *error)
{
	if (!node)
		return SLUICE_OK;
	if (node->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be a string");
	if (node->string.len < min)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must not be empty");
	if (node->string.len > max)
		return sluice_json_error(node, error, SLUICE_ERR_LIMIT, "is longer than %zu bytes",
		                         max);
	if (sluice_text_utf8_length(node->string) != node->string.len)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "holds half a surrogate pair");
	if (node->string.len && memchr(node->string.data, '\0', node->string.len))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "holds the character U+0000");
	*value = node->string;
	return SLUICE_OK;
}

enum sluice_status sluice_member_name(const struct sluice_json *node, struct sluice_str *value,
                                      struct sluice_error *error)
{
	if (!node)
		return SLUICE_OK;
	if (node->type != SLUICE_JSON_STRING)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID, "must be a string");
	if (!sluice_name_valid(node->string))
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "must be 1 to %d of A-Z a-z 0-9 . _ -", SLUICE_NAME_MAX);
	*value = node->string;
	return SLUICE_OK;
}

enum sluice_status sluice_member_pattern(const struct sluice_json *node,
                                         struct sluice_pattern **pattern,
                                         struct sluice_error *error)
{
	char inner[sizeof(error->place)], outer[sizeof(error->place)];
	enum sluice_status status;

	if (node->type != SLUICE_JSON_OBJECT)
		return sluice_json_error(node, error, SLUICE_ERR_INVALID,
		                         "a pattern must be an object");
	status = sluice_pattern_compile(node->raw, pattern, error);
	/* The pattern's places begin at its own root. */
	if (status && error && status != SLUICE_ERR_NOMEM) {
		memcpy(inner, error->place, sizeof(inner));
		sluice_json_place(node, outer, sizeof(outer));
		size_t len = strlen(outer);
		memcpy(error->place, outer, len);
		snprintf(error->place + len, sizeof(error->place) - len, "%s",
		         inner[0] == '$' ? inner + 1 : "");
	}
	return status;
}
