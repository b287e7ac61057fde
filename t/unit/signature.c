/*
 * Signatures: what they exclude is never what the text holds; and whatever
 * becomes of the file, of it only whole signatures are used.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "index/signature.h"
#include "tap.h"

#define MAX (64u << 20)

static struct {
	struct signer *signer;
	struct buf header, body, out;
	unsigned long random;
} self;

static unsigned roll(unsigned n)
{
	self.random = self.random * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(self.random >> 33) % n;
}

static const struct signature *make(const char *header, const char *body,
				    size_t n, bool whole)
{
	const struct signature_of of = { 1, 2, 3, 4 };

	buf_reset(&self.header);
	buf_reset(&self.body);
	buf_reset(&self.out);
	buf_puts(&self.header, header);
	buf_put(&self.body, body, n);
	signer_put(self.signer, &self.out, &of, &self.header, &self.body,
		   whole);
	return (const void *)self.out.data;
}

static bool lacks(const struct signature *s, const char *needle, size_t n)
{
	struct probe p;

	probe_init(&p, needle, n);
	return signature_lacks(s, &p);
}

static const struct {
	const char *promise;
	const char *body;
	const char *needle;
	bool lacks;
} cases[] = {
	{ "a word that is not there", "SOME TEXT", "WORD", true },
	{ "one that is", "SOME TEXT", "TEXT", false },
	{ "one of the header", "SOME TEXT", "SUBJECT", false },
	{ "three letters", "SOME TEXT", "XYZ", true },
	{ "two letters exclude nothing", "SOME TEXT", "XY", false },
	{ "nothing excludes nothing", "SOME TEXT", "", false },
	{ "Han", "\xe6\xbc\xa2\xe5\xad\x97", "\xe5\xad\x97", false },
	{ "other Han", "\xe6\xbc\xa2\xe5\xad\x97", "\xe5\xad\x98", true },
	{ "an empty text lacks all", "", "ABC", true },
};

static void check_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ok(lacks(make("SUBJECT: A\n", cases[i].body,
			      strlen(cases[i].body), true),
			 cases[i].needle,
			 strlen(cases[i].needle)) == cases[i].lacks,
		   "%s", cases[i].promise);
	ok(!lacks(make("", "SOME", 4, false), "WORD", 4),
	   "a text that is not whole excludes nothing");
}

/* Every piece of texts of all sizes, of few bytes and of all. */
static void check_pieces(void)
{
	const struct signature *s;
	char text[20000];
	int wrong = 0;

	for (int i = 0; i < 300; i++) {
		size_t n = roll(i < 200 ? 200 : sizeof(text));
		unsigned bytes = i % 2 ? 256 : 26;

		for (size_t k = 0; k < n; k++)
			text[k] = (char)('A' + roll(bytes));
		s = make("", text, n, true);
		for (size_t at = 0; at < n; at += 1 + n / 200) {
			size_t len = 1 + roll(70);

			if (len > n - at)
				len = n - at;
			if (!memchr(text + at, '\n', len))
				wrong += lacks(s, text + at, len);
		}
	}
	ok(wrong == 0, "no piece of a text is excluded");
}

static void check_bounds(void)
{
	size_t n = SIGNATURE_TEXT_MAX;
	char *text = malloc(n);
	const struct signature *s;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(roll(200) + 20);
	s = make("", text, n, true);
	ok(s->words == 0 && !lacks(s, "ABCDEF", 6),
	   "a text with everything in it gets an empty signature");
	s = make("", text, 50000, true);
	ok(s->words > 0 && s->words <= SIGNATURE_WORDS_MAX,
	   "one with much in it gets a large one");
	free(text);
	s = make("", "SOME TEXT", 9, true);
	ok(lacks(s, "WORD", 4), "and the next one is as good as ever");
}

/* Writes N signatures to a file without a name. */
static int write_file(int n)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	struct buf all;

	buf_init(&all, MAX);
	for (int i = 1; i <= n; i++) {
		const struct signature_of of = { 1, (uint32_t)i, 3, 4 };

		buf_reset(&self.body);
		for (unsigned k = roll(800); k > 0; k--)
			buf_putc(&self.body, (char)('A' + roll(26)));
		signer_put(self.signer, &all, &of, &self.header, &self.body,
			   true);
	}
	if (file_write(fd, all.data, all.len) != ERR_OK)
		fd = -1;
	buf_free(&all);
	return fd;
}

/* How many there are, in order; *AT gets where they end. */
static int count(int fd, off_t *at)
{
	struct signature_walk w;
	const struct signature *s;
	int n = 0;

	signature_walk(&w, fd);
	while ((s = signature_next(&w)) && s->of.uid == (uint32_t)n + 1)
		n++;
	*at = s ? -1 : w.at;
	signature_walk_end(&w);
	return n;
}

static void check_damage(void)
{
	int fd = write_file(200), bad = 0;
	off_t size, at;
	char byte;

	ok(count(fd, &size) == 200, "as many come back");
	for (int i = 0; i < 300; i++) {
		off_t where = (off_t)roll((unsigned)size);
		char bit = (char)(1 << roll(8));

		if (file_pread(fd, &byte, 1, where) != ERR_OK)
			break;
		byte = (char)(byte ^ bit);
		bad += file_pwrite(fd, &byte, 1, where) != ERR_OK;
		count(fd, &at);
		bad += at > where || at < 0;
		byte = (char)(byte ^ bit);
		bad += file_pwrite(fd, &byte, 1, where) != ERR_OK;
	}
	ok(bad == 0, "a bit that is wrong ends the file before it");
	for (off_t cut = size; cut > 0; cut -= 997) {
		bad += ftruncate(fd, cut) < 0;
		count(fd, &at);
		bad += at > cut;
	}
	ok(bad == 0, "so does a cut");
	close(fd);
}

int main(void)
{
	self.random = 7;
	self.signer = signer_new(signature_maker(0));
	buf_init(&self.header, MAX);
	buf_init(&self.body, MAX);
	buf_init(&self.out, MAX);
	check_cases();
	check_pieces();
	check_bounds();
	check_damage();
	signer_free(&self.signer);
	buf_free(&self.header);
	buf_free(&self.body);
	buf_free(&self.out);
	return done();
}
