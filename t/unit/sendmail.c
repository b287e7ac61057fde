/*
 * sendmail's command line and header, as its callers use them.
 *
 * link: pickup/sendmail-options.c pickup/sendmail-header.c pickup/sendmail-caller.c
 */
#include "tap.h"

#include "base/arena.h"
#include "pickup/sendmail.h"

const char *sendmail_address(const struct sendmail *s, const char *text)
{
	(void)s;
	return text;
}

static const struct {
	const char *name; /* who calls so */
	const char *line; /* words separated by blanks */
	const char *want; /* what of it matters; NULL: refused */
} lines[] = {
	{ "Debian cron", "sendmail -i -FCronDaemon -B8BITMIME -oem root",
	  "mode=0 dots=0 name=CronDaemon body=8BITMIME rcpt=root" },
	{ "cronie", "sendmail -FCronDaemon -i -odi -oem -oi -t -f root",
	  "mode=0 t dots=0 name=CronDaemon from=root" },
	{ "cronie 1.7", "sendmail -FCronDaemon -i -odi -oem -oi -t -f <>",
	  "mode=0 t dots=0 name=CronDaemon from=<>" },
	{ "Vixie cron", "sendmail -FCronDaemon -odi -oem -oi -t",
	  "mode=0 t dots=0 name=CronDaemon" },
	{ "PHP", "sendmail -t -i -fa@b -f c@d", "mode=0 t dots=0 from=c@d" },
	{ "git send-email", "sendmail -i a@b c@d",
	  "mode=0 dots=0 rcpt=a@b rcpt=c@d" },
	{ "mutt", "sendmail -oem -oi -N failure,delay -R hdrs -- a@b",
	  "mode=0 dots=0 notify=12 ret=HDRS rcpt=a@b" },
	{ "mailx", "sendmail -i -m -v -r me a@b",
	  "mode=0 dots=0 from=me notify=14 rcpt=a@b" },
	{ "joined letters", "sendmail -ti", "mode=0 t dots=0" },
	{ "joined with an argument", "sendmail -tifa@b c",
	  "mode=0 t dots=0 from=a@b rcpt=c" },
	{ "long -oi", "sendmail -oitrue a", "mode=0 dots=0 rcpt=a" },
	{ "-o and its word", "sendmail -o i a", "mode=0 dots=0 rcpt=a" },
	{ "-O", "sendmail -O DeliveryMode=b a", "mode=0 dots=1 rcpt=a" },
	{ "-h", "sendmail -h 5 a", "mode=0 dots=1 rcpt=a" },
	{ "-e", "sendmail -e m a", "mode=0 dots=1 rcpt=a" },
	{ "-p", "sendmail -p ESMTP a", "mode=0 dots=1 rcpt=a" },
	{ "-L", "sendmail -L tag a", "mode=0 dots=1 rcpt=a" },
	{ "-X", "sendmail -X /tmp/log a", "mode=0 dots=1 rcpt=a" },
	{ "-d without a level", "sendmail -d a", "mode=0 dots=1 rcpt=a" },
	{ "-A", "sendmail -Am -U -G -n -x a", "mode=0 dots=1 rcpt=a" },
	{ "-V", "sendmail -V id-1 a", "mode=0 dots=1 envid=id-1 rcpt=a" },
	{ "-C", "sendmail -C/etc/x a", "mode=0 dots=1 config=/etc/x rcpt=a" },
	{ "options end at the first recipient", "sendmail a -i",
	  "mode=0 dots=1 rcpt=a rcpt=-i" },
	{ "a dash alone", "sendmail -", "mode=0 dots=1 rcpt=-" },
	{ "mailq", "mailq", "mode=2 dots=1" },
	{ "-bp", "sendmail -bp", "mode=2 dots=1" },
	{ "newaliases", "newaliases", "mode=3 dots=1" },
	{ "newaliases of a file", "newaliases -oA/etc/x",
	  "mode=3 dots=1 aliases=/etc/x" },
	{ "-bi", "sendmail -bi", "mode=3 dots=1" },
	{ "-I", "sendmail -I", "mode=3 dots=1" },
	{ "-bs", "sendmail -bs", "mode=1 dots=1" },
	{ "-bs of alpine", "sendmail -bs -odb -oem", "mode=1 dots=1" },
	{ "-q", "sendmail -q", "mode=5 dots=1" },
	{ "-q does not eat the next word", "sendmail -q -v",
	  "mode=5 dots=1 notify=14" },
	{ "-qI", "sendmail -qIABC", "mode=6 dots=1 id=ABC" },
	{ "-q with a time", "sendmail -q30m", "mode=7 dots=1" },
	{ "daemon", "sendmail -bd -q30m", "mode=4 dots=1" },
	{ "-N never", "sendmail -N never a", "mode=0 dots=1 notify=1 rcpt=a" },
	{ "unknown letter", "sendmail -k a", NULL },
	{ "unknown word", "sendmail --frobnicate a", NULL },
	{ "-qI without an id", "sendmail -qI a", NULL },
	{ "an ENVID that no envelope may hold", "sendmail -V \1 a", NULL },
	{ "missing argument", "sendmail -f", NULL },
	{ "wrong -N", "sendmail -N sometimes a", NULL },
	{ "-N never with more", "sendmail -N never,delay a", NULL },
	{ "wrong -R", "sendmail -R some a", NULL },
	{ "wrong -B", "sendmail -B 9BIT a", NULL },
	{ "wrong mode", "sendmail -bz", NULL },
	{ "-v asks for a report", "sendmail -v a",
	  "mode=0 dots=1 notify=14 rcpt=a" },
	{ "-N says which, with -v", "sendmail -N never -v a",
	  "mode=0 dots=1 notify=1 rcpt=a" },
	{ "-XV", "sendmail -XV a", "mode=0 dots=1 verp=+= rcpt=a" },
	{ "-XV with delimiters", "sendmail -X V-= a",
	  "mode=0 dots=1 verp=-= rcpt=a" },
	{ "-XV with one", "sendmail -XV+ a", NULL },
	{ "-XV with others", "sendmail -XV:: a", NULL },
	{ "address verification", "sendmail -bv a", NULL },
	{ "address test", "sendmail -bt", NULL },
};

