/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "oom.h"
#include "queue_world.h"

static const char alice[] = "alice", bob[] = "bob";

static const struct queue_settings plain = { .visibility_ms = 30000,
	                                     .retention_ms = 345600000,
	                                     .max_in_flight = 100,
	                                     .batch_bytes = 65536 };

static struct queue_numbers numbers[4];

static struct queue *add(struct world *world, const char *name,
                         const struct queue_settings *settings, size_t which)
{
	numbers[which] = (struct queue_numbers){ 0 };
	struct queue *queue =
	        queues_put(&world->queues, sluice_str(name), settings, &numbers[which]);
	assert_non_null(queue);
	world_attach(world, queue);
	return queue;
}

static int set_up(void **state)
{
	struct world *world = malloc(sizeof *world);
	if (!world)
		return 1;
	world_init(world);
	world->queues.hears_subscribe = true; /* no offers, unless a test is about them */
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	world_finish(*state);
	free(*state);
	return 0;
}

static const struct sent *last_sent(const struct world *world)
{
	assert_true(world->sent_count > 0);
	return &world->sent[world->sent_count - 1];
}

static enum queue_answer ack(struct queue *queue, const struct sent *sent)
{
	return queue_ack(queue, &sent->receipt, 0);
}

static void test_a_waiting_worker_gets_a_message_at_once(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_worker(queue, alice, 1);
	assert_int_equal(world->sent_count, 0);
	world_enqueue(world, queue, "one", NULL, 0);
	assert_int_equal(world->sent_count, 1);
	assert_string_equal(last_sent(world)->client, "alice");
	assert_string_equal(last_sent(world)->payload, "one");
	assert_int_equal(last_sent(world)->attempts, 1);
	world_enqueue(world, queue, "two", NULL, 0); /* its credit is spent */
	assert_int_equal(world->sent_count, 1);
	assert_int_equal(ack(queue, &world->sent[0]), QUEUE_DONE);
	assert_int_equal(world->sent_count, 2);
	assert_string_equal(last_sent(world)->payload, "two");
}

static void test_who_takes_more_does_more(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	size_t by_bob = 0;

	world_worker(queue, alice, 1); /* never acknowledges */
	world_worker(queue, bob, 2);
	for (int i = 0; i < 50; i++) {
		world_enqueue(world, queue, "x", NULL, 0);
		for (size_t j = 0; j < world->sent_count; j++) {
			if (strcmp(world->sent[j].client, "bob") == 0)
				ack(queue, &world->sent[j]);
		}
	}
	for (size_t j = 0; j < world->sent_count; j++)
		by_bob += strcmp(world->sent[j].client, "bob") == 0;
	assert_int_equal(by_bob, 49);
	assert_int_equal(world->sent_count, 50);
}

static void test_acknowledging_twice_is_no_error(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	assert_int_equal(ack(queue, &world->sent[0]), QUEUE_DONE);
	assert_int_equal(ack(queue, &world->sent[0]), QUEUE_GONE_BEFORE);
	assert_int_equal(counter_get(&numbers[0].bad_receipts), 0);
	assert_int_equal(counter_get(&numbers[0].acknowledged), 1);
}

static void test_a_receipt_that_was_never_given_is_refused(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	struct receipt guess;

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	guess = world->sent[0].receipt;
	guess.secret[5] ^= 1;
	assert_int_equal(queue_ack(queue, &guess, 0), QUEUE_BAD_RECEIPT);
	guess.id = 99;
	assert_int_equal(queue_ack(queue, &guess, 0), QUEUE_BAD_RECEIPT);
	assert_int_equal(counter_get(&numbers[0].bad_receipts), 2);
	assert_int_equal(counter_get(&numbers[0].in_flight), 1);
}

static void test_a_lease_that_runs_out_is_given_to_another(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	queues_client_gone(&world->queues, alice);
	world_worker(queue, bob, 1);
	world_pass(world, 29999);
	assert_int_equal(world->sent_count, 1); /* alice may still be at it */
	world_pass(world, 1);
	assert_int_equal(world->sent_count, 2);
	assert_string_equal(last_sent(world)->client, "bob");
	assert_int_equal(last_sent(world)->attempts, 2);
	assert_int_equal(ack(queue, &world->sent[0]), QUEUE_BAD_RECEIPT);
	assert_int_equal(ack(queue, &world->sent[1]), QUEUE_DONE);
}

