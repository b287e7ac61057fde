#include "imapd/login.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/account.h"
#include "client/tls.h"
#include "imapd/capability.h"
#include "imapd/conn.h"
#include "log/log.h"

#define WINDOW_MAX 8192
#define COMMAND_MAX 16384 /* AUTHENTICATE with a long token */
#define LOGIN_MS 180000	  /* for all from connect to login */
#define TLS_MS 30000
#define AUTH_MS 60000
#define FAILURES_MAX 5
#define BAD_MAX 10

struct login {
	const struct login_settings *set;
	struct conn c;
	char client[INET6_ADDRSTRLEN];
	bool tls;
	unsigned failures;
	bool over; /* close the connection */
};

struct command {
	const char *name;
	void (*act)(struct login *l);
	size_t min; /* arguments */
	size_t max;
};

#define ANY 1000

static bool passwords_allowed(const struct login *l)
{
	return l->tls || l->set->plaintext;
}

static void put_capabilities(struct login *l, struct buf *out)
{
	buf_puts(out, CAPABILITY_BEFORE_LOGIN);
	if (!l->tls && l->set->starttls)
		buf_puts(out, " STARTTLS");
	buf_puts(out, passwords_allowed(l) ? " AUTH=PLAIN AUTH=LOGIN"
					   : " LOGINDISABLED");
}

static void greet(struct login *l)
{
	struct buf b;

	buf_init(&b, 512);
	put_capabilities(l, &b);
	conn_put(&l->c, "* OK [CAPABILITY %s] %s ready", b.data,
		 l->set->hostname);
	buf_free(&b);
}

static void capability(struct login *l)
{
	struct buf b;

	buf_init(&b, 512);
	put_capabilities(l, &b);
	conn_put(&l->c, "* CAPABILITY %s", b.data);
	conn_reply(&l->c, "OK Capability completed.");
	buf_free(&b);
}

static void noop(struct login *l)
{
	conn_reply(&l->c, "OK NOOP completed.");
}

static void id(struct login *l)
{
	conn_put(&l->c, CAPABILITY_ID);
	conn_reply(&l->c, "OK ID completed.");
}

static void log_out(struct login *l)
{
	conn_put(&l->c, "* BYE Logging out");
	conn_reply(&l->c, "OK Logout completed.");
	l->over = true;
}

/* What the client sent before TLS counts for nothing: not its commands, and
 * not what it sent behind STARTTLS (RFC 3501 section 6.2.1). */
static void starttls(struct login *l)
{
	struct tls_info info;
	int fd;

	if (l->tls || !l->set->starttls) {
		conn_reply(&l->c, "BAD STARTTLS is not available.");
		return;
	}
	conn_reply(&l->c, "OK Begin TLS negotiation now.");
	stream_flush(l->c.io);
	fd = stream_release(&l->c.io);
	fd = tls_accept(fd, &info, TLS_MS);
	if (fd < 0) {
		log_info("imap: TLS handshake with %s failed: %s", l->client,
			 info.why);
		l->over = true;
		return;
	}
	l->c.io = stream_new(fd, WINDOW_MAX);
	stream_set_timeout(l->c.io, LOGIN_MS);
	l->tls = true;
}

static void refused(struct login *l, enum account_auth result,
		    const struct account_auth_state *st)
{
	if (result == AUTH_TEMP) {
		conn_reply(&l->c, "NO [UNAVAILABLE] Cannot check passwords "
				  "just now.");
		return;
	}
	log_info("imap: login failed: client=%s, user=%s, why=%s", l->client,
		 st->user, st->why);
	conn_reply(&l->c, "NO [AUTHENTICATIONFAILED] Authentication "
			  "failed.");
	if (++l->failures < FAILURES_MAX)
		return;
	conn_put(&l->c, "* BYE Too many failures");
	l->over = true;
}

/* One answer of the client within a SASL exchange: a line in base64, or "*".
 * NULL: the exchange is over. */
static const char *ask(struct login *l, const char *challenge)
{
	char *line;
	size_t n;

	stream_printf(l->c.io, "+ %s\r\n", challenge);
	if (stream_line(l->c.io, WINDOW_MAX, &line, &n) != 0) {
		l->over = true;
		return NULL;
	}
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (memchr(line, '\0', n) || (n == 1 && *line == '*'))
		return NULL;
	return arena_strndup(l->c.arena, line, n);
}

/* Runs the exchange; on success the connection is another process's. */
static void authenticate(struct login *l, const char *mechanism,
			 const char *response)
{
	struct account_auth_state st = { .sock = -1 };
	struct account_client_info info = { .service = "imap",
					    .client = l->client,
					    .tls = l->tls,
					    .session = "imap",
					    .tag = l->c.tag };
	enum account_auth result;

	stream_flush(l->c.io);
	info.fd = stream_fd(l->c.io);
	/* Without a response what was read ahead is the response. */
	if (response)
		info.pending = stream_window(l->c.io, &info.npending);
	result = account_auth_start(&st, &info, mechanism, response);
	while (result == AUTH_CONTINUE) {
		response = ask(l, st.challenge);
		if (!response) {
			account_auth_cancel(&st);
			conn_reply(&l->c, "BAD Authentication cancelled.");
			return;
		}
		st.pending = stream_window(l->c.io, &st.npending);
		result = account_auth_step(&st, response);
	}
	if (result == AUTH_OK)
		l->over = true;
	else
		refused(l, result, &st);
}

