/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "bridge_made.h"
#include "oom.h"
#include "smtp/dialogue.h"
#include "smtp/mail.h"

static void test_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *written;
	} cases[] = {
		{ "a@example.com", "<a@example.com>" },
		{ " Ann B. <a+b@example.com>", "\"Ann B.\" <a+b@example.com>" },
		{ "\"B, Ann\" <a@[127.0.0.1]>", "\"B, Ann\" <a@[127.0.0.1]>" },
		{ "A \"x\" \\ <a@b>", "\"A \\\"x\\\" \\\\\" <a@b>" },
		{ "Änne <a@b>", "=?UTF-8?B?w4RubmU=?=\r\n <a@b>" },
		{ "", NULL },
		{ "a", NULL },
		{ "@b", NULL },
		{ "a@", NULL },
		{ "a@b@c", NULL },
		{ "a b@c", NULL },
		{ "ä@b", NULL },
		{ "a@b,c@d", NULL },
		{ "a@b>", NULL },
		{ "<a@b>\r\nRCPT TO:<c@d>", NULL },
		{ "x\r\nBcc: c@d <a@b>", NULL },
		{ "a@b\n", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mail_address address;
		struct sluice_buffer out = { 0 };
		bool read = mail_address_read(sluice_str(cases[i].text), &address);

		if (read != (cases[i].written != NULL))
			fail_msg("\"%s\" is %s", cases[i].text, read ? "taken" : "refused");
		if (!read)
			continue;
		mail_address_write(address, &out);
		assert_string_equal(out.data, cases[i].written);
		sluice_buffer_finish(&out);
	}
}

static void check_lines(struct sluice_str text, size_t used)
{
	size_t line = used;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		assert_true(c < 0x7f && (c >= 0x20 || c == '\r' || c == '\n'));
		line = c == '\n' ? 0 : line + 1;
		assert_true(line <= 79); /* 78 and the CR */
		if (c == '\n')           /* a header goes on */
			assert_true(i > 0 && text.data[i - 1] == '\r' && text.data[i + 1] == ' ');
	}
}

static void test_a_headers_text(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "plain text", "plain text" },
		{ "", "" },
		{ "  a  b  ", "a  b" },
		{ "tab\tand\nnewline", "tab and newline" },
		{ "31.5 °C", "=?UTF-8?B?MzEuNSDCsEM=?=" },
		{ "=?UTF-8?Q?x?=", "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=" },
		{ "\xff", "=?UTF-8?B?77+9?=" },
		{ "0123456789012345678901234567890123456789 "
		  "0123456789012345678901234567890123456789",
		  "0123456789012345678901234567890123456789\r\n "
		  "0123456789012345678901234567890123456789" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_buffer out = { 0 };

		sluice_buffer_append_text(&out, "");
		mail_header_text(sluice_str(cases[i][0]), 9, &out);
		assert_string_equal(out.len ? out.data : "", cases[i][1]);
		check_lines(sluice_buffer_str(&out), 9);
		sluice_buffer_finish(&out);
	}
	/* Long ones of every width of a character stay in their lines, and no character is cut. */
	static const char *const characters[] = { "ä", "€", "😀", "\xe2\x82" };
	for (size_t i = 0; i < sizeof(characters) / sizeof(*characters); i++) {
		struct sluice_buffer text = { 0 }, out = { 0 };

		for (int n = 0; n < 200; n++)
			sluice_buffer_append_text(&text, characters[i]);
		mail_header_text(sluice_buffer_str(&text), 9, &out);
		check_lines(sluice_buffer_str(&out), 9);
		sluice_buffer_finish(&text);
		sluice_buffer_finish(&out);
	}
}

static void test_quoted_printable(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "" },
		{ "a", "a\r\n" },
		{ "a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd\r\n" },
		{ "\n\n", "\r\n\r\n" },
		{ "a=b", "a=3Db\r\n" },
		{ "trailing \nand\t", "trailing=20\r\nand=09\r\n" },
		{ "€", "=E2=82=AC\r\n" },
		{ "\xff", "=EF=BF=BD\r\n" },
		{ ".", ".\r\n" },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789012345",
		  "012345678901234567890123456789012345678901234567890123456789012345678901234=\r\n"
		  "5\r\n" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_buffer out = { 0 };

		mail_quoted_printable(sluice_str(cases[i][0]), &out);
		assert_string_equal(out.len ? out.data : "", cases[i][1]);
		sluice_buffer_finish(&out);
	}
}

