/*
 * posthorn check: what would go wrong, before it does. Each file check-*.c
 * examines one thing and adds findings; here are these, what has no file of its
 * own, and the printing.
 *
 * Only a faulty configuration file ends it early; all else is looked at, whatever
 * was found before, so that one run names everything. What keeps master from
 * starting is asked of master itself (`master -t`): a copy of its rules here
 * would differ from them one day. Commands that change something run the same
 * checks afterwards (admin_warn), and succeed whatever these find.
 */
#include "admin/check.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "address/address.h"
#include "admin/admin.h"
#include "base/file.h"
#include "base/mem.h"
#include "client/decoder.h"
#include "mailbox/store.h"

static const char help[] =
	"usage: posthorn check [--json]\n\n"
	"Looks at the configuration, its tables, certificates, users, files "
	"and ports,\nand says what is wrong. Exit code 0: no fault, maybe "
	"warnings; 78: something\ndoes not work or is dangerous.\n";

/* Where the parameter with whose name TEXT begins is set; "" if there is none,
 * or it has its default. */
static const char *origin_of(const struct config *c, const char *text)
{
	size_t n = strcspn(text, ": ");

	for (const struct config_param *p = config_params; c && p->name; p++)
		if (strlen(p->name) == n && strncmp(p->name, text, n) == 0)
			return config_origin(c, p->name);
	return "";
}

__attribute__((format(printf, 3, 0))) static void add(struct findings *f,
						      const char *level,
						      const char *fmt,
						      va_list ap)
{
	char text[2048], *located;
	const char *origin;

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		return;
	origin = origin_of(f->config, text);
	located = mem_printf("%s%s%s", origin, *origin ? ": " : "", text);
	strlist_add(&f->text, located);
	strlist_add(&f->level, level);
	free(located);
}

void check_fault(struct findings *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, "fault", fmt, ap);
	va_end(ap);
	f->faults++;
}

void check_warning(struct findings *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, "warning", fmt, ap);
	va_end(ap);
}

void check_faults(struct findings *f, const char *param, const struct buf *text)
{
	const char *p = text->len ? text->data : "";

	for (size_t n; *p; p += n + (p[n] == '\n')) {
		n = strcspn(p, "\n");
		if (n > 0)
			check_fault(f, "%s%s%.*s", param ? param : "",
				    param ? ": " : "", (int)n, p);
	}
}

/* In the new process: `master -t`, whose output goes to FD. */
static void become_master(const struct admin *a, const char *program, int fd)
{
	dup2(fd, STDOUT_FILENO);
	execl(program, "master", "-t", "-c", a->config_path, (char *)NULL);
	_exit(EX_OSFILE);
}

/* Only master knows what keeps it from starting. */
static void check_start(struct findings *f, const struct admin *a,
			const struct config *c)
{
	char *program =
		mem_printf("%s/master", config_string(c, "daemon_directory"));
	struct buf text;
	int fds[2];
	pid_t pid;

	buf_init(&text, 1 << 20);
	if (access(program, X_OK) < 0) {
		check_fault(f, "%s: cannot execute: %s (daemon_directory)",
			    program, strerror(errno));
	} else if (pipe2(fds, O_CLOEXEC) == 0) {
		pid = fork();
		if (pid == 0)
			become_master(a, program, fds[1]);
		close(fds[1]);
		if (file_read_fd(fds[0], &text))
			buf_printf(&text,
				   "%s: not all that it said could be "
				   "read\n",
				   program);
		close(fds[0]);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		check_faults(f, NULL, &text);
	}
	buf_free(&text);
	free(program);
}

/* RFC 3986 section 3: a scheme, a colon, and no character that may not be in
 * one. */
static bool is_uri(const char *text)
{
	static const char scheme[] = "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "-._~:/?#[]@!$&'()*+,;=%";
	size_t n = strspn(text, scheme);

	return n > 0 && isalpha((unsigned char)*text) && text[n] == ':' &&
	       text[n + 1] && text[n + 1 + strspn(text + n + 1, rest)] == '\0';
}