static void test_a_late_acknowledgement_counts_while_nobody_else_has_it(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	queues_client_gone(&world->queues, alice);
	world_pass(world, 60000);
	assert_int_equal(world->sent_count, 1);
	assert_int_equal(ack(queue, &world->sent[0]), QUEUE_DONE);
	world_worker(queue, bob, 1);
	assert_int_equal(world->sent_count, 1);
}

static void test_more_time_is_more_time(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_worker(queue, alice, 2);
	world_enqueue(world, queue, "one", NULL, 0);
	assert_int_equal(queue_extend(queue, &world->sent[0].receipt, 0, 100000), QUEUE_DONE);
	world_pass(world, 99999);
	assert_int_equal(world->sent_count, 1);
	world_pass(world, 1);
	assert_int_equal(world->sent_count, 2);
}

static void test_a_nack_gives_back_at_once_or_after_a_delay(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	queue_nack(queue, &world->sent[0].receipt, 0, 0, sluice_str(NULL));
	assert_int_equal(world->sent_count, 2);
	queue_nack(queue, &world->sent[1].receipt, 0, 500, sluice_str("later"));
	world_pass(world, 499);
	assert_int_equal(world->sent_count, 2);
	assert_int_equal(counter_get(&numbers[0].delayed), 1);
	world_pass(world, 1);
	assert_int_equal(world->sent_count, 3);
	queue_nack(queue, &world->sent[2].receipt, 0, 3600000, sluice_str(NULL));
	assert_int_equal(queue->table.count, 0); /* so long it waits on the disk */
	world_pass(world, 3599999);
	assert_int_equal(world->sent_count, 3);
	world_pass(world, 1);
	assert_int_equal(world->sent_count, 4);
	assert_int_equal(last_sent(world)->attempts, 4);
	assert_int_equal(ack(queue, last_sent(world)), QUEUE_DONE);
	assert_int_equal(counter_get(&numbers[0].delayed), 0);
	assert_int_equal(counter_get(&numbers[0].bytes), 0);
}

static void test_what_fails_too_often_is_a_dead_letter_with_its_reason(void **state)
{
	struct world *world = *state;
	struct queue_settings settings = plain;
	settings.max_receives = 2;
	strcpy(settings.dead_letter, "dead");
	struct queue *queue = add(world, "jobs", &settings, 0);
	struct queue *dead = add(world, "dead", &plain, 1);

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	queue_nack(queue, &world->sent[0].receipt, 0, 0, sluice_str("no \"luck\""));
	queue_nack(queue, &world->sent[1].receipt, 0, 0, sluice_str(NULL));
	assert_int_equal(world->sent_count, 2);
	assert_int_equal(counter_get(&numbers[0].dead), 1);
	assert_int_equal(counter_get(&numbers[0].ready) + counter_get(&numbers[0].in_flight), 0);
	assert_int_equal(counter_get(&numbers[1].ready), 1);
	const struct queued *letter = (const struct queued *)heap_first(&dead->ready);
	assert_non_null(letter);
	assert_true(sluice_str_equal(letter->record.origin, SLUICE_STR("jobs")));
	assert_true(sluice_str_equal(
	        letter->record.error,
	        SLUICE_STR("{\"code\":\"max-receives\",\"message\":\"not acknowledged as often as "
	                   "allowed\",\"queue\":\"jobs\",\"attempts\":2,\"reason\":\"no "
	                   "\\\"luck\\\"\"}")));
	queue_redrive(dead, "", UINT64_MAX);
	world_pass(world, 1);
	assert_int_equal(world->sent_count, 3);
	assert_string_equal(last_sent(world)->payload, "one");
	assert_int_equal(last_sent(world)->attempts, 1);
	assert_int_equal(counter_get(&numbers[1].ready), 0);
}

