/* What a local program hands to pickup: records, an empty line, a message. */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "intake/posting.h"

FUZZ_SEEDS("sender a%40b\nrcpt c%40d 0 \n\nSubject: x\n\nbody\n",
	   "sender \nenvid e\nret HDRS\nbody 7BIT\nsmtputf8 yes\narrival 5\n"
	   "rcpt c%40d 15 rfc822%3Bx\nrcpt e 0 \n\n",
	   "\n", "sender a%0Ab\n\n")

/* What was read is written and read again: it is the same. */
static void check(const struct envelope *e)
{
	struct arena *a = arena_new();
	struct envelope again;
	struct buf b, c;

	buf_init(&b, 1 << 20);
	buf_init(&c, 1 << 20);
	envelope_write(&b, e);
	FUZZ_CHECK(envelope_read(a, b.data, b.len, &again) == ERR_OK);
	envelope_write(&c, &again);
	FUZZ_CHECK(b.len == c.len && memcmp(b.data, c.data, b.len) == 0);
	buf_free(&b);
	buf_free(&c);
	arena_free(&a);
}

void fuzz_one(const char *data, size_t n)
{
	int fd = memfd_create("posting", MFD_CLOEXEC);
	struct arena *a = arena_new();
	struct envelope e;
	off_t offset, length;

	FUZZ_CHECK(fd >= 0 && file_write(fd, data, n) == ERR_OK);
	if (posting_read(a, fd, &e, &offset, &length) == ERR_OK) {
		FUZZ_CHECK(offset + length == (off_t)n);
		check(&e);
	}
	if (envelope_read(a, data, n, &e) == ERR_OK)
		check(&e);
	arena_free(&a);
	close(fd);
}
