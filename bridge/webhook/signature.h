/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Signatures of webhooks: what a request claims, and whether it holds. All are HMAC-SHA-256 over the
 * body as it came, most with a time, one with an id:
 *
 *	scheme    header                        signed
 *	standard  webhook-signature             id "." time "." body    "v1,<base64>", several
 *	          webhook-id, webhook-timestamp
 *	github    X-Hub-Signature-256           body                    "sha256=<hex>"
 *	stripe    Stripe-Signature              time "." body           "t=<time>,v1=<hex>", several v1
 *	slack     X-Slack-Signature             "v0:" time ":" body     "v0=<hex>"
 *	          X-Slack-Request-Timestamp
 *	hmac      one that the connection names body                    a prefix, hex or base64
 *
 * Headers are anybody's text: reading them takes no memory and a time that grows with their length.
 */
#ifndef BRIDGE_WEBHOOK_SIGNATURE_H
#define BRIDGE_WEBHOOK_SIGNATURE_H

#include <stdbool.h>

#include "../hmac.h"
#include "sluice/types.h"

enum signature_scheme {
	SIGNATURE_STANDARD,
	SIGNATURE_GITHUB,
	SIGNATURE_STRIPE,
	SIGNATURE_SLACK,
	SIGNATURE_HMAC,
	SIGNATURE_SCHEMES,
};

/* "standard", "github" …: false when there is none of that name. */
bool signature_scheme_parse(struct sluice_str name, enum signature_scheme *scheme);

/* The parts of a request that a scheme reads. */
enum signature_part {
	SIGNATURE_PART_SIGNATURE,
	SIGNATURE_PART_TIME,
	SIGNATURE_PART_ID,
	SIGNATURE_PARTS
};

struct signature; /* a scheme and its secrets */

/*
 * secret	one, or several of which any will do, a line each (standard: or separated by blanks). Those
 *		of "standard" are base64, with or without "whsec_"; the others are taken as they are
 * header	hmac: where the signature stands; not looked at otherwise
 * prefix	hmac: what stands before it; may be absent
 *
 * Errors: SLUICE_ERR_INVALID (no secret, one that is no base64; no header), _LIMIT, _NOMEM.
 */
enum sluice_status signature_create(enum signature_scheme scheme, struct sluice_str secret,
                                    struct sluice_str header, struct sluice_str prefix,
                                    struct signature **signature, struct sluice_error *error);
/* Overwrites the secrets and frees. NULL is allowed. */
void signature_destroy(struct signature *signature);

enum signature_scheme signature_scheme(const struct signature *signature);
/* The header that holds a part; NULL when the scheme has none. */
const char *signature_header(const struct signature *signature, enum signature_part part);

enum { SIGNATURE_CODES_MAX = 8, SIGNATURE_ID_MAX = 256 };

/* What a request claims; its texts are the headers' own. */
struct signature_claim {
	struct sluice_str id;   /* absent when the scheme has none */
	struct sluice_str time; /* the same */
	int64_t time_s;
	size_t count; /* at least one; any may be the right one */
	unsigned char codes[SIGNATURE_CODES_MAX][HMAC_BYTES];
};

/* Reads the headers' texts, absent where the request has none. False when they claim nothing. */
bool signature_read(const struct signature *signature,
                    const struct sluice_str parts[SIGNATURE_PARTS], struct signature_claim *claim);

/* Whether its time, if the scheme has one, is within tolerance_s of now. */
bool signature_is_fresh(const struct signature_claim *claim, int64_t now_s, int64_t tolerance_s);

/* Whether the body was signed by who knows a secret: in a time that does not tell how far it is from
 * that. *code gets the one that holds. */
bool signature_holds(const struct signature *signature, const struct signature_claim *claim,
                     struct sluice_str body, const unsigned char **code);

#endif
