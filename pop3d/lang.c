#include "pop3d/lang.h"

#include "base/str.h"
#include "pop3d/command.h"

void lang_answer(struct stream *io, const char *range)
{
	if (!*range)
		stream_puts(io, "+OK languages:\r\nen English\r\n.\r\n");
	else if (str_equal(range, "*") || str_equal_ci(range, "en"))
		command_reply(io, "+OK en replies are in English");
	else
		command_reply(io, "-ERR there is no such language");
}
