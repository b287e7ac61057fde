#include "io/proxy-header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

#define LINE_MAX_BYTES 107 /* of version 1, with its CRLF */
#define HEAD 16		   /* bytes of version 2 before the addresses */
#define TLV_SSL 0x20
#define TLV_SSL_VERSION 0x21
#define TLV_SSL_CIPHER 0x23
#define SSL_HEAD 5 /* bytes of TLV_SSL before what is in it */

static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const char word[] = "PROXY ";

static int bad(void)
{
	return err_set(ERR_SYNTAX, "no PROXY header");
}

/* "192.0.2.1" or "2001:db8::1", as FAMILY says. */
static bool read_ip(const char *text, int family, struct sockaddr_storage *ss)
{
	struct sockaddr_in *four = (struct sockaddr_in *)(void *)ss;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)ss;

	ss->ss_family = (sa_family_t)family;
	return inet_pton(family, text,
			 family == AF_INET ? (void *)&four->sin_addr
					   : (void *)&six->sin6_addr) == 1;
}

/* Version 1: "PROXY TCP4 from to port port", or "PROXY UNKNOWN …". */
static int read_line(char *line, struct proxy_header *h)
{
	struct strlist w = { 0 };
	bool good = false;

	strlist_split(&w, line);
	if (w.n >= 2 && str_equal(w.item[1], "UNKNOWN")) {
		h->local = good = true;
	} else if (w.n == 6 && (str_equal(w.item[1], "TCP4") ||
				str_equal(w.item[1], "TCP6"))) {
		int family = w.item[1][3] == '4' ? AF_INET : AF_INET6;

		good = read_ip(w.item[2], family, &h->client) &&
		       read_ip(w.item[3], family, &h->server);
	}
	strlist_free(&w);
	return good ? ERR_OK : bad();
}

static int read_text(const char *data, size_t n, struct proxy_header *h,
		     size_t *used)
{
	size_t max = n < LINE_MAX_BYTES ? n : LINE_MAX_BYTES;
	const char *end = memchr(data, '\n', max);
	char line[LINE_MAX_BYTES + 1];

	if (!end)
		return max < LINE_MAX_BYTES ? ERR_BUSY : bad();
	*used = (size_t)(end - data) + 1;
	if (*used < 2 || end[-1] != '\r' || memchr(data, '\0', *used))
		return bad();
	memcpy(line, data, *used - 2);
	line[*used - 2] = '\0';
	return read_line(line, h);
}

/* The addresses of version 2; gives how many bytes they have, 0: none that we
 * know. */
static size_t read_addresses(const unsigned char *p, size_t n, unsigned family,
			     struct proxy_header *h)
{
	struct sockaddr_in *from = (struct sockaddr_in *)(void *)&h->client;
	struct sockaddr_in *to = (struct sockaddr_in *)(void *)&h->server;
	struct sockaddr_in6 *from6 = (struct sockaddr_in6 *)(void *)&h->client;
	struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)(void *)&h->server;

	if (family == 0x11 && n >= 12) {
		from->sin_family = to->sin_family = AF_INET;
		memcpy(&from->sin_addr, p, 4);
		memcpy(&to->sin_addr, p + 4, 4);
		return 12;
	}
	if (family == 0x21 && n >= 36) {
		from6->sin6_family = to6->sin6_family = AF_INET6;
		memcpy(&from6->sin6_addr, p, 16);
		memcpy(&to6->sin6_addr, p + 16, 16);
		return 36;
	}
	return 0;
}

/* The value of TYPE among the N bytes of types, lengths and values at P; *LEN
 * are its bytes. NULL: there is none. */
static const unsigned char *find_value(const unsigned char *p, size_t n,
				       unsigned type, size_t *len)
{
	while (n >= 3) {
		*len = (size_t)p[1] << 8 | p[2];
		if (*len > n - 3)
			break;
		if (p[0] == type)
			return p + 3;
		p += 3 + *len;
		n -= 3 + *len;
	}
	return NULL;
}

static void add_word(char *out, size_t size, const char *before,
		     const unsigned char *text, size_t n)
{
	size_t at = strlen(out);

	if (text && n < 60)
		snprintf(out + at, size - at, "%s%.*s", before, (int)n, text);
}

/* Did the client speak TLS (bit 0 of what the proxy says of it)? */
static void read_tls(const unsigned char *p, size_t n, struct proxy_header *h)
{
	size_t len, part;
	const unsigned char *ssl = find_value(p, n, TLV_SSL, &len), *value;

	if (!ssl || len < SSL_HEAD || !(ssl[0] & 1))
		return;
	ssl += SSL_HEAD;
	len -= SSL_HEAD;
	value = find_value(ssl, len, TLV_SSL_VERSION, &part);
	add_word(h->tls, sizeof(h->tls), "", value, part);
	if (!*h->tls)
		str_copy(h->tls, sizeof(h->tls), "TLS");
	value = find_value(ssl, len, TLV_SSL_CIPHER, &part);
	add_word(h->tls, sizeof(h->tls), " with cipher ", value, part);
	for (char *c = h->tls; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int read_binary(const unsigned char *p, size_t n, struct proxy_header *h,
		       size_t *used)
{
	size_t len, addresses;

	if (n < HEAD)
		return ERR_BUSY;
	len = (size_t)p[14] << 8 | p[15];
	*used = HEAD + len;
	if (p[12] >> 4 != 2 || (p[12] & 15) > 1 || *used > PROXY_HEADER_MAX)
		return bad();
	if (n < *used)
		return ERR_BUSY;
	addresses = p[12] & 15 ? read_addresses(p + HEAD, len, p[13], h) : 0;
	h->local = addresses == 0;
	if (!h->local)
		read_tls(p + HEAD + addresses, len - addresses, h);
	return ERR_OK;
}

static bool begins(const void *data, size_t n, const void *with, size_t len)
{
	return memcmp(data, with, n < len ? n : len) == 0;
}

int proxy_header_read(const void *data, size_t n, struct proxy_header *h,
		      size_t *used)
{
	*h = (struct proxy_header){ .local = false };
	*used = 0;
	if (n == 0)
		return ERR_BUSY;
	if (begins(data, n, signature, sizeof(signature)))
		return read_binary(data, n, h, used);
	if (begins(data, n, word, sizeof(word) - 1))
		return read_text(data, n, h, used);
	return bad();
}

int proxy_header_take(int fd, struct proxy_reader *r, struct proxy_header *h)
{
	ssize_t n = recv(fd, r->data + r->n, sizeof(r->data) - r->n,
			 MSG_PEEK | MSG_DONTWAIT);
	size_t used, take;
	int err;

	if (n == 0)
		return ERR_EOF;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR
			       ? ERR_BUSY
			       : err_sys("read", "a PROXY header");
	err = proxy_header_read(r->data, r->n + (size_t)n, h, &used);
	if (err && err != ERR_BUSY)
		return err;
	/* what belongs to it, as far as it has come */
	take = err ? (size_t)n : used - r->n;
	n = recv(fd, r->data + r->n, take, MSG_DONTWAIT);
	if (n < 0 || (size_t)n < take)
		return err_sys("read", "a PROXY header");
	r->n += take;
	return err;
}
