/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* The tokens of JSON, held against reading them byte by byte: every byte at every place of a block, and at every distance
 * from the text's end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lex.h"

enum { LONGEST = 40 };

/* A copy that ends with its block, so that a sanitizer sees what reads past it. */
static unsigned char *copy_of(const unsigned char *text, size_t len)
{
	unsigned char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

/* Where the run of plain characters ends that begins at `from`. */
static size_t plain_end(const unsigned char *text, size_t len, size_t from)
{
	while (from < len && text[from] >= 0x20 && text[from] < 0x80 && text[from] != '"' &&
	       text[from] != '\\')
		from++;
	return from;
}

static size_t digits_end(const unsigned char *text, size_t len, size_t from)
{
	while (from < len && text[from] >= '0' && text[from] <= '9')
		from++;
	return from;
}

static size_t first_of(uint64_t mask)
{
	return mask ? lex_first(mask) : LEX_BLOCK;
}

/* The masks at `from` mark what reading byte by byte finds, or nothing before the block's end. */
static void compare_masks(const unsigned char *text, size_t len, size_t from)
{
	unsigned char *copy = copy_of(text, len);
	const unsigned char *at = copy + from, *end = copy + len;
	size_t plain = plain_end(text, len, from) - from;
	size_t digits = digits_end(text, len, from) - from;

	assert_int_equal(first_of(lex_special_at(at, copy, end)),
	                 plain < LEX_BLOCK ? plain : LEX_BLOCK);
	assert_int_equal(first_of(lex_not_digit_at(at, copy, end)),
	                 digits < LEX_BLOCK ? digits : LEX_BLOCK);
	free(copy);
}

static void test_masks_mark_every_byte_at_every_place(void **state)
{
	static const unsigned char fillers[] = { 'a', '7', '"' };
	unsigned char text[LONGEST];
	(void)state;

	for (size_t filler = 0; filler < sizeof(fillers); filler++)
		for (size_t len = 1; len <= LONGEST; len++)
			for (size_t place = 0; place < len; place++)
				for (int byte = 0; byte < 256; byte += len % 8 ? 13 : 1) {
					memset(text, fillers[filler], len);
					text[place] = (unsigned char)byte;
					compare_masks(text, len, place > 20 ? place - 18 : 0);
					compare_masks(text, len, place);
				}
}

static void test_a_string_ends_where_reading_byte_by_byte_says(void **state)
{
	unsigned char text[LONGEST];
	(void)state;

	for (size_t len = 1; len <= LONGEST; len++)
		for (size_t place = 0; place < len; place++)
			for (int byte = 0; byte < 0x80; byte++) {
				memset(text, 'a', len);
				text[len - 1] = '"';
				text[place] = (unsigned char)byte;
				if (byte == '\\')
					continue;
				unsigned char *copy = copy_of(text, len);
				bool escaped = false;
				const unsigned char *behind =
				        lex_string(copy, copy, copy + len, &escaped);
				size_t end = plain_end(text, len, 0);
				if (end < len && text[end] == '"')
					assert_ptr_equal(behind, copy + end + 1);
				else
					assert_null(behind);
				assert_false(escaped);
				free(copy);
			}
}

/* A number of so many digits, at every place before the text's end. */
static void compare_number(const char *sign, size_t integer, size_t fraction, const char *exponent,
                           size_t behind)
{
	char text[128] = "";
	size_t len = 0;

	len += (size_t)snprintf(text, sizeof(text), "%s%.*s", sign, (int)integer,
	                        "12345678901234567890123456789");
	if (fraction)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ".%.*s", (int)fraction,
		                        "98765432109876543210987654321");
	len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", exponent);
	size_t number_end = len;
	memset(text + len, ']', behind);
	len += behind;
	unsigned char *copy = copy_of((const unsigned char *)text, len);
	struct lex_number number;
	assert_ptr_equal(lex_number(copy, copy, copy + len, &number), copy + number_end);
	assert_int_equal(number.integer, integer);
	assert_int_equal(number.fraction, fraction);
	assert_int_equal(number.exponent, *exponent != '\0');
	free(copy);
}

static void test_a_number_is_told_by_its_digits(void **state)
{
	static const char *const exponents[] = { "", "e5", "E-12", "e+012345678901234567890" };
	(void)state;

	for (size_t i = 0; i < sizeof(exponents) / sizeof(*exponents); i++)
		for (size_t integer = 1; integer < 20; integer++)
			for (size_t fraction = 0; fraction < 20; fraction++)
				for (size_t behind = 0; behind < 20; behind++) {
					compare_number("", integer, fraction, exponents[i], behind);
					compare_number("-", integer, fraction, exponents[i],
					               behind);
				}
}

static void test_what_is_no_number_is_refused(void **state)
{
	static const char *const texts[] = { "-",   "-]",     "01", "-01", "1.",
		                             "1.]", ".5",     "1e", "1e+", "1.e5",
		                             "1e]", "1.5e-]", "00", "--1", "-.5" };
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		for (size_t behind = 0; behind < 20; behind++) {
			char text[64];
			size_t len = strlen(texts[i]);
			memcpy(text, texts[i], len);
			memset(text + len, ' ', behind);
			unsigned char *copy = copy_of((const unsigned char *)text, len + behind);
			struct lex_number number;
			assert_null(lex_number(copy, copy, copy + len + behind, &number));
			free(copy);
		}
}

static void test_four_hex_digits_are_told_from_all_else(void **state)
{
	(void)state;

	for (size_t place = 0; place < 4; place++)
		for (int byte = 0; byte < 256; byte++)
			for (const char *other = "0aF/:@G`g\x7f"; *other; other++) {
				unsigned char text[4];
				memset(text, *other, sizeof(text));
				text[place] = (unsigned char)byte;
				bool expected = true;
				for (size_t i = 0; i < sizeof(text); i++)
					expected &= text[i] &&
					            strchr("0123456789abcdefABCDEF", text[i]);
				assert_int_equal(lex_is_hex4(text), expected);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masks_mark_every_byte_at_every_place),
		cmocka_unit_test(test_a_string_ends_where_reading_byte_by_byte_says),
		cmocka_unit_test(test_a_number_is_told_by_its_digits),
		cmocka_unit_test(test_what_is_no_number_is_refused),
		cmocka_unit_test(test_four_hex_digits_are_told_from_all_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