static bool refuse_password(struct login *l)
{
	if (passwords_allowed(l))
		return false;
	conn_reply(&l->c, "NO [PRIVACYREQUIRED] Passwords are taken only "
			  "under TLS.");
	return true;
}

static void log_in(struct login *l)
{
	const char *user = arg_astring(&l->c.args[0]);
	const char *password = arg_astring(&l->c.args[1]);
	struct buf plain, text;

	if (!user || !password) {
		conn_reply(&l->c, "BAD LOGIN takes a name and a password.");
		return;
	}
	if (refuse_password(l))
		return;
	buf_init(&plain, COMMAND_MAX);
	buf_init(&text, 2 * COMMAND_MAX);
	buf_putc(&plain, '\0');
	buf_puts(&plain, user);
	buf_putc(&plain, '\0');
	buf_puts(&plain, password);
	encode_base64(&text, plain.data, plain.len);
	authenticate(l, "PLAIN", text.data);
	mem_wipe(plain.data, plain.len);
	mem_wipe(text.data, text.len);
	buf_free(&plain);
	buf_free(&text);
}

/* The initial response "=" is an empty one (RFC 4959 section 3). */
static void sasl(struct login *l)
{
	const struct arg *a = l->c.args;
	const char *response = a[1].type == ARG_END ? NULL : a[1].s;

	if (a[0].type != ARG_ATOM ||
	    (a[1].type != ARG_END && a[1].type != ARG_ATOM)) {
		conn_reply(&l->c, "BAD AUTHENTICATE takes a mechanism.");
		return;
	}
	if (!str_equal_ci(a[0].s, "PLAIN") && !str_equal_ci(a[0].s, "LOGIN")) {
		conn_reply(&l->c, "NO [CANNOT] Unknown mechanism.");
		return;
	}
	if (refuse_password(l))
		return;
	if (response && strcmp(response, "=") == 0)
		response = "";
	authenticate(l, a[0].s, response);
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

static void run(struct login *l)
{
	size_t n = args_count(l->c.args), i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (!str_equal_ci(l->c.name, commands[i].name))
			continue;
		if (n < commands[i].min || n > commands[i].max) {
			l->c.bad++;
			conn_reply(&l->c, "BAD Wrong number of arguments.");
			return;
		}
		commands[i].act(l);
		return;
	}
	l->c.bad++;
	conn_reply(&l->c, "BAD Unknown command, or login needed.");
}

static void dialogue(struct login *l)
{
	int64_t end = clock_ms() + LOGIN_MS;

	stream_set_timeout(l->c.io, LOGIN_MS);
	greet(l);
	while (!l->over && l->c.bad < BAD_MAX) {
		stream_set_deadline(l->c.io, end);
		switch (conn_read(&l->c)) {
		case CONN_COMMAND:
			run(l);
			break;
		case CONN_BAD:
			break;
		case CONN_TIMEOUT:
			conn_put(&l->c, "* BYE Too slow");
			l->over = true;
			break;
		case CONN_END:
			l->over = true;
			break;
		}
	}
	if (l->c.bad >= BAD_MAX)
		conn_put(&l->c, "* BYE Too many errors");
	if (l->c.io)
		stream_flush(l->c.io);
}

/* The peer's address; IPv4 behind an IPv6 socket in its own form. */
static void find_client(int fd, char *out, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	const char *text = NULL;

	memset(&ss, 0, sizeof(ss));
	if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
		ss.ss_family = AF_UNSPEC;
	if (ss.ss_family == AF_INET)
		text = inet_ntop(AF_INET,
				 &((struct sockaddr_in *)&ss)->sin_addr, out,
				 (socklen_t)size);
	else if (ss.ss_family == AF_INET6)
		text = inet_ntop(AF_INET6,
				 &((struct sockaddr_in6 *)&ss)->sin6_addr, out,
				 (socklen_t)size);
	if (!text)
		str_copy(out, size, "unknown");
	else if (str_starts_ci(out, "::ffff:") && strchr(out, '.'))
		memmove(out, out + 7, strlen(out + 7) + 1);
}

void login_serve(const struct login_settings *set, int fd, bool tls_first)
{
	struct login l = { .set = set };
	struct tls_info info;

	find_client(fd, l.client, sizeof(l.client));
	if (tls_first) {
		fd = tls_accept(fd, &info, TLS_MS);
		if (fd < 0) {
			log_info("imap: TLS handshake with %s failed: %s",
				 l.client, info.why);
			return;
		}
		l.tls = true;
	}
	conn_init(&l.c, stream_new(fd, WINDOW_MAX), COMMAND_MAX);
	l.c.limits = (struct args_limits){ .depth = 1, .args = 80 };
	dialogue(&l);
	mem_wipe(l.c.reader.text.data, l.c.reader.text.len);
	conn_free(&l.c);
}
