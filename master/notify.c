#include "master/notify.h"

#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "log/log.h"

void notify_systemd(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len;
	int fd;

	if (!path || !str_copy(a.sun_path, sizeof(a.sun_path), path))
		return;
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  strlen(path));
	if (a.sun_path[0] == '@')
		a.sun_path[0] = '\0'; /* the abstract name space */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL,
			     (struct sockaddr *)&a, len) < 0)
		log_warn("cannot tell systemd %s: %m", state);
	if (fd >= 0)
		close(fd);
}

static void on_alive(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	notify_systemd("WATCHDOG=1");
}

void notify_alive(struct event_base *base)
{
	const char *text = getenv("WATCHDOG_USEC");
	struct event *alive;
	struct timeval half;
	int64_t us;

	if (!text || !str_to_int(text, 1, INT64_MAX, &us))
		return;
	us /= 2;
	half = (struct timeval){ us / 1000000, us % 1000000 };
	alive = event_new(base, -1, EV_PERSIST, on_alive, NULL);
	if (!alive || event_add(alive, &half) < 0)
		log_error("systemd will not hear that master is alive");
}
