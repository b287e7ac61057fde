#include "server/board.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sysexits.h>

#include "base/mem.h"
#include "log/log.h"

struct memory {
	struct log_rate refused;
	struct log_rate other;
	struct board_place place[];
};

static struct {
	struct memory *memory;
	size_t size; /* of it */
	pid_t *pid;  /* of each place */
	int n;
} self;

void board_make(int n)
{
	size_t size = sizeof(struct memory) +
		      ((size_t)n + 1) * sizeof(struct board_place);
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		log_die(EX_OSERR, "cannot prepare for children: %m");
	self.memory = m;
	self.size = size;
	self.pid = mem_array((size_t)n + 1, sizeof(*self.pid));
	self.n = n;
}

void board_leave(void)
{
	if (self.memory)
		munmap(self.memory, self.size);
	self.memory = NULL;
	self.n = 0;
}

struct board_place *board_place(int i)
{
	return &self.memory->place[i];
}

int board_count(enum board_state state)
{
	int n = 0;

	for (int i = 0; i < self.n; i++)
		n += atomic_load(&board_place(i)->state) == (int)state;
	return n;
}

static _Atomic uint64_t *client_of(struct board_place *p)
{
	return &p->client;
}

static _Atomic uint64_t *pair_of(struct board_place *p)
{
	return &p->pair;
}

static bool claim(struct board_place *me,
		  _Atomic uint64_t *(*field)(struct board_place *p),
		  uint64_t value, int most)
{
	int n = 0;

	atomic_store(field(me), value);
	if (!most || !value)
		return true;
	for (int i = 0; i < self.n; i++)
		n += atomic_load(field(board_place(i))) == value;
	if (n <= most)
		return true;
	atomic_store(field(me), 0);
	return false;
}

bool board_claim(struct board_place *me, uint64_t client, int most)
{
	return claim(me, client_of, client, most);
}

bool board_claim_pair(struct board_place *me, uint64_t pair, int most)
{
	return claim(me, pair_of, pair, most);
}

void board_release(struct board_place *me)
{
	atomic_store(&me->client, 0);
	atomic_store(&me->pair, 0);
}

pid_t board_pid(const struct board_place *p)
{
	return self.pid[p - self.memory->place];
}

void board_set_pid(const struct board_place *p, pid_t pid)
{
	self.pid[p - self.memory->place] = pid;
}

struct board_place *board_find(pid_t pid)
{
	for (int i = 0; i <= self.n; i++)
		if (self.pid[i] == pid)
			return board_place(i);
	return NULL;
}

void board_say_refused(const char *client, int most)
{
	if (log_rate_allows(&self.memory->refused, 1, "refused"))
		log_info("refused: %s has %d connections already", client,
			 most);
}

struct log_rate *board_log_rate(void)
{
	return &self.memory->other;
}
