/*
 * accountd's answers about addresses and users: one connection, kept and made
 * again when it is lost, and its attributes read into structs.
 */
#include "client/account.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/client.h"
#include "log/log.h"

#define QUESTION_MS 30000
/* A check waits for its turn, longer if the client guesses (accountd(8)), and then
 * perhaps for another host. */
#define AUTH_MS 120000
#define TRIES 3
#define KEEP_MS 1000
#define PLACES 8

static struct {
	struct ipc_client service;
	struct ipc_out question;
	struct ipc_in answer;
	struct known {
		char address[ACCOUNT_USER_SIZE];
		int64_t until_ms;
	} known[PLACES]; /* recipients that were found */
	size_t next; /* the place to reuse next */
} self = { .service = IPC_CLIENT("accountd") };

static enum account_status ask(const char *about)
{
	int err = ipc_client_call(&self.service, &self.question, &self.answer,
				  QUESTION_MS);

	if (err) {
		log_warn("cannot ask about %s: %s", about, err_why(err));
		return ACCOUNT_TEMP;
	}
	if (ipc_is(&self.answer, "found"))
		return ACCOUNT_FOUND;
	return ipc_is(&self.answer, "none") ? ACCOUNT_NONE : ACCOUNT_TEMP;
}

static bool is_known(const char *address, int64_t now)
{
	for (size_t i = 0; i < PLACES; i++)
		if (self.known[i].until_ms > now &&
		    str_equal(self.known[i].address, address))
			return true;
	return false;
}

static void keep(const char *address, int64_t now)
{
	struct known *k = &self.known[self.next];

	self.next = (self.next + 1) % PLACES;
	k->until_ms = str_copy(k->address, sizeof(k->address), address)
			      ? now + KEEP_MS
			      : 0;
}

/* Only a mailbox that is not nearly full is kept: room goes and comes. */
enum account_status account_recipient(const char *address, int64_t *room)
{
	int64_t now = clock_ms();
	enum account_status status;

	*room = INT64_MAX;
	if (is_known(address, now))
		return ACCOUNT_FOUND;
	ipc_begin(&self.question, "recipient");
	ipc_put(&self.question, "address", address);
	status = ask(address);
	if (status != ACCOUNT_FOUND)
		return status;
	if (!ipc_get(&self.answer, "room"))
		keep(address, now);
	else if (!ipc_int(&self.answer, "room", 0, INT64_MAX, room))
		*room = INT64_MAX;
	return status;
}

void account_nearly_full(const char *user)
{
	ipc_begin(&self.question, "nearly-full");
	ipc_put(&self.question, "user", user);
	if (self.service.sock >= 0) /* a hint: mail is refused later */
		err_ignore(ipc_send(self.service.sock, &self.question, 0));
}

void account_put(struct ipc_out *m, const struct account *a)
{
	ipc_put(m, "user", a->user);
	ipc_put_int(m, "uid", a->uid);
	ipc_put_int(m, "gid", a->gid);
	ipc_put(m, "home", a->home);
	ipc_put(m, "maildir", a->maildir);
	quota_put(m, &a->quota);
}

bool account_get(const struct ipc_in *m, struct account *a)
{
	int64_t uid, gid;

	if (!ipc_int(m, "uid", 0, UINT32_MAX - 1, &uid) ||
	    !ipc_int(m, "gid", 0, UINT32_MAX - 1, &gid) ||
	    !quota_get(m, &a->quota))
		return false;
	a->uid = (uid_t)uid;
	a->gid = (gid_t)gid;
	return str_copy(a->user, sizeof(a->user), ipc_text(m, "user")) &&
	       str_copy(a->home, sizeof(a->home), ipc_text(m, "home")) &&
	       str_copy(a->maildir, sizeof(a->maildir),
			ipc_text(m, "maildir"));
}

static bool take_account(const struct ipc_in *a, struct account *out)
{
	int64_t virtual_user;

	*out = (struct account){ 0 };
	if (!account_get(a, out) ||
	    !ipc_int(a, "virtual", 0, 1, &virtual_user))
		return false;
	out->virtual_user = virtual_user;
	return str_copy(out->extension, sizeof(out->extension),
			ipc_text(a, "extension"));
}

static enum account_status look_up(const char *name, struct account *out)
{
	enum account_status status;

	ipc_put(&self.question, "name", name);
	status = ask(name);
	if (status == ACCOUNT_FOUND && !take_account(&self.answer, out))
		return ACCOUNT_TEMP;
	return status;
}

enum account_status account_lookup(const char *name, struct account *out)
{
	ipc_begin(&self.question, "lookup");
	return look_up(name, out);
}

