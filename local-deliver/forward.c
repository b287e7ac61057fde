#include "local-deliver/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "local-deliver/targets.h"
#include "log/log.h"

/* Anyone who can write the file can take the user's mail and run commands as
 * the user: only the user, the user's own group, and root may. */
static bool others_write(const struct stat *st)
{
	return (st->st_mode & S_IWOTH) ||
	       ((st->st_mode & S_IWGRP) && st->st_gid != getegid());
}

/* Anyone who can write the folder can put another file of the user in its
 * place. NULL, or what is wrong. */
static const char *unsafe_folder(const char *home)
{
	struct stat st;

	if (stat(home, &st) < 0)
		return strerror(errno);
	return others_write(&st) && !(st.st_mode & S_ISVTX)
		       ? "is writable by others"
		       : NULL;
}

static bool is_safe(int fd, const char *path, const char *home, struct buf *out)
{
	const char *wrong = unsafe_folder(home);
	struct stat st;

	if (fstat(fd, &st) < 0)
		targets_tell_fault(out, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		targets_tell_fault(out, "%s: is no regular file", path);
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		targets_tell_fault(out, "%s: belongs to somebody else", path);
	else if (others_write(&st))
		targets_tell_fault(out, "%s: is writable by others", path);
	else if (wrong)
		targets_tell_fault(out, "%s: the folder %s: %s", path, home,
				   wrong);
	else
		return true;
	return false;
}

/* Reports the content of the file PATH in HOME. False if it is missing. */
static bool tell_forward(const char *path, const char *home, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return false;
	if (fd < 0)
		targets_tell_fault(out, "%s: %s", path, strerror(errno));
	else if (is_safe(fd, path, home, out))
		targets_tell(fd, path, WORKER_FORWARD_MAX, out);
	if (fd >= 0)
		close(fd);
	return true;
}

/* ~/.forward+extension, then ~/.forward, as in Postfix. */
static bool find_forward(const struct worker_request *q, struct buf *out)
{
	char *path;
	bool found = false;

	if (*q->extension && !strchr(q->extension, '/')) {
		path = mem_printf("%s/.forward+%s", q->home, q->extension);
		found = tell_forward(path, q->home, out);
		free(path);
	}
	if (found)
		return true;
	path = mem_printf("%s/.forward", q->home);
	found = tell_forward(path, q->home, out);
	free(path);
	return found;
}

bool forward_found(const struct worker_request *q, struct buf *out)
{
	if (!find_forward(q, out) || out->len == 0)
		return false;
	if (*out->data != TARGETS_FAULT)
		return true;
	log_warn("%s: %s; delivered to the mailbox instead",
		 q->delivery.queue_id, out->data + 1);
	return false;
}
