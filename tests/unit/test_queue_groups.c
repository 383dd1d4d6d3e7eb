/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "queue_world.h"

static const char alice[] = "alice";

static const struct queue_settings fifo = { .visibility_ms = 30000,
	                                    .retention_ms = 345600000,
	                                    .max_in_flight = 100,
	                                    .batch_bytes = 65536,
	                                    .grouped = true };
static const struct queue_settings plain = { .visibility_ms = 30000,
	                                     .retention_ms = 345600000,
	                                     .max_in_flight = 100,
	                                     .batch_bytes = 65536 };

static struct queue_numbers numbers[3];

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
	world->queues.hears_subscribe = true;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	world_finish(*state);
	free(*state);
	return 0;
}

static void test_one_of_a_group_is_in_flight_at_a_time(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &fifo, 0);

	world_worker(queue, alice, 10);
	world_enqueue(world, queue, "a1", "a", 0);
	world_enqueue(world, queue, "a2", "a", 0);
	world_enqueue(world, queue, "b1", "b", 0);
	world_enqueue(world, queue, "none", NULL, 0);
	assert_int_equal(world->sent_count, 3);
	assert_string_equal(world->sent[1].payload, "b1");
	assert_string_equal(world->sent[2].payload, "none");
	queue_ack(queue, &world->sent[0].receipt, 0);
	assert_int_equal(world->sent_count, 4);
	assert_string_equal(world->sent[3].payload, "a2");
	queue_ack(queue, &world->sent[3].receipt, 0);
	queue_ack(queue, &world->sent[1].receipt, 0);
	assert_int_equal(queue->groups.count, 0);
}

static void test_what_is_given_back_stays_the_first_of_its_group(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &fifo, 0);

	world_worker(queue, alice, 10);
	world_enqueue(world, queue, "a1", "a", 0);
	world_enqueue(world, queue, "a2", "a", 0);
	queue_nack(queue, &world->sent[0].receipt, 0, 120000, sluice_str(NULL));
	assert_int_equal(world->sent_count, 1);
	world_pass(world, 120000);
	assert_int_equal(world->sent_count, 2);
	assert_string_equal(world->sent[1].payload, "a1");
	world_pass(world, 30000); /* its lease runs out */
	assert_string_equal(world->sent[2].payload, "a1");
}

static void dead_letter_of_a(struct world *world, bool stop, struct queue **queue,
                             struct queue **dead)
{
	struct queue_settings settings = fifo;
	settings.max_receives = 1;
	settings.group_stop = stop;
	strcpy(settings.dead_letter, "dead");
	*queue = add(world, "jobs", &settings, 0);
	*dead = add(world, "dead", &plain, 1);
	world_worker(*queue, alice, 10);
	world_enqueue(world, *queue, "a1", "a", 0);
	world_enqueue(world, *queue, "a2", "a", 0);
	queue_nack(*queue, &world->sent[0].receipt, 0, 0, sluice_str(NULL));
}

static void test_a_group_goes_on_behind_a_dead_letter(void **state)
{
	struct world *world = *state;
	struct queue *queue, *dead;

	dead_letter_of_a(world, false, &queue, &dead);
	assert_int_equal(world->sent_count, 2);
	assert_string_equal(world->sent[1].payload, "a2");
}

static void test_a_group_that_stops_goes_on_when_its_dead_letter_is_dealt_with(void **state)
{
	struct world *world = *state;
	struct queue *queue, *dead;

	dead_letter_of_a(world, true, &queue, &dead);
	assert_int_equal(world->sent_count, 1);
	world_enqueue(world, queue, "b1", "b", 0);
	assert_int_equal(world->sent_count, 2); /* other groups don't care */
	world_worker(dead, "doctor", 1);
	assert_int_equal(world->sent_count, 3);
	assert_string_equal(world->sent[2].queue, "dead");
	queue_ack(dead, &world->sent[2].receipt, 0);
	world_pass(world, 1);
	assert_int_equal(world->sent_count, 4);
	assert_string_equal(world->sent[3].payload, "a2");
}

