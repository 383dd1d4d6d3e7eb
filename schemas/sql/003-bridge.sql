-- SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
--
-- What the bridge is told to do: targets, sources, and the connections of both. A row of rule_errors
-- or tombstones may now be about one of these, so both tables are made anew, as 002 did; what is in
-- them stays as it is. 001-rules.sql says what the triggers must bear with.
--
-- All three name things (a queue, a connection) whether they are there or not.

CREATE TABLE rule_errors_before AS SELECT * FROM rule_errors;
DROP TABLE rule_errors;
DROP TRIGGER tombstones_inserted;
CREATE TABLE tombstones_before AS SELECT * FROM tombstones;
DROP TABLE tombstones;

-- Why a row as it stands is not in force. Sluice writes it; an entry for another revision than the
-- row's is out of date.
CREATE TABLE rule_errors (
	kind TEXT NOT NULL
		CHECK (kind IN ('rule', 'bus', 'queue', 'connection', 'target', 'source')),
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
	kind TEXT NOT NULL
		CHECK (kind IN ('rule', 'bus', 'queue', 'connection', 'target', 'source')),
	name TEXT NOT NULL,
	revision INTEGER NOT NULL,
	PRIMARY KEY (kind, name)
) STRICT;

INSERT INTO tombstones (kind, name, revision) SELECT kind, name, revision FROM tombstones_before;
DROP TABLE tombstones_before;

CREATE INDEX tombstones_revision ON tombstones (revision);

-- Who follows the store compares counts too, so an old tombstone may go.
CREATE TRIGGER tombstones_inserted AFTER INSERT ON tombstones
BEGIN
	DELETE FROM tombstones WHERE revision < NEW.revision - 100000;
END;

-- Connections. Whoever may read the file reads their secrets.

CREATE TABLE connections (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(name AS BLOB)) = length(name)),
	description TEXT NOT NULL DEFAULT '',
	kind TEXT NOT NULL CHECK (kind <> ''),
	settings TEXT NOT NULL DEFAULT '{}'
		CHECK (json_valid(settings) AND json_type(settings) = 'object'
			AND length(CAST(settings AS BLOB)) <= 1048576),
	secrets TEXT NOT NULL DEFAULT '{}'  -- by name: a string, {"file": ...} or {"env": ...}
		CHECK (json_valid(secrets) AND json_type(secrets) = 'object'
			AND length(CAST(secrets AS BLOB)) <= 1048576),
	revision INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX connections_revision ON connections (revision);

CREATE TRIGGER connections_inserted AFTER INSERT ON connections
BEGIN
	DELETE FROM tombstones WHERE kind = 'connection' AND name = NEW.name;
	UPDATE revision_counter SET last = last + 1;
	UPDATE connections SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER connections_updated AFTER UPDATE OF name, description, kind, settings, secrets
ON connections
WHEN NEW.name IS NOT OLD.name OR NEW.description IS NOT OLD.description
	OR NEW.kind IS NOT OLD.kind OR NEW.settings IS NOT OLD.settings
	OR NEW.secrets IS NOT OLD.secrets
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE connections SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER connections_revised AFTER UPDATE OF revision ON connections
WHEN NEW.revision IS NOT (SELECT last FROM revision_counter)
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE connections SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER connections_renamed AFTER UPDATE OF name ON connections
WHEN NEW.name IS NOT OLD.name
BEGIN
	DELETE FROM rule_errors WHERE kind = 'connection' AND name IN (OLD.name, NEW.name);
	DELETE FROM tombstones WHERE kind = 'connection' AND name IN (OLD.name, NEW.name);
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'connection', OLD.name, last FROM revision_counter;
END;

CREATE TRIGGER connections_deleted AFTER DELETE ON connections
BEGIN
	DELETE FROM rule_errors WHERE kind = 'connection' AND name = OLD.name;
	DELETE FROM tombstones WHERE kind = 'connection' AND name = OLD.name;
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'connection', OLD.name, last FROM revision_counter;
END;

-- Targets.

CREATE TABLE bridge_targets (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(name AS BLOB)) = length(name)),
	description TEXT NOT NULL DEFAULT '',
	state TEXT NOT NULL DEFAULT 'ENABLED' CHECK (state IN ('ENABLED', 'DISABLED')),
	queue TEXT NOT NULL DEFAULT ''  -- whose events it takes; '' = the one of its name
		CHECK (length(queue) <= 64 AND queue NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(queue AS BLOB)) = length(queue)),
	kind TEXT NOT NULL CHECK (kind <> ''),
	connection TEXT NOT NULL DEFAULT ''  -- '' = none
		CHECK (length(connection) <= 64 AND connection NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(connection AS BLOB)) = length(connection)),
	settings TEXT NOT NULL DEFAULT '{}'
		CHECK (json_valid(settings) AND json_type(settings) = 'object'
			AND length(CAST(settings AS BLOB)) <= 1048576),
	enrichment TEXT  -- {"kind": ..., "connection": ..., "settings": ..., "into": ...}
		CHECK (enrichment IS NULL OR (json_valid(enrichment) AND json_type(enrichment) = 'object'
			AND length(CAST(enrichment AS BLOB)) <= 1048576)),
	delivery TEXT  -- {"concurrency": ..., ...}; NULL = as usual
		CHECK (delivery IS NULL OR (json_valid(delivery) AND json_type(delivery) = 'object'
			AND length(CAST(delivery AS BLOB)) <= 1048576)),
	revision INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX bridge_targets_revision ON bridge_targets (revision);

