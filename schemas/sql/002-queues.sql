-- SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
--
-- Queues; rules that a schedule sets off, and their dead letters; archives of buses. A rule may now
-- have no pattern, and a row of rule_errors or tombstones be about a queue: SQLite can't change the
-- check of a column, so these tables are made anew, with the triggers that look into them. What is
-- in them stays as it is, its revisions too. 001-rules.sql says what the triggers must bear with.

DROP TRIGGER buses_inserted;
DROP TRIGGER buses_updated;
DROP TRIGGER buses_revised;
DROP TRIGGER buses_rename;
DROP TRIGGER buses_renamed;
DROP TRIGGER buses_delete;
DROP TRIGGER buses_deleted;
DROP TRIGGER rules_insert;
DROP TRIGGER rules_inserted;
DROP TRIGGER rules_update;
DROP TRIGGER rules_updated;
DROP TRIGGER rules_revised;
DROP TRIGGER rules_rename;
DROP TRIGGER rules_renamed;
DROP TRIGGER rules_deleted;
DROP TRIGGER targets_insert;
DROP TRIGGER targets_inserted;
DROP TRIGGER targets_update;
DROP TRIGGER targets_updated;
DROP TRIGGER targets_deleted;
DROP TRIGGER tombstones_inserted;

-- Targets point to rules, so they go first and come back last.

CREATE TABLE targets_before AS SELECT * FROM targets;
DROP TABLE targets;
CREATE TABLE rules_before AS SELECT * FROM rules;
DROP TABLE rules;
CREATE TABLE rule_errors_before AS SELECT * FROM rule_errors;
DROP TABLE rule_errors;
CREATE TABLE tombstones_before AS SELECT * FROM tombstones;
DROP TABLE tombstones;

-- What of a bus's events is kept: {"pattern": ..., "retention_s": ..., "max_bytes": ...}; NULL = none.
ALTER TABLE buses ADD COLUMN archive TEXT
	CHECK (archive IS NULL OR (json_valid(archive) AND json_type(archive) = 'object'
		AND length(CAST(archive AS BLOB)) <= 1048576));

CREATE TABLE queues (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(name AS BLOB)) = length(name)),
	description TEXT NOT NULL DEFAULT '',
	visibility_timeout_s INTEGER NOT NULL DEFAULT 30
		CHECK (visibility_timeout_s BETWEEN 1 AND 43200),
	max_receives INTEGER NOT NULL DEFAULT 0 CHECK (max_receives BETWEEN 0 AND 1000),  -- 0 = no bound
	dead_letter TEXT NOT NULL DEFAULT ''  -- a queue, which need not be there; '' = none
		CHECK (length(dead_letter) <= 64 AND dead_letter NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(dead_letter AS BLOB)) = length(dead_letter)
			AND dead_letter <> name),
	retention_s INTEGER NOT NULL DEFAULT 345600 CHECK (retention_s BETWEEN 60 AND 31536000),
	max_events INTEGER NOT NULL DEFAULT 0 CHECK (max_events >= 0),  -- 0 = no bound
	max_bytes INTEGER NOT NULL DEFAULT 0 CHECK (max_bytes >= 0),
	max_in_flight INTEGER NOT NULL DEFAULT 100 CHECK (max_in_flight BETWEEN 1 AND 10000),
	delay_ms INTEGER NOT NULL DEFAULT 0 CHECK (delay_ms BETWEEN 0 AND 31536000000),
	group_path TEXT NOT NULL DEFAULT ''  -- `group` in JSON; '' = none
		CHECK (group_path = '' OR group_path GLOB '$*'),
	group_on_dead TEXT NOT NULL DEFAULT 'continue' CHECK (group_on_dead IN ('continue', 'stop')),
	deduplication TEXT  -- {"key": ..., "window_s": ...}
		CHECK (deduplication IS NULL OR (json_valid(deduplication) AND json_type(deduplication) = 'object'
			AND length(CAST(deduplication AS BLOB)) <= 1048576)),
	batch TEXT  -- {"max_events": ..., "max_bytes": ..., "max_wait_ms": ...}
		CHECK (batch IS NULL OR (json_valid(batch) AND json_type(batch) = 'object'
			AND length(CAST(batch AS BLOB)) <= 1048576)),
	revision INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX queues_revision ON queues (revision);

