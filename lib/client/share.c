#include "client/share.h"

#include <sys/socket.h>
#include <unistd.h>

#include "ipc/ipc.h"

#define WAIT_MS 15000

/* Begins a question. */
static void begin(const struct share *s, struct ipc_out *m, const char *verb)
{
	*m = (struct ipc_out){ .ready = false };
	ipc_begin(m, verb);
	ipc_put(m, "user", s->user);
	ipc_put(m, "kind", s->visit ? "visit" : "login");
	ipc_put(m, "seal", s->seal);
	ipc_put_fd(m, s->fd);
}

/* Ends it; the answer is in A, which the caller frees. */
static int ask(const struct share *s, struct ipc_out *m, struct ipc_in *a)
{
	int sock = *s->seal ? ipc_connect_within(s->socket, WAIT_MS) : -1;
	int code = ERR_TEMP;

	*a = (struct ipc_in){ 0 };
	if (sock >= 0) {
		code = ipc_call(sock, m, a, WAIT_MS);
		close(sock);
	}
	ipc_out_free(m);
	if (code)
		return err_set(ERR_TEMP, "accountd cannot be asked");
	if (ipc_is(a, "temp"))
		return err_set(ERR_TEMP, "accountd: %s", ipc_text(a, "why"));
	return ipc_is(a, "none") ? ERR_NOT_FOUND : ERR_OK;
}

int share_visit(const struct share *s, const char *owner, int *sock)
{
	struct ipc_out m;
	struct ipc_in a;
	int pair[2], code;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys("make", "a pair of sockets");
	begin(s, &m, "visit");
	ipc_put(&m, "owner", owner);
	ipc_put_fd(&m, pair[1]);
	code = ask(s, &m, &a);
	ipc_in_free(&a);
	close(pair[1]);
	if (code)
		close(pair[0]);
	*sock = code ? -1 : pair[0];
	return code;
}

int share_owners(const struct share *s, struct strlist *owners)
{
	struct ipc_out m;
	struct ipc_in a;
	int code;

	begin(s, &m, "owners");
	code = ask(s, &m, &a);
	for (size_t i = 0; !code && i < a.nattrs; i++)
		if (str_equal(a.attr[i].name, "owner"))
			strlist_add(owners, a.attr[i].value);
	ipc_in_free(&a);
	return code;
}

static int ask_name(const struct share *s, const char *verb,
		    const char *identifier, char name[ACCOUNT_USER_SIZE])
{
	struct ipc_out m;
	struct ipc_in a;
	int code;

	begin(s, &m, verb);
	ipc_put(&m, "identifier", identifier);
	code = ask(s, &m, &a);
	if (!code &&
	    !str_copy(name, ACCOUNT_USER_SIZE, ipc_text(&a, "identifier")))
		code = err_set(ERR_TEMP, "accountd gives no name");
	ipc_in_free(&a);
	return code;
}

int share_find(const struct share *s, const char *identifier,
	       char name[ACCOUNT_USER_SIZE])
{
	return ask_name(s, "identifier", identifier, name);
}

int share_add(const struct share *s, const char *identifier,
	      char name[ACCOUNT_USER_SIZE])
{
	return ask_name(s, "share", identifier, name);
}

void share_remove(const struct share *s, const char *identifier)
{
	struct ipc_out m;
	struct ipc_in a;

	begin(s, &m, "unshare");
	ipc_put(&m, "identifier", identifier);
	err_ignore(ask(s, &m, &a)); /* one too many does no harm */
	ipc_in_free(&a);
}

int share_set(int sock, const char *user, const struct strlist *identifiers)
{
	struct ipc_out m = { .ready = false };
	struct ipc_in a = { 0 };
	int code;

	ipc_begin(&m, "shares");
	ipc_put(&m, "user", user);
	for (size_t i = 0; i < identifiers->n; i++)
		ipc_put(&m, "identifier", identifiers->item[i]);
	code = ipc_call(sock, &m, &a, WAIT_MS);
	if (!code && !ipc_is(&a, "ok"))
		code = err_set(ERR_TEMP, "accountd cannot keep it");
	ipc_out_free(&m);
	ipc_in_free(&a);
	return code;
}
