/*
 * The helper that makes and scans slots, beside a fsync that is watched: the
 * name of a folder that a keeper made and did not sync, having died, is durable
 * before slots in it are lent. And a scan that cannot read the queue is made
 * again.
 * link: queue-manager/keeper.c
 * link: queue-manager/judge.c
 * link: queue-manager/scan.c
 * link: queue-manager/message.c
 */
#include "queue-manager/keeper.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "ipc/ipc.h"
#include "queue/id.h"
#include "t/unit/tap.h"

#define WAIT_MS 60000
#define FILES 64 /* that the keeper may have open */

static struct watched {
	ino_t queue; /* the folder */
	int syncs;   /* of it */
} * watched;

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_ino == watched->queue)
		watched->syncs++;
	return (int)syscall(SYS_fsync, fd);
}

/* Sends VERB; with COUNT, if that is how many slots to make. */
static void ask(int sock, const char *verb, int64_t count)
{
	struct ipc_out out = { 0 };

	ipc_begin(&out, verb);
	if (count > 0) {
		ipc_put_int(&out, "first", 0);
		ipc_put_int(&out, "count", count);
	}
	err_ignore(ipc_send(sock, &out, WAIT_MS));
	ipc_out_free(&out);
}

/* Waits for VERB; the number NAME in it, or -1 if it does not come. */
static int64_t answer(int sock, const char *verb, const char *name)
{
	struct ipc_in in = { 0 };
	int64_t number = -1;

	while (ipc_recv(sock, &in, WAIT_MS) == ERR_OK)
		if (ipc_is(&in, verb)) {
			ipc_int(&in, name, 0, INT32_MAX, &number);
			break;
		}
	ipc_in_free(&in);
	return number;
}

static void test_make(int sock)
{
	ask(sock, "make", 2);
	ok(answer(sock, "made", "count") == 2,
	   "slots are made in a folder that is there");
	ok(watched->syncs > 0, "and its name is durable");
}

/* However often it is asked, no file stays open. */
static void test_count(int sock)
{
	int right = 0;

	mkdir("corrupt", 0700);
	close(open("corrupt/one", O_CREAT | O_WRONLY, 0600));
	for (int i = 0; i < 2 * FILES; i++) {
		ask(sock, "count", 0);
		right += answer(sock, "counted", "corrupt") == 1;
	}
	unlink("corrupt/one");
	ok(right == 2 * FILES, "what is in corrupt/ is counted: %d of %d times",
	   right, 2 * FILES);
}

/* The folder is away when the scan begins, and comes back. */
static void test_scan_again(int sock)
{
	rename("queue", "away");
	ask(sock, "scan", 0);
	ask(sock, "count", 0);
	ok(answer(sock, "counted", "corrupt") == 0, "a scan finds no queue");
	rename("away", "queue");
	ok(answer(sock, "junk", "unused") >= 0, "it is made again");
	ok(answer(sock, "scanned", "strange") == 0, "and ends");
}

int main(void)
{
	char top[] = "/tmp/keeper-test.XXXXXX", dir[QUEUE_PATH_SIZE];
	char command[64];
	struct stat st;
	int pair[2];
	pid_t pid;

	watched = mmap(NULL, sizeof(*watched), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!mkdtemp(top) || chdir(top) < 0 || mkdir("queue", 0700) < 0 ||
	    stat("queue", &st) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return 1;
	watched->queue = st.st_ino;
	queue_slot_dir(dir, 0);
	mkdir(dir, 0700);
	pid = fork();
	if (pid == 0) {
		const struct rlimit few = { FILES, FILES };

		close(pair[0]);
		setrlimit(RLIMIT_NOFILE, &few);
		_exit(keeper_run(NULL, pair[1]));
	}
	close(pair[1]);
	test_make(pair[0]);
	test_count(pair[0]);
	test_scan_again(pair[0]);
	close(pair[0]);
	waitpid(pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command) != 0 || done();
}
