-- SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
--
-- Queues of which more was purged than one transaction should delete: what is ready and has an id up to
-- this one is not there, though its rows are. They go in small steps, and then the row here.
CREATE TABLE purges (
	queue INTEGER PRIMARY KEY,
	up_to INTEGER NOT NULL
) STRICT;
