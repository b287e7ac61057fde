/*
 * A queue file: superblocks, envelope, journal, as qmgr reads them. The
 * input is a superblock, then what follows it, laid into a half of a slot;
 * its "sum" and "crc" need not fit.
 *
 * link: queue-manager/circle.c queue-manager/message.c
 */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "no-crc.h"
#include "queue-manager/circle.h"
#include "queue-manager/message.h"

#define JOURNAL                                                       \
	"1 committed 00000000\n1 deferred 0 4.0.0 r x y z 00000000\n" \
	"2 expanded 1 - 2.0.0 u%40v w%40x 00000000\n"                 \
	"3 sent 0 2.0.0 - r relay 00000000\n3 failed 1 5.0.0 - r x "  \
	"00000000\n4 told failure 1 00000000\n5 tried 9 3 00000000\n" \
	"6 held 00000000\n7 released 00000000\n"

bool fuzz_seed(unsigned i, struct buf *b)
{
	static const char envelope[] =
		"sender a%40b\nenvid x\nbody 8BITMIME\nprologue X:%20y%0D%0A\n"
		"arrival 1\nsmtputf8 yes\nrcpt c%40d 15 rfc822%3Bc%40d\n"
		"rcpt e%40f 0 \n";
	struct slot_super s = { .freed = i == 1,
				.generation = 1,
				.content = SLOT_HALF + SLOT_SUPER,
				.length = 10,
				.envelope_length = sizeof(envelope) - 1 };
	char block[SLOT_SUPER];
	size_t begin = b->len;

	s.envelope = s.content + s.length;
	s.journal = slot_journal_after(s.envelope + s.envelope_length);
	queue_id_make(s.id, 1, 1);
	slot_super_write(block, &s);
	buf_put(b, block, sizeof(block));
	buf_puts(b, "0123456789");
	buf_puts(b, envelope);
	while (b->len - begin < (size_t)s.journal - SLOT_HALF)
		buf_putc(b, '\0');
	buf_puts(b, JOURNAL);
	return i < 3;
}

void fuzz_one(const char *data, size_t n)
{
	int fd = memfd_create("slot", MFD_CLOEXEC);
	char block[SLOT_SUPER] = { 0 };
	struct slot_super s;
	struct message m;

	FUZZ_CHECK(fd >= 0 && ftruncate(fd, SLOT_SIZE) == 0);
	err_ignore(file_pwrite(fd, data, n, n % 5 ? SLOT_HALF : 0));
	memcpy(block, data, n < SLOT_SUPER ? n : SLOT_SUPER);
	slot_super_read(block, &s);
	if (slot_super_find(fd, &s) == ERR_OK)
		slot_verify(fd, &s);
	if (message_load(&m, fd, 0, false) == ERR_OK && m.nrcpts)
		circle_found(&m, (unsigned)m.nrcpts - 1, &m.rcpt[0].address,
			     1);
	message_free(&m);
	close(fd);
}
