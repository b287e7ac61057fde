#include "imapd/login.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "imapd/capability.h"
#include "imapd/conn.h"
#include "imapd/id.h"
#include "server/prefork.h"
#include "server/shed.h"

/* ID with 30 pairs (id.h), even if each byte is quoted */
#define COMMAND_MAX 65536
#define BAD_MAX 10
#define NONSYNC_MAX 4096 /* LITERAL- (RFC 7888 section 5) */

struct visit {
	struct login l;
	struct conn c; /* over the stream of l */
	bool over;     /* close the connection */
};

struct command {
	const char *name;
	void (*act)(struct visit *v);
	size_t min; /* arguments */
	size_t max;
};

#define ANY 1000

static void put_capabilities(struct visit *v, struct buf *out)
{
	buf_puts(out, CAPABILITY_BEFORE_LOGIN);
	if (login_can_start_tls(&v->l))
		buf_puts(out, " STARTTLS");
	buf_puts(out, login_passwords_allowed(&v->l) ? " AUTH=PLAIN AUTH=LOGIN"
						     : " LOGINDISABLED");
}

static void greet(struct visit *v)
{
	struct buf b;

	buf_init(&b, 512);
	put_capabilities(v, &b);
	conn_put(&v->c, "* OK [CAPABILITY %s] %s ready", b.data,
		 v->l.rules->hostname);
	buf_free(&b);
}

static void capability(struct visit *v)
{
	struct buf b;

	buf_init(&b, 512);
	put_capabilities(v, &b);
	conn_put(&v->c, "* CAPABILITY %s", b.data);
	conn_reply(&v->c, "OK Capability completed.");
	buf_free(&b);
}

static void noop(struct visit *v)
{
	conn_reply(&v->c, "OK NOOP completed.");
}

static void id(struct visit *v)
{
	const char *why = id_check(v->c.args), *ip, *ttl;

	if (why) {
		conn_bad(&v->c, why);
		return;
	}
	ip = id_value(v->c.args, "x-originating-ip");
	ttl = id_value(v->c.args, "x-proxy-ttl");
	if (ip)
		login_speak_for(&v->l, ip);
	if (ttl)
		login_note_ttl(&v->l, ttl);
	conn_put(&v->c, CAPABILITY_ID);
	conn_reply(&v->c, "OK ID completed.");
}

static void log_out(struct visit *v)
{
	conn_put(&v->c, "* BYE Logging out");
	conn_reply(&v->c, "OK Logout completed.");
	v->over = true;
}

/* Nothing that the client sent before TLS counts: neither its commands nor
 * what it sent after STARTTLS (RFC 3501 section 6.2.1). */
static void starttls(struct visit *v)
{
	if (!login_can_start_tls(&v->l)) {
		conn_bad(&v->c, "STARTTLS is not available.");
		return;
	}
	conn_reply(&v->c, "OK Begin TLS negotiation now.");
	v->over = !login_start_tls(&v->l);
	v->c.io = v->l.io;
}

/* Replies to results that do not end the connection. */
static void answer(struct visit *v, enum login_result result)
{
	static const char *const replies[] = {
		[LOGIN_FAILED] = "NO [AUTHENTICATIONFAILED] Authentication "
				 "failed.",
		[LOGIN_MANY] = "NO [AUTHENTICATIONFAILED] Authentication "
			       "failed.",
		[LOGIN_SOON] = "NO [LIMIT] Too soon after another login.",
		[LOGIN_CROWDED] = "NO [LIMIT] Too many sessions of this user.",
		[LOGIN_TEMP] = "NO [UNAVAILABLE] Cannot check passwords just "
			       "now.",
		[LOGIN_CANCELLED] = "BAD Authentication cancelled.",
		[LOGIN_LONG] = "BAD [TOOBIG] Response too long.",
	};

	v->over = result == LOGIN_DONE || result == LOGIN_LOST ||
		  result == LOGIN_MANY || result == LOGIN_LONG;
	if (result == LOGIN_DONE || result == LOGIN_LOST)
		return;
	if (result == LOGIN_REFUSED) {
		conn_reply(&v->c, "NO %s", login_reply());
		return;
	}
	conn_reply(&v->c, "%s", replies[result]);
	if (result == LOGIN_MANY)
		conn_cut(&v->c, "Too many failures");
	if (result == LOGIN_LONG)
		conn_cut(&v->c, "Response too long");
}

