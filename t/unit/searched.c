/*
 * The text that SEARCH compares, and the look that tells, without folding any
 * of it, whether a message holds a needle, if it can: it must never be wrong.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "imaptext/searched.h"
#include "mime/decode.h"
#include "tap.h"

#define MAX (1 << 20)

enum where { NOWHERE, BODY, HEADER };

static const struct {
	const char *promise;
	const char *message;
	const char *needle;
	enum where where;
	enum held held; /* as seen without folding */
} cases[] = {
	{ "a word", "A: b\n\nsome Text here", "text", BODY, HELD },
	{ "no word", "A: b\n\nsome text here", "texts", NOWHERE, HELD_NOT },
	{ "words on two lines", "A: b\n\nsome \t\r\n text", "some text", BODY,
	  HELD_UNSURE },
	{ "at the very end", "A: b\n\nabcdefghij", "j", BODY, HELD },
	{ "nothing is everywhere", "A: b\n\n", "", BODY, HELD },
	{ "in an image too", "Content-Type: image/png\n\nabc", "", BODY, HELD },
	{ "a word of the header", "Sub: long\n word\n\nx", "long word", HEADER,
	  HELD_UNSURE },
	{ "the header's is not the body's", "Sub: word\n\nx", "ord", HEADER,
	  HELD },
	{ "a field's name that stands apart", "Sub \t:x\n\ny", "sub: x", HEADER,
	  HELD_UNSURE },
	{ "a colon in a word", "A: b\n\nsee http://a.b/c", "http://a.b/c", BODY,
	  HELD_UNSURE },
	{ "an encoded word", "A: =?utf-8?b?SsO2aG4=?=\n\nx", "j\xc3\xb6hn",
	  HEADER, HELD_UNSURE },
	{ "an encoded word of ASCII", "A: =?utf-8?q?=41=42c?=\n\nx", "abc",
	  HEADER, HELD_UNSURE },
	{ "a letter with an accent holds that without",
	  "A: b\n\ncaf\xc3\xa9!", "cafe", BODY, HELD_UNSURE },
	{ "a ligature", "A: b\n\no\xef\xac\x81n", "\xef\xac\x81", BODY, HELD_UNSURE },
	{ "a ligature is two letters", "A: b\n\nofin", "o\xef\xac\x81n",
	  NOWHERE, HELD_NOT },
	{ "a wide letter", "A: b\n\n\xef\xbc\xa1", "a", BODY, HELD },
	{ "no letter beyond ASCII in ASCII", "A: b\n\ncafe", "caf\xc3\xa9",
	  NOWHERE, HELD_NOT },
	{ "Latin 1", "Content-Type: text/plain; charset=iso-8859-1\n\nJ\xf6",
	  "j\xc3\xb6", BODY, HELD_UNSURE },
	{ "ASCII in Latin 1",
	  "Content-Type: text/plain; charset=ISO-8859-15\n\nabc", "bd", NOWHERE,
	  HELD_NOT },
	{ "UTF-7 is not ASCII",
	  "Content-Type: text/plain; charset=utf-7\n\n+APY-", "\xc3\xb6", BODY,
	  HELD_UNSURE },
	{ "ISO-2022-JP is not ASCII",
	  "Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B$3\x1b(B",
	  "\xe3\x81\x93", BODY, HELD_UNSURE },
	{ "quoted-printable",
	  "Content-Transfer-Encoding: quoted-printable\n\nun=\nwrit=74en",
	  "unwritten", BODY, HELD },
	{ "base64", "Content-Transfer-Encoding: base64\n\ndW53cml0dGVu",
	  "unwritten", BODY, HELD },
	{ "what looks like it in base64",
	  "Content-Transfer-Encoding: base64\n\ndW53cml0dGVu", "dW53", NOWHERE,
	  HELD_NOT },
	{ "an image is no text", "Content-Type: image/png\n\nabc", "abc",
	  NOWHERE, HELD_NOT },
	{ "HTML as it is written", "Content-Type: text/html\n\n<b>c</b>",
	  "<B>c", BODY, HELD },
	{ "a part's header is of the body",
	  "Content-Type: multipart/mixed; boundary=b\n\n--b\nX: word\n\n\n"
	  "--b--\n",
	  "x: word", BODY, HELD_UNSURE },
	{ "nothing across parts",
	  "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n"
	  "--b\n\ntwo\n--b--\n",
	  "one two", NOWHERE, HELD_UNSURE },
	{ "a message in a message",
	  "Content-Type: message/rfc822\n\nSubject: =?utf-8?q?w=C3=B6rd?=\n\n",
	  "subject: w\xc3\xb6rd", BODY, HELD_UNSURE },
};

