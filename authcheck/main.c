/*
 * authcheck: SPF, DKIM and DMARC for the other programs. It reads the keys
 * and the list of public suffixes as root, then gives up everything: its
 * children can read the descriptor that comes with a question, ask the
 * resolver over its socket, and nothing else. The libraries that parse what
 * strangers wrote run only there.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "authcheck/dkim.h"
#include "authcheck/dmarc.h"
#include "authcheck/serve.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/config.h"
#include "log/log.h"
#include "mime/decode.h"
#include "service/service.h"

#define MEMORY_MIB 256 /* address space of a process */
#define FILES_MAX 64
#define USES 1000 /* connections of a child: the signing library leaks */
#define SPARE 2

static struct {
	struct service service;
	struct serve_settings serve;
	struct dkim_key *keys;
} self;

static void report(const struct buf *faults)
{
	const char *line = faults->data;

	while (*line) {
		size_t n = strcspn(line, "\n");

		log_error("%.*s", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

/* Gives what is wrong with the keys, or NULL. */
static const char *load_keys(const struct service *s)
{
	struct buf faults;
	char *why = NULL;

	buf_init(&faults, 1 << 16);
	self.keys = keys_load(config_string(s->config, "dkim_keys_file"),
			      &faults);
	report(&faults);
	if (faults.len > 0)
		why = mem_printf("%.*s", (int)strcspn(faults.data, "\n"),
				 faults.data);
	buf_free(&faults);
	if (why && s->again)
		log_die(EX_CONFIG, "%s; the former keys stay in use", why);
	return why;
}

static void load_suffixes(const struct config *c)
{
	const char *path = config_string(c, "public_suffix_file");
	bool cross_check = config_bool(c, "debug_log");

	int err = dmarc_prepare(path, cross_check);

	if (!err)
		return;
	log_warn("public_suffix_file: %s: the list that libpsl was built with "
		 "is used",
		 err_why(err));
	if (dmarc_prepare("", cross_check))
		log_die(EX_CONFIG, "no list of public suffixes: set "
				   "public_suffix_file");
}

static void start_child(void *context)
{
	(void)context;
	sandbox_enter(0);
}

int main(int argc, char **argv)
{
	struct prefork p = {
		.spare = SPARE,
		.uses = USES,
		.grace_s = 30,
		.context = &self.serve,
		.child_start = start_child,
		.serve = serve_connection,
	};

	service_start(&self.service, argc, argv, "authcheck");
	p.poor = load_keys(&self.service);
	load_suffixes(self.service.config);
	mime_charsets_preload(); /* of From fields */
	if (!dkim_prepare())
		log_die(EX_SOFTWARE, "libopendkim cannot be used");
	self.serve.authserv = config_string(self.service.config, "myhostname");
	self.serve.keys = self.keys;
	p.max = (int)config_int(self.service.config, "authcheck_process_limit");
	sandbox_limit(MEMORY_MIB, FILES_MAX);
	service_confine(&self.service, SANDBOX_FORK);
	sandbox_prepare(0);
	return service_prefork(&self.service, &p);
}
