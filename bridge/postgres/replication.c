/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The stream within CopyBoth: the server sends the log ('w') and asks how far we are ('k'), we say it
 * ('r'). PostgreSQL's documentation, "Streaming Replication Protocol".
 *
 * What we say was flushed, the server forgets. That is never past the end of a transaction whose every
 * record has its PUBACK; after a crash, ours or the server's, it sends again from there.
 */
#include "postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum {
	STATUS_MS = 100,    /* after something was taken in */
	ALIVE_MS = 10000,   /* when nothing happens; wal_sender_timeout is 60 s as a rule */
	LOG_HEADER = 25,    /* of a 'w': its kind, two places, a time */
	KEEPALIVE_LEN = 18, /* of a 'k': its kind, a place, a time, a wish */
	STATUS_LEN = 34,
};

#define EPOCH_S INT64_C(946684800) /* 2000, PostgreSQL's, after 1970 */

static uint64_t read_64(const char *at)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | (unsigned char)at[i];
	return number;
}

static void write_64(char *at, uint64_t number)
{
	for (int i = 8; i-- > 0; number >>= 8)
		at[i] = (char)(number & 0xff);
}

static void on_timer(uv_timer_t *timer)
{
	struct postgres_inlet *inlet = timer->data;
	bool was_paused = inlet->paused;

	postgres_stream_status(inlet);
	/* libpq may hold messages, of which the socket would not tell. */
	if (was_paused && inlet->streaming)
		postgres_stream_read(inlet);
}

void postgres_stream_begin(struct postgres_inlet *inlet)
{
	inlet->streaming = true;
	inlet->paused = inlet->asked = false;
	inlet->told = 0;
	inlet->retry_ms = 0;
	source_trouble(inlet->source, NULL);
	uv_timer_start(&inlet->timer, on_timer, ALIVE_MS, 0);
}

void postgres_stream_status(struct postgres_inlet *inlet)
{
	char message[STATUS_LEN] = { 'r' };
	struct timeval now;
	int sent;

	gettimeofday(&now, NULL);
	write_64(message + 1,
	         inlet->received > inlet->confirmed ? inlet->received : inlet->confirmed);
	write_64(message + 9, inlet->confirmed);
	write_64(message + 17, inlet->confirmed);
	write_64(message + 25, (uint64_t)((now.tv_sec - EPOCH_S) * 1000000 + now.tv_usec));
	sent = PQputCopyData(inlet->connection, message, STATUS_LEN);
	if (sent > 0) {
		inlet->told = inlet->confirmed;
		inlet->asked = false;
	}
	/* 0: libpq's buffer is full; it is said when the timer comes again. */
	sent = sent < 0 ? -1 : PQflush(inlet->connection);
	if (sent < 0) {
		postgres_fail(inlet, "the connection to PostgreSQL broke");
		return;
	}
	inlet->unsent = sent > 0;
	postgres_watch(inlet);
	uv_timer_start(&inlet->timer, on_timer,
	               inlet->told < inlet->confirmed ? STATUS_MS : ALIVE_MS, 0);
}

static enum sluice_status take_record(void *arg, struct pgoutput_place place,
                                      const struct change_record *record,
                                      struct sluice_error *error)
{
	struct postgres_inlet *inlet = arg;
	struct sluice_buffer topic = { 0 }, payload = { 0 };
	bool added;

	/* Sent again, since the transaction's end was not told yet. */
	if (pgoutput_place_compare(place, inlet->taken) <= 0)
		return SLUICE_OK;
	sluice_buffer_append_str(&topic, record->schema);
	sluice_buffer_append_text(&topic, "/");
	sluice_buffer_append_str(&topic, record->table);
	change_record_write(record, &payload);
	added = !topic.failed && !payload.failed &&
	        change_stream_add(inlet->stream,
	                          (struct change_position){ place.commit_lsn, place.index },
	                          sluice_buffer_str(&topic), &payload);
	sluice_buffer_finish(&topic);
	sluice_buffer_finish(&payload);
	return added ? SLUICE_OK : sluice_out_of_memory(error);
}

static enum sluice_status take_log(struct postgres_inlet *inlet, const char *message, size_t len,
                                   struct sluice_error *error)
{
	uint64_t committed;
	enum sluice_status status;

