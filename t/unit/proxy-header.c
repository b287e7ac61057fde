/* The PROXY header, versions 1 and 2, byte by byte. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "io/proxy-header.h"
#include "t/unit/tap.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static const struct {
	const char *promise;
	const char *data;
	size_t n;
	int err;
	bool local;
	const char *client, *server, *tls;
} cases[] = {
#define ROW(promise, data, ...) { promise, data, sizeof(data) - 1, __VA_ARGS__ }
	ROW("version 1, IPv4",
	    "PROXY TCP4 192.0.2.7 198.51.100.1 56324 143\r\n", ERR_OK, false,
	    "192.0.2.7", "198.51.100.1", ""),
	ROW("version 1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 56324 25\r\n",
	    ERR_OK, false, "2001:db8::7", "2001:db8::1", ""),
	ROW("version 1, nobody", "PROXY UNKNOWN\r\n", ERR_OK, true, "", "", ""),
	ROW("version 1, nobody, and more", "PROXY UNKNOWN ffff:f 1 2 3\r\n",
	    ERR_OK, true, "", "", ""),
	ROW("an address of the other kind",
	    "PROXY TCP4 2001:db8::7 198.51.100.1 1 2\r\n", ERR_SYNTAX, false,
	    "", "", ""),
	ROW("no address", "PROXY TCP4 192.0.2.300 198.51.100.1 1 2\r\n",
	    ERR_SYNTAX, false, "", "", ""),
	ROW("a word too few", "PROXY TCP4 192.0.2.3 198.51.100.1 1\r\n",
	    ERR_SYNTAX, false, "", "", ""),
	ROW("LF alone", "PROXY UNKNOWN\n", ERR_SYNTAX, false, "", "", ""),
	ROW("too long",
	    "PROXY UNKNOWN 4567890123456789012345678901234567890123456789012345"
	    "67890123456789012345678901234567890123456789012345678901234567890",
	    ERR_SYNTAX, false, "", "", ""),
	ROW("another protocol", "EHLO x\r\n", ERR_SYNTAX, false, "", "", ""),
	ROW("TLS", "\x16\x03\x01", ERR_SYNTAX, false, "", "", ""),
	ROW("version 2, IPv4",
	    V2 "\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\0\x8f",
	    ERR_OK, false, "192.0.2.7", "198.51.100.1", ""),
	ROW("version 2, local", V2 "\x20\0\0\0", ERR_OK, true, "", "", ""),
	ROW("version 2, local with addresses",
	    V2 "\x20\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\0\x8f",
	    ERR_OK, true, "", "", ""),
	ROW("version 2, a socket of Unix", V2 "\x21\x31\0\x02" "ab", ERR_OK,
	    true, "", "", ""),
	ROW("version 2, too short for its addresses",
	    V2 "\x21\x11\0\x02" "ab", ERR_OK, true, "", "", ""),
	ROW("version 2, TLS",
	    V2 "\x21\x11\0\x2f\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\0\x8f"
	       "\x01\0\x01x\x20\0\x1c\x01\0\0\0\0\x21\0\x07TLSv1.3\x23\0\x0a"
	       "ABC_GCM_\nX",
	    ERR_OK, false, "192.0.2.7", "198.51.100.1",
	    "TLSv1.3 with cipher ABC_GCM_?X"),
	ROW("version 2, no TLS",
	    V2 "\x21\x11\0\x14\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\0\x8f"
	       "\x20\0\x05\0\0\0\0\0",
	    ERR_OK, false, "192.0.2.7", "198.51.100.1", ""),
	ROW("version 2, lengths that lie",
	    V2 "\x21\x11\0\x14\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\0\x8f"
	       "\x20\x10\x05\x01\0\0\0\0",
	    ERR_OK, false, "192.0.2.7", "198.51.100.1", ""),
	ROW("version 3", V2 "\x31\x11\0\0", ERR_SYNTAX, false, "", "", ""),
	ROW("another command", V2 "\x22\x11\0\0", ERR_SYNTAX, false, "", "",
	    ""),
	ROW("too large", V2 "\x21\x11\x20\0", ERR_SYNTAX, false, "", "", ""),
};

static const char *text_of(const struct sockaddr_storage *ss, char out[64])
{
	const struct sockaddr_in *four = (const void *)ss;
	const struct sockaddr_in6 *six = (const void *)ss;

	*out = '\0';
	if (ss->ss_family == AF_INET)
		inet_ntop(AF_INET, &four->sin_addr, out, 64);
	if (ss->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &six->sin6_addr, out, 64);
	return out;
}

/* Over a socket, PIECE bytes at a time, with more after it. */
static int over_socket(const char *data, size_t n, size_t piece,
		       struct proxy_header *h, char rest[8])
{
	struct proxy_reader r = { .n = 0 };
	int pair[2], err = ERR_BUSY;
	ssize_t got;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	for (size_t at = 0; at < n && err == ERR_BUSY; at += piece) {
		size_t now = n - at < piece ? n - at : piece;

		if (write(pair[0], data + at, now) < 0)
			break;
		if (at + now == n && write(pair[0], "after", 5) < 0)
			break;
		err = proxy_header_take(pair[1], &r, h);
	}
	got = recv(pair[1], rest, 7, MSG_DONTWAIT);
	rest[got > 0 ? got : 0] = '\0';
	close(pair[0]);
	close(pair[1]);
	return err;
}

static void run(size_t i, size_t piece)
{
	struct proxy_header h;
	char one[64], two[64], rest[8];
	int err = over_socket(cases[i].data, cases[i].n, piece, &h, rest);

	ok(err == cases[i].err &&
		   (err || (h.local == cases[i].local &&
			    strcmp(rest, "after") == 0 &&
			    strcmp(text_of(&h.client, one), cases[i].client) ==
				    0 &&
			    strcmp(text_of(&h.server, two), cases[i].server) ==
				    0 &&
			    strcmp(h.tls, cases[i].tls) == 0)),
	   "%s, %zu bytes at a time", cases[i].promise, piece);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run(i, 1);
		run(i, 5);
		run(i, 1000);
	}
	return done();
}
