/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "xml.h"

#include <stdio.h>

static const char *find(struct sluice_str text, const char *what)
{
	/* Not memmem, which POSIX does not have. */
	size_t len = strlen(what);
	const char *at = text.data, *end = text.data + text.len;

	while (text.len >= len && (at = memchr(at, what[0], (size_t)(end - at))) != NULL) {
		if ((size_t)(end - at) < len)
			return NULL;
		if (memcmp(at, what, len) == 0)
			return at;
		at++;
	}
	return NULL;
}

static struct sluice_str from(struct sluice_str text, const char *at)
{
	return sluice_str_of(at, text.len - (size_t)(at - text.data));
}

bool xml_next(struct sluice_str *rest, const char *name, struct sluice_str *inside)
{
	char open[64], close[64];
	int open_len = snprintf(open, sizeof(open), "<%s", name);
	int close_len = snprintf(close, sizeof(close), "</%s>", name);

	if (open_len >= (int)sizeof(open) || close_len >= (int)sizeof(close))
		return false;
	for (struct sluice_str text = *rest;;) {
		const char *at = text.len ? find(text, open) : NULL;
		if (!at)
			return false;
		text = from(text, at + open_len);
		const char *tag_end = text.len ? memchr(text.data, '>', text.len) : NULL;
		if (!tag_end)
			return false;
		if (!strchr(" \t\r\n/>", text.data[0]) || text.data[0] == '\0')
			continue; /* a longer name */
		bool empty = tag_end > text.data && tag_end[-1] == '/';
		text = from(text, tag_end + 1);
		const char *end = empty ? text.data : find(text, close);
		if (!end)
			return false;
		*inside = sluice_str_of(text.data, (size_t)(end - text.data));
		*rest = from(text, empty ? end : end + close_len);
		return true;
	}
}

struct sluice_str xml_first(struct sluice_str text, const char *name)
{
	struct sluice_str inside = { NULL, 0 };

	xml_next(&text, name, &inside);
	return inside;
}
