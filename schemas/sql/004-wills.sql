-- SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
--
-- Which last wills a bus takes in: a JSON array of topic filters; NULL = none.

ALTER TABLE buses ADD COLUMN will_topics TEXT
	CHECK (will_topics IS NULL OR (json_valid(will_topics) AND json_type(will_topics) = 'array'
		AND length(CAST(will_topics AS BLOB)) <= 1048576));

DROP TRIGGER buses_updated;

CREATE TRIGGER buses_updated AFTER UPDATE OF name, description, topics, exclude,
	deliver_original, archive, will_topics
ON buses
WHEN NEW.name IS NOT OLD.name OR NEW.description IS NOT OLD.description
	OR NEW.topics IS NOT OLD.topics OR NEW.exclude IS NOT OLD.exclude
	OR NEW.deliver_original IS NOT OLD.deliver_original OR NEW.archive IS NOT OLD.archive
	OR NEW.will_topics IS NOT OLD.will_topics
BEGIN
	UPDATE revision_counter SET last = last + 1;
	UPDATE buses SET revision = (SELECT last FROM revision_counter) WHERE name = NEW.name;
END;
