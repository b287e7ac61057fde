#include "client/tls.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "ipc/client.h"

/* tlsproxy watches the deadline itself and says so; ours is the second. */
#define GRACE_MS 2000
#define TRIES 3
#define KEPT_MAX 4 /* connections to tlsproxy without a request */
#define USES_MAX 20

static struct {
	struct ipc_client server;
	struct ipc_client client;
	int kept[KEPT_MAX];
	int nkept;
	unsigned ended; /* requests */
	struct ipc_out question;
	struct ipc_in answer;
} self = { .server = IPC_CLIENT("tls-server"),
	   .client = IPC_CLIENT("tls-client") };

static const char *const level_names[] = { [TLS_LEVEL_MAY] = "may",
					   [TLS_LEVEL_VERIFY] = "verify",
					   [TLS_LEVEL_DANE] = "dane" };

/* Text that is too long is truncated: it is only for the log. */
static void set_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

static void take_info(struct tls_info *info)
{
	const struct ipc_in *a = &self.answer;
	int64_t number;

	if (ipc_int(a, "bits", 0, 65535, &number))
		info->bits = (int)number;
	info->verified = str_equal(ipc_get(a, "verified"), "1");
	set_text(info->version, sizeof(info->version), ipc_text(a, "version"));
	set_text(info->cipher, sizeof(info->cipher), ipc_text(a, "cipher"));
	set_text(info->sni, sizeof(info->sni), ipc_text(a, "sni"));
	set_text(info->why, sizeof(info->why), ipc_text(a, "why"));
}

/* The connection in the answer, or -1 with info->why. */
static int take_connection(struct tls_info *info)
{
	int plain = -1;

	take_info(info);
	if (ipc_is(&self.answer, "ok"))
		plain = ipc_take_fd(&self.answer);
	if (plain < 0 && !*info->why)
		set_text(info->why, sizeof(info->why),
			 "tlsproxy gave no connection");
	ipc_in_reset(&self.answer);
	return plain;
}

static int no_answer(struct tls_info *info, int err)
{
	snprintf(info->why, sizeof(info->why), "tlsproxy: %s", err_why(err));
	info->away = err != ERR_TIMEOUT;
	return -1;
}

/* Asks C the prepared question; closes FD. */
static int ask(struct ipc_client *c, int fd, struct tls_info *info, int64_t ms)
{
	int err;

	*info = (struct tls_info){ 0 };
	ipc_put_int(&self.question, "timeout", ms > 0 ? ms : 1);
	ipc_put_fd(&self.question, fd);
	err = ipc_client_call(c, &self.question, &self.answer, ms + GRACE_MS);
	close(fd);
	return err ? no_answer(info, err) : take_connection(info);
}

int tls_accept(const char *service, int fd, struct tls_info *info, int64_t ms,
	       int stop)
{
	self.server.stop = stop;
	ipc_begin(&self.question, "accept");
	ipc_put(&self.question, "service", service);
	return ask(&self.server, fd, info, ms);
}

/* A connection that was kept, which may have ended since; else a new one. */
static int server(int *tries)
{
	if (self.nkept > 0)
		return self.kept[--self.nkept];
	++*tries;
	return ipc_connect_now("tls-server");
}

/* A connection leads to one of tlsproxy's workers: now and then another is
 * made, so that those that are busy get less to do. */
static void keep(int sock)
{
	if (self.nkept == KEPT_MAX || ++self.ended % USES_MAX == 0)
		close(sock);
	else
		self.kept[self.nkept++] = sock;
}

int tls_accept_begin(const char *service, int fd, int64_t ms)
{
	int err = ERR_EOF, tries = 0;

	ipc_begin(&self.question, "accept");
	ipc_put(&self.question, "service", service);
	ipc_put_int(&self.question, "timeout", ms);
	ipc_put_fd(&self.question, fd);
	/* an instance that is just retiring takes no more questions */
	while (tries < TRIES && err == ERR_EOF) {
		int sock = server(&tries);

		if (sock < 0) {
			err_sys("connect to", "tls-server");
			return -1;
		}
		err = ipc_send(sock, &self.question, 0);
		if (!err)
			return sock;
		close(sock);
	}
	err_set(err, "cannot ask tlsproxy: %s", err_why(err));
	return -1;
}

int tls_accept_end(int sock, struct tls_info *info)
{
	int err = ipc_recv(sock, &self.answer, 0);

	*info = (struct tls_info){ 0 };
	if (err) {
		close(sock);
		return no_answer(info, err);
	}
	keep(sock);
	return take_connection(info);
}

void tls_describe(const struct tls_info *info, char *out, size_t size)
{
	snprintf(out, size, "%s with cipher %s (%d bits)", info->version,
		 info->cipher, info->bits);
}

static void put_request(const struct tls_request *r)
{
	ipc_begin(&self.question, "connect");
	ipc_put(&self.question, "level", level_names[r->level]);
	ipc_put(&self.question, "sni", r->sni ? r->sni : "");
	for (size_t i = 0; i < r->nnames; i++)
		ipc_put(&self.question, "name", r->names[i]);
	for (size_t i = 0; i < r->ntlsa; i++)
		ipc_put(&self.question, "tlsa", r->tlsa[i]);
}

int tls_connect(int fd, const struct tls_request *r, struct tls_info *info,
		int64_t ms, int stop)
{
	self.client.stop = stop;
	put_request(r);
	return ask(&self.client, fd, info, ms);
}

int tls_connect_begin(int fd, const struct tls_request *r, int64_t ms)
{
	put_request(r);
	ipc_put_int(&self.question, "timeout", ms > 0 ? ms : 1);
	ipc_put_fd(&self.question, fd);
	return ipc_client_begin(self.client.service, &self.question);
}

int tls_connect_end(int sock, struct tls_info *info)
{
	int err = ipc_recv(sock, &self.answer, 0);

	*info = (struct tls_info){ 0 };
	close(sock);
	return err ? no_answer(info, err) : take_connection(info);
}

bool tls_ended(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 0 || !(p.revents & (POLLHUP | POLLERR));
}