static void test_a_date_is_rfc_5322s_in_every_locale(void **state)
{
	(void)state;
	char buf[MAIL_DATE_SIZE];

	assert_string_equal(mail_date(1767323045678, buf), "Fri, 02 Jan 2026 03:04:05 +0000");
	assert_string_equal(mail_date(0, buf), "Thu, 01 Jan 1970 00:00:00 +0000");
	assert_string_equal(mail_date(951782400000, buf), "Tue, 29 Feb 2000 00:00:00 +0000");
	assert_string_equal(mail_date(INT64_MAX, buf), "Thu, 01 Jan 1970 00:00:00 +0000");
}

static const char settings[] = "{\"url\":\"smtp://h\",\"from\":\"Sluice <s@example.com>\","
                               "\"to\":[\"a@example.com\",\"b@example.com\"],\"bcc\":[\"c@d\"],"
                               "\"subject\":\"Ort: {$.s}\",\"body\":\"{$.b}\",\"digest\":true}";

/* The mail of these payloads; NULL when out of memory. The caller frees it. */
static char *write_mail(const struct sluice_bridge_target *target, const char *const *payloads,
                        size_t count)
{
	struct mail_settings mail;
	struct delivery first, second;
	struct delivery *const made[2] = { &first, &second };
	const struct delivery *list[2];
	struct sluice_buffer subject = { 0 }, text = { 0 }, out = { 0 };
	enum sluice_status status = mail_settings_init(&mail, target->kind, target->settings, NULL);

	if (status)
		return NULL;
	for (size_t i = 0; i < count && !status; i++) {
		list[i] = made_delivery(made[i], sluice_str(payloads[i]));
		status = mail_append(&mail, list[i], &subject, &text, NULL);
	}
	bool done = !status && mail_write(&mail, list, count, sluice_buffer_str(&subject),
	                                  sluice_buffer_str(&text), 0, &out);
	char *taken = done ? sluice_buffer_take(&out) : NULL;
	sluice_buffer_finish(&subject);
	sluice_buffer_finish(&text);
	sluice_buffer_finish(&out);
	mail_settings_finish(&mail);
	return taken;
}

static void test_a_mail_of_two_events(void **state)
{
	(void)state;
	static const char *const payloads[] = { "{\"s\":\"Köln\",\"b\":\"eins\"}",
		                                "{\"s\":\"x\",\"b\":\"zwei\\n.\"}" };
	struct sluice_bridge_target *target = made_target("smtp", settings);
	char *mail = write_mail(target, payloads, 2), *again = write_mail(target, payloads, 2),
	     *other = write_mail(target, payloads, 1);

	static const char before[] = "Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n"
	                             "From: \"Sluice\" <s@example.com>\r\n"
	                             "To: <a@example.com>,\r\n <b@example.com>\r\n"
	                             "Subject: =?UTF-8?B?T3J0OiBLw7ZsbiAoYW5kIDEgbW9yZSk=?=\r\n"
	                             "Message-ID: <";
	static const char after[] = "@example.com>\r\n"
	                            "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	                            "Content-Type: text/plain; charset=utf-8\r\n"
	                            "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	                            "eins\r\n\r\nzwei\r\n.\r\n";
	assert_non_null(mail);
	assert_memory_equal(mail, before, strlen(before));
	assert_string_equal(mail + strlen(before) + 32, after);
	assert_string_equal(mail, again);
	assert_memory_not_equal(mail + strlen(before), strstr(other, "Message-ID: <") + 13, 32);
	free(mail);
	free(again);
	free(other);
	sluice_bridge_target_destroy(target);
}

