/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "kinds.h"

#include <stdlib.h>
#include <time.h>

#include "dialogue.h"
#include "mail.h"
#include "transfer.h"

enum {
	TEXT_MAX = 16 << 20
}; /* bytes of one mail's text: what servers take at most is about this */

struct smtp_outlet {
	struct outlet outlet;
	struct mail_settings mail;
	struct transfer_setup setup;
	const struct credentials *credentials; /* NULL = none, or none that log in */
	char *url, *from, *username;           /* owned; username NULL = none */
	struct curl_slist *recipients;         /* owned */
	long use_ssl;
	struct sending *sendings; /* under way */
};

/* A mail that is under way. */
struct sending {
	struct sending *next, **link; /* in smtp_outlet.sendings */
	struct smtp_outlet *outlet;
	struct transfer *transfer;
	struct dialogue dialogue;
	size_t count;
	struct delivery *deliveries[];
};

static void sending_free(struct sending *sending)
{
	transfer_destroy(sending->transfer); /* before the dialogue, which it calls */
	free(sending);
}

static void end_all(struct sending *sending, enum outcome outcome, const char *reason)
{
	for (size_t i = 0; i < sending->count; i++)
		delivery_done(sending->deliveries[i], outcome, DELIVERY_NO_HINT, "%s", reason);
}

/*
 * A server that refuses says for how long: 4xx for now, 5xx for good (RFC 5321, 4.2.1). Whatever
 * else ends a transfer (no connection, no TLS, no answer) may go well later.
 */
static void judge(const struct sending *sending, struct verdict *verdict)
{
	const struct transfer *transfer = sending->transfer;
	const struct dialogue *heard = &sending->dialogue;

	*verdict = transfer->verdict;
	switch (transfer->result) {
	case CURLE_OK:
		verdict_set(verdict, OUTCOME_DONE, DELIVERY_NO_HINT, "%s", "");
		return;
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_USE_SSL_FAILED:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
		return;
	default:
		break;
	}
	if (!*heard->refusal)
		return;
	verdict_set(verdict, heard->refusal[0] == '5' ? OUTCOME_PERMANENT : OUTCOME_RETRY,
	            DELIVERY_NO_HINT, "%.150s%s%.90s", heard->refusal,
	            *heard->refused ? ", said to " : "", heard->refused);
}

static void on_done(void *arg, struct transfer *transfer)
{
	struct sending *sending = arg;
	struct verdict verdict;

	(void)transfer;
	judge(sending, &verdict);
	*sending->link = sending->next;
	if (sending->next)
		sending->next->link = sending->link;
	end_all(sending, verdict.outcome, verdict.reason);
	sending_free(sending);
}

static bool set_up(struct sending *sending)
{
	struct smtp_outlet *smtp = sending->outlet;
	struct transfer *transfer = sending->transfer;
	CURL *easy = transfer->easy;
	const char *password = credentials_secret(smtp->credentials, "password");
	long response_s = (long)((smtp->setup.timeout_ms + 999) / 1000);

	return transfer_url(transfer, smtp->url) && transfer_upload(transfer) &&
	       curl_easy_setopt(easy, CURLOPT_MAIL_FROM, smtp->from) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, smtp->recipients) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USE_SSL, smtp->use_ssl) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, response_s) == CURLE_OK &&
	       (!smtp->username ||
	        (curl_easy_setopt(easy, CURLOPT_USERNAME, smtp->username) == CURLE_OK &&
	         curl_easy_setopt(easy, CURLOPT_PASSWORD, password ? password : "") == CURLE_OK)) &&
	       dialogue_listen(&sending->dialogue, easy);
}

static bool start(struct sending *sending, struct sluice_str subject, struct sluice_str text)
{
	struct smtp_outlet *smtp = sending->outlet;

	sending->transfer = transfer_create(&smtp->setup);
	if (!sending->transfer ||
	    !mail_write(&smtp->mail, (const struct delivery *const *)sending->deliveries,
	                sending->count, subject, text, (int64_t)time(NULL) * 1000,
	                &sending->transfer->request) ||
	    !set_up(sending) || !transfer_start(sending->transfer, on_done, sending))
		return false;
	sending->next = smtp->sendings;
	sending->link = &smtp->sendings;
	if (sending->next)
		sending->next->link = &sending->next;
	smtp->sendings = sending;
	return true;
}

/* Sends one mail of the first deliveries, all of them in digest mode. Returns how many that were. */
static size_t send_mail(struct smtp_outlet *smtp, struct delivery *const *deliveries, size_t count)
{
	struct sluice_buffer subject = { 0 }, text = { .limit = TEXT_MAX };
	struct sending *sending =
	        calloc(1, sizeof(*sending) + count * sizeof(sending->deliveries[0]));
	size_t taken = 0;

	if (!sending) {
		delivery_done(deliveries[0], OUTCOME_RETRY, DELIVERY_NO_HINT, "out of memory");
		return 1;
	}
	sending->outlet = smtp;
	for (bool full = false; taken < count && !full;) {
		struct delivery *delivery = deliveries[taken];
		struct sluice_error error;
		enum sluice_status status =
		        mail_append(&smtp->mail, delivery, &subject, &text, &error);

		full = status == SLUICE_ERR_LIMIT && sending->count > 0;
		if (!full)
			taken++;
		if (!status)
			sending->deliveries[sending->count++] = delivery;
		else if (!full)
			delivery_done(delivery,
			              status == SLUICE_ERR_NOMEM ? OUTCOME_RETRY
			                                         : OUTCOME_PERMANENT,
			              DELIVERY_NO_HINT, "%s", error.message);
	}
	if (sending->count == 0) {
		sending_free(sending);
	} else if (!start(sending, sluice_buffer_str(&subject), sluice_buffer_str(&text))) {
		end_all(sending, OUTCOME_RETRY, "out of memory");
		sending_free(sending);
	}
	sluice_buffer_finish(&subject);
	sluice_buffer_finish(&text);
	return taken;
}

