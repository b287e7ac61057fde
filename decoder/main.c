/*
 * decoder: text of attachments, for searches. It runs the commands that the
 * administrator has named (fts_decoder) on bytes from strangers, each in a
 * process that can do nothing else (decoder/run.h), as a user that owns nothing.
 */
#include <errno.h>
#include <string.h>
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
	struct serving serving;
} self;

static void read_table(const struct config *c)
{
	struct buf faults;

	buf_init(&faults, 1 << 20);
	if (!decoders_read(&self.serving.decoders, config_list(c, "fts_decoder"),
			   config_string(c, "run_directory"), &faults))
		log_die(EX_CONFIG, "%.*s", (int)strcspn(faults.data, "\n"),
			faults.data);
	buf_free(&faults);
	for (size_t i = 0; i < self.serving.decoders.n; i++) {
		const char *path = self.serving.decoders.row[i].argv[0];

		if (access(path, X_OK) < 0)
			log_die(EX_CONFIG, "fts_decoder: %s: %s", path,
				strerror(errno));
	}
}

static bool is_of_many(void *context, int fd)
{
	return serve_is_of_many(context, fd);
}

/* One user's share: no more than half, whatever there is, so that nobody keeps
 * all others out; two if there are a few, one of which may just be ending. */
static int share_of(int max)
{
	int share = service_client_quarter(max);

	return share < 2 && max > 3 ? 2 : share;
}

int main(int argc, char **argv)
{
	struct prefork p = {
		.spare = 1,
		.grace_s = 30,
		.context = &self.serving,
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
	if (!user_find(config_string(c, "mail_user"), &self.serving.mail_uid,
		       &gid))
		self.serving.mail_uid = geteuid();
	p.max = (int)config_int(c, "decoder_process_limit");
	p.client_max = share_of(p.max);
	sandbox_limit(0, FILES_MAX);
	service_confine(&self.service,
			SANDBOX_OPEN | SANDBOX_FORK | SANDBOX_EXEC);
	if (geteuid() == 0)
		log_die(EX_NOPERM, "must not run as root");
	return service_prefork(&self.service, &p);
}
