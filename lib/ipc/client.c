#include "ipc/client.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/wait.h"

#define TRIES 3

static void disconnect(struct ipc_client *c)
{
	if (c->sock >= 0)
		close(c->sock);
	c->sock = -1;
}

/* As ipc_call, until c->stop is readable. */
static int call(const struct ipc_client *c, const struct ipc_out *q,
		struct ipc_in *a, int64_t ms)
{
	int64_t until = clock_ms() + ms, left;
	int err = ipc_send(c->sock, q, ms);

	if (!err)
		err = wait_input_beside(c->sock, c->stop, until);
	if (err)
		return err;
	left = until - clock_ms();
	return ipc_recv(c->sock, a, left > 0 ? left : 1);
}

int ipc_client_once(struct ipc_client *c, const struct ipc_out *q,
		    struct ipc_in *a, int64_t ms)
{
	int64_t until = clock_ms() + ms;
	int err;

	if (c->sock < 0)
		c->sock = ipc_connect_within(c->service, ms);
	if (c->sock < 0)
		return err_set(ERR_TEMP, "cannot reach %s: %s", c->service,
			       strerror(errno));
	ms = until - clock_ms();
	ms = ms > 0 ? ms : 0;
	err = c->stop < 0 ? ipc_call(c->sock, q, a, ms) : call(c, q, a, ms);
	/* a late answer would be taken for that of the next question, so the
	 * connection ends with the first error */
	if (err)
		disconnect(c);
	return err ? err_set(err, "%s: %s", c->service, err_why(err)) : ERR_OK;
}

int ipc_client_call(struct ipc_client *c, const struct ipc_out *q,
		    struct ipc_in *a, int64_t ms)
{
	int64_t until = clock_ms() + ms;
	int err = ipc_client_once(c, q, a, ms);

	/* first the kept connection, then perhaps one to an instance that is
	 * just retiring, then one to the next instance */
	for (int i = 1; i < TRIES && err == ERR_EOF && clock_ms() < until; i++)
		err = ipc_client_once(c, q, a, until - clock_ms());
	return err == ERR_EOF ? err_set(ERR_TEMP, "%s", err_why(err)) : err;
}

int ipc_client_begin(const char *service, const struct ipc_out *q)
{
	int err = ERR_EOF;

	/* as above */
	for (int i = 0; i < TRIES && err == ERR_EOF; i++) {
		int sock = ipc_connect_now(service);

		if (sock < 0) {
			err_sys("reach", service);
			return -1;
		}
		err = ipc_send(sock, q, 0);
		if (!err)
			return sock;
		close(sock);
	}
	err_set(err, "%s: %s", service, err_why(err));
	return -1;
}
