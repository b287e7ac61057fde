/*
 * Lines of posthorn-users(5).
 */
#include "table/user-line.h"

#include <string.h>

#include "base/str.h"
#include "table/quota-rule.h"
#include "tap.h"

static const struct user_defaults defaults = { 700, 701, "/srv/mail" };

struct line {
	const char *promise;
	const char *line;
	const char *name; /* NULL: nobody who can be used */
	const char *hash;
	const char *home;
	const char *maildir;
	uid_t uid;
	gid_t gid;
	bool told; /* something is said about the line */
};

static const struct line lines[] = {
	{ "a name and a hash alone", "a@x.test:$6$s$h", "a@x.test", "$6$s$h",
	  "/srv/mail/x.test/a", "/srv/mail/x.test/a/Maildir", 700, 701, false },
	{ "a name alone", "a@x.test", "a@x.test", "", "/srv/mail/x.test/a",
	  "/srv/mail/x.test/a/Maildir", 700, 701, false },
	{ "all fields of Dovecot's passwd-file",
	  "A@X.Test:{CRYPT}$y$j$s$h:5:6:Ann, O.:/home/a:/bin/sh:x=1 y=2",
	  "a@x.test", "$y$j$s$h", "/home/a", "/home/a/Maildir", 5, 6, false },
	{ "white space around, CR at the end", "  a@x.test:$2b$05$x::\r",
	  "a@x.test", "$2b$05$x", "/srv/mail/x.test/a",
	  "/srv/mail/x.test/a/Maildir", 700, 701, false },
	{ "userdb_mail below the home",
	  "a@x.test::::::"
	  ":"
	  "userdb_mail=maildir:~/M/x",
	  "a@x.test", "", "/srv/mail/x.test/a", "/srv/mail/x.test/a/M/x", 700,
	  701, false },
	{ "userdb_mail elsewhere, with options",
	  "a@x.test:::::/h/::userdb_mail=maildir:/v/a:INBOX=/w", "a@x.test", "",
	  "/h", "/v/a", 700, 701, false },
	{ "userdb_mail that is no path",
	  "a@x.test:::::/h::userdb_mail=maildir:M", NULL, NULL, NULL, NULL, 0,
	  0, true },
	{ "locked with !", "a@x.test:!$6$s$h", "a@x.test", "",
	  "/srv/mail/x.test/a", "/srv/mail/x.test/a/Maildir", 700, 701, false },
	{ "locked with *", "a@x.test:*", "a@x.test", "", "/srv/mail/x.test/a",
	  "/srv/mail/x.test/a/Maildir", 700, 701, false },
	{ "a password in clear text lets nobody in", "a@x.test:{PLAIN}secret",
	  "a@x.test", "", "/srv/mail/x.test/a", "/srv/mail/x.test/a/Maildir",
	  700, 701, true },
	{ "nor does one without scheme", "a@x.test:secret", "a@x.test", "",
	  "/srv/mail/x.test/a", "/srv/mail/x.test/a/Maildir", 700, 701, true },
	{ "a prefix in lower case", "a@x.test:{sha512-crypt}$6$s$h", "a@x.test",
	  "$6$s$h", "/srv/mail/x.test/a", "/srv/mail/x.test/a/Maildir", 700,
	  701, false },
	{ "an empty line", "", NULL, NULL, NULL, NULL, 0, 0, false },
	{ "a comment", " # a@x.test:x", NULL, NULL, NULL, NULL, 0, 0, false },
	{ "a name without domain", "a:$6$s$h", NULL, NULL, NULL, NULL, 0, 0,
	  true },
	{ "no name", ":$6$s$h", NULL, NULL, NULL, NULL, 0, 0, true },
	{ "root as the owner", "a@x.test:$6$s$h:0:0", NULL, NULL, NULL, NULL, 0,
	  0, true },
	{ "root by name", "a@x.test:$6$s$h:root", NULL, NULL, NULL, NULL, 0, 0,
	  true },
	{ "an owner who does not exist", "a@x.test:$6$s$h:no-such-user", NULL,
	  NULL, NULL, NULL, 0, 0, true },
	{ "a negative owner", "a@x.test:$6$s$h:-1", NULL, NULL, NULL, NULL, 0,
	  0, true },
	{ "a relative home", "a@x.test:$6$s$h::::home/a", NULL, NULL, NULL,
	  NULL, 0, 0, true },
	{ "a name that leads out of the base", "../b@x.test:$6$s$h", NULL, NULL,
	  NULL, NULL, 0, 0, true },
	{ "a name with a slash", "a/b@x.test:$6$s$h", NULL, NULL, NULL, NULL, 0,
	  0, true },
	{ "the next line joined to the hash", "a@x.test:$6$s$hb@x.test:$6$s$h",
	  NULL, NULL, NULL, NULL, 0, 0, true },
	{ "the next line joined to the last colon",
	  "a@x.test:$6$s$h:::::b@x.test:$6$s$h:::::", NULL, NULL, NULL, NULL, 0,
	  0, true },
	{ "a clear password with @", "a@x.test:{PLAIN}s@x", "a@x.test", "",
	  "/srv/mail/x.test/a", "/srv/mail/x.test/a/Maildir", 700, 701, true },
	{ "a blank for the colon", "a@x.test $6$s$h:::::", NULL, NULL, NULL,
	  NULL, 0, 0, true },
	{ "a blank before the colon", "a@x.test :$6$s$h:::::", NULL, NULL, NULL,
	  NULL, 0, 0, true },
	{ "a name with a slash and a home", "a/b@x.test:$6$s$h::::/h",
	  "a/b@x.test", "$6$s$h", "/h", "/h/Maildir", 700, 701, false },
};

