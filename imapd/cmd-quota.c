/*
 * QUOTA (RFC 9208). A user has one quota root, which all folders are under that
 * count for it, and one for each tree of folders with limits of its own, called
 * as the tree; without limits none. The usage is what the folders hold at this
 * moment.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/quota.h"

#define ROOT "User quota"
#define ROOTS_MAX (1 + QUOTA_TREES_MAX)
#define KIB 1024

int quota_usage(struct session *s, struct usage *u)
{
	*u = (struct usage){ 0 };
	return quota_exists(&s->quota) ? store_usage(s->store, &s->quota, u)
				       : ERR_OK;
}

int quota_claim(struct session *s, const struct quota_change *c, bool *fits)
{
	struct usage u;
	int code;

	*fits = true;
	if (!quota_exists(&s->quota))
		return ERR_OK;
	code = store_quota_hold(s->store);
	if (!code)
		code = quota_usage(s, &u);
	*fits = !code && quota_allows(&s->quota, &u, c, 0);
	if (!*fits)
		quota_release(s);
	return code;
}

void quota_release(struct session *s)
{
	if (quota_exists(&s->quota))
		store_quota_release(s->store);
}

bool quota_may_copy(struct session *s, const uint32_t *seq, size_t n,
		    const char *to, bool move)
{
	struct quota_change c = { .from = move ? s->name : NULL,
				  .to = to,
				  .messages = n };
	bool fits;
	int code;

	/* most folders count for the same limits */
	if (!quota_exists(&s->quota) || (move && !*s->quota.rules))
		return true;
	for (size_t i = 0; i < n; i++) {
		uint32_t size = 0;

		/* one that is gone is found by the copy itself */
		if (mailbox_size(s->box, seq[i], &size) == ERR_OK)
			c.bytes += size;
	}
	code = quota_claim(s, &c, &fits);
	if (code != ERR_OK)
		session_fail(s, code);
	else if (!fits)
		session_reply(s, "NO " QUOTA_OVER);
	else
		return true;
	return false;
}

static uint64_t kib(uint64_t bytes)
{
	return (bytes + KIB - 1) / KIB;
}

struct root {
	char name[FOLDER_NAME_SIZE];
	bool is_tree;
	struct quota_rule rule; /* of the tree */
	struct quota_limits limits;
	uint64_t bytes;
	uint64_t messages;
};

static int64_t own(const struct quota_amount *a)
{
	return a->more ? 0 : a->value;
}

static struct root tree_root(const struct quota_rule *rule,
			     const struct usage *u, size_t at)
{
	struct root r = { .is_tree = true,
			  .rule = *rule,
			  .limits = { own(&rule->bytes), own(&rule->messages) },
			  .bytes = u->tree[at].bytes,
			  .messages = u->tree[at].messages };

	snprintf(r.name, sizeof(r.name), "%.*s", (int)rule->n, rule->tree);
	return r;
}

/* The roots of S, in OUT[ROOTS_MAX]: the user's, and those of trees. */
static size_t find_roots(const struct session *s, const struct usage *u,
			 struct root *out)
{
	const struct quota *q = &s->quota;
	struct quota_rules rules;
	size_t n = 0;

	if (q->bytes > 0 || q->messages > 0)
		out[n++] = (struct root){ .name = ROOT,
					  .limits = { q->bytes, q->messages },
					  .bytes = u->bytes,
					  .messages = u->messages };
	quota_rules(q, &rules);
	for (size_t i = 0; i < rules.n; i++)
		if (quota_rule_limits(&rules.rule[i]))
			out[n++] = tree_root(&rules.rule[i], u, i);
	return n;
}

static bool is_above(const struct session *s, const struct root *r,
		     const char *folder)
{
	return r->is_tree ? quota_rule_covers(&r->rule, folder)
			  : quota_counts(&s->quota, folder);
}

static void put_quota(struct session *s, const struct root *r)
{
	struct buf *b = &s->out;

	buf_puts(b, "* QUOTA ");
	session_put_name(s, b, r->name);
	buf_puts(b, " (");
	if (r->limits.bytes > 0)
		buf_printf(b, "STORAGE %" PRIu64 " %" PRIu64, kib(r->bytes),
			   kib((uint64_t)r->limits.bytes));
	if (r->limits.messages > 0)
		buf_printf(b, "%sMESSAGE %" PRIu64 " %" PRId64,
			   r->limits.bytes > 0 ? " " : "", r->messages,
			   r->limits.messages);
	buf_puts(b, ")\r\n");
}

/* False, and the client was told, if the usage cannot be found. */
static bool look(struct session *s, struct root *roots, size_t *n)
{
	struct usage u;
	int code = quota_usage(s, &u);

	if (code != ERR_OK) {
		session_fail(s, code);
		return false;
	}
	*n = find_roots(s, &u, roots);
	buf_reset(&s->out);
	return true;
}

static void answer(struct session *s, const char *text)
{
	stream_put(s->c.io, s->out.data, s->out.len);
	session_reply(s, "OK %s completed.", text);
}

void cmd_getquota(struct session *s)
{
	struct root roots[ROOTS_MAX];
	char name[FOLDER_NAME_SIZE];
	size_t n;

	if (!arg_astring(&s->c.args[0])) {
		conn_bad(&s->c, "A quota root is missing.");
		return;
	}
	if (!session_name(s, &s->c.args[0], name) || !look(s, roots, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!str_equal(name, roots[i].name))
			continue;
		put_quota(s, &roots[i]);
		answer(s, "Getquota");
		return;
	}
	session_reply(s, "NO [NONEXISTENT] No such quota root.");
}

/* Also for a folder that is not there: it would be under the same roots. */
void cmd_getquotaroot(struct session *s)
{
	struct root roots[ROOTS_MAX];
	char name[FOLDER_NAME_SIZE];
	size_t n;

	if (!session_name(s, &s->c.args[0], name) || !look(s, roots, &n))
		return;
	/* the limits are the owner's */
	if (s->visitor)
		n = 0;
	buf_puts(&s->out, "* QUOTAROOT ");
	session_put_name(s, &s->out, name);
	for (size_t i = 0; i < n; i++) {
		if (!is_above(s, &roots[i], name))
			continue;
		buf_putc(&s->out, ' ');
		session_put_name(s, &s->out, roots[i].name);
	}
	buf_puts(&s->out, "\r\n");
	for (size_t i = 0; i < n; i++)
		if (is_above(s, &roots[i], name))
			put_quota(s, &roots[i]);
	answer(s, "Getquotaroot");
}

/* Limits are the administrator's: QUOTASET is not announced. */
void cmd_setquota(struct session *s)
{
	session_reply(s, "NO [NOPERM] Only the administrator sets limits.");
}
