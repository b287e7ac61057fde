#include "mailbox/warned.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "mailbox/private.h"

#define LEVEL_MAX 1000

unsigned store_level(struct store *s)
{
	char text[16] = "";
	int64_t value = 0;
	ssize_t n = -1;
	int fd = openat(s->dir, DISK_WARNED,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0 || !str_span_to_int(text, strcspn(text, "\n"), 0, LEVEL_MAX,
				       &value))
		return 0;
	return (unsigned)value;
}

int store_note_level(struct store *s, unsigned level)
{
	char text[16];
	int code = store_lock(s), n;

	if (code)
		return code;
	n = snprintf(text, sizeof(text), "%u\n", level);
	code = store_replace_file(s->dir, DISK_WARNED, text, (size_t)n);
	store_unlock(s);
	return code;
}
