/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "access.h"

#include <stdlib.h>
#include <strings.h>

#include "sha256.h"
#include "sluice/base64.h"
#include "sluice/buffer.h"

enum kind { ANYBODY, AUTHORIZATION, API_KEY, SIGNED };

struct access {
	enum kind kind;
	const char *challenge;
	const char *word; /* AUTHORIZATION: "Basic ", "Bearer " */
	char *name;       /* API_KEY: of the header, or of the query's argument */
	bool query;
	char *secret; /* what is to be shown */
	struct signature *signature;
};

static enum sluice_status invalid(struct sluice_error *error, const char *message)
{
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "%s", message);
}

static enum sluice_status copy(struct sluice_str text, char **out, struct sluice_error *error)
{
	*out = strndup(text.data, text.len);
	return *out ? SLUICE_OK : sluice_out_of_memory(error);
}

static enum sluice_status read_basic(struct access *access, const struct credentials *credentials,
                                     struct sluice_error *error)
{
	struct sluice_str username = credentials_setting(credentials, "username");
	const char *password = credentials_secret(credentials, "password");
	struct sluice_buffer plain = { 0 }, coded = { 0 };
	enum sluice_status status = SLUICE_OK;
	if (!password)
		return invalid(error, "the connection has no password");
	access->kind = AUTHORIZATION;
	access->word = "Basic ";
	access->challenge = "Basic realm=\"sluice\", charset=\"UTF-8\"";
	sluice_buffer_append_str(&plain, username);
	sluice_buffer_append_text(&plain, ":");
	sluice_buffer_append_text(&plain, password);
	sluice_buffer_append_base64(&coded, sluice_buffer_str(&plain));
	status = plain.failed || coded.failed
	                 ? sluice_out_of_memory(error)
	                 : copy(sluice_buffer_str(&coded), &access->secret, error);
	if (plain.data)
		explicit_bzero(plain.data, plain.capacity);
	if (coded.data)
		explicit_bzero(coded.data, coded.capacity);
	sluice_buffer_finish(&plain);
	sluice_buffer_finish(&coded);
	return status;
}

static enum sluice_status read_bearer(struct access *access, const struct credentials *credentials,
                                      struct sluice_error *error)
{
	const char *token = credentials_secret(credentials, "token");
	if (!token || !token[0])
		return invalid(error, "the connection has no token");
	access->kind = AUTHORIZATION;
	access->word = "Bearer ";
	access->challenge = "Bearer realm=\"sluice\"";
	return copy(sluice_str(token), &access->secret, error);
}

static enum sluice_status read_api_key(struct access *access, const struct credentials *credentials,
                                       struct sluice_error *error)
{
	struct sluice_str header = credentials_setting(credentials, "header");
	struct sluice_str query = credentials_setting(credentials, "query");
	const char *key = credentials_secret(credentials, "key");
	if (!key || !key[0])
		return invalid(error, "the connection has no key");
	access->kind = API_KEY;
	access->query = !header.data;
	if (!header.data && !query.data)
		header = SLUICE_STR("X-API-Key");
	access->query = !header.data;
	enum sluice_status status = copy(access->query ? query : header, &access->name, error);
	return status ? status : copy(sluice_str(key), &access->secret, error);
}

static enum sluice_status read_signature(struct access *access,
                                         const struct credentials *credentials,
                                         struct sluice_error *error)
{
	struct sluice_str name = credentials_setting(credentials, "scheme");
	enum signature_scheme scheme = SIGNATURE_STANDARD;
	access->kind = SIGNED;
	if (name.data && !signature_scheme_parse(name, &scheme))
		return invalid(error, "there is no such scheme of signatures");
	const char *secret = credentials_secret(credentials, "secret");
	return signature_create(scheme, sluice_str(secret ? secret : ""),
	                        credentials_setting(credentials, "header"),
	                        credentials_setting(credentials, "prefix"), &access->signature,
	                        error);
}

