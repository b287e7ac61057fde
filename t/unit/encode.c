/* Text from outside made visible, for logs and replies. */
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "t/unit/tap.h"

static const struct {
	const char *in, *out, *what;
} cases[] = {
	{ "plain text", "plain text", "plain text stays" },
	{ "a\nb\r\tc", "a\\nb\\r\\tc", "line ends and tabs have names" },
	{ "a\\b", "a\\\\b", "a backslash is doubled" },
	{ "\033[2J\x7f", "\\033[2J\\177", "other controls are octal" },
	{ "caf\303\251 \344\270\255 \360\237\222\214",
	  "caf\303\251 \344\270\255 \360\237\222\214",
	  "characters of other scripts stay" },
	{ "\377\300\200\355\240\200", "\\377\\300\\200\\355\\240\\200",
	  "what is no UTF-8 is octal" },
	{ "\302\205", "\\302\\205", "a C1 control" },
	{ "b\342\200\256nib", "b\\342\\200\\256nib", "a change of direction" },
	{ "a\342\200\250b", "a\\342\\200\\250b", "a line separator" },
	{ "a\342\200\213b", "a\\342\\200\\213b", "a space without width" },
	{ "\357\273\277a", "\\357\\273\\277a", "a byte order mark" },
	{ "\363\240\201\201", "\\363\\240\\201\\201", "a tag" },
	{ "a\302\240b", "a\302\240b", "a no-break space stays" },
};

int main(void)
{
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_reset(&b);
		encode_visible(&b, cases[i].in, strlen(cases[i].in));
		buf_putc(&b, '\0');
		ok(strcmp(b.data, cases[i].out) == 0, "%s", cases[i].what);
	}
	buf_free(&b);
	return done();
}