static bool refuse_password(struct visit *v)
{
	if (login_passwords_allowed(&v->l))
		return false;
	conn_reply(&v->c, "NO [PRIVACYREQUIRED] Passwords are accepted only "
			  "under TLS.");
	return true;
}

static void log_in(struct visit *v)
{
	const char *user = arg_astring(&v->c.args[0]);
	const char *password = arg_astring(&v->c.args[1]);

	if (!user || !password)
		conn_bad(&v->c, "LOGIN takes a name and a password.");
	else if (!refuse_password(v))
		answer(v, login_password(&v->l, user, password, v->c.tag));
}

static void sasl(struct visit *v)
{
	const struct arg *a = v->c.args;

	if (a[0].type != ARG_ATOM ||
	    (a[1].type != ARG_END && a[1].type != ARG_ATOM)) {
		conn_bad(&v->c, "AUTHENTICATE takes a mechanism.");
		return;
	}
	if (!str_equal_ci(a[0].s, "PLAIN") && !str_equal_ci(a[0].s, "LOGIN")) {
		conn_reply(&v->c, "NO [CANNOT] Unknown mechanism.");
		return;
	}
	if (refuse_password(v))
		return;
	answer(v, login_sasl(&v->l, a[0].s,
			     a[1].type == ARG_END ? NULL : a[1].s, v->c.tag));
}

static const struct command commands[] = {
	{ "CAPABILITY", capability, 0, 0 },
	{ "NOOP", noop, 0, 0 },
	{ "ID", id, 1, ANY },
	{ "LOGOUT", log_out, 0, 0 },
	{ "STARTTLS", starttls, 0, 0 },
	{ "LOGIN", log_in, 2, 2 },
	{ "AUTHENTICATE", sasl, 1, 2 },
};

static void run(struct visit *v)
{
	size_t n = args_count(v->c.args), i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (!str_equal_ci(v->c.name, commands[i].name))
			continue;
		if (n < commands[i].min || n > commands[i].max) {
			conn_bad(&v->c, "Wrong number of arguments.");
			return;
		}
		commands[i].act(v);
		return;
	}
	conn_bad(&v->c, "Unknown command, or login needed.");
}

static void dialogue(struct visit *v)
{
	greet(v);
	while (!v->over && v->c.bad < BAD_MAX && !shed_is_due()) {
		switch (conn_read(&v->c)) {
		case CONN_COMMAND:
			run(v);
			break;
		case CONN_BAD:
			break;
		case CONN_TIMEOUT:
			conn_put(&v->c, "* BYE Too slow");
			v->over = true;
			break;
		case CONN_STOPPING:
			if (prefork_stopping())
				conn_put(&v->c, "* BYE Server is shutting down");
			v->over = true;
			break;
		case CONN_END:
			v->over = true;
			break;
		}
	}
	if (v->c.bad >= BAD_MAX)
		conn_cut(&v->c, "Too many errors");
	login_say_dropped(&v->l, "* BYE [UNAVAILABLE] Others need the place, "
				 "and you have not logged in\r\n");
	if (v->c.io)
		err_ignore(stream_flush(v->c.io)); /* it ends in any case */
}

void login_serve(const struct login_rules *rules, int fd, bool tls_first)
{
	struct visit v = { .over = false };

	if (!login_begin(&v.l, rules, fd, tls_first))
		return;
	conn_init(&v.c, v.l.io, COMMAND_MAX);
	v.c.nonsync_max = NONSYNC_MAX;
	v.c.limits = (struct args_limits){ .depth = 1, .args = 80 };
	dialogue(&v);
	mem_wipe(v.c.reader.text.data, v.c.reader.text.len);
	conn_free(&v.c); /* and the stream */
}
