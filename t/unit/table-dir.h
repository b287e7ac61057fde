/* For the tests of tables: a folder of its own, and files in it. */
#ifndef T_UNIT_TABLE_DIR_H
#define T_UNIT_TABLE_DIR_H

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

static char dir[] = "/tmp/posthorn-table.XXXXXX";

static char *put_file(const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", dir, name);

	err_ignore(file_replace(path, 0644, text, strlen(text)));
	return path;
}

static void remove_dir(void)
{
	char *clean = mem_printf("rm -rf %s", dir);

	ok(system(clean) == 0, "cleaned up");
	free(clean);
}

#endif