static void describe(struct buf *out, const struct sendmail_options *o)
{
	buf_printf(out, "mode=%d%s dots=%d", (int)o->mode,
		   o->extract ? " t" : "", o->dots);
	if (o->name)
		buf_printf(out, " name=%s", o->name);
	if (o->sender)
		buf_printf(out, " from=%s", o->sender);
	if (*o->body)
		buf_printf(out, " body=%s", o->body);
	if (o->notify)
		buf_printf(out, " notify=%u", o->notify);
	if (o->verp)
		buf_printf(out, " verp=%s", o->verp);
	if (*o->ret)
		buf_printf(out, " ret=%s", o->ret);
	if (*o->envid)
		buf_printf(out, " envid=%s", o->envid);
	if (o->config)
		buf_printf(out, " config=%s", o->config);
	if (o->aliases)
		buf_printf(out, " aliases=%s", o->aliases);
	if (o->flush_id)
		buf_printf(out, " id=%s", o->flush_id);
	for (int i = 0; i < o->narguments; i++)
		buf_printf(out, " rcpt=%s", o->argument[i]);
}

static void test_line(size_t i)
{
	struct strlist words = { 0 };
	struct sendmail_options o;
	struct buf out, why;
	bool good;

	buf_init(&out, 4096);
	buf_init(&why, 4096);
	for (const char *p = lines[i].line; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		strlist_add_span(&words, p, n);
		p += n;
	}
	good = sendmail_parse(&o, words.item[0], (int)words.n, words.item,
			      &why);
	if (good)
		describe(&out, &o);
	is(good ? out.data : NULL, lines[i].want, lines[i].name);
	ok(good == (why.len == 0), "%s: says why or not", lines[i].name);
	strlist_free(&words);
	buf_free(&out);
	buf_free(&why);
}