static void test_a_worker_makes_a_dead_letter_at_once(void **state)
{
	struct world *world = *state;
	struct queue_settings settings = plain;
	strcpy(settings.dead_letter, "dead");
	struct queue *queue = add(world, "jobs", &settings, 0);

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	/* It can't be one yet. */
	queue_reject(queue, &world->sent[0].receipt, 0, 500, sluice_str("no such address"));
	assert_int_equal(counter_get(&numbers[0].dead), 0);
	assert_int_equal(world->sent_count, 1);
	world_pass(world, 500);
	assert_int_equal(world->sent_count, 2);

	struct queue *dead = add(world, "dead", &plain, 1);
	queue_reject(queue, &world->sent[1].receipt, 0, 500, sluice_str("no such address"));
	assert_int_equal(counter_get(&numbers[0].dead), 1);
	const struct queued *letter = (const struct queued *)heap_first(&dead->ready);
	assert_non_null(letter);
	assert_true(sluice_str_equal(
	        letter->record.error,
	        SLUICE_STR("{\"code\":\"rejected\",\"message\":\"its worker says that it can't be "
	                   "done\",\"queue\":\"jobs\",\"attempts\":2,\"reason\":\"no such "
	                   "address\"}")));
}

static void test_a_missing_dead_letter_queue_loses_nothing(void **state)
{
	struct world *world = *state;
	struct queue_settings settings = plain;
	settings.max_receives = 1;
	strcpy(settings.dead_letter, "nowhere");
	struct queue *queue = add(world, "jobs", &settings, 0);

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	queue_nack(queue, &world->sent[0].receipt, 0, 0, sluice_str(NULL));
	assert_int_equal(world->sent_count, 2);
	assert_int_equal(counter_get(&numbers[0].dead), 0);
}

static void test_nothing_that_nobody_saw_is_a_dead_letter(void **state)
{
	struct world *world = *state;
	struct queue_settings settings = plain;
	settings.max_receives = 1;
	strcpy(settings.dead_letter, "dead");
	struct queue *queue = add(world, "jobs", &settings, 0);
	add(world, "dead", &plain, 1);
	world->queues.hears_subscribe = false;

	world_enqueue(world, queue, "one", NULL, 0);
	assert_int_equal(world->sent_count, 1);
	assert_string_equal(last_sent(world)->client, "");
	assert_int_equal(last_sent(world)->attempts, 0);
	for (int i = 0; i < 100; i++)
		world_pass(world, 10000);
	assert_true(world->sent_count > 20);
	assert_int_equal(counter_get(&numbers[0].dead), 0);
	assert_int_equal(last_sent(world)->attempts, 0);
	assert_int_equal(ack(queue, last_sent(world)), QUEUE_DONE);
}

static void test_offers_become_rare_and_flow_once_they_are_acknowledged(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	world->queues.hears_subscribe = false;

	for (int i = 0; i < 50; i++)
		world_enqueue(world, queue, "x", NULL, 0);
	assert_int_equal(world->sent_count, 1);
	for (int i = 0; i < 100; i++)
		world_pass(world, 100);
	assert_int_equal(world->sent_count, 4); /* after 1, 2, 4 s */
	ack(queue, last_sent(world));
	assert_int_equal(world->sent_count, 50);
	assert_int_equal(last_sent(world)->attempts, 1);
}

static void test_a_worker_need_not_wait_for_an_offer_to_nobody(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	world->queues.hears_subscribe = false;

	world_enqueue(world, queue, "one", NULL, 0);
	world_enqueue(world, queue, "two", NULL, 0);
	assert_int_equal(world->sent_count, 1);
	world_worker(queue, alice, 1);
	assert_int_equal(world->sent_count, 2);
	assert_string_equal(last_sent(world)->client, "alice");
	assert_string_equal(last_sent(world)->payload, "one");
	assert_int_equal(counter_get(&numbers[0].ready), 1);
	assert_int_equal(counter_get(&numbers[0].in_flight), 1);
}

static void test_what_a_worker_that_left_acknowledges_tells_of_no_subscriber(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	world->queues.hears_subscribe = false;

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	queues_client_gone(&world->queues, alice);
	assert_int_equal(ack(queue, &world->sent[0]), QUEUE_DONE);
	world_enqueue(world, queue, "two", NULL, 0);
	world_enqueue(world, queue, "three", NULL, 0);
	assert_int_equal(world->sent_count, 2); /* an offer, no flow */
	assert_int_equal(last_sent(world)->attempts, 0);
}

static void test_a_known_subscriber_gets_all_it_may_hold(void **state)
{
	struct world *world = *state;
	struct queue_settings settings = plain;
	settings.max_in_flight = 3;
	struct queue *queue = add(world, "jobs", &settings, 0);

	for (int i = 0; i < 5; i++)
		world_enqueue(world, queue, "x", NULL, 0);
	assert_int_equal(world->sent_count, 0);
	queue_subscription(queue, 1);
	assert_int_equal(world->sent_count, 3);
	ack(queue, &world->sent[1]);
	assert_int_equal(world->sent_count, 4);
	queue_subscription(queue, -1);
	ack(queue, &world->sent[0]);
	assert_int_equal(world->sent_count, 4);
}

