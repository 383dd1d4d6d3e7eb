-- SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
--
-- Buses, rules and their targets. A person may write these tables with sqlite3, whose connection
-- has foreign_keys and recursive_triggers off: so triggers do what foreign keys would, and none of
-- them relies on a delete trigger firing for INSERT OR REPLACE (it does not). Nor does any rely on
-- a conflict clause of its own: the clause of the outer statement overrides it.
--
-- Whatever changes a rule or a bus raises its revision from the one counter, which only grows: so
-- "revision > the highest that I know" is all that changed. A revision written by hand is replaced.
--
-- length(CAST(x AS BLOB)) = length(x) refuses, besides what is not ASCII, a NUL, at which GLOB and
-- length() stop reading.

CREATE TABLE revision_counter (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	last INTEGER NOT NULL CHECK (last >= 0)
) STRICT;

CREATE TABLE buses (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(name AS BLOB)) = length(name)),
	description TEXT NOT NULL DEFAULT '',
	topics TEXT NOT NULL DEFAULT '[]'  -- topic filters, as a JSON array of strings
		CHECK (json_valid(topics) AND json_type(topics) = 'array'
			AND length(CAST(topics AS BLOB)) <= 1048576),
	exclude TEXT NOT NULL DEFAULT '[]'
		CHECK (json_valid(exclude) AND json_type(exclude) = 'array'
			AND length(CAST(exclude AS BLOB)) <= 1048576),
	deliver_original INTEGER NOT NULL DEFAULT 1 CHECK (deliver_original IN (0, 1)),
	revision INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX buses_revision ON buses (revision);

CREATE TABLE rules (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(name AS BLOB)) = length(name)),
	bus TEXT NOT NULL DEFAULT 'default' REFERENCES buses (name),
	state TEXT NOT NULL DEFAULT 'ENABLED' CHECK (state IN ('ENABLED', 'DISABLED', 'SHADOW')),
	description TEXT NOT NULL DEFAULT '',
	metrics INTEGER NOT NULL DEFAULT 0 CHECK (metrics IN (0, 1)),
	pattern TEXT NOT NULL
		CHECK (json_valid(pattern) AND json_type(pattern) = 'object'
			AND length(CAST(pattern AS BLOB)) <= 1048576),
	revision INTEGER NOT NULL DEFAULT 0
) STRICT;

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

-- Why a row as it stands is not in force. Sluice writes it; an entry for another revision than the
-- row's is out of date.
CREATE TABLE rule_errors (
	kind TEXT NOT NULL CHECK (kind IN ('rule', 'bus')),
	name TEXT NOT NULL,
	revision INTEGER NOT NULL,
	code TEXT NOT NULL,
	place TEXT NOT NULL DEFAULT '',
	message TEXT NOT NULL,
	time TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
	PRIMARY KEY (kind, name)
) STRICT;

-- What was deleted lately, for who follows the store.
CREATE TABLE tombstones (
	kind TEXT NOT NULL CHECK (kind IN ('rule', 'bus')),
	name TEXT NOT NULL,
	revision INTEGER NOT NULL,
	PRIMARY KEY (kind, name)
) STRICT;

CREATE INDEX tombstones_revision ON tombstones (revision);

-- The counter.

INSERT INTO revision_counter (id, last) VALUES (1, 0);

CREATE TRIGGER revision_counter_inserted BEFORE INSERT ON revision_counter
BEGIN
	SELECT RAISE(ABORT, 'revision_counter has one row');
END;

CREATE TRIGGER revision_counter_updated BEFORE UPDATE ON revision_counter
WHEN NEW.id IS NOT 1 OR NEW.last IS NOT OLD.last + 1
BEGIN
	SELECT RAISE(ABORT, 'revision_counter only grows, by one');
END;

CREATE TRIGGER revision_counter_deleted BEFORE DELETE ON revision_counter
BEGIN
	SELECT RAISE(ABORT, 'revision_counter has one row');
END;

-- Buses.

CREATE TRIGGER buses_inserted AFTER INSERT ON buses
BEGIN
	DELETE FROM tombstones WHERE kind = 'bus' AND name = NEW.name;
	UPDATE revision_counter SET last = last + 1;
	UPDATE buses SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER buses_updated AFTER UPDATE OF name, description, topics, exclude, deliver_original
ON buses
WHEN NEW.name IS NOT OLD.name OR NEW.description IS NOT OLD.description
	OR NEW.topics IS NOT OLD.topics OR NEW.exclude IS NOT OLD.exclude
	OR NEW.deliver_original IS NOT OLD.deliver_original
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

CREATE TRIGGER rules_updated AFTER UPDATE OF name, bus, state, description, metrics, pattern ON rules
WHEN NEW.name IS NOT OLD.name OR NEW.bus IS NOT OLD.bus OR NEW.state IS NOT OLD.state
	OR NEW.description IS NOT OLD.description OR NEW.metrics IS NOT OLD.metrics
	OR NEW.pattern IS NOT OLD.pattern
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

-- The default bus takes in every event but what Sluice itself delivers.
INSERT INTO buses (name, description, topics, exclude) VALUES
	('default', '', '["#"]', '["consumers/#","queues/#"]');
