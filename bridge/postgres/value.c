/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "value.h"

#include "change_record.h"
#include "sluice/json.h"

/* How a type's text becomes JSON. */
enum form { FORM_TEXT, FORM_NUMBER, FORM_BOOL, FORM_JSON, FORM_BYTES };

/* The OIDs of types that come with PostgreSQL never change. */
struct type {
	uint32_t oid, array; /* of the type, and of its arrays */
	enum form form;
};

static const struct type types[] = {
	{ 16, 1000, FORM_BOOL },     /* bool */
	{ 17, 1001, FORM_BYTES },    /* bytea */
	{ 18, 1002, FORM_TEXT },     /* "char" */
	{ 19, 1003, FORM_TEXT },     /* name */
	{ 20, 1016, FORM_NUMBER },   /* int8 */
	{ 21, 1005, FORM_NUMBER },   /* int2 */
	{ 23, 1007, FORM_NUMBER },   /* int4 */
	{ 25, 1009, FORM_TEXT },     /* text */
	{ 26, 1028, FORM_NUMBER },   /* oid */
	{ 114, 199, FORM_JSON },     /* json */
	{ 700, 1021, FORM_NUMBER },  /* float4 */
	{ 701, 1022, FORM_NUMBER },  /* float8 */
	{ 829, 1040, FORM_TEXT },    /* macaddr */
	{ 869, 1041, FORM_TEXT },    /* inet */
	{ 650, 651, FORM_TEXT },     /* cidr */
	{ 1042, 1014, FORM_TEXT },   /* bpchar */
	{ 1043, 1015, FORM_TEXT },   /* varchar */
	{ 1082, 1182, FORM_TEXT },   /* date */
	{ 1083, 1183, FORM_TEXT },   /* time */
	{ 1114, 1115, FORM_TEXT },   /* timestamp */
	{ 1184, 1185, FORM_TEXT },   /* timestamptz */
	{ 1186, 1187, FORM_TEXT },   /* interval */
	{ 1266, 1270, FORM_TEXT },   /* timetz */
	{ 1700, 1231, FORM_NUMBER }, /* numeric */
	{ 2950, 2951, FORM_TEXT },   /* uuid */
	{ 3802, 3807, FORM_JSON },   /* jsonb */
};

static const struct type *find(uint32_t oid, bool *array)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].oid == oid || types[i].array == oid) {
			*array = types[i].array == oid;
			return &types[i];
		}
	}
	return NULL;
}

static void write_scalar(struct sluice_buffer *buf, enum form form, struct sluice_str text)
{
	switch (form) {
	case FORM_NUMBER:
		change_write_number(buf, text);
		return;
	case FORM_BOOL:
		sluice_buffer_append_text(buf,
		                          text.len > 0 && text.data[0] == 't' ? "true" : "false");
		return;
	case FORM_JSON:
		change_write_json(buf, text);
		return;
	case FORM_BYTES:
		if (text.len >= 2 && text.data[0] == '\\' && text.data[1] == 'x') {
			change_write_hex(buf, sluice_str_of(text.data + 2, text.len - 2));
			return;
		}
		break;
	case FORM_TEXT:
		break;
	}
	sluice_json_write_string(buf, text);
}

/* The element at *at, quoted or not, without its quotes and escapes in `element`. False when it
 * does not end. */
static bool read_element(const char **at, const char *end, struct sluice_buffer *element,
                         bool *quoted)
{
	const char *c = *at;

	sluice_buffer_reset(element);
	*quoted = *c == '"';
	if (*quoted)
		c++;
	for (; c < end; c++) {
		if (*quoted ? *c == '"' : (*c == ',' || *c == '}' || *c == '{' || *c == '"'))
			break;
		if (*c == '\\' && ++c == end)
			return false;
		sluice_buffer_append(element, c, 1);
	}
	if (c == end)
		return false;
	*at = *quoted ? c + 1 : c;
	return *quoted || element->len > 0;
}

/*
 * array_out's text: elements between braces, with commas; one that could be mistaken stands in quotes,
 * with backslashes. Arrays of several dimensions are arrays of arrays. False when it is not that, or has
 * bounds of its own ("[2:3]={a,b}"), which JSON can't say.
 */
static bool write_array(struct sluice_buffer *buf, enum form form, struct sluice_str text,
                        struct sluice_buffer *element)
{
	enum { ARRAY_DIMENSIONS = 6 }; /* PostgreSQL's MAXDIM */
	const char *at = text.data, *end = text.data + text.len;
	int depth = 0;
	bool wants_value = true; /* else a comma, or the end of an array */

	while (at < end) {
		if (wants_value && *at == '{') {
			if (++depth > ARRAY_DIMENSIONS)
				return false;
			sluice_buffer_append_text(buf, "[");
			at++;
			if (at < end && *at == '}')
				wants_value = false;
		} else if (wants_value) {
			bool quoted;
			if (depth == 0 || !read_element(&at, end, element, &quoted) ||
			    element->failed)
				return false;
			if (!quoted &&
			    sluice_str_equal(sluice_buffer_str(element), SLUICE_STR("NULL")))
				sluice_buffer_append_text(buf, "null");
			else
				write_scalar(buf, form, sluice_buffer_str(element));
			wants_value = false;
		} else if (*at == '}') {
			sluice_buffer_append_text(buf, "]");
			at++;
			if (--depth == 0)
				return at == end;
		} else if (*at == ',') {
			sluice_buffer_append_text(buf, ",");
			at++;
			wants_value = true;
		} else {
			return false;
		}
	}
	return false;
}

void postgres_value_write(struct sluice_buffer *buf, uint32_t oid, struct sluice_str text)
{
	bool array = false;
	const struct type *type = find(oid, &array);
	struct sluice_buffer element = { .limit = buf->limit };
	size_t start = buf->len;

	if (!array) {
		write_scalar(buf, type ? type->form : FORM_TEXT, text);
		return;
	}
	if (!write_array(buf, type->form, text, &element) && !buf->failed) {
		buf->len = start;
		sluice_json_write_string(buf, text);
	}
	if (element.failed)
		buf->failed = true;
	sluice_buffer_finish(&element);
}
