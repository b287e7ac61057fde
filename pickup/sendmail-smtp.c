/*
 * -bs: SMTP on standard input and output, for programs that prefer it. The
 * caller counts as the local user; line ends may be LF. The queue's reply is
 * the reply to the message.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address/address.h"
#include "base/err.h"
#include "base/file.h"
#include "intake/posting.h"
#include "pickup/sendmail.h"

#define LINE_SIZE 4096
#define RECIPIENTS_MAX 10000

struct dialogue {
	struct sendmail *s;
	bool greeted;
	bool quit;
	char *sender; /* NULL: no MAIL yet */
	struct strlist recipients;
};

/* If the caller does not read replies, that is noticed when commands are
 * read. */
static void send_replies(void)
{
	err_ignore(fflush(stdout));
}

static void say(const char *reply)
{
	printf("%s\r\n", reply);
	send_replies();
}

static void start_over(struct dialogue *d)
{
	free(d->sender);
	d->sender = NULL;
	strlist_free(&d->recipients);
}

static void cmd_hello(struct dialogue *d, const char *argument)
{
	(void)argument;
	start_over(d);
	d->greeted = true;
	printf("250 %s\r\n", config_string(d->s->config, "myhostname"));
	send_replies();
}

static void cmd_ehlo(struct dialogue *d, const char *argument)
{
	(void)argument;
	start_over(d);
	d->greeted = true;
	printf("250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
	       "250-ENHANCEDSTATUSCODES\r\n250 SIZE %lld\r\n",
	       config_string(d->s->config, "myhostname"),
	       (long long)config_bytes(d->s->config, "message_size_limit"));
	send_replies();
}

/* The path after "FROM:" or "TO:"; parameters after it (SIZE, BODY) are
 * ignored, since the message itself says the same. */
static bool take_path(const char *argument, const char *word, struct address *a)
{
	size_t used, n = strlen(word);

	if (!str_starts_ci(argument, word))
		return false;
	argument += n + strspn(argument + n, " ");
	return address_parse_path(argument, strlen(argument), a, &used) ==
	       ERR_OK;
}

static const char *complete(const struct dialogue *d, const struct address *a)
{
	char text[ADDRESS_TEXT_SIZE];

	return sendmail_address(d->s, address_text(a, text));
}

static void cmd_mail(struct dialogue *d, const char *argument)
{
	struct address a;
	const char *sender = "";

	if (d->sender) {
		say("503 5.5.1 Error: nested MAIL command");
		return;
	}
	if (!take_path(argument, "FROM:", &a)) {
		say("501 5.5.4 Syntax: MAIL FROM:<address>");
		return;
	}
	if (!address_is_null(&a))
		sender = complete(d, &a);
	if (!sender) {
		say("501 5.1.7 Bad sender address");
		return;
	}
	d->sender = strdup(sender);
	say("250 2.1.0 Ok");
}

static void cmd_rcpt(struct dialogue *d, const char *argument)
{
	const char *address;
	struct address a;

	if (!d->sender) {
		say("503 5.5.1 Error: need MAIL command");
		return;
	}
	if (!take_path(argument, "TO:", &a) || address_is_null(&a)) {
		say("501 5.5.4 Syntax: RCPT TO:<address>");
		return;
	}
	address = complete(d, &a);
	if (!address || d->recipients.n == RECIPIENTS_MAX) {
		say(address ? "452 4.5.3 Too many recipients"
			    : "501 5.1.3 Bad recipient address");
		return;
	}
	strlist_add(&d->recipients, address);
	say("250 2.1.5 Ok");
}

/* Copies lines to FD up to the lone dot; FD < 0: just reads them. *SIZE is
 * what came. False if the input ended before. */
