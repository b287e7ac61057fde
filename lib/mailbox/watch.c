#include "mailbox/watch.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/str.h"
#include "index/folder.h"
#include "mailbox/private.h"
#include "maildir/maildir.h"

bool watch_id(int handle, struct folder_id *id)
{
	struct stat st;

	if (fstat(handle, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	*id = folder_id_of(&st);
	return true;
}

bool watch_place(int handle, unsigned i, char *path, size_t size)
{
	static const char *const places[WATCH_PLACES] = MAILDIR_PLACES;
	int n;

	if (i >= WATCH_PLACES)
		return false;
	n = snprintf(path, size, "/proc/self/fd/%d/%s", handle, places[i]);
	return n > 0 && (size_t)n < size;
}

bool watch_names_place(int handle, char *path, size_t size)
{
	int n = snprintf(path, size, "/proc/self/fd/%d/.", handle);

	return n > 0 && (size_t)n < size;
}

bool watch_is_of_names(const char *name)
{
	return name[0] == '.' || str_equal(name, DISK_SUBSCRIPTIONS);
}
