/*
 * decoder: text of attachments, for searches. It runs the commands that the
 * administrator has named (fts_decoder) on bytes from strangers, each in a
 * process that can do nothing else (decoder/run.h), as a user that owns nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "client/decoder.h"
#include "decoder/serve.h"
#include "log/log.h"
#include "server/landlock.h"
#include "server/user.h"
#include "service/service.h"

#define FILES_MAX 64

static struct {
	struct service service;
	struct decoders decoders;
	uid_t mail_uid; /* whose sessions are those of many users */
} self;

static void read_table(const struct config *c)
{
	struct buf faults;

	buf_init(&faults, 1 << 20);
	if (!decoders_read(&self.decoders, config_list(c, "fts_decoder"),
			   config_string(c, "run_directory"), &faults))
		log_die(EX_CONFIG, "%.*s", (int)strcspn(faults.data, "\n"),
			faults.data);
	buf_free(&faults);
	for (size_t i = 0; i < self.decoders.n; i++)
		if (access(self.decoders.row[i].argv[0], X_OK) < 0)
			log_die(EX_CONFIG, "fts_decoder: %s: %s",
				self.decoders.row[i].argv[0], strerror(errno));
}

/* All virtual users' sessions have one uid: they are not one client. */
static bool is_of_many(void *context, int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	(void)context;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	       peer.uid == self.mail_uid;
}

int main(int argc, char **argv)
{
	struct prefork p = {
		.spare = 1,
		.grace_s = 30,
		.context = &self.decoders,
		.is_proxy = is_of_many,
		.serve = serve_connection,
	};
	const struct config *c;
	gid_t gid;

	service_start(&self.service, argc, argv, "decoder");
	c = self.service.config;
	read_table(c);
	if (landlock_version() < 2)
		log_die(EX_UNAVAILABLE, "this kernel has no Landlock, without "
					"which fts_decoder is not safe");
	if (!user_find(config_string(c, "mail_user"), &self.mail_uid, &gid))
		self.mail_uid = geteuid();
	p.max = (int)config_int(c, "decoder_process_limit");
	p.client_max = service_client_quarter(p.max);
	if (p.client_max < 2)
		p.client_max = 2; /* one that is just ending */
	sandbox_limit(0, FILES_MAX);
	service_confine(&self.service,
			SANDBOX_OPEN | SANDBOX_FORK | SANDBOX_EXEC);
	if (geteuid() == 0)
		log_die(EX_NOPERM, "must not run as root");
	return service_prefork(&self.service, &p);
}
