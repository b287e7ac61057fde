#include "base/heartbeat.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

#define TURNS 3 /* of waiting within the time allowed without a sign */

static struct {
	heartbeat_due *due; /* NULL: nobody watches */
	int64_t patience_ms;
	bool forks_seen_to;
} self;

/* Otherwise the child of a watched process would give signs for its parent. */
static void forget(void)
{
	self.due = NULL;
}

void heartbeat_begin(heartbeat_due *due, int64_t patience_ms)
{
	if (!self.forks_seen_to)
		pthread_atfork(NULL, NULL, forget);
	self.forks_seen_to = true;
	self.due = due;
	self.patience_ms = patience_ms;
	heartbeat();
}

void heartbeat_end(void)
{
	if (self.due)
		atomic_store(self.due, INT64_MAX);
	self.due = NULL;
}

void heartbeat(void)
{
	heartbeat_long(0);
}

void heartbeat_long(int64_t ms)
{
	if (self.due)
		atomic_store(self.due, clock_ms() + self.patience_ms + ms);
}

int heartbeat_turn(int64_t ms)
{
	int64_t turn = self.due ? self.patience_ms / TURNS : INT_MAX;

	heartbeat();
	if (ms < 0 && !self.due)
		return -1;
	return (int)(ms >= 0 && ms < turn ? ms : turn);
}
