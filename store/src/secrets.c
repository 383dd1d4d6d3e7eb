/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The secrets of connections: kept when they are put as null, shown as null. */
#include <stdio.h>

#include "internal.h"
#include "sluice/json.h"

enum { SECRETS_MAX_DEPTH = 8 };

static size_t column_of(const char *name)
{
	const struct store_noun *noun = &store_nouns[SLUICE_STORE_CONNECTION];
	size_t at = 0;
	while (strcmp(noun->columns[at].name, name) != 0)
		at++;
	return at;
}

void store_show_secrets(struct sluice_buffer *buf, struct sluice_str text)
{
	struct sluice_json_doc *doc;
	enum sluice_status status =
	        sluice_json_parse(text, SLUICE_JSON_UNIQUE_KEYS, SECRETS_MAX_DEPTH, &doc, NULL);
	/* Not as it stands even when it is broken: a person who mistyped it typed a secret. */
	if (status == SLUICE_OK)
		sluice_bridge_secrets_write(sluice_json_root(doc), buf);
	else if (status == SLUICE_ERR_NOMEM)
		buf->failed = true;
	else
		sluice_buffer_append_text(buf, "null");
	sluice_json_destroy(doc);
}

static bool is_null(const struct sluice_json *node)
{
	return !node || node->type == SLUICE_JSON_NULL;
}

static enum sluice_status merge(struct sluice_store *store, struct sluice_str name,
                                const struct sluice_json *given, const struct sluice_json *stored,
                                struct sluice_buffer *merged, struct sluice_error *error)
{
	const char *before = "{";
	char place[sizeof(error->place)];
	for (const struct sluice_json *secret = given->first; secret; secret = secret->next) {
		const struct sluice_json *value = secret;
		if (is_null(value)) {
			/* Of both objects the names are the table's: plain, and NUL behind none. */
			value = NULL;
			for (const struct sluice_json *old = stored ? stored->first : NULL; old;
			     old = old->next)
				if (sluice_str_equal(old->key, secret->key))
					value = old;
		}
		if (is_null(value)) {
			store_error(store, SLUICE_ERR_INVALID, error,
			            "null keeps the secret \"%.*s\" of the connection \"%.*s\", "
			            "which has none",
			            (int)secret->key.len, secret->key.data, (int)name.len,
			            name.data);
			if (error) {
				snprintf(place, sizeof(place), "$.secrets.%.*s",
				         (int)secret->key.len, secret->key.data);
				memcpy(error->place, place, sizeof(error->place));
			}
			return SLUICE_ERR_INVALID;
		}
		sluice_buffer_append_text(merged, before);
		sluice_json_write_string(merged, secret->key);
		sluice_buffer_append_text(merged, ":");
		sluice_json_write_compact(merged, value->raw);
		before = ",";
	}
	sluice_buffer_append_text(merged, before[0] == '{' ? "{}" : "}");
	return merged->failed ? store_error(store, SLUICE_ERR_NOMEM, error, "out of memory")
	                      : SLUICE_OK;
}

/* The stored secrets, when the row is of the same kind: another kind's are no others' business.
 * They live until the statement moves. */
static int stored_secrets(struct sluice_store *store, const struct store_values *values,
                          sqlite3_stmt **stmt, struct sluice_str *text)
{
	int rc;
	*text = (struct sluice_str){ NULL, 0 };
	*stmt = store_prepare_noun(store, SLUICE_STORE_CONNECTION, NOUN_GET, &rc);
	if (!*stmt)
		return rc;
	rc = store_bind(*stmt, 1, values->list[0].text);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(*stmt);
	if (rc == SQLITE_ROW && sluice_str_equal(store_column(*stmt, (int)column_of("kind")),
	                                         values->list[column_of("kind")].text))
		*text = store_column(*stmt, (int)column_of("secrets"));
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum sluice_status store_keep_secrets(struct sluice_store *store, struct store_values *values,
                                      struct sluice_buffer *merged, struct sluice_error *error)
{
	struct store_value *value = &values->list[column_of("secrets")];
	struct sluice_json_doc *given = NULL, *stored = NULL;
	sqlite3_stmt *stmt = NULL;
	struct sluice_str text;
	enum sluice_status status =
	        sluice_json_parse(value->text, 0, SECRETS_MAX_DEPTH, &given, NULL);
	if (status != SLUICE_OK)
		return store_error(store, status, error, "the secrets can't be read");
	int rc = stored_secrets(store, values, &stmt, &text);
	if (rc == SQLITE_OK && text.data &&
	    sluice_json_parse(text, 0, SECRETS_MAX_DEPTH, &stored, NULL) == SLUICE_ERR_NOMEM)
		rc = SQLITE_NOMEM;
	if (rc == SQLITE_OK)
		status = merge(store, values->list[0].text, sluice_json_root(given),
		               stored ? sluice_json_root(stored) : NULL, merged, error);
	else
		status = store_fault(store, rc, "the connection can't be put", error);
	if (status == SLUICE_OK)
		value->text = sluice_buffer_str(merged);
	sqlite3_reset(stmt);
	sluice_json_destroy(given);
	sluice_json_destroy(stored);
	return status;
}
