/*
 * Superblocks: one line of text within one sector, with its own checksum. Two
 * things are written into the sector later, each with one small write that the
 * sum does not cover: `freed` over the first word when the message is done,
 * and `promised` at the end when it has to wait. So a sector is always in one
 * of a few states; anything else is damage, or another version.
 */
#include "queue/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"

#define MAGIC_SIZE 8
#define BLOCK 4096 /* of a file system: less is not given back */
#define OFFSET_MAX ((off_t)1 << 50)

static const char magic_used[] = "posthorn";
static const char magic_freed[] = "freed   ";

/* The mark that the message was promised: at the end of the superblock's
 * sector, which the sum does not cover. */
#define MARK_AT (SLOT_SUPER - 16)
#define MARK_SIZE 8

static const char mark_promised[] = "promised";

off_t slot_half(uint32_t generation)
{
	return generation & 1 ? SLOT_HALF : 0;
}

off_t slot_journal_after(off_t end)
{
	return (end + SLOT_SUPER - 1) / SLOT_SUPER * SLOT_SUPER;
}

off_t slot_journal_limit(const struct slot_super *s)
{
	return s->journal >= SLOT_SIZE ? 0
				       : slot_half(s->generation) + SLOT_HALF;
}

void slot_super_write(char out[SLOT_SUPER], const struct slot_super *s)
{
	int n, body;

	memset(out, ' ', SLOT_SUPER);
	memcpy(out, s->freed ? magic_freed : magic_used, MAGIC_SIZE);
	body = snprintf(out + MAGIC_SIZE, SLOT_SUPER - MAGIC_SIZE,
			" 1 %" PRIu32 " %s content %jd %jd envelope %jd %jd "
			"journal %jd key %016" PRIx64 " crc %08" PRIx32,
			s->generation, s->id, (intmax_t)s->content,
			(intmax_t)s->length, (intmax_t)s->envelope,
			(intmax_t)s->envelope_length, (intmax_t)s->journal,
			s->key, s->crc);
	n = MAGIC_SIZE + body;
	n += snprintf(out + n, (size_t)(SLOT_SUPER - n), " sum %08" PRIx32,
		      crc32c(0, out + MAGIC_SIZE, (size_t)body));
	out[n] = ' ';
	if (s->promised)
		memcpy(out + MARK_AT, mark_promised, MARK_SIZE);
	out[SLOT_SUPER - 1] = '\n';
}

/* Are the places possible? All is in one half, or all is behind the halves. */
static bool is_possible(const struct slot_super *s)
{
	off_t half = slot_half(s->generation), begin, end;

	/* behind the halves there may be room before the content */
	begin = s->content >= SLOT_SIZE ? s->content : half + SLOT_SUPER;
	end = s->content >= SLOT_SIZE ? OFFSET_MAX : half + SLOT_HALF;
	return s->generation > 0 && s->content == begin &&
	       s->content <= SLOT_SIZE + SLOT_HEAD_ROOM && s->length >= 0 &&
	       s->length < OFFSET_MAX &&
	       s->envelope == s->content + s->length &&
	       s->envelope_length >= 0 &&
	       s->envelope_length <= SLOT_ENVELOPE_MAX &&
	       s->journal ==
		       slot_journal_after(s->envelope + s->envelope_length) &&
	       s->journal < end;
}

/* Splits TEXT at its blanks into WORD[N], exactly. */
static bool split(char *text, char *word[], size_t n)
{
	size_t i = 0;

	for (char *w; (w = strsep(&text, " ")) != NULL; i++) {
		if (i == n)
			return false;
		word[i] = w;
	}
	return i == n;
}

static bool get_off(const char *word, off_t *value)
{
	int64_t v;

	if (!str_to_int(word, 0, OFFSET_MAX, &v))
		return false;
	*value = (off_t)v;
	return true;
}

static bool get_hex(const char *word, size_t digits, uint64_t *value)
{
	if (strlen(word) != digits ||
	    strspn(word, "0123456789abcdef") != digits)
		return false;
	return sscanf(word, "%" SCNx64, value) == 1;
}

/* The words after the magic, up to the sum: " 1 7 ID content 512 90 …". */
static bool parse(char *text, struct slot_super *s)
{
	char *w[16];
	int64_t generation;
	uint64_t crc;

	if (!split(text, w, 16) ||
	    !str_to_int(w[2], 1, UINT32_MAX, &generation) ||
	    !str_copy(s->id, sizeof(s->id), w[3]) ||
	    !get_off(w[5], &s->content) || !get_off(w[6], &s->length) ||
	    !get_off(w[8], &s->envelope) ||
	    !get_off(w[9], &s->envelope_length) ||
	    !get_off(w[11], &s->journal) || !get_hex(w[13], 16, &s->key) ||
	    !get_hex(w[15], 8, &crc))
		return false;
	s->generation = (uint32_t)generation;
	s->crc = (uint32_t)crc;
	return true;
}

static bool is_zero(const char *data, size_t n)
{
	return n == 0 || (data[0] == 0 && memcmp(data, data + 1, n - 1) == 0);
}

