#include "tlsproxy/bio.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "log/log.h"

static struct {
	BIO_METHOD *method;
	struct buf output;
} self;

/* The descriptor travels in the BIO's data pointer. */
static int fd_of(BIO *b)
{
	return (int)(intptr_t)BIO_get_data(b);
}

static int take(BIO *b, char *data, size_t size, size_t *n)
{
	ssize_t got;

	BIO_clear_retry_flags(b);
	do
		got = recv(fd_of(b), data, size, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	*n = got > 0 ? (size_t)got : 0;
	if (got > 0)
		return 1;
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(b);
	else if (got == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	return 0;
}

static int give(BIO *b, const char *data, size_t size, size_t *n)
{
	(void)b;
	buf_put(&self.output, data, size);
	*n = size;
	return 1;
}

static long control(BIO *b, int what, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	if (what == BIO_CTRL_EOF)
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	return what == BIO_CTRL_FLUSH || what == BIO_CTRL_PUSH ||
	       what == BIO_CTRL_POP;
}

static BIO_METHOD *method(void)
{
	if (self.method)
		return self.method;
	self.method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
				   "gathering socket");
	if (!self.method)
		log_die(EX_OSERR, "OpenSSL gives no memory");
	BIO_meth_set_read_ex(self.method, take);
	BIO_meth_set_write_ex(self.method, give);
	BIO_meth_set_ctrl(self.method, control);
	buf_init(&self.output, SIZE_MAX / 2);
	return self.method;
}

void bio_attach(SSL *ssl, int fd)
{
	BIO *b = BIO_new(method());

	if (!b)
		log_die(EX_OSERR, "OpenSSL gives no memory");
	BIO_set_data(b, (void *)(intptr_t)fd);
	BIO_set_init(b, 1);
	SSL_set_bio(ssl, b, b);
}

struct buf *bio_output(void)
{
	return &self.output;
}
