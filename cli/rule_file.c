/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "rule_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lines.h"
#include "output.h"

/* Far more than a rule can need; what is nested in vain is refused by the rule's own reader. */
enum { FILE_MAX_DEPTH = 1024 };

struct loader {
	const struct cli *cli;
	const char *path;
	unsigned flags;
	const enum sluice_store_kind *one; /* what its one definition must be; NULL = a list */
	rule_file_take take;
	void *arg;
};

void rule_item_finish(struct rule_item *item)
{
	sluice_definition_finish(&item->definition);
	sluice_pattern_destroy(item->pattern);
	free(item->own_name);
}

void rule_file_finish(struct rule_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		rule_item_finish(&file->items[i]);
	free(file->items);
	sluice_buffer_finish(&file->text);
	*file = (struct rule_file){ 0 };
}

enum sluice_status rule_file_add(struct rule_file *file, const struct rule_item *item)
{
	if (file->count == file->capacity) {
		size_t capacity = file->capacity ? file->capacity * 2 : 16;
		struct rule_item *items = realloc(file->items, capacity * sizeof(*items));
		if (!items) {
			struct rule_item given = *item;
			rule_item_finish(&given);
			return SLUICE_ERR_NOMEM;
		}
		file->items = items;
		file->capacity = capacity;
	}
	file->items[file->count++] = *item;
	return SLUICE_OK;
}

/* Puts `root` in the place of the leading '$' of the error's place. */
static void rebase_place(struct sluice_error *error, const char *root)
{
	char place[sizeof(error->place) + 64];
	const char *rest = error->place[0] == '$' ? error->place + 1 : "";
	snprintf(place, sizeof(place), "%s%s", root, rest);
	memcpy(error->place, place, sizeof(error->place));
	error->place[sizeof(error->place) - 1] = '\0';
}

/* An item with a name and a pattern, and whatever else. */
static enum sluice_status read_light(const struct sluice_json *node, struct rule_item *item,
                                     struct sluice_error *error)
{
	const struct sluice_json *name = sluice_json_get(node, "name");
	const struct sluice_json *pattern = sluice_json_get(node, "pattern");
	if (!name || name->type != SLUICE_JSON_STRING)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.name",
		                        "a rule needs a name, a string");
	if (!pattern)
		return sluice_error_set(error, SLUICE_ERR_INVALID, SIZE_MAX, "$.pattern",
		                        "a rule needs a pattern");
	enum sluice_status status = sluice_pattern_compile(
	        pattern->type == SLUICE_JSON_STRING ? pattern->string : pattern->raw,
	        &item->pattern, error);
	if (status != SLUICE_OK) {
		rebase_place(error, "$.pattern");
		return status;
	}
	item->own_name = malloc(name->string.len + 1);
	if (!item->own_name)
		return sluice_out_of_memory(error);
	memcpy(item->own_name, name->string.data, name->string.len);
	item->name = (struct sluice_str){ item->own_name, name->string.len };
	return SLUICE_OK;
}

static enum sluice_status read_definition(enum sluice_store_kind kind, struct sluice_str text,
                                          struct rule_item *item, struct sluice_error *error)
{
	item->text = text;
	enum sluice_status status = sluice_definition_parse(kind, text, &item->definition, error);
	item->name = sluice_definition_name(&item->definition);
	return status;
}

/* What stands in {"bus":{…}} or its like; NULL when the node is a rule. */
static const struct sluice_json *wrapped(const struct sluice_json *node,
                                         enum sluice_store_kind *kind)
{
	const struct sluice_json *inner = node->first;
	if (node->count != 1 || inner->type != SLUICE_JSON_OBJECT ||
	    !sluice_store_kind_parse(inner->key, kind) || *kind == SLUICE_STORE_RULE)
		return NULL;
	return inner;
}

static enum sluice_status read_item(const struct loader *loader, const struct sluice_json *node,
                                    struct rule_item *item, struct sluice_error *error)
{
	enum sluice_store_kind kind;
	if (node->type != SLUICE_JSON_OBJECT)
		return sluice_error_set(
		        error, SLUICE_ERR_INVALID, SIZE_MAX, "$", "a %s is a JSON object",
		        sluice_store_noun(loader->one ? *loader->one : SLUICE_STORE_RULE));
	if (loader->one)
		return read_definition(*loader->one, node->raw, item, error);
	const struct sluice_json *inner = wrapped(node, &kind);
	if (inner) {
		enum sluice_status status = read_definition(kind, inner->raw, item, error);
		char root[16];
		snprintf(root, sizeof(root), "$.%s", sluice_store_noun(kind));
		if (status != SLUICE_OK)
			rebase_place(error, root);
		return status;
	}
	if ((loader->flags & RULE_FILE_LIGHT) && !sluice_json_get(node, "targets") &&
	    !sluice_json_get(node, "schedule"))
		return read_light(node, item, error);
	return read_definition(SLUICE_STORE_RULE, node->raw, item, error);
}

