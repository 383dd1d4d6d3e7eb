/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "signature.h"

#include <stdlib.h>

#include "sluice/base64.h"

enum { SECRETS_MAX = 8, SECRET_BYTES_MAX = 4096, TIME_DIGITS_MAX = 15 };

struct signature {
	enum signature_scheme scheme;
	char *header, *prefix; /* of SIGNATURE_HMAC; prefix may be NULL */
	size_t count;
	struct sluice_str secrets[SECRETS_MAX]; /* in bytes */
	size_t size;
	char bytes[];
};

static const struct {
	const char *name;
	const char *headers[SIGNATURE_PARTS];
} schemes[SIGNATURE_SCHEMES] = {
	[SIGNATURE_STANDARD] = { "standard",
	                         { "webhook-signature", "webhook-timestamp", "webhook-id" } },
	[SIGNATURE_GITHUB] = { "github", { "X-Hub-Signature-256" } },
	[SIGNATURE_STRIPE] = { "stripe", { "Stripe-Signature" } },
	[SIGNATURE_SLACK] = { "slack", { "X-Slack-Signature", "X-Slack-Request-Timestamp" } },
	[SIGNATURE_HMAC] = { "hmac", { NULL } },
};

bool signature_scheme_parse(struct sluice_str name, enum signature_scheme *scheme)
{
	for (size_t i = 0; i < SIGNATURE_SCHEMES; i++) {
		if (sluice_str_equal(name, sluice_str(schemes[i].name))) {
			*scheme = (enum signature_scheme)i;
			return true;
		}
	}
	return false;
}

enum signature_scheme signature_scheme(const struct signature *signature)
{
	return signature->scheme;
}

const char *signature_header(const struct signature *signature, enum signature_part part)
{
	if (signature->scheme == SIGNATURE_HMAC && part == SIGNATURE_PART_SIGNATURE)
		return signature->header;
	return schemes[signature->scheme].headers[part];
}

/* --- texts --- */

/* Takes what stands before the separator, or all, off the text's beginning. */
static struct sluice_str take(struct sluice_str *text, char separator)
{
	const char *end = text->len ? memchr(text->data, separator, text->len) : NULL;
	struct sluice_str first = { text->data, end ? (size_t)(end - text->data) : text->len };
	text->data += first.len + (end != NULL);
	text->len -= first.len + (end != NULL);
	return first;
}

