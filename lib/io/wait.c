#include "io/wait.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/err.h"

#define TURN_MS 1000000 /* poll takes an int */

int wait_until(int fd, short events, int64_t until_ms)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = until_ms - clock_ms();
		int n;

		if (left < 0)
			left = 0;
		n = poll(&p, 1, left > TURN_MS ? TURN_MS : (int)left);
		if (n > 0)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return ERR_IO;
		if (n == 0 && left <= TURN_MS)
			return ERR_TIMEOUT;
	}
}
