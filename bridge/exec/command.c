/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "command.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

static enum sluice_status invalid(struct sluice_error *error, const char *place, const char *why)
{
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, place, "%s", why);
}

/* A copy with its NUL. What holds a NUL itself would be another text for the system. */
static enum sluice_status copy_text(struct command *command, struct sluice_str text,
                                    const char *place, char **copy, struct sluice_error *error)
{
	if (text.len > 0 && memchr(text.data, '\0', text.len))
		return invalid(error, place, "must hold no NUL");
	*copy = sluice_arena_bytes(command->arena, text.len + 1);
	if (!*copy)
		return sluice_out_of_memory(error);
	if (text.len > 0)
		memcpy(*copy, text.data, text.len);
	(*copy)[text.len] = '\0';
	return SLUICE_OK;
}

static enum sluice_status read_arguments(struct command *command, const struct sluice_json *list,
                                         struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	size_t count = 0;

	if (!list || list->count == 0)
		return invalid(error, "$.command", "there is no command");
	command->argv = sluice_arena_alloc(command->arena, list->count + 1, sizeof(char *));
	if (!command->argv)
		return sluice_out_of_memory(error);
	for (const struct sluice_json *word = list->first; word && !status; word = word->next)
		status = copy_text(command, word->string, "$.command", &command->argv[count++],
		                   error);
	return status;
}

/* --- the environment --- */

static bool named(const char *variable, const char *name)
{
	size_t len = strlen(name);

	return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

static const char *find_variable(const struct command *command, const char *name)
{
	for (size_t i = 0; i < command->environment_count; i++)
		if (named(command->environment[i], name))
			return command->environment[i] + strlen(name) + 1;
	return NULL;
}

static enum sluice_status add_variable(struct command *command, struct sluice_str name,
                                       struct sluice_str value, struct sluice_error *error)
{
	struct sluice_buffer text = { 0 };
	enum sluice_status status;

	if (name.len == 0 || memchr(name.data, '=', name.len))
		return invalid(error, "$.environment", "a variable's name must be no \"…=…\"");
	sluice_buffer_append_str(&text, name);
	sluice_buffer_append_text(&text, "=");
	sluice_buffer_append_str(&text, value);
	if (text.failed)
		status = sluice_out_of_memory(error);
	else
		status = copy_text(command, sluice_buffer_str(&text), "$.environment",
		                   &command->environment[command->environment_count], error);
	sluice_buffer_finish(&text);
	if (status == SLUICE_OK)
		command->environment_count++;
	return status;
}

/* What is said, and of the bridge's own no more than tells of the place: nothing that was meant for
 * it alone reaches a command. */
static enum sluice_status read_environment(struct command *command, const struct sluice_json *said,
                                           struct sluice_error *error)
{
	static const char *const inherited[] = { "PATH", "LANG", "TZ" };
	enum { INHERITED = sizeof(inherited) / sizeof(inherited[0]) };
	size_t count = said ? said->count : 0;
	enum sluice_status status = SLUICE_OK;

	command->environment =
	        sluice_arena_alloc(command->arena, count + INHERITED + 1, sizeof(char *));
	if (!command->environment)
		return sluice_out_of_memory(error);
	for (const struct sluice_json *one = said ? said->first : NULL; one && !status;
	     one = one->next)
		status = add_variable(command, one->key, one->string, error);
	for (size_t i = 0; i < INHERITED && !status; i++) {
		const char *value = getenv(inherited[i]);

		if (!value && i == 0)
			value = default_path;
		if (value && !find_variable(command, inherited[i]))
			status = add_variable(command, sluice_str(inherited[i]), sluice_str(value),
			                      error);
	}
	return status;
}

/* --- the program --- */

static bool is_program(const char *path)
{
	struct stat about;

	return stat(path, &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & 0111);
}

/* A name without a slash is looked for in the command's own PATH, as a shell would. */
static enum sluice_status find_program(struct command *command, struct sluice_error *error)
{
	const char *name = command->argv[0];
	const char *at = find_variable(command, "PATH");
	char path[4096];

	if (strchr(name, '/')) {
		command->path = command->argv[0];
		if (name[0] != '/' || is_program(name))
			return SLUICE_OK;
		at = NULL;
	}
	while (at && *at && *name) {
		size_t len = strcspn(at, ":");
		int size = snprintf(path, sizeof(path), "%.*s/%s", (int)len, at, name);

		if (len > 0 && size > 0 && (size_t)size < sizeof(path) && is_program(path))
			return copy_text(command, sluice_str(path), "$.command", &command->path,
			                 error);
		at += len + (at[len] == ':');
	}
	return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, "$.command[0]",
	                        "there is no program %s", name);
}

