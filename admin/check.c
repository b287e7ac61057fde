/* posthorn check: what would go wrong, before it does. */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/str.h"
#include "server/user.h"
#include "table/table.h"

#define WARN_DAYS 14

static const char help[] =
	"usage: posthorn check\n\n"
	"Looks at the configuration, its tables, certificates, users and "
	"folders, and says\nwhat is wrong. Exit code 0: nothing; 78: "
	"something would not work.\n";

struct findings {
	int faults;
	int warnings;
};

__attribute__((format(printf, 2, 3))) static void fault(struct findings *f,
							const char *fmt, ...)
{
	va_list ap;

	fputs("fault: ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	f->faults++;
}

__attribute__((format(printf, 2, 3))) static void warning(struct findings *f,
							  const char *fmt, ...)
{
	va_list ap;

	fputs("warning: ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	f->warnings++;
}

static X509 *load_certificate(const char *path)
{
	FILE *in = fopen(path, "re");
	X509 *x;

	if (!in)
		return NULL;
	x = PEM_read_X509(in, NULL, NULL, NULL);
	fclose(in);
	return x;
}

static EVP_PKEY *load_key(const char *path)
{
	FILE *in = fopen(path, "re");
	EVP_PKEY *k;

	if (!in)
		return NULL;
	k = PEM_read_PrivateKey(in, NULL, NULL, NULL);
	fclose(in);
	return k;
}

static void check_dates(struct findings *f, const char *path, const X509 *x)
{
	int days, seconds;

	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)))
		return;
	if (days < 0 || seconds < 0)
		fault(f, "%s: this certificate has expired", path);
	else if (days < WARN_DAYS)
		warning(f, "%s: this certificate expires in %d days", path,
			days);
}

static void check_pair(struct findings *f, const char *cert, const char *key)
{
	X509 *x = load_certificate(cert);
	EVP_PKEY *k = load_key(key);

	if (!x)
		fault(f, "%s: no certificate (PEM) can be read: %s", cert,
		      errno ? strerror(errno) : "it holds none");
	else
		check_dates(f, cert, x);
	if (!k)
		fault(f, "%s: no key (PEM) can be read: %s", key,
		      errno ? strerror(errno) : "it holds none");
	if (x && k && X509_check_private_key(x, k) != 1)
		fault(f, "%s is not the key of %s", key, cert);
	X509_free(x);
	EVP_PKEY_free(k);
}

static void check_tls(struct findings *f, const struct config *c)
{
	const char *cert = config_string(c, "smtpd_tls_cert_file");

	if (!*cert) {
		warning(f, "smtpd_tls_cert_file is empty: there is no TLS, "
			   "and nobody can log in");
		return;
	}
	errno = 0;
	check_pair(f, cert, config_string(c, "smtpd_tls_key_file"));
}

static void check_tables(struct findings *f, const struct config *c)
{
	static const char *const params[] = { "alias_maps",
					      "virtual_alias_maps",
					      "smtpd_sender_login_maps" };
	struct table_list l = { 0 };
	struct buf faults;

	buf_init(&faults, 1 << 20);
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		table_list_open(&l, config_list(c, params[i]), &faults);
		table_list_free(&l);
	}
	for (char *line, *rest = faults.data;
	     faults.len > 0 && (line = strsep(&rest, "\n"));)
		if (*line)
			fault(f, "%s", line);
	buf_free(&faults);
}

static void check_users(struct findings *f, const struct config *c)
{
	static const char *const params[] = { "net_user", "queue_user",
					      "check_user", "tls_user",
					      "default_privs" };
	uid_t uid;
	gid_t gid;

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		const char *name = config_string(c, params[i]);

		if (user_find(name, &uid, &gid))
			continue;
		if (geteuid() == 0)
			fault(f, "%s = %s: there is no such user", params[i],
			      name);
	}
}

static void check_place(struct findings *f, const struct config *c,
			const char *param)
{
	const char *path = config_string(c, param);
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			fault(f, "%s = %s: %s", param, path, strerror(errno));
	} else if (!S_ISDIR(st.st_mode)) {
		fault(f, "%s = %s: is not a folder", param, path);
	} else if (st.st_mode & S_IWOTH) {
		fault(f, "%s = %s: everybody can write there", param, path);
	}
}

static void check_places(struct findings *f, const struct config *c)
{
	static const char *const params[] = { "config_directory",
					      "queue_directory",
					      "data_directory",
					      "run_directory" };
	struct stat st;
	const char *users = config_string(c, "virtual_users_file");

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		check_place(f, c, params[i]);
	if (stat(users, &st) == 0 && st.st_mode & (S_IROTH | S_IWOTH))
		fault(f,
		      "%s: others can read or write the users' passwords; "
		      "chmod 600 it",
		      users);
}

static void check_names(struct findings *f, const struct config *c)
{
	const struct strlist *local = config_list(c, "mydestination");
	const struct strlist *virt = config_list(c, "virtual_mailbox_domains");

	if (!strchr(config_string(c, "myhostname"), '.'))
		warning(f,
			"myhostname = %s: not a full name, other hosts may "
			"refuse our mail",
			config_string(c, "myhostname"));
	for (size_t i = 0; i < virt->n; i++)
		if (strlist_has_ci(local, virt->item[i]))
			fault(f,
			      "%s is in mydestination and in "
			      "virtual_mailbox_domains",
			      virt->item[i]);
}

int admin_check(const struct admin *a)
{
	struct findings f = { 0 };
	struct config *c;
	struct buf faults;

	if (a->argc > 0)
		return admin_usage(a, help);
	buf_init(&faults, 1 << 20);
	c = config_load(a->config_path, NULL, 0, &faults);
	if (!c) {
		fputs(faults.data, stderr);
		return EX_CONFIG;
	}
	check_names(&f, c);
	check_users(&f, c);
	check_places(&f, c);
	check_tls(&f, c);
	check_tables(&f, c);
	config_free(&c);
	if (f.faults == 0 && f.warnings == 0)
		puts("no fault found");
	return f.faults ? EX_CONFIG : EX_OK;
}
