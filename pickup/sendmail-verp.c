/*
 * -XV, variable envelope return paths: each recipient gets a separate message,
 * with a sender that identifies the recipient in a bounce. All senders are
 * checked to be addresses before the first message is handed over.
 */
#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "intake/posting.h"
#include "pickup/sendmail.h"

/* owner@origin and user@domain become owner+user=domain@origin. */
static const char *make_sender(const struct sendmail *s, const char *sender,
			       const char *recipient)
{
	const char *delimiter = s->options->verp;
	const char *origin = strrchr(sender, '@');
	const char *domain = strrchr(recipient, '@');

	return sendmail_address(
		s, arena_printf(s->arena, "%.*s%c%.*s%c%s%s",
				(int)(origin - sender), sender, delimiter[0],
				(int)(domain - recipient), recipient,
				delimiter[1], domain + 1, origin));
}

/* Appends all of FROM after AT to TO. */
static bool copy_rest(int to, int from, off_t at)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return false;
	while (at < st.st_size) {
		ssize_t n = sendfile(to, from, &at, 1 << 20);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
	}
	return true;
}

static int send_one(const struct sendmail *s, struct envelope e,
		    struct envelope_recipient r, const char *sender, int from,
		    off_t at)
{
	struct buf reply;
	int fd, status;

	e.sender = sender;
	e.recipient = &r;
	e.nrecipients = 1;
	fd = posting_begin(&e);
	if (fd < 0 || !copy_rest(fd, from, at)) {
		status = sendmail_fail(EX_TEMPFAIL,
				       "cannot keep the message: %s",
				       strerror(errno));
	} else {
		buf_init(&reply, 4096);
		status = sendmail_hand_over(s, fd, &reply);
		if (status)
			sendmail_fail(status, "%s", reply.data);
		buf_free(&reply);
	}
	if (fd >= 0)
		close(fd);
	return status;
}

int sendmail_verp(const struct sendmail *s, const struct envelope *e, int fd,
		  off_t at)
{
	const char **sender =
		arena_alloc(s->arena, e->nrecipients * sizeof(*sender));
	int status = EX_OK;
	size_t i;

	for (i = 0; i < e->nrecipients; i++) {
		sender[i] = make_sender(s, e->sender, e->recipient[i].address);
		if (!sender[i])
			return sendmail_fail(EX_DATAERR,
					     "-XV: no sender can be made for "
					     "%s",
					     e->recipient[i].address);
	}
	for (i = 0; i < e->nrecipients && !status; i++)
		status = send_one(s, *e, e->recipient[i], sender[i], fd, at);
	if (status && i > 1)
		sendmail_fail(
			status,
			"-XV: the first %zu of %zu recipients are served, "
			"those from %s on are not",
			i - 1, e->nrecipients, e->recipient[i - 1].address);
	return status;
}
