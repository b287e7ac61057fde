/*
 * imapd is one program for two services. `imapd` talks to strangers on the
 * IMAP ports until they have logged in, in a sandbox without files.
 * `imap-session` waits, as root, for connections that accountd hands over, and
 * becomes their users. The sockets tell which one a process is.
 */
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/account.h"
#include "client/seal.h"
#include "imapd/login.h"
#include "imapd/session.h"
#include "log/log.h"
#include "mailbox/append.h"
#include "mailbox/mailbox.h"
#include "mailbox/metadata.h"
#include "mime/decode.h"
#include "server/sandbox.h"
#include "service/service.h"

#define GRACE_S 5 /* sessions are told at once when the server stops */

struct program {
	struct service service;
	struct login_rules login;
	struct session_rules session;
	struct metadata server;
};

static bool serve_login(void *context, const struct prefork_listener *l, int fd)
{
	const struct program *p = context;

	login_serve(&p->login, fd, str_equal(l->name, "imaps"));
	return true;
}

static bool serve_session(void *context, const struct prefork_listener *l,
			  int fd)
{
	const struct program *p = context;

	(void)l;
	session_serve(fd, &p->session);
	return false;
}

static void confine_child(void *context)
{
	(void)context;
	sandbox_enter(0);
}

static bool is_proxy(void *context, int fd)
{
	const struct program *p = context;

	return login_is_proxy(&p->login, fd);
}

static int run_login(struct program *p)
{
	const struct config *c = p->service.config;
	struct prefork set = {
		.spare = 5,
		.max = (int)config_int(c, "imap_process_limit"),
		.uses = 1000,
		.grace_s = GRACE_S,
		.context = p,
		.is_proxy = is_proxy,
		.sheds = true,
		.child_start = confine_child,
		.serve = serve_login,
	};

	set.client_max = service_client_max(c, set.max);
	set.refusal = "* BYE [UNAVAILABLE] Too many logins at once\r\n";
	login_read_rules(&p->login, c, "imap");
	service_confine(&p->service, SANDBOX_FORK);
	sandbox_prepare(0);
	return service_prefork(&p->service, &set);
}

/* What the administrator tells all users (RFC 5464 section 6.2). */
static void read_server_entries(struct program *p, const struct config *c)
{
	static const struct {
		const char *parameter;
		const char *entry;
	} rows[] = {
		{ "imap_server_admin", "/shared/admin" },
		{ "imap_server_comment", "/shared/comment" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *value = config_string(c, rows[i].parameter);

		if (*value)
			metadata_set(&p->server, rows[i].entry, value,
				     strlen(value));
	}
}

static void read_park_ms(struct session_rules *r, const struct config *c)
{
	int64_t s = config_seconds(c, "imap_hibernate_timeout");

	r->park_ms = s > 0 ? s * 1000 : -1;
	if (config_bool(c, "imap_hibernate_at_once"))
		r->park_ms = 0;
}

/* From how many messages on a folder gets signatures. */
static uint32_t signed_from(const struct config *c)
{
	return config_bool(c, "fts")
		       ? (uint32_t)config_int(c, "fts_message_minimum")
		       : 0;
}

/* The commands that make text of attachments, if the program that runs them
 * does. */
static void read_decoders(struct decoders *d, const struct config *c)
{
	static const struct strlist none;
	const struct strlist *items =
		strlist_has_ci(config_list(c, "disabled_services"), "decoder")
			? &none
			: config_list(c, "fts_decoder");
	struct buf faults;

	buf_init(&faults, 1 << 20);
	if (!decoders_read(d, items, config_string(c, "run_directory"),
			   &faults))
		log_die(EX_CONFIG, "%.*s", (int)strcspn(faults.data, "\n"),
			faults.data);
	buf_free(&faults);
}

/* As accountd calls it: in lower case. */
static const char *public_user(const struct config *c)
{
	const char *name = config_string(c, "public_mailbox_user");

	return *name ? str_lower(mem_strdup(name)) : NULL;
}

static int run_session(struct program *p)
{
	const struct config *c = p->service.config;
	struct prefork set = {
		.spare = 5,
		.max = (int)config_int(c, "imap_process_limit"),
		.grace_s = GRACE_S,
		.context = p,
		.serve = serve_session,
	};

	set.client_max = service_client_max(c, set.max);
	set.pair_max = (int)config_int(c, "mail_max_userip_connections");
	p->session = (struct session_rules){
		.message_max = config_bytes(c, "message_size_limit"),
		.create = config_list(c, "mailbox_autocreate"),
		.subscribe = config_list(c, "mailbox_autosubscribe"),
		.server = &p->server,
		.accountd = mem_printf("%s/public/accountd",
				       config_string(c, "run_directory")),
		.public_user = public_user(c),
		.signed_from = signed_from(c),
		.uidonly = config_bool(c, "imap_uidonly"),
	};
	read_server_entries(p, c);
	read_park_ms(&p->session, c);
	read_decoders(&p->session.decoders, c);
	/* Neither can be read from disk once a child is a user. */
	tzset();
	mime_charsets_preload();
	mailbox_email_id_preload();
	seal_preload();
	sandbox_limit(0, 2 * APPEND_MAX);
	service_confine(&p->service,
			SANDBOX_OPEN | SANDBOX_FORK | SANDBOX_IDENTITY);
	sandbox_prepare(SANDBOX_OPEN);
	return service_prefork(&p->service, &set);
}

int main(int argc, char **argv)
{
	struct program p = { 0 };

	service_start(&p.service, argc, argv, "imapd");
	return service_listener(&p.service, "imap-session") ? run_session(&p)
							    : run_login(&p);
}
