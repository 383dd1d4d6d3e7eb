/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "mail_text.h"

#include <stdio.h>
#include <time.h>

#include "sluice/base64.h"
#include "text.h"

enum {
	LINE_MAX_BYTES = 76,
	WORD_BYTES =
	        45, /* of text in an encoded word: "=?UTF-8?B?" and "?=" around 60 characters */
	PLAIN_WORD_MAX = 200, /* of ASCII without a space; a longer one can't be folded */
	ADDRESS_MAX = 254,
};

static const char replacement[] = "\xef\xbf\xbd";

/* The character at the beginning of a text that is not empty; what is no UTF-8 is one byte, and comes
 * out as U+FFFD. */
static struct sluice_str next_character(struct sluice_str text, size_t *taken)
{
	unsigned char c = (unsigned char)text.data[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (len > text.len || sluice_text_utf8_length(sluice_str_of(text.data, len)) != len) {
		*taken = 1;
		return SLUICE_STR(replacement);
	}
	*taken = len;
	return sluice_str_of(text.data, len);
}

static bool is_atom(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool is_address(struct sluice_str text)
{
	size_t at = 0, ats = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '@') {
			at = i;
			ats++;
		} else if (!is_atom(text.data[i]) && !(ats && strchr("[]:", text.data[i]))) {
			return false;
		}
	}
	return ats == 1 && at > 0 && at + 1 < text.len && text.len <= ADDRESS_MAX;
}

static struct sluice_str trim(struct sluice_str text)
{
	while (text.len && text.data[0] == ' ') {
		text.data++;
		text.len--;
	}
	while (text.len && text.data[text.len - 1] == ' ')
		text.len--;
	return text;
}

bool mail_address_read(struct sluice_str text, struct mail_address *address)
{
	text = trim(text);
	*address = (struct mail_address){ .name = SLUICE_STR(""), .address = text };
	if (text.len && text.data[text.len - 1] == '>') {
		const char *open = memchr(text.data, '<', text.len);

		if (!open)
			return false;
		size_t before = (size_t)(open - text.data);
		address->name = trim(sluice_str_of(text.data, before));
		address->address = sluice_str_of(open + 1, text.len - before - 2);
		if (address->name.len > 1 && address->name.data[0] == '"' &&
		    address->name.data[address->name.len - 1] == '"')
			address->name =
			        sluice_str_of(address->name.data + 1, address->name.len - 2);
	}
	for (size_t i = 0; i < address->name.len; i++) {
		unsigned char c = (unsigned char)address->name.data[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return is_address(address->address);
}

static bool is_ascii(struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] >= 0x80)
			return false;
	}
	return true;
}

/* What looks like an encoded word would be read as one. */
static bool is_plain(struct sluice_str text)
{
	size_t word = 0;

	if (!is_ascii(text))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		word = text.data[i] == ' ' ? 0 : word + 1;
		if (word > PLAIN_WORD_MAX ||
		    (text.data[i] == '=' && i + 1 < text.len && text.data[i + 1] == '?'))
			return false;
	}
	return true;
}

/* A line is broken before a space that a word follows: unfolded, it is there again. */
static void write_folded(struct sluice_str text, size_t used, struct sluice_buffer *out)
{
	for (size_t i = 0; i < text.len;) {
		size_t end = i + 1;

		while (end < text.len && text.data[end] != ' ')
			end++;
		bool space = text.data[i] == ' ' && end > i + 1;
		if (space && used > 1 && used + end - i > LINE_MAX_BYTES) {
			sluice_buffer_append_text(out, "\r\n");
			used = 0;
		}
		sluice_buffer_append(out, text.data + i, end - i);
		used += end - i;
		i = end;
	}
}

