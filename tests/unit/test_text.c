/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "text.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void escapes_are_decoded(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		struct sluice_str decoded;
	} cases[] = {
		{ "", { "", 0 } },
		{ "plain", { "plain", 5 } },
		{ "\\\"\\\\\\/\\b\\f\\n\\r\\t", { "\"\\/\b\f\n\r\t", 8 } },
		{ "a\\u0000b", { "a\0b", 3 } },
		{ "\\u00e4\\u00C4", { "\xc3\xa4\xc3\x84", 4 } },
		{ "\\u20AC", { "\xe2\x82\xac", 3 } },
		{ "\\ud83d\\ude00", { "\xf0\x9f\x98\x80", 4 } },
		{ "\\uDBFF\\uDFFF", { "\xf4\x8f\xbf\xbf", 4 } },
		/* halves stay halves, in WTF-8 */
		{ "\\ud83d", { "\xed\xa0\xbd", 3 } },
		{ "\\ude00\\ud83d", { "\xed\xb8\x80\xed\xa0\xbd", 6 } },
		{ "\\ud83d\\ud83d\\ude00", { "\xed\xa0\xbd\xf0\x9f\x98\x80", 7 } },
		{ "\\ud83dx", { "\xed\xa0\xbdx", 4 } },
		{ "\\ud83d\\\\ude00", { "\xed\xa0\xbd\\ude00", 9 } },
		{ "\\ud83d\\n", { "\xed\xa0\xbd\n", 4 } },
		{ "\\\\u0041", { "\\u0041", 6 } },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sluice_str text = sluice_str(cases[i].text);
		char *out = malloc(text.len + 1); /* an overrun is found by ASan */
		assert_non_null(out);
		struct sluice_str decoded = { out + 1, sluice_text_unescape(text, out + 1) };
		if (!sluice_str_equal(decoded, cases[i].decoded))
			fail_msg("%s: got '%.*s'", cases[i].text, (int)decoded.len, decoded.data);
		free(out);
	}
}

