/* SEARCH (RFC 3501 section 6.4.4). */
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/result.h"
#include "imapd/search.h"

void search_all(struct search *m, const struct search_key *key,
		struct result *r)
{
	uint32_t count = mailbox_count(r->s->box), seq;

	result_room(r);
	r->by_modseq = key->by_modseq;
	for (seq = 1; seq <= count; seq++) {
		if (!search_match(m, key, seq))
			continue;
		r->score[r->n] = (unsigned char)search_score(m);
		r->seq[r->n++] = seq;
		if (r->wanted == RESULT_MIN)
			return;
	}
}

static void search(struct result *r, struct search_key *key)
{
	struct search *m = search_new(r->s);

	search_all(m, key, r);
	result_send(r, NULL, key);
	search_tell_unread(m);
	search_free(&m);
	session_reply(r->s, "OK Search completed.");
}

void cmd_search(struct session *s)
{
	struct result r = {
		.s = s,
		.plain = enabled(s, ENABLED_REV2) ? NULL : "SEARCH",
	};
	const struct arg *a = s->c.args;
	const char *charset = "UTF-8";
	struct search_key *key;

	if (!result_begin(&r, &a))
		return;
	if (arg_is(a, "CHARSET")) {
		/* RFC 6855 section 3: texts are in UTF-8 then */
		if (enabled(s, ENABLED_UTF8)
			    ? !conn_bad(&s->c, "UTF8=ACCEPT is the charset.")
			    : !search_charset(s, &a[1], &charset)) {
			result_failed(&r);
			return;
		}
		a += 2;
	}
	key = search_parse(s, a, charset);
	if (key && result_fits(&r, NULL, key))
		search(&r, key);
}