static void test_a_group_that_stopped_stands_still_over_a_restart(void **state)
{
	struct world *world = *state;
	struct queue_settings settings = fifo;
	settings.group_stop = true;
	strcpy(settings.dead_letter, "dead");
	numbers[0] = (struct queue_numbers){ 0 };
	struct queue *queue =
	        queues_put(&world->queues, sluice_str("jobs"), &settings, &numbers[0]);
	queue_restore_dead(queue, SLUICE_STR("a"), 1);
	world_attach(world, queue);
	world_worker(queue, alice, 10);
	world_enqueue(world, queue, "a2", "a", 0);
	world_enqueue(world, queue, "b1", "b", 0);
	assert_int_equal(world->sent_count, 1);
	assert_string_equal(world->sent[0].payload, "b1");
}

static void test_purging_the_dead_letters_lets_groups_go_on(void **state)
{
	struct world *world = *state;
	struct queue *queue, *dead;

	dead_letter_of_a(world, true, &queue, &dead);
	assert_true(queue_purge(dead));
	world_pass(world, 1);
	assert_int_equal(world->sent_count, 2);
	assert_string_equal(world->sent[1].payload, "a2");
}

static void test_purging_a_queue_takes_all_of_its_groups(void **state)
{
	struct world *world = *state;
	struct queue *queue = add(world, "jobs", &fifo, 0);

	world_worker(queue, alice, 2);
	for (int i = 0; i < 100; i++) {
		char group[16];
		snprintf(group, sizeof group, "%d", i % 7);
		world_enqueue(world, queue, "x", group, 0);
	}
	assert_true(queue_purge(queue));
	assert_int_equal(queue->table.count, 0);
	assert_int_equal(queue->groups.count, 0);
	assert_int_equal(queue->window, 0);
	assert_int_equal(queue->leased, 0);
}

/* --- anything in any order --- */

static uint64_t seed = 42;

static size_t draw(size_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(seed >> 33) % below;
}

enum { MESSAGES = 4000, GROUPS = 12 };

struct trial {
	struct world *world;
	struct queue *queue;
	struct queue_settings settings;
	bool acked[MESSAGES + 1]; /* by the number in its payload */
	size_t next_of[GROUPS];   /* the least number of a group that may be acknowledged next */
	size_t group_of[MESSAGES + 1];
	size_t enqueued, acknowledged;
};

static void check(struct trial *trial)
{
	struct world *world = trial->world;
	size_t ready, held, parked;
	free(world_rows(world, "jobs", ROW_READY, 0, &ready));
	free(world_rows(world, "jobs", ROW_HELD, 0, &held));
	free(world_rows(world, "jobs", ROW_PARKED, 0, &parked));
	assert_int_equal(ready + held + parked, trial->enqueued - trial->acknowledged);
	assert_int_equal(counter_get(&numbers[0].ready) + counter_get(&numbers[0].in_flight) +
	                         counter_get(&numbers[0].delayed),
	                 ready + held + parked);
	assert_int_equal(counter_get(&numbers[0].in_flight), trial->queue->leased);
	assert_true(trial->queue->leased <= trial->settings.max_in_flight);
}

static void restart(struct trial *trial)
{
	struct world *world = trial->world;
	uint64_t last_id = world->queues.last_id;
	int64_t real_ms = world->queues.real_ms;
	queues_finish(&world->queues);
	world->load_asked = NULL;
	world_init_queues(world);
	queues_set_time(&world->queues, (int64_t)draw(1000), real_ms + (int64_t)draw(40000));
	world->queues.last_id = last_id;
	world->queues.hears_subscribe = draw(2) == 0;
	trial->queue = add(world, "jobs", &trial->settings, 0);
	world_worker(trial->queue, alice, 20);
}

/* Acknowledges one of those sent, which may be long past. */
static void settle_some(struct trial *trial)
{
	struct world *world = trial->world;
	if (world->sent_count == 0)
		return;
	size_t back = world->sent_count < 60 ? world->sent_count : 60;
	const struct sent *sent = &world->sent[world->sent_count - 1 - draw(back)];
	size_t number = (size_t)atoi(sent->payload);
	struct receipt receipt = sent->receipt;
	if (draw(4) == 0) {
		queue_nack(trial->queue, &receipt, 0, draw(3) == 0 ? (int64_t)draw(100000) : 0,
		           SLUICE_STR("why not"));
		return;
	}
	if (queue_ack(trial->queue, &receipt, 0) != QUEUE_DONE)
		return;
	assert_false(trial->acked[number]);
	trial->acked[number] = true;
	trial->acknowledged++;
	if (trial->settings.grouped) {
		size_t group = trial->group_of[number];
		for (size_t i = 1; i < number; i++)
			assert_true(trial->acked[i] || trial->group_of[i] != group);
	}
}

