/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * Before the stream: what the session's texts look like, whether publication and slot are there, and,
 * with "create", making them. The publication comes first: a slot that is older than it would find
 * changes in the log that were published by nothing, and stop at them.
 *
 * A table is not published without a REPLICA IDENTITY, as PostgreSQL would then refuse every UPDATE and
 * DELETE of it, to whoever made them.
 */
#include "postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_IDENTITY                                                                                \
	"(c.relreplident = 'n' OR c.relreplident = 'd' AND NOT EXISTS "                            \
	"(SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary))"

static enum sluice_status invalid(struct sluice_error *error, const char *format, const char *first,
                                  const char *second)
{
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, format, first, second);
}

void postgres_result_error(const PGresult *result, struct sluice_error *error)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

	(void)sluice_error_set(error, SLUICE_ERR_IO, SIZE_MAX, NULL, "%s%s%s",
	                       message ? message : "PostgreSQL ended the connection",
	                       hint ? ". " : "", hint ? hint : "");
}

static void append_literal(struct postgres_inlet *inlet, struct sluice_buffer *out,
                           struct sluice_str text)
{
	char *literal = PQescapeLiteral(inlet->connection, text.data, text.len);

	if (literal)
		sluice_buffer_append_text(out, literal);
	else
		out->failed = true;
	PQfreemem(literal);
}

static void append_identifier(struct postgres_inlet *inlet, struct sluice_buffer *out,
                              const char *name)
{
	char *identifier = PQescapeIdentifier(inlet->connection, name, strlen(name));

	if (identifier)
		sluice_buffer_append_text(out, identifier);
	else
		out->failed = true;
	PQfreemem(identifier);
}

static bool is_true(const PGresult *result, int row, int column)
{
	return PQgetvalue(result, row, column)[0] == 't';
}

/* --- the session --- */

static enum sluice_status ask_session(struct postgres_inlet *inlet, struct sluice_buffer *command,
                                      struct sluice_error *error)
{
	(void)inlet, (void)error;
	sluice_buffer_append_text(command,
	                          "SET datestyle = 'ISO, YMD'; SET intervalstyle = postgres; "
	                          "SET extra_float_digits = 3; SET bytea_output = hex; "
	                          "SET timezone = 'UTC'; SET statement_timeout = 0; "
	                          "SET lock_timeout = '30s'");
	return SLUICE_OK;
}

static enum sluice_status take_session(struct postgres_inlet *inlet, const PGresult *result,
                                       struct sluice_error *error)
{
	(void)inlet, (void)result, (void)error;
	return SLUICE_OK;
}

static enum sluice_status ask_system(struct postgres_inlet *inlet, struct sluice_buffer *command,
                                     struct sluice_error *error)
{
	(void)inlet, (void)error;
	sluice_buffer_append_text(command, "IDENTIFY_SYSTEM");
	return SLUICE_OK;
}

static enum sluice_status take_system(struct postgres_inlet *inlet, const PGresult *result,
                                      struct sluice_error *error)
{
	struct sluice_buffer prefix = { 0 };
	const char *system, *timeline;

	if (PQntuples(result) != 1 || PQnfields(result) < 4)
		return invalid(error, "the server does not say which it is%s%s", "", "");
	system = PQgetvalue(result, 0, 0);
	timeline = PQgetvalue(result, 0, 1);
	if (inlet->decoder && strcmp(inlet->system, system) == 0 &&
	    strtoul(timeline, NULL, 10) == inlet->timeline) {
		pgoutput_reset(inlet->decoder);
		return SLUICE_OK;
	}
	/* Another cluster, or one that was brought back to an earlier time, has another log: its places
	 * are not ours. */
	pgoutput_destroy(inlet->decoder);
	inlet->decoder = NULL;
	inlet->taken = (struct pgoutput_place){ 0, 0 };
	inlet->confirmed = 0;
	free(inlet->system);
	inlet->system = strdup(system);
	inlet->timeline = strtoul(timeline, NULL, 10);
	/* Two slots count the changes of a transaction differently, as their publications do. */
	sluice_buffer_printf(&prefix, "%s-%s", system, inlet->slot);
	if (inlet->system && !prefix.failed)
		inlet->decoder = pgoutput_create(sluice_str(PQgetvalue(result, 0, 3)),
		                                 sluice_buffer_str(&prefix));
	sluice_buffer_finish(&prefix);
	return inlet->decoder ? SLUICE_OK : sluice_out_of_memory(error);
}

/* --- the publication --- */

static enum sluice_status ask_publication(struct postgres_inlet *inlet,
                                          struct sluice_buffer *command, struct sluice_error *error)
{
	(void)error;
	inlet->has_publication = false;
	sluice_buffer_append_text(command, "SELECT FROM pg_publication WHERE pubname = ");
	append_literal(inlet, command, sluice_str(inlet->publication));
	return SLUICE_OK;
}

