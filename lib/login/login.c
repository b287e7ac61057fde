/*
 * A stranger's connection from its beginning: who it is, perhaps by the word of
 * a proxy, TLS, and then the exchange with accountd, which keeps the connection
 * if the password is right.
 */
#include "login/login.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/account.h"
#include "client/tls.h"
#include "io/proxy-header.h"
#include "io/wait.h"
#include "log/log.h"
#include "server/prefork.h"
#include "server/shed.h"

#define WINDOW_MAX 16384 /* a SASL response is up to 8192 */
#define LOGIN_MS 180000	 /* from connect to login */
#define TLS_MS 30000
#define PROXY_MS 10000 /* for a proxy to say for whom it speaks */
#define SEND_MS 3000 /* for a client that does not read what we send */
#define LOOK_MS 100  /* a silence after which the place may be given away */
#define FAILURES_MAX 5
#define TTL_MAX 5
#define PASSWORD_MAX 4096 /* a name and a password */

static struct {
	char reply[512];
} self;

void login_read_rules(struct login_rules *r, const struct config *c,
		      const char *service)
{
	r->proxies = address_networks_of(c, "haproxy_trusted_networks");
	r->trusted = address_networks_of(c, "login_trusted_networks");
	r->service = service;
	r->hostname = config_string(c, "myhostname");
	r->plaintext = !config_bool(c, "disable_plaintext_auth");
	r->starttls = *config_string(c, "smtpd_tls_cert_file") != '\0';
}

/* IPv4 on an IPv6 socket is written as IPv4. */
static void find_client(int fd, char out[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	*out = '\0';
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0)
		address_ip(&ss, out);
	if (!*out)
		str_copy(out, INET6_ADDRSTRLEN, "unknown");
}

bool login_is_proxy(const struct login_rules *r, int fd)
{
	char ip[INET6_ADDRSTRLEN];

	find_client(fd, ip);
	return address_networks_have(r->proxies, ip) ||
	       address_networks_have(r->trusted, ip);
}

static int take_introduction(int fd, struct proxy_header *h)
{
	int64_t until = clock_ms() + PROXY_MS;
	struct proxy_reader r = { .n = 0 };
	int err = ERR_BUSY;

	while (err == ERR_BUSY) {
		err = wait_input_beside(fd, shed_fd(), until);
		if (!err)
			err = proxy_header_take(fd, &r, h);
	}
	return err;
}

/* The connection is that of the proxy's client. False: it is closed. */
static bool be_introduced(struct login *l, int fd)
{
	struct proxy_header h;
	int err = take_introduction(fd, &h);

	if (err) {
		if (!shed_is_due())
			log_warn("%s: the proxy %s does not say for whom it "
				 "speaks: %s",
				 l->rules->service, l->client, err_why(err));
		close(fd);
		return false;
	}
	if (h.local)
		return true;
	l->tls = *h.tls != '\0';
	address_ip(&h.client, l->client);
	return prefork_claim_client(fd, &h.client);
}

void login_say_dropped(struct login *l, const char *text)
{
	if (!shed_is_due())
		return;
	log_info("%s: %s has not logged in and makes room for others",
		 l->rules->service, l->client);
	if (l->io)
		stream_puts(l->io, text);
}

/* Puts tlsproxy in front of FD, and a stream over the plain connection. */
static bool add_tls(struct login *l, int fd)
{
	struct tls_info info;

	fd = tls_accept(l->rules->service, fd, &info, TLS_MS, shed_fd());
	if (fd < 0 && !shed_is_due())
		log_info("%s: TLS handshake with %s failed: %s",
			 l->rules->service, l->client, info.why);
	if (fd < 0)
		return false;
	l->io = stream_new(fd, WINDOW_MAX);
	l->tls = true;
	return true;
}

static void set_limits(struct login *l)
{
	stream_set_timeout(l->io, LOGIN_MS);
	stream_set_send_timeout(l->io, SEND_MS);
	stream_set_deadline(l->io, l->begun_ms + LOGIN_MS);
	stream_set_stop(l->io, shed_fd());
	stream_set_look(l->io, LOOK_MS);
}

bool login_begin(struct login *l, const struct login_rules *rules, int fd,
		 bool tls_first)
{
	*l = (struct login){ .rules = rules, .begun_ms = clock_ms() };
	shed_rest(l->begun_ms);
	find_client(fd, l->client);
	if (address_networks_have(rules->proxies, l->client) &&
	    !be_introduced(l, fd))
		return false;
	l->trusted = address_networks_have(rules->trusted, l->client);
	if (tls_first && !l->tls && !add_tls(l, fd)) {
		login_say_dropped(l, "");
		return false;
	}
	if (!l->io)
		l->io = stream_new(fd, WINDOW_MAX);
	set_limits(l);
	return true;
}

void login_end(struct login *l)
{
	if (l->io)
		stream_free(&l->io);
}

