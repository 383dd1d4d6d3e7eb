/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Signs what is sent, so that whoever gets it knows who sent it: the schemes that the webhook source
 * checks. */
#ifndef BRIDGE_HTTP_SIGN_H
#define BRIDGE_HTTP_SIGN_H

#include "message.h"

struct signer {
	const char *scheme; /* "standard", "github", "stripe", "slack", "hmac" */
	const char *header; /* of "hmac": where the signature goes */
	/* One, or several while they are replaced: a line each, of "standard" with spaces between them, too. */
	const char *secrets;
};

/* Whether its secrets can be used: of "standard" they are base64, as a rule behind "whsec_". */
bool signer_is_valid(const struct signer *signer);

/*
 * Adds the headers to a message. Of several secrets, "standard" and "stripe" make a signature each;
 * the others have no room for it, and the first one counts.
 *
 * id		of the event
 * now_s	since 1970
 *
 * Failure is in the message's `headers.failed`.
 */
void sign(const struct signer *signer, struct sluice_str id, int64_t now_s, struct sluice_str body,
          struct http_message *message);

#endif