static enum sluice_status take_publication(struct postgres_inlet *inlet, const PGresult *result,
                                           struct sluice_error *error)
{
	inlet->has_publication = PQntuples(result) > 0;
	if (!inlet->has_publication && !inlet->create)
		return invalid(error, "there is no publication \"%s\"%s", inlet->publication, "");
	return SLUICE_OK;
}

/* name, as SQL writes it (null: there is none), lacks an identity, is published */
static void ask_named_tables(struct postgres_inlet *inlet, struct sluice_buffer *command)
{
	sluice_buffer_append_text(command, "SELECT t.name, c.oid::regclass, " NO_IDENTITY
	                                   ", EXISTS (SELECT FROM pg_publication_rel r JOIN "
	                                   "pg_publication p ON p.oid = r.prpubid WHERE "
	                                   "r.prrelid = c.oid AND p.pubname = ");
	append_literal(inlet, command, sluice_str(inlet->publication));
	sluice_buffer_append_text(command,
	                          ") OR EXISTS (SELECT FROM pg_publication_tables v WHERE "
	                          "(v.schemaname, v.tablename) = (n.nspname, c.relname) AND "
	                          "v.pubname = ");
	append_literal(inlet, command, sluice_str(inlet->publication));
	sluice_buffer_append_text(command, ") FROM (VALUES ");
	for (const struct sluice_json *table = inlet->tables->first; table; table = table->next) {
		sluice_buffer_append_text(command, table == inlet->tables->first ? "(" : ", (");
		append_literal(inlet, command, table->string);
		sluice_buffer_append_text(command, "::text)");
	}
	sluice_buffer_append_text(command, ") AS t(name) LEFT JOIN pg_class c ON c.oid = "
	                                   "to_regclass(t.name) LEFT JOIN pg_namespace n ON "
	                                   "n.oid = c.relnamespace");
}

static enum sluice_status ask_tables(struct postgres_inlet *inlet, struct sluice_buffer *command,
                                     struct sluice_error *error)
{
	(void)error;
	sluice_buffer_reset(&inlet->missing_tables);
	if (inlet->tables)
		ask_named_tables(inlet, command);
	else if (!inlet->has_publication)
		sluice_buffer_append_text(
		        command,
		        "SELECT c.oid::regclass, c.oid::regclass, true, false FROM pg_class c JOIN "
		        "pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
		        "AND "
		        "c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND "
		        "n.nspname NOT LIKE 'pg\\_%' AND " NO_IDENTITY " LIMIT 1");
	return SLUICE_OK;
}

static enum sluice_status take_tables(struct postgres_inlet *inlet, const PGresult *result,
                                      struct sluice_error *error)
{
	for (int i = 0; i < PQntuples(result); i++) {
		const char *name = PQgetvalue(result, i, 0), *table = PQgetvalue(result, i, 1);
		if (PQgetisnull(result, i, 1))
			return invalid(error, "there is no table \"%s\"%s", name, "");
		if (is_true(result, i, 3))
			continue;
		if (!inlet->create)
			return invalid(error, "table %s is not in publication \"%s\"", table,
			               inlet->publication);
		if (is_true(result, i, 2))
			return invalid(
			        error,
			        "table %s has no primary key, and published so it would take "
			        "no UPDATE or DELETE: say ALTER TABLE %s REPLICA IDENTITY FULL",
			        table, table);
		sluice_buffer_append_text(&inlet->missing_tables,
		                          inlet->missing_tables.len > 0 ? ", " : "");
		sluice_buffer_append_text(&inlet->missing_tables, table);
	}
	return inlet->missing_tables.failed ? sluice_out_of_memory(error) : SLUICE_OK;
}

static enum sluice_status ask_publish(struct postgres_inlet *inlet, struct sluice_buffer *command,
                                      struct sluice_error *error)
{
	(void)error;
	if (inlet->has_publication && inlet->missing_tables.len == 0)
		return SLUICE_OK;
	sluice_buffer_append_text(command, inlet->has_publication ? "ALTER PUBLICATION "
	                                                          : "CREATE PUBLICATION ");
	append_identifier(inlet, command, inlet->publication);
	if (inlet->missing_tables.len > 0) {
		sluice_buffer_append_text(command,
		                          inlet->has_publication ? " ADD TABLE " : " FOR TABLE ");
		sluice_buffer_append_str(command, sluice_buffer_str(&inlet->missing_tables));
	} else {
		sluice_buffer_append_text(command, " FOR ALL TABLES");
	}
	return SLUICE_OK;
}

/* --- keys --- */

