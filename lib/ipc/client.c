#include "ipc/client.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

static void disconnect(struct ipc_client *c)
{
	if (c->sock >= 0)
		close(c->sock);
	c->sock = -1;
}

int ipc_client_once(struct ipc_client *c, const struct ipc_out *q,
		    struct ipc_in *a, int64_t ms)
{
	int err;

	if (c->sock < 0)
		c->sock = ipc_connect(c->service);
	if (c->sock < 0)
		return ERR_TEMP;
	err = ipc_call(c->sock, q, a, ms);
	/* an answer that comes late would be taken for that of the next
	 * question: so the connection ends with the first error */
	if (err)
		disconnect(c);
	return err;
}

int ipc_client_call(struct ipc_client *c, const struct ipc_out *q,
		    struct ipc_in *a, int64_t ms)
{
	int64_t until = clock_ms() + ms;
	int err = ipc_client_once(c, q, a, ms);

	if (err == ERR_EOF && clock_ms() < until)
		err = ipc_client_once(c, q, a, until - clock_ms());
	return err == ERR_EOF ? ERR_TEMP : err;
}
