/* posthorn config: the parameters, from their one table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "admin/admin.h"

static const char help[] =
	"usage: posthorn config [-n | -d] [--json] [NAME …]\n"
	"       posthorn config --help NAME\n"
	"       posthorn config --manual\n\n"
	"Shows parameters with their values, as expanded.\n"
	"  --json     one object a line, with the place where it is set\n"
	"  -n         only those that the file sets, as written\n"
	"  -d         the defaults\n"
	"  --help     what a parameter means\n"
	"  --manual   all of them as the source of posthorn.conf(5)\n";

static const struct {
	enum config_type type;
	const char *text;
} types[] = {
	{ CONFIG_STRING, "text" },
	{ CONFIG_BOOL, "yes or no" },
	{ CONFIG_INT, "number" },
	{ CONFIG_SECONDS, "time (s, m, h, d, w)" },
	{ CONFIG_BYTES, "size in bytes (k, M, G)" },
	{ CONFIG_LIST, "list" },
	{ CONFIG_CHOICE, "one of" },
};

static const char *type_text(enum config_type type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return types[i].text;
	return "";
}

static const struct config_param *find(const char *name)
{
	const struct config_param *p = config_params;

	while (p->name && strcmp(p->name, name) != 0)
		p++;
	return p->name ? p : NULL;
}

static int explain(const char *name)
{
	const struct config_param *p = find(name);

	if (!p)
		return admin_fail(EX_DATAERR, "there is no parameter %s", name);
	printf("%s = %s\n    %s\n    Type: %s%s%s\n", p->name, p->value,
	       p->help, type_text(p->type), p->range ? " " : "",
	       p->range ? p->range : "");
	return EX_OK;
}

/* A text as mdoc: protects what could be a macro or an escape. */
static void put_mdoc(const char *s)
{
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else
			putchar(*s);
	}
}

static void put_row(const struct config_param *p)
{
	printf(".It Ic ");
	put_mdoc(p->name);
	printf(" \\&=");
	if (*p->value) {
		putchar(' ');
		put_mdoc(p->value);
	}
	putchar('\n');
	put_mdoc(p->help);
	printf("\n.br\nType: %s", type_text(p->type));
	if (p->range) {
		putchar(' ');
		put_mdoc(p->range);
	}
	puts(".");
}

/* The groups in the order in which they first occur. */
static bool first_of_group(const struct config_param *p)
{
	for (const struct config_param *q = config_params; q < p; q++)
		if (strcmp(q->group, p->group) == 0)
			return false;
	return true;
}

static void put_group(const struct config_param *first)
{
	printf(".Ss Parameters: %s\n.Bl -tag -width Ds\n", first->group);
	for (const struct config_param *p = first; p->name; p++)
		if (strcmp(p->group, first->group) == 0)
			put_row(p);
	puts(".El");
}

static int print_manual(void)
{
	for (const struct config_param *p = config_params; p->name; p++)
		if (first_of_group(p))
			put_group(p);
	return EX_OK;
}

static const char *text_of(const struct config *c, const struct config_param *p,
			   struct buf *scratch)
{
	buf_reset(scratch);
	switch (p->type) {
	case CONFIG_STRING:
	case CONFIG_CHOICE:
		return config_string(c, p->name);
	case CONFIG_BOOL:
		return config_bool(c, p->name) ? "yes" : "no";
	case CONFIG_LIST:
		for (size_t i = 0; i < config_list(c, p->name)->n; i++)
			buf_printf(scratch, "%s%s", i ? " " : "",
				   config_list(c, p->name)->item[i]);
		return scratch->data;
	case CONFIG_INT:
		buf_printf(scratch, "%lld", (long long)config_int(c, p->name));
		return scratch->data;
	case CONFIG_SECONDS:
		buf_printf(scratch, "%llds",
			   (long long)config_seconds(c, p->name));
		return scratch->data;
	case CONFIG_BYTES:
		buf_printf(scratch, "%lld",
			   (long long)config_bytes(c, p->name));
		return scratch->data;
	}
	return "";
}

static void put_json(const struct config *c, const struct config_param *p,
		     const char *value)
{
	struct buf b;

	buf_init(&b, 1 << 21);
	buf_printf(&b, "{\"name\":\"%s\",\"value\":", p->name);
	admin_json_string(&b, value);
	buf_puts(&b, ",\"origin\":");
	admin_json_string(&b, config_origin(c, p->name));
	buf_putc(&b, '}');
	puts(b.data);
	buf_free(&b);
}

static void print_row(const struct admin *a, const struct config_param *p,
		      char mode)
{
	const struct config *c = a->config;
	const char *value = p->value;
	struct buf scratch;

	if (mode == 'n' && !*config_origin(c, p->name))
		return;
	buf_init(&scratch, 1 << 20);
	if (mode == 'n')
		value = config_raw(c, p->name);
	else if (mode != 'd')
		value = text_of(c, p, &scratch);
	if (a->json)
		put_json(c, p, value);
	else
		printf("%s = %s\n", p->name, value);
	buf_free(&scratch);
}

static int print_rows(const struct admin *a, char mode, int first)
{
	int status = EX_OK;

	if (first >= a->argc)
		for (const struct config_param *p = config_params; p->name; p++)
			print_row(a, p, mode);
	for (int i = first; i < a->argc; i++) {
		const struct config_param *p = find(a->argv[i]);

		if (p)
			print_row(a, p, mode);
		else
			status = admin_fail(EX_DATAERR,
					    "there is no parameter %s",
					    a->argv[i]);
	}
	return status;
}

int admin_config(const struct admin *a)
{
	struct admin with = *a;
	struct buf faults;
	const char *word = a->argc > 0 ? a->argv[0] : "";
	char mode = 0;
	int status;

	if (strcmp(word, "--manual") == 0)
		return print_manual();
	if (strcmp(word, "--help") == 0 && a->argc == 2)
		return explain(a->argv[1]);
	if (a->help)
		return admin_usage(a, help);
	if (strcmp(word, "-n") == 0 || strcmp(word, "-d") == 0)
		mode = word[1];
	else if (*word == '-')
		return admin_usage(a, help);
	buf_init(&faults, 1 << 20);
	with.config = config_load(a->config_path, NULL, 0, &faults);
	if (!with.config) {
		fputs(faults.data, stderr);
		return EX_CONFIG;
	}
	status = print_rows(&with, mode, mode ? 1 : 0);
	config_free(&with.config);
	return status;
}