enum account_status account_lookup_login(const char *name,
					 struct account *out)
{
	ipc_begin(&self.question, "lookup");
	ipc_put(&self.question, "login", "yes");
	return look_up(name, out);
}

enum account_status account_served_by(const char *name, char *text,
				      size_t size)
{
	enum account_status status;

	ipc_begin(&self.question, "served-by");
	ipc_put(&self.question, "name", name);
	status = ask(name);
	if (!str_copy(text, size,
		      status == ACCOUNT_FOUND ? ipc_text(&self.answer, "host")
					      : ""))
		return ACCOUNT_TEMP;
	return status;
}

enum account_status account_may_send(const char *user, const char *address)
{
	ipc_begin(&self.question, "may-send");
	ipc_put(&self.question, "user", user);
	ipc_put(&self.question, "address", address);
	return ask(user);
}

static enum account_auth finish(struct account_auth_state *st,
				enum account_auth result)
{
	account_auth_cancel(st);
	return result;
}

static enum account_auth take_answer(struct account_auth_state *st)
{
	const struct ipc_in *a = &self.answer;

	snprintf(st->user, sizeof(st->user), "%s", ipc_text(a, "user"));
	snprintf(st->why, sizeof(st->why), "%s", ipc_text(a, "why"));
	if (ipc_is(a, "ok"))
		return finish(st, AUTH_OK);
	if (ipc_is(a, "failed"))
		return finish(st, AUTH_FAILED);
	if (ipc_is(a, "soon"))
		return finish(st, AUTH_SOON);
	if (ipc_is(a, "refused") &&
	    str_copy(st->reply, sizeof(st->reply), ipc_text(a, "reply")) &&
	    *st->reply)
		return finish(st, AUTH_REFUSED);
	if (ipc_is(a, "many"))
		return finish(st, AUTH_MANY);
	if (ipc_is(a, "continue") &&
	    str_copy(st->challenge, sizeof(st->challenge),
		     ipc_text(a, "challenge")))
		return AUTH_CONTINUE;
	return finish(st, AUTH_TEMP);
}

/* Sends self.question. It may contain a password, so it is wiped
 * afterwards. */
static enum account_auth converse(struct account_auth_state *st, bool first)
{
	int err = ipc_send(st->sock, &self.question, AUTH_MS);

	/* a process that was just retiring has not read the question */
	for (int i = 1; err == ERR_EOF && first && i < TRIES; i++) {
		close(st->sock);
		st->sock = ipc_connect("accountd");
		err = st->sock < 0 ? err_sys("reach", "accountd")
				   : ipc_send(st->sock, &self.question, AUTH_MS);
	}
	if (!err)
		err = ipc_recv(st->sock, &self.answer, AUTH_MS);
	mem_wipe(self.question.data.data, self.question.data.len);
	if (err) {
		snprintf(st->why, sizeof(st->why), "accountd: %s",
			 err_why(err));
		return finish(st, AUTH_TEMP);
	}
	return take_answer(st);
}

enum account_auth account_auth_start(struct account_auth_state *st,
				     const struct account_client_info *info,
				     const char *mechanism,
				     const char *response)
{
	*st = (struct account_auth_state){ .sock = ipc_connect("accountd") };
	if (st->sock < 0) {
		snprintf(st->why, sizeof(st->why), "%s",
			 err_why(err_sys("reach", "accountd")));
		return AUTH_TEMP;
	}
	ipc_begin(&self.question, "auth");
	ipc_put(&self.question, "mechanism", mechanism);
	if (response)
		ipc_put(&self.question, "response", response);
	ipc_put(&self.question, "service", info->service);
	ipc_put(&self.question, "client", info->client);
	ipc_put_int(&self.question, "tls", info->tls);
	if (info->ttl > 0)
		ipc_put_int(&self.question, "ttl", info->ttl);
	if (info->session) {
		ipc_put(&self.question, "session", info->session);
		ipc_put(&self.question, "tag", info->tag ? info->tag : "");
		ipc_put_base64(&self.question, "pending", info->pending,
			       info->npending);
		ipc_put_fd(&self.question, info->fd);
	}
	return converse(st, true);
}

enum account_auth account_auth_step(struct account_auth_state *st,
				    const char *response)
{
	ipc_begin(&self.question, "step");
	ipc_put(&self.question, "response", response);
	if (st->npending > 0)
		ipc_put_base64(&self.question, "pending", st->pending,
			       st->npending);
	return converse(st, false);
}

void account_auth_cancel(struct account_auth_state *st)
{
	if (st->sock >= 0)
		close(st->sock);
	st->sock = -1;
}