static bool take_prefix(struct sluice_str *text, struct sluice_str prefix)
{
	if (text->len < prefix.len ||
	    (prefix.len > 0 && memcmp(text->data, prefix.data, prefix.len) != 0))
		return false;
	text->data += prefix.len;
	text->len -= prefix.len;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct sluice_str text, unsigned char code[HMAC_BYTES])
{
	if (text.len != 2 * (size_t)HMAC_BYTES)
		return false;
	for (size_t i = 0; i < HMAC_BYTES; i++) {
		int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		code[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool read_base64(struct sluice_str text, unsigned char code[HMAC_BYTES])
{
	char bytes[HMAC_BYTES + 1]; /* what the decoder asks for: its padding stands for one */
	size_t len;
	if (text.len != sluice_base64_length(HMAC_BYTES) ||
	    !sluice_base64_decode(text, bytes, &len) || len != HMAC_BYTES)
		return false;
	memcpy(code, bytes, HMAC_BYTES);
	return true;
}

/* Digits alone, so that what is signed and what is compared are one. */
static bool read_time(struct sluice_str text, int64_t *time_s)
{
	if (text.len == 0 || text.len > TIME_DIGITS_MAX)
		return false;
	*time_s = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		*time_s = *time_s * 10 + (text.data[i] - '0');
	}
	return true;
}

/* --- claims --- */

/* Adds a code, unless there are so many that nobody means it. */
static bool add_code(struct signature_claim *claim, struct sluice_str text,
                     bool (*read)(struct sluice_str, unsigned char *))
{
	if (claim->count == SIGNATURE_CODES_MAX || !read(text, claim->codes[claim->count]))
		return false;
	claim->count++;
	return true;
}

/* "v1,<base64> v1,<base64> v1a,…": of other versions nothing is understood, nor need it be. */
static bool read_standard(const struct sluice_str parts[SIGNATURE_PARTS],
                          struct signature_claim *claim)
{
	struct sluice_str rest = parts[SIGNATURE_PART_SIGNATURE];
	claim->id = parts[SIGNATURE_PART_ID];
	claim->time = parts[SIGNATURE_PART_TIME];
	if (claim->id.len == 0 || claim->id.len > SIGNATURE_ID_MAX)
		return false;
	while (rest.len > 0) {
		struct sluice_str item = take(&rest, ' ');
		if (take_prefix(&item, SLUICE_STR("v1,")))
			add_code(claim, item, read_base64);
	}
	return true;
}

/* "t=1492774577,v1=<hex>,v0=<hex>" */
static bool read_stripe(const struct sluice_str parts[SIGNATURE_PARTS],
                        struct signature_claim *claim)
{
	struct sluice_str rest = parts[SIGNATURE_PART_SIGNATURE];
	while (rest.len > 0) {
		struct sluice_str item = take(&rest, ',');
		if (take_prefix(&item, SLUICE_STR("v1="))) {
			add_code(claim, item, read_hex);
		} else if (take_prefix(&item, SLUICE_STR("t="))) {
			if (claim->time.data)
				return false; /* which of the two? */
			claim->time = item;
		}
	}
	return true;
}

static bool read_one(struct sluice_str text, struct sluice_str prefix,
                     struct signature_claim *claim)
{
	return take_prefix(&text, prefix) && add_code(claim, text, read_hex);
}

static bool read_hmac(const struct signature *signature, struct sluice_str text,
                      struct signature_claim *claim)
{
	return take_prefix(&text, sluice_str(signature->prefix ? signature->prefix : "")) &&
	       (add_code(claim, text, read_hex) || add_code(claim, text, read_base64));
}

bool signature_read(const struct signature *signature,
                    const struct sluice_str parts[SIGNATURE_PARTS], struct signature_claim *claim)
{
	struct sluice_str text = parts[SIGNATURE_PART_SIGNATURE];
	bool timed = true, read = false;
	claim->id = claim->time = (struct sluice_str){ 0 };
	claim->time_s = 0;
	claim->count = 0;
	if (!text.data)
		return false;
	switch (signature->scheme) {
	case SIGNATURE_STANDARD:
		read = read_standard(parts, claim);
		break;
	case SIGNATURE_GITHUB:
		timed = false;
		read = read_one(text, SLUICE_STR("sha256="), claim);
		break;
	case SIGNATURE_STRIPE:
		read = read_stripe(parts, claim);
		break;
	case SIGNATURE_SLACK:
		claim->time = parts[SIGNATURE_PART_TIME];
		read = read_one(text, SLUICE_STR("v0="), claim);
		break;
	case SIGNATURE_HMAC:
		timed = false;
		read = read_hmac(signature, text, claim);
		break;
	case SIGNATURE_SCHEMES:
		break;
	}
	return read && claim->count > 0 && (!timed || read_time(claim->time, &claim->time_s));
}

bool signature_is_fresh(const struct signature_claim *claim, int64_t now_s, int64_t tolerance_s)
{
	if (!claim->time.data)
		return true;
	/* At most fifteen digits, so neither difference can overflow. */
	int64_t age_s = now_s - claim->time_s;
	return age_s <= tolerance_s && -age_s <= tolerance_s;
}

/* What is signed, in parts. */
static size_t signed_parts(const struct signature *signature, const struct signature_claim *claim,
                           struct sluice_str body, struct sluice_str parts[5])
{
	size_t count = 0;
	if (signature->scheme == SIGNATURE_STANDARD) {
		parts[count++] = claim->id;
		parts[count++] = SLUICE_STR(".");
	}
	if (signature->scheme == SIGNATURE_SLACK)
		parts[count++] = SLUICE_STR("v0:");
	if (claim->time.data) {
		parts[count++] = claim->time;
		parts[count++] =
		        signature->scheme == SIGNATURE_SLACK ? SLUICE_STR(":") : SLUICE_STR(".");
	}
	parts[count++] = body;
	return count;
}

bool signature_holds(const struct signature *signature, const struct signature_claim *claim,
                     struct sluice_str body, const unsigned char **code)
{
	struct sluice_str parts[5];
	size_t count = signed_parts(signature, claim, body, parts);
	const unsigned char *found = NULL;
	for (size_t i = 0; i < signature->count; i++) {
		unsigned char right[HMAC_BYTES];
		hmac_sha256(signature->secrets[i], parts, count, right);
		for (size_t k = 0; k < claim->count; k++) {
			const struct sluice_str a = { (const char *)right, sizeof right };
			const struct sluice_str b = { (const char *)claim->codes[k], sizeof right };
			if (hmac_equal(a, b))
				found = claim->codes[k];
		}
		explicit_bzero(right, sizeof right);
	}
	if (code)
		*code = found;
	return found != NULL;
}

/* --- secrets --- */

/* Decodes a secret of Standard Webhooks behind the bytes that are there; padding may be left out. */
static bool decode_secret(struct sluice_str text, char *out, size_t *len)
{
	char padded[SECRET_BYTES_MAX + 4];
	take_prefix(&text, SLUICE_STR("whsec_"));
	if (text.len == 0 || text.len > SECRET_BYTES_MAX)
		return false;
	memcpy(padded, text.data, text.len);
	while (text.len % 4 != 0)
		padded[text.len++] = '=';
	bool done = sluice_base64_decode((struct sluice_str){ padded, text.len }, out, len);
	explicit_bzero(padded, sizeof padded);
	return done && *len > 0;
}

static enum sluice_status add_secret(struct signature *signature, struct sluice_str text,
                                     struct sluice_error *error)
{
	char *out = signature->bytes + signature->size;
	size_t len = text.len;
	if (signature->count == SECRETS_MAX)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "there are more than %d secrets", SECRETS_MAX);
	if (signature->scheme != SIGNATURE_STANDARD)
		memcpy(out, text.data, len);
	else if (!decode_secret(text, out, &len))
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "a secret of \"standard\" must be base64, as a rule with "
		                        "\"whsec_\" before it");
	signature->secrets[signature->count++] = (struct sluice_str){ out, len };
	signature->size += len;
	return SLUICE_OK;
}

