/*
 * posthorn user: the virtual users' file, posthorn-users(5). It is text that
 * administrators also edit by hand: a change replaces one line and leaves every
 * other byte as it is, comments and lines with faults too, and the file is
 * replaced as a whole.
 *
 * First the file under its lock, then passwords, the verbs that change a line,
 * and the list. Names are brought into the form in which accountd looks them up.
 * No message quotes a line, since a hash may be anywhere in one with a fault.
 */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "address/address.h"
#include "address/domains.h"
#include "admin/admin.h"
#include "admin/doubts.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "server/user.h"

static const char help[] =
	"usage: posthorn user list [--json]      the virtual users\n"
	"       posthorn user quota [USER…]      what mailboxes hold, and may\n"
	"       posthorn user host [USER…]       which host serves them\n"
	"       posthorn user add USER@DOMAIN    make one\n"
	"       posthorn user passwd USER@DOMAIN change the password\n"
	"       posthorn user remove USER@DOMAIN remove one (mail stays)\n\n"
	"The password is asked for, or read from standard input.\n";

#define USERS_MAX_BYTES (1 << 26)
#define PASSWORD_MAX 256
#define LOCAL_MAX 64 /* RFC 5321 section 4.5.3.1.1 */

/* The file while it is changed: nobody else changes it meanwhile. */
struct users {
	const struct config *config;
	const char *path;
	struct buf text;
	int lock;
	struct stat st; /* whose it is; st_nlink 0: there was none */
	gid_t reader;	/* the group of accountd */
};

static int users_open(struct users *u, const struct admin *a)
{
	char *lock;
	uid_t ignored;
	int err;

	u->config = a->config;
	u->path = config_string(a->config, "virtual_users_file");
	lock = mem_printf("%s.lock", u->path);
	buf_init(&u->text, USERS_MAX_BYTES);
	u->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (u->lock < 0 || flock(u->lock, LOCK_EX) < 0)
		err = admin_fail(errno == EACCES ? EX_NOPERM : EX_CANTCREAT,
				 "%s: cannot lock: %s", lock, strerror(errno));
	else
		err = EX_OK;
	free(lock);
	if (err)
		return err;
	if (stat(u->path, &u->st) < 0)
		u->st.st_nlink = 0;
	if (!user_find(config_string(a->config, "account_user"), &ignored,
		       &u->reader))
		u->reader = getegid();
	err = file_read(u->path, &u->text);
	if (err && err != ERR_NOT_FOUND)
		return admin_fail(EX_NOINPUT, "%s", err_why(err));
	if (u->text.len > 0 && u->text.data[u->text.len - 1] != '\n')
		buf_putc(&u->text, '\n');
	return EX_OK;
}

/* Is NAME, N bytes of the file, the user USER? Works even if it is not an
 * address, so that it can be removed. */
static bool is_named(const char *name, size_t n, const char *user)
{
	char *copy = mem_strndup(name, n), *text = str_trim(copy);
	bool same = str_equal_ci(text, user) || address_equal(text, user);

	same = same && *text && *text != '#';
	free(copy);
	return same;
}

/* The line of USER: where it begins, and *END after its LF; or NULL. */
static char *find(const struct users *u, const char *user, char **end)
{
	for (char *p = u->text.data; *p; p = *end) {
		char *lf = strchr(p, '\n');

		*end = lf ? lf + 1 : p + strlen(p);
		if (is_named(p, strcspn(p, ":\r\n"), user))
			return p;
	}
	return NULL;
}

/* Writes the file with the part from FROM to END replaced by LINE. */
static int users_save(struct users *u, const char *from, const char *end,
		      const char *line)
{
	bool old = u->st.st_nlink > 0;
	mode_t mode = old ? u->st.st_mode & 0777 : 0640;
	uid_t owner = old ? u->st.st_uid : (uid_t)-1;
	gid_t group = old ? u->st.st_gid : u->reader;
	struct buf out;
	int err;

	buf_init(&out, USERS_MAX_BYTES);
	buf_put(&out, u->text.data, (size_t)(from - u->text.data));
	buf_puts(&out, line);
	buf_puts(&out, end);
	err = out.over ? err_set(ERR_TOO_LONG, "%s would be too large", u->path)
		       : file_replace(u->path, mode, out.data, out.len);
	/* accountd, which is not root, must be able to read it */
	if (!err && geteuid() == 0 && chown(u->path, owner, group) < 0)
		err = err_sys("give away", u->path);
	buf_free(&out);
	return err ? admin_fail(EX_CANTCREAT, "%s", err_why(err)) : EX_OK;
}