static void enqueue(struct trial *trial)
{
	char payload[16], group[16];
	if (trial->enqueued == MESSAGES)
		return;
	size_t number = ++trial->enqueued;
	trial->group_of[number] = draw(GROUPS);
	snprintf(payload, sizeof payload, "%zu", number);
	snprintf(group, sizeof group, "g%zu", trial->group_of[number]);
	bool delayed = !trial->settings.grouped && draw(10) == 0;
	world_enqueue(trial->world, trial->queue, payload, trial->settings.grouped ? group : NULL,
	              delayed ? (int64_t)draw(90000) + 1 : 0);
}

/* Nothing is lost, nothing is acknowledged twice, and groups keep their order, whatever happens. */
static void run_trial(struct world *world, bool grouped)
{
	struct trial *trial = calloc(1, sizeof *trial);
	assert_non_null(trial);
	trial->world = world;
	trial->settings = grouped ? fifo : plain;
	trial->settings.max_in_flight = 15;
	trial->queue = add(world, "jobs", &trial->settings, 0);
	world_worker(trial->queue, alice, 20);
	for (size_t step = 0; step < 12000; step++) {
		switch (draw(20)) {
		default:
			enqueue(trial);
			break;
		case 8:
		case 9:
		case 10:
		case 11:
		case 12:
		case 13:
		case 14:
		case 15:
			settle_some(trial);
			break;
		case 16:
			world_pass(world, (int64_t)draw(5000));
			break;
		case 17:
			world->undeliverable = draw(3) == 0;
			break;
		case 18:
			if (draw(50) == 0)
				restart(trial);
			break;
		case 19:
			if (draw(20) == 0)
				queues_client_gone(&world->queues, alice);
			else
				world_worker(trial->queue, alice, (uint32_t)draw(25));
			break;
		}
		if (step % 50 == 0)
			check(trial);
		if (world->sent_count > WORLD_SENT - 2000) { /* only the last ones are looked at */
			memmove(world->sent, world->sent + world->sent_count - 100,
			        100 * sizeof *world->sent);
			world->sent_count = 100;
		}
	}
	world->undeliverable = false;
	while (trial->enqueued < MESSAGES)
		enqueue(trial);
	world_worker(trial->queue, alice, 20);
	for (size_t round = 0; trial->acknowledged < trial->enqueued; round++) {
		assert_true(round < 3000);
		world_pass(world, 2000);
		size_t first = world->sent_count > 60 ? world->sent_count - 60 : 0;
		for (size_t i = first; i < world->sent_count; i++) {
			struct sent sent = world->sent[i];
			if (queue_ack(trial->queue, &sent.receipt, 0) == QUEUE_DONE) {
				assert_false(trial->acked[atoi(sent.payload)]);
				trial->acked[atoi(sent.payload)] = true;
				trial->acknowledged++;
			}
		}
		if (world->sent_count > WORLD_SENT - 2000) {
			memmove(world->sent, world->sent + world->sent_count - 100,
			        100 * sizeof *world->sent);
			world->sent_count = 100;
		}
	}
	check(trial);
	assert_int_equal(trial->queue->table.count, 0);
	assert_int_equal(world->queues.memory, 0);
	free(trial);
}

static void test_whatever_happens_nothing_is_lost(void **state)
{
	run_trial(*state, false);
}

static void test_whatever_happens_groups_keep_their_order(void **state)
{
	run_trial(*state, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_of_a_group_is_in_flight_at_a_time),
		TEST(test_what_is_given_back_stays_the_first_of_its_group),
		TEST(test_a_group_goes_on_behind_a_dead_letter),
		TEST(test_a_group_that_stops_goes_on_when_its_dead_letter_is_dealt_with),
		TEST(test_a_group_that_stopped_stands_still_over_a_restart),
		TEST(test_purging_the_dead_letters_lets_groups_go_on),
		TEST(test_purging_a_queue_takes_all_of_its_groups),
		TEST(test_whatever_happens_nothing_is_lost),
		TEST(test_whatever_happens_groups_keep_their_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
