#include "index/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

#define PARTS 2

struct part {
	char *_Atomic at;
	size_t n;
};

struct mapped {
	int fd; /* a copy: the lease goes with the last one */
	atomic_bool over;
	struct part part[PARTS];
	struct mapped *_Atomic next;
};

/* What the handler reads: each change of it is one store. */
static struct {
	struct mapped *_Atomic first;
	size_t page;
} self;

/* Replaces the mapping by memory with the same bytes, up to the end of its last
 * page, which also belongs to the caller. (Writing to each page is not enough:
 * truncating the file would remove them.) */
static void make_ours(const struct part *part)
{
	char *at = part->at;
	size_t n = (part->n + self.page - 1) / self.page * self.page;
	void *copy;

	if (!at)
		return;
	copy = mmap(NULL, n, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return;
	memcpy(copy, at, n);
	mremap(copy, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, at);
}

/* Somebody is about to write to a file, and waits for us. */
static void on_break(int signal, siginfo_t *info, void *context)
{
	int saved = errno; /* of the interrupted code */
	struct mapped *m;
	int i;

	(void)signal;
	(void)context;
	for (m = self.first; m; m = m->next) {
		if (m->fd != info->si_fd || m->over)
			continue;
		for (i = 0; i < PARTS; i++)
			make_ours(&m->part[i]);
		m->over = true;
		fcntl(m->fd, F_SETLEASE, F_UNLCK);
	}
	errno = saved;
}

static bool catch_breaks(void)
{
	struct sigaction a = { .sa_sigaction = on_break,
			       .sa_flags = SA_SIGINFO | SA_RESTART };

	if (self.page > 0)
		return true;
	sigemptyset(&a.sa_mask);
	if (sigaction(SIGIO, &a, NULL) < 0)
		return false;
	self.page = (size_t)sysconf(_SC_PAGESIZE);
	return true;
}

struct mapped *mapped_begin(int fd)
{
	struct mapped *m = mem_alloc(sizeof(*m));

	m->fd = catch_breaks() ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	m->next = self.first;
	self.first = m;
	/* the signal only says which file it is about if asked to */
	if (m->fd < 0 || fcntl(m->fd, F_SETSIG, SIGIO) < 0 ||
	    fcntl(m->fd, F_SETLEASE, F_RDLCK) < 0)
		mapped_end(&m);
	return m;
}

char *mapped_part(struct mapped *m, void *where, size_t n, int64_t at)
{
	char *p = mmap(where, n, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | (where ? MAP_FIXED : 0), m->fd, at);
	int i;

	if (p == MAP_FAILED)
		return NULL;
	for (i = 0; i < PARTS && m->part[i].at; i++)
		;
	if (i < PARTS) {
		m->part[i].n = n;
		m->part[i].at = p;
	}
	/* from now on the handler finds it */
	if (i < PARTS && !m->over)
		return p;
	if (!where)
		munmap(p, n);
	mapped_drop(m, p);
	return NULL;
}

void mapped_drop(struct mapped *m, const void *p)
{
	int i;

	for (i = 0; i < PARTS; i++)
		if (m->part[i].at == p)
			m->part[i].at = NULL;
}

void mapped_end(struct mapped **out)
{
	struct mapped *m = *out;
	struct mapped *_Atomic *at = &self.first;

	if (!m)
		return;
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	if (m->fd >= 0)
		close(m->fd);
	free(m);
	*out = NULL;
}
