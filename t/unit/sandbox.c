/* What a process can do no more after sandbox_enter. Each case is a process
 * of its own. */
#include "server/landlock.h"
#include "server/sandbox.h"

#include <asm/sockios.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tap.h"

#define HIGH 0x100000000L /* what the kernel does not look at */

static bool denied(long result)
{
	return result == -1 && (errno == EPERM || errno == ENOSYS);
}

static bool sockets(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 &&
	       denied(socket(AF_INET, SOCK_STREAM, 0)) &&
	       denied(socket(AF_INET6, SOCK_STREAM, 0)) &&
	       denied(socket(AF_ALG, SOCK_SEQPACKET, 0)) &&
	       denied(socket(AF_RDS, SOCK_SEQPACKET, 0)) &&
	       denied(socket(AF_TIPC, SOCK_SEQPACKET, 0));
}

static bool high_bits(void)
{
	return denied(syscall(SYS_socket, HIGH | AF_INET, SOCK_STREAM, 0L)) &&
	       denied(syscall(SYS_socket, HIGH | AF_ALG, SOCK_SEQPACKET, 0L));
}

static bool files(void)
{
	return denied(open("/dev/null", O_RDONLY)) &&
	       denied(unlink("/nothing")) && denied(chmod("/nothing", 0));
}

/* What is open may be changed, what is only named may not. */
static bool names(void)
{
	static const struct timespec now[2] = { { .tv_nsec = UTIME_NOW },
						{ .tv_nsec = UTIME_NOW } };
	char name[] = "/tmp/sandbox-test.XXXXXX";
	int fd = mkstemp(name);
	bool good = fd >= 0 && fchmod(fd, 0600) == 0 &&
		    futimens(fd, now) == 0 && ftruncate(fd, 1) == 0 &&
		    denied(truncate(name, 0)) && denied(chmod(name, 0)) &&
		    denied(syscall(452, AT_FDCWD, name, 0, 0)) &&
		    denied(utimensat(AT_FDCWD, name, now, 0)) &&
		    denied(setxattr(name, "user.x", "y", 1, 0)) &&
		    denied(syscall(SYS_prlimit64, getppid(), 0, NULL, NULL));

	unlink(name);
	return good;
}

/* Landlock alone, where the kernel has enough of it. */
static bool beneath(void)
{
	char in[] = "/tmp/sandbox-test.XXXXXX", out[] = "/tmp/sandbox-test.XXXXXX";
	const char *dir = mkdtemp(in);
	const bool write = true;
	int status = 1, fd = mkstemp(out);
	pid_t pid = fork();

	if (pid == 0)
		_exit(!sandbox_only_dirs(&dir, &write, 1) ||
				      (truncate(out, 0) == -1 && errno == EACCES)
			      ? 0
			      : 1);
	waitpid(pid, &status, 0);
	close(fd);
	unlink(out);
	rmdir(in);
	return status == 0;
}

static bool processes(void)
{
	return denied(fork()) && denied(kill(getppid(), 0)) &&
	       denied(syscall(SYS_tkill, getppid(), 0)) &&
	       denied(syscall(SYS_tgkill, getppid(), getppid(), 0)) &&
	       denied(syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0)) &&
	       denied(syscall(SYS_pidfd_getfd, -1, 0, 0)) &&
	       denied(syscall(SYS_ptrace, 16, getppid(), 0, 0));
}

/* A socket that becomes readable would kill the parent. */
static bool signals_by_descriptor(void)
{
	struct f_owner_ex owner = { F_OWNER_PID, getppid() };
	int pair[2], pid = getppid();

	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
	       denied(fcntl(pair[0], F_SETOWN, pid)) &&
	       denied(syscall(SYS_fcntl, pair[0], HIGH | F_SETOWN, pid)) &&
	       denied(fcntl(pair[0], F_SETOWN_EX, &owner)) &&
	       denied(ioctl(pair[0], FIOSETOWN, &pid)) &&
	       denied(ioctl(pair[0], SIOCSPGRP, &pid));
}

static bool watches(void)
{
	return denied(inotify_init1(0));
}

static bool memory(void)
{
	return denied(shmget(IPC_PRIVATE, 4096, 0600));
}

