#include "mailbox/twin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "log/log.h"
#include "mailbox/opened.h"

#define AT_ONCE_MS 1000
#define WRITING 3 /* seconds since its last change; cp(1) may still write */
#define PIECE 32768

struct side {
	int fd;
	struct stat st;
};

void twins_begin(struct twins *t, struct messages *ms)
{
	t->ms = ms;
	t->until = clock_ms() + AT_ONCE_MS;
}

static bool look(struct messages *ms, const struct message_ref *r,
		 struct side *side)
{
	side->fd = -1;
	return messages_open(ms, r, &side->fd) == ERR_OK &&
	       fstat(side->fd, &side->st) == 0 && S_ISREG(side->st.st_mode);
}

static void end(struct side *side)
{
	if (side->fd >= 0)
		close(side->fd);
}

static bool same_file(const struct side *a, const struct side *b)
{
	return a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino;
}

/* Is the file that WAS now under the name R? */
static bool is_at(struct messages *ms, const struct message_ref *r,
		  const struct side *was)
{
	struct side now;
	bool is = look(ms, r, &now) && same_file(&now, was);

	end(&now);
	return is;
}

static int same_bytes(const struct side *a, const struct side *b, bool *same)
{
	char x[PIECE], y[PIECE];
	off_t at = 0, size = a->st.st_size;
	int code = ERR_OK;

	*same = size == b->st.st_size;
	while (!code && *same && at < size) {
		size_t n = size - at > PIECE ? PIECE : (size_t)(size - at);

		code = file_pread(a->fd, x, n, at);
		if (!code)
			code = file_pread(b->fd, y, n, at);
		*same = !code && memcmp(x, y, n) == 0;
		at += (off_t)n;
	}
	return code;
}

/* A name that no file has: if one has, the rename says so. */
static void new_base(char out[MESSAGE_BASE_MAX + 1])
{
	static unsigned count;
	int64_t now = clock_wall_us();

	snprintf(out, MESSAGE_BASE_MAX + 1,
		 "%" PRId64 ".M%06" PRId64 "P%dQ%u.posthorn-twin",
		 now / 1000000, now % 1000000, (int)getpid(), ++count);
}

/* TWIN gets a base of its own. SAME: and is removed, if it is what was compared
 * and the other is still there, whatever other programs do meanwhile. */
static int part(struct messages *ms, const struct message_ref *keep,
		const struct side *kept, const struct message_ref *twin,
		const struct side *other, bool same)
{
	char base[MESSAGE_BASE_MAX + 1];
	struct message_ref to = *twin;
	int code;

	new_base(base);
	to.base = base;
	to.nbase = strlen(base);
	to.raw = NULL;
	code = messages_rename(ms, twin, &to);
	if (code)
		return code;
	if (same && is_at(ms, &to, other) && is_at(ms, keep, kept)) {
		log_info("mailbox: a copy of %.*s is removed",
			 (int)keep->nbase, keep->base);
		return messages_remove(ms, &to);
	}
	log_warn("mailbox: another file was called %.*s: now %s",
		 (int)twin->nbase, twin->base, base);
	return ERR_OK;
}

/* Both are open. */
static bool judge(struct messages *ms, const struct message_ref *keep,
		  const struct side *a, const struct message_ref *twin,
		  const struct side *b)
{
	bool same = same_file(a, b);

	/* it was renamed while we looked, or while it was listed */
	if (same && (a->st.st_nlink < 2 || !is_at(ms, keep, a)))
		return false;
	if (!same && same_bytes(a, b, &same) != ERR_OK)
		return false;
	if (!same && (mailbox_written_lately(a->st.st_ctime, WRITING) ||
		      mailbox_written_lately(b->st.st_ctime, WRITING)))
		return false;
	return part(ms, keep, a, twin, b, same) == ERR_OK;
}

bool twins_part(struct twins *t, const struct message_ref *keep,
		const struct message_ref *twin)
{
	struct side a = { .fd = -1 }, b = { .fd = -1 };
	bool done = false;

	if (clock_ms() < t->until && look(t->ms, keep, &a) &&
	    look(t->ms, twin, &b))
		done = judge(t->ms, keep, &a, twin, &b);
	end(&a);
	end(&b);
	return done;
}
