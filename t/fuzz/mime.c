/* Messages: the tree of parts, ENVELOPE, BODY, BODYSTRUCTURE, the texts that
 * SEARCH looks at, and the entry of the cache. */
#include "fuzz.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "imaptext/imaptext.h"
#include "imaptext/searched.h"
#include "index/cache.h"
#include "mime/author.h"
#include "mime/decode.h"
#include "mime/field.h"
#include "mime/part.h"
#include "mime/preview.h"
#include "mime/unbinary.h"

FUZZ_SEEDS(
	"From: \"A, B\" <a@b>, g: c@d;\r\nTo: <@x:e@f>\r\nSubject: "
	"=?utf-8?b?w7Y=?=\r\n"
	" =?iso-8859-1?q?=fc_?=\r\nDate: x\r\n\r\nbody\r\n",
	"Content-Type: multipart/mixed; "
	"boundary=\"b\"\r\n\r\n--b\r\n\r\ntext\r\n"
	"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n"
	"--b\r\nContent-Type: text/html; charset=utf-8; format=flowed\r\n"
	"Content-Disposition: attachment; filename*0*=utf-8''a%20; "
	"filename*1=b\r\n"
	"Content-Transfer-Encoding: base64\r\nContent-MD5: "
	"x\r\nContent-Language: en,de\r\n"
	"Content-Location: y\r\nContent-ID: <z>\r\n\r\neHl6\r\n--b--\r\n",
	"Content-Type: multipart/digest; boundary=x\n\n--x\n\nA: "
	"b\n\nc\n--x--\n",
	"Content-Type: multipart/alternative; "
	"boundary*=''q%22\n\n--q\"\n\n--q\"--",
	"Content-Type: text/html\n\nx<style>y<",
	   "Content-Type: text/html\n\n<style>x</style><!-- y --><p>&auml;&#x20ac;"
	"<b>z</b> &lt;",
	"Content-Type: multipart/mixed; boundary=b\n"
	"Content-Transfer-Encoding: binary\n\n--b\n"
	"Content-Transfer-Encoding: binary\n\nx\ry\n\n--b--\n",
	"Subject: \x80\xff\"\\\r\nno colon\r\n\tfolded\r\n: empty\r\n\r\n")

static void check_parts(const struct mime_part *p, size_t n)
{
	for (; p; p = p->next) {
		FUZZ_CHECK(p->header <= n && p->nheader <= n - p->header);
		FUZZ_CHECK(p->body <= n && p->nbody <= n - p->body);
		FUZZ_CHECK(p->header_crlf >= p->nheader);
		FUZZ_CHECK(p->body_crlf >= p->nbody);
		check_parts(p->child, n);
	}
}

static void check_out(struct buf *out)
{
	FUZZ_CHECK(out->over || !out->len || !memchr(out->data, 0, out->len));
	buf_reset(out);
}

static void check_cache(struct buf *out, const char *data, size_t n)
{
	struct mailbox_facts f;

	for (int whole = 0; whole < 2; whole++) {
		buf_reset(out);
		cache_make(out, 1, 2, data, n, whole);
		if (out->len)
			FUZZ_CHECK(cache_read(out->data, out->len, 1, 2, &f) &&
				   (f.body_len > 0) == whole);
	}
	cache_read(data, n, 1, 2, &f);
}

static void check_preview(struct buf *out, const char *data, size_t n)
{
	size_t chars = 0;

	mime_preview(out, data, n);
	FUZZ_CHECK(!out->len || str_is_utf8(out->data, out->len));
	for (size_t i = 0; i < out->len; i++) {
		FUZZ_CHECK((unsigned char)out->data[i] >= ' ');
		chars += ((unsigned char)out->data[i] & 0xc0) != 0x80;
	}
	FUZZ_CHECK(chars <= MIME_PREVIEW_MAX);
	buf_reset(out);
}

static int gather(void *context, const void *data, size_t n)
{
	buf_put(context, data, n);
	return ERR_OK;
}

static void check_unbinary(struct buf *out, const struct mime_part *root,
			   const char *data, size_t n)
{
	if (!mime_is_binary_in_parts(root, data, n))
		return;
	FUZZ_CHECK(mime_unbinary(root, data, n, gather, out) == ERR_OK);
	check_out(out);
}

/* Is it right about a piece of TEXT, or of what is folded to it? */
static void check_piece(struct buf *work, const struct mime_part *root,
			const char *data, const struct buf *text,
			const char *piece, size_t n)
{
	const struct searched s = { data, root, NULL };
	struct needle k;
	enum held held;

	needle_init(&k, piece, n);
	held = searched_held(&s, true, &k, work);
	buf_reset(work);
	FUZZ_CHECK(held != (needle_is_in(&k, text) ? HELD_NOT : HELD));
}

static void check_searched(struct buf *work, const struct mime_part *root,
			   const char *data, size_t size)
{
	const struct searched s = { data, root, NULL };
	struct buf text, raw;
	size_t at, n = 0;

	buf_init(&text, IMAP_TEXT_MAX);
	buf_init(&raw, IMAP_TEXT_MAX);
	searched_text(&text, &text, &s);
	at = text.len / 2;
	while (n < 12 && at + n < text.len && text.data[at + n] != '\n')
		n++;
	check_piece(work, root, data, &text, text.data + at, n);
	mime_fold_case(&raw, data, size);
	check_piece(work, root, data, &text, raw.data + raw.len / 3,
		    raw.len / 3 < 4 ? 0 : 4);
	buf_free(&raw);
	buf_free(&text);
}

static void take_domain(void *context, const char *domain, bool shown)
{
	size_t *n = context;

	FUZZ_CHECK(shown || *domain);
	*n += strlen(domain);
}

/* As IMAP4rev2 shows it. */
static void check_global(struct arena *a, const char *data, size_t n,
			 struct buf *out)
{
	const struct mime_part *root = mime_parse_global(a, data, n);

	check_parts(root, n);
	imap_structure(out, data, root, true);
	check_out(out);
}

void fuzz_one(const char *data, size_t n)
{
	struct arena *a = arena_new();
	struct mime_part *root = mime_parse(a, data, n);
	struct mime_field f;
	const char *at = data;
	size_t domains = 0;
	struct buf out;

	buf_init(&out, IMAP_TEXT_MAX);
	check_parts(root, n);
	imap_structure(&out, data, root, true);
	check_out(&out);
	imap_structure(&out, data, root, false);
	check_out(&out);
	check_global(a, data, n, &out);
	check_searched(&out, root, data, n);
	imap_envelope(&out, data, root->nheader);
	check_out(&out);
	while (mime_field_next(&at, data + n, &f)) {
		mime_unfold(&out, f.value, f.nvalue);
		buf_reset(&out);
		imap_addresses(&out, f.value, f.nvalue);
		check_out(&out);
		imap_base_subject(&out, f.value, f.nvalue);
		FUZZ_CHECK(out.len <= f.nvalue);
		buf_reset(&out);
		mime_collate(&out, f.value, f.nvalue);
		buf_reset(&out);
		mime_author_domains(f.value, f.nvalue, take_domain, &domains);
	}
	buf_free(&out);
	buf_init(&out, 2 * CACHE_ENTRY_MAX);
	check_preview(&out, data, n);
	check_unbinary(&out, root, data, n);
	check_cache(&out, data, n);
	buf_free(&out);
	arena_free(&a);
}
