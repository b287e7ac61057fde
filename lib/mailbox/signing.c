/*
 * The file is read from its beginning for each search that uses it: that takes
 * a quarter of a microsecond a message, and whatever is wrong in it is seen.
 * Who makes signatures holds a lock on the file itself, so that there is one
 * maker a folder, and takes in what others wrote before. Nothing is synced: what
 * a power cut leaves fails its checksum, and what comes after it is made again.
 */
#include "mailbox/signing.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "imaptext/searched.h"
#include "index/lock.h"
#include "mailbox/opened.h"
#include "mime/part.h"

#define FRESH DISK_SIGNATURES DISK_NEW_SUFFIX
#define WASTE_MIN (1 << 20)		/* bytes not worth the work */
#define MESSAGE_MAX (4 * SIGNATURE_TEXT_MAX) /* larger ones are not signed */
#define WRITE_AT (256u << 10)

static bool has_bit(const uint64_t *bit, uint32_t i)
{
	return bit[i / 64] >> i % 64 & 1;
}

static void set_bit(uint64_t *bit, uint32_t i)
{
	bit[i / 64] |= UINT64_C(1) << i % 64;
}

bool excluded_has(const struct excluded *x, uint32_t seq)
{
	return has_bit(x->bit, seq - 1);
}

static bool describe(const struct mailbox *m, const struct entry *e,
		     struct signature_of *of)
{
	const char *name = entries_name(&m->x.t, e);

	if (!name)
		return false;
	*of = (struct signature_of){ m->x.f.head.uidvalidity, e->uid, e->size,
				     crc32c(0, name, e->nname) };
	return true;
}

/* The index of the message that S is of, if it is of any use here; *NEXT is where
 * it probably is. */
static bool find(const struct mailbox *m, const struct signature *s,
		 uint32_t *next, uint32_t *index)
{
	const struct table *t = &m->x.t;
	struct signature_of of;
	uint32_t i = *next;

	if (s->made_by != signature_maker(0))
		return false;
	if (i >= m->shown || entries_at(t, i)->uid != s->of.uid)
		i = entries_find(t, s->of.uid);
	if (i >= m->shown || entries_at(t, i)->state & ENTRY_GONE)
		return false;
	*next = i + 1;
	*index = i;
	return describe(m, entries_at(t, i), &of) && of.validity == s->of.validity &&
	       of.uid == s->of.uid && of.size == s->of.size &&
	       of.name == s->of.name;
}

/* The signatures in FD, which has SIZE: HAVE gets which messages have one, X[N]
 * what they say. Is the file worth its bytes, to its end? */
static bool read_all(const struct mailbox *m, int fd, off_t size,
		     uint64_t *have, struct excluded *x, size_t n)
{
	const struct signature *s;
	struct signature_walk w;
	uint32_t next = 0, i;
	off_t before = 0, used = 0;

	signature_walk(&w, fd);
	for (; (s = signature_next(&w)); before = w.at) {
		if (!find(m, s, &next, &i) || has_bit(have, i))
			continue;
		set_bit(have, i);
		used += w.at - before;
		for (size_t k = 0; k < n; k++)
			if (signature_lacks(s, &x[k].probe))
				set_bit(x[k].bit, i);
	}
	signature_walk_end(&w);
	return before >= size && size <= 2 * used + WASTE_MIN;
}

/* Reads the file FD, if it is not -1, and notes what is missing. */
static void look(struct mailbox *m, int fd, struct excluded *x, size_t n)
{
	uint64_t *have = mem_array(m->shown / 64 + 1, sizeof(*have));
	struct signing *g = &m->signing;
	struct stat st = { .st_size = 0 };
	uint32_t i;

	g->poor = fd >= 0 && fstat(fd, &st) == 0 &&
		  !read_all(m, fd, st.st_size, have, x, n);
	g->ino = st.st_ino;
	g->end = st.st_size;
	buf_free(&g->lacking);
	buf_init(&g->lacking, UINT32_MAX);
	for (i = 0; i < m->shown; i++)
		if (!has_bit(have, i))
			buf_put(&g->lacking, &entries_at(&m->x.t, i)->uid,
				sizeof(uint32_t));
	g->next = 0;
	g->upto = mailbox_uid(m, m->shown);
	free(have);
}