static bool read_data(int *fd, int64_t limit, int64_t *size)
{
	char *line = NULL;
	size_t cap = 0;
	bool ended = false;
	ssize_t n;

	while (!ended && (n = getline(&line, &cap, stdin)) > 0) {
		const char *p = line;

		ended = strcmp(line, ".\n") == 0 || strcmp(line, ".\r\n") == 0;
		if (ended)
			break;
		if (*p == '.') {
			p++;
			n--;
		}
		*size += n;
		if (*fd < 0 || (limit && *size > limit))
			continue;
		if (file_write(*fd, p, (size_t)n)) {
			close(*fd);
			*fd = -1;
		}
	}
	free(line);
	return ended;
}

static int begin(struct dialogue *d)
{
	struct envelope e = {
		.sender = d->sender, .envid = "", .ret = "", .body = ""
	};
	size_t n = d->recipients.n;

	e.recipient = arena_alloc(d->s->arena, n * sizeof(*e.recipient));
	for (size_t i = 0; i < n; i++)
		e.recipient[i] = (struct envelope_recipient){
			.address = d->recipients.item[i], .orcpt = ""
		};
	e.nrecipients = n;
	return posting_begin(&e);
}

static void finish(struct dialogue *d, int fd)
{
	struct buf reply;
	int status;

	buf_init(&reply, 4096);
	status = sendmail_hand_over(d->s, fd, &reply);
	if (status == EX_OK || str_isdigit(*reply.data))
		say(reply.data);
	else
		say("451 4.3.0 Error: the mail system cannot take it now");
	buf_free(&reply);
}

static void cmd_data(struct dialogue *d, const char *argument)
{
	int64_t limit = config_bytes(d->s->config, "message_size_limit");
	int64_t size = 0;
	int fd;

	(void)argument;
	if (!d->sender || d->recipients.n == 0) {
		say(d->sender ? "554 5.5.1 Error: no valid recipients"
			      : "503 5.5.1 Error: need RCPT command");
		return;
	}
	say("354 End data with <CR><LF>.<CR><LF>");
	fd = begin(d);
	d->quit = !read_data(&fd, limit, &size);
	if (d->quit)
		;
	else if (limit && size > limit)
		say("552 5.3.4 Error: message file too big");
	else if (fd < 0)
		say("451 4.3.0 Error: cannot keep the message");
	else
		finish(d, fd);
	if (fd >= 0)
		close(fd);
	start_over(d);
}

static void cmd_reset(struct dialogue *d, const char *argument)
{
	(void)argument;
	start_over(d);
	say("250 2.0.0 Ok");
}

static void cmd_noop(struct dialogue *d, const char *argument)
{
	(void)d;
	(void)argument;
	say("250 2.0.0 Ok");
}

static void cmd_verify(struct dialogue *d, const char *argument)
{
	(void)d;
	(void)argument;
	say("252 2.0.0 Cannot tell, but will take the message");
}

static void cmd_quit(struct dialogue *d, const char *argument)
{
	(void)argument;
	d->quit = true;
	say("221 2.0.0 Bye");
}

static const struct {
	const char *word;
	void (*handle)(struct dialogue *d, const char *argument);
} commands[] = {
	{ "HELO", cmd_hello }, { "EHLO", cmd_ehlo },   { "MAIL", cmd_mail },
	{ "RCPT", cmd_rcpt },  { "DATA", cmd_data },   { "RSET", cmd_reset },
	{ "NOOP", cmd_noop },  { "VRFY", cmd_verify }, { "QUIT", cmd_quit },
};

static void obey(struct dialogue *d, char *line)
{
	char *argument = line + strcspn(line, " ");

	if (*argument)
		*argument++ = '\0';
	argument += strspn(argument, " ");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (str_equal_ci(line, commands[i].word)) {
			commands[i].handle(d, argument);
			return;
		}
	say("500 5.5.2 Error: command not recognized");
}

int sendmail_smtp(struct sendmail *s)
{
	struct dialogue d = { .s = s };
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	printf("220 %s ESMTP\r\n", config_string(s->config, "myhostname"));
	send_replies();
	while (!d.quit && (n = getline(&line, &cap, stdin)) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (n > LINE_SIZE)
			say("500 5.5.2 Error: line too long");
		else
			obey(&d, line);
	}
	start_over(&d);
	free(line);
	return EX_OK;
}
