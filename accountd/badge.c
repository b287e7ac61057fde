#include "accountd/badge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"

#define KEY SEAL_SIZE

static struct {
	struct seal key;
} self;

/* One of zeros is what a crash may leave, and anybody would know it. */
static bool is_key(const struct buf *b)
{
	static const char zeros[KEY];

	return b->len == KEY && memcmp(b->data, zeros, KEY) != 0;
}

/* ERR_NOT_FOUND: there is none. ERR_CORRUPT: what is there is none. Others: it
 * cannot be read now, and may be one. */
static int read_key(const char *path)
{
	struct buf b;
	int code;

	buf_init(&b, KEY);
	code = file_read(path, &b);
	if (code == ERR_TOO_LONG || code == ERR_UNSUPPORTED ||
	    (!code && !is_key(&b)))
		code = err_set(ERR_CORRUPT, "%s is no key", path);
	if (!code)
		memcpy(self.key.byte, b.data, KEY);
	mem_wipe(b.data, b.len);
	buf_free(&b);
	return code;
}

/* FRESH could not become PATH, where there is a file. */
static int replace_key(const char *fresh, const char *path)
{
	int code = read_key(path);

	if (code == ERR_CORRUPT)
		code = rename(fresh, path) < 0 ? err_sys("replace", path)
					       : ERR_OK;
	return code;
}

/* Another instance may do the same: what is at PATH then counts, if it is a
 * key. */
static int write_key(const char *path)
{
	char *fresh = mem_printf("%s.%ld", path, (long)getpid());
	int fd, code;

	err_ignore(unlink(fresh)); /* of a process that had our number */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	code = fd < 0 ? err_sys("make", fresh) : file_write(fd, self.key.byte, KEY);
	if (!code && fsync(fd) < 0)
		code = err_sys("sync", fresh);
	if (fd >= 0)
		close(fd);
	if (!code && link(fresh, path) < 0)
		code = errno == EEXIST ? replace_key(fresh, path)
				       : err_sys("make", path);
	if (fd >= 0)
		err_ignore(unlink(fresh)); /* renamed, or of no use */
	free(fresh);
	return code;
}

/* The kernel numbers sockets anew after each boot. */
static void bind_to_boot(void)
{
	const struct seal kept = self.key;
	struct buf boot;
	int code;

	buf_init(&boot, 100);
	code = file_read("/proc/sys/kernel/random/boot_id", &boot);
	if (code)
		log_die(EX_OSERR, "cannot tell one boot from another: %s",
			err_why(code));
	if (!seal_make(&kept, "boot", boot.data, boot.len, &self.key))
		log_die(EX_OSERR, "cannot make a key for this boot");
	buf_free(&boot);
}

static void make_key(void)
{
	if (getrandom(self.key.byte, KEY, 0) != KEY)
		log_die(EX_OSERR, "no randomness: %m");
}

void badge_begin(const char *dir)
{
	char *path = mem_printf("%s/key", dir);
	int code = read_key(path);

	if (code)
		make_key();
	if (code == ERR_CORRUPT)
		log_warn("%s, and is replaced: sessions of before lose the "
			 "folders of other users",
			 err_why(code));
	if (code == ERR_NOT_FOUND || code == ERR_CORRUPT)
		code = write_key(path);
	if (code)
		log_warn("sessions will lose the folders of other users when "
			 "accountd restarts: %s",
			 err_why(code));
	bind_to_boot();
	free(path);
}

bool badge_make(const char *kind, const char *user, int fd,
		char seal[BADGE_SIZE])
{
	uint64_t cookie;
	struct seal mac;
	char text[1024];
	struct buf b;
	int len;

	if (!seal_cookie(fd, &cookie))
		return false;
	/* a cookie has no space */
	len = snprintf(text, sizeof(text), "%" PRIu64 " %s", cookie, user);
	if (len < 0 || (size_t)len >= sizeof(text) ||
	    !seal_make(&self.key, kind, text, (size_t)len, &mac))
		return false;
	buf_init(&b, BADGE_SIZE);
	encode_hex(&b, mac.byte, SEAL_SIZE);
	memcpy(seal, b.data, BADGE_SIZE);
	buf_free(&b);
	return true;
}

const struct seal *badge_key(void)
{
	return &self.key;
}

bool badge_holds(const char *kind, const char *user, int fd, const char *seal)
{
	char right[BADGE_SIZE];

	return badge_make(kind, user, fd, right) &&
	       strlen(seal) == BADGE_SIZE - 1 &&
	       !mem_differ(right, seal, BADGE_SIZE - 1);
}
