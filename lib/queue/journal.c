#include "queue/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define CRC_DIGITS 8
#define READ_SIZE 4096

static uint32_t record_crc(const struct slot_super *s, const char *line,
			   size_t n)
{
	char seed[48];
	int len = snprintf(seed, sizeof(seed), "%016" PRIx64 " %" PRIu32 " ",
			   s->key, s->generation);

	return crc32c(crc32c(0, seed, (size_t)len), line, n);
}

void journal_put(struct buf *out, const struct slot_super *s, int64_t when,
		 const char *const *word, size_t n)
{
	size_t begin = out->len;

	buf_printf(out, "%" PRId64, when);
	for (size_t i = 0; i < n; i++) {
		buf_putc(out, ' ');
		encode_percent(out, word[i], strlen(word[i]));
	}
	buf_putc(out, ' ');
	buf_printf(out, "%08" PRIx32 "\n",
		   record_crc(s, out->data + begin, out->len - begin));
}

int journal_write(int fd, const struct buf *records, off_t *at)
{
	int err;

	if (records->over)
		return err_set(ERR_TOO_LONG, "more records than fit memory");
	/* with its NUL, which ends the journal until the next record
	 * overwrites it */
	err = file_pwrite(fd, records->data, records->len + 1, *at);
	if (err)
		return err_sys("write", "a journal");
	*at += (off_t)records->len;
	return ERR_OK;
}

/* Splits a checked line into words, in place; gives their number. */
static size_t split_words(char *line, const char **word, size_t max,
			  struct buf *text)
{
	size_t n = 0, *from = mem_array(max, sizeof(*from));

	for (char *w; (w = strsep(&line, " ")) != NULL && n < max;) {
		from[n++] = text->len;
		if (!decode_percent(text, w, strlen(w)))
			n = max;
		buf_put(text, "", 1);
	}
	for (size_t i = 0; i < n && n < max; i++)
		word[i] = text->data + from[i];
	free(from);
	return n < max ? n : 0;
}

struct reader {
	const struct slot_super *super;
	bool (*each)(void *, int64_t, const char *const *, size_t);
	void *context;
};

static size_t count_blanks(const char *line)
{
	size_t n = 0;

	for (; *line; line++)
		n += *line == ' ';
	return n;
}

/* One line without its LF. False if its CRC is wrong, or EACH wants no
 * more. */
static bool take_line(struct reader *r, char *line, size_t n)
{
	char crc[CRC_DIGITS + 1];
	const char **word;
	struct buf text;
	size_t max, nwords;
	int64_t when;
	bool good;

	if (n < CRC_DIGITS + 2 || memchr(line, '\0', n))
		return false;
	n -= CRC_DIGITS;
	snprintf(crc, sizeof(crc), "%08" PRIx32, record_crc(r->super, line, n));
	if (memcmp(crc, line + n, CRC_DIGITS) != 0 || line[n - 1] != ' ')
		return false;
	line[n - 1] = '\0';
	max = count_blanks(line) + 2;
	word = mem_array(max, sizeof(*word));
	buf_init(&text, JOURNAL_RECORD_MAX);
	nwords = split_words(line, word, max, &text);
	good = nwords >= 2 && str_to_int(word[0], 0, INT64_MAX, &when) &&
	       r->each(r->context, when, word + 1, nwords - 1);
	buf_free(&text);
	free(word);
	return good;
}

/* Reads more; false at the end of the file or at a limit. */
static bool read_more(int fd, struct buf *b, off_t at, int *err)
{
	size_t want = b->len < READ_SIZE ? READ_SIZE : b->len;
	char *to;
	ssize_t n;

	if (want > b->max - b->len)
		want = b->max - b->len;
	if (want == 0)
		return false;
	to = buf_room(b, want);
	do
		n = pread(fd, to, want, at + (off_t)b->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		*err = err_sys("read", "a journal");
	if (n <= 0)
		return false;
	buf_added(b, (size_t)n);
	return true;
}

int journal_read(int fd, const struct slot_super *s, off_t *end,
		 bool (*each)(void *context, int64_t when,
			      const char *const *word, size_t n),
		 void *context)
{
	struct reader r = { s, each, context };
	struct buf b;
	int err = ERR_OK;
	off_t at = s->journal;

	buf_init(&b, JOURNAL_RECORD_MAX);
	for (;;) {
		char *lf = b.len ? memchr(b.data, '\n', b.len) : NULL;
		size_t n;

		/* a NUL before any LF: the end, as journal_write leaves it */
		if (!lf && b.len && memchr(b.data, '\0', b.len))
			break;
		if (!lf) {
			if (!read_more(fd, &b, at, &err))
				break;
			continue;
		}
		n = (size_t)(lf - b.data);
		if (!take_line(&r, b.data, n))
			break;
		buf_consume(&b, n + 1);
		at += (off_t)n + 1;
	}
	buf_free(&b);
	*end = at;
	return err;
}
