/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <stdlib.h>

#define OPTION "plugin_opt_"

enum { JOURNAL_MAX_LEAST = 4 * 1024 * 1024 };

static enum sluice_status bad_value(struct sluice_error *error, const struct option_line *line,
                                    const char *wanted)
{
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
	                        OPTION "%s is \"%s\", but must be %s", line->key, line->value,
	                        wanted);
}

static enum sluice_status read_bool(const struct option_line *line, bool *value,
                                    struct sluice_error *error)
{
	if (strcmp(line->value, "true") == 0)
		*value = true;
	else if (strcmp(line->value, "false") == 0)
		*value = false;
	else
		return bad_value(error, line, "true or false");
	return SLUICE_OK;
}

static enum sluice_status read_number(const struct option_line *line, int64_t min, int64_t *value,
                                      struct sluice_error *error)
{
	char *end;
	errno = 0;
	long long number = strtoll(line->value, &end, 10);
	if (errno != 0 || end == line->value || *end != '\0' || number < min)
		return bad_value(error, line,
		                 min == 0 ? "a whole number, 0 or more"
		                          : "a whole number, 1 or more");
	*value = number;
	return SLUICE_OK;
}

static enum sluice_status read_path(const struct option_line *line, char **value,
                                    struct sluice_error *error)
{
	/* The broker changes its directory when it daemonizes: a relative path would mean two
	 * files. */
	if (line->value[0] != '/')
		return bad_value(error, line, "an absolute path");
	free(*value);
	*value = strdup(line->value);
	return *value ? SLUICE_OK
	              : sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
}