/* `used` is the length of a header's name, and so at most some 20. */
static void write_words(struct sluice_str text, size_t used, struct sluice_buffer *out)
{
	char word[WORD_BYTES + 4];

	for (bool first = true; text.len; first = false) {
		size_t len = 0, taken;

		/* The first has less room, behind its header's name. */
		size_t room = first ? (64 - used) / 4 * 3 : WORD_BYTES;
		while (text.len) {
			struct sluice_str character = next_character(text, &taken);

			if (len + character.len > room)
				break;
			memcpy(word + len, character.data, character.len);
			len += character.len;
			text.data += taken;
			text.len -= taken;
		}
		sluice_buffer_append_text(out, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		sluice_buffer_append_base64(out, sluice_str_of(word, len));
		sluice_buffer_append_text(out, "?=");
	}
}

void mail_header_text(struct sluice_str text, size_t used, struct sluice_buffer *out)
{
	struct sluice_buffer clean = { 0 };

	sluice_buffer_append_str(&clean, text);
	for (size_t i = 0; i < clean.len; i++) {
		unsigned char c = (unsigned char)clean.data[i];

		if (c < 0x20 || c == 0x7f)
			clean.data[i] = ' ';
	}
	struct sluice_str value = trim(sluice_buffer_str(&clean));
	if (clean.failed)
		out->failed = true;
	else if (is_plain(value))
		write_folded(value, used, out);
	else
		write_words(value, used, out);
	sluice_buffer_finish(&clean);
}

void mail_address_write(struct mail_address address, struct sluice_buffer *out)
{
	if (address.name.len && is_plain(address.name)) {
		sluice_buffer_append_text(out, "\"");
		for (size_t i = 0; i < address.name.len; i++) {
			if (address.name.data[i] == '"' || address.name.data[i] == '\\')
				sluice_buffer_append_text(out, "\\");
			sluice_buffer_append(out, &address.name.data[i], 1);
		}
		sluice_buffer_append_text(out, "\" ");
	} else if (address.name.len) {
		write_words(address.name, strlen("From: "), out);
		sluice_buffer_append_text(out, "\r\n ");
	}
	sluice_buffer_append_text(out, "<");
	sluice_buffer_append_str(out, address.address);
	sluice_buffer_append_text(out, ">");
}

static bool at_line_end(struct sluice_str text, size_t at)
{
	return at == text.len || text.data[at] == '\r' || text.data[at] == '\n';
}

void mail_quoted_printable(struct sluice_str text, struct sluice_buffer *out)
{
	size_t column = 0;

	for (size_t i = 0, taken; i < text.len; i += taken) {
		char c = text.data[i];

		if (c == '\r' || c == '\n') {
			taken = c == '\r' && i + 1 < text.len && text.data[i + 1] == '\n' ? 2 : 1;
			sluice_buffer_append_text(out, "\r\n");
			column = 0;
			continue;
		}
		struct sluice_str character =
		        next_character(sluice_str_of(text.data + i, text.len - i), &taken);
		/* White space at a line's end may get lost on the way. */
		bool blank = (c == ' ' || c == '\t') && !at_line_end(text, i + 1);
		bool plain = blank || (c > ' ' && c < 0x7f && c != '=');
		/* A character's bytes are kept together: no rule, but kinder to whoever reads it. */
		size_t width = plain ? 1 : 3 * character.len;
		if (column + width > LINE_MAX_BYTES - 1) {
			sluice_buffer_append_text(out, "=\r\n");
			column = 0;
		}
		if (plain)
			sluice_buffer_append(out, &c, 1);
		for (size_t j = 0; !plain && j < character.len; j++)
			sluice_buffer_printf(out, "=%02X", (unsigned char)character.data[j]);
		column += width;
	}
	if (column)
		sluice_buffer_append_text(out, "\r\n");
}

/* Not strftime, whose names are the locale's. */
char *mail_date(int64_t time_ms, char buf[MAIL_DATE_SIZE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || tm.tm_year < 0 || tm.tm_year > 8099)
		tm = (struct tm){ .tm_year = 70, .tm_mday = 1, .tm_wday = 4 };
	snprintf(buf, MAIL_DATE_SIZE, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000",
	         days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
	         tm.tm_hour, tm.tm_min, tm.tm_sec);
	return buf;
}
