/*
 * Reading posthorn.conf and expanding values, in two passes: lines are joined
 * and set the raw values, of which the last for a name wins; then each value
 * is expanded, after those that it refers to, and checked against its row. So
 * the order of lines does not matter, a loop of references is found, and all
 * faults are reported at once, each with its line.
 */
#include "config/config.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/value.h"

#define FILE_MAX_BYTES (1 << 20)
#define VALUE_MAX_BYTES 65536
#define INCLUDE_DEPTH_MAX 10
#define NAME "abcdefghijklmnopqrstuvwxyz0123456789_" /* of a parameter */

struct config {
	struct config_value *value; /* one for each row of the table */
	int n;
};

static void set_value(struct config *c, int row, const char *raw,
		      const char *origin)
{
	struct config_value *v = &c->value[row];

	free(v->raw);
	free(v->origin);
	v->raw = mem_strdup(raw);
	v->origin = mem_strdup(origin);
}

static void unknown_name(const char *name, const char *origin,
			 struct buf *faults)
{
	const char *near = config_nearest(name);

	/* a wrong file in an include may hold secrets */
	if (!near && name[strspn(name, NAME)] != '\0')
		name = "";
	buf_printf(faults, "%s: unknown parameter %s%s%s%s\n", origin, name,
		   near ? " (do you mean " : "", near ? near : "",
		   near ? "?)" : "");
}

/* One "name = value" text. */
static void take_setting(struct config *c, char *text, const char *origin,
			 struct buf *faults)
{
	char *equals = strchr(text, '=');
	char *name;
	int row;

	if (!equals) {
		buf_printf(faults, "%s: wants `name = value`\n", origin);
		return;
	}
	*equals = '\0';
	name = str_trim(text);
	row = config_find(name);
	if (row < 0)
		unknown_name(name, origin, faults);
	else
		set_value(c, row, str_trim(equals + 1), origin);
}

static void read_file(struct config *c, const char *path, int depth,
		      struct buf *faults);

static void take_include(struct config *c, const char *path, const char *from,
			 const char *origin, int depth, struct buf *faults)
{
	char *copy = mem_strdup(from);
	char *full = path[0] == '/' ? mem_strdup(path)
				    : mem_printf("%s/%s", dirname(copy), path);

	if (depth >= INCLUDE_DEPTH_MAX)
		buf_printf(faults, "%s: include goes too deep\n", origin);
	else
		read_file(c, full, depth + 1, faults);
	free(full);
	free(copy);
}

/* One logical line, its continuation lines joined. */
static void take_line(struct config *c, char *text, const char *path, int line,
		      int depth, struct buf *faults)
{
	char *origin = mem_printf("%s:%d", path, line);

	if (str_starts(text, "include") && str_isspace(text[7]))
		take_include(c, str_trim(text + 7), path, origin, depth,
			     faults);
	else if (*str_trim(text))
		take_setting(c, text, origin, faults);
	free(origin);
}

/* Walks the lines of TEXT: comment lines are skipped, even between continuation
 * lines; a line that begins with white space continues the one before. */
static void take_text(struct config *c, char *text, const char *path, int depth,
		      struct buf *faults)
{
	struct buf logical;
	int line = 0, began = 0;
	char *next;

	buf_init(&logical, VALUE_MAX_BYTES);
	for (; text; text = next) {
		next = strchr(text, '\n');
		if (next)
			*next++ = '\0';
		line++;
		if (text[strspn(text, " \t\r")] == '#')
			continue;
		if (!str_isspace(*text)) {
			take_line(c, logical.data, path, began, depth, faults);
			buf_reset(&logical);
			began = line;
		}
		buf_puts(&logical, text);
		if (logical.over)
			buf_printf(faults, "%s:%d: the value is too long\n",
				   path, began);
	}
	if (logical.len > 0)
		take_line(c, logical.data, path, began, depth, faults);
	buf_free(&logical);
}