CREATE TABLE rules (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(name AS BLOB)) = length(name)),
	bus TEXT NOT NULL DEFAULT 'default' REFERENCES buses (name),
	state TEXT NOT NULL DEFAULT 'ENABLED' CHECK (state IN ('ENABLED', 'DISABLED', 'SHADOW')),
	description TEXT NOT NULL DEFAULT '',
	metrics INTEGER NOT NULL DEFAULT 0 CHECK (metrics IN (0, 1)),
	pattern TEXT  -- NULL = it has a schedule
		CHECK (pattern IS NULL OR (json_valid(pattern) AND json_type(pattern) = 'object'
			AND length(CAST(pattern AS BLOB)) <= 1048576)),
	dead_letter TEXT NOT NULL DEFAULT ''  -- a queue, which need not be there; '' = none
		CHECK (length(dead_letter) <= 64 AND dead_letter NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(dead_letter AS BLOB)) = length(dead_letter)),
	schedule TEXT NOT NULL DEFAULT '',  -- rate(...), cron(...), at(...); '' = it has a pattern
	timezone TEXT NOT NULL DEFAULT '',  -- of the schedule; '' = UTC
	input TEXT  -- what the schedule's event is: JSON
		CHECK (input IS NULL OR (json_valid(input)
			AND length(CAST(input AS BLOB)) <= 1048576)),
	input_transformer TEXT  -- or a template of it
		CHECK (input_transformer IS NULL OR (json_valid(input_transformer)
			AND json_type(input_transformer) = 'object'
			AND length(CAST(input_transformer AS BLOB)) <= 1048576)),
	missed TEXT NOT NULL DEFAULT '' CHECK (missed IN ('', 'skip', 'run-once')),
	revision INTEGER NOT NULL DEFAULT 0,
	CHECK ((pattern IS NULL) = (schedule <> ''))
) STRICT;

INSERT INTO rules (name, bus, state, description, metrics, pattern, revision)
	SELECT name, bus, state, description, metrics, pattern, revision FROM rules_before;
DROP TABLE rules_before;

CREATE INDEX rules_bus ON rules (bus);
CREATE INDEX rules_revision ON rules (revision);

-- NO ACTION: INSERT OR REPLACE of a rule keeps its targets; the trigger rules_deleted removes them.
CREATE TABLE targets (
	rule TEXT NOT NULL REFERENCES rules (name),
	id TEXT NOT NULL
		CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(id AS BLOB)) = length(id)),
	position INTEGER NOT NULL DEFAULT 0,  -- their order within the rule; those alike by id
	definition TEXT NOT NULL  -- the target as it stands in the rule's JSON, its id included
		CHECK (json_valid(definition) AND json_type(definition) = 'object'
			AND json_extract(definition, '$.id') IS id
			AND length(CAST(definition AS BLOB)) <= 1048576),
	PRIMARY KEY (rule, id)
) STRICT;

INSERT INTO targets (rule, id, position, definition)
	SELECT rule, id, position, definition FROM targets_before;
DROP TABLE targets_before;

-- Why a row as it stands is not in force. Sluice writes it; an entry for another revision than the
-- row's is out of date.
CREATE TABLE rule_errors (
	kind TEXT NOT NULL CHECK (kind IN ('rule', 'bus', 'queue')),
	name TEXT NOT NULL,
	revision INTEGER NOT NULL,
	code TEXT NOT NULL,
	place TEXT NOT NULL DEFAULT '',
	message TEXT NOT NULL,
	time TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
	PRIMARY KEY (kind, name)
) STRICT;

INSERT INTO rule_errors (kind, name, revision, code, place, message, time)
	SELECT kind, name, revision, code, place, message, time FROM rule_errors_before;
DROP TABLE rule_errors_before;

-- What was deleted lately, for who follows the store.
CREATE TABLE tombstones (
	kind TEXT NOT NULL CHECK (kind IN ('rule', 'bus', 'queue')),
	name TEXT NOT NULL,
	revision INTEGER NOT NULL,
	PRIMARY KEY (kind, name)
) STRICT;

INSERT INTO tombstones (kind, name, revision) SELECT kind, name, revision FROM tombstones_before;
DROP TABLE tombstones_before;

CREATE INDEX tombstones_revision ON tombstones (revision);

-- Queues. Who names one, a rule or a queue, names it whether it is there or not.

CREATE TRIGGER queues_inserted AFTER INSERT ON queues
BEGIN
	DELETE FROM tombstones WHERE kind = 'queue' AND name = NEW.name;
	UPDATE revision_counter SET last = last + 1;
	UPDATE queues SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER queues_updated AFTER UPDATE OF name, description, visibility_timeout_s,
	max_receives, dead_letter, retention_s, max_events, max_bytes, max_in_flight, delay_ms,
	group_path, group_on_dead, deduplication, batch
