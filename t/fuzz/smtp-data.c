/* The content of DATA, cut into pieces: what comes out, sent on, comes in as
 * the same again. */
#include "fuzz.h"

#include <string.h>

#include "base/err.h"
#include "smtp/data.h"

FUZZ_SEEDS("a\r\nb\r\n.\r\nQUIT\r\n", "..\r\n.x\r\n\r\n.\r\n",
	   "a\n.\nb\r\n.\r\n", "a\r\n.\rb\r\n\r\r\n.\r\n", "a\r.\r\n.\r\n",
	   "\r\n.\r\n")

static int take(void *context, const void *data, size_t n)
{
	buf_put(context, data, n);
	return ERR_OK;
}

static void read_pieces(struct buf *out, const char *data, size_t n,
			size_t step, bool dots)
{
	struct smtp_data_reader r;
	size_t used;

	smtp_data_begin(&r, dots, take, out);
	while (n && r.state != SMTP_DATA_END) {
		size_t piece = n < step ? n : step;

		FUZZ_CHECK(smtp_data_read(&r, data, piece, &used) == ERR_OK);
		FUZZ_CHECK(used == piece || r.state == SMTP_DATA_END);
		data += used;
		n -= used;
	}
	if (!dots)
		err_ignore(smtp_data_finish(&r));
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len &&
	       (!a->len || !memcmp(a->data, b->data, a->len));
}

void fuzz_one(const char *data, size_t n)
{
	struct smtp_data_writer w;
	struct buf text[3], sent;

	for (int i = 0; i < 3; i++)
		buf_init(&text[i], 1 << 20);
	buf_init(&sent, 1 << 20);
	read_pieces(&text[0], data, n, n + 1, n % 2);
	read_pieces(&text[1], data, n, 1 + n % 7, n % 2);
	FUZZ_CHECK(same(&text[0], &text[1]));
	smtp_data_write_begin(&w, take, &sent);
	err_ignore(smtp_data_write(&w, text[0].data, text[0].len));
	err_ignore(smtp_data_write_end(&w));
	read_pieces(&text[2], sent.data, sent.len, 3, true);
	if (text[0].len > 1 &&
	    memcmp(text[0].data + text[0].len - 2, "\r\n", 2) == 0)
		FUZZ_CHECK(same(&text[0], &text[2]));
	for (int i = 0; i < 3; i++)
		buf_free(&text[i]);
	buf_free(&sent);
}