static void run(const struct line *l)
{
	char text[300];
	const char *why;
	struct user *u;
	bool good;

	str_copy(text, sizeof(text), l->line);
	u = user_parse(text, &defaults, &why);
	good = (u && !u->refused) == (l->name != NULL) &&
	       (why != NULL) == l->told;
	if (good && l->name)
		good = good && str_equal(u->name, l->name) &&
		       str_equal(u->hash, l->hash) &&
		       str_equal(u->home, l->home) &&
		       str_equal(u->maildir, l->maildir) && u->uid == l->uid &&
		       u->gid == l->gid;
	if (!ok(good, "%s", l->promise))
		printf("# %s | %s %s %s %s %d %d\n", why ? why : "",
		       u ? u->name : "-", u ? u->hash : "", u ? u->home : "",
		       u ? u->maildir : "", u ? (int)u->uid : 0,
		       u ? (int)u->gid : 0);
	user_free(u);
}

#define D QUOTA_DEFAULT

static const struct {
	const char *extra;
	int64_t bytes;
	int64_t messages;
	bool told;
	const char *trees;
} rules[] = {
	{ "", D, D, false, NULL },
	{ "x=1 userdb_mail=maildir:~/M", D, D, false, NULL },
	{ "userdb_quota_rule=*:storage=1G", INT64_C(1) << 30, D, false, NULL },
	{ "userdb_quota_rule=*:storage=100", 102400, D, false, NULL },
	{ "userdb_quota_rule=*:storage=7b:messages=9 x", 7, 9, false, NULL },
	{ "x userdb_quota_rule=*:bytes=500:messages=0", 500, 0, false, NULL },
	{ "userdb_quota_rule=*:messages=3", D, 3, false, NULL },
	{ "userdb_quota_rule=*:storage=0", 0, D, false, NULL },
	{ "userdb_quota_rule=*:storage=", D, D, true, NULL },
	{ "userdb_quota_rule=*:storage=-1", D, D, true, NULL },
	{ "userdb_quota_rule=*:storage=1X", D, D, true, NULL },
	{ "userdb_quota_rule=*:storage=1GB", D, D, true, NULL },
	{ "userdb_quota_rule=*:storage=99999999999G", D, D, true, NULL },
	{ "userdb_quota_rule=*:messages=1k", D, D, true, NULL },
	{ "userdb_quota_rule=*:nothing=1", D, D, true, NULL },
	{ "userdb_quota_rule=*:storage=+1G", D, D, true, NULL },
	{ "userdb_quota_rule=*:ignore", D, D, true, NULL },
	{ "userdb_quota_rule=Trash:storage=1G", D, D, false, "Trash:storage=1G" },
	{ "userdb_quota_rule=*:bytes=5 userdb_quota_rule2=Trash:storage=+10%% "
	  "userdb_quota_rule3=Spam:ignore",
	  5, D, false, "Trash:storage=+10%% Spam:ignore" },
	{ "userdb_quota_rule=*:bytes=5 userdb_quota_rule2=Trash", D, D, true, NULL },
	{ "userdb_quota_rule2=Trash:storage=+x", D, D, true, NULL },
	{ "userdb_quota_rule2=:ignore", D, D, true, NULL },
	{ "userdb_quota_rules=x", D, D, false, NULL },
	{ "userdb_quota_rule=", D, D, true, NULL },
};

