/* posthorn: the administrator's one command. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "admin/admin.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* What a command needs of the configuration. */
enum wants {
	WANTS_NONE, /* it loads its own */
	WANTS_GOOD,
	WANTS_ANY,   /* a faulty one must not prevent looking */
	WANTS_PLACES /* the same, and others report its faults */
};

#define ANY INT_MAX

static const struct {
	const char *name;
	int (*run)(const struct admin *a);
	enum wants wants;
	int min, max; /* words; with another number it gives its usage */
	const char *help;
} commands[] = {
	{ "start", admin_start, WANTS_GOOD, 0, 0, "start the suite" },
	{ "stop", admin_stop, WANTS_ANY, 0, 0, "stop it in order" },
	{ "reload", admin_reload, WANTS_PLACES, 0, 0,
	  "read the configuration again, dropping no connection" },
	{ "status", admin_status, WANTS_ANY, 0, 0,
	  "which services run, and how the queue is" },
	{ "check", admin_check, WANTS_NONE, 0, 0,
	  "look for faults in the configuration and its files" },
	{ "config", admin_config, WANTS_NONE, 0, ANY, "show parameters" },
	{ "queue", admin_queue, WANTS_ANY, 1, ANY,
	  "list show hold release flush requeue bounce delete stats" },
	{ "user", admin_user, WANTS_GOOD, 1, ANY,
	  "virtual users: add passwd list remove quota" },
	{ "mailbox", admin_mailbox, WANTS_ANY, 2, 5,
	  "check repair reindex dump acl setacl create folders of a user" },
	{ "map", admin_map, WANTS_PLACES, 1, ANY, "build and ask tables" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
	fputs("usage: posthorn [-c FILE] [--json] COMMAND [WORD …]\n\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n  -c FILE  the configuration [$POSTHORN_CONFIG or " CONFIG_DIR
	      "/posthorn.conf]\n"
	      "  --json   report in JSON (status, check, config, queue list, "
	      "queue stats,\n           user list)\n\n"
	      "posthorn COMMAND --help says more of one command; see also "
	      "posthorn(8).\n",
	      to);
}

int admin_fail(int status, const char *fmt, ...)
{
	struct buf visible;
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	buf_init(&visible, 1 << 24);
	if (text)
		encode_visible(&visible, text, strlen(text));
	fprintf(stderr, "posthorn: %s\n", visible.len ? visible.data : "");
	buf_free(&visible);
	free(text);
	return status;
}

int admin_usage(const struct admin *a, const char *text)
{
	fputs(text, a->help ? stdout : stderr);
	return a->help ? EX_OK : EX_USAGE;
}

char *admin_socket(const struct admin *a, const char *name)
{
	return mem_printf("%s/public/%s",
			  config_string(a->config, "run_directory"), name);
}

/* The bytes of the character at S; 0 if it is not UTF-8. */
static size_t char_length(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return strnlen(s, n) == n && str_is_utf8(s, n) ? n : 0;
}

void admin_json_string(struct buf *out, const char *s)
{
	size_t n;

	buf_putc(out, '"');
	for (; *s; s += n ? n : 1) {
		unsigned char c = (unsigned char)*s;

		n = char_length(s);
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else if (n == 0)
			buf_puts(out, "\\ufffd");
		else
			buf_put(out, s, n);
	}
	buf_putc(out, '"');
}

/* False: it is unusable for the command, and the faults were printed. */
static bool load_config(struct admin *a, enum wants wants)
{
	struct buf faults;

	if (wants == WANTS_NONE)
		return true;
	buf_init(&faults, 1 << 20);
	if (wants == WANTS_GOOD)
		a->config = config_load(a->config_path, NULL, 0, &faults);
	else
		a->config = config_load_anyway(a->config_path, &faults);
	a->faulty = faults.len > 0;
	if (wants != WANTS_PLACES)
		fputs(faults.data, stderr);
	buf_free(&faults);
	return a->config != NULL;
}

/* Will it give its usage? That needs no configuration. */
static bool is_misused(const struct admin *a, size_t i)
{
	return a->help || a->argc < commands[i].min ||
	       a->argc > commands[i].max;
}

static int run_command(struct admin *a, const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (!is_misused(a, i) && !load_config(a, commands[i].wants))
			return EX_CONFIG;
		return commands[i].run(a);
	}
	return admin_fail(EX_USAGE,
			  "there is no command %s; posthorn --help lists them",
			  name);
}

/* Options before the command's name; gives the index of the name. */
static int parse_options(struct admin *a, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-c") == 0) {
			a->config_path = ++i < argc ? argv[i] : "";
			if (!*a->config_path)
				exit(admin_fail(EX_USAGE, "-c wants a file"));
		} else if (strcmp(argv[i], "--json") == 0) {
			a->json = true;
		} else if (strcmp(argv[i], "--help") == 0) {
			usage(stdout);
			exit(EX_OK);
		} else if (strcmp(argv[i], "--version") == 0) {
			puts("Posthorn " POSTHORN_VERSION);
			exit(EX_OK);
		} else {
			exit(admin_fail(EX_USAGE,
					"there is no option %s; posthorn "
					"--help lists them",
					argv[i]));
		}
	}
	return i;
}

/* --json may stand anywhere: takes it out of the words. */
static void take_json(struct admin *a)
{
	int n = 0;

	for (int i = 0; i < a->argc; i++) {
		if (strcmp(a->argv[i], "--json") == 0)
			a->json = true;
		else
			a->argv[n++] = a->argv[i];
	}
	a->argc = n;
}

int main(int argc, char **argv)
{
	struct admin a = { .config_path = getenv("POSTHORN_CONFIG") };
	int i, err, status;

	if (!a.config_path)
		a.config_path = CONFIG_DIR "/posthorn.conf";
	file_begin_output();
	i = parse_options(&a, argc, argv);
	if (i >= argc) {
		usage(stderr);
		return EX_USAGE;
	}
	a.argc = argc - i - 1;
	a.argv = argv + i + 1;
	a.help = a.argc > 0 && str_equal(argv[argc - 1], "--help");
	take_json(&a);
	status = run_command(&a, argv[i]);
	err = file_end_output();
	if (err && status == EX_OK)
		status = admin_fail(EX_IOERR, "%s", err_why(err));
	config_free(&a.config);
	return status;
}