struct text {
	struct arena *a;
	struct buf header;
	struct buf body;
	struct buf work;
	struct searched s;
};

static void begin(struct text *t, const char *data, size_t n)
{
	t->a = arena_new();
	t->s = (struct searched){ .data = data,
				  .root = mime_parse(t->a, data, n) };
	buf_init(&t->header, MAX);
	buf_init(&t->body, MAX);
	buf_init(&t->work, MAX);
	searched_text(&t->header, &t->body, &t->s);
}

static void end(struct text *t)
{
	buf_free(&t->header);
	buf_free(&t->body);
	buf_free(&t->work);
	arena_free(&t->a);
}

static void check_case(size_t i)
{
	struct buf folded;
	struct needle k;
	struct text t;
	enum where where;
	enum held held;

	begin(&t, cases[i].message, strlen(cases[i].message));
	buf_init(&folded, MAX);
	mime_fold_case(&folded, cases[i].needle, strlen(cases[i].needle));
	needle_init(&k, folded.data, folded.len);
	where = needle_is_in(&k, &t.body)     ? BODY
		: needle_is_in(&k, &t.header) ? HEADER
					      : NOWHERE;
	held = searched_held(&t.s, true, &k, &t.work);
	ok(where == cases[i].where && held == cases[i].held, "%s: %d %d",
	   cases[i].promise, where, held);
	buf_free(&folded);
	end(&t);
}

/* Any piece of the text is found to be possible. */
static bool check_pieces(const struct text *t, const struct buf *in,
			 bool header, struct buf *work)
{
	for (size_t at = 0; at < in->len; at++)
		for (size_t n = 1; n < 20 && at + n <= in->len; n++) {
			struct needle k;

			if (in->data[at + n - 1] == '\n')
				break;
			needle_init(&k, in->data + at, n);
			if (searched_held(&t->s, header, &k, work) == HELD_NOT)
				return false;
		}
	return true;
}

static bool check_all_pieces(const char *message, size_t n)
{
	struct text t;
	bool good;

	begin(&t, message, n);
	good = check_pieces(&t, &t.body, false, &t.work) &&
	       check_pieces(&t, &t.header, true, &t.work);
	end(&t);
	return good;
}

/* Words at every place of the sixteen bytes that are compared at once. */
static bool check_places(void)
{
	char message[300];
	bool good = true;
	struct needle k;
	struct text t;

	needle_init(&k, "NEEDLE", 6);
	for (size_t at = 6; at < 200; at++)
		for (size_t rest = 0; rest < 70; rest++) {
			memset(message, 'n', sizeof(message));
			memcpy(message, "A: b\n\n", 6);
			memcpy(message + at, "nEeDlE", 6);
			begin(&t, message, at + 6 + rest);
			good = good && searched_held(&t.s, false, &k, &t.work) == HELD;
			end(&t);
			begin(&t, message, at + 5);
			good = good && searched_held(&t.s, false, &k, &t.work) == HELD_NOT;
			end(&t);
		}
	return good;
}

int main(void)
{
	size_t i;

	mime_charsets_preload();
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_case(i);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ok(check_all_pieces(cases[i].message,
				    strlen(cases[i].message)),
		   "every piece of: %s", cases[i].promise);
	ok(check_places(), "a word at every place");
	return done();
}
