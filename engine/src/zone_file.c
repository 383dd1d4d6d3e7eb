/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * The one place where the engine reads a file: when a rule is parsed that names a time zone, which is
 * never on an event's way.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quote.h"
#include "zone.h"

#define FOLDER "/usr/share/zoneinfo/"

/* Parts of letters, digits, '_', '+' and '-' with '/' between them: no way out of the folder. */
static bool name_valid(struct sluice_str name)
{
	char before = '/';

	if (name.len == 0 || name.len > SLUICE_ZONE_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		             (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';

		if (!plain && !(c == '/' && before != '/'))
			return false;
		before = c;
	}
	return before != '/';
}

/* The file's bytes, in the arena; absent when there is none that could be a zone. */
static struct sluice_str read_file(const char *path, struct sluice_arena *arena, bool *no_memory)
{
	struct sluice_str bytes = { NULL, 0 };
	struct stat file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return bytes;
	if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0 &&
	    file.st_size <= SLUICE_ZONE_FILE_MAX) {
		size_t size = (size_t)file.st_size;
		char *text = sluice_arena_bytes(arena, size);

		*no_memory = !text;
		if (text && read(fd, text, size) == (ssize_t)size)
			bytes = (struct sluice_str){ text, size };
	}
	close(fd);
	return bytes;
}

enum sluice_status sluice_zone_read(struct sluice_str name, struct sluice_arena *arena,
                                    struct sluice_zone **zone, struct sluice_error *error)
{
	char path[sizeof(FOLDER) + SLUICE_ZONE_NAME_MAX], shown[SLUICE_QUOTE_SIZE];
	bool no_memory = false;

	*zone = sluice_arena_alloc(arena, 1, sizeof(**zone));
	if (!*zone)
		return sluice_out_of_memory(error);
	if (sluice_str_equal(name, SLUICE_STR("UTC")))
		return SLUICE_OK;
	/* What is read goes with this: what is kept is in the other. */
	struct sluice_arena *scratch = sluice_arena_create();
	if (!scratch)
		return sluice_out_of_memory(error);
	struct sluice_str bytes = { NULL, 0 };
	if (name_valid(name)) {
		snprintf(path, sizeof(path), FOLDER "%.*s", (int)name.len, name.data);
		bytes = read_file(path, scratch, &no_memory);
	}
	enum sluice_status status = no_memory ? SLUICE_ERR_NOMEM : SLUICE_OK;
	if (!status && !bytes.data)
		status = sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                          "there is no time zone %s in " FOLDER,
		                          sluice_quote(name, shown));
	else if (!status && (status = sluice_zone_parse(bytes, arena, *zone)) == SLUICE_ERR_INVALID)
		sluice_error_set(error, status, SIZE_MAX, NULL, "%s is no time zone file", path);
	if (status == SLUICE_ERR_NOMEM)
		sluice_out_of_memory(error);
	sluice_arena_destroy(scratch);
	return status;
}
