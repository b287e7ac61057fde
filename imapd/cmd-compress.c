#include "imapd/commands.h"
#include "log/log.h"

/* RFC 4978: from the end of the reply on, both sides compress. */
void cmd_compress(struct session *s)
{
	if (!arg_is(&s->c.args[0], "DEFLATE")) {
		conn_bad(&s->c, "Only DEFLATE is supported.");
		return;
	}
	if (s->compressed) {
		conn_bad(&s->c, "Compression is already active.");
		return;
	}
	session_reply(s, "OK DEFLATE active.");
	log_debug("imap: compression: user=%s", s->user);
	s->compressed = conn_deflate(&s->c);
	s->ended = !s->compressed;
}
