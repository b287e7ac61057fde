/*
 * Bodies as 7-bit text.
 */
#include "mime/encode.h"

#include "base/buf.h"
#include "base/err.h"
#include "mime/decode.h"
#include "tap.h"

typedef int encoder(const char *data, size_t n, mime_sink *sink, void *context);

static const struct {
	const char *promise;
	encoder *encode;
	const char *body;
	const char *want;
} rows[] = {
	{ "plain text stays", mime_encode_qp, "a b\r\nc", "a b\r\nc" },
	{ "the equals sign and 8 bits", mime_encode_qp, "1=\xfc\r\n",
	  "1=3D=FC\r\n" },
	{ "blanks at a line's end", mime_encode_qp, "a \r\nb\t\r\nc ",
	  "a=20\r\nb=09\r\nc=20" },
	{ "a CR or LF alone is no line end", mime_encode_qp, "a\rb\nc",
	  "a=0Db=0Ac" },
	{ "nothing", mime_encode_qp, "", "" },
	{ "what is encoded stays", mime_mend_qp, "=C3=\r\n\xbc=\r\n",
	  "=C3=\r\n=BC=\r\n" },
	{ "base64", mime_encode_base64, "J\xf6rg", "SvZyZw==" },
	{ "base64 of nothing", mime_encode_base64, "", "" },
	{ "bytes that base64 has not", mime_mend_base64,
	  "SvZ\xfcyZw==", "SvZyZw==" },
	{ "a mask", mime_mask, "a\xc3\xbc\r\n", "a??\r\n" },
};

static int to_buf(void *context, const void *data, size_t n)
{
	buf_put(context, data, n);
	return ERR_OK;
}

static int refuse(void *context, const void *data, size_t n)
{
	(void)context;
	(void)data;
	(void)n;
	return ERR_TIMEOUT;
}

static size_t longest_line(const struct buf *b)
{
	size_t longest = 0, n = 0;

	for (size_t i = 0; i < b->len; i++) {
		n = b->data[i] == '\n' ? 0 : n + 1;
		if (n > longest && b->data[i] != '\r')
			longest = n;
	}
	return longest;
}

/* Bodies of every length up to a few lines, through an encoder and back. */
static void there_and_back(encoder *encode,
			   void (*decode)(struct buf *, const char *, size_t),
			   const char *name)
{
	static char body[400];
	struct buf coded, back;
	bool same = true;
	size_t longest = 0;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = i % 50 == 48	 ? '\r'
			  : i % 50 == 49 ? '\n'
					 : (char)(i * 37 + i / 7);
	buf_init(&coded, 1 << 16);
	buf_init(&back, 1 << 16);
	for (size_t n = 0; n <= sizeof(body); n++) {
		buf_reset(&coded);
		buf_reset(&back);
		encode(body, n, to_buf, &coded);
		decode(&back, coded.data, coded.len);
		same = same && back.len == n &&
		       memcmp(back.data, body, n) == 0 &&
		       mime_count_8bit(coded.data, coded.len, 1) == 0;
		if (longest_line(&coded) > longest)
			longest = longest_line(&coded);
	}
	ok(same, "%s: there and back", name);
	ok(longest == 76, "%s: lines of 76, not longer (%zu)", name, longest);
	buf_free(&coded);
	buf_free(&back);
}

int main(void)
{
	static char large[10000];
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		rows[i].encode(rows[i].body, strlen(rows[i].body), to_buf, &b);
		is(b.data, rows[i].want, rows[i].promise);
	}
	buf_free(&b);
	there_and_back(mime_encode_qp, mime_decode_qp, "quoted-printable");
	there_and_back(mime_encode_base64, mime_decode_base64, "base64");
	memset(large, 'x', sizeof(large));
	ok(mime_encode_qp(large, sizeof(large), refuse, NULL) == ERR_TIMEOUT,
	   "the sink's code is given on");
	large[8191] = '\xff';
	ok(mime_count_8bit(large, 8191, 9) == 0 &&
		   mime_count_8bit(large, 8192, 9) == 1 &&
		   mime_count_8bit("\xff\xff\xff", 3, 2) == 2,
	   "bytes beyond ASCII are counted, up to the limit");
	return done();
}
