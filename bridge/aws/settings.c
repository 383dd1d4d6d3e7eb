/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "service.h"

static const struct aws_service *const services[] = {
	&aws_lambda, &aws_sqs, &aws_sns, &aws_kinesis, &aws_events,
};

static enum sluice_status invalid(struct sluice_error *error, const char *place, const char *what)
{
	return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, place, "%s", what);
}

static bool made_of(struct sluice_str text, const char *extra)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(extra, c))))
			return false;
	}
	return text.len > 0;
}

static bool ends_with(struct sluice_str text, const char *end)
{
	size_t len = strlen(end);

	return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

static struct sluice_str until(struct sluice_str text, char end)
{
	const char *at = text.len ? memchr(text.data, end, text.len) : NULL;

	if (at)
		text.len = (size_t)(at - text.data);
	return text;
}

static bool skip(struct sluice_str *text, const char *what)
{
	size_t len = strlen(what);

	if (text->len < len || memcmp(text->data, what, len) != 0)
		return false;
	text->data += len;
	text->len -= len;
	return true;
}

/* arn:aws:sns:eu-west-1:123456789012:orders; absent when it is no ARN. */
static struct sluice_str arn_region(struct sluice_str arn)
{
	if (!skip(&arn, "arn:"))
		return (struct sluice_str){ NULL, 0 };
	for (int i = 0; i < 2; i++) {
		size_t part = until(arn, ':').len;

		if (part == arn.len)
			return (struct sluice_str){ NULL, 0 };
		arn.data += part + 1;
		arn.len -= part + 1;
	}
	return until(arn, ':');
}

/* https://sqs.eu-west-1.amazonaws.com/… */
static struct sluice_str url_region(struct sluice_str url)
{
	if (skip(&url, "https://sqs."))
		return until(url, '.');
	return (struct sluice_str){ NULL, 0 };
}

/* What is more particular comes first: a connection serves many targets. */
static enum sluice_status find_region(struct sluice_str *region, struct sluice_str where,
                                      const struct sluice_json *settings,
                                      const struct credentials *credentials,
                                      struct sluice_error *error)
{
	*region = sluice_setting_text(settings, "region");
	if (!region->len)
		*region = arn_region(where);
	if (!region->len)
		*region = url_region(where);
	if (!region->len)
		*region = credentials_setting(credentials, "region");
	if (!region->len)
		return invalid(error, "$.settings.region",
		               "no region is said, here or by the connection");
	/* It becomes a part of a host's name, and of what libcurl is told in colons. */
	if (!made_of(*region, "-") || region->len > 64)
		return invalid(error, "$.settings.region", "this is no region");
	return SLUICE_OK;
}

/* The address up to the path, without a slash at the end, of a URL that may have a path or not. */
static char *origin_of(struct sluice_str text, bool path, const char *place,
                       struct sluice_error *error)
{
	char *parts[3] = { NULL }, *copy = NULL, *origin = NULL, *query = NULL;
	static const CURLUPart names[3] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
	CURLU *url = curl_url();
	bool good = false;

	copy = strndup(text.data, text.len);
	if (!url || !copy)
		goto out;
	good = strlen(copy) == text.len &&
	       curl_url_set(url, CURLUPART_URL, copy, CURLU_DISALLOW_USER) == CURLUE_OK;
	for (size_t i = 0; good && i < 3; i++)
		good = curl_url_get(url, names[i], &parts[i], i == 2 ? CURLU_DEFAULT_PORT : 0) ==
		       CURLUE_OK;
	good = good && (strcmp(parts[0], "https") == 0 || strcmp(parts[0], "http") == 0);
	if (good && !path) {
		good = curl_url_get(url, CURLUPART_PATH, &query, 0) == CURLUE_OK &&
		       strcmp(query, "/") == 0;
		curl_free(query);
		query = NULL;
	}
	good = good && curl_url_get(url, CURLUPART_QUERY, &query, 0) != CURLUE_OK;
	if (good) {
		bool usual = strcmp(parts[2], parts[0][4] ? "443" : "80") == 0;
		size_t size = strlen(parts[0]) + strlen(parts[1]) + strlen(parts[2]) + 5;

		origin = malloc(size);
		if (origin)
			snprintf(origin, size, "%s://%s%s%s", parts[0], parts[1], usual ? "" : ":",
			         usual ? "" : parts[2]);
	}
out:
	if (!origin && url && copy && !good)
		invalid(error, place,
		        path ? "this is no http or https URL"
		             : "this is no http or https URL of a host alone");
	else if (!origin)
		sluice_out_of_memory(error);
	for (size_t i = 0; i < 3; i++)
		curl_free(parts[i]);
	curl_free(query);
	curl_url_cleanup(url);
	free(copy);
	return origin;
}

static char *find_origin(const struct aws_settings *aws, struct sluice_str region,
                         const struct sluice_json *settings, struct sluice_error *error)
{
	struct sluice_str endpoint = sluice_setting_text(settings, "endpoint");

	if (endpoint.len)
		return origin_of(endpoint, false, "$.settings.endpoint", error);
	if (aws->service == &aws_sqs)
		return origin_of(aws->where, true, "$.settings.queue_url", error);
	struct sluice_buffer buf = { 0 };
	bool china = region.len > 3 && memcmp(region.data, "cn-", 3) == 0;
	sluice_buffer_printf(&buf, "https://%s.%.*s.amazonaws.com%s", aws->service->name,
	                     (int)region.len, region.data, china ? ".cn" : "");
	char *origin = sluice_buffer_take(&buf);
	sluice_buffer_finish(&buf);
	if (!origin)
		sluice_out_of_memory(error);
	return origin;
}

/*
 * "/2015-03-31/functions/orders:live/invocations". A function's name may hold colons and a dollar
 * sign, which have to be encoded in what is signed and may stand as they are in what is sent. libcurl
 * signs the path of the URL as it stands, so we encode it there and ask for the other; since 8.9 it
 * encodes what it signs by itself.
 */
static enum sluice_status set_function_path(struct aws_settings *aws, const char *origin,
                                            struct sluice_str function, struct sluice_error *error)
{
	struct sluice_buffer encoded = { 0 }, plain = { 0 };
	bool encodes = curl_version_info(CURLVERSION_NOW)->version_num >= 0x080900;

	if (!made_of(function, "-_.:$") || function.len > 256)
		return invalid(error, "$.settings.function",
		               "this is neither a function's name nor its ARN");
	sluice_buffer_printf(&plain, "/2015-03-31/functions/%.*s/invocations", (int)function.len,
	                     function.data);
	sluice_buffer_append_text(&encoded, origin);
	if (encodes) {
		sluice_buffer_append_str(&encoded, sluice_buffer_str(&plain));
	} else {
		sluice_buffer_append_text(&encoded, "/2015-03-31/functions/");
		sluice_encode(function, SLUICE_ENCODE_URL, &encoded);
		sluice_buffer_append_text(&encoded, "/invocations");
		aws->request_target = sluice_buffer_take(&plain);
	}
	aws->url = sluice_buffer_take(&encoded);
	bool failed = !aws->url || (!encodes && !aws->request_target);
	sluice_buffer_finish(&plain);
	sluice_buffer_finish(&encoded);
	return failed ? sluice_out_of_memory(error) : SLUICE_OK;
}

static enum sluice_status set_url(struct aws_settings *aws, struct sluice_str region,
                                  const struct sluice_json *settings, struct sluice_error *error)
{
	enum sluice_status status = SLUICE_OK;
	struct sluice_buffer buf = { 0 };
	char *origin = find_origin(aws, region, settings, error);

	if (!origin)
		return error && error->code ? error->code : SLUICE_ERR_NOMEM;
	sluice_buffer_printf(&buf, "aws:amz:%.*s:%s", (int)region.len, region.data,
	                     aws->service->name);
	aws->sigv4 = sluice_buffer_take(&buf);
	sluice_buffer_finish(&buf);
	if (aws->service == &aws_lambda) {
		status = set_function_path(aws, origin, sluice_setting_text(settings, "function"),
		                           error);
	} else {
		sluice_buffer_printf(&buf, "%s/", origin);
		aws->url = sluice_buffer_take(&buf);
		sluice_buffer_finish(&buf);
	}
	free(origin);
	if (!status && (!aws->url || !aws->sigv4))
		return sluice_out_of_memory(error);
	return status;
}

static enum sluice_status compile(const struct sluice_json *settings, const char *name,
                                  const char *otherwise, struct sluice_text_template **tpl,
                                  struct sluice_error *error)
{
	struct sluice_str text = sluice_setting_text(settings, name);

	if (!text.data)
		text = sluice_str(otherwise);
	return text.data ? sluice_text_template_compile(text, tpl, error) : SLUICE_OK;
}

enum sluice_status aws_settings_init(struct aws_settings *aws,
                                     const struct sluice_bridge_kind *kind,
                                     const struct sluice_json *settings,
                                     const struct credentials *credentials,
                                     struct sluice_error *error)
{
	/* In the order of services[]; a function is no part of a body. */
	static const char *const wheres[] = { "function", "queue_url", "topic_arn", "stream",
		                              "event_bus" };
	int service = sluice_setting_choice(kind, settings, "service");
	struct sluice_error own;
	struct sluice_str region;
	enum sluice_status status;

	if (!error)
		error = &own;
	*aws = (struct aws_settings){ .service = services[service] };
	aws->where = sluice_setting_text(settings, wheres[service]);
	aws->fifo = ends_with(aws->where, ".fifo");
	aws->wait = sluice_setting_choice(kind, settings, "invocation") == 1;
	aws->source = sluice_setting_text(settings, "source");
	if (!aws->source.len)
		aws->source = SLUICE_STR("sluice");
	aws->detail_type = sluice_setting_text(settings, "detail_type");
	status = find_region(&region, aws->where, settings, credentials, error);
	if (!status)
		status = set_url(aws, region, settings, error);
	if (!status)
		status = compile(settings, "partition_key", "{topic}", &aws->partition_key, error);
	if (!status)
		status = compile(settings, "group_id", "{topic}", &aws->group_id, error);
	if (!status)
		status = compile(settings, "subject", NULL, &aws->subject, error);
	if (status)
		aws_settings_finish(aws);
	return status;
}

void aws_settings_finish(struct aws_settings *aws)
{
	free(aws->url);
	free(aws->request_target);
	free(aws->sigv4);
	sluice_text_template_destroy(aws->partition_key);
	sluice_text_template_destroy(aws->group_id);
	sluice_text_template_destroy(aws->subject);
	*aws = (struct aws_settings){ 0 };
}