static void test_credit_ends_with_its_lease(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	const struct worker_terms terms = {
		.client = alice, .client_id = SLUICE_STR("alice"), .credit = 10, .lease_ms = 5000
	};

	assert_true(queue_worker(queue, &terms));
	world_pass(world, 4999);
	world_enqueue(world, queue, "one", NULL, 0);
	assert_int_equal(world->sent_count, 1);
	world_pass(world, 1);
	world_enqueue(world, queue, "two", NULL, 0);
	assert_int_equal(world->sent_count, 1);
	assert_int_equal(counter_get(&numbers[0].workers), 0);
}

static void test_a_receipt_belongs_to_its_user(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	const struct worker_terms terms = { .client = alice,
		                            .client_id = SLUICE_STR("alice"),
		                            .username = SLUICE_STR("acme"),
		                            .credit = 1 };

	assert_true(queue_worker(queue, &terms));
	world_enqueue(world, queue, "one", NULL, 0);
	assert_int_equal(queue_ack(queue, &world->sent[0].receipt, 0), QUEUE_BAD_RECEIPT);
	assert_int_equal(
	        queue_ack(queue, &world->sent[0].receipt, queues_holder(SLUICE_STR("other"))),
	        QUEUE_BAD_RECEIPT);
	assert_int_equal(
	        queue_ack(queue, &world->sent[0].receipt, queues_holder(SLUICE_STR("acme"))),
	        QUEUE_DONE);
}

static void test_a_batch_has_one_receipt_for_all(void **state)
{
	struct world *world = *state;
	struct queue_settings settings = plain;
	settings.batch_events = 3;
	settings.batch_wait_ms = 1000;
	struct queue *queue = add(world, "jobs", &settings, 0);
	struct receipt all;

	world_worker(queue, alice, 10);
	world_enqueue(world, queue, "1", NULL, 0);
	world_enqueue(world, queue, "2", NULL, 0);
	assert_int_equal(world->sent_count, 0); /* it may still fill */
	world_enqueue(world, queue, "3", NULL, 0);
	assert_int_equal(world->sent_count, 3);
	assert_int_equal(last_sent(world)->count, 3);
	world_enqueue(world, queue, "4", NULL, 0);
	world_pass(world, 1000);
	assert_int_equal(world->sent_count, 4);
	assert_true(receipt_read(sluice_str(world->sent[0].topic_receipt), &all));
	assert_true(all.batch);
	assert_int_equal(queue_ack(queue, &all, 0), QUEUE_DONE);
	assert_int_equal(counter_get(&numbers[0].in_flight), 1);
	assert_int_equal(queue_ack(queue, &all, 0), QUEUE_GONE_BEFORE);
	assert_int_equal(ack(queue, &world->sent[3]), QUEUE_DONE);
	assert_int_equal(counter_get(&numbers[0].in_flight), 0);
}

static void test_a_batch_that_nobody_waits_for_wakes_nobody(void **state)
{
	struct world *world = *state;
	struct queue_settings settings = plain;
	settings.batch_events = 3;
	settings.batch_wait_ms = 1000;
	struct queue *queue = add(world, "jobs", &settings, 0);

	world_enqueue(world, queue, "1", NULL, 0);
	assert_true(queues_tick(&world->queues) == INT64_MAX);
	world_worker(queue, alice, 10);
	assert_true(queues_tick(&world->queues) == world->queues.now_ms + 1000);
	world_pass(world, 1000);
	assert_int_equal(world->sent_count, 1);
}

static void test_a_long_queue_takes_little_memory_and_keeps_its_order(void **state)
{
	enum { MESSAGES = 5000 };
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	char text[16];

	for (int i = 0; i < MESSAGES; i++) {
		snprintf(text, sizeof text, "%d", i);
		world_enqueue(world, queue, text, NULL, 0);
	}
	assert_true(queue->table.count <= QUEUE_WINDOW);
	world_worker(queue, alice, 1);
	for (size_t i = 0; i < MESSAGES; i++) {
		world_answer(world);
		if (world->sent_count <= i)
			world_pass(world, 1);
		assert_true(world->sent_count > i);
		snprintf(text, sizeof text, "%zu", i);
		assert_string_equal(world->sent[i].payload, text);
		assert_int_equal(ack(queue, &world->sent[i]), QUEUE_DONE);
		assert_true(queue->table.count <= QUEUE_WINDOW + 100);
	}
	assert_int_equal(counter_get(&numbers[0].ready), 0);
	assert_int_equal(counter_get(&numbers[0].bytes), 0);
	world_answer(world);
	assert_false(queue->more);
}

