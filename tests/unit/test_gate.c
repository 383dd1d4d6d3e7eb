/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gate.h"

static char admin[] = "admin";
static char *const users[] = { admin };

struct gate_case {
	const char *why;
	struct gate_client client;
	bool admitted; /* under auto */
};

static const struct gate_case cases[] = {
	{ "loopback", { .address = "127.0.0.1" }, true },
	{ "the rest of 127/8", { .address = "127.8.9.10" }, true },
	{ "IPv6 loopback", { .address = "::1" }, true },
	{ "mapped loopback", { .address = "::ffff:127.0.0.1" }, true },
	{ "a unix socket", { .address = "/run/mosquitto.sock" }, true },
	{ "another machine", { .address = "192.168.1.4" }, false },
	{ "another machine, IPv6", { .address = "fe80::1" }, false },
	{ "a mapped address of another machine", { .address = "::ffff:10.0.0.1" }, false },
	{ "a name", { .address = "localhost" }, false },
	{ "looks like loopback", { .address = "127.0.0.1.example" }, false },
	{ "no address", { .address = NULL }, false },
	{ "websockets prove no address", { .address = "127.0.0.1", .websockets = true }, false },
	{ "websockets prove no socket", { .address = "/run/sock", .websockets = true }, false },
	{ "a verified certificate", { .address = "10.0.0.1", .certificate = true }, true },
	{ "a listed user", { .address = "10.0.0.1", .username = "admin" }, true },
	{ "a listed user by websockets",
	  { .address = "10.0.0.1", .username = "admin", .websockets = true },
	  true },
	{ "another user", { .address = "10.0.0.1", .username = "adm" }, false },
	{ "a longer name", { .address = "10.0.0.1", .username = "admin2" }, false },
};

static void test_auto_admits_whom_something_vouches_for(void **state)
{
	const struct options options = { .control_users = (char **)(uintptr_t)users,
		                         .control_user_count = 1 };
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (gate_admits(&options, &cases[i].client) != cases[i].admitted)
			fail_msg("%s: expected %d", cases[i].why, cases[i].admitted);
	}
}

static void test_acl_leaves_it_to_the_broker_and_none_admits_nobody(void **state)
{
	const struct options acl = { .control_access = CONTROL_ACL };
	const struct options none = { .control_access = CONTROL_NONE };
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(gate_admits(&acl, &cases[i].client));
		assert_false(gate_admits(&none, &cases[i].client));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auto_admits_whom_something_vouches_for),
		cmocka_unit_test(test_acl_leaves_it_to_the_broker_and_none_admits_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
