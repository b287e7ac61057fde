#include "pop3d/capability.h"

#include <inttypes.h>

#include "base/str.h"
#include "sasl/server.h"

void capability_put(struct stream *io, bool stls, bool passwords,
		    int64_t login_delay)
{
	stream_puts(io, "+OK\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n"
			"AUTH-RESP-CODE\r\nLANG\r\nEXPIRE NEVER\r\n");
	if (login_delay > 0)
		stream_printf(io, "LOGIN-DELAY %" PRId64 "\r\n", login_delay);
	if (stls)
		stream_puts(io, "STLS\r\n");
	if (passwords)
		stream_printf(io, "USER\r\nSASL %s\r\n", sasl_mechanisms());
	stream_puts(io, "IMPLEMENTATION Posthorn\r\n.\r\n");
}

void capability_put_mechanisms(struct stream *io, bool passwords)
{
	struct strlist names = { 0 };

	stream_puts(io, "+OK\r\n");
	if (passwords)
		strlist_split(&names, sasl_mechanisms());
	for (size_t i = 0; i < names.n; i++)
		stream_printf(io, "%s\r\n", names.item[i]);
	stream_puts(io, ".\r\n");
	strlist_free(&names);
}

bool capability_has_mechanism(const char *name)
{
	struct strlist names = { 0 };
	bool has;

	strlist_split(&names, sasl_mechanisms());
	has = strlist_has_ci(&names, name);
	strlist_free(&names);
	return has;
}
