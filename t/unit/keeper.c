/*
 * The helper that makes slots, beside a fsync that is watched: the name of a
 * folder that a keeper made and did not sync, having died, is durable before
 * slots in it are lent.
 * link: queue-manager/keeper.c
 * link: queue-manager/judge.c
 * link: queue-manager/scan.c
 * link: queue-manager/message.c
 */
#include "queue-manager/keeper.h"

#include <stdlib.h>
#include <sys/mman.h>
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

static int64_t made(int sock)
{
	struct ipc_out out = { 0 };
	struct ipc_in in = { 0 };
	int64_t count = -1;

	ipc_begin(&out, "make");
	ipc_put_int(&out, "first", 0);
	ipc_put_int(&out, "count", 2);
	if (ipc_call(sock, &out, &in, WAIT_MS) == ERR_OK && ipc_is(&in, "made"))
		ipc_int(&in, "count", 0, 2, &count);
	ipc_out_free(&out);
	ipc_in_free(&in);
	return count;
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
		close(pair[0]);
		_exit(keeper_run(NULL, pair[1]));
	}
	close(pair[1]);
	ok(made(pair[0]) == 2, "slots are made in a folder that is there");
	ok(watched->syncs > 0, "and its name is durable");
	close(pair[0]);
	waitpid(pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command) != 0 || done();
}
