/*
 * The filter is a list of what is refused, not of what is allowed: a C library
 * that begins to use another system call must not stop mail. Refused calls
 * give EPERM, which programs can report, instead of killing them. The groups
 * below belong to the rights of sandbox.h; each process refuses those for
 * which it has no right, and what no program needs. Filters add up, so rights
 * can only be taken away. Landlock, if the kernel has it, also limits paths.
 */
#include "server/sandbox.h"

#include <asm/sockios.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "server/landlock.h"

#define CALL(name) SCMP_SYS(name)
#define OWN_MAX (INT64_C(2) << 30) /* bytes; a session has a hundredth of it */
#define ROOM_MAX (1 << 30) /* bytes of a fallocate(2) */

static struct {
	unsigned rights; /* that are left */
	bool entered;
	struct sock_fprog prepared; /* for children */
	unsigned prepared_for;
} self = { .rights = ~0u };

/* What no program of ours ever needs. */
static const int never[] = {
	CALL(ptrace),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(pidfd_getfd),
	CALL(kcmp),
	CALL(mount),
	CALL(open_tree),
	CALL(move_mount),
	CALL(fsopen),
	CALL(fsmount),
	CALL(umount2),
	CALL(pivot_root),
	CALL(swapon),
	CALL(swapoff),
	CALL(reboot),
	CALL(kexec_load),
	CALL(kexec_file_load),
	CALL(init_module),
	CALL(finit_module),
	CALL(delete_module),
	CALL(bpf),
	CALL(perf_event_open),
	CALL(keyctl),
	CALL(add_key),
	CALL(request_key),
	CALL(unshare),
	CALL(setns),
	CALL(userfaultfd),
	CALL(io_uring_setup),
	CALL(io_uring_enter),
	CALL(io_uring_register),
	CALL(personality),
	CALL(acct),
	CALL(quotactl),
	CALL(settimeofday),
	CALL(clock_settime),
	CALL(adjtimex),
	CALL(clock_adjtime),
	CALL(sethostname),
	CALL(setdomainname),
	CALL(iopl),
	CALL(ioperm),
	CALL(name_to_handle_at),
	CALL(open_by_handle_at),
	CALL(fanotify_init),
	CALL(syslog),
	CALL(vhangup),
	CALL(mknod),
	CALL(mknodat),
	CALL(ioprio_set),
	/* memory that stays when its process has ended */
	CALL(shmget),
	CALL(msgget),
	CALL(semget),
	CALL(mq_open),
};

static const int opening[] = {
	CALL(open),	CALL(openat),	CALL(openat2),	 CALL(creat),
	CALL(rename),	CALL(renameat), CALL(renameat2), CALL(unlink),
	CALL(unlinkat), CALL(rmdir),	CALL(mkdir),	 CALL(mkdirat),
	CALL(link),	CALL(linkat),	CALL(symlink),	 CALL(symlinkat),
};

/* What changes a file that is named and not opened, which Landlock does not
 * restrain: users whose mail has one uid would reach each other's. Numbers are
 * those of calls that this libseccomp may not know. */
static const int by_name[] = {
	CALL(truncate),	    CALL(chmod),
	CALL(fchmodat),	    452 /* fchmodat2 */,
	CALL(chown),	    CALL(lchown),
	CALL(fchownat),	    CALL(setxattr),
	CALL(lsetxattr),    CALL(removexattr),
	CALL(lremovexattr), 463 /* setxattrat */,
	CALL(utime),	    466 /* removexattrat */,
	CALL(utimes),	    469 /* file_setattr */,
	CALL(futimesat),
};

/* Folders of others tell by this what comes in, and Landlock allows it. */
static const int watching[] = {
	CALL(inotify_init),
	CALL(inotify_init1),
	CALL(inotify_add_watch),
};

/* Signals to other processes of the same user, which several services share. A
 * process with children may end them. */
static const int signalling[] = {
	CALL(kill),
	CALL(tkill),
	CALL(pidfd_send_signal),
	CALL(rt_sigqueueinfo),
	CALL(rt_tgsigqueueinfo),
	CALL(setpriority),
	CALL(sched_setaffinity),
	CALL(sched_setscheduler),
	CALL(sched_setparam),
	CALL(sched_setattr),
};

/* Memory that is no process's: it counts for nobody, and who has it is not ended
 * when memory is short. */
static const int nobodys[] = { CALL(memfd_create),
			       447 /* memfd_secret */ };

/* Ways to other processes that no right of ours covers, and that Landlock does
 * not see. */
static const int meeting[] = {
	CALL(socket), CALL(shmget), CALL(shmat),   CALL(msgget),
	CALL(semget), CALL(mq_open), CALL(mq_unlink),
};

static const int executing[] = { CALL(execve), CALL(execveat) };

static const int changing_identity[] = {
	CALL(setuid),	 CALL(setgid),	  CALL(setreuid),  CALL(setregid),
	CALL(setresuid), CALL(setresgid), CALL(setgroups), CALL(setfsuid),
	CALL(setfsgid),	 CALL(chroot),	  CALL(capset),
};

