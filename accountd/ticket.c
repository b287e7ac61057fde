#include "accountd/ticket.h"

#include <string.h>

#include "accountd/badge.h"
#include "accountd/find.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/seal.h"
#include "ipc/packet.h"

#define FACTS_MAX 16384
#define STATE_MAX 65536

/* The key of the session with FACTS, N on the connection FD. */
static bool key_of(int fd, const char *facts, size_t n, struct seal *key)
{
	uint64_t cookie;
	struct buf b;
	bool good;

	if (!seal_cookie(fd, &cookie))
		return false;
	buf_init(&b, FACTS_MAX + sizeof(cookie));
	buf_put(&b, &cookie, sizeof(cookie));
	buf_put(&b, facts, n);
	good = !b.over &&
	       seal_make(badge_key(), SEAL_SESSION, b.data, b.len, key);
	buf_free(&b);
	return good;
}

static bool seal_password(const char *hash, struct seal *out)
{
	return seal_make(badge_key(), SEAL_PASSWORD, hash, strlen(hash), out);
}

/* The user has just logged in, or come back. */
static bool put_password(struct ipc_out *m, const char *user)
{
	struct account now;
	struct seal seal;
	const char *hash;

	if (find_login(user, &now, &hash) != ACCOUNT_FOUND ||
	    !seal_password(hash, &seal))
		return false;
	seal_put(m, "password", &seal);
	return true;
}

static bool put_facts(struct ipc_out *m, const struct account *a,
		      const char *client, bool tls)
{
	ipc_begin(m, "facts");
	account_put(m, a);
	ipc_put(m, "client", client);
	ipc_put_int(m, "tls", tls);
	return put_password(m, a->user);
}

bool ticket_put(struct ipc_out *m, int fd, const struct account *a,
		const char *client, bool tls)
{
	struct ipc_out facts = { .ready = false };
	struct seal key;
	bool good;

	good = put_facts(&facts, a, client, tls) && !facts.data.over &&
	       facts.data.len <= FACTS_MAX &&
	       key_of(fd, facts.data.data, facts.data.len, &key);
	if (good) {
		ipc_put_base64(m, "facts", facts.data.data, facts.data.len);
		seal_put(m, "key", &key);
		mem_wipe(&key, sizeof(key));
	}
	ipc_out_free(&facts);
	return good;
}

static bool read_account(const struct ipc_in *m, struct ticket *t)
{
	int64_t tls;

	if (!ipc_is(m, "facts") || !account_get(m, &t->account) ||
	    t->account.uid == 0 || !ipc_int(m, "tls", 0, 1, &tls))
		return false;
	t->tls = tls;
	t->knows_password = seal_get(m, "password", &t->password);
	return str_copy(t->client, sizeof(t->client), ipc_text(m, "client"));
}

/* Our own words, which have been sealed. */
static bool read_facts(const struct buf *facts, struct ticket *t)
{
	struct ipc_in m = { .data = mem_alloc(facts->len + 1),
			    .len = facts->len };
	bool good;

	memcpy(m.data, facts->data, facts->len);
	good = ipc_parse(&m) && read_account(&m, t);
	ipc_in_free(&m);
	return good;
}

static const char *check(const struct ipc_in *m, int fd, struct buf *facts,
			 struct ticket *t)
{
	struct seal key, seal;

	if (fd < 0 || !ipc_base64(m, "facts", facts) || facts->over ||
	    !ipc_base64(m, "state", &t->state) || t->state.over ||
	    !seal_get(m, "seal", &seal))
		return "it is malformed";
	if (!key_of(fd, facts->data, facts->len, &key) ||
	    !seal_is_of(&seal, &key, SEAL_STATE, t->state.data, t->state.len))
		return "its seal is wrong";
	if (!read_facts(facts, t))
		return "its facts are not understood";
	return NULL;
}

bool ticket_take(const struct ipc_in *m, int fd, struct ticket *t,
		 const char **why)
{
	struct buf facts;

	memset(t, 0, sizeof(*t));
	buf_init(&facts, FACTS_MAX);
	buf_init(&t->state, STATE_MAX);
	*why = check(m, fd, &facts, t);
	buf_free(&facts);
	return *why == NULL;
}

void ticket_free(struct ticket *t)
{
	buf_free(&t->state);
}

static bool is_same_place(const struct account *a, const struct account *b)
{
	return a->uid == b->uid && a->gid == b->gid &&
	       str_equal(a->home, b->home) && str_equal(a->maildir, b->maildir);
}

bool ticket_holds(const struct ticket *t, const struct account *now,
		  const char *hash, const char **why)
{
	struct seal seal;

	*why = NULL;
	if (!is_same_place(&t->account, now))
		*why = "the user's mail is elsewhere now";
	else if (t->knows_password &&
		 (!seal_password(hash, &seal) ||
		  memcmp(&seal, &t->password, sizeof(seal)) != 0))
		*why = "the password was changed";
	return *why == NULL;
}
