/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "properties_pack.h"

static void append_text(struct sluice_buffer *out, struct sluice_str text)
{
	const unsigned char length[4] = { (unsigned char)text.len, (unsigned char)(text.len >> 8),
		                          (unsigned char)(text.len >> 16),
		                          (unsigned char)(text.len >> 24) };
	sluice_buffer_append(out, length, sizeof length);
	sluice_buffer_append_str(out, text);
	sluice_buffer_append(out, "", 1);
}

static void append(struct sluice_buffer *out, enum packed_id id, struct sluice_str name,
                   struct sluice_str value)
{
	const unsigned char byte = (unsigned char)id;
	if (!value.data)
		return;
	sluice_buffer_append(out, &byte, 1);
	append_text(out, name);
	append_text(out, value);
}

void properties_pack(const struct sluice_event *event, bool transformed,
                     struct sluice_str content_type, struct sluice_buffer *out)
{
	const struct sluice_str none = SLUICE_STR("");
	if (event->payload_format >= 0 && !transformed) {
		const char format = (char)event->payload_format;
		append(out, PACKED_PAYLOAD_FORMAT, none, (struct sluice_str){ &format, 1 });
	}
	append(out, PACKED_CONTENT_TYPE, none, transformed ? content_type : event->content_type);
	append(out, PACKED_RESPONSE_TOPIC, none, event->response_topic);
	append(out, PACKED_CORRELATION_DATA, none, event->correlation_data);
	for (size_t i = 0; i < event->user_property_count; i++) {
		const struct sluice_property *user = &event->user_properties[i];
		if (user->name.len < 7 || memcmp(user->name.data, "sluice-", 7) != 0)
			append(out, PACKED_USER_PROPERTY, user->name, user->value);
	}
}

void properties_pack_user(struct sluice_str name, struct sluice_str value,
                          struct sluice_buffer *out)
{
	append(out, PACKED_USER_PROPERTY, name, value);
}

void properties_pack_expiry(uint32_t expiry_s, struct sluice_buffer *out)
{
	const char bytes[4] = { (char)expiry_s, (char)(expiry_s >> 8), (char)(expiry_s >> 16),
		                (char)(expiry_s >> 24) };
	append(out, PACKED_EXPIRY, SLUICE_STR(""), (struct sluice_str){ bytes, sizeof bytes });
}

uint32_t properties_unpack_expiry(struct sluice_str value)
{
	const unsigned char *at = (const unsigned char *)value.data;
	if (value.len != 4)
		return 0;
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static bool take_text(struct sluice_str *rest, struct sluice_str *text)
{
	if (rest->len < 5)
		return false;
	const unsigned char *at = (const unsigned char *)rest->data;
	size_t len = (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
	if (len > rest->len - 5 || at[4 + len] != '\0')
		return false;
	*text = (struct sluice_str){ rest->data + 4, len };
	rest->data += len + 5;
	rest->len -= len + 5;
	return true;
}

bool properties_unpack(struct sluice_str *rest, struct packed_property *property)
{
	if (rest->len == 0)
		return false;
	property->id = (enum packed_id)(unsigned char)rest->data[0];
	rest->data++;
	rest->len--;
	return take_text(rest, &property->name) && take_text(rest, &property->value);
}