static void test_an_event_that_can_not_be_said_leaves_the_others(void **state)
{
	(void)state;
	struct sluice_bridge_target *target = made_target("smtp", settings);
	struct mail_settings mail;
	struct delivery delivery;
	struct sluice_buffer subject = { 0 }, text = { .limit = 40 };

	assert_int_equal(mail_settings_init(&mail, target->kind, target->settings, NULL),
	                 SLUICE_OK);
	made_delivery(&delivery, SLUICE_STR("{\"s\":\"a\\nb\",\"b\":\"x\"}"));
	assert_int_equal(mail_append(&mail, &delivery, &subject, &text, NULL), SLUICE_ERR_INVALID);
	assert_int_equal(subject.len, 0);
	made_delivery(&delivery, SLUICE_STR("{\"s\":\"a\",\"b\":\"first\"}"));
	assert_int_equal(mail_append(&mail, &delivery, &subject, &text, NULL), SLUICE_OK);
	made_delivery(&delivery, SLUICE_STR("no JSON"));
	assert_int_equal(mail_append(&mail, &delivery, &subject, &text, NULL),
	                 SLUICE_ERR_NOT_FOUND);
	made_delivery(&delivery,
	              SLUICE_STR("{\"b\":\"01234567890123456789012345678901234567890\"}"));
	assert_int_equal(mail_append(&mail, &delivery, &subject, &text, NULL), SLUICE_ERR_LIMIT);
	made_delivery(&delivery, SLUICE_STR("{\"b\":\"last\"}"));
	assert_int_equal(mail_append(&mail, &delivery, &subject, &text, NULL), SLUICE_OK);
	assert_string_equal(subject.data, "Ort: a");
	assert_string_equal(text.data, "first\n\nlast");
	sluice_buffer_finish(&subject);
	sluice_buffer_finish(&text);
	mail_settings_finish(&mail);
	sluice_bridge_target_destroy(target);
}

static void test_a_mail_survives_every_allocation_that_fails(void **state)
{
	(void)state;
	static const char *const payloads[] = { "{\"s\":\"ä\",\"b\":\"eins\"}" };
	struct sluice_bridge_target *target = made_target("smtp", settings);

	for (size_t n = 1;; n++) {
		oom_fail_at(n);
		char *mail = write_mail(target, payloads, 1);
		bool happened = oom_happened();

		assert_true(happened == !mail);
		free(mail);
		if (!happened) {
			assert_true(n > 5);
			break;
		}
	}
	sluice_bridge_target_destroy(target);
}

static void say(struct dialogue *dialogue, const char *line)
{
	curl_infotype type = line[0] == '>' ? CURLINFO_HEADER_OUT : CURLINFO_HEADER_IN;

	dialogue_hear(dialogue, type, line + 1, strlen(line + 1));
}

static void test_a_dialogue_knows_what_was_refused(void **state)
{
	(void)state;
	struct dialogue heard = { 0 };
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	heard.sockets[heard.socket_count++] = ends[0];
	say(&heard, "<220 here\r\n");
	say(&heard, ">EHLO x\r\n");
	say(&heard, "<502 what?\r\n");
	assert_string_equal(heard.refusal, "502 what?");
	say(&heard, ">HELO x\r\n");
	say(&heard, "<250 well\r\n");
	assert_string_equal(heard.refusal, ""); /* there was another way */
	say(&heard, ">AUTH PLAIN c2VjcmV0\r\n");
	say(&heard, "<235 in\r\n");
	say(&heard, ">MAIL FROM:<a@b>\r\n");
	say(&heard, "<250 well\r\n");
	say(&heard, ">RCPT TO:<c@d>\r\n");
	say(&heard, "<550-5.1.1 gone\r\n");
	say(&heard, "<550 5.1.1 long ago\r\n");
	say(&heard, "<");
	say(&heard, "<x");
	say(&heard, ">QUIT\r\n");
	say(&heard, "<221 bye\r\n");
	assert_string_equal(heard.refusal, "550 5.1.1 long ago");
	assert_string_equal(heard.refused, "RCPT TO:<c@d>");
	/* Who would wait for the answer to QUIT finds the end. */
	char byte;
	assert_int_equal(read(ends[0], &byte, 1), 0);
	assert_int_equal(write(ends[0], "x", 1), 1);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_a_headers_text),
		cmocka_unit_test(test_quoted_printable),
		cmocka_unit_test(test_a_date_is_rfc_5322s_in_every_locale),
		cmocka_unit_test(test_a_mail_of_two_events),
		cmocka_unit_test(test_an_event_that_can_not_be_said_leaves_the_others),
		cmocka_unit_test(test_a_mail_survives_every_allocation_that_fails),
		cmocka_unit_test(test_a_dialogue_knows_what_was_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