static void send_deliveries(struct outlet *outlet, struct delivery *const *deliveries, size_t count)
{
	struct smtp_outlet *smtp = (struct smtp_outlet *)outlet;

	for (size_t i = 0; i < count;)
		i += send_mail(smtp, deliveries + i, smtp->mail.digest ? count - i : 1);
}

static void smtp_free(struct smtp_outlet *smtp)
{
	mail_settings_finish(&smtp->mail);
	curl_slist_free_all(smtp->recipients);
	free(smtp->url);
	free(smtp->from);
	free(smtp->username);
	free(smtp);
}

static void close_outlet(struct outlet *outlet)
{
	struct smtp_outlet *smtp = (struct smtp_outlet *)outlet;

	for (struct sending *sending = smtp->sendings, *next; sending; sending = next) {
		next = sending->next;
		end_all(sending, OUTCOME_LET_GO, "");
		sending_free(sending);
	}
	smtp_free(smtp);
}

static char *copy_text(struct sluice_str text, struct sluice_error *error)
{
	char *copy = strndup(text.data, text.len);

	if (!copy)
		sluice_out_of_memory(error);
	return copy;
}

static bool add_recipients(struct smtp_outlet *smtp, const struct mail_address *addresses,
                           size_t count, struct sluice_error *error)
{
	for (size_t i = 0; i < count; i++) {
		char *address = copy_text(addresses[i].address, error);
		struct curl_slist *list =
		        address ? curl_slist_append(smtp->recipients, address) : NULL;

		free(address);
		if (!list) {
			sluice_out_of_memory(error);
			return false;
		}
		smtp->recipients = list;
	}
	return true;
}

/* A user in the URL would be seen by whoever lists targets. */
static bool check_url(const char *text, size_t len, struct sluice_error *error)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *host = NULL;

	if (!url) {
		sluice_out_of_memory(error);
		return false;
	}
	bool good = strlen(text) == len &&
	            curl_url_set(url, CURLUPART_URL, text,
	                         CURLU_NON_SUPPORT_SCHEME | CURLU_DISALLOW_USER) == CURLUE_OK &&
	            curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	            curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	            (strcmp(scheme, "smtp") == 0 || strcmp(scheme, "smtps") == 0);
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(url);
	if (!good)
		sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.settings.url",
		                 "must be smtp://host:port or smtps://host:port, without a user, "
		                 "who is a connection's");
	return good;
}

static bool read_credentials(struct smtp_outlet *smtp, const struct credentials *credentials,
                             struct sluice_error *error)
{
	if (!credentials || credentials_are(credentials, "tls"))
		return true;
	if (!credentials_are(credentials, "basic")) {
		sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.connection",
		                 "an smtp target takes a connection of the kind basic or tls");
		return false;
	}
	smtp->credentials = credentials;
	struct sluice_str username = credentials_setting(credentials, "username");
	smtp->username = copy_text(username.data ? username : SLUICE_STR(""), error);
	return smtp->username != NULL;
}

static bool read_settings(struct smtp_outlet *smtp, const struct outlet_context *context,
                          struct sluice_error *error)
{
	/* In the order of the setting's choices: required, optional, none. */
	static const long levels[] = { CURLUSESSL_ALL, CURLUSESSL_TRY, CURLUSESSL_NONE };
	struct mail_settings *mail = &smtp->mail;
	struct sluice_str url = sluice_setting_text(context->settings, "url");

	if (mail_settings_init(mail, context->kind, context->settings, error) ||
	    transfer_check_files(context->credentials, error))
		return false;
	smtp->use_ssl = levels[sluice_setting_choice(context->kind, context->settings, "starttls")];
	smtp->url = copy_text(url, error);
	smtp->from = copy_text(mail->from.address, error);
	return smtp->url && smtp->from && check_url(smtp->url, url.len, error) &&
	       add_recipients(smtp, mail->to, mail->to_count, error) &&
	       add_recipients(smtp, mail->cc, mail->cc_count, error) &&
	       add_recipients(smtp, mail->bcc, mail->bcc_count, error) &&
	       read_credentials(smtp, context->credentials, error);
}

static struct outlet *open_outlet(const struct outlet_context *context, struct sluice_error *error)
{
	struct smtp_outlet *smtp = calloc(1, sizeof(*smtp));

	if (!smtp) {
		sluice_out_of_memory(error);
		return NULL;
	}
	smtp->outlet.kind = &outlet_smtp;
	smtp->setup = (struct transfer_setup){
		.curl = context->curl,
		.protocols = "smtp,smtps",
		.credentials = context->credentials,
		.timeout_ms = context->delivery->timeout_ms,
	};
	if (!read_settings(smtp, context, error)) {
		smtp_free(smtp);
		return NULL;
	}
	return &smtp->outlet;
}

const struct outlet_kind outlet_smtp = {
	.name = "smtp",
	.open = open_outlet,
	.send = send_deliveries,
	.close = close_outlet,
};
