-- SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
--
-- How long archives keep their events, and how far replays have come.

-- The last word of each bus that had an archive: when it has none any more, what is there still goes
-- in its time.
CREATE TABLE retentions (
	bus TEXT PRIMARY KEY,
	retention_ms INTEGER NOT NULL,
	max_bytes INTEGER NOT NULL      -- 0 = no bound
) STRICT, WITHOUT ROWID;

CREATE TABLE replays (
	name TEXT PRIMARY KEY,
	bus TEXT NOT NULL,
	from_ms INTEGER NOT NULL,
	to_ms INTEGER NOT NULL,         -- events before this; 0 = all until the replay was started
	rules TEXT,                     -- their names, a space around each; NULL = all of the bus
	topic TEXT,                     -- a template: there, instead of to the rules' targets
	speed_milli INTEGER NOT NULL,   -- thousandths of the original speed; 0 = without waiting
	state TEXT NOT NULL CHECK (state IN ('RUNNING', 'PAUSED', 'DONE', 'CANCELLED')),
	end_id INTEGER NOT NULL,        -- the archive's last event when it was started
	position INTEGER NOT NULL,      -- the event up to which all was replayed
	total INTEGER NOT NULL,         -- events, when it was started
	done INTEGER NOT NULL,
	matched INTEGER NOT NULL,
	started_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL       -- 0 = not yet
) STRICT, WITHOUT ROWID;
