/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* What is remembered of members: that it is found again does not show in what is matched. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "spelling.h"

enum { MEMBERS = 20 };

/* As the scan has it, with bytes that can be read behind it. */
struct member {
	unsigned char text[2 * SLUICE_SPELLING_TEXT];
	size_t len;
};

static struct member member_of(int object, int number)
{
	struct member member = { { 0 }, 0 };

	member.len = (size_t)snprintf((char *)member.text, sizeof(member.text),
	                              "%c\"k%d_%d\":", number == 0 ? '{' : ',', object, number);
	return member;
}

static void test_the_members_of_an_object_do_not_push_each_other_out(void **state)
{
	static struct sluice_spellings spellings;
	uint16_t links[2] = { 0 };
	(void)state;

	for (int object = 0; object < 1000; object++) {
		sluice_spellings_begin(&spellings, (uint64_t)object + 1);
		uint64_t tag = (uint64_t)spellings.epoch << 32 | 7;
		for (int i = 0; i < MEMBERS; i++) {
			struct member member = member_of(object, i);
			assert_null(sluice_spellings_find(&spellings, links, tag, member.text));
			sluice_spellings_learn(&spellings, links, tag, member.text,
			                       member.text + member.len);
		}
		for (int i = 0; i < MEMBERS; i++) {
			struct member member = member_of(object, i);
			assert_non_null(sluice_spellings_find(&spellings, links, tag, member.text));
		}
	}
}

static void test_what_is_new_takes_the_place_of_what_is_old(void **state)
{
	static struct sluice_spellings spellings;
	uint16_t links[2] = { 0 };
	(void)state;

	sluice_spellings_begin(&spellings, 1);
	uint64_t tag = (uint64_t)spellings.epoch << 32;
	for (int object = 0; object < 1000; object++)
		for (int i = 0; i < MEMBERS; i++) {
			struct member member = member_of(object, i);
			struct sluice_spelling *learned = sluice_spellings_learn(
			        &spellings, links, tag, member.text, member.text + member.len);
			links[0] = links[1] = 0;
			assert_ptr_equal(sluice_spellings_find(&spellings, links, tag, member.text),
			                 learned);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_members_of_an_object_do_not_push_each_other_out),
		cmocka_unit_test(test_what_is_new_takes_the_place_of_what_is_old),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
