/*
 * posthorn user quota: what the folders of users hold, and what they may. Each
 * mailbox is looked at as its user, by a process of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/account.h"
#include "admin/doubts.h"
#include "base/err.h"
#include "mailbox/store.h"

#define FAULTS_MAX (1 << 20)

static void put_text_limit(uint64_t used, int64_t limit, const char *unit)
{
	printf("  %" PRIu64, used);
	if (limit > 0)
		printf(" of %" PRId64, limit);
	printf(" %s", unit);
	if (limit > 0)
		printf(" (%.0f %%)", 100.0 * (double)used / (double)limit);
}

/* The limit of a tree by itself; 0: none. */
static int64_t own(const struct quota_amount *a)
{
	return a->more || a->value < 0 ? 0 : a->value;
}

static void put_text(const struct account *u, const struct usage *used)
{
	struct quota_rules r;

	fputs(u->user, stdout);
	put_text_limit(used->bytes, u->quota.bytes, "bytes");
	put_text_limit(used->messages, u->quota.messages, "messages");
	quota_rules(&u->quota, &r);
	for (size_t i = 0; i < r.n; i++) {
		const struct quota_rule *t = &r.rule[i];

		printf("  %.*s:", (int)t->n, t->tree);
		put_text_limit(used->tree[i].bytes, own(&t->bytes), "bytes");
		put_text_limit(used->tree[i].messages, own(&t->messages),
			       "messages");
	}
	putchar('\n');
}

static void put_json_limit(const char *name, int64_t limit)
{
	if (limit > 0)
		printf(", \"%s\": %" PRId64, name, limit);
	else
		printf(", \"%s\": null", name);
}

static void put_json_usage(uint64_t bytes, int64_t bytes_limit,
			   uint64_t messages, int64_t messages_limit)
{
	printf("\"bytes\": %" PRIu64, bytes);
	put_json_limit("bytes_limit", bytes_limit);
	printf(", \"messages\": %" PRIu64, messages);
	put_json_limit("messages_limit", messages_limit);
}

static void put_json_name(const char *key, const char *name)
{
	struct buf b;

	buf_init(&b, 65536);
	admin_json_string(&b, name);
	printf("{\"%s\": %s, ", key, b.data);
	buf_free(&b);
}

static void put_json_trees(const struct account *u, const struct usage *used)
{
	char name[QUOTA_RULES_SIZE];
	struct quota_rules r;

	quota_rules(&u->quota, &r);
	for (size_t i = 0; i < r.n; i++) {
		const struct quota_rule *t = &r.rule[i];

		snprintf(name, sizeof(name), "%.*s", (int)t->n, t->tree);
		fputs(i ? ", " : ", \"trees\": [", stdout);
		put_json_name("folder", name);
		put_json_usage(used->tree[i].bytes, own(&t->bytes),
			       used->tree[i].messages, own(&t->messages));
		putchar('}');
	}
	if (r.n)
		putchar(']');
}

static void put_json(const struct account *u, const struct usage *used)
{
	put_json_name("user", u->user);
	put_json_usage(used->bytes, u->quota.bytes, used->messages,
		       u->quota.messages);
	put_json_trees(u, used);
	putchar('}');
}

/* The process that becomes the user. Who never had mail has no Maildir. */
static int look(const struct admin *a, const struct account *u, bool first)
{
	struct usage used = { 0 };
	struct store *s = NULL;
	int status = admin_become(u), code;

	if (status)
		return status;
	code = store_open(u->maildir, false, &s);
	if (!code)
		code = store_usage(s, &u->quota, &used);
	else if (code == ERR_NOT_FOUND)
		code = ERR_OK;
	store_close(&s);
	if (code)
		return admin_fail(EX_IOERR, "%s: %s", u->user, err_why(code));
	if (!a->json) {
		put_text(u, &used);
		return EX_OK;
	}
	fputs(first ? "\n" : ",\n", stdout);
	put_json(u, &used);
	return EX_OK;
}

struct listing {
	const struct admin *admin;
	bool any;
	int worst;
};

static void note(struct listing *l, int status)
{
	if (status > l->worst)
		l->worst = status;
}

static void show(struct listing *l, const char *name)
{
	struct account u;
	int status = admin_find_account(l->admin, name, &u);
	pid_t pid;

	note(l, status);
	if (status)
		return;
	/* else both would write what waits */
	if (fflush(stdout) != 0) {
		note(l, EX_IOERR);
		return;
	}
	pid = fork();
	if (pid == 0) {
		status = look(l->admin, &u, !l->any);
		_exit(fflush(stdout) == 0 ? status : EX_IOERR);
	}
	if (pid < 0) {
		note(l, admin_fail(EX_OSERR, "cannot make a process: %s",
				   strerror(errno)));
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
	l->any = l->any || status == EX_OK;
	note(l, status);
}

static void show_user(void *context, struct user *u, unsigned line)
{
	(void)line;
	show(context, u->name);
	user_free(u);
}

/* The users of the file; what is wrong with its lines `user list` tells. */
static void show_all(struct listing *l)
{
	struct buf faults, doubt;
	int err;

	buf_init(&faults, FAULTS_MAX);
	buf_init(&doubt, FAULTS_MAX);
	err = doubts_of_users(l->admin->config, &faults, &doubt, show_user, l);
	if (err && err != ERR_NOT_FOUND)
		note(l, admin_fail(EX_NOINPUT, "%s", err_why(err)));
	buf_free(&faults);
	buf_free(&doubt);
}

int admin_user_quota(const struct admin *a)
{
	struct listing l = { .admin = a };

	if (a->json)
		putchar('[');
	if (a->argc == 1)
		show_all(&l);
	for (int i = 1; i < a->argc; i++)
		show(&l, a->argv[i]);
	if (a->json)
		puts(l.any ? "\n]" : "]");
	return l.worst;
}
