/* SORT (RFC 5256): a SEARCH whose numbers come in an order. */
#include <stdlib.h>

#include "base/mem.h"
#include "imapd/commands.h"
#include "imapd/result.h"
#include "imapd/search.h"
#include "imapd/sort.h"

static void sort(struct result *r, struct sort *sort, struct search_key *key)
{
	struct session *s = r->s;
	struct search *m = search_new(s);
	uint32_t count = mailbox_count(s->box), seq;
	struct sort_row *row = mem_array((size_t)count + 1, sizeof(*row));

	result_room(r);
	for (seq = 1; seq <= count; seq++)
		if (search_match(m, key, seq))
			sort_fill(sort, seq, search_score(m), &row[r->n++]);
	r->by_modseq = key->by_modseq;
	qsort(row, r->n, sizeof(*row), sort_compare);
	for (size_t i = 0; i < r->n; i++) {
		r->seq[i] = row[i].seq;
		r->score[i] = (unsigned char)row[i].score;
	}
	free(row);
	result_send(r, sort, key);
	search_tell_unread(m);
	search_free(&m);
	session_reply(s, "OK Sort completed.");
}

void cmd_sort(struct session *s)
{
	struct result r = { .s = s, .plain = "SORT" };
	const struct arg *a = s->c.args;
	struct search_key *key = NULL;
	const char *charset;
	struct sort by;

	if (!result_begin(&r, &a))
		return;
	if (args_count(a) < 3 || !sort_begin(&by, s, &a[0])) {
		conn_bad(&s->c, "Invalid sort criteria.");
		return;
	}
	if (search_charset(s, &a[1], &charset))
		key = search_parse(s, &a[2], charset);
	else
		result_failed(&r);
	if (key && result_fits(&r, &by, key))
		sort(&r, &by, key);
	sort_end(&by);
}
