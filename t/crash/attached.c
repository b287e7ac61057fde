#include "t/crash/attached.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "mailbox/attached.h"
#include "mime/part.h"

#define MADE " was decoded: END"
#define MADE_MAX 100
#define ALLOWED_MS 60000 /* nothing is waited for */

const struct decoders *attached_decoders(void)
{
	static struct decoders decoders;
	struct strlist items = { 0 };
	struct buf faults;

	if (decoders.n > 0)
		return &decoders;
	buf_init(&faults, 1000);
	strlist_add(&items, "{" ATTACHED_TYPE ": /nowhere/decode}");
	if (!decoders_read(&decoders, &items, "/nowhere", &faults))
		abort();
	strlist_free(&items);
	buf_free(&faults);
	return &decoders;
}

/* The first word of DATA, which is the token. */
static void put_made(struct buf *out, const char *data, size_t n)
{
	const char *end = memchr(data, ' ', n);

	buf_put(out, data, end ? (size_t)(end - data) : 0);
	buf_puts(out, MADE);
}

/* Linked in the place of the question to the program decoder. */
int __wrap_decoder_ask(const struct decoders *d, const struct decoder *row,
		       uint64_t asker, const char *data, size_t n,
		       struct buf *out);
int __wrap_decoder_ask(const struct decoders *d, const struct decoder *row,
		       uint64_t asker, const char *data, size_t n,
		       struct buf *out)
{
	(void)d, (void)row, (void)asker;
	put_made(out, data, n);
	return ERR_OK;
}

static bool is_made(const struct buf *text, const struct mime_part *part,
		    const char *got, size_t n)
{
	struct buf made;
	bool same;

	buf_init(&made, MADE_MAX);
	put_made(&made, text->data + part->body, part->nbody);
	same = made.len == n && memcmp(made.data, got, n) == 0;
	buf_free(&made);
	return same;
}

bool attached_is_right(struct mailbox *m, uint32_t seq, const struct buf *text)
{
	const struct searched_more *more = mailbox_attached(m, seq);
	struct arena *a = arena_new();
	struct mime_part *part = mime_parse(a, text->data, text->len);
	bool known = true, good = true;
	const char *got;
	size_t n;

	mailbox_attached_allow(m, ALLOWED_MS);
	if (more && more->text(more->context, text->data, part, &got, &n,
			       &known))
		good = is_made(text, part, got, n);
	arena_free(&a);
	return good && known;
}
