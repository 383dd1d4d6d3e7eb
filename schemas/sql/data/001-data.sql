-- SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
--
-- Messages of queues, the archive, what deduplication has seen, when schedules ran. Only the
-- plugin writes it; whoever reads it meanwhile disturbs nobody.
--
-- A number stands for a name, so that a row carries three bytes of it. Ids come from one counter
-- and only grow, so that inserts append, each to the end of its tree or of its queue's part of it.

CREATE TABLE progress (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	position INTEGER NOT NULL,  -- of the journal, up to where it is in this file
	last_id INTEGER NOT NULL    -- the highest that was ever used
) STRICT;

INSERT INTO progress VALUES (1, 0, 0);

CREATE TABLE names (
	number INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE   -- of a queue, a bus, a scope of deduplication
) STRICT;

-- How many messages a queue has, so that nobody has to count them.
CREATE TABLE queues (
	queue INTEGER PRIMARY KEY,
	ready INTEGER NOT NULL,
	held INTEGER NOT NULL,
	parked INTEGER NOT NULL,
	bytes INTEGER NOT NULL      -- of payloads
) STRICT;

-- What of a message stays as it is. A rowid table: the payload overflows from the leaf alone, and
-- the nodes above hold nothing but ids.
CREATE TABLE messages (
	id INTEGER PRIMARY KEY,
	event_id TEXT,
	time_ms INTEGER NOT NULL,
	bus INTEGER,
	rule TEXT,
	target TEXT,
	topic TEXT,
	client_id TEXT,
	username TEXT,
	flags INTEGER NOT NULL,     -- QoS, and 4 for retain
	properties BLOB,
	payload BLOB,
	enqueued_ms INTEGER NOT NULL,
	group_key TEXT,
	origin TEXT,                -- of a dead letter: its queue
	error TEXT                  -- of a dead letter: why, as JSON
) STRICT;

-- Where a message stands, and what changes while it waits: no payload is written again for that.
-- Those of a queue that are ready are one range, in the order of ids.
CREATE TABLE entries (
	queue INTEGER NOT NULL,
	state INTEGER NOT NULL,     -- 0 ready, 1 held: delivered, and in the broker's memory since, 2 parked
	id INTEGER NOT NULL,
	bytes INTEGER NOT NULL,     -- of the payload
	attempts INTEGER NOT NULL,
	due_ms INTEGER NOT NULL,    -- 0 = at once
	deadline_ms INTEGER NOT NULL,
	receipt BLOB,
	worker TEXT,
	reason TEXT,
	PRIMARY KEY (queue, state, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX entries_due ON entries (due_ms) WHERE state = 2;

-- The archive: rows in blocks of 1024 keys, each block of one bus, filled from its beginning. So a
-- row needs no index, though several buses are archived: archive_blocks knows which ids and times
-- are where, however the clock was set meanwhile.
CREATE TABLE archive (
	key INTEGER PRIMARY KEY,    -- 1024 * block + place
	id INTEGER NOT NULL,
	bytes INTEGER NOT NULL,     -- of all texts and the payload
	event_id TEXT,
	time_ms INTEGER NOT NULL,
	rule TEXT,
	target TEXT,
	topic TEXT,
	client_id TEXT,
	username TEXT,
	flags INTEGER NOT NULL,
	properties BLOB,
	payload BLOB
) STRICT;

CREATE TABLE archive_blocks (
	bus INTEGER NOT NULL,
	first_id INTEGER NOT NULL,  -- that it began with
	block INTEGER NOT NULL UNIQUE,
	used INTEGER NOT NULL,      -- places that were filled; their rows may be gone
	last_id INTEGER NOT NULL,
	events INTEGER NOT NULL,    -- that are there
	bytes INTEGER NOT NULL,
	min_ms INTEGER NOT NULL,    -- no event there is older
	max_ms INTEGER NOT NULL,
	PRIMARY KEY (bus, first_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX archive_blocks_time ON archive_blocks (bus, min_ms);

CREATE TABLE archives (
	bus INTEGER PRIMARY KEY,
	events INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	last_id INTEGER NOT NULL    -- the highest that ever came
) STRICT;

-- Keys that were seen, by when they are forgotten: those of one scope come in about that order.
CREATE TABLE seen (
	scope INTEGER NOT NULL,
	until_ms INTEGER NOT NULL,
	key BLOB NOT NULL,
	PRIMARY KEY (scope, until_ms, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE fired (
	rule TEXT PRIMARY KEY,
	time_ms INTEGER NOT NULL    -- for which the schedule ran last
) STRICT, WITHOUT ROWID;
