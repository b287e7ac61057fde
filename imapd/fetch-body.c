#include "imapd/fetch.h"

#include <string.h>

#include "base/err.h"
#include "imapd/enabled.h"
#include "imaptext/imaptext.h"
#include "mime/field.h"
#include "mime/part.h"

#define CHUNK 32768
#define TEXT_KEEP (32 << 20) /* a larger text is not kept for the next piece */
#define HEADER_MAX (16 << 20)

struct piece {
	const char *data;
	size_t n;
};

typedef void put_bytes(struct buf *out, const char *data, size_t n);

static void put_raw(struct buf *out, const char *data, size_t n)
{
	buf_put(out, data, n);
}

static void cut(const struct fetch_section *sec, struct piece *p)
{
	if (!sec->partial)
		return;
	if (sec->from >= p->n) {
		p->n = 0;
		return;
	}
	p->data += sec->from;
	p->n -= sec->from;
	if (p->n > sec->length)
		p->n = sec->length;
}

/* Sends the response so far: from now on it has to be completed. */
static void send_begun(struct session *s)
{
	stream_put(s->c.io, s->out.data, s->out.len);
	buf_reset(&s->out);
	s->flushed = true;
}

/* An empty piece is "", since some clients wait for more after {0}. */
void fetch_put_piece(struct session *s, const struct fetch_section *sec,
		     const char *data, size_t size, bool raw)
{
	put_bytes *put = raw ? put_raw : imap_put_bytes;
	struct piece p = { data, size };

	cut(sec, &p);
	if (p.n == 0) {
		buf_printf(&s->out, "%s \"\"", sec->label);
		return;
	}
	buf_printf(&s->out, "%s %s{%zu}\r\n", sec->label, raw ? "~" : "", p.n);
	while (p.n > 0) {
		size_t n = p.n < CHUNK ? p.n : CHUNK;

		put(&s->out, p.data, n);
		p.data += n;
		p.n -= n;
		if (s->out.len >= CHUNK)
			send_begun(s);
	}
}

void fetch_put_nil(struct session *s, const struct fetch_section *sec)
{
	buf_printf(&s->out, "%s %s", sec->label,
		   sec->form == FETCH_DECODED_SIZE ? "0" : "NIL");
}

/* From memory if it was the last one read. */
int fetch_load(struct session *s, uint32_t seq)
{
	struct session_text *t = &s->body;
	const struct mailbox_message m = mailbox_get(s->box, seq);
	int code;

	/* another program may have changed the file, and with it the size */
	if (t->uid == m.uid && (m.size == 0 || m.size == t->text.len))
		return ERR_OK;
	t->uid = t->decoded_uid = 0;
	if (t->text.cap > TEXT_KEEP)
		buf_free(&t->text);
	buf_reset(&t->text);
	code = mailbox_text(s->box, seq, &t->text);
	if (code == ERR_OK)
		t->uid = m.uid;
	return code;
}

const struct mime_part *fetch_tree(const struct session *s, struct arena *a,
				   const struct buf *text)
{
	return enabled(s, ENABLED_REV2)
		       ? mime_parse_global(a, text->data, text->len)
		       : mime_parse(a, text->data, text->len);
}

static int put_header(struct session *s, const struct fetch_section *sec,
		      uint32_t seq)
{
	struct mailbox_facts facts;
	struct buf header, chosen;
	int code;

	buf_init(&header, HEADER_MAX);
	buf_init(&chosen, HEADER_MAX);
	if (sec->cached) {
		code = mailbox_facts(s->box, seq, false, &facts);
		if (code == ERR_OK)
			imap_put_fields(&chosen, facts.header, facts.header_len,
					&sec->names, false);
	} else {
		code = mailbox_header(s->box, seq, &header);
		if (code == ERR_OK && sec->names.n > 0)
			imap_put_fields(
				&chosen, header.data, header.len, &sec->names,
				sec->section.what == IMAP_SECTION_FIELDS_NOT);
	}
	if (code == ERR_OK && sec->names.n > 0)
		fetch_put_piece(s, sec, chosen.data, chosen.len, false);
	else if (code == ERR_OK)
		fetch_put_piece(s, sec, header.data, header.len, false);
	buf_free(&header);
	buf_free(&chosen);
	return code;
}

/* The whole message, never held in memory. If its file turns out shorter once
 * the literal has begun, the connection ends. */
static int put_whole(struct session *s, const struct fetch_section *sec,
		     uint32_t seq)
{
	struct mailbox_reader *r = NULL;
	uint32_t size;
	size_t n;
	int code = mailbox_read_open(s->box, seq, &r, &size);

	if (code != ERR_OK)
		return code;
	buf_printf(&s->out, "%s {%u}\r\n", sec->label, size);
	do {
		char piece[CHUNK];

		code = mailbox_read(r, piece, sizeof(piece), &n);
		if (code != ERR_OK)
			break;
		imap_put_bytes(&s->out, piece, n);
		if (s->out.len >= CHUNK)
			send_begun(s);
	} while (n > 0);
	mailbox_read_close(&r);
	return code;
}

static int put_part(struct session *s, const struct fetch_section *sec,
		    uint32_t seq)
{
	const struct imap_section *what = &sec->section;
	const struct buf *text = &s->body.text;
	struct arena *a;
	struct buf chosen;
	size_t at, n;
	int code = fetch_load(s, seq);

	if (code != ERR_OK)
		return code;
	a = arena_new();
	if (!imap_section_find(fetch_tree(s, a, text), what, &at, &n)) {
		fetch_put_nil(s, sec);
	} else if (sec->names.n == 0) {
		fetch_put_piece(s, sec, text->data + at, n, false);
	} else {
		buf_init(&chosen, HEADER_MAX);
		imap_put_fields(&chosen, text->data + at, n, &sec->names,
				what->what == IMAP_SECTION_FIELDS_NOT);
		fetch_put_piece(s, sec, chosen.data, chosen.len, false);
		buf_free(&chosen);
	}
	arena_free(&a);
	return ERR_OK;
}

static void put_structure(struct session *s, const struct mime_part *root,
			  const char *name, bool extension)
{
	buf_puts(&s->out, name);
	imap_structure(&s->out, s->body.text.data, root, extension);
	buf_putc(&s->out, ' ');
}

int fetch_put_global(struct session *s, uint32_t seq, unsigned what)
{
	const struct mime_part *root;
	struct arena *a;
	int code = fetch_load(s, seq);

	if (code != ERR_OK)
		return code;
	a = arena_new();
	root = fetch_tree(s, a, &s->body.text);
	if (what & FETCH_BODY)
		put_structure(s, root, "BODY ", false);
	if (what & FETCH_BODYSTRUCTURE)
		put_structure(s, root, "BODYSTRUCTURE ", true);
	arena_free(&a);
	return ERR_OK;
}

static int put_partial(struct session *s, const struct fetch_section *sec,
		       uint32_t seq)
{
	int code = fetch_load(s, seq);

	if (code == ERR_OK)
		fetch_put_piece(s, sec, s->body.text.data, s->body.text.len,
				false);
	return code;
}

int fetch_put_section(struct session *s, const struct fetch_section *sec,
		      uint32_t seq)
{
	if (sec->form != FETCH_AS_IS)
		return fetch_put_binary(s, sec, seq);
	if (sec->section.npath > 0 || sec->section.what == IMAP_SECTION_TEXT)
		return put_part(s, sec, seq);
	if (sec->section.what != IMAP_SECTION_ALL)
		return put_header(s, sec, seq);
	return sec->partial ? put_partial(s, sec, seq) : put_whole(s, sec, seq);
}
