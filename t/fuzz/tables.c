/*
 * Texts that administrators and users write: aliases and .forward, lines of
 * the users file, the configuration. And the replies of remote hosts.
 *
 * link: remote-send/reply.c
 */
#include "fuzz.h"

#include <string.h>

#include "table/user-line.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "remote-send/reply.h"
#include "table/aliases.h"

#define CONFIG "/dev/shm/posthorn-fuzz.conf"

FUZZ_SEEDS("root: alice, \"|cmd 'a b'\"\n# c\n  x\n\"a b\": :include:/etc/x,\n"
	   "\t\\bob, /var/mail/x\nowner-l: a@b (c) <d@e>\n",
	   "\\user, \"/a b\", |\"exit 75\", x@y",
	   "u@x.test:{SHA512-CRYPT}$6$s$h:700:701::/srv/mail/u:/bin/false:"
	   "userdb_mail=maildir:/m userdb_quota_rule2=Trash:storage=+10%:ignore",
	   "a@b:{PLAIN}x:1:1::/h:",
	   "myhostname = ${mydomain}\nmydomain = $myhostname x\nsmtp_port=25\n"
	   " 26\ninclude /dev/null\nmynetworks = ${x\nqueue_minfree = 5M\n",
	   "250-first\r\n250 2.1.0 second\r\n", "550 5.7.1 no\r\n220 x\r\n")

static void entry(void *context, const char *name, const char *value,
		  unsigned line)
{
	struct alias_target *target;
	const char *why = NULL;
	size_t n;

	(void)line;
	FUZZ_CHECK(name);
	if (value && aliases_targets(context, value, &target, &n, &why))
		FUZZ_CHECK(why);
}

static void check_user(const char *data, size_t n)
{
	struct user_defaults d = { 700, 700, "/srv/mail" };
	char *line = mem_strndup(data, n);
	const char *why;
	struct user *u = user_parse(line, &d, &why);

	if (u) {
		FUZZ_CHECK(u->name);
		FUZZ_CHECK(u->refused ||
			   (u->uid >= USER_UID_MIN && u->maildir));
		user_free(u);
	}
	free(line);
}

static void check_config(const char *data, size_t n, struct buf *faults)
{
	struct config *c;

	if (file_replace(CONFIG, 0600, data, n))
		return;
	c = config_load(CONFIG, NULL, 0, faults);
	FUZZ_CHECK(c || faults->len);
	if (c)
		config_free(&c);
}

static void check_reply(const char *data, size_t n)
{
	struct reply r;
	size_t used;

	if (reply_parse(data, n, &used, &r) == REPLY_DONE) {
		FUZZ_CHECK(used <= n && r.code >= 200 && r.code <= 599);
		for (const char *p = r.text; *p; p++)
			FUZZ_CHECK((unsigned char)*p >= ' ');
	}
}

void fuzz_one(const char *data, size_t n)
{
	struct arena *a = arena_new();
	struct alias_target *target;
	const char *why = NULL;
	struct buf faults, doubt;
	const struct text_reading r = { .path = "aliases",
					.faults = &faults,
					.doubt = &doubt };
	size_t ntargets;

	buf_init(&faults, 1 << 20);
	buf_init(&doubt, 65536);
	aliases_parse(&r, data, n, entry, a);
	aliases_targets(a, arena_strndup(a, data, n), &target, &ntargets, &why);
	check_user(data, n);
	buf_reset(&faults);
	if (n % 4 == 0)
		check_config(data, n, &faults);
	check_reply(data, n);
	buf_free(&faults);
	buf_free(&doubt);
	arena_free(&a);
}
