/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hmac.h"
#include "sluice/base64.h"

enum { SECRET_MAX = 1024, PARTS_MAX = 5, NUMBER_SIZE = 24 };

struct digest {
	unsigned char code[HMAC_BYTES];
};

static bool is(const struct signer *signer, const char *scheme)
{
	return strcmp(signer->scheme, scheme) == 0;
}

/* The next secret; *at goes behind it. Absent at the end. */
static struct sluice_str next_secret(const struct signer *signer, const char **at)
{
	/* A secret of the other schemes is any text. */
	const char *between = is(signer, "standard") ? " \r\n" : "\r\n";
	*at += strspn(*at, between);
	size_t len = strcspn(*at, between);
	struct sluice_str secret = { len ? *at : NULL, len };
	*at += len;
	return secret;
}

/* A secret of Standard Webhooks into `key`, which has room for SECRET_MAX bytes; padding may be left
 * out. */
static bool decode_secret(struct sluice_str secret, char *key, size_t *len)
{
	static const char prefix[] = "whsec_";
	char padded[SECRET_MAX + 4];
	if (secret.len >= sizeof(prefix) - 1 &&
	    memcmp(secret.data, prefix, sizeof(prefix) - 1) == 0) {
		secret.data += sizeof(prefix) - 1;
		secret.len -= sizeof(prefix) - 1;
	}
	if (secret.len == 0 || secret.len > SECRET_MAX)
		return false;
	memcpy(padded, secret.data, secret.len);
	while (secret.len % 4 != 0)
		padded[secret.len++] = '=';
	bool done = sluice_base64_decode(sluice_str_of(padded, secret.len), key, len) && *len > 0;
	explicit_bzero(padded, sizeof(padded));
	return done;
}

bool signer_is_valid(const struct signer *signer)
{
	const char *at = signer->secrets;
	size_t count = 0;
	for (struct sluice_str secret; (secret = next_secret(signer, &at)).data; count++) {
		char key[SECRET_MAX + 4];
		size_t len;
		bool valid = !is(signer, "standard") || decode_secret(secret, key, &len);
		explicit_bzero(key, sizeof(key));
		if (!valid)
			return false;
	}
	return count > 0;
}

static void append_hex(struct sluice_buffer *out, const struct digest *digest)
{
	for (size_t i = 0; i < HMAC_BYTES; i++)
		sluice_buffer_printf(out, "%02x", digest->code[i]);
}

static struct digest digest_of(struct sluice_str key, const struct sluice_str *parts, size_t count)
{
	struct digest digest;
	hmac_sha256(key, parts, count, digest.code);
	return digest;
}

static struct digest digest_of_first(const struct signer *signer, const struct sluice_str *parts,
                                     size_t count)
{
	const char *at = signer->secrets;
	return digest_of(next_secret(signer, &at), parts, count);
}

/* Standard Webhooks: id.timestamp.payload. */
static void sign_standard(const struct signer *signer, struct sluice_str id, struct sluice_str time,
                          struct sluice_str body, struct http_message *message,
                          struct sluice_buffer *value)
{
	const struct sluice_str parts[] = { id, SLUICE_STR("."), time, SLUICE_STR("."), body };
	const char *at = signer->secrets;
	for (struct sluice_str secret; (secret = next_secret(signer, &at)).data;) {
		char key[SECRET_MAX + 4];
		size_t len;
		if (!decode_secret(secret, key, &len))
			continue; /* signer_is_valid had been asked */
		struct digest digest = digest_of(sluice_str_of(key, len), parts, PARTS_MAX);
		explicit_bzero(key, sizeof(key));
		sluice_buffer_append_text(value, value->len ? " v1," : "v1,");
		sluice_buffer_append_base64(value,
		                            sluice_str_of((const char *)digest.code, HMAC_BYTES));
	}
	http_message_header(message, "webhook-id", id);
	http_message_header(message, "webhook-timestamp", time);
	http_message_header(message, "webhook-signature", sluice_buffer_str(value));
}

static void sign_stripe(const struct signer *signer, struct sluice_str time, struct sluice_str body,
                        struct http_message *message, struct sluice_buffer *value)
{
	const struct sluice_str parts[] = { time, SLUICE_STR("."), body };
	const char *at = signer->secrets;
	sluice_buffer_printf(value, "t=%.*s", (int)time.len, time.data);
	for (struct sluice_str secret; (secret = next_secret(signer, &at)).data;) {
		struct digest digest = digest_of(secret, parts, 3);
		sluice_buffer_append_text(value, ",v1=");
		append_hex(value, &digest);
	}
	http_message_header(message, "Stripe-Signature", sluice_buffer_str(value));
}

static void sign_slack(const struct signer *signer, struct sluice_str time, struct sluice_str body,
                       struct http_message *message, struct sluice_buffer *value)
{
	const struct sluice_str parts[] = { SLUICE_STR("v0:"), time, SLUICE_STR(":"), body };
	struct digest digest = digest_of_first(signer, parts, 4);
	sluice_buffer_append_text(value, "v0=");
	append_hex(value, &digest);
	http_message_header(message, "X-Slack-Request-Timestamp", time);
	http_message_header(message, "X-Slack-Signature", sluice_buffer_str(value));
}

/* GitHub's, and whoever else signs the body alone. */
static void sign_body(const struct signer *signer, struct sluice_str body,
                      struct http_message *message, struct sluice_buffer *value)
{
	struct digest digest = digest_of_first(signer, &body, 1);
	bool github = is(signer, "github");
	sluice_buffer_append_text(value, github ? "sha256=" : "");
	append_hex(value, &digest);
	http_message_header(message, github ? "X-Hub-Signature-256" : signer->header,
	                    sluice_buffer_str(value));
}

void sign(const struct signer *signer, struct sluice_str id, int64_t now_s, struct sluice_str body,
          struct http_message *message)
{
	char number[NUMBER_SIZE];
	struct sluice_buffer value = { 0 };
	snprintf(number, sizeof(number), "%" PRId64, now_s);
	struct sluice_str time = sluice_str(number);
	if (is(signer, "standard"))
		sign_standard(signer, id, time, body, message, &value);
	else if (is(signer, "stripe"))
		sign_stripe(signer, time, body, message, &value);
	else if (is(signer, "slack"))
		sign_slack(signer, time, body, message, &value);
	else
		sign_body(signer, body, message, &value);
	message->headers.failed = message->headers.failed || value.failed;
	sluice_buffer_finish(&value);
}