static enum sluice_status add_secrets(struct signature *signature, struct sluice_str rest,
                                      struct sluice_error *error)
{
	while (rest.len > 0) {
		struct sluice_str line = take(&rest, '\n');
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		while (line.len > 0) {
			struct sluice_str one =
			        signature->scheme == SIGNATURE_STANDARD ? take(&line, ' ') : line;
			if (signature->scheme != SIGNATURE_STANDARD)
				line.len = 0;
			enum sluice_status status =
			        one.len > 0 ? add_secret(signature, one, error) : SLUICE_OK;
			if (status)
				return status;
		}
	}
	if (signature->count == 0)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "the connection has no secret");
	return SLUICE_OK;
}

/* A copy that ends in NUL; NULL when it is absent. */
static bool copy(struct sluice_str text, char **out)
{
	if (text.data) {
		*out = malloc(text.len + 1);
		if (!*out)
			return false;
		memcpy(*out, text.data, text.len);
		(*out)[text.len] = '\0';
	}
	return true;
}

enum sluice_status signature_create(enum signature_scheme scheme, struct sluice_str secret,
                                    struct sluice_str header, struct sluice_str prefix,
                                    struct signature **signature, struct sluice_error *error)
{
	*signature = NULL;
	if (secret.len > SECRET_BYTES_MAX)
		return sluice_error_set(error, SLUICE_ERR_LIMIT, SIZE_MAX, NULL,
		                        "the secret is longer than %d bytes", SECRET_BYTES_MAX);
	if (scheme == SIGNATURE_HMAC && header.len == 0)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        "\"hmac\" needs a \"header\"");
	/* Decoding takes no more than the text, but for its padding. */
	struct signature *made = calloc(1, sizeof *made + secret.len + 4 * SECRETS_MAX);
	if (!made)
		return sluice_out_of_memory(error);
	made->scheme = scheme;
	enum sluice_status status = SLUICE_OK;
	if (scheme == SIGNATURE_HMAC &&
	    (!copy(header, &made->header) || !copy(prefix, &made->prefix)))
		status = sluice_out_of_memory(error);
	if (!status)
		status = add_secrets(made, secret, error);
	if (status) {
		signature_destroy(made);
		return status;
	}
	*signature = made;
	return SLUICE_OK;
}

void signature_destroy(struct signature *signature)
{
	if (!signature)
		return;
	explicit_bzero(signature->bytes, signature->size);
	free(signature->header);
	free(signature->prefix);
	free(signature);
}
