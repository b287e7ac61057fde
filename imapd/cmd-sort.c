/* SORT (RFC 5256): a SEARCH whose numbers come in an order. */
#include <stdlib.h>

#include "base/mem.h"
#include "imapd/commands.h"
#include "imapd/search.h"
#include "imapd/sort.h"

static void put(struct session *s, const struct sort_row *row, size_t n)
{
	struct buf *b = &s->out;

	buf_reset(b);
	buf_puts(b, "* SORT");
	for (size_t i = 0; i < n; i++) {
		buf_putc(b, ' ');
		buf_put_uint(b, s->by_uid ? mailbox_uid(s->box, row[i].seq)
					  : row[i].seq);
	}
	buf_puts(b, "\r\n");
	stream_put(s->c.io, b->data, b->len);
}

static void sort(struct sort *sort, const struct search_key *key)
{
	struct session *s = sort->s;
	struct search *m = search_new(s);
	uint32_t count = mailbox_count(s->box), seq;
	struct sort_row *row = mem_array((size_t)count + 1, sizeof(*row));
	size_t n = 0;

	for (seq = 1; seq <= count; seq++)
		if (search_match(m, key, seq))
			sort_fill(sort, seq, &row[n++]);
	qsort(row, n, sizeof(*row), sort_compare);
	put(s, row, n);
	free(row);
	search_tell_unread(m);
	search_free(&m);
	session_reply(s, "OK Sort completed.");
}

void cmd_sort(struct session *s)
{
	const struct arg *a = s->c.args;
	struct search_key *key = NULL;
	const char *charset;
	struct sort by;

	if (!sort_begin(&by, s, &a[0])) {
		conn_bad(&s->c, "Invalid sort criteria.");
		return;
	}
	if (search_charset(s, &a[1], &charset))
		key = search_parse(s, &a[2], charset);
	if (key)
		sort(&by, key);
	sort_end(&by);
}
