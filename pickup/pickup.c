/* pickup: mail from local programs: public socket and drop folder. */
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "intake/posting.h"
#include "service/service.h"
#include "pickup/pickup-header.h"
#include "pickup/pickup.h"
#include "server/board.h"

#define PROCESSES 20
#define USER_MAX (PROCESSES / 2) /* of one user, who goes to the drop folder */
#define IDLE_MS 10000		 /* for a caller to send its request */
#define SEND_MS 10000
#define REJECTS_S 20 /* that are logged, a second */

static const char refusal[] =
	"failed\0reply=451 4.3.2 Error: too many at once from you";

const struct intake_row pickup_rows[] = {
	{ "bare addresses", INTAKE_HEADER, INTAKE_ALL, pickup_judge_header },
	{ NULL, INTAKE_END, 0, NULL },
};

static struct pickup self;

static bool peer_uid(int sock, uid_t *uid)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return false;
	*uid = peer.uid;
	return true;
}

/* Takes the one posting of a packet. */
static void take(struct ipc_in *in, uid_t uid, struct ipc_out *out)
{
	int fd = ipc_is(in, "message") ? ipc_take_fd(in) : -1;
	struct answer reply;
	bool good = false;

	if (fd < 0)
		answer_set(&reply, "500 5.5.1 Error: not understood");
	else if (!file_is_sealed(fd))
		answer_set(&reply, "554 5.5.0 Error: not sealed");
	else
		good = pickup_take(&self, fd, uid, &reply);
	if (fd >= 0)
		close(fd);
	if (!good && log_rate_allows(board_log_rate(), REJECTS_S, "reject"))
		log_info("reject: %s; uid=%ld", reply.text, (long)uid);
	ipc_begin(out, good ? "queued" : "failed");
	ipc_put(out, "reply", reply.text);
}

static bool serve(void *context, const struct prefork_listener *listener,
		  int fd)
{
	struct ipc_in in = { 0 };
	struct ipc_out out = { 0 };
	uid_t uid;

	(void)context;
	(void)listener;
	if (peer_uid(fd, &uid)) {
		while (ipc_recv(fd, &in, IDLE_MS) == ERR_OK) {
			take(&in, uid, &out);
			if (ipc_send(fd, &out, SEND_MS))
				break;
		}
	}
	ipc_in_free(&in);
	ipc_out_free(&out);
	close(fd);
	return true;
}

static void child_start(void *context)
{
	struct pickup *p = context;

	p->intake = intake_new(p->config, pickup_rows);
	sandbox_enter(SANDBOX_OPEN); /* for the users' names */
}

static void prepare(struct pickup *p, const struct config *c)
{
	p->config = c;
	p->myorigin = config_string(c, "myorigin");
	pickup_header_begin(p->myorigin);
	p->size_limit = config_bytes(c, "message_size_limit");
	p->drop = mem_printf("%s/drop", config_string(c, "queue_directory"));
}

int main(int argc, char **argv)
{
	struct prefork p = { .spare = 1,
			     .max = PROCESSES,
			     .client_max = USER_MAX,
			     .refusal = refusal,
			     .nrefusal = sizeof(refusal),
			     .grace_s = 30,
			     .context = &self,
			     .child_start = child_start,
			     .serve = serve };
	struct service s;

	service_start(&s, argc, argv, "pickup");
	prepare(&self, s.config);
	service_confine(&s, SANDBOX_OPEN | SANDBOX_FORK | SANDBOX_WATCH);
	sandbox_prepare(SANDBOX_OPEN);
	if (pickup_open_drop(&self))
		p.aside = pickup_watch_drop;
	return service_prefork(&s, &p);
}