static enum cli_exit tell(const struct loader *loader, size_t line,
                          const struct sluice_error *error)
{
	char where[512];
	snprintf(where, sizeof(where), "%s:%zu", file_title(loader->path), line);
	return fail(loader->cli, exit_of_input(error->code), where, error);
}

/* Reads the item that begins at `line`; index is its place in an array, or SIZE_MAX. */
static enum cli_exit load_item(const struct loader *loader, const struct sluice_json *node,
                               size_t line, size_t index)
{
	struct rule_item item = { .definition.kind = SLUICE_STORE_RULE, .line = line };
	struct sluice_error error;
	enum sluice_status status = read_item(loader, node, &item, &error);
	if (status != SLUICE_OK && index != SIZE_MAX) {
		char root[32];
		snprintf(root, sizeof(root), "$[%zu]", index);
		rebase_place(&error, root);
	}
	if (status != SLUICE_OK) {
		rule_item_finish(&item);
		return tell(loader, line, &error);
	}
	return loader->take(loader->arg, &item);
}

/* How many newlines stand in text before `end`. */
static size_t count_lines(const char *text, const char *end)
{
	size_t lines = 0;
	while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
		lines++;
		text++;
	}
	return lines;
}

/* The whole text is one value: an array of items, or a single one. */
static enum cli_exit load_value(const struct loader *loader, struct sluice_str text,
                                const struct sluice_json *root)
{
	const char *counted = text.data;
	size_t line = 1 + count_lines(counted, root->raw.data);
	if (root->type != SLUICE_JSON_ARRAY)
		return load_item(loader, root, line, SIZE_MAX);
	counted = root->raw.data;
	for (const struct sluice_json *node = root->first; node; node = node->next) {
		line += count_lines(counted, node->raw.data);
		counted = node->raw.data;
		enum cli_exit code = load_item(loader, node, line, node->index);
		if (code != CLI_OK)
			return code;
	}
	return CLI_OK;
}

static enum cli_exit load_lines(const struct loader *loader, struct sluice_str text)
{
	const char *at = text.data;
	const char *end = text.data + text.len;
	for (size_t number = 1; at < end; number++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct sluice_str line = { at, (size_t)((newline ? newline : end) - at) };
		at = newline ? newline + 1 : end;
		if (text_is_blank(line))
			continue;
		struct sluice_json_doc *doc;
		struct sluice_error error;
		if (sluice_json_parse(line, 0, FILE_MAX_DEPTH, &doc, &error) != SLUICE_OK)
			return tell(loader, number, &error);
		enum cli_exit code = load_item(loader, sluice_json_root(doc), number, SIZE_MAX);
		sluice_json_destroy(doc);
		if (code != CLI_OK)
			return code;
	}
	return CLI_OK;
}

/* An array, an object on many lines, or objects line by line: the first that fits. */
static enum cli_exit load_text(const struct loader *loader, struct sluice_str text)
{
	size_t first = 0;
	while (first < text.len && strchr(" \t\r\n", text.data[first]) && text.data[first])
		first++;
	if (first == text.len)
		return CLI_OK;
	bool one = loader->one != NULL;
	struct sluice_json_doc *doc;
	struct sluice_error error;
	if (!one && text.data[first] != '[') {
		/* Only when its first line is no value can the text be one value on many lines. */
		const char *newline = memchr(text.data + first, '\n', text.len - first);
		size_t length = newline ? (size_t)(newline - text.data) - first : text.len - first;
		struct sluice_str line = { text.data + first, length };
		bool whole = sluice_json_parse(line, 0, FILE_MAX_DEPTH, &doc, NULL) == SLUICE_OK;
		sluice_json_destroy(doc);
		if (whole || sluice_json_parse(text, 0, FILE_MAX_DEPTH, &doc, NULL) != SLUICE_OK)
			return load_lines(loader, text);
	} else if (sluice_json_parse(text, 0, FILE_MAX_DEPTH, &doc, &error) != SLUICE_OK) {
		size_t line = 1;
		if (error.offset <= text.len)
			line += count_lines(text.data, text.data + error.offset);
		return tell(loader, line, &error);
	}
	enum cli_exit code = load_value(loader, text, sluice_json_root(doc));
	sluice_json_destroy(doc);
	return code;
}

static enum cli_exit read_file(const struct loader *loader, struct sluice_buffer *text)
{
	struct sluice_error error;
	if (file_read(loader->path, text, &error) != SLUICE_OK)
		return fail(loader->cli, CLI_SYSTEM, file_title(loader->path), &error);
	return load_text(loader, sluice_buffer_str(text));
}

