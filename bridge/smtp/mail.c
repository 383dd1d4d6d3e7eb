/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "mail.h"

#include <stdlib.h>

#include "event_key.h"

enum { SUBJECT_MAX = 2000 };

static enum sluice_status read_address(const struct sluice_json *node, struct mail_address *address,
                                       struct sluice_error *error)
{
	if (mail_address_read(node->string, address))
		return SLUICE_OK;
	return sluice_json_error(node, error, SLUICE_ERR_INVALID,
	                         "this is no mail address: \"name@example.com\" or "
	                         "\"Name <name@example.com>\", the address in ASCII");
}

static enum sluice_status read_addresses(const struct sluice_json *settings, const char *name,
                                         struct mail_address **addresses, size_t *count,
                                         struct sluice_error *error)
{
	const struct sluice_json *list = sluice_setting_node(settings, name);
	enum sluice_status status = SLUICE_OK;

	if (!list || !list->count)
		return SLUICE_OK;
	*addresses = calloc(list->count, sizeof(**addresses));
	if (!*addresses)
		return sluice_out_of_memory(error);
	for (const struct sluice_json *at = list->first; at && !status; at = at->next)
		status = read_address(at, &(*addresses)[(*count)++], error);
	return status;
}

static enum sluice_status compile(const struct sluice_json *settings, const char *name,
                                  const char *otherwise, struct sluice_text_template **tpl,
                                  struct sluice_error *error)
{
	struct sluice_str text = sluice_setting_text(settings, name);

	return sluice_text_template_compile(text.data ? text : sluice_str(otherwise), tpl, error);
}

static const char *usual_body(const struct mail_settings *mail)
{
	if (mail->html)
		return mail->digest ? "<p>{time} {topic}</p>\n<pre>{payload}</pre>"
		                    : "<pre>{payload}</pre>";
	return mail->digest ? "{time} {topic}\n{payload}" : "{payload}";
}

enum sluice_status mail_settings_init(struct mail_settings *mail,
                                      const struct sluice_bridge_kind *kind,
                                      const struct sluice_json *settings,
                                      struct sluice_error *error)
{
	*mail = (struct mail_settings){
		.html = sluice_setting_bool(kind, settings, "html"),
		.digest = sluice_setting_bool(kind, settings, "digest"),
	};
	enum sluice_status status =
	        read_address(sluice_setting_node(settings, "from"), &mail->from, error);
	if (!status)
		status = read_addresses(settings, "to", &mail->to, &mail->to_count, error);
	if (!status)
		status = read_addresses(settings, "cc", &mail->cc, &mail->cc_count, error);
	if (!status)
		status = read_addresses(settings, "bcc", &mail->bcc, &mail->bcc_count, error);
	if (!status)
		status = compile(settings, "subject", "{topic}", &mail->subject, error);
	if (!status)
		status = compile(settings, "body", usual_body(mail), &mail->body, error);
	if (status)
		mail_settings_finish(mail);
	return status;
}

void mail_settings_finish(struct mail_settings *mail)
{
	free(mail->to);
	free(mail->cc);
	free(mail->bcc);
	sluice_text_template_destroy(mail->subject);
	sluice_text_template_destroy(mail->body);
	*mail = (struct mail_settings){ 0 };
}

static enum sluice_status expand(const struct sluice_text_template *tpl,
                                 const struct delivery *delivery, const char *what,
                                 enum sluice_encoding encoding, struct sluice_buffer *out,
                                 struct sluice_error *error)
{
	struct sluice_error cause = { 0 };
	enum sluice_status status =
	        sluice_text_template_expand(tpl, &delivery->vars, encoding, out, &cause);

	if (status)
		return sluice_error_set(error, status, SIZE_MAX, NULL, "%s: %s", what,
		                        cause.message);
	return SLUICE_OK;
}

static void cut(struct sluice_buffer *buf, size_t len)
{
	/* A buffer that failed takes nothing more until it is reset, which would empty it. */
	buf->failed = buf->over_limit = false;
	buf->len = len;
	if (buf->data)
		buf->data[len] = '\0';
}

enum sluice_status mail_append(const struct mail_settings *mail, const struct delivery *delivery,
                               struct sluice_buffer *subject, struct sluice_buffer *text,
                               struct sluice_error *error)
{
	bool first = subject->len == 0;
	size_t before = text->len;
	enum sluice_status status = SLUICE_OK;

	subject->limit = SUBJECT_MAX;
	if (first)
		status = expand(mail->subject, delivery, "subject", SLUICE_ENCODE_LINE, subject,
		                error);
	if (!status) {
		if (before)
			sluice_buffer_append_text(text, mail->html ? "\n<hr>\n" : "\n\n");
		status = expand(mail->body, delivery, "body",
		                mail->html ? SLUICE_ENCODE_HTML : SLUICE_ENCODE_NONE, text, error);
	}
	if (status) {
		cut(text, before);
		if (first)
			sluice_buffer_reset(subject);
	}
	return status;
}

static void write_list(const char *name, const struct mail_address *addresses, size_t count,
                       struct sluice_buffer *out)
{
	for (size_t i = 0; i < count; i++) {
		sluice_buffer_append_text(out, i ? ",\r\n " : name);
		mail_address_write(addresses[i], out);
	}
	if (count)
		sluice_buffer_append_text(out, "\r\n");
}

static void write_subject(struct sluice_str subject, size_t count, struct sluice_buffer *out)
{
	struct sluice_buffer whole = { 0 };

	sluice_buffer_append_str(&whole, subject);
	if (count > 1)
		sluice_buffer_printf(&whole, " (and %zu more)", count - 1);
	sluice_buffer_append_text(out, "Subject: ");
	mail_header_text(sluice_buffer_str(&whole), strlen("Subject: "), out);
	sluice_buffer_append_text(out, "\r\n");
	out->failed |= whole.failed;
	sluice_buffer_finish(&whole);
}

bool mail_write(const struct mail_settings *mail, const struct delivery *const *deliveries,
                size_t count, struct sluice_str subject, struct sluice_str text, int64_t now_ms,
                struct sluice_buffer *out)
{
	const struct sluice_str from = mail->from.address;
	const char *domain = memchr(from.data, '@', from.len);
	char date[MAIL_DATE_SIZE], key[EVENT_KEY_SIZE];
	/* The last event's, and not the time of sending: a mail that is sent again is the same mail. */
	int64_t time_ms = deliveries[count - 1]->vars.time_ms;

	if (!event_key(deliveries, count, key))
		return false;
	sluice_buffer_printf(out, "Date: %s\r\n", mail_date(time_ms > 0 ? time_ms : now_ms, date));
	write_list("From: ", &mail->from, 1, out);
	write_list("To: ", mail->to, mail->to_count, out);
	write_list("Cc: ", mail->cc, mail->cc_count, out);
	write_subject(subject, count, out);
	/* Half of the key is enough to tell mails apart, and fits into a line with a long domain. */
	sluice_buffer_printf(out, "Message-ID: <%.32s@%.*s>\r\n", key,
	                     (int)(from.data + from.len - domain - 1), domain + 1);
	/* RFC 3834: no absence notes in return. */
	sluice_buffer_append_text(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
	sluice_buffer_printf(out,
	                     "Content-Type: text/%s; charset=utf-8\r\n"
	                     "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
	                     mail->html ? "html" : "plain");
	mail_quoted_printable(text, out);
	return !out->failed;
}
