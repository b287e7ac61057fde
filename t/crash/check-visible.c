/* What other programs see in the mailboxes before recovery. */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "maildir/name.h"
#include "t/crash/check.h"

static bool is_place(const char *name)
{
	return strcmp(name, "new") == 0 || strcmp(name, "cur") == 0;
}

/* Has it a name of ours that says another length? */
static bool is_short(const FTSENT *e)
{
	struct listing_file file;

	return e->fts_info == FTS_F && is_place(e->fts_parent->fts_name) &&
	       strstr(e->fts_name, ".posthorn,S=") &&
	       name_parse(e->fts_name, &file) &&
	       file.size > e->fts_statp->st_size;
}

bool check_visible(const char *top, char *why, size_t size)
{
	char *path = mem_printf("%s/mail", top);
	char *const paths[] = { path, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	bool good = true;
	FTSENT *e;

	while (walk && good && (e = fts_read(walk))) {
		good = !is_short(e);
		if (!good)
			snprintf(why, size,
				 "visible: %s has a name, and %lld bytes",
				 e->fts_name, (long long)e->fts_statp->st_size);
	}
	if (walk)
		fts_close(walk);
	free(path);
	return good;
}