/* What a process has, and what is nobody's. */
static bool own_memory(void)
{
	const int both = PROT_READ | PROT_WRITE;
	void *own = mmap(NULL, 4096, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *all = mmap(NULL, 4096, both, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return own != MAP_FAILED && all == MAP_FAILED && errno == EPERM &&
	       denied(memfd_create("x", 0));
}

/* Room on disk is kept for what comes, and no more. */
static bool room(void)
{
	char name[] = "/tmp/sandbox-test.XXXXXX";
	int fd = mkstemp(name);
	bool good = fd >= 0 &&
		    (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192) == 0 ||
		     errno == EOPNOTSUPP) &&
		    denied(fallocate(fd, 0, 0, 8192)) &&
		    denied(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1L << 31));

	unlink(name);
	return good;
}

/* A limit for all that is a process's own. */
static bool too_much(void)
{
	const size_t size = (size_t)3 << 30;

	sandbox_limit_own();
#ifdef SANITIZED
	return size > 0;
#else
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0) == MAP_FAILED;
#endif
}

/* Only a filter of the kernel's own refuses this: no seccomp here. */
static bool scoped_signals(void)
{
	char in[] = "/tmp/sandbox-test.XXXXXX";
	const char *dir = mkdtemp(in);
	const bool write = true;
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(!sandbox_only_dirs(&dir, &write, 1) ||
				      denied(kill(getppid(), 0))
			      ? 0
			      : 1);
	waitpid(pid, &status, 0);
	rmdir(in);
	return status == 0;
}

/* Which of some descriptors are left? */
static bool kept(void)
{
	int fd[4], keep[3];

	for (int i = 0; i < 4; i++)
		fd[i] = open("/dev/null", O_RDONLY);
	keep[0] = fd[3];
	keep[1] = -1;
	keep[2] = fd[1];
	sandbox_keep_only(keep, 3);
	return fcntl(fd[0], F_GETFD) < 0 && fcntl(fd[1], F_GETFD) >= 0 &&
	       fcntl(fd[2], F_GETFD) < 0 && fcntl(fd[3], F_GETFD) >= 0 &&
	       fcntl(fd[3] + 1, F_GETFD) < 0 && fcntl(2, F_GETFD) >= 0;
}

static bool identity(void)
{
	return denied(setuid(0)) && denied(chroot("/")) &&
	       denied(execl("/bin/true", "true", (char *)NULL));
}

static bool own_signal(void)
{
	signal(SIGUSR1, SIG_IGN);
	return raise(SIGUSR1) == 0;
}

/* Does CASE hold in a process that has RIGHTS? */
static bool within(unsigned rights, bool (*holds)(void))
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		sandbox_enter(rights);
		_exit(holds() ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 &&
	       denied(socket(AF_ALG, SOCK_SEQPACKET, 0));
}

static bool children(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid > 0 && kill(pid, SIGKILL) == 0 &&
	       waitpid(pid, NULL, 0) == pid;
}

/* In a child whose filter was made before. */
static bool child_processes(void)
{
	sandbox_prepare(0);
	return within(0, processes) && within(0, files);
}

static bool child_sockets(void)
{
	sandbox_prepare(SANDBOX_INET);
	return within(SANDBOX_INET, inet) && within(SANDBOX_INET, processes);
}

int main(void)
{
	/* a kernel, or a container, may have none */
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
		puts("1..0 # SKIP no seccomp");
		return 0;
	}
	ok(within(0, sockets), "sockets: of this machine alone");
	ok(within(0, high_bits), "also where the family has 64 bits");
	ok(within(0, files), "files: none by their names");
	ok(within(SANDBOX_OPEN, names), "nor are any changed by name");
	ok(landlock_version() < 3 || beneath(), "nor cut, outside of a tree");
	ok(within(0, processes), "processes: none made, none touched");
	ok(within(0, own_signal), "but its own");
	ok(within(0, signals_by_descriptor), "nor by a descriptor's signals");
	ok(within(SANDBOX_OPEN, watches), "files of others are not watched");
	ok(within(~0u, memory), "no memory that would stay");
	ok(within(SANDBOX_OPEN, own_memory), "nor any that counts for nobody");
	ok(within(SANDBOX_OPEN, too_much), "nor too much that does");
	ok(within(SANDBOX_OPEN, room), "room on disk: some, after the end");
	ok(landlock_version() < 6 || scoped_signals(),
	   "nothing outside of a tree gets signals");
	ok(within(~0u, kept), "descriptors: only those that are kept");
	ok(within(0, identity), "identity: as it is");
	ok(within(SANDBOX_INET, inet), "INET: the Internet, and no more");
	ok(within(SANDBOX_FORK, children), "FORK: may end what it made");
	ok(within(SANDBOX_FORK, child_processes),
	   "prepared for children: they make none, and touch none");
	ok(within(SANDBOX_FORK | SANDBOX_INET, child_sockets),
	   "and else may what was left to them");
	return done();
}
