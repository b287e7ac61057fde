#include "server/board.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sysexits.h>

#include "base/clock.h"
#include "log/log.h"

struct memory {
	/* one line per second reports refused clients */
	_Atomic int64_t said_ms;
	_Atomic int unsaid;
	struct board_place place[];
};

static struct {
	struct memory *memory;
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
	self.n = n;
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

bool board_claim(struct board_place *me, uint64_t client, int most)
{
	int n = 0;

	atomic_store(&me->client, client);
	if (!most || !client)
		return true;
	for (int i = 0; i < self.n; i++)
		n += atomic_load(&board_place(i)->client) == client;
	if (n <= most)
		return true;
	atomic_store(&me->client, 0);
	return false;
}

struct board_place *board_find(pid_t pid)
{
	for (int i = 0; i <= self.n; i++)
		if (board_place(i)->pid == pid)
			return board_place(i);
	return NULL;
}

void board_say_refused(const char *client, int most)
{
	int64_t now = clock_ms();
	int unsaid;

	if (now - atomic_load(&self.memory->said_ms) < 1000) {
		atomic_fetch_add(&self.memory->unsaid, 1);
		return;
	}
	atomic_store(&self.memory->said_ms, now);
	unsaid = atomic_exchange(&self.memory->unsaid, 0);
	log_info("refused: %s has %d connections already", client, most);
	if (unsaid)
		log_info("refused: %d more before that", unsaid);
}
