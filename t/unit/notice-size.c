/*
 * The text of a notice: with very many recipients it names as many as there is
 * room for, counts the others, and is never too long to be sent.
 * link: queue-manager/dsn.c
 * link: queue-manager/bouncer.c
 * link: queue-manager/message.c
 */
#include "queue-manager/dsn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "t/unit/tap.h"

#define SIZE_LIMIT 50000
#define NOTICE_MAX (10 << 20) /* what many hosts take */

static const char content[] = "Subject: to all\r\n\r\nhello\r\n";

static const char reply[] =
	"unknown user: there is no such mailbox, alias or list at this host, "
	"and none that is like it; ask its postmaster for the right address";

static void fill(struct message *m, size_t n)
{
	m->rcpt = mem_array(n, sizeof(*m->rcpt));
	m->nrcpts = n;
	for (size_t i = 0; i < n; i++) {
		struct recipient *r = &m->rcpt[i];

		r->address =
			mem_printf("member-%zu-of-the-%060d@list.test", i, 0);
		r->original = "list@list.test";
		r->orcpt = "rfc822;list@list.test";
		r->dsn = "5.1.1";
		r->relay = "local";
		r->reply = reply;
		r->when = 1000000000;
		/* every tenth got it: the notice is not about that one */
		r->state = i % 10 ? RECIPIENT_FAILED : RECIPIENT_SENT;
		r->flags = RESULT_LOCAL;
	}
}

static void empty(struct message *m)
{
	for (size_t i = 0; i < m->nrcpts; i++) {
		char *address = NULL;

		memcpy(&address, &m->rcpt[i].address, sizeof(address));
		free(address);
	}
	free(m->rcpt);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

/* The number in "and N more", or 0. */
static size_t counted(const char *text)
{
	const char *line = strstr(text, "\r\nand ");
	size_t n = 0;

	return line && sscanf(line, "\r\nand %zu more", &n) == 1 ? n : 0;
}

static void with(size_t recipients, bool cut, int fd)
{
	struct message m = { .super = { .id = "NOTICE",
					.length = sizeof(content) - 1 },
			     .envelope = { .sender = "a@b.test",
					   .prologue = "",
					   .ret = "",
					   .envid = "" } };
	struct dsn d = { .m = &m,
			 .fd = fd,
			 .kind = &told_kinds[0],
			 .sender = "a@b.test",
			 .to = "a@b.test",
			 .id = "NOTICE2",
			 .host = "mail.test",
			 .size_limit = SIZE_LIMIT };
	struct buf text;
	size_t named;
	int err;

	fill(&m, recipients);
	buf_init(&text, SIZE_LIMIT + (16 << 20));
	err = dsn_write(&d, &text);
	buf_putc(&text, '\0');
	named = count(text.data, "\r\nFinal-Recipient: ");
	ok(err == ERR_OK, "a notice about %zu recipients", recipients);
	ok(text.len < NOTICE_MAX, "can be sent: %zu bytes", text.len);
	ok(named > 0 && named == count(text.data, "\r\n<member-"),
	   "both parts name the same number: %zu", named);
	ok((counted(text.data) > 0) == cut &&
		   named + counted(text.data) == recipients - recipients / 10,
	   "and the others are counted: %zu", counted(text.data));
	ok(strstr(text.data, "\r\nhello\r\n") != NULL &&
		   strstr(text.data, "\r\n--NOTICE2/mail.test--\r\n") != NULL,
	   "the message is in it, and its end");
	buf_free(&text);
	empty(&m);
}

int main(void)
{
	FILE *f = tmpfile();

	if (!f || fwrite(content, 1, sizeof(content) - 1, f) == 0 || fflush(f))
		return 1;
	with(20, false, fileno(f));
	with(60000, true, fileno(f));
	fclose(f);
	return done();
}