static void test_the_old_and_the_surplus_expire(void **state)
{
	struct world *world = *state;
	struct queue_settings settings = plain;
	settings.retention_ms = 60000;
	settings.max_events = 3;
	strcpy(settings.dead_letter, "dead");
	struct queue *queue = add(world, "jobs", &settings, 0);
	add(world, "dead", &plain, 1);

	for (int i = 0; i < 5; i++)
		world_enqueue(world, queue, "x", NULL, 0);
	world_pass(world, 1);
	assert_int_equal(counter_get(&numbers[0].ready), 3);
	assert_int_equal(counter_get(&numbers[0].expired), 2);
	world_pass(world, 60000);
	assert_int_equal(counter_get(&numbers[0].ready), 0);
	assert_int_equal(counter_get(&numbers[1].ready), 5);
}

static void test_a_purge_leaves_nothing(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	size_t left;

	world_worker(queue, alice, 2);
	for (int i = 0; i < 3000; i++)
		world_enqueue(world, queue, "x", NULL, i % 10 == 0 ? 1000 : 0);
	assert_true(queue_purge(queue));
	assert_int_equal(counter_get(&numbers[0].purged), 3000);
	world_answer(world);
	world_pass(world, 100000);
	assert_int_equal(world->sent_count, 2);
	assert_int_equal(queue->table.count, 0);
	free(world_rows(world, "jobs", ROW_READY, 0, &left));
	assert_int_equal(left, 0);
	world_enqueue(world, queue, "new", NULL, 0);
	assert_int_equal(world->sent_count, 3);
}

static void test_a_full_journal_delivers_nothing_and_takes_no_acknowledgement(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_enqueue(world, queue, "one", NULL, 0);
	world->full = true;
	world_worker(queue, alice, 1);
	assert_int_equal(world->sent_count, 0);
	world->full = false;
	world_pass(world, 1);
	assert_int_equal(world->sent_count, 1);
	world->full = true;
	assert_int_equal(ack(queue, &world->sent[0]), QUEUE_NO_ROOM);
	assert_int_equal(queue_nack(queue, &world->sent[0].receipt, 0, 10, sluice_str(NULL)),
	                 QUEUE_NO_ROOM);
	world->full = false;
	assert_int_equal(ack(queue, &world->sent[0]), QUEUE_DONE);
}

static void test_who_waits_while_the_journal_is_full_is_served_without_a_push(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_enqueue(world, queue, "one", NULL, 0);
	queue_tick(queue);
	assert_int_equal(queue_next_ms(queue), INT64_MAX);
	world->full = true;
	world_worker(queue, alice, 1);
	assert_int_equal(world->sent_count, 0);
	assert_int_equal(queue_next_ms(queue), world->queues.now_ms + QUEUE_RETRY_MS);
	world->full = false;
	world_pass(world, QUEUE_RETRY_MS);
	assert_int_equal(world->sent_count, 1);
}

static void test_a_queue_whose_consumer_is_away_asks_for_no_ticks(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	for (size_t i = 0; i < QUEUE_WINDOW + 10; i++)
		world_enqueue(world, queue, "one", NULL, 0);
	queue_tick(queue);
	assert_true(queue->more);
	assert_int_equal(queue_next_ms(queue), INT64_MAX);
}

