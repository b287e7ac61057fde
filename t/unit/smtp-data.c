/* Line ends and dots: each case at every cut, byte by byte. */
#include "smtp/data.h"

#include "base/buf.h"
#include "base/err.h"
#include "tap.h"

static const struct {
	const char *name;
	const char *in;
	const char *out;
	bool bare;
	const char *rest; /* what stays after the end; NULL: no end */
} cases[] = {
	{ "a message ends with CRLF.CRLF", "a\r\nb\r\n.\r\nQUIT\r\n",
	  "a\r\nb\r\n", false, "QUIT\r\n" },
	{ "an empty message is a dot alone", ".\r\n", "", false, "" },
	{ "stuffed dots are taken off", "..\r\n...x\r\n.y\r\n.\r\n",
	  ".\r\n..x\r\ny\r\n", false, "" },
	{ "a dot within a line is text", "a.b\r\n.\r\n", "a.b\r\n", false, "" },
	{ "LF.LF does not end", "a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", true,
	  "" },
	{ "LF.CRLF does not end", "a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", true,
	  "" },
	{ "CRLF.LF does not end", "a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n", true,
	  "" },
	{ "CRLF.CR does not end", "a\r\n.\rb\r\n.\r\n", "a\r\n\r\nb\r\n", true,
	  "" },
	{ "CR.CR does not end", "a\r.\rb\r\n.\r\n", "a\r\n.\r\nb\r\n", true,
	  "" },
	{ "CR.CRLF does not end", "a\r.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", true,
	  "" },
	{ "CRCRLF.CRCRLF does not end", "a\r\r\n.\r\r\nb\r\n.\r\n",
	  "a\r\n\r\n\r\n\r\nb\r\n", true, "" },
	{ "CRLF.CRCRLF does not end", "a\r\n.\r\r\nb\r\n.\r\n",
	  "a\r\n\r\n\r\nb\r\n", true, "" },
	{ "LFCR.CRLF does not end", "a\n\r.\r\nb\r\n.\r\n",
	  "a\r\n\r\n.\r\nb\r\n", true, "" },
	{ "without an end there is none", "a\r\n.\r", "a\r\n", false, NULL },
	{ "CR CR LF", "a\r\r\n.\r\n", "a\r\n\r\n", true, "" },
};

static int keep(void *context, const void *data, size_t n)
{
	buf_put(context, data, n);
	return ERR_OK;
}

/* Reads TEXT in pieces of at most STEP bytes, the first of FIRST bytes. */
static size_t run(struct smtp_data_reader *r, const char *text, size_t first,
		  size_t step)
{
	size_t at = 0, n = strlen(text), used;

	while (at < n && r->state != SMTP_DATA_END) {
		size_t piece = at == 0 && first ? first : step;

		if (piece > n - at)
			piece = n - at;
		err_ignore(smtp_data_read(r, text + at, piece, &used));
		at += used;
	}
	return at;
}

static bool one(size_t i, size_t first, size_t step)
{
	struct smtp_data_reader r;
	struct buf out;
	size_t at;
	bool good;

	buf_init(&out, 100000);
	smtp_data_begin(&r, true, keep, &out);
	at = run(&r, cases[i].in, first, step);
	good = strcmp(out.data, cases[i].out) == 0 && r.bare == cases[i].bare &&
	       (r.state == SMTP_DATA_END) == (cases[i].rest != NULL) &&
	       (!cases[i].rest || strcmp(cases[i].in + at, cases[i].rest) == 0);
	if (!good)
		printf("# first %zu step %zu: %s\n", first, step, out.data);
	buf_free(&out);
	return good;
}

static void test_reader(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].in);
		bool good = one(i, 0, n) && one(i, 0, 1) && one(i, 0, 2);

		for (size_t cut = 1; cut < n; cut++)
			good = one(i, cut, n) && good;
		ok(good, "%s", cases[i].name);
	}
}

static const struct {
	const char *name;
	const char *in;
	const char *out;
} texts[] = {
	{ "LF lines of a program", "a\nb\n", "a\r\nb\r\n" },
	{ "CRLF lines of a program", "a\r\nb\r\n", "a\r\nb\r\n" },
	{ "a last line without end", "a\nb", "a\r\nb\r\n" },
	{ "a last line that ends with CR", "a\r", "a\r\n" },
	{ "dots are text", ".\n..\n", ".\r\n..\r\n" },
	{ "nothing", "", "" },
};

static void test_texts(void)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		bool good = true;

		for (size_t step = 1; step < 4; step++) {
			struct smtp_data_reader r;
			struct buf out;

			buf_init(&out, 1000);
			smtp_data_begin(&r, false, keep, &out);
			run(&r, texts[i].in, 0, step);
			err_ignore(smtp_data_finish(&r));
			good = good && strcmp(out.data, texts[i].out) == 0;
			buf_free(&out);
		}
		ok(good, "%s", texts[i].name);
	}
}

static const struct {
	const char *name;
	const char *in;
	const char *out;
} writes[] = {
	{ "plain lines", "a\r\nb\r\n", "a\r\nb\r\n.\r\n" },
	{ "dots at line starts are doubled", ".\r\n.a\r\nb.\r\n",
	  "..\r\n..a\r\nb.\r\n.\r\n" },
	{ "the last line is completed", "a", "a\r\n.\r\n" },
	{ "nothing", "", ".\r\n" },
	{ "bare LF never leaves", "a\n.\n", "a\r\n..\r\n.\r\n" },
	{ "bare CR never leaves", "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n" },
};

static void test_writer(void)
{
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		bool good = true;

		for (size_t step = 1; step < 12; step++) {
			struct smtp_data_writer w;
			struct buf out;
			size_t n = strlen(writes[i].in);

			buf_init(&out, 1000);
			smtp_data_write_begin(&w, keep, &out);
			for (size_t at = 0; at < n; at += step)
				err_ignore(smtp_data_write(&w, writes[i].in + at,
						step < n - at ? step : n - at));
			err_ignore(smtp_data_write_end(&w));
			good = good && strcmp(out.data, writes[i].out) == 0;
			buf_free(&out);
		}
		ok(good, "written: %s", writes[i].name);
	}
}

int main(void)
{
	test_reader();
	test_texts();
	test_writer();
	return done();
}
