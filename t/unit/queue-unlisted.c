/*
 * Folders of the queue that cannot be listed: nobody says that less waits there
 * than does.
 * link: queue-manager/keeper.c
 * link: queue-manager/judge.c
 * link: queue-manager/scan.c
 * link: queue-manager/message.c
 * link: admin/check-queue.c
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/check.h"
#include "base/err.h"
#include "ipc/ipc.h"
#include "queue-manager/keeper.h"
#include "t/unit/tap.h"

#define WAIT_MS 60000

static bool *fails; /* after the first name */

struct dirent *readdir(DIR *d)
{
	static struct dirent *(*real)(DIR *d);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	if (*fails && telldir(d) != 0) {
		errno = EIO;
		return NULL;
	}
	return real(d);
}

static struct buf warnings;

void check_warning(struct findings *f, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	(void)f;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&warnings, "%s\n", text);
}

/* -1: no number. */
static int64_t counted(int sock)
{
	struct ipc_out out = { 0 };
	struct ipc_in in = { 0 };
	int64_t n = -1;

	ipc_begin(&out, "count");
	if (ipc_call(sock, &out, &in, WAIT_MS) != ERR_OK ||
	    !ipc_is(&in, "counted"))
		n = -2;
	else
		ipc_int(&in, "corrupt", 0, 100, &n);
	ipc_out_free(&out);
	ipc_in_free(&in);
	return n;
}

static void make(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f)
		fclose(f);
}

static void test_keeper(void)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		exit(1);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(keeper_run(NULL, pair[1]));
	}
	close(pair[1]);
	ok(counted(pair[0]) == 0, "there is no corrupt/");
	if (mkdir("corrupt", 0700) < 0)
		exit(1);
	make("corrupt/a");
	make("corrupt/b");
	ok(counted(pair[0]) == 2, "two files are there");
	*fails = true;
	ok(counted(pair[0]) == -1, "no number, if they cannot be listed");
	*fails = false;
	ok(counted(pair[0]) == 2, "they can again");
	close(pair[0]);
	waitpid(pid, NULL, 0);
}

static const char *queue_at(const char *top)
{
	static char line[100];

	snprintf(line, sizeof(line), "queue_directory=%s", top);
	return line;
}

static void test_check(const char *top)
{
	const char *lines[] = { queue_at(top), "queue_user=root" };
	struct buf faults;
	struct findings f = { 0 };
	struct config *c;

	buf_init(&faults, 10000);
	buf_init(&warnings, 10000);
	c = config_load(NULL, lines, 2, &faults);
	check_queue(&f, c);
	ok(strstr(warnings.data, "2 damaged files"), "check names them");
	buf_reset(&warnings);
	*fails = true;
	check_queue(&f, c);
	*fails = false;
	ok(strstr(warnings.data, "/corrupt: Input/output error"),
	   "and says if it cannot");
	buf_free(&warnings);
	buf_free(&faults);
	config_free(&c);
}

int main(void)
{
	char top[] = "/tmp/queue-test.XXXXXX", command[64];

	fails = mmap(NULL, sizeof(*fails), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fails == MAP_FAILED || !mkdtemp(top) || chdir(top) < 0 ||
	    mkdir("queue", 0700) < 0)
		return 1;
	test_keeper();
	test_check(top);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command) != 0 || done();
}
