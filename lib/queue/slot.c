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
#define OFFSET_MAX ((off_t)1 << 50)

static const char magic_used[] = "posthorn";
static const char magic_freed[] = "freed   ";

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
	out[SLOT_SUPER - 1] = '\n';
}

/* Are the places possible? A half holds all, or all is behind the halves. */
static bool is_possible(const struct slot_super *s)
{
	off_t half = slot_half(s->generation), begin, end;

	begin = s->content >= SLOT_SIZE ? SLOT_SIZE : half + SLOT_SUPER;
	end = s->content >= SLOT_SIZE ? OFFSET_MAX : half + SLOT_HALF;
	return s->generation > 0 && s->content == begin && s->length >= 0 &&
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
	int64_t version, generation;
	uint64_t crc;

	if (!split(text, w, 16) || !str_to_int(w[1], 1, 1, &version) ||
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

int slot_super_read(const char data[SLOT_SUPER], struct slot_super *s)
{
	char text[SLOT_SUPER + 16], *body = text + MAGIC_SIZE, *sum;
	uint64_t value;

	memset(text, 0, sizeof(text));
	memcpy(text, data, SLOT_SUPER);
	*s = (struct slot_super){ .freed = memcmp(text, magic_freed,
						  MAGIC_SIZE) == 0 };
	if (!s->freed && memcmp(text, magic_used, MAGIC_SIZE) != 0)
		return ERR_CORRUPT;
	sum = strstr(body, " sum ");
	if (!sum)
		return ERR_CORRUPT;
	sum[13] = '\0';
	if (!get_hex(sum + 5, 8, &value) ||
	    crc32c(0, body, (size_t)(sum - body)) != value)
		return ERR_CORRUPT;
	*sum = '\0';
	return parse(body, s) && is_possible(s) ? ERR_OK : ERR_CORRUPT;
}

int slot_super_at(int fd, uint32_t generation, struct slot_super *s)
{
	char data[SLOT_SUPER];
	int err = file_pread(fd, data, sizeof(data), slot_half(generation));

	if (err == ERR_EOF)
		return ERR_CORRUPT;
	if (err)
		return err;
	err = slot_super_read(data, s);
	/* a superblock in the half where it does not belong is a stray */
	if (!err && slot_half(s->generation) != slot_half(generation))
		return ERR_CORRUPT;
	return err;
}

int slot_super_find(int fd, struct slot_super *s)
{
	struct slot_super even, odd;
	int e = slot_super_at(fd, 0, &even), o = slot_super_at(fd, 1, &odd);

	if ((e && e != ERR_CORRUPT) || (o && o != ERR_CORRUPT))
		return ERR_IO;
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

		if (err)
			return err == ERR_EOF ? ERR_CORRUPT : err;
		crc = crc32c(crc, data, n);
		at += (off_t)n;
	}
	return crc == s->crc ? ERR_OK : ERR_CORRUPT;
}

int slot_mark_freed(int fd, const struct slot_super *s)
{
	return file_pwrite(fd, magic_freed, MAGIC_SIZE,
			   slot_half(s->generation));
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

	punch(fd, 0, half);
	if (s->content >= SLOT_SIZE)
		punch(fd, half + 4096, SLOT_SIZE);
	if (ftruncate(fd, slot_journal_after(used)) < 0)
		return;
}
