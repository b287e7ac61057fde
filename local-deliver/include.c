/*
 * :include: files. The file is read as the user responsible for the alias that
 * names it, never as root; it must be a regular file that nobody else can
 * write. If an alias of root names it, its commands run and its files are
 * written as its owner or, if that is root, as default_privs. If a user names
 * it, that is done as that user: including a file does not give the rights of
 * its owner.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "local-deliver/errand.h"
#include "local-deliver/plan.h"
#include "local-deliver/targets.h"

/* The owner comes before the targets, so that the child knows whose commands
 * they are. */
struct told_owner {
	uid_t uid;
};

static bool is_safe(int fd, const char *path, struct stat *st, struct buf *out)
{
	if (fstat(fd, st) < 0)
		targets_tell_fault(out, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st->st_mode))
		targets_tell_fault(out, "%s: is no regular file", path);
	else if (st->st_mode & S_IWOTH)
		targets_tell_fault(out, "%s: is writable by everybody", path);
	else
		return true;
	return false;
}

/* In the errand. */
static int read_include(void *context, int fd)
{
	const char *path = context;
	struct told_owner owner = { 0 };
	struct stat st = { 0 };
	struct buf out;
	int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	buf_init(&out, TARGETS_TOLD_MAX);
	if (file < 0)
		targets_tell_fault(&out, "%s: %s", path, strerror(errno));
	else if (!is_safe(file, path, &st, &out))
		;
	else if (st.st_size == 0) /* it may just be being written */
		targets_tell_fault(&out,
				   "%s: is empty (if nobody is meant, a "
				   "comment in it says so)",
				   path);
	else
		targets_tell(file, path, TARGETS_FILE_MAX, &out);
	owner.uid = st.st_uid;
	return file_write(fd, &owner, sizeof(owner)) ||
	       file_write(fd, out.data, out.len);
}

static bool use(struct recipient *r, const struct plan_source *from,
		const char *path, const struct buf *told)
{
	struct told_owner owner;
	struct alias_target *target;
	struct identity id;
	struct plan_source inner = { .name = from->name,
				     .who = from->who,
				     .includes = from->includes + 1,
				     .file = path };
	const char *why;
	size_t n;

	if (told->over || told->len < sizeof(owner)) {
		settle(r, RESULT_DEFERRED, "4.3.0", "local",
		       ":include:%s could not be read", path);
		r->result->flags = told->over ? 0 : RESULT_SOON;
		plan_part(r);
		return true;
	}
	memcpy(&owner, told->data, sizeof(owner));
	why = targets_hear(r->message->arena, told->data + sizeof(owner),
			   told->len - sizeof(owner), &target, &n);
	if (why) {
		settle(r, RESULT_DEFERRED, "4.3.5", "local", ":include:%s",
		       why);
		plan_part(r);
		return true;
	}
	if (from->by_root) {
		id = plan_owner(r, owner.uid);
		inner.who = &id;
		inner.by_root = owner.uid == 0;
	}
	return plan_add(r, &inner, target, n);
}

bool plan_include(struct recipient *r, const struct plan_source *from,
		  const char *path)
{
	/* an errand must not change its context */
	char *copy = arena_strdup(r->message->arena, path);
	struct buf told;
	bool good;

	if (from->includes == PLAN_INCLUDES_MAX)
		return plan_refuse(r, arena_printf(r->message->arena,
						   ":include:%s", path),
				   "files within each other");
	/* each may name many, and so may those: depth alone is no bound */
	if (r->plan->nfiles++ == PLAN_FILES_MAX)
		return plan_refuse(r, arena_printf(r->message->arena,
						   ":include:%s", path),
				   "files for one recipient");
	buf_init(&told, TARGETS_TOLD_MAX + sizeof(struct told_owner));
	if (errand_run(from->who, -1, read_include, copy, &told) < 0)
		buf_reset(&told);
	good = use(r, from, path, &told);
	buf_free(&told);
	return good;
}
