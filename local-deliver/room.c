/* What mailboxes have room for: the socket `room`, asked by accountd. */
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "local-deliver/local.h"
#include "local-deliver/mailbox.h"
#include "log/log.h"

#define SEND_MS 1000

static void answer(struct settings *s, const char *user, struct ipc_out *out)
{
	int64_t room;

	if (!mailbox_room(s, user, &room)) {
		ipc_begin(out, "temp");
		return;
	}
	ipc_begin(out, "room");
	if (room < INT64_MAX)
		ipc_put_int(out, "bytes", room);
}

void serve_room(struct settings *settings, int fd)
{
	struct ipc_in in = { 0 };
	struct ipc_out out = { 0 };

	while (prefork_await(fd, -1) == ERR_OK &&
	       ipc_recv(fd, &in, 0) == ERR_OK && ipc_is(&in, "room") &&
	       ipc_get(&in, "user")) {
		answer(settings, ipc_text(&in, "user"), &out);
		if (ipc_send(fd, &out, SEND_MS) != ERR_OK)
			break;
	}
	ipc_out_free(&out);
	ipc_in_free(&in);
	close(fd);
}