ON queues
WHEN NEW.name IS NOT OLD.name OR NEW.description IS NOT OLD.description
	OR NEW.visibility_timeout_s IS NOT OLD.visibility_timeout_s
	OR NEW.max_receives IS NOT OLD.max_receives OR NEW.dead_letter IS NOT OLD.dead_letter
	OR NEW.retention_s IS NOT OLD.retention_s OR NEW.max_events IS NOT OLD.max_events
	OR NEW.max_bytes IS NOT OLD.max_bytes OR NEW.max_in_flight IS NOT OLD.max_in_flight
	OR NEW.delay_ms IS NOT OLD.delay_ms OR NEW.group_path IS NOT OLD.group_path
	OR NEW.group_on_dead IS NOT OLD.group_on_dead
	OR NEW.deduplication IS NOT OLD.deduplication OR NEW.batch IS NOT OLD.batch
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE queues SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER queues_revised AFTER UPDATE OF revision ON queues
WHEN NEW.revision IS NOT (SELECT last FROM revision_counter)
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE queues SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER queues_renamed AFTER UPDATE OF name ON queues
WHEN NEW.name IS NOT OLD.name
BEGIN
	DELETE FROM rule_errors WHERE kind = 'queue' AND name IN (OLD.name, NEW.name);
	DELETE FROM tombstones WHERE kind = 'queue' AND name IN (OLD.name, NEW.name);
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'queue', OLD.name, last FROM revision_counter;
END;

CREATE TRIGGER queues_deleted AFTER DELETE ON queues
BEGIN
	DELETE FROM rule_errors WHERE kind = 'queue' AND name = OLD.name;
	DELETE FROM tombstones WHERE kind = 'queue' AND name = OLD.name;
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'queue', OLD.name, last FROM revision_counter;
END;

-- Buses.

CREATE TRIGGER buses_inserted AFTER INSERT ON buses
BEGIN
	DELETE FROM tombstones WHERE kind = 'bus' AND name = NEW.name;
	UPDATE revision_counter SET last = last + 1;
	UPDATE buses SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER buses_updated AFTER UPDATE OF name, description, topics, exclude,
	deliver_original, archive
ON buses
WHEN NEW.name IS NOT OLD.name OR NEW.description IS NOT OLD.description
	OR NEW.topics IS NOT OLD.topics OR NEW.exclude IS NOT OLD.exclude
	OR NEW.deliver_original IS NOT OLD.deliver_original OR NEW.archive IS NOT OLD.archive
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE buses SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER buses_revised AFTER UPDATE OF revision ON buses
WHEN NEW.revision IS NOT (SELECT last FROM revision_counter)
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE buses SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER buses_rename BEFORE UPDATE OF name ON buses
WHEN OLD.name = 'default' AND NEW.name IS NOT OLD.name
BEGIN
	SELECT RAISE(ABORT, 'the bus "default" keeps its name');
END;

CREATE TRIGGER buses_renamed AFTER UPDATE OF name ON buses
WHEN NEW.name IS NOT OLD.name
BEGIN
	UPDATE rules SET bus = NEW.name WHERE bus = OLD.name;
	DELETE FROM rule_errors WHERE kind = 'bus' AND name IN (OLD.name, NEW.name);
	DELETE FROM tombstones WHERE kind = 'bus' AND name IN (OLD.name, NEW.name);
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'bus', OLD.name, last FROM revision_counter;
END;

CREATE TRIGGER buses_delete BEFORE DELETE ON buses
BEGIN
	SELECT RAISE(ABORT, 'the bus "default" can''t be deleted') WHERE OLD.name = 'default';
	SELECT RAISE(ABORT, 'the bus has rules: delete or move them first')
		WHERE EXISTS (SELECT 1 FROM rules WHERE bus = OLD.name);
END;

CREATE TRIGGER buses_deleted AFTER DELETE ON buses
BEGIN
	DELETE FROM rule_errors WHERE kind = 'bus' AND name = OLD.name;
	DELETE FROM tombstones WHERE kind = 'bus' AND name = OLD.name;
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'bus', OLD.name, last FROM revision_counter;
END;

-- Rules.

