/*
 * Which mutant a program is (t/crash/mutants.py): MUTANT in the environment.
 * MUTANT_TRACE names a file that has a byte for each; those that are reached
 * are set there.
 */
#include "base/mutant.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int chosen = -1;
static unsigned char *reached;

__attribute__((constructor)) static void begin(void)
{
	const char *number = getenv("MUTANT"), *trace = getenv("MUTANT_TRACE");
	int fd = trace ? open(trace, O_RDWR | O_CLOEXEC) : -1;
	struct stat st;

	if (number)
		chosen = atoi(number);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		reached = mmap(NULL, (size_t)st.st_size, PROT_WRITE, MAP_SHARED,
			       fd, 0);
	if (reached == MAP_FAILED)
		reached = NULL;
	close(fd);
}

bool mutant_is(int number)
{
	if (reached)
		reached[number] = 1;
	return number == chosen;
}
