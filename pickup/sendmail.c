/* sendmail, mailq, newaliases: the commands with which programs send mail. */
#include "pickup/sendmail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address/address.h"
#include "base/err.h"

static struct {
	const char *name; /* sendmail, mailq, newaliases */
} self = { "sendmail" };

int sendmail_fail(int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", self.name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

static int usage(void)
{
	fputs("usage: sendmail [option ...] [recipient ...]\n"
	      "       mailq\n"
	      "       newaliases\n\n"
	      "Sends the message on standard input; see sendmail(1).\n\n"
	      "  -t          recipients are in To, Cc and Bcc, too\n"
	      "  -i, -oi     a line of one dot does not end the message\n"
	      "  -f SENDER   where bounces go\n"
	      "  -F NAME     full name of the sender\n"
	      "  -N WHEN     notify: never, or success,failure,delay\n"
	      "  -R PART     of the message in a bounce: full, hdrs\n"
	      "  -v          ask for a report of the delivery\n"
	      "  -V ENVID    identification for notifications\n"
	      "  -XV         a sender of its own for each recipient (VERP)\n"
	      "  -bs         speak SMTP on standard input and output\n"
	      "  -bp         list the queue (mailq)\n"
	      "  -bi         rebuild alias databases (newaliases)\n"
	      "  -q          try all waiting mail now\n"
	      "  -C FILE     the configuration\n",
	      stdout);
	return EX_OK;
}

static const char *config_path(const struct sendmail_options *o)
{
	const char *env = getenv("POSTHORN_CONFIG");

	if (o->config)
		return o->config;
	return env && *env ? env : CONFIG_DIR "/posthorn.conf";
}

static int start_suite(struct sendmail *s)
{
	execl(SBIN_DIR "/posthorn", "posthorn", "-c", config_path(s->options),
	      "start", (char *)NULL);
	return sendmail_fail(EX_OSFILE, "cannot run %s: %s",
			     SBIN_DIR "/posthorn start", strerror(errno));
}

static int nothing(struct sendmail *s)
{
	(void)s;
	return EX_OK;
}

static int (*const run[])(struct sendmail *s) = {
	[MODE_SEND] = sendmail_send,	   [MODE_SMTP] = sendmail_smtp,
	[MODE_LIST] = sendmail_list,	   [MODE_ALIASES] = sendmail_aliases,
	[MODE_DAEMON] = start_suite,	   [MODE_FLUSH] = sendmail_flush,
	[MODE_FLUSH_ONE] = sendmail_flush, [MODE_NOTHING] = nothing,
};

static int run_with_config(struct sendmail *s)
{
	struct buf faults;
	struct config *config;
	int status;

	buf_init(&faults, 1 << 20);
	config = config_load(config_path(s->options), NULL, 0, &faults);
	if (config) {
		s->config = config;
		s->origin = config_string(config, "myorigin");
		s->arena = arena_new();
		status = run[s->options->mode](s);
		arena_free(&s->arena);
	} else {
		status = EX_CONFIG;
		fputs(faults.data, stderr);
	}
	config_free(&config);
	buf_free(&faults);
	return status;
}

bool sendmail_has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

const char *sendmail_address(const struct sendmail *s, const char *text)
{
	char out[ADDRESS_TEXT_SIZE];
	struct strlist list = { 0 };
	const char *result = NULL;
	struct address a;

	if (address_header(text, strlen(text), 1, &list) == ERR_OK &&
	    list.n == 1 &&
	    address_parse(list.item[0], strlen(list.item[0]), &a) == ERR_OK &&
	    (*a.domain ||
	     address_domain(s->origin, strlen(s->origin), a.domain) == ERR_OK))
		result = arena_strdup(s->arena, address_text(&a, out));
	strlist_free(&list);
	return result;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	struct sendmail_options options;
	struct sendmail s = { .options = &options };
	struct buf why;

	self.name = slash ? slash + 1 : argv[0];
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage();
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("Posthorn " POSTHORN_VERSION);
		return EX_OK;
	}
	buf_init(&why, 4096);
	if (!sendmail_parse(&options, self.name, argc, argv, &why))
		return sendmail_fail(EX_USAGE,
				     "%s\n%s --help lists what there is",
				     why.data, self.name);
	buf_free(&why);
	return run_with_config(&s);
}
