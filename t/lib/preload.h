/* Libraries of ours that a test has loaded into the programs. */
#ifndef T_LIB_PRELOAD_H
#define T_LIB_PRELOAD_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The absolute path of BUILD/t/lib/NAME.so, beside the PROGRAM (argv[0]) in
 * BUILD/t/unit; free() it. NULL if it is not there. */
static inline char *preload_library(const char *program, const char *name)
{
	const char *slash = strrchr(program, '/');
	char *path = mem_printf("%.*s/../lib/%s.so",
				slash ? (int)(slash - program) : 1,
				slash ? program : ".", name);
	char *whole = realpath(path, NULL);

	free(path);
	return whole;
}

#endif
