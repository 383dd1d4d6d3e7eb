/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Durable delivery, as the broker's thread sees it: the queues, the journal that it writes, and the
 * data thread behind it. There is none of it, no file and no thread, until a queue or an archived bus
 * is in force.
 */
#ifndef SLUICE_PLUGIN_DURABLE_H
#define SLUICE_PLUGIN_DURABLE_H

#include "archive.h"
#include "archived.h"
#include "data_thread.h"
#include "intake.h"
#include "queue/queues.h"
#include "queue/seen.h"
#include "replay.h"

struct plugin;
struct mosquitto_evt_message;
struct queue_order_message;

struct durable {
	struct data_thread *thread;     /* NULL until there is something durable */
	struct sluice_journal *journal; /* NULL until the files are open */
	struct queues queues;
	struct intake intake;
	struct data_numbers numbers;
	struct seen seen;
	struct archives archives;
	struct replays replays;
	struct archived archived; /* the event that is replayed, and its topic */
	struct sluice_buffer replay_topic;
	unsigned char *frame; /* owned; see durable_write */
	size_t frame_capacity;
	struct sluice_buffer scratch;
	struct data_rows *rows; /* being handed in, as there is room for them */
	int64_t next_ms;        /* when the queues have something to do: monotonic */
	bool wanted;            /* something durable is, or was, in force */
	bool attach;            /* some queue is not attached yet */
	counter no_room;        /* publishes that were refused */
	counter bad_requests;   /* topics and payloads below queues/ that mean nothing */
};

void durable_init(struct plugin *plugin);
void durable_finish(struct plugin *plugin);

/* At the broker's start, once all that is in force is known: opens the files, if there is a need. */
enum sluice_status durable_start(struct plugin *plugin, struct sluice_error *error);

/* A queue is in force, or has another definition; `numbers` lives as long as it is. False when out of
 * memory. */
bool durable_put_queue(struct plugin *plugin, const struct sluice_queue *definition,
                       struct queue_numbers *numbers);
void durable_remove_queue(struct plugin *plugin, struct sluice_str name);

/* Something durable is in force: makes sure that there is a data thread. */
void durable_need(struct plugin *plugin);

/* Whether anything may be written now. */
static inline bool durable_open(const struct durable *durable)
{
	return durable->journal != NULL;
}

/* Writes records as one frame. False when there is no room; nothing happened then. */
bool durable_write(struct plugin *plugin, const struct sluice_record *records, size_t count,
                   bool last);

/* Takes what the data thread sent, moves the queues on. */
void durable_tick(struct plugin *plugin);
/* Whether a tick is wanted soon, rather than at leisure. */
bool durable_pending(const struct plugin *plugin);

/* Whether everything that is in force is ready to take messages, or can't be. */
bool durable_settled(const struct plugin *plugin);

/* Sets the queues' time; before anything is done to them. */
void durable_now(struct plugin *plugin);

/* A command's order. */
void durable_order(struct plugin *plugin, const struct queue_order_message *order);

void durable_client_gone(struct plugin *plugin, const void *client);

/*
 * A publish that the journal has no room for: what the MESSAGE callback is to return, so that the
 * producer does not take it for safe. At QoS 0 it is dropped; else an MQTT 5 client on 2.1 is told
 * 0x97, and every other one is disconnected before it gets a PUBACK, so that it sends again.
 */
int durable_refuse(struct plugin *plugin, const struct mosquitto_evt_message *message);

/* --- queue_publish.c --- */

/* A publish below `queues/`. False when it is for no queue, and goes on as any other; else *result is
 * what the callback returns. */
bool queue_publish(struct plugin *plugin, struct mosquitto_evt_message *message, int *result);

/* --- queue_deliver.c --- */

bool queue_deliver(void *arg, const struct queue_delivery *delivery);

#endif
