/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "log.h"
#include "sluice/json.h"
#include "sluice/transform.h"
#include "source.h"
#include "target.h"

enum { EVERY_MS = 10000, SOON_MS = 500 };

struct report {
	struct bridge *bridge;
	uv_timer_t timer;
	struct sluice_buffer text;
	bool said_refused;
};

static void append_text(struct sluice_buffer *out, const char *name, const char *text)
{
	sluice_buffer_printf(out, ",\"%s\":", name);
	sluice_json_write_string(out, sluice_str(text));
}

static void append_number(struct sluice_buffer *out, const char *name, uint64_t number)
{
	sluice_buffer_printf(out, ",\"%s\":%" PRIu64, name, number);
}

static void append_target(struct sluice_buffer *out, const struct target *target)
{
	char time[SLUICE_TIME_SIZE];
	sluice_buffer_printf(out, "{\"name\":\"%s\"", target_name(target));
	append_number(out, "delivered", target->numbers.delivered);
	append_number(out, "failed", target->numbers.failed);
	append_number(out, "retried", target->numbers.retried);
	append_number(out, "dead", target->numbers.dead);
	append_number(out, "in_flight", target->held);
	append_text(out, "breaker", breaker_state_name(target->breaker.state));
	if (target->last_error_ms != 0) {
		append_text(out, "last_error", target->last_error);
		append_text(out, "last_error_time",
		            sluice_time_format(target->last_error_ms, time));
	}
	sluice_buffer_append_text(out, "}");
}

static void append_source(struct sluice_buffer *out, const struct source *source)
{
	sluice_buffer_printf(out, "{\"name\":\"%s\"", source_name(source));
	append_number(out, "published", source->published);
	if (source->trouble[0])
		append_text(out, "trouble", source->trouble);
	sluice_buffer_append_text(out, "}");
}

static void write_report(struct report *report)
{
	const struct bridge *bridge = report->bridge;
	struct sluice_buffer *out = &report->text;
	sluice_buffer_reset(out);
	sluice_buffer_printf(out, "{\"commands\":[{\"command\":\"reportBridge\",\"bridge\":\"%s\"",
	                     bridge->options->name);
	sluice_buffer_append_text(out, ",\"targets\":[");
	for (const struct target *at = bridge->targets; at; at = at->next) {
		append_target(out, at);
		sluice_buffer_append_text(out, at->next ? "," : "");
	}
	sluice_buffer_append_text(out, "],\"sources\":[");
	for (const struct source *at = bridge->sources; at; at = at->next) {
		append_source(out, at);
		sluice_buffer_append_text(out, at->next ? "," : "");
	}
	sluice_buffer_append_text(out, "]}]}");
}

static void on_reported(void *arg, int reason)
{
	struct report *report = arg;
	if (reason >= LINK_REFUSED && !report->said_refused)
		log_line(LOG_WARNING, "the broker lets the bridge not say how it is: see "
		                      "plugin_opt_control_access");
	report->said_refused = reason >= LINK_REFUSED;
}

static void on_timer(uv_timer_t *timer)
{
	struct report *report = timer->data;
	struct link *link = report->bridge->link;
	uv_timer_start(timer, on_timer, EVERY_MS, 0);
	if (!link || !link_is_connected(link))
		return;
	write_report(report);
	if (!report->text.failed)
		link_publish(link, "$CONTROL/sluice/v1", sluice_buffer_str(&report->text), false,
		             NULL, on_reported, report);
}

struct report *report_create(struct bridge *bridge)
{
	struct report *report = calloc(1, sizeof *report);
	if (!report)
		return NULL;
	report->bridge = bridge;
	uv_timer_init(&bridge->loop, &report->timer);
	report->timer.data = report;
	uv_timer_start(&report->timer, on_timer, SOON_MS, 0);
	return report;
}

void report_soon(struct report *report)
{
	if (uv_timer_get_due_in(&report->timer) > SOON_MS)
		uv_timer_start(&report->timer, on_timer, SOON_MS, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct report *report = handle->data;
	sluice_buffer_finish(&report->text);
	free(report);
}

void report_close(struct report *report)
{
	if (report)
		uv_close((uv_handle_t *)&report->timer, on_closed);
}