CREATE TRIGGER bridge_targets_inserted AFTER INSERT ON bridge_targets
BEGIN
	DELETE FROM tombstones WHERE kind = 'target' AND name = NEW.name;
	UPDATE revision_counter SET last = last + 1;
	UPDATE bridge_targets SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER bridge_targets_updated AFTER UPDATE OF name, description, state, queue, kind,
	connection, settings, enrichment, delivery
ON bridge_targets
WHEN NEW.name IS NOT OLD.name OR NEW.description IS NOT OLD.description
	OR NEW.state IS NOT OLD.state OR NEW.queue IS NOT OLD.queue OR NEW.kind IS NOT OLD.kind
	OR NEW.connection IS NOT OLD.connection OR NEW.settings IS NOT OLD.settings
	OR NEW.enrichment IS NOT OLD.enrichment OR NEW.delivery IS NOT OLD.delivery
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE bridge_targets SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER bridge_targets_revised AFTER UPDATE OF revision ON bridge_targets
WHEN NEW.revision IS NOT (SELECT last FROM revision_counter)
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE bridge_targets SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER bridge_targets_renamed AFTER UPDATE OF name ON bridge_targets
WHEN NEW.name IS NOT OLD.name
BEGIN
	DELETE FROM rule_errors WHERE kind = 'target' AND name IN (OLD.name, NEW.name);
	DELETE FROM tombstones WHERE kind = 'target' AND name IN (OLD.name, NEW.name);
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'target', OLD.name, last FROM revision_counter;
END;

CREATE TRIGGER bridge_targets_deleted AFTER DELETE ON bridge_targets
BEGIN
	DELETE FROM rule_errors WHERE kind = 'target' AND name = OLD.name;
	DELETE FROM tombstones WHERE kind = 'target' AND name = OLD.name;
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'target', OLD.name, last FROM revision_counter;
END;

-- Sources.

CREATE TABLE bridge_sources (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(name AS BLOB)) = length(name)),
	description TEXT NOT NULL DEFAULT '',
	state TEXT NOT NULL DEFAULT 'ENABLED' CHECK (state IN ('ENABLED', 'DISABLED')),
	kind TEXT NOT NULL CHECK (kind <> ''),
	connection TEXT NOT NULL DEFAULT ''  -- '' = none
		CHECK (length(connection) <= 64 AND connection NOT GLOB '*[^A-Za-z0-9._-]*'
			AND length(CAST(connection AS BLOB)) = length(connection)),
	topic TEXT NOT NULL CHECK (topic <> ''),  -- a topic template
	settings TEXT NOT NULL DEFAULT '{}'
		CHECK (json_valid(settings) AND json_type(settings) = 'object'
			AND length(CAST(settings AS BLOB)) <= 1048576),
	revision INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX bridge_sources_revision ON bridge_sources (revision);

CREATE TRIGGER bridge_sources_inserted AFTER INSERT ON bridge_sources
BEGIN
	DELETE FROM tombstones WHERE kind = 'source' AND name = NEW.name;
	UPDATE revision_counter SET last = last + 1;
	UPDATE bridge_sources SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER bridge_sources_updated AFTER UPDATE OF name, description, state, kind, connection,
	topic, settings
ON bridge_sources
WHEN NEW.name IS NOT OLD.name OR NEW.description IS NOT OLD.description
	OR NEW.state IS NOT OLD.state OR NEW.kind IS NOT OLD.kind
	OR NEW.connection IS NOT OLD.connection OR NEW.topic IS NOT OLD.topic
	OR NEW.settings IS NOT OLD.settings
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE bridge_sources SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER bridge_sources_revised AFTER UPDATE OF revision ON bridge_sources
WHEN NEW.revision IS NOT (SELECT last FROM revision_counter)
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE bridge_sources SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;

CREATE TRIGGER bridge_sources_renamed AFTER UPDATE OF name ON bridge_sources
WHEN NEW.name IS NOT OLD.name
BEGIN
	DELETE FROM rule_errors WHERE kind = 'source' AND name IN (OLD.name, NEW.name);
	DELETE FROM tombstones WHERE kind = 'source' AND name IN (OLD.name, NEW.name);
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'source', OLD.name, last FROM revision_counter;
END;

CREATE TRIGGER bridge_sources_deleted AFTER DELETE ON bridge_sources
BEGIN
	DELETE FROM rule_errors WHERE kind = 'source' AND name = OLD.name;
	DELETE FROM tombstones WHERE kind = 'source' AND name = OLD.name;
	UPDATE revision_counter SET last = last + 1;
	INSERT INTO tombstones (kind, name, revision)
		SELECT 'source', OLD.name, last FROM revision_counter;
END;
