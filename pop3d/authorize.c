#include "pop3d/authorize.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "pop3d/capability.h"
#include "pop3d/command.h"
#include "pop3d/lang.h"
#include "sasl/server.h"
#include "server/prefork.h"
#include "server/shed.h"

#define BAD_MAX 10

struct authorize {
	struct login l;
	struct command c;
	char user[SASL_NAME_MAX + 1]; /* of USER, "" if none came */
	int bad;
	int64_t login_delay;
	bool over;
};

static void reply(struct authorize *a, const char *text)
{
	command_reply(a->l.io, "%s", text);
}

static bool refuse_password(struct authorize *a)
{
	if (login_passwords_allowed(&a->l))
		return false;
	reply(a, "-ERR passwords are taken only under TLS");
	return true;
}

static void capa(struct authorize *a)
{
	capability_put(a->l.io, login_can_start_tls(&a->l),
		       login_passwords_allowed(&a->l), a->login_delay);
}

static void quit(struct authorize *a)
{
	reply(a, "+OK bye");
	a->over = true;
}

static void stls(struct authorize *a)
{
	if (!login_can_start_tls(&a->l)) {
		reply(a, "-ERR TLS is not available");
		return;
	}
	reply(a, "+OK begin TLS");
	/* what was sent before TLS does not count */
	*a->user = '\0';
	a->over = !login_start_tls(&a->l);
}

static void user(struct authorize *a)
{
	if (refuse_password(a))
		return;
	if (!str_copy(a->user, sizeof(a->user), a->c.args))
		reply(a, "-ERR name too long");
	else
		reply(a, "+OK send PASS");
}

/* Replies to results that do not end the connection. */
static void answer(struct authorize *a, enum login_result result)
{
	static const char *const replies[] = {
		[LOGIN_FAILED] = "-ERR [AUTH] wrong name or password",
		[LOGIN_MANY] = "-ERR [AUTH] too many wrong passwords",
		[LOGIN_SOON] = "-ERR [LOGIN-DELAY] you logged in a moment ago, "
			       "try again later",
		[LOGIN_CROWDED] = "-ERR [IN-USE] this user has too many "
				  "sessions",
		[LOGIN_TEMP] = "-ERR [SYS/TEMP] cannot check passwords just "
			       "now",
		[LOGIN_CANCELLED] = "-ERR authentication cancelled",
		[LOGIN_LONG] = "-ERR line too long",
	};

	*a->user = '\0';
	a->over = result == LOGIN_DONE || result == LOGIN_LOST ||
		  result == LOGIN_MANY || result == LOGIN_LONG;
	if (result == LOGIN_DONE || result == LOGIN_LOST)
		return;
	if (result == LOGIN_REFUSED) {
		command_reply(a->l.io, "-ERR %s", login_reply());
		return;
	}
	reply(a, replies[result]);
	if (a->over)
		stream_hang_up(a->l.io);
}

static void pass(struct authorize *a)
{
	if (refuse_password(a))
		return;
	if (!*a->user)
		reply(a, "-ERR send USER first");
	else
		answer(a, login_password(&a->l, a->user, a->c.args, ""));
}

/* RFC 5034: AUTH mechanism [initial-response]; alone it lists them. */
static void auth(struct authorize *a)
{
	char mechanism[32];
	const char *space = strchr(a->c.args, ' ');
	size_t n = space ? (size_t)(space - a->c.args) : strlen(a->c.args);

	if (n == 0) {
		capability_put_mechanisms(a->l.io,
					  login_passwords_allowed(&a->l));
		return;
	}
	if (refuse_password(a))
		return;
	if (n >= sizeof(mechanism)) {
		reply(a, "-ERR unknown mechanism");
		return;
	}
	memcpy(mechanism, a->c.args, n);
	mechanism[n] = '\0';
	if (!capability_has_mechanism(mechanism))
		reply(a, "-ERR unknown mechanism");
	else
		answer(a, login_sasl(&a->l, mechanism, space ? space + 1 : NULL,
				     ""));
}

static void lang(struct authorize *a)
{
	lang_answer(a->l.io, a->c.args);
}

/* "ADDR=192.0.2.1 PORT=…": as Dovecot's proxy has it; the rest is not used. */
static void xclient(struct authorize *a)
{
	struct strlist words = { 0 };
	bool good = false;

	strlist_split(&words, a->c.args);
	for (size_t i = 0; i < words.n; i++)
		if (str_starts_ci(words.item[i], "ADDR="))
			good = login_speak_for(&a->l, words.item[i] + 5);
		else if (str_starts_ci(words.item[i], "TTL="))
			login_note_ttl(&a->l, words.item[i] + 4);
	strlist_free(&words);
	reply(a, good ? "+OK noted" : "-ERR you are not trusted to say that");
}

static const struct {
	const char *word;
	void (*act)(struct authorize *a);
	enum { NO_ARGS, ARGS, MAYBE_ARGS } args;
} commands[] = {
	{ "CAPA", capa, NO_ARGS }, { "USER", user, ARGS },
	{ "PASS", pass, ARGS },	   { "AUTH", auth, MAYBE_ARGS },
	{ "STLS", stls, NO_ARGS }, { "QUIT", quit, NO_ARGS },
	{ "LANG", lang, MAYBE_ARGS }, { "XCLIENT", xclient, ARGS },
};

static void run(struct authorize *a)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!str_equal_ci(a->c.word, commands[i].word))
			continue;
		if (*a->c.args && commands[i].args == NO_ARGS) {
			a->bad++;
			reply(a, "-ERR no arguments wanted");
		} else if (!*a->c.args && commands[i].args == ARGS) {
			a->bad++;
			reply(a, "-ERR an argument is missing");
		} else {
			commands[i].act(a);
		}
		return;
	}
	a->bad++;
	reply(a, "-ERR unknown command, or login needed");
}

static void dialogue(struct authorize *a)
{
	/* Dovecot's proxy looks for the word */
	command_reply(a->l.io, "+OK %s%s POP3 ready",
		      a->l.trusted ? "[XCLIENT] " : "", a->l.rules->hostname);
	while (!a->over && a->bad < BAD_MAX && !shed_is_due()) {
		switch (command_read(a->l.io, &a->c)) {
		case COMMAND_GOOD:
			run(a);
			break;
		case COMMAND_BAD:
			a->bad++;
			break;
		case COMMAND_TIMEOUT:
			reply(a, "-ERR too slow");
			a->over = true;
			break;
		case COMMAND_STOPPING:
			if (prefork_stopping())
				reply(a, "-ERR [SYS/TEMP] the server is "
					 "shutting down");
			a->over = true;
			break;
		case COMMAND_END:
			a->over = true;
			break;
		}
	}
	login_say_dropped(&a->l, "-ERR [SYS/TEMP] others need the place, and "
				 "you have not logged in\r\n");
	if (a->l.io && a->bad >= BAD_MAX)
		stream_hang_up(a->l.io);
	if (a->l.io)
		err_ignore(stream_flush(a->l.io)); /* it ends in any case */
}

void authorize_serve(const struct login_rules *rules, int64_t login_delay,
		     int fd, bool tls_first)
{
	struct authorize a = { .login_delay = login_delay };

	if (login_begin(&a.l, rules, fd, tls_first))
		dialogue(&a);
	login_end(&a.l);
	mem_wipe(&a.c, sizeof(a.c));
}