static void check_names(struct findings *f, const struct config *c)
{
	const char *host = config_string(c, "myhostname");
	const char *last = config_string(c, "2bounce_notice_recipient");
	const char *admin = config_string(c, "imap_server_admin");
	struct address a;

	if (!strchr(host, '.') || str_ends_ci(host, ".localdomain"))
		check_warning(f,
			      "myhostname = %s: not a full name, other hosts "
			      "may refuse our mail",
			      host);
	if (*last && address_parse(last, strlen(last), &a))
		check_fault(f, "2bounce_notice_recipient = %s: is not an "
			       "address",
			    last);
	if (*admin && !is_uri(admin))
		check_fault(f, "imap_server_admin = %s: is not a URI, such as "
			       "mailto:postmaster@example.org",
			    admin);
}

/* dmarc_reject is off by default, but an administrator should know. */
static void check_authentication(struct findings *f, const struct config *c)
{
	if (config_bool(c, "authcheck_incoming") &&
	    !config_bool(c, "dmarc_reject"))
		check_warning(f, "dmarc_reject = no: forged mail is taken even "
				 "if the domain it names asks to refuse it");
}

static void check_folders(struct findings *f, const struct config *c)
{
	static const char *const params[] = { "mailbox_autocreate",
					      "mailbox_autosubscribe" };

	for (size_t k = 0; k < sizeof(params) / sizeof(*params); k++) {
		const struct strlist *l = config_list(c, params[k]);

		for (size_t i = 0; i < l->n; i++)
			if (store_check_name(l->item[i]) != ERR_OK)
				check_fault(f, "%s: %s is not a folder's name",
					    params[k], l->item[i]);
	}
}

static void check_decoders(struct findings *f, const struct config *c)
{
	static struct decoders d;
	struct buf faults;

	buf_init(&faults, 1 << 20);
	decoders_read(&d, config_list(c, "fts_decoder"), "", &faults);
	check_faults(f, NULL, &faults);
	buf_free(&faults);
	for (size_t i = 0; i < d.n; i++)
		if (access(d.row[i].argv[0], X_OK) < 0)
			check_fault(f, "fts_decoder: %s: %s", d.row[i].argv[0],
				    strerror(errno));
}

static void look(struct findings *f, const struct admin *a,
		 const struct config *c)
{
	f->config = c;
	check_file(f, "the configuration", a->config_path, false);
	check_names(f, c);
	check_authentication(f, c);
	check_folders(f, c);
	check_decoders(f, c);
	check_users(f, c);
	check_owners(f, c);
	check_start(f, a, c);
	check_files(f, c);
	check_access(f, c);
	check_queue(f, c);
	check_network(f, c);
	check_tls(f, c);
	check_lines(f, c);
	check_tables(f, c);
	check_proxies(f, c);
}

static void print_json(const struct findings *f)
{
	struct buf b;

	buf_init(&b, 1 << 24);
	for (size_t i = 0; i < f->text.n; i++) {
		buf_puts(&b, i ? ",\n{\"level\":" : "[\n{\"level\":");
		admin_json_string(&b, f->level.item[i]);
		buf_puts(&b, ",\"text\":");
		admin_json_string(&b, f->text.item[i]);
		buf_putc(&b, '}');
	}
	printf("%s\n", f->text.n ? b.data : "[");
	puts("]");
	buf_free(&b);
}

static void print_text(const struct findings *f, FILE *to)
{
	for (size_t i = 0; i < f->text.n; i++)
		fprintf(to, "%s: %s\n", f->level.item[i], f->text.item[i]);
}

static void findings_free(struct findings *f)
{
	strlist_free(&f->text);
	strlist_free(&f->level);
}

void admin_warn(const struct admin *a, const char *done)
{
	struct findings f = { 0 };

	look(&f, a, a->config);
	print_text(&f, stderr);
	if (f.faults)
		admin_fail(EX_OK, "%s in spite of %s above", done,
			   f.faults == 1 ? "the fault" : "the faults");
	findings_free(&f);
}

int admin_check(const struct admin *a)
{
	struct findings f = { 0 };
	struct config *c = NULL;
	struct buf faults;

	if (a->argc > 0)
		return admin_usage(a, help);
	buf_init(&faults, 1 << 20);
	c = config_load(a->config_path, NULL, 0, &faults);
	if (c)
		look(&f, a, c);
	else
		check_faults(&f, NULL, &faults);
	config_free(&c);
	buf_free(&faults);
	if (a->json)
		print_json(&f);
	else if (f.text.n == 0)
		puts("no fault found");
	else
		print_text(&f, stdout);
	findings_free(&f);
	return f.faults ? EX_CONFIG : EX_OK;
}