static const struct {
	const char *name;
	const char *header;
	const char *want; /* recipients; NULL: refused */
} headers[] = {
	{ "To, Cc, Bcc", "To: a@x\nCc: b@x\nBcc: c@x\n", "a@x b@x c@x " },
	{ "names", "To: A B <a@x>, \"C, D\" <c@x>\n", "a@x c@x " },
	{ "folded", "To: a@x,\n\tb@x\n", "a@x b@x " },
	{ "CRLF", "To: a@x\r\nCc: b@x\r\n", "a@x b@x " },
	{ "bare", "To: root\n", "root " },
	{ "group", "To: undisclosed-recipients:;\nBcc: a@x\n", "a@x " },
	{ "Resent fields alone count", "Resent-To: r@x\nTo: a@x\nBcc: c@x\n",
	  "r@x " },
	{ "none", "Subject: x\n", "" },
	{ "several of a kind", "To: a@x\nTo: b@x\n", "a@x b@x " },
	{ "letter case", "TO: a@x\n", "a@x " },
	{ "no address", "To: a b c\n", NULL },
	{ "open quote", "To: \"a\n", NULL },
};

static void test_header(size_t i)
{
	struct sendmail s = { .options = NULL };
	struct sendmail_header h = { headers[i].header,
				     strlen(headers[i].header) };
	struct strlist list = { 0 };
	struct buf why, out;
	bool good;

	buf_init(&why, 4096);
	buf_init(&out, 4096);
	good = sendmail_extract(&s, &h, &list, &why);
	for (size_t k = 0; k < list.n; k++)
		buf_printf(&out, "%s ", list.item[k]);
	is(good ? out.data : NULL, headers[i].want, headers[i].name);
	strlist_free(&list);
	buf_free(&why);
	buf_free(&out);
}

static const struct {
	const char *name;
	const char *header;
	const char *sender;
	const char *want;
} written[] = {
	{ "Bcc goes", "To: a\nBcc: b,\n c\nX: y\n", "me@x",
	  "To: a\nX: y\nFrom: \"N. N.\" <me@x>\n" },
	{ "From stays", "From: z\nTo: a\n", "me@x", "From: z\nTo: a\n" },
	{ "the null sender gets no From", "To: a\n", "", "To: a\n" },
	{ "mbox line goes", "From me Mon\nTo: a\nFrom: z\n", "me@x",
	  "To: a\nFrom: z\n" },
	{ "Resent-Bcc goes", "Resent-Bcc: b\nFrom: z\n", "me@x", "From: z\n" },
};

static void test_written(size_t i)
{
	struct sendmail_options o = { .extract = true, .name = "N. N." };
	struct sendmail s = { .options = &o };
	struct sendmail_header h = { written[i].header,
				     strlen(written[i].header) };
	struct buf out;

	buf_init(&out, 4096);
	sendmail_put_header(&s, &h, written[i].sender, &out);
	is(out.data, written[i].want, written[i].name);
	buf_free(&out);
}

static const struct {
	const char *name;
	const char *want;
} mailboxes[] = {
	{ "Plain Name", "Plain Name <a@x>" },
	{ "", "a@x" },
	{ "Cron (x)", "\"Cron (x)\" <a@x>" },
	{ "a \"b\" \\", "\"a \\\"b\\\" \\\\\" <a@x>" },
	{ "J\xc3\xbcrg", "=?UTF-8?B?SsO8cmc=?= <a@x>" },
	{ "new\nline: x", "\"new line: x\" <a@x>" },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		test_line(i);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		test_header(i);
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++)
		test_written(i);
	for (size_t i = 0; i < sizeof(mailboxes) / sizeof(mailboxes[0]); i++) {
		struct buf out;

		buf_init(&out, 4096);
		sendmail_put_mailbox(&out, mailboxes[i].name, "a@x");
		is(out.data, mailboxes[i].want, mailboxes[i].name);
		buf_free(&out);
	}
	return done();
}
