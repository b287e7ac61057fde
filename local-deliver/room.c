/* What mailboxes have room for: the socket `room`, asked by accountd. */
#include "base/err.h"
#include "base/str.h"
#include "local-deliver/local.h"
#include "local-deliver/mailbox.h"
#include "log/log.h"

#define SEND_MS 1000

static void say_room(struct settings *s, const char *user, struct ipc_out *out)
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

static bool answer(void *context, struct ipc_in *in, int fd)
{
	struct ipc_out out = { .ready = false };
	bool good;

	if (!ipc_is(in, "room") || !ipc_get(in, "user"))
		return false;
	say_room(context, ipc_text(in, "user"), &out);
	good = ipc_send(fd, &out, SEND_MS) == ERR_OK;
	ipc_out_free(&out);
	return good;
}

void serve_room(struct settings *settings, int fd)
{
	prefork_packets(fd, -1, answer, settings);
}