	if (len < LOG_HEADER)
		return sluice_error_set(error, SLUICE_ERR_CORRUPT, SIZE_MAX, NULL,
		                        "PostgreSQL sent half a message");
	if (read_64(message + 1) > inlet->received)
		inlet->received = read_64(message + 1);
	status =
	        pgoutput_read(inlet->decoder, sluice_str_of(message + LOG_HEADER, len - LOG_HEADER),
	                      take_record, inlet, &committed, error);
	if (status == SLUICE_OK && committed > 0 &&
	    !change_stream_add_place(inlet->stream, (struct change_position){ committed, 0 }))
		status = sluice_out_of_memory(error);
	return status;
}

static enum sluice_status take_keepalive(struct postgres_inlet *inlet, const char *message,
                                         size_t len, struct sluice_error *error)
{
	uint64_t end;

	if (len < KEEPALIVE_LEN)
		return sluice_error_set(error, SLUICE_ERR_CORRUPT, SIZE_MAX, NULL,
		                        "PostgreSQL sent half a message");
	end = read_64(message + 1);
	if (end > inlet->received)
		inlet->received = end;
	inlet->asked = inlet->asked || message[17] != 0;
	/* What was written since by others, or to other tables, is of no interest; without this the log
	 * would be kept for us. */
	if (!pgoutput_in_transaction(inlet->decoder) &&
	    !change_stream_add_place(inlet->stream, (struct change_position){ end, 0 }))
		return sluice_out_of_memory(error);
	return SLUICE_OK;
}

/* The stream ended: PostgreSQL says why, or is stopped. */
static void take_end(struct postgres_inlet *inlet)
{
	struct sluice_error error;
	PGresult *result = PQgetResult(inlet->connection);

	if (result && PQresultStatus(result) == PGRES_FATAL_ERROR)
		postgres_result_error(result, &error);
	else
		(void)sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL,
		                       "PostgreSQL ended the stream");
	PQclear(result);
	postgres_fail(inlet, error.message);
}

void postgres_stream_read(struct postgres_inlet *inlet)
{
	struct sluice_error error;
	enum sluice_status status = SLUICE_OK;
	char *message = NULL;
	int len = 0;

	inlet->paused = false;
	while (status == SLUICE_OK) {
		if (!change_stream_has_room(inlet->stream)) {
			inlet->paused = true;
			break;
		}
		len = PQgetCopyData(inlet->connection, &message, 1);
		if (len <= 0)
			break;
		if (message[0] == 'w')
			status = take_log(inlet, message, (size_t)len, &error);
		else if (message[0] == 'k')
			status = take_keepalive(inlet, message, (size_t)len, &error);
		PQfreemem(message);
	}
	if (status != SLUICE_OK)
		postgres_fail(inlet, error.message);
	else if (len < 0)
		take_end(inlet);
	else if (inlet->asked)
		postgres_stream_status(inlet);
	else
		postgres_watch(inlet);
}

/* --- what the records' way says --- */

static void on_settled(void *arg, struct change_position position)
{
	struct postgres_inlet *inlet = arg;
	struct pgoutput_place place = { position.place, position.index };

	if (pgoutput_place_compare(place, inlet->taken) > 0)
		inlet->taken = place;
	if (position.index == 0 && position.place > inlet->confirmed) {
		inlet->confirmed = position.place;
		/* Soon, and not for each. */
		if (inlet->streaming && uv_timer_get_due_in(&inlet->timer) > STATUS_MS)
			uv_timer_start(&inlet->timer, on_timer, STATUS_MS, 0);
	}
}

static void on_room(void *arg)
{
	struct postgres_inlet *inlet = arg;

	/* Not from here, where the stream is in the midst of telling. */
	if (inlet->streaming && inlet->paused)
		uv_timer_start(&inlet->timer, on_timer, 0, 0);
}

static void on_trouble(void *arg, const char *text)
{
	struct postgres_inlet *inlet = arg;

	source_trouble(inlet->source, text);
}

const struct change_stream_events postgres_stream_events = {
	.settled = on_settled,
	.room = on_room,
	.trouble = on_trouble,
};