static void test_rules(void)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		char text[300];
		const char *why;
		struct user *u;

		snprintf(text, sizeof(text), "a@x.test:$6$s$h::::/h::%s",
			 rules[i].extra);
		u = user_parse(text, &defaults, &why);
		ok(u && !u->refused && u->quota.bytes == rules[i].bytes &&
			   u->quota.messages == rules[i].messages &&
			   (why != NULL) == rules[i].told &&
			   !u->quota_rules == !rules[i].trees &&
			   (!u->quota_rules ||
			    str_equal(u->quota_rules, rules[i].trees)),
		   "a rule: %s", rules[i].extra);
		user_free(u);
	}
}

static const struct {
	const char *promise;
	const char *text;
	size_t users;
	const char *doubt;
} texts[] = {
	{ "good lines", "a@x.test:$6$s$h\nb@x.test::::::\n", 2, "" },
	{ "a byte order mark, CRLF, white space before names",
	  "\xef\xbb\xbf" "a@x.test:$6$s$h\r\n  b@x.test:$6$s$h:\r\n", 2, "" },
	{ "no last line end", "a@x.test:$6$s$h\nb@x.test:$6$s", 2, "" },
	{ "an unusable password alone is no doubt", "a@x.test:secret\n", 1, "" },
	{ "a name twice is none", "a@x.test:\nA@x.test:\n", 1, "" },
	{ "a line without its colon", "a@x.test:$6$s\nb@x.test $6$s\n", 1,
	  "users:2: expected" },
	{ "a line cut in two", "a@x.test:$6$s$\nhash:::::\n", 1,
	  "users:2: expected" },
	{ "a line cut at its end", "a@x.test:$6$s$h\nb@x.te", 2,
	  "users:2: the file ends" },
	{ "a user that is refused", "a@x.test:$6$s$h:root\n", 1,
	  "users:1: no such user" },
};

static void count(void *context, struct user *u, unsigned line)
{
	size_t *n = context;

	(void)line;
	++*n;
	user_free(u);
}

static void run_text(size_t i)
{
	char text[300];
	struct buf faults, doubt;
	const struct text_reading r = { .path = "users",
					.faults = &faults,
					.doubt = &doubt };
	size_t n = 0;

	buf_init(&faults, 65536);
	buf_init(&doubt, 65536);
	str_copy(text, sizeof(text), texts[i].text);
	users_parse(&r, text, strlen(text), &defaults, count, &n);
	ok(n == texts[i].users && !*texts[i].doubt == !doubt.len &&
		   str_starts(doubt.data, texts[i].doubt),
	   "%s: %s", texts[i].promise, doubt.data);
	ok(!strstr(faults.data, "$6") && !strstr(faults.data, "secret"),
	   "%s: no password in: %s", texts[i].promise, faults.data);
	buf_free(&faults);
	buf_free(&doubt);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		run_text(i);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		run(&lines[i]);
	test_rules();
	return done();
}