static enum sluice_status read_users(const struct option_line *line, struct options *options,
                                     struct sluice_error *error)
{
	const char *at = line->value;
	while (*at) {
		at += strspn(at, ", \t");
		size_t length = strcspn(at, ",");
		const char *next = at + length;
		while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t'))
			length--;
		if (length > 0) {
			char **users = realloc(options->control_users,
			                       (options->control_user_count + 1) * sizeof *users);
			if (!users)
				goto error_memory;
			options->control_users = users;
			users[options->control_user_count] = strndup(at, length);
			if (!users[options->control_user_count])
				goto error_memory;
			options->control_user_count++;
		}
		at = next;
	}
	return SLUICE_OK;

error_memory:
	return sluice_error_set(error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
}

static enum sluice_status read_journal_max(const struct option_line *line, struct options *options,
                                           struct sluice_error *error)
{
	enum sluice_status status = read_number(line, 1, &options->journal_max, error);
	if (status == SLUICE_OK && options->journal_max < JOURNAL_MAX_LEAST)
		return bad_value(error, line, "at least 4194304 bytes");
	return status;
}

static enum sluice_status read_durability(const struct option_line *line, struct options *options,
                                          struct sluice_error *error)
{
	if (strcmp(line->value, "process") == 0) {
		options->durability = SLUICE_DURABLE_PROCESS;
	} else if (strcmp(line->value, "power") == 0) {
		options->durability = SLUICE_DURABLE_POWER;
	} else {
		const struct option_line ms = { line->key, line->value + strlen("batch:") };
		if (strncmp(line->value, "batch:", strlen("batch:")) != 0 ||
		    read_number(&ms, 1, &options->sync_ms, NULL) != SLUICE_OK)
			return bad_value(error, line, "process, power, or batch: and milliseconds");
		options->durability = SLUICE_DURABLE_BATCH;
	}
	return SLUICE_OK;
}

static enum sluice_status read_line(struct options *options, const struct option_line *line,
                                    struct sluice_error *error)
{
	const char *key = line->key;
	const char *value = line->value;
	if (strcmp(key, "db_file") == 0)
		return read_path(line, &options->db_file, error);
	if (strcmp(key, "on_bad_store") == 0) {
		options->continue_on_bad_store = strcmp(value, "continue") == 0;
		if (!options->continue_on_bad_store && strcmp(value, "refuse") != 0)
			return bad_value(error, line, "refuse or continue");
		return SLUICE_OK;
	}
	if (strcmp(key, "control_access") == 0) {
		if (strcmp(value, "auto") == 0)
			options->control_access = CONTROL_AUTO;
		else if (strcmp(value, "acl") == 0)
			options->control_access = CONTROL_ACL;
		else if (strcmp(value, "none") == 0)
			options->control_access = CONTROL_NONE;
		else
			return bad_value(error, line, "auto, acl or none");
		return SLUICE_OK;
	}
	if (strcmp(key, "control_users") == 0)
		return read_users(line, options, error);
	if (strcmp(key, "protect_targets") == 0)
		return read_bool(line, &options->protect_targets, error);
	if (strcmp(key, "sys_interval") == 0)
		return read_number(line, 0, &options->sys_interval_s, error);
	if (strcmp(key, "max_deliveries") == 0)
		return read_number(line, 1, &options->max_deliveries, error);
	if (strcmp(key, "max_delivery_bytes") == 0)
		return read_number(line, 1, &options->max_delivery_bytes, error);
	if (strcmp(key, "max_bus_visits") == 0)
		return read_number(line, 1, &options->max_bus_visits, error);
	if (strcmp(key, "data_file") == 0)
		return read_path(line, &options->data_file, error);
	if (strcmp(key, "journal_dir") == 0)
		return read_path(line, &options->journal_dir, error);
	if (strcmp(key, "journal_max") == 0)
		return read_journal_max(line, options, error);
	if (strcmp(key, "durability") == 0)
		return read_durability(line, options, error);
	return sluice_error_set(
	        error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
	        "unknown option " OPTION "%s; there are db_file, on_bad_store, control_access, "
	        "control_users, protect_targets, sys_interval, max_deliveries, max_delivery_bytes, "
	        "max_bus_visits, data_file, journal_dir, journal_max and durability",
	        key);
}

/* /var/lib/sluice.db -> /var/lib/sluice-data.db, unless it was named. False when out of memory. */
static bool beside(const struct options *options, char **path, const char *suffix)
{
	size_t len = strlen(options->db_file);
	if (*path)
		return true;
	if (len > 3 && strcmp(options->db_file + len - 3, ".db") == 0)
		len -= 3;
	*path = malloc(len + strlen(suffix) + 1);
	if (!*path)
		return false;
	memcpy(*path, options->db_file, len);
	memcpy(*path + len, suffix, strlen(suffix) + 1);
	return true;
}

enum sluice_status options_init(struct options *options, const struct option_line *lines,
                                size_t count, struct sluice_error *error)
{
	*options = (struct options){
		.control_access = CONTROL_AUTO,
		.sys_interval_s = 10,
		.max_deliveries = 10000,
		.max_delivery_bytes = 64 * 1024 * 1024,
		.max_bus_visits = 256,
		.journal_max = 256 * 1024 * 1024,
	};
	for (size_t i = 0; i < count; i++) {
		struct option_line line = { lines[i].key, lines[i].value ? lines[i].value : "" };
		enum sluice_status status = read_line(options, &line, error);
		if (status != SLUICE_OK) {
			options_finish(options);
			return status;
		}
	}
	if (!options->db_file) {
		options_finish(options);
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                        OPTION "db_file is missing: the absolute path of the store "
		                               "with the rules");
	}
	if (!beside(options, &options->data_file, "-data.db") ||
	    !beside(options, &options->journal_dir, "-journal")) {
		options_finish(options);
		return sluice_out_of_memory(error);
	}
	return SLUICE_OK;
}

void options_finish(struct options *options)
{
	free(options->db_file);
	free(options->data_file);
	free(options->journal_dir);
	for (size_t i = 0; i < options->control_user_count; i++)
		free(options->control_users[i]);
	free(options->control_users);
	*options = (struct options){ 0 };
}

bool options_equal(const struct options *a, const struct options *b)
{
	if (strcmp(a->db_file, b->db_file) != 0 ||
	    a->continue_on_bad_store != b->continue_on_bad_store ||
	    a->control_access != b->control_access || a->protect_targets != b->protect_targets ||
	    a->sys_interval_s != b->sys_interval_s || a->max_deliveries != b->max_deliveries ||
	    a->max_delivery_bytes != b->max_delivery_bytes ||
	    a->max_bus_visits != b->max_bus_visits || strcmp(a->data_file, b->data_file) != 0 ||
	    strcmp(a->journal_dir, b->journal_dir) != 0 || a->journal_max != b->journal_max ||
	    a->durability != b->durability || a->sync_ms != b->sync_ms ||
	    a->control_user_count != b->control_user_count)
		return false;
	for (size_t i = 0; i < a->control_user_count; i++) {
		if (strcmp(a->control_users[i], b->control_users[i]) != 0)
			return false;
	}
	return true;
}
