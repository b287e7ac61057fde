/*
 * AUTH. accountd knows the mechanisms and the passwords; only base64 passes
 * through here, and is wiped after use.
 */
#include <string.h>

#include "base/mem.h"
#include "client/account.h"
#include "log/log.h"
#include "smtpd/submit.h"

#define RESPONSE_MAX 12288 /* RFC 4954 section 4 */

static void succeed(struct smtp_session *s, const struct account_auth_state *st)
{
	if (str_copy(s->login, ACCOUNT_USER_SIZE, st->user))
		smtp_say(s, "235 2.7.0 Authentication successful");
	else
		smtp_say(s, "454 4.7.0 Temporary authentication failure");
}

static void fail(struct smtp_session *s, const struct account_auth_state *st,
		 const char *mechanism)
{
	log_warn("%s[%s]: SASL %s authentication failed: %s", s->client_name,
		 s->client, mechanism, st->why);
	smtp_say(s, "535 5.7.8 Error: authentication failed");
}

/* Perhaps because the client guessed too often: attempts count as errors. */
static void put_off(struct smtp_session *s)
{
	s->errors++;
	smtp_say(s, "454 4.7.0 Temporary authentication failure");
}

/* Sends the challenge, and reads the client's response. False if the exchange
 * ends here. */
static bool ask(struct smtp_session *s, struct account_auth_state *st,
		char **response)
{
	stream_printf(s->io, "334 %s\r\n", st->challenge);
	if (smtp_read_line(s, RESPONSE_MAX, response) && *response &&
	    strcmp(*response, "*") != 0)
		return true;
	account_auth_cancel(st);
	if (!s->over && *response)
		smtp_say(s, "501 5.7.0 Authentication aborted");
	return false;
}

static void exchange(struct smtp_session *s, const char *mechanism,
		     char *response)
{
	const struct account_client_info info = {
		.service = "smtp", .client = s->client, .tls = s->tls, .fd = -1
	};
	struct account_auth_state st = { .sock = -1 };
	enum account_auth result =
		account_auth_start(&st, &info, mechanism, response);

	if (response)
		mem_wipe(response, strlen(response));
	while (result == AUTH_CONTINUE) {
		if (!ask(s, &st, &response))
			return;
		result = account_auth_step(&st, response);
		mem_wipe(response, strlen(response));
	}
	if (result == AUTH_OK)
		succeed(s, &st);
	else if (result == AUTH_FAILED)
		fail(s, &st, mechanism);
	else
		put_off(s);
}

/* Why AUTH is not possible now, or NULL. */
static const char *obstacle(const struct smtp_session *s, const char *mechanism)
{
	if (!s->tls)
		return "538 5.7.11 Encryption required for authentication: "
		       "use STARTTLS";
	if (*s->login)
		return "503 5.5.1 Error: already authenticated";
	if (!s->esmtp)
		return "503 5.5.1 Error: send EHLO first";
	if (!*mechanism)
		return "501 5.5.4 Syntax: AUTH mechanism";
	if (!str_equal_ci(mechanism, "PLAIN") &&
	    !str_equal_ci(mechanism, "LOGIN"))
		return "504 5.5.4 Unrecognized authentication type";
	return NULL;
}

void submit_run_auth(struct smtp_session *s, char *args)
{
	char *response = strchr(args, ' ');
	const char *why;

	if (response) {
		*response++ = '\0';
		response = str_trim(response);
	}
	why = obstacle(s, args);
	if (why)
		smtp_say(s, "%s", why);
	else
		exchange(s, str_equal_ci(args, "PLAIN") ? "PLAIN" : "LOGIN",
			 response);
}
