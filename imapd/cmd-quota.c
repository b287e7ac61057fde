/*
 * QUOTA (RFC 9208). A user has one quota root, which all folders are under, or
 * none without a limit. The usage is what the folders hold at this moment.
 */
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/quota.h"

#define ROOT "User quota"
#define KIB 1024

int quota_usage(struct session *s, struct usage *u)
{
	*u = (struct usage){ 0 };
	return quota_exists(&s->quota) ? store_usage(s->store, u) : ERR_OK;
}

bool quota_has_room(const struct session *s, const struct usage *usage,
		    uint64_t bytes, uint64_t messages)
{
	return quota_allows(&s->quota, usage->bytes + bytes,
			    usage->messages + messages, 0);
}

bool quota_may_copy(struct session *s, const uint32_t *seq, size_t n)
{
	struct usage u;
	uint64_t bytes = 0;
	int code = quota_usage(s, &u);

	if (!quota_exists(&s->quota))
		return true;
	for (size_t i = 0; i < n && code == ERR_OK; i++) {
		uint32_t size = 0;

		/* one that is gone is found by the copy itself */
		if (mailbox_size(s->box, seq[i], &size) == ERR_OK)
			bytes += size;
	}
	if (code != ERR_OK)
		session_fail(s, code);
	else if (!quota_has_room(s, &u, bytes, n))
		session_reply(s, "NO " QUOTA_OVER);
	else
		return true;
	return false;
}

static uint64_t kib(uint64_t bytes)
{
	return (bytes + KIB - 1) / KIB;
}

/* False, and the client was told, if the usage cannot be found. */
static bool put_quota(struct session *s)
{
	const struct quota *q = &s->quota;
	struct usage u;
	int code = quota_usage(s, &u);

	if (code != ERR_OK) {
		session_fail(s, code);
		return false;
	}
	buf_puts(&s->out, "* QUOTA \"" ROOT "\" (");
	if (q->bytes > 0)
		buf_printf(&s->out, "STORAGE %" PRIu64 " %" PRIu64,
			   kib(u.bytes), kib((uint64_t)q->bytes));
	if (q->messages > 0)
		buf_printf(&s->out, "%sMESSAGE %" PRIu64 " %" PRId64,
			   q->bytes > 0 ? " " : "", u.messages, q->messages);
	buf_puts(&s->out, ")\r\n");
	return true;
}

void cmd_getquota(struct session *s)
{
	const char *root = arg_astring(&s->c.args[0]);

	if (!root) {
		conn_bad(&s->c, "A quota root is missing.");
		return;
	}
	if (!quota_exists(&s->quota) || strcmp(root, ROOT) != 0) {
		session_reply(s, "NO [NONEXISTENT] No such quota root.");
		return;
	}
	buf_reset(&s->out);
	if (!put_quota(s))
		return;
	stream_put(s->c.io, s->out.data, s->out.len);
	session_reply(s, "OK Getquota completed.");
}

/* Also for a folder that is not there: it would be under the same root. */
void cmd_getquotaroot(struct session *s)
{
	char name[FOLDER_NAME_SIZE];
	bool limited = quota_exists(&s->quota);

	if (!session_name(s, &s->c.args[0], name))
		return;
	buf_reset(&s->out);
	buf_puts(&s->out, "* QUOTAROOT ");
	session_put_name(s, &s->out, name);
	buf_puts(&s->out, limited ? " \"" ROOT "\"\r\n" : "\r\n");
	if (limited && !put_quota(s))
		return;
	stream_put(s->c.io, s->out.data, s->out.len);
	session_reply(s, "OK Getquotaroot completed.");
}

/* Limits are the administrator's: QUOTASET is not announced. */
void cmd_setquota(struct session *s)
{
	session_reply(s, "NO [NOPERM] Only the administrator sets limits.");
}