bool login_speak_for(struct login *l, const char *ip)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *four = (struct sockaddr_in *)(void *)&ss;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&ss;

	if (!l->trusted)
		return false;
	if (inet_pton(AF_INET, ip, &four->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, ip, &six->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	else
		return false;
	address_ip(&ss, l->client);
	return true;
}

void login_note_ttl(struct login *l, const char *text)
{
	int64_t ttl;

	if (str_to_int(text, 0, TTL_MAX, &ttl) &&
	    (l->ttl == 0 || ttl < l->ttl))
		l->ttl = ttl > 0 ? (int)ttl : 1;
}

const char *login_reply(void)
{
	return self.reply;
}

bool login_passwords_allowed(const struct login *l)
{
	return l->tls || l->rules->plaintext;
}

bool login_can_start_tls(const struct login *l)
{
	return !l->tls && l->rules->starttls;
}

bool login_start_tls(struct login *l)
{
	if (stream_flush(l->io) || !add_tls(l, stream_release(&l->io)))
		return false;
	set_limits(l);
	return true;
}

/* One response of the client within the exchange: a line in base64, or "*",
 * which cancels it. */
static enum login_result ask(struct login *l, const char *challenge,
			     char **response)
{
	char *line;
	size_t n;
	int code;

	*response = NULL;
	/* at once, even if the response is already here: after the next step
	 * another process may write to the connection */
	stream_printf(l->io, "+ %s\r\n", challenge);
	shed_rest(l->begun_ms);
	code = stream_flush(l->io);
	if (!code)
		code = stream_line(l->io, WINDOW_MAX, &line, &n);
	if (code == ERR_TOO_LONG)
		return LOGIN_LONG;
	if (code || !shed_work())
		return LOGIN_LOST;
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (!memchr(line, '\0', n) && !(n == 1 && *line == '*'))
		*response = mem_strndup(line, n);
	mem_wipe(line, n);
	return *response ? LOGIN_DONE : LOGIN_CANCELLED;
}

/* Goes on with the exchange ST until it ends. */
static enum login_result converse(struct login *l,
				  struct account_auth_state *st,
				  enum account_auth *result)
{
	while (*result == AUTH_CONTINUE) {
		char *response;
		enum login_result got = ask(l, st->challenge, &response);

		if (got != LOGIN_DONE) {
			account_auth_cancel(st);
			return got;
		}
		st->pending = stream_window(l->io, &st->npending);
		*result = account_auth_step(st, response);
		mem_wipe(response, strlen(response));
		free(response);
	}
	return LOGIN_DONE;
}

enum login_result login_sasl(struct login *l, const char *mechanism,
			     const char *response, const char *tag)
{
	struct account_auth_state st;
	struct account_client_info info = { .service = l->rules->service,
					    .client = l->client,
					    .tls = l->tls,
					    .session = l->rules->service,
					    .fd = stream_fd(l->io),
					    .tag = tag,
					    .ttl = l->ttl,
					    .pending = "" };
	enum account_auth result;
	enum login_result got;

	err_ignore(stream_flush(l->io)); /* who takes the session sees it */
	if (!shed_work())
		return LOGIN_LOST;
	/* without a response, the input read ahead is the response */
	if (response)
		info.pending = stream_window(l->io, &info.npending);
	result = account_auth_start(&st, &info, mechanism, response);
	got = converse(l, &st, &result);
	if (got == LOGIN_DONE && result == AUTH_OK)
		return LOGIN_DONE;
	shed_rest(l->begun_ms);
	if (got != LOGIN_DONE)
		return got;
	if (result == AUTH_TEMP)
		return LOGIN_TEMP;
	if (result == AUTH_SOON)
		return LOGIN_SOON;
	if (result == AUTH_MANY)
		return LOGIN_CROWDED;
	if (result == AUTH_REFUSED) {
		str_copy(self.reply, sizeof(self.reply), st.reply);
		return LOGIN_REFUSED;
	}
	return ++l->failures < FAILURES_MAX ? LOGIN_FAILED : LOGIN_MANY;
}

enum login_result login_password(struct login *l, const char *user,
				 const char *password, const char *tag)
{
	enum login_result result = LOGIN_FAILED;
	struct buf plain, text;

	buf_init(&plain, PASSWORD_MAX);
	buf_init(&text, 2 * PASSWORD_MAX);
	buf_putc(&plain, '\0');
	buf_puts(&plain, user);
	buf_putc(&plain, '\0');
	buf_puts(&plain, password);
	encode_base64(&text, plain.data, plain.len);
	if (!plain.over && !text.over)
		result = login_sasl(l, "PLAIN", text.data, tag);
	mem_wipe(plain.data, plain.len);
	mem_wipe(text.data, text.len);
	buf_free(&plain);
	buf_free(&text);
	return result;
}
