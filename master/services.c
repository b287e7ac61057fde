#include "master/services.h"

#include "config/config.h"

#define PRIVATE(name)                      \
	{                                  \
		name, SOCKET_PRIVATE, NULL \
	}
#define PUBLIC(name)                                \
	{                                           \
		"public/" name, SOCKET_PUBLIC, NULL \
	}
#define ALL (USER_NET | USER_QUEUE | USER_CHECK | USER_ACCOUNT | USER_TLS)

/* clang-format off */
const struct service_row service_rows[] = {
/* name, program, stage, user, flags,
 *	sockets, peers (root and the service's own user always may) */
{ "resolver", "resolver", STAGE_HELPERS, USER_NET, FLAG_CHROOT,
	{ PRIVATE("resolver") }, ALL },
{ "tls-server", "tlsproxy", STAGE_HELPERS, USER_TLS, FLAG_CHROOT | FLAG_NEEDS_TLS,
	{ PRIVATE("tls-server") }, USER_NET },
{ "tls-client", "tlsproxy", STAGE_HELPERS, USER_TLS, FLAG_CHROOT,
	{ PRIVATE("tls-client") }, USER_NET },
{ "accountd", "accountd", STAGE_HELPERS, USER_ACCOUNT, 0,
	{ PRIVATE("accountd"), PUBLIC("accountd") }, USER_NET },
{ "login-proxy", "login-proxy", STAGE_DOORS, USER_NET, FLAG_CHROOT,
	{ PRIVATE("login-proxy") }, USER_ACCOUNT },
{ "authcheck", "authcheck", STAGE_HELPERS, USER_CHECK, FLAG_CHROOT,
	{ PRIVATE("authcheck") }, USER_NET },
{ "decoder", "decoder", STAGE_HELPERS, USER_DECODER, FLAG_NEEDS_DECODERS,
	{ PUBLIC("decoder") }, 0 },
{ "mailbox-feed", "mailbox-feed", STAGE_HELPERS, USER_NET, FLAG_IN_PLACE,
	{ PRIVATE("feed"), PRIVATE("feed-all") }, ALL },
{ "tls-policy", "tls-policy", STAGE_HELPERS, USER_NET, 0,
	{ PRIVATE("tls-policy") }, USER_NET },
{ "local-deliver", "local-deliver", STAGE_DELIVERY, USER_ROOT, 0,
	{ PRIVATE("local-deliver"), PRIVATE("room") }, USER_QUEUE | USER_ACCOUNT },
{ "remote-send", "remote-send", STAGE_DELIVERY, USER_NET, FLAG_CHROOT,
	{ PRIVATE("remote-send") }, USER_QUEUE },
{ "qmgr", "qmgr", STAGE_QUEUE, USER_QUEUE, FLAG_IN_PLACE,
	{ PRIVATE("qmgr"), PUBLIC("qmgr") }, USER_NET },
{ "smtpd", "smtpd", STAGE_DOORS, USER_NET, FLAG_CHROOT,
	{ PRIVATE("smtpd"), { "lmtp", SOCKET_STREAM, "lmtp_socket" } }, USER_NET },
{ "gate", "gate", STAGE_DOORS, USER_NET, FLAG_CHROOT,
	{ { "smtp", SOCKET_TCP, "smtp_port" } }, 0 },
{ "submit", "submit", STAGE_DOORS, USER_NET, FLAG_CHROOT,
	{ PRIVATE("submit") }, USER_NET },
{ "submit-gate", "gate", STAGE_DOORS, USER_NET, FLAG_CHROOT,
	{ { "submission", SOCKET_TCP, "submission_port" },
	  { "submissions", SOCKET_TCP, "submissions_port" } }, 0 },
{ "pickup", "pickup", STAGE_DOORS, USER_NET, 0,
	{ PUBLIC("pickup") }, 0 },
{ "imap-session", "imapd", STAGE_DOORS, USER_ROOT, 0,
	{ PRIVATE("imap-session") }, USER_ACCOUNT },
{ "imapd", "imapd", STAGE_DOORS, USER_NET, FLAG_CHROOT,
	{ { "imap", SOCKET_TCP, "imap_port" },
	  { "imaps", SOCKET_TCP, "imaps_port" } }, 0 },
{ "pop3-session", "pop3d", STAGE_DOORS, USER_ROOT, 0,
	{ PRIVATE("pop3-session") }, USER_ACCOUNT },
{ "pop3d", "pop3d", STAGE_DOORS, USER_NET, FLAG_CHROOT,
	{ { "pop3", SOCKET_TCP, "pop3_port" },
	  { "pop3s", SOCKET_TCP, "pop3s_port" } }, 0 },
};
/* clang-format on */

const size_t service_count = sizeof(service_rows) / sizeof(service_rows[0]);

bool service_is_needed(const struct service_row *row, const struct config *c)
{
	return (!(row->flags & FLAG_NEEDS_TLS) ||
		*config_string(c, "smtpd_tls_cert_file")) &&
	       (!(row->flags & FLAG_NEEDS_DECODERS) ||
		config_list(c, "fts_decoder")->n > 0);
}

const char *service_user_param(enum user user)
{
	switch (user) {
	case USER_NET:
		return "net_user";
	case USER_QUEUE:
		return "queue_user";
	case USER_CHECK:
		return "check_user";
	case USER_ACCOUNT:
		return "account_user";
	case USER_TLS:
		return "tls_user";
	case USER_MAIL:
		return "mail_user";
	case USER_DECODER:
		return "decoder_user";
	case USER_ROOT:
		break;
	}
	return NULL;
}
