/*
 * The file of a folder's annotations or of its rights, which its owner or a
 * restore may have written, with a checksum that is right.
 */
#include "fuzz.h"

#include <string.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "mailbox/entry-file.h"

FUZZ_SEEDS("1 a\nb\n", "0 a\n\n", "3 /private/comment\na\nb\n1 x\n\n\n",
	   "1 a\nb\n1 a\nc\n", "2 a\nb\n", "1 a", "-1 a\n\n", "1 \nb\n")

static bool any(const struct metadata_entry *e)
{
	return e->name != NULL;
}

static const struct entry_kind kind = {
	.word = "entries", .lost = "", .max = 20, .is_good = any
};

static int parse(const struct buf *text, struct metadata *m)
{
	*m = (struct metadata){ 0 };
	return entry_parse(&kind, text->data, text->len, m);
}

/* What was read is written so that the same is read again. */
void fuzz_one(const char *data, size_t n)
{
	struct metadata m, again;
	struct buf text, printed, twice;

	buf_init(&text, 1 << 20);
	buf_init(&printed, 1 << 20);
	buf_init(&twice, 1 << 20);
	buf_printf(&text, "entries 1 %08x\n", crc32c(0, data, n));
	buf_put(&text, data, n);
	if (parse(&text, &m) == ERR_OK) {
		FUZZ_CHECK(m.n <= kind.max);
		entry_print(&kind, &m, &printed);
		FUZZ_CHECK(parse(&printed, &again) == ERR_OK);
		FUZZ_CHECK(again.n == m.n);
		entry_print(&kind, &again, &twice);
		FUZZ_CHECK(twice.len == printed.len &&
			   memcmp(twice.data, printed.data, twice.len) == 0);
		metadata_free(&again);
	} else {
		FUZZ_CHECK(m.n == 0);
	}
	metadata_free(&m);
	buf_free(&text);
	buf_free(&printed);
	buf_free(&twice);
}
