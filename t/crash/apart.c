#include "t/crash/apart.h"

#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "t/crash/base.h"
#include "t/crash/check.h"

#define SECONDS 600 /* recovery hangs: much, for machines that are busy */
#define TWICE 3	    /* exit code */

const char *const said_text[SAIDS] = {
	[SAID_TORN] = "not written to its end before a crash",
	[SAID_UNFINISHED] = "of an unfinished record cut off",
	[SAID_REMOVED] = "removed",
};

static void give_up(const char *what)
{
	perror(what);
	exit(2);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

void apart_remove(const char *top)
{
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static _Noreturn void check(struct facts *f, const char *top, int out, int log)
{
	char why[WHY_SIZE] = "";
	bool good;

	dup2(log, STDERR_FILENO);
	alarm(SECONDS);
	good = check_state(f, top, why, sizeof(why));
	if (write(out, why, strlen(why)) < 0)
		_exit(2);
	_exit(!good ? 1 : facts_twice(f) ? TWICE : 0);
}

/* Which lines are in the LOG. */
static void read_log(int log, struct verdict *v)
{
	FILE *in = lseek(log, 0, SEEK_SET) < 0 ? NULL : fdopen(log, "r");
	char line[1024];

	while (in && fgets(line, sizeof(line), in))
		for (int i = 0; i < SAIDS; i++)
			if (strstr(line, said_text[i])) {
				v->said[i]++;
				break;
			}
	if (in)
		fclose(in);
}

void apart_check(struct facts *f, const char *top, struct verdict *v)
{
	int pipes[2], status = 0, log = memfd_create("log", MFD_CLOEXEC);
	ssize_t n;
	pid_t pid;

	*v = (struct verdict){ .good = false };
	if (log < 0 || pipe(pipes) < 0)
		give_up("crash-check: pipe");
	pid = fork();
	if (pid == 0)
		check(f, top, pipes[1], log);
	close(pipes[1]);
	n = read(pipes[0], v->why, WHY_SIZE - 1);
	v->why[n > 0 ? n : 0] = '\0';
	close(pipes[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		give_up("crash-check: fork");
	read_log(log, v);
	if (!WIFEXITED(status))
		snprintf(v->why, WHY_SIZE, "recovery ended with signal %d",
			 WTERMSIG(status));
	v->twice = WIFEXITED(status) && WEXITSTATUS(status) == TWICE;
	v->good = WIFEXITED(status) && (v->twice || WEXITSTATUS(status) == 0);
}

/* record.so is beside this program. */
static _Noreturn void run_recorded(const char *program, const char *words,
				   const char *top, const char *record)
{
	int null = open("/dev/null", O_WRONLY);
	char *self = realpath(program, NULL);
	char *copy = self ? mem_strdup(self) : NULL;

	if (!copy || null < 0)
		_exit(2);
	dup2(null, STDERR_FILENO);
	setenv("LD_PRELOAD", mem_printf("%s/record.so", dirname(copy)), 1);
	setenv("CRASH_RECORD", record, 1);
	setenv("CRASH_RECORD_ALL", "1", 1);
	setenv("CRASH_TREES",
	       mem_printf("%s/spool:%s/mail:%s/accountd:%s/tls-policy", top,
			  top, top, top),
	       1);
	alarm(SECONDS);
	if (words)
		execl(self, self, "-q", words, "-r", top, (char *)NULL);
	execl(self, self, "-r", top, (char *)NULL);
	_exit(2);
}

int apart_record(const char *program, const char *words, const char *top,
		 const char *record)
{
	int fd = open(record, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	int status = 0;
	pid_t pid;

	if (fd < 0)
		return -1;
	base_write(fd, top, false);
	pid = fork();
	if (pid == 0)
		run_recorded(program, words, top, record);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		give_up("crash-check: fork");
	base_write(fd, top, true);
	close(fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void apart_recover(const char *top)
{
	struct facts none = { .nmails = 0 };
	char why[WHY_SIZE];

	/* nothing is known to it, so much is wrong: no matter here */
	check_state(&none, top, why, sizeof(why));
}
