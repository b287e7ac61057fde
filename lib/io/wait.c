#include "io/wait.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/heartbeat.h"

int wait_until(int fd, short events, int64_t until_ms)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = until_ms - clock_ms();
		int n, turn;

		if (left < 0)
			left = 0;
		turn = heartbeat_turn(left);
		n = poll(&p, 1, turn);
		if (n > 0)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return err_sys("wait for", "the other side");
		if (n == 0 && turn == left)
			return err_set(ERR_TIMEOUT, "timed out");
	}
}
