/* The Received field. It quotes what clients said about themselves, without any
 * byte that could end the clause. */
#include "intake/private.h"

#include <string.h>

#include "base/clock.h"

static void put_word(struct buf *out, const char *word)
{
	static const char more[] = ".-_:[]";

	for (; *word; word++) {
		bool plain = str_isalnum((unsigned char)*word) ||
			     strchr(more, *word);

		buf_putc(out, plain ? *word : '?');
	}
}

static void put_client(const struct envelope *e, struct buf *out)
{
	bool six = strchr(e->client, ':') != NULL;

	buf_puts(out, "from ");
	put_word(out, *e->helo ? e->helo : "unknown");
	buf_puts(out, " (");
	put_word(out, *e->client_name ? e->client_name : "unknown");
	buf_puts(out, six ? " [IPv6:" : " [");
	put_word(out, e->client);
	buf_puts(out, "])\r\n\t");
	if (*e->tls)
		buf_printf(out, "(using %s)\r\n\t", e->tls);
}

/* The address is only shown if there is a single recipient. */
static void put_recipient(const struct envelope *e, struct buf *out)
{
	const char *address;

	if (e->nrecipients != 1)
		return;
	address = e->recipient[0].address;
	if (strpbrk(address, "\r\n()<>;\\\""))
		return;
	buf_printf(out, "\r\n\tfor <%s>", address);
}

void intake_received(const struct intake *in, struct buf *out)
{
	const struct envelope *e = in->e;
	char date[CLOCK_DATE_SIZE];

	clock_date(date, sizeof(date), (time_t)(e->arrival_us / 1000000));
	if (*e->client)
		put_client(e, out);
	buf_printf(out, "by %s (Posthorn", in->hostname);
	if (!*e->client && *e->login) {
		buf_puts(out, ", from user ");
		put_word(out, e->login);
	}
	buf_puts(out, ")");
	if (*e->client)
		buf_printf(out, " with %s", e->protocol);
	buf_printf(out, "%sid %s", *e->client ? " " : "\r\n\t",
		   queue_id(in->queue));
	put_recipient(e, out);
	buf_printf(out, "; %s", date);
}