static void utf8_is_what_rfc_3629_says(void **state)
{
	(void)state;
	static const struct {
		struct sluice_str text;
		size_t good;
	} cases[] = {
		{ { "", 0 }, 0 },
		{ { "\0\x7f", 2 }, 2 },
		{ { "12345678\xc2\x80"
		    "2345678",
		    17 },
		  17 },
		{ { "1234567890\xff", 11 }, 10 },
		{ { "\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 14 }, 14 },
		{ { "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8 }, 8 },
		{ { "a\x80", 2 }, 1 },
		{ { "\xc0\x80", 2 }, 0 },
		{ { "\xc1\xbf", 2 }, 0 },
		{ { "\xe0\x9f\xbf", 3 }, 0 },
		{ { "\xed\xa0\x80", 3 }, 0 },
		{ { "\xed\xbf\xbf", 3 }, 0 },
		{ { "\xf0\x8f\xbf\xbf", 4 }, 0 },
		{ { "\xf4\x90\x80\x80", 4 }, 0 },
		{ { "\xf5\x80\x80\x80", 4 }, 0 },
		{ { "\xc3", 1 }, 0 },
		{ { "\xe2\x82", 2 }, 0 },
		{ { "\xf0\x9f\x98", 3 }, 0 },
		{ { "\xc3(", 2 }, 0 },
		{ { "\xe2\x82(", 3 }, 0 },
		{ { "\xf0\x9f\x98(", 4 }, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		if (sluice_text_utf8_length(cases[i].text) != cases[i].good)
			fail_msg("case %zu: got %zu", i, sluice_text_utf8_length(cases[i].text));
}

static void every_code_point_folds_the_same_from_both_ends(void **state)
{
	(void)state;
	size_t folded_count = 0;
	for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
		char bytes[8] = { 'x' };
		size_t size = sluice_text_encode(code_point, bytes + 1);
		struct sluice_str text = { bytes, size + 1 };
		size_t next_length;
		size_t last_length;
		uint32_t next =
		        sluice_text_fold_next((struct sluice_str){ bytes + 1, size }, &next_length);
		uint32_t last = sluice_text_fold_last(text, &last_length);
		if (next != last || next_length != size || last_length != size)
			fail_msg("U+%04X: %u and %u bytes of %u", (unsigned)code_point,
			         (unsigned)next_length, (unsigned)last_length, (unsigned)size);
		if (next != code_point)
			folded_count++;
		/* Folding a folded character changes nothing: so folding is an equivalence. */
		size_t length;
		char again[4];
		size_t again_size = sluice_text_encode(next, again);
		if (sluice_text_fold_next((struct sluice_str){ again, again_size }, &length) !=
		    next)
			fail_msg("U+%04X folds twice", (unsigned)code_point);
	}
	/* Statuses C (1,426 in Unicode 15.0) and S (28) of CaseFolding.txt. */
	assert_int_equal(folded_count, 1454);
}

static void folding_is_simple_and_knows_the_odd_ones(void **state)
{
	(void)state;
	static const uint32_t cases[][2] = {
		{ 'A', 'a' },         { 'Z', 'z' },           { '@', '@' },
		{ '[', '[' },         { 0xc4, 0xe4 },         { 0xd7, 0xd7 },
		{ 0xdf, 0xdf },       { 0x1e9e, 0xdf },       { 0x3a3, 0x3c3 },
		{ 0x3c2, 0x3c3 },     { 0x17f, 's' },         { 0x212a, 'k' },
		{ 0x212b, 0xe5 },     { 0x130, 0x130 },       { 0x131, 0x131 },
		{ 0x23a, 0x2c65 },    { 0x13f8, 0x13f0 },     { 0xab70, 0x13a0 },
		{ 0x10400, 0x10428 }, { 0x1e921, 0x1e943 },   { 0x1e922, 0x1e922 },
		{ 0x101, 0x101 },     { 0x100, 0x101 },       { 0x1f88, 0x1f80 },
		{ 0xd83d, 0xd83d },   { 0x10ffff, 0x10ffff },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char bytes[4];
		size_t length;
		size_t size = sluice_text_encode(cases[i][0], bytes);
		uint32_t folded =
		        sluice_text_fold_next((struct sluice_str){ bytes, size }, &length);
		if (folded != cases[i][1])
			fail_msg("U+%04X: got U+%04X", (unsigned)cases[i][0], (unsigned)folded);
	}
}

static void what_is_no_character_is_bytes_that_equal_none(void **state)
{
	(void)state;
	static const struct sluice_str cases[] = {
		{ "\x80", 1 },          { "\xff", 1 },
		{ "\xc3", 1 },          { "\xe2\x82", 2 },
		{ "\xc0\x80", 2 },      { "\xf4\x90\x80\x80", 4 },
		{ "\xc3(", 2 },         { "\x80\x80\x80\x80", 4 },
		{ "\xf0\x9f\x98(", 4 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t length;
		assert_true(sluice_text_fold_next(cases[i], &length) >= 0x110000);
		assert_int_equal(length, 1);
		char out[16];
		assert_int_equal(sluice_text_fold(cases[i], out), cases[i].len);
		assert_memory_equal(out, cases[i].data, cases[i].len);
		for (struct sluice_str rest = cases[i]; rest.len > 0; rest.len -= length) {
			sluice_text_fold_last(rest, &length);
			assert_int_equal(length, 1);
		}
	}
}

static void text_is_folded_character_by_character(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "" },
		{ "HeLLo 42", "hello 42" },
		{ "STRA\xe1\xba\x9e"
		  "E",
		  "stra\xc3\x9f"
		  "e" },
		{ "\xc8\xba\xc8\xba", "\xe2\xb1\xa5\xe2\xb1\xa5" },
		{ "\xed\xa0\x80X", "\xed\xa0\x80x" },
		{ "\xf0\x90\x90\x80", "\xf0\x90\x90\xa8" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[64];
		struct sluice_str folded = { out, sluice_text_fold(sluice_str(cases[i][0]), out) };
		if (!sluice_str_equal(folded, sluice_str(cases[i][1])))
			fail_msg("%s: got %.*s", cases[i][0], (int)folded.len, folded.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_are_decoded),
		cmocka_unit_test(utf8_is_what_rfc_3629_says),
		cmocka_unit_test(every_code_point_folds_the_same_from_both_ends),
		cmocka_unit_test(folding_is_simple_and_knows_the_odd_ones),
		cmocka_unit_test(what_is_no_character_is_bytes_that_equal_none),
		cmocka_unit_test(text_is_folded_character_by_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
