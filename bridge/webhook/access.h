/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Who may call a webhook, as its source's connection says: anybody (none, or tls), who shows a secret
 * (basic, bearer, api-key), or who signs with one (signature).
 */
#ifndef BRIDGE_WEBHOOK_ACCESS_H
#define BRIDGE_WEBHOOK_ACCESS_H

#include "../credentials.h"
#include "seen.h"
#include "signature.h"

struct access;

/*
 * NULL with the error: a kind of connection that tells nothing of who calls, a secret that is missing.
 */
struct access *access_create(const struct credentials *credentials, struct sluice_error *error);
/* Overwrites what is secret and frees. NULL is allowed. */
void access_destroy(struct access *access);

/* A header of the request, or an argument of its query; absent when it has none. */
typedef struct sluice_str (*access_lookup_fn)(void *arg, const char *name, bool query);

/* What the headers said, to be held against the body. Its texts are the request's. */
struct access_claim {
	struct signature_claim signature;
};

/* By the headers alone, before anything of the body was read. */
bool access_by_headers(const struct access *access, access_lookup_fn lookup, void *arg,
                       int64_t now_s, int64_t tolerance_s, struct access_claim *claim);
/* By the body too. */
bool access_by_body(const struct access *access, const struct access_claim *claim,
                    struct sluice_str body, unsigned char key[SEEN_KEY_BYTES]);
/* Whether a request has a key, by which it is known when it comes again, and until when it may. */
bool access_has_key(const struct access *access, const struct access_claim *claim,
                    int64_t tolerance_s, int64_t *until_s);

/* The id that the request was signed with; absent when the scheme has none. */
struct sluice_str access_id(const struct access *access, const struct access_claim *claim);
/* The value of WWW-Authenticate that tells how to show a secret; NULL where there is no such. */
const char *access_challenge(const struct access *access);
/* Whether its scheme is that one. */
bool access_is_signed_by(const struct access *access, enum signature_scheme scheme);

#endif