CREATE TRIGGER rules_insert BEFORE INSERT ON rules
WHEN NOT EXISTS (SELECT 1 FROM buses WHERE name = NEW.bus)
BEGIN
	SELECT RAISE(ABORT, 'the rule''s bus does not exist');
END;

CREATE TRIGGER rules_inserted AFTER INSERT ON rules
BEGIN
	DELETE FROM tombstones WHERE kind = 'rule' AND name = NEW.name;
	UPDATE revision_counter SET last = last + 1;
	UPDATE rules SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER rules_update BEFORE UPDATE OF bus ON rules
WHEN NOT EXISTS (SELECT 1 FROM buses WHERE name = NEW.bus)
BEGIN
	SELECT RAISE(ABORT, 'the rule''s bus does not exist');
END;

CREATE TRIGGER rules_updated AFTER UPDATE OF name, bus, state, description, metrics, pattern,
	dead_letter, schedule, timezone, input, input_transformer, missed
ON rules
WHEN NEW.name IS NOT OLD.name OR NEW.bus IS NOT OLD.bus OR NEW.state IS NOT OLD.state
	OR NEW.description IS NOT OLD.description OR NEW.metrics IS NOT OLD.metrics
	OR NEW.pattern IS NOT OLD.pattern OR NEW.dead_letter IS NOT OLD.dead_letter
	OR NEW.schedule IS NOT OLD.schedule OR NEW.timezone IS NOT OLD.timezone
	OR NEW.input IS NOT OLD.input OR NEW.input_transformer IS NOT OLD.input_transformer
	OR NEW.missed IS NOT OLD.missed
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE rules SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER rules_revised AFTER UPDATE OF revision ON rules
WHEN NEW.revision IS NOT (SELECT last FROM revision_counter)
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE rules SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

-- UPDATE OR REPLACE may rename a rule onto another: the other's targets go with it.
CREATE TRIGGER rules_rename BEFORE UPDATE OF name ON rules
WHEN NEW.name IS NOT OLD.name
BEGIN
	DELETE FROM targets WHERE rule = NEW.name;
END;

CREATE TRIGGER rules_renamed AFTER UPDATE OF name ON rules
WHEN NEW.name IS NOT OLD.name
BEGIN
	UPDATE targets SET rule = NEW.name WHERE rule = OLD.name;
	DELETE FROM rule_errors WHERE kind = 'rule' AND name IN (OLD.name, NEW.name);
	DELETE FROM tombstones WHERE kind = 'rule' AND name IN (OLD.name, NEW.name);
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'rule', OLD.name, last FROM revision_counter;
END;

CREATE TRIGGER rules_deleted AFTER DELETE ON rules
BEGIN
	DELETE FROM targets WHERE rule = OLD.name;
	DELETE FROM rule_errors WHERE kind = 'rule' AND name = OLD.name;
	DELETE FROM tombstones WHERE kind = 'rule' AND name = OLD.name;
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'rule', OLD.name, last FROM revision_counter;
END;

-- Targets. A change of a target is a change of its rule.

CREATE TRIGGER targets_insert BEFORE INSERT ON targets
WHEN NOT EXISTS (SELECT 1 FROM rules WHERE name = NEW.rule)
BEGIN
	SELECT RAISE(ABORT, 'the target''s rule does not exist: insert the rule first');
END;

CREATE TRIGGER targets_inserted AFTER INSERT ON targets
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE rules SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.rule;
END;

CREATE TRIGGER targets_update BEFORE UPDATE OF rule ON targets
WHEN NOT EXISTS (SELECT 1 FROM rules WHERE name = NEW.rule)
BEGIN
	SELECT RAISE(ABORT, 'the target''s rule does not exist: insert the rule first');
END;

CREATE TRIGGER targets_updated AFTER UPDATE ON targets
WHEN NEW.rule IS NOT OLD.rule OR NEW.id IS NOT OLD.id OR NEW.position IS NOT OLD.position
	OR NEW.definition IS NOT OLD.definition
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE rules SET revision = (SELECT last FROM revision_counter)
		WHERE name IN (OLD.rule, NEW.rule);
END;

CREATE TRIGGER targets_deleted AFTER DELETE ON targets
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE rules SET revision = (SELECT last FROM revision_counter) WHERE name = OLD.rule;
END;

-- Who follows the store compares counts too, so an old tombstone may go.
CREATE TRIGGER tombstones_inserted AFTER INSERT ON tombstones
BEGIN
	DELETE FROM tombstones WHERE revision < NEW.revision - 100000;
END;