static void echo(bool on)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &t) < 0)
		return;
	if (on)
		t.c_lflag |= ECHO;
	else
		t.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &t);
}

/* False after printing why. */
static bool read_password(const char *prompt, char *out)
{
	bool terminal = isatty(STDIN_FILENO);
	bool good, whole;

	if (terminal) {
		fputs(prompt, stderr);
		echo(false);
	}
	good = fgets(out, PASSWORD_MAX, stdin) != NULL;
	whole = !good || strchr(out, '\n') || feof(stdin);
	if (terminal) {
		echo(true);
		fputc('\n', stderr);
	}
	if (good)
		out[strcspn(out, "\r\n")] = '\0';
	if (!good || !*out)
		admin_fail(0, "no password was given");
	else if (!whole)
		admin_fail(0, "the password is too long: %d bytes at most",
			   PASSWORD_MAX - 2);
	return good && *out && whole;
}

/* Asks for a password (twice on a terminal) and gives its yescrypt hash in
 * memory of crypt(3), or NULL after saying why. */
static const char *ask_hash(void)
{
	static struct crypt_data data;
	char first[PASSWORD_MAX] = "", second[PASSWORD_MAX] = "";
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *hash = NULL;
	bool good = read_password("Password: ", first);

	if (good && isatty(STDIN_FILENO))
		good = read_password("Again: ", second);
	if (good && isatty(STDIN_FILENO) && strcmp(first, second) != 0)
		good = admin_fail(0, "the passwords differ");
	if (good && (!crypt_gensalt_rn("$y$", 0, NULL, 0, salt, sizeof(salt)) ||
		     !(hash = crypt_r(first, salt, &data)) || hash[0] == '*'))
		admin_fail(0, "cannot hash the password: %s", strerror(errno));
	mem_wipe(first, sizeof(first));
	mem_wipe(second, sizeof(second));
	return hash && hash[0] != '*' ? hash : NULL;
}

/* What is wrong with TEXT as the name of a virtual user, or NULL and the name
 * in OUT, ADDRESS_TEXT_SIZE bytes, in the form in which it is looked up. */
static const char *check_name(const char *text, char *out)
{
	struct address a;
	int err = address_parse(text, strlen(text), &a);

	if (err == ERR_TOO_LONG)
		return "the name or the domain is too long";
	if (err || !*a.local || !*a.domain)
		return "not of the form user@domain";
	if (a.domain[0] == '[')
		return "the domain is an IP address";
	if (strlen(a.local) > LOCAL_MAX)
		return "the name is too long: 64 bytes at most (RFC 5321)";
	if (a.local[0] == '.' || a.local[0] == '#')
		return "a name must not begin with . or #";
	str_lower(address_text(&a, out));
	return strpbrk(out, ":/\" \t\r\n")
		       ? "a name must not hold white space, quotes, : or /"
		       : NULL;
}

/* A user outside our domains gets no mail; but they may be set later. */
static void warn_of_domain(const struct users *u, const char *name)
{
	struct address_domains *d = address_domains_new(u->config, NULL);
	const char *domain = strrchr(name, '@') + 1;

	if (address_class(d, domain) != ADDRESS_VIRTUAL_MAILBOX)
		admin_fail(EX_OK,
			   "%s is not in virtual_mailbox_domains: %s gets no "
			   "mail until it is",
			   domain, name);
	address_domains_free(&d);
}

static int do_add(struct users *u, const char *user)
{
	char *end, *line, *stop;
	const char *hash;
	int status;

	if (find(u, user, &end))
		return admin_fail(EX_DATAERR, "%s is there already", user);
	hash = ask_hash();
	if (!hash)
		return EX_DATAERR;
	stop = u->text.data + u->text.len;
	line = mem_printf("%s:{CRYPT}%s:::::\n", user, hash);
	status = users_save(u, stop, stop, line);
	free(line);
	if (status == EX_OK)
		warn_of_domain(u, user);
	return status;
}