static enum sluice_status ask_keys(struct postgres_inlet *inlet, struct sluice_buffer *command,
                                   struct sluice_error *error)
{
	(void)error;
	sluice_buffer_append_text(
	        command,
	        "SELECT c.oid, (SELECT json_agg(a.attname) FROM pg_attribute a WHERE "
	        "a.attrelid = c.oid AND a.attnum = ANY (i.indkey)) FROM pg_publication_tables v "
	        "JOIN pg_namespace n ON n.nspname = v.schemaname JOIN pg_class c ON "
	        "c.relnamespace = n.oid AND c.relname = v.tablename JOIN pg_index i ON "
	        "i.indrelid = c.oid AND i.indisprimary WHERE c.relreplident = 'f' AND v.pubname "
	        "= ");
	append_literal(inlet, command, sluice_str(inlet->publication));
	return SLUICE_OK;
}

static enum sluice_status take_keys(struct postgres_inlet *inlet, const PGresult *result,
                                    struct sluice_error *error)
{
	for (int i = 0; i < PQntuples(result); i++) {
		uint32_t oid = (uint32_t)strtoul(PQgetvalue(result, i, 0), NULL, 10);
		enum sluice_status status = pgoutput_set_key(
		        inlet->decoder, oid, sluice_str(PQgetvalue(result, i, 1)), error);
		if (status != SLUICE_OK)
			return status;
	}
	return SLUICE_OK;
}

/* --- the slot --- */

static enum sluice_status ask_slot(struct postgres_inlet *inlet, struct sluice_buffer *command,
                                   struct sluice_error *error)
{
	(void)error;
	inlet->has_slot = false;
	sluice_buffer_append_text(
	        command,
	        "SELECT plugin, database = current_database(), active, active_pid, wal_status "
	        "FROM pg_replication_slots WHERE slot_name = ");
	append_literal(inlet, command, sluice_str(inlet->slot));
	return SLUICE_OK;
}

static enum sluice_status take_slot(struct postgres_inlet *inlet, const PGresult *result,
                                    struct sluice_error *error)
{
	inlet->has_slot = PQntuples(result) > 0;
	if (!inlet->has_slot)
		return inlet->create ? SLUICE_OK
		                     : invalid(error, "there is no slot \"%s\"%s", inlet->slot, "");
	if (strcmp(PQgetvalue(result, 0, 0), "pgoutput") != 0 || !is_true(result, 0, 1))
		return invalid(error, "slot \"%s\" is not of pgoutput and this database%s",
		               inlet->slot, "");
	if (is_true(result, 0, 2))
		return sluice_error_set(error, SLUICE_ERR_BUSY, SIZE_MAX, NULL,
		                        "slot \"%s\" is in use by another (server process %s): "
		                        "waiting for it",
		                        inlet->slot, PQgetvalue(result, 0, 3));
	if (strcmp(PQgetvalue(result, 0, 4), "lost") == 0)
		return invalid(error,
		               "slot \"%s\" was away for more than max_slot_wal_keep_size, and "
		               "changes are lost: drop it to go on with those from now on%s",
		               inlet->slot, "");
	return SLUICE_OK;
}

static enum sluice_status ask_create_slot(struct postgres_inlet *inlet,
                                          struct sluice_buffer *command, struct sluice_error *error)
{
	(void)error;
	if (inlet->has_slot)
		return SLUICE_OK;
	sluice_buffer_append_text(command, "CREATE_REPLICATION_SLOT ");
	append_identifier(inlet, command, inlet->slot);
	sluice_buffer_append_text(command, " LOGICAL pgoutput NOEXPORT_SNAPSHOT");
	return SLUICE_OK;
}

static enum sluice_status ask_start(struct postgres_inlet *inlet, struct sluice_buffer *command,
                                    struct sluice_error *error)
{
	struct sluice_buffer names = { 0 };

	(void)error;
	/* A list of names, each as an identifier, within a literal. */
	append_identifier(inlet, &names, inlet->publication);
	sluice_buffer_append_text(command, "START_REPLICATION SLOT ");
	append_identifier(inlet, command, inlet->slot);
	sluice_buffer_printf(command, " LOGICAL %" PRIX32 "/%" PRIX32,
	                     (uint32_t)(inlet->confirmed >> 32), (uint32_t)inlet->confirmed);
	sluice_buffer_append_text(command, " (proto_version '1', publication_names ");
	append_literal(inlet, command, sluice_buffer_str(&names));
	sluice_buffer_append_text(command, ")");
	command->failed = command->failed || names.failed;
	sluice_buffer_finish(&names);
	return SLUICE_OK;
}

const struct postgres_step postgres_steps[] = {
	{ ask_session, take_session },
	{ ask_system, take_system },
	{ ask_publication, take_publication },
	{ ask_tables, take_tables },
	{ ask_publish, take_session },
	{ ask_keys, take_keys },
	{ ask_slot, take_slot },
	{ ask_create_slot, take_session },
	{ ask_start, take_session },
};
const size_t postgres_step_count = sizeof(postgres_steps) / sizeof(postgres_steps[0]);
