/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "file.h"

#include <errno.h>
#include <stdio.h>

enum sluice_status file_error(struct sluice_error *error)
{
	return sluice_error_set(error, errno == ENOMEM ? SLUICE_ERR_NOMEM : SLUICE_ERR_IO, SIZE_MAX,
	                        NULL, "cannot read: %s", strerror(errno));
}

enum sluice_status file_read(const char *path, struct sluice_buffer *buf,
                             struct sluice_error *error)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!file)
		return file_error(error);
	char block[65536];
	size_t length;
	enum sluice_status status = SLUICE_OK;
	errno = 0;
	while ((length = fread(block, 1, sizeof(block), file)) > 0)
		sluice_buffer_append(buf, block, length);
	if (ferror(file))
		status = file_error(error);
	else if (buf->failed)
		status = sluice_out_of_memory(error);
	if (file != stdin)
		fclose(file);
	return status;
}
