/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* sluice status */
#include <inttypes.h>

#include "catalog.h"
#include "control.h"
#include "verbs.h"

/* Appends a line for each scalar of an object, under dotted names; arrays are left to the caller.
 */
static void write_scalars(struct sluice_buffer *out, const struct sluice_json *object)
{
	/* Walked without recursion: the answer's depth is the broker's, not ours. */
	const struct sluice_json *at = object->first;
	while (at) {
		if (at->type != SLUICE_JSON_OBJECT && at->type != SLUICE_JSON_ARRAY) {
			const struct sluice_json *chain[8];
			size_t depth = 0;
			char name[160] = "";
			size_t len = 0;
			for (const struct sluice_json *node = at; node != object && depth < 8;
			     node = node->parent)
				chain[depth++] = node;
			while (depth > 0 && len < sizeof(name)) {
				const struct sluice_json *node = chain[--depth];
				len += (size_t)snprintf(name + len, sizeof(name) - len, "%s%.*s",
				                        len ? "." : "", (int)node->key.len,
				                        node->key.data);
			}
			sluice_buffer_printf(out, "%-24s ", name);
			output_plain(out, at);
			sluice_buffer_append_text(out, "\n");
		}
		if (at->type == SLUICE_JSON_OBJECT && at->first) {
			at = at->first;
			continue;
		}
		while (at != object && !at->next)
			at = at->parent;
		at = at == object ? NULL : at->next;
	}
}

/* A rule's row: its name, then its numbers by their names. */
static void write_rule(struct sluice_buffer *out, const struct sluice_json *rule)
{
	output_plain(out, sluice_json_get(rule, "name"));
	for (const struct sluice_json *member = rule->first; member; member = member->next) {
		if (sluice_str_equal(member->key, SLUICE_STR("name")) || member->first)
			continue;
		sluice_buffer_append_text(out, "  ");
		output_safe(out, member->key);
		sluice_buffer_append_text(out, " ");
		output_plain(out, member);
	}
	sluice_buffer_append_text(out, "\n");
}

static void write_members(const struct cli *cli, const char *after, struct sluice_buffer *members)
{
	const char *prefix = arguments_value(cli->args, "prefix");
	bool rules = arguments_has(cli->args, "rules") || prefix;
	output_member(members, "rules");
	sluice_buffer_append_text(members, rules ? "true" : "false");
	if (rules)
		output_member_integer(members, "limit", 1000);
	if (prefix)
		output_member_text(members, "prefix", sluice_str(prefix));
	if (after[0])
		output_member_text(members, "after", sluice_str(after));
}

/* Prints one page, which begins behind `after`. */
static enum cli_exit print_page(const struct cli *cli, const struct sluice_json *data,
                                const char *after)
{
	struct sluice_buffer out = { 0 };
	const struct sluice_json *rules = sluice_json_get(data, "rules");
	if (cli->json) {
		sluice_buffer_append_str(&out, data->raw);
	} else {
		if (!after[0])
			write_scalars(&out, data);
		for (const struct sluice_json *rule =
		             rules && rules->type == SLUICE_JSON_ARRAY ? rules->first : NULL;
		     rule; rule = rule->next)
			write_rule(&out, rule);
		if (out.len > 0 && !out.failed)
			out.len--;
	}
	enum cli_exit code = output_line(cli, &out);
	sluice_buffer_finish(&out);
	return code;
}

static enum cli_exit broker_status(const struct cli *cli)
{
	struct control *control;
	struct sluice_error error;
	enum cli_exit code = control_start(cli, &control);
	if (code != CLI_OK)
		return code;
	char after[SLUICE_NAME_MAX + 1] = "";
	do {
		struct sluice_buffer members = { 0 };
		struct answer answer;
		write_members(cli, after, &members);
		code = control_call(control, CONTROL_VIEW, "getStatus", &members, &answer, &error);
		sluice_buffer_finish(&members);
		if (code != CLI_OK) {
			fail(cli, code, NULL, &error);
			break;
		}
		code = print_page(cli, answer.data, after);
		answer_next(&answer, after);
		answer_finish(&answer);
	} while (code == CLI_OK && after[0]);
	control_close(control);
	return code;
}

static enum cli_exit store_status(const struct cli *cli, const char *path)
{
	struct sluice_store *store;
	struct sluice_error error;
	struct sluice_store_stats stats;
	enum sluice_status status = sluice_store_open(path, SLUICE_STORE_READ_ONLY, &store, &error);
	if (status == SLUICE_OK) {
		status = sluice_store_stats(store, &stats, &error);
		sluice_store_close(store);
	}
	if (status != SLUICE_OK)
		return fail(cli, status == SLUICE_ERR_NOMEM ? CLI_SYSTEM : CLI_STORE, NULL, &error);
	for (int i = 0; i < SLUICE_STORE_KINDS; i++)
		printf(cli->json ? "%s\"%s\":%" PRIu64 "," : "%.0s%s %" PRIu64 "\n",
		       i == 0 ? "{" : "", sluice_store_plural(sluice_store_shown(i)),
		       stats.counts[sluice_store_shown(i)]);
	printf(cli->json ? "\"rule_errors\":%" PRIu64 ",\"revision\":%" PRId64
	                   ",\"schema_version\":%d,\"bytes\":%" PRIu64 "}\n"
	                 : "rule_errors %" PRIu64 "\nrevision %" PRId64
	                   "\nschema_version %d\nbytes %" PRIu64 "\n",
	       stats.errors, stats.revision, stats.schema_version, stats.bytes);
	return CLI_OK;
}

static enum cli_exit exec_status(const struct cli *cli)
{
	const char *path = arguments_value(cli->args, "db");
	return path ? store_status(cli, path) : broker_status(cli);
}

static const struct option status_options[] = {
	{ "rules", 0, NULL, "the counters of each rule too", NULL },
	{ "prefix", 0, "TEXT", "only of rules whose names begin so", NULL },
	{ 0 },
};

const struct verb verb_status = {
	.name = "status",
	.operands = "",
	.flags = VERB_BROKER | VERB_STORE | VERB_JSON,
	.options = status_options,
	.summary = "show what the plugin has done, or what a store holds",
	.help = "With --rules and --json a line is a page of up to 1000 rules.",
	.exec = exec_status,
};
