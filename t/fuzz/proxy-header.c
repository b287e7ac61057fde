/* The header of a proxy in front of us. */
#include "fuzz.h"

#include <string.h>

#include "base/err.h"
#include "io/proxy-header.h"

/* Version 2 has NULs, which strings have not: 0x80 to 0x9f stand for the bytes
 * from 0 on, as they are not in the texts. */
static const char *const seeds[] = {
	"PROXY TCP4 192.0.2.7 198.51.100.1 56324 143\r\nrest",
	"PROXY TCP6 2001:db8::7 2001:db8::1 56324 25\r\n",
	"PROXY UNKNOWN\r\n",
	"\r\n\r\n\x80\r\nQUIT\n!\x91\x80\x8c\x41\x42\x43\x44\x45\x46\x47\x48"
	"abcd",
	"\r\n\r\n\x80\r\nQUIT\n!\x91\x80/\x41\x42\x43\x44\x45\x46\x47\x48"
	"abcd\x81\x80\x81x \x80\x9c\x81\x80\x80\x80\x80!\x80\x87TLSv1.3#\x80"
	"\x8a" "ABC_GCM_OX",
	"\r\n\r\n\x80\r\nQUIT\n \x80\x80\x80",
};

bool fuzz_seed(unsigned i, struct buf *b)
{
	if (i >= sizeof(seeds) / sizeof(*seeds))
		return false;
	for (const char *p = seeds[i]; *p; p++)
		buf_putc(b, (unsigned char)*p >= 0x80 &&
					    (unsigned char)*p < 0xa0
				    ? (char)(*p & 0x1f)
				    : *p);
	return true;
}

void fuzz_one(const char *data, size_t n)
{
	struct proxy_header h, again;
	size_t used, more;
	int err = proxy_header_read(data, n, &h, &used);

	FUZZ_CHECK(memchr(h.tls, '\0', sizeof(h.tls)));
	if (err)
		return;
	FUZZ_CHECK(used > 0 && used <= n && used <= PROXY_HEADER_MAX);
	FUZZ_CHECK(h.local || h.client.ss_family != 0);
	/* what follows it does not count, and no part of it is enough */
	FUZZ_CHECK(proxy_header_read(data, used, &again, &more) == ERR_OK);
	FUZZ_CHECK(more == used && again.local == h.local);
	FUZZ_CHECK(proxy_header_read(data, used - 1, &again, &more) ==
		   ERR_BUSY);
}
