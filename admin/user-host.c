/* posthorn user host: which host serves users, as accountd sees it. */
#include <stdio.h>
#include <sysexits.h>

#include "admin/account.h"
#include "admin/doubts.h"
#include "base/err.h"

#define FAULTS_MAX (1 << 20)
#define TEXT_MAX 600

struct listing {
	const struct admin *admin;
	bool any;
	int worst;
};

static void put(struct listing *l, const char *name, const char *host)
{
	struct buf user, there;

	if (!l->admin->json) {
		printf("%s  %s\n", name, *host ? host : "this host");
		return;
	}
	buf_init(&user, 65536);
	buf_init(&there, 65536);
	admin_json_string(&user, name);
	admin_json_string(&there, host);
	printf("%s\n{\"user\": %s, \"host\": %s}", l->any ? "," : "", user.data,
	       *host ? there.data : "null");
	l->any = true;
	buf_free(&user);
	buf_free(&there);
}

static void show(struct listing *l, const char *name)
{
	char host[TEXT_MAX];
	int status;

	status = admin_find_host(l->admin, name, host, sizeof(host));
	if (status == EX_OK)
		put(l, name, host);
	if (status > l->worst)
		l->worst = status;
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
		l->worst = admin_fail(EX_NOINPUT, "%s", err_why(err));
	buf_free(&faults);
	buf_free(&doubt);
}

int admin_user_host(const struct admin *a)
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