static void read_file(struct config *c, const char *path, int depth,
		      struct buf *faults)
{
	struct buf text;
	int err;

	buf_init(&text, FILE_MAX_BYTES);
	err = file_read(path, &text);
	if (err)
		buf_printf(faults, "%s\n", err_why(err));
	else if (memchr(text.data, '\0', text.len))
		buf_printf(faults, "%s: is not a text file\n", path);
	else if (text.len > 0)
		take_text(c, text.data, path, depth, faults);
	buf_free(&text);
}

static bool expand(struct config *c, struct config_value *v,
		   struct buf *faults);

/* The parameter named at P ("name}…" or "name…"); *END is after it. */
static bool put_reference(struct config *c, struct buf *out, const char *p,
			  const char **end, const struct config_value *in,
			  struct buf *faults)
{
	bool braced = *p == '{';
	char name[100] = "";
	size_t n = 0;
	int row;

	p += braced;
	while (str_isalnum(p[n]) || p[n] == '_')
		n++;
	if (n < sizeof(name))
		memcpy(name, p, n);
	*end = p + n + (braced && p[n] == '}');
	row = config_find(name);
	if (row < 0) {
		buf_printf(faults, "%s: %s: unknown parameter $%s\n",
			   in->origin, in->param->name, name);
		return false;
	}
	if (!expand(c, &c->value[row], faults))
		return false;
	buf_puts(out, c->value[row].text);
	return true;
}

static bool expand_text(struct config *c, struct config_value *v,
			struct buf *out, struct buf *faults)
{
	const char *p = v->raw;
	bool good = true;

	while (*p && good) {
		size_t n = strcspn(p, "$");

		buf_put(out, p, n);
		p += n;
		if (!*p)
			break;
		if (p[1] == '$') {
			buf_putc(out, '$');
			p += 2;
			continue;
		}
		good = put_reference(c, out, p + 1, &p, v, faults);
	}
	return good && !out->over;
}

/* Fills V->text; a parameter that leads back to itself is a fault. */
static bool expand(struct config *c, struct config_value *v, struct buf *faults)
{
	struct buf out;
	bool good;

	if (v->text)
		return true;
	if (v->expanding) {
		buf_printf(faults, "%s: %s refers to itself\n", v->origin,
			   v->param->name);
		return false;
	}
	v->expanding = true;
	buf_init(&out, VALUE_MAX_BYTES);
	good = expand_text(c, v, &out, faults);
	v->text = buf_steal(&out);
	v->expanding = false;
	return good;
}

/* Defaults that come from the system and so cannot be in the table. */
static void set_system_defaults(struct config *c, const char *path)
{
	char host[256] = "localhost";
	int row = config_find("myhostname");
	struct config_value *name = &c->value[row];
	const char *dot;

	if (!*name->raw) {
		gethostname(host, sizeof(host) - 1);
		if (!strchr(host, '.'))
			strncat(host, ".localdomain",
				sizeof(host) - strlen(host) - 1);
		set_value(c, row, host, "");
	}
	row = config_find("mydomain");
	dot = strchr(name->raw, '.');
	if (!*c->value[row].raw)
		set_value(c, row, dot && dot[1] ? dot + 1 : "localdomain", "");
	row = config_find("config_directory");
	if (path && !*c->value[row].origin) {
		char *full = realpath(path, NULL);

		if (full)
			set_value(c, row, dirname(full), "");
		free(full);
	}
}

struct config *config_defaults(void)
{
	struct config *c = mem_alloc(sizeof(*c));

	while (config_params[c->n].name)
		c->n++;
	c->value = mem_array((size_t)c->n, sizeof(*c->value));
	for (int i = 0; i < c->n; i++) {
		c->value[i].param = &config_params[i];
		set_value(c, i, config_params[i].value, "");
	}
	return c;
}

