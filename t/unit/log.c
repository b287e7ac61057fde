/* The lines of log/log.h. */
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static char path[] = "/tmp/posthorn-log.XXXXXX";

/* Is the last line PROGRAM[our pid]: TEXT? */
static bool last_is(const char *text)
{
	char line[200] = "", want[200];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		;
	if (f)
		fclose(f);
	snprintf(want, sizeof(want), " log[%ld]: %s\n", (long)getpid(), text);
	return strlen(line) > strlen(want) &&
	       strcmp(line + strlen(line) - strlen(want), want) == 0;
}

static bool log_and_look(void)
{
	log_info("here");
	return last_is("here");
}

/* In a child of ours, after DEPTH - 1 others. */
static bool look_in_child(int depth)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(!(log_and_look() &&
			(depth == 1 || look_in_child(depth - 1))));
	return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0 || !log_open("log", path))
		return 1;
	close(fd);
	ok(log_and_look(), "a line has our pid");
	ok(look_in_child(2), "those of a child, and of its child, have theirs");
	ok(log_and_look(), "ours afterwards has ours");
	unlink(path);
	return done();
}