enum cli_exit rule_file_each(const struct cli *cli, const char *path, unsigned flags,
                             rule_file_take take, void *arg)
{
	struct loader loader = { cli, path, flags, NULL, take, arg };
	struct sluice_buffer text = { 0 };
	enum cli_exit code = read_file(&loader, &text);
	sluice_buffer_finish(&text);
	return code;
}

/* What rule_file_load reads, and for whom. */
struct listing {
	const struct cli *cli;
	struct rule_file *file;
};

static enum cli_exit take_listed(void *arg, const struct rule_item *item)
{
	const struct listing *listing = arg;
	if (rule_file_add(listing->file, item) != SLUICE_OK)
		return fail_memory(listing->cli);
	return CLI_OK;
}

enum cli_exit rule_file_load(const struct cli *cli, const char *path, unsigned flags,
                             struct rule_file *file)
{
	*file = (struct rule_file){ .path = path };
	struct listing listing = { cli, file };
	struct loader loader = { cli, path, flags, NULL, take_listed, &listing };
	enum cli_exit code = read_file(&loader, &file->text);
	if (flags & RULE_FILE_LIGHT) {
		for (size_t i = 0; i < file->count; i++)
			file->items[i].text = (struct sluice_str){ NULL, 0 };
		sluice_buffer_finish(&file->text);
	}
	if (code != CLI_OK)
		rule_file_finish(file);
	return code;
}

enum cli_exit rule_file_load_one(const struct cli *cli, const char *path,
                                 enum sluice_store_kind kind, struct rule_file *file)
{
	*file = (struct rule_file){ .path = path };
	struct listing listing = { cli, file };
	struct loader loader = { cli, path, 0, &kind, take_listed, &listing };
	enum cli_exit code = read_file(&loader, &file->text);
	if (code == CLI_OK && file->count != 1) {
		struct sluice_error error;
		sluice_error_set(&error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                 file->count ? "holds %zu %s, one is wanted (see rule import)"
		                             : "is empty",
		                 file->count, sluice_store_plural(kind));
		code = fail(cli, CLI_INVALID, file_title(path), &error);
	}
	if (code != CLI_OK)
		rule_file_finish(file);
	return code;
}

char *rule_file_where(const struct rule_file *file, size_t item, char *buf, size_t size)
{
	snprintf(buf, size, "%s:%zu", file_title(file->path), file->items[item].line);
	return buf;
}

int rule_item_compare(const struct rule_item *left, const struct rule_item *right)
{
	if (left->definition.kind != right->definition.kind)
		return left->definition.kind > right->definition.kind ? -1 : 1;
	size_t common = left->name.len < right->name.len ? left->name.len : right->name.len;
	int order = common ? memcmp(left->name.data, right->name.data, common) : 0;
	if (order == 0)
		order = (left->name.len > right->name.len) - (left->name.len < right->name.len);
	return order;
}

static int compare_items(const void *a, const void *b)
{
	const struct rule_item *const *left = a;
	const struct rule_item *const *right = b;
	return rule_item_compare(*left, *right);
}

const struct rule_item **rule_file_sorted(const struct rule_file *file)
{
	const struct rule_item **sorted = calloc(file->count + 1, sizeof(*sorted));
	if (!sorted)
		return NULL;
	for (size_t i = 0; i < file->count; i++)
		sorted[i] = &file->items[i];
	qsort(sorted, file->count, sizeof(*sorted), compare_items);
	return sorted;
}

enum cli_exit rule_file_check_names(const struct cli *cli, const struct rule_file *file)
{
	const struct rule_item **sorted = rule_file_sorted(file);
	if (!sorted)
		return fail_memory(cli);
	enum cli_exit code = CLI_OK;
	for (size_t i = 1; i < file->count && code == CLI_OK; i++) {
		const struct rule_item *first = sorted[i - 1], *second = sorted[i];
		if (rule_item_compare(first, second) != 0)
			continue;
		if (first > second) {
			first = sorted[i];
			second = sorted[i - 1];
		}
		struct sluice_error error;
		char where[512];
		sluice_error_set(&error, SLUICE_ERR_INVALID, SIZE_MAX, NULL,
		                 "a %s of the name \"%.*s\" stands in line %zu already",
		                 sluice_store_noun(second->definition.kind), (int)second->name.len,
		                 second->name.data, first->line);
		rule_file_where(file, (size_t)(second - file->items), where, sizeof(where));
		code = fail(cli, CLI_INVALID, where, &error);
	}
	free(sorted);
	return code;
}

struct sluice_rule *rule_item_rule(const struct rule_item *item)
{
	return item->definition.kind == SLUICE_STORE_RULE ? item->definition.rule : NULL;
}

const struct sluice_pattern *rule_item_pattern(const struct rule_item *item)
{
	const struct sluice_rule *rule = rule_item_rule(item);
	return rule ? rule->pattern : item->pattern;
}