/* Ends the line after the magic before its sum, in place, if that is right. */
static char *check_sum(char *body)
{
	char *sum = strstr(body, " sum ");
	uint64_t value;

	if (!sum)
		return NULL;
	sum[13] = '\0';
	if (!get_hex(sum + 5, 8, &value) ||
	    crc32c(0, body, (size_t)(sum - body)) != value)
		return NULL;
	*sum = '\0';
	return body;
}

/* The id in a superblock whose sum is wrong: for the log. */
static void guess_id(const char *body, char id[QUEUE_ID_SIZE])
{
	uint32_t slot;

	if (sscanf(body, " %*s %*s %17s", id) != 1 || !queue_id_slot(id, &slot))
		id[0] = '\0';
}

int slot_super_read(const char data[SLOT_SUPER], struct slot_super *s)
{
	char text[SLOT_SUPER + 16], *body = text + MAGIC_SIZE;

	*s = (struct slot_super){ .freed = false };
	if (is_zero(data, SLOT_SUPER))
		return ERR_NOT_FOUND;
	memset(text, 0, sizeof(text));
	memcpy(text, data, SLOT_SUPER);
	guess_id(body, s->id);
	s->freed = memcmp(text, magic_freed, MAGIC_SIZE) == 0;
	s->promised = memcmp(text + MARK_AT, mark_promised, MARK_SIZE) == 0;
	if (!s->freed && memcmp(text, magic_used, MAGIC_SIZE) != 0)
		return err_set(ERR_CORRUPT, "a superblock without its name");
	if (!check_sum(body))
		return err_set(ERR_CORRUPT,
			       "a superblock with a wrong checksum");
	if (strncmp(body, " 1 ", 3) != 0)
		return err_set(ERR_UNSUPPORTED, "format version%.*s",
			       (int)strcspn(body + 1, " ") + 1, body);
	if (!parse(body, s) || !is_possible(s))
		return err_set(ERR_CORRUPT, "a superblock that makes no sense");
	return ERR_OK;
}

bool slot_was_read(int code)
{
	return code == ERR_OK || code == ERR_NOT_FOUND || code == ERR_CORRUPT ||
	       code == ERR_SYNTAX || code == ERR_UNSUPPORTED;
}

/* Reads a superblock; bytes beyond the end of the file count as zeros. */
static int read_sector(int fd, off_t at, char data[SLOT_SUPER])
{
	size_t n = 0;

	memset(data, 0, SLOT_SUPER);
	while (n < SLOT_SUPER) {
		ssize_t got =
			pread(fd, data + n, SLOT_SUPER - n, at + (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys("read", "a superblock");
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return ERR_OK;
}

int slot_super_at(int fd, uint32_t generation, struct slot_super *s)
{
	char data[SLOT_SUPER];
	int err = read_sector(fd, slot_half(generation), data);

	if (!err)
		err = slot_super_read(data, s);
	if (!err && slot_half(s->generation) != slot_half(generation))
		return err_set(
			ERR_CORRUPT,
			"a superblock in the wrong half");
	return err;
}

int slot_super_find(int fd, struct slot_super *s)
{
	struct slot_super even, odd;
	int e = slot_super_at(fd, 0, &even), o = slot_super_at(fd, 1, &odd);

	if (!slot_was_read(e))
		return e;
	if (!slot_was_read(o))
		return o;
	if (e && o)
		return ERR_NOT_FOUND;
	*s = o || (!e && even.generation > odd.generation) ? even : odd;
	return ERR_OK;
}

int slot_verify(int fd, const struct slot_super *s)
{
	char data[65536];
	off_t at = s->content, end = s->envelope + s->envelope_length;
	uint32_t crc = 0;

	while (at < end) {
		size_t n = end - at < (off_t)sizeof(data) ? (size_t)(end - at)
							  : sizeof(data);
		int err = file_pread(fd, data, n, at);

		if (err == ERR_EOF)
			return err_set(ERR_CORRUPT, "the file is cut short");
		if (err)
			return err_sys("read", "content and envelope");
		crc = crc32c(crc, data, n);
		at += (off_t)n;
	}
	if (crc != s->crc)
		return err_set(ERR_CORRUPT, "content or envelope is damaged");
	return ERR_OK;
}

static int mark(int fd, const char *text, size_t n, off_t at)
{
	return file_pwrite(fd, text, n, at) ? err_sys("write", "a superblock")
					    : ERR_OK;
}

int slot_mark_freed(int fd, const struct slot_super *s)
{
	return mark(fd, magic_freed, MAGIC_SIZE, slot_half(s->generation));
}

int slot_mark_promised(int fd, const struct slot_super *s)
{
	return mark(fd, mark_promised, MARK_SIZE,
		    slot_half(s->generation) + MARK_AT);
}

static void punch(int fd, off_t from, off_t to)
{
	if (to > from &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
		      to - from) < 0)
		return; /* the space stays taken: no harm */
}

void slot_trim(int fd, const struct slot_super *s, off_t used)
{
	off_t half = slot_half(s->generation);

	punch(fd, BLOCK, half);
	if (s->content >= SLOT_SIZE)
		punch(fd, half + BLOCK, SLOT_SIZE);
	if (ftruncate(fd, slot_journal_after(used)) < 0)
		return;
}
