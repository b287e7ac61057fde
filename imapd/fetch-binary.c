/*
 * BINARY[…] and BINARY.SIZE[…] (RFC 3516): parts with their transfer encoding
 * undone. What contains parts or a message has none: it is sent as it is, and
 * so is a whole message.
 *
 * Clients fetch a large part piece by piece, so the latest one is kept.
 */
#include <string.h>

#include "base/err.h"
#include "imapd/fetch.h"
#include "imaptext/imaptext.h"
#include "mime/decode.h"
#include "mime/param.h"
#include "mime/part.h"

enum encoding { IDENTITY, BASE64, QUOTED_PRINTABLE, UNKNOWN };

static enum encoding encoding_of(struct arena *a, const char *text,
				 const struct mime_part *part)
{
	static const struct {
		const char *name;
		enum encoding encoding;
	} rows[] = {
		{ "7bit", IDENTITY },
		{ "8bit", IDENTITY },
		{ "binary", IDENTITY },
		{ "base64", BASE64 },
		{ "quoted-printable", QUOTED_PRINTABLE },
	};
	const char *name;

	if (part->kind != MIME_LEAF)
		return IDENTITY;
	name = mime_encoding(a, text + part->header, part->nheader);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_equal_ci(name, rows[i].name))
			return rows[i].encoding;
	return UNKNOWN;
}

/* The part of ROOT whose body begins at AT, or NULL. */
static const struct mime_part *part_at(const struct mime_part *part, size_t at)
{
	for (; part; part = part->next) {
		const struct mime_part *found;

		if (part->kind == MIME_LEAF && part->body == at)
			return part;
		found = part_at(part->child, at);
		if (found)
			return found;
	}
	return NULL;
}

/* Undoes the encoding into t->decoded. */
static void decode(struct session_text *t, enum encoding encoding, size_t at,
		   size_t n)
{
	if (t->decoded_uid == t->uid && t->decoded_at == at)
		return;
	buf_reset(&t->decoded);
	if (encoding == BASE64)
		mime_decode_base64(&t->decoded, t->text.data + at, n);
	else
		mime_decode_qp(&t->decoded, t->text.data + at, n);
	t->decoded_uid = t->uid;
	t->decoded_at = at;
}

static void put(struct session *s, const struct fetch_section *sec,
		const char *data, size_t n)
{
	if (sec->form == FETCH_DECODED_SIZE)
		buf_printf(&s->out, "%s %zu", sec->label, n);
	else
		fetch_put_piece(s, sec, data, n, memchr(data, '\0', n) != NULL);
}

static int put_found(struct session *s, const struct fetch_section *sec,
		     struct arena *a, const struct mime_part *root)
{
	struct session_text *t = &s->body;
	const struct mime_part *leaf = NULL;
	enum encoding encoding = IDENTITY;
	size_t at, n;

	if (!imap_section_find(root, &sec->section, &at, &n)) {
		fetch_put_nil(s, sec);
		return ERR_OK;
	}
	if (sec->section.npath > 0 && n > 0)
		leaf = part_at(root, at);
	if (leaf && leaf->nbody == n)
		encoding = encoding_of(a, t->text.data, leaf);
	if (encoding == UNKNOWN)
		return err_set(ERR_UNSUPPORTED, "unknown transfer encoding");
	if (encoding == IDENTITY) {
		put(s, sec, t->text.data + at, n);
		return ERR_OK;
	}
	decode(t, encoding, at, n);
	put(s, sec, t->decoded.data, t->decoded.len);
	return ERR_OK;
}

int fetch_put_binary(struct session *s, const struct fetch_section *sec,
		     uint32_t seq)
{
	struct arena *a;
	int code = fetch_load(s, seq);

	if (code != ERR_OK)
		return code;
	a = arena_new();
	code = put_found(s, sec, a, fetch_tree(s, a, &s->body.text));
	arena_free(&a);
	return code;
}