static void test_a_restart_keeps_leases_and_their_receipts(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);
	struct sent held;

	world_worker(queue, alice, 2);
	for (int i = 0; i < 4; i++)
		world_enqueue(world, queue, "x", NULL, 0);
	queue_nack(queue, &world->sent[1].receipt, 0, 5000, sluice_str(NULL));
	held = world->sent[0];
	queues_finish(&world->queues);
	uint64_t last_id = world->queues.last_id;
	int64_t real_ms = world->queues.real_ms;
	world->load_asked = NULL;
	world_init_queues(world);
	queues_set_time(&world->queues, 50, real_ms + 1000); /* another boot, so another clock */
	world->queues.last_id = last_id;
	world->queues.hears_subscribe = true;
	queue = add(world, "jobs", &plain, 0);
	assert_int_equal(counter_get(&numbers[0].in_flight), 2);
	assert_int_equal(counter_get(&numbers[0].delayed), 1);
	assert_int_equal(counter_get(&numbers[0].ready), 1);
	assert_int_equal(ack(queue, &held), QUEUE_DONE);
	world_worker(queue, bob, 10);
	world_answer(world);
	assert_int_equal(world->sent_count, 4);
	world_pass(world, 4000);
	assert_int_equal(world->sent_count, 5);
	assert_int_equal(last_sent(world)->attempts, 2);
	world_pass(world, 25000);
	assert_int_equal(world->sent_count, 6);
}

static void test_a_clock_that_was_set_back_holds_nothing_for_ever(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_worker(queue, alice, 1);
	world_enqueue(world, queue, "one", NULL, 0);
	queues_finish(&world->queues);
	int64_t real_ms = world->queues.real_ms;
	world_init_queues(world);
	queues_set_time(&world->queues, 50, real_ms - 86400000);
	world->queues.last_id = 1;
	world->queues.hears_subscribe = true;
	queue = add(world, "jobs", &plain, 0);
	world_worker(queue, bob, 1);
	world_pass(world, 30000);
	assert_int_equal(world->sent_count, 2);
}

static void test_without_memory_messages_wait_on_the_disk(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &plain, 0);

	world_worker(queue, alice, 1);
	for (size_t n = 1; n < 20; n++) {
		struct sluice_record record = { .kind = SLUICE_RECORD_ENQUEUE,
			                        .queue = SLUICE_STR("jobs"),
			                        .id = queues_next_id(&world->queues),
			                        .payload = SLUICE_STR("x"),
			                        .enqueued_ms = world->queues.real_ms };
		world_apply(world, &record);
		oom_fail_at(n);
		queue_accept(queue, &record);
		queue_dispatch(queue);
		oom_happened();
		for (int i = 0; i < 3; i++) {
			world_answer(world);
			world_pass(world, QUEUE_RETRY_MS);
		}
		assert_int_equal(world->sent_count, n);
		assert_int_equal(last_sent(world)->id, n);
		assert_int_equal(ack(queue, last_sent(world)), QUEUE_DONE);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_waiting_worker_gets_a_message_at_once),
		TEST(test_who_takes_more_does_more),
		TEST(test_acknowledging_twice_is_no_error),
		TEST(test_a_receipt_that_was_never_given_is_refused),
		TEST(test_a_lease_that_runs_out_is_given_to_another),
		TEST(test_a_late_acknowledgement_counts_while_nobody_else_has_it),
		TEST(test_more_time_is_more_time),
		TEST(test_a_nack_gives_back_at_once_or_after_a_delay),
		TEST(test_a_worker_makes_a_dead_letter_at_once),
		TEST(test_what_fails_too_often_is_a_dead_letter_with_its_reason),
		TEST(test_a_missing_dead_letter_queue_loses_nothing),
		TEST(test_nothing_that_nobody_saw_is_a_dead_letter),
		TEST(test_offers_become_rare_and_flow_once_they_are_acknowledged),
		TEST(test_a_worker_need_not_wait_for_an_offer_to_nobody),
		TEST(test_what_a_worker_that_left_acknowledges_tells_of_no_subscriber),
		TEST(test_a_known_subscriber_gets_all_it_may_hold),
		TEST(test_credit_ends_with_its_lease),
		TEST(test_a_receipt_belongs_to_its_user),
		TEST(test_a_batch_has_one_receipt_for_all),
		TEST(test_a_batch_that_nobody_waits_for_wakes_nobody),
		TEST(test_a_long_queue_takes_little_memory_and_keeps_its_order),
		TEST(test_the_old_and_the_surplus_expire),
		TEST(test_a_purge_leaves_nothing),
		TEST(test_a_full_journal_delivers_nothing_and_takes_no_acknowledgement),
		TEST(test_who_waits_while_the_journal_is_full_is_served_without_a_push),
		TEST(test_a_queue_whose_consumer_is_away_asks_for_no_ticks),
		TEST(test_a_restart_keeps_leases_and_their_receipts),
		TEST(test_a_clock_that_was_set_back_holds_nothing_for_ever),
		TEST(test_without_memory_messages_wait_on_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