/* --- as whom --- */

static enum sluice_status no_such(const char *what, const char *name, struct sluice_error *error)
{
	char place[16];

	snprintf(place, sizeof(place), "$.%s", what);
	return sluice_error_set(error, SLUICE_ERR_NOT_FOUND, SIZE_MAX, place, "there is no %s %s",
	                        what, name);
}

static enum sluice_status read_groups(struct command *command, const char *user,
                                      struct sluice_error *error)
{
	int count = COMMAND_GROUPS_MAX;

	command->groups = sluice_arena_alloc(command->arena, COMMAND_GROUPS_MAX, sizeof(gid_t));
	if (!command->groups)
		return sluice_out_of_memory(error);
	if (getgrouplist(user, command->gid, command->groups, &count) < 0)
		return invalid(error, "$.user", "is in too many groups");
	command->group_count = (size_t)count;
	return SLUICE_OK;
}

static enum sluice_status read_user(struct command *command, struct sluice_str user_name,
                                    struct sluice_str group_name, struct sluice_error *error)
{
	char *user = NULL, *group = NULL;
	enum sluice_status status = SLUICE_OK;

	command->uid = geteuid();
	command->gid = getegid();
	if (user_name.data)
		status = copy_text(command, user_name, "$.user", &user, error);
	if (group_name.data && !status)
		status = copy_text(command, group_name, "$.group", &group, error);
	if (status)
		return status;
	if (geteuid() == 0 && !user)
		/* A definition that forgot it would run with all rights. */
		return invalid(error, "$.user",
		               "the bridge is root: say as which user the command is to run");
	if (user) {
		const struct passwd *entry = getpwnam(user);

		if (!entry)
			return no_such("user", user, error);
		command->uid = entry->pw_uid;
		command->gid = entry->pw_gid;
	}
	if (group) {
		const struct group *entry = getgrnam(group);

		if (!entry)
			return no_such("group", group, error);
		command->gid = entry->gr_gid;
	}
	if (geteuid() != 0 && (command->uid != geteuid() || command->gid != getegid()))
		return invalid(error, user ? "$.user" : "$.group",
		               "only a bridge that is root runs commands as somebody else");
	command->changes_user = geteuid() == 0;
	return user ? read_groups(command, user, error) : SLUICE_OK;
}

static void read_limits(struct command *command, const struct sluice_json *limits)
{
	static const struct {
		const char *name;
		int resource;
	} known[COMMAND_LIMITS] = {
		{ "cpu_s", RLIMIT_CPU },
		{ "memory_bytes", RLIMIT_AS },
		{ "files", RLIMIT_NOFILE },
		{ "processes", RLIMIT_NPROC },
	};

	for (size_t i = 0; i < COMMAND_LIMITS; i++) {
		int64_t value;

		if (sluice_json_integer(sluice_json_get(limits, known[i].name), 0, INT64_MAX,
		                        &value))
			command->limits[command->limit_count++] =
			        (struct command_limit){ known[i].resource, (rlim_t)value };
	}
}

enum sluice_status command_create(const struct sluice_json *settings, struct command **command,
                                  struct sluice_error *error)
{
	struct sluice_str directory = sluice_setting_text(settings, "directory");
	struct sluice_arena *arena = sluice_arena_create();
	struct command *made = arena ? sluice_arena_alloc(arena, 1, sizeof(*made)) : NULL;
	enum sluice_status status;

	*command = NULL;
	if (!made) {
		sluice_arena_destroy(arena);
		return sluice_out_of_memory(error);
	}
	made->arena = arena;
	if (!directory.data)
		directory = SLUICE_STR("/");
	if ((status = read_arguments(made, sluice_setting_node(settings, "command"), error)) ||
	    (status = copy_text(made, directory, "$.directory", &made->directory, error)) ||
	    (status =
	             read_environment(made, sluice_setting_node(settings, "environment"), error)) ||
	    (status = find_program(made, error)) ||
	    (status = read_user(made, sluice_setting_text(settings, "user"),
	                        sluice_setting_text(settings, "group"), error))) {
		command_destroy(made);
		return status;
	}
	read_limits(made, sluice_setting_node(settings, "limits"));
	*command = made;
	return SLUICE_OK;
}

void command_destroy(struct command *command)
{
	if (command)
		sluice_arena_destroy(command->arena);
}
