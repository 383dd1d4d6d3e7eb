/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "services.h"

#include "sluice/json.h"
#include "sluice/text_template.h"

/* Slack's, Discord's and Telegram's notes have no title: it is the first line. */
static void join(const struct push_note *note, struct sluice_buffer *out)
{
	if (note->title.len > 0) {
		sluice_buffer_append_str(out, note->title);
		sluice_buffer_append_text(out, "\n");
	}
	sluice_buffer_append_str(out, note->message);
}

static void write_member(struct sluice_buffer *out, const char *before, struct sluice_str text)
{
	sluice_buffer_append_text(out, before);
	sluice_json_write_string(out, text);
}

static void write_joined(const struct push_note *note, const char *before,
                         struct sluice_buffer *out)
{
	struct sluice_buffer text = { 0 };
	join(note, &text);
	write_member(out, before, sluice_buffer_str(&text));
	out->failed = out->failed || text.failed;
	sluice_buffer_finish(&text);
}

/* docs.ntfy.sh/publish, "Publish as JSON": priorities 1 to 5. */
static void write_ntfy(const struct push_address *address, const struct push_note *note,
                       struct sluice_buffer *out)
{
	write_member(out, "{\"topic\":", address->name);
	if (note->title.len > 0)
		write_member(out, ",\"title\":", note->title);
	write_member(out, ",\"message\":", note->message);
	if (note->priority > 0)
		sluice_buffer_printf(out, ",\"priority\":%d", (note->priority + 1) / 2);
	sluice_buffer_append_text(out, "}");
}

/* gotify.net/api-docs: priorities 0 to 10. */
static void write_gotify(const struct push_address *address, const struct push_note *note,
                         struct sluice_buffer *out)
{
	(void)address;
	write_member(out, "{\"message\":", note->message);
	if (note->title.len > 0)
		write_member(out, ",\"title\":", note->title);
	if (note->priority > 0)
		sluice_buffer_printf(out, ",\"priority\":%d", note->priority);
	sluice_buffer_append_text(out, "}");
}

/* Slack reads <!channel> and <@user> in a text, unless these three are escaped: no event is to call
 * a whole channel. */
static void escape_slack(struct sluice_str text, struct sluice_buffer *out)
{
	for (size_t i = 0; i < text.len; i++) {
		switch (text.data[i]) {
		case '&':
			sluice_buffer_append_text(out, "&amp;");
			break;
		case '<':
			sluice_buffer_append_text(out, "&lt;");
			break;
		case '>':
			sluice_buffer_append_text(out, "&gt;");
			break;
		default:
			sluice_buffer_append(out, text.data + i, 1);
		}
	}
}

static void write_slack(const struct push_address *address, const struct push_note *note,
                        struct sluice_buffer *out)
{
	struct sluice_buffer plain = { 0 }, escaped = { 0 };
	(void)address;
	join(note, &plain);
	escape_slack(sluice_buffer_str(&plain), &escaped);
	write_member(out, "{\"text\":", sluice_buffer_str(&escaped));
	sluice_buffer_append_text(out, "}");
	out->failed = out->failed || plain.failed || escaped.failed;
	sluice_buffer_finish(&plain);
	sluice_buffer_finish(&escaped);
}

/* The same of Discord: mentions are not looked for. */
static void write_discord(const struct push_address *address, const struct push_note *note,
                          struct sluice_buffer *out)
{
	(void)address;
	write_joined(note, "{\"content\":", out);
	sluice_buffer_append_text(out, ",\"allowed_mentions\":{\"parse\":[]}}");
}

/* core.telegram.org/bots/api, sendMessage: plain text without a parse_mode. */
static void write_telegram(const struct push_address *address, const struct push_note *note,
                           struct sluice_buffer *out)
{
	write_member(out, "{\"chat_id\":", address->chat);
	write_joined(note, ",\"text\":", out);
	if (note->priority > 0 && note->priority <= 3)
		sluice_buffer_append_text(out, ",\"disable_notification\":true");
	sluice_buffer_append_text(out, "}");
}

static void write_field(struct sluice_buffer *out, const char *before, struct sluice_str text)
{
	sluice_buffer_append_text(out, before);
	sluice_encode(text, SLUICE_ENCODE_URL, out);
}

static void write_twilio(const struct push_address *address, const struct push_note *note,
                         struct sluice_buffer *out)
{
	struct sluice_buffer text = { 0 };
	join(note, &text);
	write_field(out, "To=", address->to);
	write_field(out, "&From=", address->from);
	write_field(out, "&Body=", sluice_buffer_str(&text));
	out->failed = out->failed || text.failed;
	sluice_buffer_finish(&text);
}

/* FCM's HTTP v1: a device's token, or a topic. */
static void write_fcm(const struct push_address *address, const struct push_note *note,
                      struct sluice_buffer *out)
{
	if (address->device.data)
		write_member(out, "{\"message\":{\"token\":", address->device);
	else
		write_member(out, "{\"message\":{\"topic\":", address->name);
	write_member(out, ",\"notification\":{\"body\":", note->message);
	if (note->title.len > 0)
		write_member(out, ",\"title\":", note->title);
	sluice_buffer_append_text(out, "}");
	if (note->priority > 0)
		sluice_buffer_printf(out, ",\"android\":{\"priority\":\"%s\"}",
		                     note->priority > 5 ? "high" : "normal");
	sluice_buffer_append_text(out, "}}");
}

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"

static const struct push_service services[] = {
	{ "ntfy", "https://ntfy.sh", "", false, JSON, 4096, write_ntfy },
	{ "gotify", NULL, "/message", false, JSON, 65536, write_gotify },
	{ "slack", "https://hooks.slack.com/services", "/{token}", true, JSON, 40000, write_slack },
	{ "discord", "https://discord.com/api/webhooks", "/{token}", true, JSON, 2000,
	  write_discord },
	{ "telegram", "https://api.telegram.org", "/bot{token}/sendMessage", true, JSON, 4096,
	  write_telegram },
	{ "twilio", "https://api.twilio.com", "/2010-04-01/Accounts/{account}/Messages.json", false,
	  FORM, 1600, write_twilio },
	{ "fcm", "https://fcm.googleapis.com", "/v1/projects/{project}/messages:send", false, JSON,
	  4000, write_fcm },
};

#undef JSON
#undef FORM

const struct push_service *push_service_find(struct sluice_str name)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (sluice_str_equal(sluice_str(services[i].name), name))
			return &services[i];
	}
	return NULL;
}

struct sluice_str push_cut(struct sluice_str text, size_t max)
{
	if (text.len <= max)
		return text;
	/* Not within a character: what follows the cut must begin one. */
	while (max > 0 && ((unsigned char)text.data[max] & 0xc0) == 0x80)
		max--;
	return sluice_str_of(text.data, max);
}