void config_set(struct config *c, int row, const char *raw, const char *origin,
		const char *text)
{
	struct config_value *v = &c->value[row];

	set_value(c, row, raw, origin);
	free(v->text);
	v->text = mem_strdup(text);
}

void config_finish(struct config *c, struct buf *faults)
{
	for (int i = 0; i < c->n; i++)
		if (expand(c, &c->value[i], faults))
			config_check(&c->value[i], faults);
}

const struct config_value *config_value(const struct config *c, int row)
{
	return &c->value[row];
}

static struct config *load(const char *path, const char *const *overrides,
			   int n, struct buf *faults)
{
	struct config *c = config_defaults();

	if (path)
		read_file(c, path, 0, faults);
	for (int i = 0; i < n; i++) {
		char *text = mem_strdup(overrides[i]);

		take_setting(c, text, "command line", faults);
		free(text);
	}
	set_system_defaults(c, path);
	config_finish(c, faults);
	return c;
}

struct config *config_load(const char *path, const char *const *overrides,
			   int n, struct buf *faults)
{
	size_t before = faults->len;
	struct config *c = load(path, overrides, n, faults);

	if (faults->len > before)
		config_free(&c);
	return c;
}

/* A faulty value becomes the default again. */
static void mend(struct config *c, int row)
{
	struct config_value *v = &c->value[row];
	struct buf ignored;

	buf_init(&ignored, VALUE_MAX_BYTES);
	if (!config_check(v, &ignored)) {
		set_value(c, row, v->param->value, "");
		free(v->text);
		v->text = NULL;
		if (expand(c, v, &ignored))
			config_check(v, &ignored);
	}
	buf_free(&ignored);
}

struct config *config_load_anyway(const char *path, struct buf *faults)
{
	size_t before = faults->len;
	struct config *c = load(path, NULL, 0, faults);

	for (int i = 0; i < c->n && faults->len > before; i++)
		mend(c, i);
	if (access(path, R_OK) < 0)
		config_free(&c);
	return c;
}

void config_free(struct config **c)
{
	if (!*c)
		return;
	for (int i = 0; i < (*c)->n; i++) {
		struct config_value *v = &(*c)->value[i];

		free(v->raw);
		free(v->origin);
		free(v->text);
		strlist_free(&v->list);
	}
	free((*c)->value);
	free(*c);
	*c = NULL;
}

static const struct config_value *value_of(const struct config *c,
					   const char *name)
{
	int row = config_find(name);

	if (row < 0) {
		fprintf(stderr, "no parameter %s in the table\n", name);
		abort();
	}
	return &c->value[row];
}

static const struct config_value *typed(const struct config *c,
					const char *name, enum config_type type)
{
	const struct config_value *v = value_of(c, name);

	if (v->param->type != type) {
		fprintf(stderr, "parameter %s has another type\n", name);
		abort();
	}
	return v;
}

const char *config_string(const struct config *c, const char *name)
{
	const struct config_value *v = value_of(c, name);

	return v->param->type == CONFIG_CHOICE
		       ? v->text
		       : typed(c, name, CONFIG_STRING)->text;
}

bool config_bool(const struct config *c, const char *name)
{
	return typed(c, name, CONFIG_BOOL)->number != 0;
}

int64_t config_int(const struct config *c, const char *name)
{
	return typed(c, name, CONFIG_INT)->number;
}

int64_t config_seconds(const struct config *c, const char *name)
{
	return typed(c, name, CONFIG_SECONDS)->number;
}

int64_t config_bytes(const struct config *c, const char *name)
{
	return typed(c, name, CONFIG_BYTES)->number;
}

const struct strlist *config_list(const struct config *c, const char *name)
{
	return &typed(c, name, CONFIG_LIST)->list;
}

const char *config_raw(const struct config *c, const char *name)
{
	return value_of(c, name)->raw;
}

const char *config_origin(const struct config *c, const char *name)
{
	return value_of(c, name)->origin;
}
