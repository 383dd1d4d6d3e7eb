/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "expand.h"

#include "sha256.h"

enum { KEY_TEXT_MAX = 65536 };

static enum sluice_status expand(const struct sluice_text_template *tpl,
                                 const struct delivery *delivery, const char *what,
                                 enum sluice_encoding encoding, size_t max,
                                 struct sluice_buffer *out, struct sluice_error *error)
{
	struct sluice_error cause;
	size_t before = out->limit;

	out->limit = out->len + max;
	enum sluice_status status =
	        sluice_text_template_expand(tpl, &delivery->vars, encoding, out, &cause);
	out->limit = before;
	if (status == SLUICE_ERR_NOMEM)
		return sluice_out_of_memory(error);
	if (status)
		return sluice_error_set(error, status, SIZE_MAX, NULL, "%s: %s", what,
		                        cause.message);
	return SLUICE_OK;
}

enum sluice_status aws_expand(const struct sluice_text_template *tpl,
                              const struct delivery *delivery, const char *what, size_t max,
                              struct sluice_buffer *out, struct sluice_error *error)
{
	return expand(tpl, delivery, what, SLUICE_ENCODE_LINE, max, out, error);
}

static bool is_plain(struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	}
	return true;
}

enum sluice_status aws_expand_key(const struct sluice_text_template *tpl,
                                  const struct delivery *delivery, const char *what, size_t max,
                                  struct sluice_buffer *out, struct sluice_error *error)
{
	struct sluice_buffer text = { 0 };
	unsigned char hash[SLUICE_SHA256_BYTES];
	enum sluice_status status =
	        expand(tpl, delivery, what, SLUICE_ENCODE_NONE, KEY_TEXT_MAX, &text, error);

	if (!status && text.len <= max && is_plain(sluice_buffer_str(&text))) {
		sluice_buffer_append_str(out, sluice_buffer_str(&text));
	} else if (!status) {
		sluice_sha256(sluice_buffer_str(&text), hash);
		for (size_t i = 0; i < sizeof(hash); i++)
			sluice_buffer_printf(out, "%02x", hash[i]);
	}
	sluice_buffer_finish(&text);
	return status || !out->failed ? status : sluice_out_of_memory(error);
}
