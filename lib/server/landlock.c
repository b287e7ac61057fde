#include "server/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

#define WRITING                                                          \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |  \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM)

#define OTHERS                                                         \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |   \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK)

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

/* The kernel's struct as of version 6; older ones are told of its beginning. */
struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scoped;
};
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)
#define SCOPES_VERSION 6

/* Before version 3 nothing refuses truncate(2) but the filter (sandbox.c). */
static uint64_t truncating(void)
{
	return landlock_version() >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
}

/* Version 2 is needed to link and rename between directories. */
static uint64_t referring(void)
{
	return landlock_version() >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
}

int landlock_version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
			    LANDLOCK_CREATE_RULESET_VERSION);
}

int landlock_begin(void)
{
	const int version = landlock_version();
	/* nor may it signal processes, or reach abstract sockets, that are not
	 * confined with it */
	struct ruleset attr = {
		.files = READING | WRITING | OTHERS | referring() |
			 truncating(),
		.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL,
	};
	size_t size = version >= SCOPES_VERSION ? sizeof(attr)
						: sizeof(attr.files);

	/* version 1 refuses every link and rename between directories,
	 * which a Maildir needs */
	if (version < 2)
		return -1;
	return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

/* Allows ACCESS below PATH. */
static bool add(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr attr = {
		.allowed_access = access,
		.parent_fd = open(path, O_PATH | O_CLOEXEC)
	};
	bool done;

	if (attr.parent_fd < 0)
		return false;
	done = syscall(SYS_landlock_add_rule, ruleset,
		       LANDLOCK_RULE_PATH_BENEATH, &attr, 0) == 0;
	close(attr.parent_fd);
	return done;
}

bool landlock_add(int ruleset, const char *dir, bool writable)
{
	return add(ruleset, dir,
		   READING | (writable ? WRITING | referring() | truncating() :
					 0));
}

bool landlock_add_program(int ruleset, const char *path)
{
	const uint64_t file =
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;

	/* of a file more cannot be allowed */
	return add(ruleset, path, file | LANDLOCK_ACCESS_FS_READ_DIR) ||
	       add(ruleset, path, file);
}

bool landlock_enter(int ruleset)
{
	bool done = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		    syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;

	close(ruleset);
	return done;
}
