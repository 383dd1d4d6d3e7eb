/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * A mail of one event or, in digest mode, of many. Nothing here knows of a server. What a template
 * brings from an event comes into a header as encoded text on one line, and into a body in
 * quoted-printable, so that no event can add a header, or end the mail.
 */
#ifndef BRIDGE_SMTP_MAIL_H
#define BRIDGE_SMTP_MAIL_H

#include "delivery.h"
#include "mail_text.h"
#include "sluice/bridge.h"
#include "sluice/text_template.h"

struct mail_settings {
	struct mail_address from;
	struct mail_address *to, *cc, *bcc; /* owned */
	size_t to_count, cc_count, bcc_count;
	struct sluice_text_template *subject, *body; /* owned */
	bool html, digest;
};

/*
 * Reads settings that were checked, and that outlive this.
 *
 * Errors: SLUICE_ERR_INVALID (an address that is none), _NOMEM, and those of text templates.
 */
enum sluice_status mail_settings_init(struct mail_settings *mail,
                                      const struct sluice_bridge_kind *kind,
                                      const struct sluice_json *settings,
                                      struct sluice_error *error);
void mail_settings_finish(struct mail_settings *mail);

/*
 * Appends what the mail says of one event to `text`, behind those before it. The first event's
 * subject is the mail's: `subject` is filled when it is empty.
 *
 * Errors: SLUICE_ERR_NOMEM, _LIMIT (the text's own limit; another event may fit), any other: of this
 * event no mail can be made. What was appended is taken away again.
 */
enum sluice_status mail_append(const struct mail_settings *mail, const struct delivery *delivery,
                               struct sluice_buffer *subject, struct sluice_buffer *text,
                               struct sluice_error *error);

/*
 * Writes the mail, ready to be sent.
 *
 * deliveries	those that were appended; they give its date and its Message-ID, which are the same
 *		when it is written again of the same
 * now_ms	its date when they have none
 *
 * Returns false when out of memory.
 */
bool mail_write(const struct mail_settings *mail, const struct delivery *const *deliveries,
                size_t count, struct sluice_str subject, struct sluice_str text, int64_t now_ms,
                struct sluice_buffer *out);

#endif