static void refuse(scmp_filter_ctx ctx, const int *call, size_t n)
{
	for (size_t i = 0; i < n; i++)
		seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call[i], 0);
}

#define REFUSE(ctx, list) refuse(ctx, list, sizeof(list) / sizeof(list[0]))

/* Whole ranges, so that no family is forgotten, and not by equality: the
 * filter sees 64 bits, of which the kernel uses 32. */
static void refuse_families(scmp_filter_ctx ctx, unsigned rights)
{
	static const bool allowed[] = { [AF_UNIX] = true,
					[AF_INET] = true,
					[AF_INET6] = true,
					[AF_NETLINK] = true };
	const size_t n = sizeof(allowed) / sizeof(allowed[0]);
	const bool inet = rights & SANDBOX_INET;

	for (size_t i = 0; i < n; i++)
		if (!allowed[i] || (!inet && (i == AF_INET || i == AF_INET6)))
			seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
					 CALL(socket), 1,
					 SCMP_A0(SCMP_CMP_EQ, i, 0));
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(socket), 1,
			 SCMP_A0(SCMP_CMP_GE, n, 0));
}

/* New processes; threads stay allowed. clone3 hides its flags from filters:
 * ENOSYS makes the C library use clone. */
static void refuse_fork(scmp_filter_ctx ctx)
{
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(fork), 0);
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(vfork), 0);
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(clone), 1,
			 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

/* The kernel looks at the lower half of such a number only. */
static void refuse_command(scmp_filter_ctx ctx, int call, unsigned command)
{
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call, 1,
			 SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, command));
}

/* A descriptor that is ready could send any signal to another process. */
static void refuse_signals(scmp_filter_ctx ctx)
{
	REFUSE(ctx, signalling);
	refuse_command(ctx, CALL(fcntl), F_SETOWN);
	refuse_command(ctx, CALL(fcntl), F_SETOWN_EX);
	refuse_command(ctx, CALL(ioctl), FIOSETOWN);
	refuse_command(ctx, CALL(ioctl), SIOCSPGRP);
}

/* The same of calls that are also made for what is open, or for oneself. */
static void refuse_names(scmp_filter_ctx ctx)
{
	REFUSE(ctx, by_name);
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(utimensat), 1,
			 SCMP_A1(SCMP_CMP_NE, 0));
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(prlimit64), 1,
			 SCMP_A0(SCMP_CMP_NE, 0));
}

/* The same without a name; and more room on disk at once than a journal of
 * millions of changes needs. */
static void refuse_memory(scmp_filter_ctx ctx)
{
	REFUSE(ctx, nobodys);
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(mmap), 1,
			 SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE | MAP_ANONYMOUS,
				 MAP_SHARED | MAP_ANONYMOUS));
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(fallocate), 1,
			 SCMP_A1(SCMP_CMP_EQ, 0));
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(fallocate), 1,
			 SCMP_A1(SCMP_CMP_GT, FALLOC_FL_KEEP_SIZE |
						      FALLOC_FL_PUNCH_HOLE));
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(fallocate), 1,
			 SCMP_A3(SCMP_CMP_GT, ROOM_MAX));
}

/* The filter that leaves this process only the rights in TO. It adds to the
 * existing one. */
static scmp_filter_ctx make_filter(unsigned to)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	unsigned lost = self.rights & ~to;

	if (!ctx)
		log_die(EX_OSERR, "cannot make a seccomp filter");
	if (!self.entered)
		REFUSE(ctx, never);
	if (lost & SANDBOX_OPEN)
		REFUSE(ctx, opening);
	if (lost & SANDBOX_EXEC)
		REFUSE(ctx, executing);
	if (lost & SANDBOX_WATCH)
		REFUSE(ctx, watching);
	if (lost & SANDBOX_IDENTITY)
		REFUSE(ctx, changing_identity);
	if (lost & SANDBOX_FORK) {
		refuse_fork(ctx);
		refuse_signals(ctx);
	}
	/* programs of others have limits of their own (decoder/run.c) */
	if (lost & SANDBOX_FORK && !(to & SANDBOX_EXEC))
		refuse_memory(ctx);
	if (lost & (SANDBOX_OPEN | SANDBOX_FORK))
		refuse_names(ctx);
	if (!self.entered || lost & SANDBOX_INET)
		refuse_families(ctx, to);
	return ctx;
}

/* Its program, in our own memory. */
static struct sock_fprog export_filter(scmp_filter_ctx ctx)
{
	struct sock_fprog program = { .len = 0 };
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;

	if (fd < 0 || seccomp_export_bpf(ctx, fd) < 0 || fstat(fd, &st) < 0)
		log_die(EX_OSERR, "cannot make a filter for children");
	program.len = (unsigned short)((size_t)st.st_size /
				       sizeof(struct sock_filter));
	program.filter = mem_alloc((size_t)st.st_size);
	if (file_pread(fd, program.filter, (size_t)st.st_size, 0))
		log_die(EX_OSERR, "cannot read the filter for children");
	close(fd);
	return program;
}