static int do_passwd(struct users *u, const char *user)
{
	char *end, *line, *from = find(u, user, &end);
	const char *hash, *rest;
	size_t n;
	int status;

	if (!from)
		return admin_fail(EX_NOUSER, "there is no user %s", user);
	hash = ask_hash();
	if (!hash)
		return EX_DATAERR;
	n = strcspn(from, ":\r\n");
	rest = from + n + (from[n] == ':');
	rest += strcspn(rest, ":\r\n");
	line = mem_printf("%.*s:{CRYPT}%s", (int)n, from, hash);
	status = users_save(u, from, rest, line);
	free(line);
	return status;
}

static int do_remove(struct users *u, const char *user)
{
	char *end, *from = find(u, user, &end);

	if (!from)
		return admin_fail(EX_NOUSER, "there is no user %s", user);
	return users_save(u, from, end, "");
}

static void print_name(const struct admin *a, const char *name, bool first)
{
	struct buf b;

	if (!a->json) {
		puts(name);
		return;
	}
	buf_init(&b, 65536);
	admin_json_string(&b, name);
	printf("%s\n%s", first ? "" : ",", b.data);
	buf_free(&b);
}

struct listing {
	const struct admin *admin;
	size_t n;
};

static void list_user(void *context, struct user *u, unsigned line)
{
	struct listing *l = context;

	(void)line;
	print_name(l->admin, u->name, l->n++ == 0);
	user_free(u);
}

/* Each line of TEXT, on standard error. */
static void say_faults(char *text)
{
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));)
		if (*line)
			admin_fail(EX_OK, "%s", line);
}

/* A line that is not understood is named by its number, since nobody knows
 * where in it the password is. */
static int do_list(const struct admin *a)
{
	struct listing l = { .admin = a };
	struct buf faults, doubt;
	int err, status = EX_OK;

	buf_init(&faults, USERS_MAX_BYTES);
	buf_init(&doubt, USERS_MAX_BYTES);
	if (a->json)
		putchar('[');
	err = doubts_of_users(a->config, &faults, &doubt, list_user, &l);
	if (a->json)
		puts(l.n ? "\n]" : "]");
	if (err && err != ERR_NOT_FOUND)
		status = admin_fail(err == ERR_DENIED ? EX_NOPERM : EX_NOINPUT,
				    "%s", err_why(err));
	say_faults(faults.data);
	if (doubt.len)
		status = EX_DATAERR;
	buf_free(&faults);
	buf_free(&doubt);
	return status;
}

struct verb {
	const char *name;
	int (*act)(struct users *u, const char *user);
	bool fresh; /* the name is new: it must be valid */
};

static const struct verb verbs[] = {
	{ "add", do_add, true },
	{ "passwd", do_passwd, false },
	{ "remove", do_remove, false },
};

static int change(const struct admin *a, const struct verb *verb)
{
	const char *user = a->argv[1], *wrong = NULL;
	char name[ADDRESS_TEXT_SIZE];
	struct users u;
	int status;

	if (verb->fresh)
		wrong = check_name(user, name);
	else if (strpbrk(user, ":\r\n"))
		wrong = "not of the form user@domain";
	if (wrong)
		return admin_fail(EX_USAGE, "%s: %s", user, wrong);
	status = users_open(&u, a);
	if (status == EX_OK)
		status = verb->act(&u, verb->fresh ? name : user);
	buf_free(&u.text);
	return status;
}

int admin_user(const struct admin *a)
{
	if (a->help)
		return admin_usage(a, help);
	if (a->argc == 1 && strcmp(a->argv[0], "list") == 0)
		return do_list(a);
	if (a->argc > 0 && strcmp(a->argv[0], "quota") == 0)
		return admin_user_quota(a);
	if (a->argc > 0 && strcmp(a->argv[0], "host") == 0)
		return admin_user_host(a);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (a->argc == 2 && strcmp(a->argv[0], verbs[i].name) == 0)
			return change(a, &verbs[i]);
	if (a->argc > 0)
		admin_fail(EX_USAGE,
			   "user %s: there is no such command, or not with so "
			   "many words",
			   a->argv[0]);
	return admin_usage(a, help);
}
