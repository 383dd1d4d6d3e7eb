/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Whole files, or standard input ("-"), of any length, NULs included. */
#ifndef CLIENT_FILE_H
#define CLIENT_FILE_H

#include "sluice/buffer.h"

/* Reads all of a file into buf. SLUICE_ERR_IO, _NOMEM, with a message that does not name the file. */
enum sluice_status file_read(const char *path, struct sluice_buffer *buf,
                             struct sluice_error *error);

/* What errno says, as SLUICE_ERR_IO. */
enum sluice_status file_error(struct sluice_error *error);

#endif
