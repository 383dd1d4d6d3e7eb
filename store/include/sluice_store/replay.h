/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Replays: a range of a bus's archive that is routed again, and how far that has come. Kept beside the
 * archive, so that a replay goes on where it was when the broker starts anew. Only the plugin's data
 * thread writes it.
 *
 *	RUNNING <--> PAUSED        DONE and CANCELLED are for good; the last 100 of these are kept
 *	      \--> DONE, CANCELLED <--/
 */
#ifndef SLUICE_STORE_REPLAY_H
#define SLUICE_STORE_REPLAY_H

#include "sluice_store/data.h"

enum sluice_replay_state {
	SLUICE_REPLAY_RUNNING,
	SLUICE_REPLAY_PAUSED,
	SLUICE_REPLAY_DONE,
	SLUICE_REPLAY_CANCELLED,
};

const char *sluice_replay_state_name(enum sluice_replay_state state);

struct sluice_replay {
	struct sluice_str name;
	struct sluice_str bus;
	int64_t from_ms, to_ms;  /* [from, to); to 0 = all until it was started */
	struct sluice_str rules; /* " a b ": their names, a space around each; absent = all */
	struct sluice_str topic; /* a template; absent = to the rules' targets */
	int64_t speed_milli;     /* thousandths of the original speed; 0 = without waiting */
	enum sluice_replay_state state;
	uint64_t end_id;   /* the last event that belongs to it */
	uint64_t position; /* up to this one it has come */
	uint64_t total;    /* events that there were when it was started */
	uint64_t done;     /* of them, those that were routed */
	uint64_t matched;  /* of these, those that a rule matched */
	int64_t started_ms, ended_ms;
};

/* Writes a new one; state, end_id, position, total, done, matched and ended_ms are set here.
 * SLUICE_ERR_CONFLICT: there is one of that name. A transaction of its own, as all that write. */
enum sluice_status sluice_replay_start(struct sluice_data *data, const struct sluice_replay *replay,
                                       struct sluice_error *error);

/* How far one that is RUNNING or PAUSED has come, and its state: name, position, done, matched,
 * state, ended_ms of `replay` count. SLUICE_ERR_NOT_FOUND: there is none of that name, or it has
 * ended. */
enum sluice_status sluice_replay_update(struct sluice_data *data,
                                        const struct sluice_replay *replay,
                                        struct sluice_error *error);

typedef bool (*sluice_replay_fn)(void *arg, const struct sluice_replay *replay); /* false stops */

/* All (name absent), or the one of that name, in the order in which they were started. */
enum sluice_status sluice_replay_each(struct sluice_data *data, struct sluice_str name,
                                      sluice_replay_fn fn, void *arg, struct sluice_error *error);

/* How many events of a bus were stamped in [from, to) (to 0 = no end), exactly, and the highest id
 * among the blocks that hold such (0 = none). Costs a look at each block, not at each event. */
enum sluice_status sluice_archive_count(struct sluice_data *data, struct sluice_str bus,
                                        int64_t from_ms, int64_t to_ms, uint64_t *count,
                                        uint64_t *last_id, struct sluice_error *error);

#endif