struct access *access_create(const struct credentials *credentials, struct sluice_error *error)
{
	struct access *access = calloc(1, sizeof *access);
	enum sluice_status status = SLUICE_OK;
	if (!access) {
		sluice_out_of_memory(error);
		return NULL;
	}
	if (!credentials || credentials_are(credentials, "tls"))
		access->kind = ANYBODY;
	else if (credentials_are(credentials, "basic"))
		status = read_basic(access, credentials, error);
	else if (credentials_are(credentials, "bearer"))
		status = read_bearer(access, credentials, error);
	else if (credentials_are(credentials, "api-key"))
		status = read_api_key(access, credentials, error);
	else if (credentials_are(credentials, "signature"))
		status = read_signature(access, credentials, error);
	else
		status = invalid(error, "a webhook's connection must be of kind signature, basic, "
		                        "bearer, api-key or tls");
	if (status == SLUICE_OK)
		return access;
	access_destroy(access);
	return NULL;
}

void access_destroy(struct access *access)
{
	if (!access)
		return;
	if (access->secret)
		explicit_bzero(access->secret, strlen(access->secret));
	free(access->secret);
	free(access->name);
	signature_destroy(access->signature);
	free(access);
}

/* Hashed first, so that not even its length is told. */
static bool is_secret(struct sluice_str shown, const char *secret)
{
	unsigned char hashes[2][SLUICE_SHA256_BYTES];
	if (!shown.data)
		return false;
	sluice_sha256(shown, hashes[0]);
	sluice_sha256(sluice_str(secret), hashes[1]);
	return hmac_equal((struct sluice_str){ (const char *)hashes[0], SLUICE_SHA256_BYTES },
	                  (struct sluice_str){ (const char *)hashes[1], SLUICE_SHA256_BYTES });
}

static bool shows_authorization(const struct access *access, struct sluice_str value)
{
	size_t word = strlen(access->word);
	/* The scheme's name is case-insensitive: RFC 9110, 11.1. */
	if (value.len < word || strncasecmp(value.data, access->word, word) != 0)
		return false;
	return is_secret((struct sluice_str){ value.data + word, value.len - word },
	                 access->secret);
}

bool access_by_headers(const struct access *access, access_lookup_fn lookup, void *arg,
                       int64_t now_s, int64_t tolerance_s, struct access_claim *claim)
{
	struct sluice_str parts[SIGNATURE_PARTS];
	switch (access->kind) {
	case ANYBODY:
		return true;
	case AUTHORIZATION:
		return shows_authorization(access, lookup(arg, "Authorization", false));
	case API_KEY:
		return is_secret(lookup(arg, access->name, access->query), access->secret);
	case SIGNED:
		for (size_t i = 0; i < SIGNATURE_PARTS; i++) {
			const char *name =
			        signature_header(access->signature, (enum signature_part)i);
			parts[i] = name ? lookup(arg, name, false) : (struct sluice_str){ 0 };
		}
		return signature_read(access->signature, parts, &claim->signature) &&
		       signature_is_fresh(&claim->signature, now_s, tolerance_s);
	}
	return false;
}

bool access_by_body(const struct access *access, const struct access_claim *claim,
                    struct sluice_str body, unsigned char key[SEEN_KEY_BYTES])
{
	const unsigned char *code;
	unsigned char hash[SLUICE_SHA256_BYTES];
	if (access->kind != SIGNED)
		return true;
	if (!signature_holds(access->signature, &claim->signature, body, &code))
		return false;
	/* By its id, or else by its signature, which holds the time and so differs when the sender
	 * means it anew. */
	if (claim->signature.id.data)
		sluice_sha256(claim->signature.id, hash);
	else
		sluice_sha256((struct sluice_str){ (const char *)code, HMAC_BYTES }, hash);
	memcpy(key, hash, SEEN_KEY_BYTES);
	return true;
}

bool access_has_key(const struct access *access, const struct access_claim *claim,
                    int64_t tolerance_s, int64_t *until_s)
{
	if (access->kind != SIGNED || !claim->signature.time.data)
		return false;
	*until_s = claim->signature.time_s + tolerance_s;
	return true;
}

struct sluice_str access_id(const struct access *access, const struct access_claim *claim)
{
	return access->kind == SIGNED ? claim->signature.id : (struct sluice_str){ 0 };
}

const char *access_challenge(const struct access *access)
{
	return access->challenge;
}

bool access_is_signed_by(const struct access *access, enum signature_scheme scheme)
{
	return access->kind == SIGNED && signature_scheme(access->signature) == scheme;
}
