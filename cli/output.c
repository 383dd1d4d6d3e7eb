/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int64_t clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

enum cli_exit fail(const struct cli *cli, enum cli_exit code, const char *subject,
                   const struct sluice_error *error)
{
	if (cli && cli->json) {
		struct sluice_buffer buf = { 0 };
		char text[sizeof(error->message) + 512];
		snprintf(text, sizeof(text), "%s%s%s", subject ? subject : "", subject ? ": " : "",
		         error->message);
		sluice_buffer_append_text(&buf, "{\"error\":");
		sluice_json_write_string(&buf, sluice_str(text));
		sluice_buffer_append_text(&buf, ",\"code\":");
		sluice_json_write_string(&buf, sluice_str(sluice_status_name(error->code)));
		if (error->place[0]) {
			sluice_buffer_append_text(&buf, ",\"place\":");
			sluice_json_write_string(&buf, sluice_str(error->place));
		}
		sluice_buffer_append_text(&buf, "}");
		if (!buf.failed)
			fprintf(stderr, "%s\n", buf.data);
		sluice_buffer_finish(&buf);
		return code;
	}
	char text[sizeof(error->message) + sizeof(error->place) + 512];
	sluice_error_format(error, subject, text, sizeof(text));
	fprintf(stderr, "sluice: %s\n", text);
	return code;
}

enum cli_exit fail_usage(const struct cli *cli, const char *format, ...)
{
	struct sluice_error error;
	char message[sizeof(error.message)];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	sluice_error_set(&error, SLUICE_ERR_INVALID, SIZE_MAX, NULL, "%s", message);
	fail(cli, CLI_USAGE, NULL, &error);
	if (!cli || !cli->json) {
		char title[64];
		fprintf(stderr, "Try 'sluice %s%s--help'.\n",
		        cli ? verb_title(cli->verb, title, sizeof(title)) : "", cli ? " " : "");
	}
	return CLI_USAGE;
}

enum cli_exit fail_memory(const struct cli *cli)
{
	struct sluice_error error;
	sluice_error_set(&error, SLUICE_ERR_NOMEM, SIZE_MAX, NULL, "out of memory");
	return fail(cli, CLI_SYSTEM, NULL, &error);
}

enum cli_exit exit_of_input(enum sluice_status status)
{
	switch (status) {
	case SLUICE_OK:
		return CLI_OK;
	case SLUICE_ERR_NOMEM:
	case SLUICE_ERR_IO:
		return CLI_SYSTEM;
	default:
		return CLI_INVALID;
	}
}

static enum cli_exit output_failed(const struct cli *cli)
{
	static bool told;
	struct sluice_error error;
	/* Whoever read the pipe has had enough (`| head`): nobody is left to be told. */
	told = told || errno == EPIPE;
	if (!told) {
		told = true;
		/* What stdio kept for later may have failed without a trace in errno. */
		sluice_error_set(&error, SLUICE_ERR_IO, SIZE_MAX, NULL, "cannot write%s%s",
		                 errno ? ": " : "", errno ? strerror(errno) : "");
		fail(cli, CLI_SYSTEM, "standard output", &error);
	}
	return CLI_SYSTEM;
}

static enum cli_exit put(const struct cli *cli, struct sluice_buffer *buf, const char *end)
{
	if (buf->failed) {
		sluice_buffer_reset(buf);
		return fail_memory(cli);
	}
	struct sluice_str text = sluice_buffer_str(buf);
	errno = 0;
	if (fwrite(text.data, 1, text.len, stdout) != text.len || fputs(end, stdout) == EOF)
		return output_failed(cli);
	sluice_buffer_reset(buf);
	return CLI_OK;
}

enum cli_exit output_line(const struct cli *cli, struct sluice_buffer *line)
{
	return put(cli, line, "\n");
}

enum cli_exit output_text(const struct cli *cli, struct sluice_buffer *text)
{
	enum cli_exit code = put(cli, text, "");
	return code == CLI_OK ? output_flush(cli) : code;
}

enum cli_exit output_flush(const struct cli *cli)
{
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		return output_failed(cli);
	return CLI_OK;
}

void output_safe(struct sluice_buffer *buf, struct sluice_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		bool control = c < 0x20 || c == 0x7f;
		/* U+0080 to U+009F steer terminals too. */
		if (c == 0xc2 && i + 1 < text.len && (unsigned char)text.data[i + 1] < 0xa0) {
			control = true;
			i++;
		}
		sluice_buffer_append(buf, control ? "?" : &text.data[i], 1);
	}
}

void output_lines(struct sluice_buffer *buf, const char *indent, struct sluice_str text)
{
	while (text.len > 0) {
		const char *newline = memchr(text.data, '\n', text.len);
		size_t len = newline ? (size_t)(newline - text.data) : text.len;
		sluice_buffer_append_text(buf, indent);
		output_safe(buf, (struct sluice_str){ text.data, len });
		sluice_buffer_append_text(buf, "\n");
		len += newline != NULL;
		text = (struct sluice_str){ text.data + len, text.len - len };
	}
}

void output_plain(struct sluice_buffer *buf, const struct sluice_json *value)
{
	if (value)
		output_safe(buf, value->type == SLUICE_JSON_STRING ? value->string : value->raw);
}

void output_member(struct sluice_buffer *buf, const char *name)
{
	if (buf->len > 0 && buf->data[buf->len - 1] != '{')
		sluice_buffer_append_text(buf, ",");
	sluice_buffer_printf(buf, "\"%s\":", name);
}

void output_member_text(struct sluice_buffer *buf, const char *name, struct sluice_str value)
{
	output_member(buf, name);
	sluice_json_write_string(buf, value);
}

void output_member_integer(struct sluice_buffer *buf, const char *name, int64_t value)
{
	output_member(buf, name);
	sluice_buffer_printf(buf, "%" PRId64, value);
}

void progress_start(struct progress *progress, const char *what, size_t total)
{
	*progress = (struct progress){ .what = what, .total = total, .on = isatty(2) == 1 };
	progress->drawn_ms = clock_ms();
}

void progress_show(struct progress *progress, size_t done)
{
	enum { WIDTH = 30 };
	if (!progress->on || clock_ms() - progress->drawn_ms < 100)
		return;
	progress->drawn_ms = clock_ms();
	if (progress->total == 0) {
		fprintf(stderr, "\r%s %zu", progress->what, done);
		return;
	}
	size_t filled = done >= progress->total ? WIDTH : done * WIDTH / progress->total;
	fprintf(stderr, "\r%s [%.*s%*s] %zu/%zu", progress->what, (int)filled,
	        "##############################", (int)(WIDTH - filled), "", done, progress->total);
}

void progress_end(struct progress *progress)
{
	if (progress->on)
		fprintf(stderr, "\r\033[K");
	progress->on = false;
}