void sandbox_prepare(unsigned rights)
{
	scmp_filter_ctx ctx = make_filter(rights);

	/* abort() needs it; if the child's pid is not known it gets SIGSEGV */
	if (self.rights & ~rights & SANDBOX_FORK)
		seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(tgkill), 0);
	free(self.prepared.filter);
	self.prepared = export_filter(ctx);
	self.prepared_for = rights;
	seccomp_release(ctx);
}

/* abort() sends a signal to its own process. */
static void refuse_signals_to_others(scmp_filter_ctx ctx)
{
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), CALL(tgkill), 1,
			 SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid(), 0));
}

static int load_new(unsigned rights)
{
	scmp_filter_ctx ctx = make_filter(rights);
	int err;

	if (self.rights & ~rights & SANDBOX_FORK)
		refuse_signals_to_others(ctx);
	err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

void sandbox_enter(unsigned rights)
{
	bool ready = self.prepared.len > 0 && self.prepared_for == rights;
	int err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_die(EX_OSERR, "cannot set no_new_privs: %m");
	err = ready ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &self.prepared)
		    : load_new(rights);
	if (err < 0)
		log_debug("this kernel refuses seccomp filters");
	self.entered = true;
	self.rights &= rights;
}

bool sandbox_only_dirs(const char *const *dirs, const bool *writable, int n)
{
	int ruleset = landlock_begin();

	if (ruleset < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (!landlock_add(ruleset, dirs[i], writable[i]))
			log_warn("cannot allow %s: %m", dirs[i]);
	return landlock_enter(ruleset);
}

bool sandbox_program(const char *const *paths, int n)
{
	scmp_filter_ctx ctx = make_filter(SANDBOX_OPEN | SANDBOX_EXEC);
	int ruleset = landlock_begin();
	bool done = ruleset >= 0;

	for (int i = 0; i < n && done; i++)
		landlock_add_program(ruleset, paths[i]);
	done = done && landlock_enter(ruleset);
	REFUSE(ctx, meeting);
	refuse_signals_to_others(ctx);
	done = done && seccomp_load(ctx) >= 0;
	seccomp_release(ctx);
	return done;
}

void sandbox_become(uid_t uid, gid_t gid)
{
	if (geteuid() != 0) {
		if (uid != geteuid())
			log_die(EX_NOPERM, "cannot become uid %ld without root",
				(long)uid);
		return;
	}
	if (uid == 0 && gid == 0)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		log_die(EX_OSERR, "cannot become uid %ld, gid %ld: %m",
			(long)uid, (long)gid);
	if (uid != 0 && (setuid(0) == 0 || getuid() != uid))
		log_die(EX_SOFTWARE, "still root after becoming uid %ld",
			(long)uid);
}

/* The lowest of KEEP[N] that is not below FROM, or -1. */
static int next_kept(const int *keep, size_t n, int from)
{
	int next = -1;

	for (size_t i = 0; i < n; i++)
		if (keep[i] >= from && (next < 0 || keep[i] < next))
			next = keep[i];
	return next;
}

static void close_all(int from, unsigned last)
{
	if ((unsigned)from <= last)
		close_range((unsigned)from, last, 0);
}

void sandbox_keep_only(const int *keep, size_t n)
{
	int from = STDERR_FILENO + 1, log = log_keep_fd(), next;

	while ((next = next_kept(keep, n, from)) >= 0 || log >= from) {
		if (log >= from && (next < 0 || log < next))
			next = log;
		close_all(from, (unsigned)next - 1);
		from = next + 1;
	}
	close_all(from, ~0U);
}

void sandbox_chroot(const char *dir)
{
	if (chdir(dir) < 0)
		log_die(EX_OSERR, "cannot change to %s: %m", dir);
	if (geteuid() == 0 && (chroot(".") < 0 || chdir("/") < 0))
		log_die(EX_OSERR, "cannot make %s the root directory: %m", dir);
}

void sandbox_limit(int memory_mib, int files)
{
	struct rlimit r;

#ifndef SANITIZED
	r.rlim_cur = r.rlim_max = (rlim_t)memory_mib << 20;
	if (memory_mib > 0 && setrlimit(RLIMIT_AS, &r) < 0)
		log_warn("cannot limit memory: %m");
#else
	(void)memory_mib;
#endif
	if (files <= 0 || getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = (rlim_t)files < r.rlim_max ? (rlim_t)files : r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		log_warn("cannot limit open files: %m");
}

void sandbox_limit_own(void)
{
#ifndef SANITIZED
	const struct rlimit r = { OWN_MAX, OWN_MAX };

	if (setrlimit(RLIMIT_DATA, &r) < 0)
		log_warn("cannot limit memory: %m");
#endif
}

void sandbox_report(void)
{
	if (landlock_version() <= 0)
		log_warn("this kernel has no Landlock: mail directories are "
			 "separated by uid alone");
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		log_warn("this kernel has no seccomp: system calls are not "
			 "filtered");
}
