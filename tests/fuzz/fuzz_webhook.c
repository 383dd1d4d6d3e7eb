/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The headers of signed webhooks, on any bytes: the first says which scheme, then come the texts of the
 * headers, each ended by a NUL. What is read must lie in them; what it claims, written down as the
 * scheme does, is read as the same; and nobody who knows no secret has signed anything.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "sluice/base64.h"
#include "webhook/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool lies_in(struct sluice_str inner, struct sluice_str outer)
{
	return inner.data >= outer.data && inner.len <= outer.len &&
	       (size_t)(inner.data - outer.data) <= outer.len - inner.len;
}

static struct sluice_str take(struct sluice_str *rest)
{
	const char *end = rest->len ? memchr(rest->data, '\0', rest->len) : NULL;
	struct sluice_str first = { rest->data, end ? (size_t)(end - rest->data) : rest->len };
	rest->data += first.len + (end != NULL);
	rest->len -= first.len + (end != NULL);
	return first;
}

static void write_code(struct sluice_buffer *out, enum signature_scheme scheme,
                       const unsigned char *code)
{
	if (scheme == SIGNATURE_STANDARD) {
		sluice_buffer_append_text(out, "v1,");
		sluice_buffer_append_base64(out, sluice_str_of((const char *)code, HMAC_BYTES));
		sluice_buffer_append_text(out, " ");
		return;
	}
	sluice_buffer_append_text(out, scheme == SIGNATURE_GITHUB   ? "sha256="
	                               : scheme == SIGNATURE_STRIPE ? "v1="
	                               : scheme == SIGNATURE_SLACK  ? "v0="
	                                                            : "p ");
	for (size_t i = 0; i < HMAC_BYTES; i++)
		sluice_buffer_printf(out, "%02x", code[i]);
	sluice_buffer_append_text(out, scheme == SIGNATURE_STRIPE ? "," : "");
}

static void check_again(const struct signature *signature, const struct signature_claim *claim)
{
	enum signature_scheme scheme = signature_scheme(signature);
	struct sluice_buffer text = { 0 };
	struct signature_claim again;
	if (scheme == SIGNATURE_STRIPE) {
		sluice_buffer_append_text(&text, "t=");
		sluice_buffer_append_str(&text, claim->time);
		sluice_buffer_append_text(&text, ",");
	}
	for (size_t i = 0; i < claim->count; i++)
		write_code(&text, scheme, claim->codes[i]);
	const struct sluice_str parts[SIGNATURE_PARTS] = { sluice_buffer_str(&text), claim->time,
		                                           claim->id };
	check(signature_read(signature, parts, &again));
	check(again.count == claim->count && again.time_s == claim->time_s);
	check(memcmp(again.codes, claim->codes, claim->count * sizeof claim->codes[0]) == 0);
	sluice_buffer_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signature *signature;
	struct signature_claim claim;
	if (size == 0)
		return 0;
	enum signature_scheme scheme = (enum signature_scheme)(data[0] % SIGNATURE_SCHEMES);
	struct sluice_str rest = { (const char *)data + 1, size - 1 };
	check(signature_create(scheme, SLUICE_STR("whsec_c2VjcmV0"), SLUICE_STR("X-Sig"),
	                       SLUICE_STR("p "), &signature, NULL) == SLUICE_OK);
	struct sluice_str parts[SIGNATURE_PARTS];
	for (size_t i = 0; i < SIGNATURE_PARTS; i++)
		parts[i] = take(&rest);
	if (signature_read(signature, parts, &claim)) {
		check(claim.count > 0 && claim.count <= SIGNATURE_CODES_MAX);
		check(claim.time_s >= 0 && (claim.time.data || claim.time_s == 0));
		check(!claim.id.data || lies_in(claim.id, parts[SIGNATURE_PART_ID]));
		check(!claim.time.data || lies_in(claim.time, parts[SIGNATURE_PART_TIME]) ||
		      lies_in(claim.time, parts[SIGNATURE_PART_SIGNATURE]));
		check(signature_is_fresh(&claim, claim.time_s, 0));
		check(!signature_holds(signature, &claim, rest, NULL));
		check_again(signature, &claim);
	}
	signature_destroy(signature);
	/* A secret is a person's text, which may be anything too. */
	if (signature_create(scheme, rest, SLUICE_STR("h"), (struct sluice_str){ 0 }, &signature,
	                     NULL) == SLUICE_OK)
		signature_destroy(signature);
	return 0;
}