void mailbox_exclude(struct mailbox *m, struct excluded *x, size_t n)
{
	int fd = openat(m->x.f.dir, DISK_SIGNATURES,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	m->signing.wanted = true;
	look(m, fd, x, n);
	if (fd >= 0)
		close(fd);
}

/* Opens the file to write to it, alone. */
static int open_alone(const struct mailbox *m, int *out)
{
	struct stat have, now;
	int code, fd = lock_open(m->x.f.dir, DISK_SIGNATURES);

	*out = -1;
	if (fd < 0)
		return err_sys("open", DISK_SIGNATURES);
	code = lock_take(fd, 0);
	if (!code && (fstat(fd, &have) < 0 ||
		      fstatat(m->x.f.dir, DISK_SIGNATURES, &now,
			      AT_SYMLINK_NOFOLLOW) < 0 ||
		      have.st_ino != now.st_ino || !S_ISREG(have.st_mode)))
		code = err_set(ERR_BUSY, "another file took its place");
	if (code)
		close(fd);
	else
		*out = fd;
	return code;
}

/* Has the file another content than was seen? */
static bool is_news(const struct signing *g, int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || st.st_ino != g->ino ||
	       st.st_size != g->end;
}

static int copy_useful(const struct mailbox *m, int from, int to)
{
	const struct signature *s;
	struct signature_walk w;
	uint64_t *have = mem_array(m->shown / 64 + 1, sizeof(*have));
	uint32_t next = 0, i;
	struct buf out;
	int code = ERR_OK;

	buf_init(&out, WRITE_AT + SIGNATURE_MAX);
	signature_walk(&w, from);
	while (!code && (s = signature_next(&w))) {
		if (!find(m, s, &next, &i) || has_bit(have, i))
			continue;
		set_bit(have, i);
		buf_put(&out, s, sizeof(*s) + s->words * sizeof(uint64_t));
		if (out.len < WRITE_AT)
			continue;
		code = file_write(to, out.data, out.len);
		buf_reset(&out);
	}
	if (!code)
		code = file_write(to, out.data, out.len);
	signature_walk_end(&w);
	buf_free(&out);
	free(have);
	return code;
}

/* Writes what is of use in FD to a new file, which takes its place. */
static int write_anew(struct mailbox *m, int fd)
{
	int code, to;

	/* an unfinished one of before; if it stays, O_EXCL tells */
	err_ignore(unlinkat(m->x.f.dir, FRESH, 0));
	to = openat(m->x.f.dir, FRESH,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return err_sys("make", FRESH);
	code = copy_useful(m, fd, to);
	if (!code &&
	    renameat(m->x.f.dir, FRESH, m->x.f.dir, DISK_SIGNATURES) < 0)
		code = err_sys("rename", FRESH);
	if (code)
		err_ignore(unlinkat(m->x.f.dir, FRESH, 0)); /* or the next */
	close(to);
	return code;
}

/* The next message without a signature, or NULL. */
static const struct entry *next_lacking(struct mailbox *m)
{
	struct signing *g = &m->signing;
	const struct entry *e;
	uint32_t uid, i;

	while (g->next < g->lacking.len) {
		uid = *(const uint32_t *)(const void *)(g->lacking.data +
							 g->next);
		g->next += sizeof(uid);
		e = entries_get(&m->x.t, uid);
		if (e && !(e->state & ENTRY_GONE))
			return e;
	}
	for (i = entries_find(&m->x.t, g->upto + 1); i < m->shown; i++) {
		e = entries_at(&m->x.t, i);
		g->upto = e->uid;
		if (!(e->state & ENTRY_GONE))
			return e;
	}
	return NULL;
}

/* What signing needs for each message. */
struct desk {
	struct signer *signer;
	struct arena *arena;
	struct buf raw, header, body, out;
};

static void desk_begin(struct desk *d)
{
	d->signer = signer_new(signature_maker(0));
	d->arena = arena_new();
	buf_init(&d->raw, MESSAGE_MAX);
	buf_init(&d->header, SIGNATURE_TEXT_MAX);
	buf_init(&d->body, SIGNATURE_TEXT_MAX);
	buf_init(&d->out, WRITE_AT + SIGNATURE_MAX);
}

static void desk_end(struct desk *d)
{
	signer_free(&d->signer);
	arena_free(&d->arena);
	buf_free(&d->raw);
	buf_free(&d->header);
	buf_free(&d->body);
	buf_free(&d->out);
}

/* A message that cannot be read now gets none. */
static void sign(struct mailbox *m, const struct entry *e, struct desk *d)
{
	struct signature_of of;
	bool whole = e->size <= MESSAGE_MAX;

	if (!describe(m, e, &of))
		return;
	buf_reset(&d->raw);
	buf_reset(&d->header);
	buf_reset(&d->body);
	arena_reset(d->arena);
	if (whole && mailbox_raw(m, e, true, &d->raw) != ERR_OK)
		return;
	if (whole)
		whole = searched_text(&d->header, &d->body, d->raw.data,
				      mime_parse(d->arena, d->raw.data,
						 d->raw.len));
	signer_put(d->signer, &d->out, &of, &d->header, &d->body, whole);
}

static int append(struct signing *g, int fd, struct buf *out)
{
	int code = file_pwrite(fd, out->data, out->len, g->end);

	if (code)
		err_ignore(ftruncate(fd, g->end)); /* or it is seen as torn */
	else
		g->end += (off_t)out->len;
	buf_reset(out);
	return code;
}

static int sign_some(struct mailbox *m, int fd, int64_t ms, bool *more)
{
	int64_t until = clock_ms() + ms;
	const struct entry *e = NULL;
	struct desk d;
	int code = ERR_OK;

	desk_begin(&d);
	do {
		e = next_lacking(m);
		if (e)
			sign(m, e, &d);
		if (!e || d.out.len >= WRITE_AT || clock_ms() >= until)
			code = append(&m->signing, fd, &d.out);
	} while (!code && e && clock_ms() < until);
	if (!code && d.out.len > 0)
		code = append(&m->signing, fd, &d.out);
	*more = e != NULL;
	desk_end(&d);
	return code;
}

bool mailbox_sign(struct mailbox *m, int64_t ms)
{
	struct signing *g = &m->signing;
	bool more = false;
	int fd, code;

	if (!g->wanted || g->failed || m->x.renumbered)
		return false;
	code = open_alone(m, &fd);
	if (code) {
		g->failed = code != ERR_BUSY;
		return false;
	}
	if (g->poor || is_news(g, fd)) /* others may have been writing */
		look(m, fd, NULL, 0);
	if (g->poor)
		code = write_anew(m, fd);
	else
		code = sign_some(m, fd, ms, &more);
	more |= g->poor;
	close(fd);
	g->failed = code != ERR_OK;
	return more && !g->failed;
}
