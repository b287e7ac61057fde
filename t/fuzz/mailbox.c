/*
 * What is kept beside the messages of a folder: journal, snapshot, cache,
 * lock file, list of subscriptions, annotations, access list, signatures, texts
 * of attachments. The first letter of an input says which of them the rest replaces.
 */
#include "fuzz.h"

#include "maildir.h"
#include "index/beside.h"
#include "index/disk.h"
#include "mailbox/acl.h"
#include "mailbox/attached.h"
#include "mailbox/mailbox.h"
#include "mailbox/metadata.h"
#include "mailbox/opened.h"
#include "mailbox/private.h"
#include "mailbox/signing.h"
#include "no-crc.h"

/* What comes of a call is not what is looked for. */
#pragma GCC diagnostic ignored "-Wunused-result"

static const struct {
	char letter;
	const char *name;
} files[] = { { 'J', DISK_JOURNAL },	  { 'S', DISK_SNAPSHOT },
	      { 'C', DISK_CACHE },	  { 'L', DISK_LOCK },
	      { 'V', DISK_COUNTER },	  { 'U', DISK_USES },
	      { 'B', DISK_SUBSCRIPTIONS }, { 'M', DISK_METADATA },
	      { 'A', DISK_ACL },	  { 'I', DISK_SIGNATURES },
	      { 'T', DISK_TEXTS } };

#define FILES (sizeof(files) / sizeof(*files))

#define INPUTS_PER_MAILDIR 100

static struct buf fresh[FILES];
static unsigned inputs;

static const char *path_of(size_t i)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", maildir.path, files[i].name);
	return path;
}

static int annotate(struct store *s)
{
	struct metadata m = { 0 };
	int code;

	metadata_set(&m, "/private/comment", "one", 3);
	metadata_set(&m, "/shared/vendor/x/y", "\0\n", 2);
	code = metadata_change(s, "INBOX", &m);
	metadata_free(&m);
	return code;
}

/* A search, and the signatures that it asks for. */
static void search(struct mailbox *m)
{
	struct excluded x;

	probe_init(&x.probe, "NUMBER", 6);
	x.bit = calloc(mailbox_count(m) / 64 + 1, sizeof(*x.bit));
	mailbox_exclude(m, &x, 1);
	for (int i = 0; i < 4 && mailbox_sign(m, 1000); i++)
		;
	free(x.bit);
}

static struct decoders decoders;
#define DOCUMENT \
	"Content-Type: a/b\r\n\r\nthis is of no use, but long enough\r\n"

/* Once: none of them is ever reached. */
static void make_decoders(void)
{
	struct strlist items = { 0 };
	struct buf faults;

	if (decoders.socket)
		return;
	buf_init(&faults, 1000);
	strlist_add(&items, "{a/b: /nowhere}");
	FUZZ_CHECK(decoders_read(&decoders, &items, maildir.path, &faults));
	strlist_free(&items);
	buf_free(&faults);
}

/* All texts of attachments that there are; nobody can make others. */
static void decode(struct mailbox *m)
{
	struct arena *a = arena_new();
	const char *text;
	size_t n;
	bool known;

	for (uint32_t seq = 1; seq <= mailbox_count(m) && seq <= 20; seq++) {
		const struct searched_more *more = mailbox_attached(m, seq);
		const struct mime_part *part =
			mime_parse(a, DOCUMENT, strlen(DOCUMENT));

		if (more && more->text(more->context, DOCUMENT, part, &text, &n,
				       &known))
			FUZZ_CHECK(n <= DECODER_TEXT_MAX && text[n] == '\0');
	}
	arena_free(&a);
}

/* Texts of some messages; of one there is none. */
static void put_texts(struct mailbox *m)
{
	int fd = openat(index_dir(&m->x), DISK_TEXTS, O_WRONLY | O_CREAT, 0600);
	struct buf b;

	buf_init(&b, 1 << 20);
	for (uint32_t seq = 1; seq <= mailbox_count(m) && seq <= 4; seq++) {
		struct texts_head h = { .made_by = decoders.row[0].made_by,
					.part = 21,
					.failed = seq == 2 };

		if (beside_describe(&m->x, mailbox_entry(m, seq), &h.of))
			texts_put(&b, &h, "the text", seq == 2 ? 0 : 8);
	}
	FUZZ_CHECK(fd >= 0 && file_write(fd, b.data, b.len) == ERR_OK);
	close(fd);
	buf_free(&b);
}

/* A Maildir whose files have all kinds of records. */
static void prepare(void)
{
	static const uint32_t one = 1, two = 2;
	struct mailbox *m = NULL;
	struct store *s = NULL;
	uint64_t bit;

	make_folders();
	make_decoders();
	store_open(maildir.path, true, &s);
	store_subscribe(s, "INBOX", true);
	store_create(s, "Sent", NULL);
	FUZZ_CHECK(annotate(s) == ERR_OK);
	FUZZ_CHECK(acl_change(s, "INBOX", "-ann@example.org", '=', ACL_ALL) ==
		   ERR_OK);
	FUZZ_CHECK(mailbox_open(s, "INBOX", false, &m) == ERR_OK);
	mailbox_keyword_bit(m, "word", true, &bit);
	mailbox_store(m, &one, 1, MAILBOX_ADD, MAILBOX_SEEN, bit, UINT64_MAX,
		      NULL);
	search(m);
	put_texts(m);
	mailbox_expunge(m, &two, 1, false);
	index_snapshot(&m->x);
	mailbox_close(&m);
	store_close(&s);
	for (size_t i = 0; i < FILES; i++) {
		buf_free(&fresh[i]);
		buf_init(&fresh[i], 1 << 20);
		err_ignore(file_read(path_of(i), &fresh[i]));
	}
}

bool fuzz_seed(unsigned i, struct buf *b)
{
	if (!*maildir.root)
		prepare();
	if (i >= FILES)
		return false;
	buf_putc(b, files[i].letter);
	buf_put(b, fresh[i].data, fresh[i].len);
	return true;
}

static void put_file(size_t i, const char *data, size_t n)
{
	int fd = open(path_of(i), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	FUZZ_CHECK(fd >= 0 && file_write(fd, data, n) == ERR_OK);
	close(fd);
}

static void use(struct mailbox *m)
{
	const struct mailbox_changes *c;
	struct mailbox_facts f;
	struct buf b;
	uint32_t size;

	buf_init(&b, 1 << 20);
	for (uint32_t seq = 1; seq <= mailbox_count(m); seq++) {
		mailbox_get(m, seq);
		mailbox_size(m, seq, &size);
		mailbox_facts(m, seq, true, &f);
		if (seq > 20)
			continue;
		mailbox_text(m, seq, &b);
		buf_reset(&b);
	}
	for (unsigned i = 0; mailbox_keyword(m, i); i++)
		FUZZ_CHECK(strlen(mailbox_keyword(m, i)) <
			   MAILBOX_KEYWORD_SIZE);
	size = 1;
	if (mailbox_count(m))
		mailbox_store(m, &size, 1, MAILBOX_SET, MAILBOX_FLAGGED, 0,
			      UINT64_MAX, NULL);
	mailbox_refresh(m, true, &c);
	search(m);
	decode(m);
	buf_free(&b);
}

/* A damaged file is put aside, and what is read can be written. */
static void use_annotations(struct store *s)
{
	struct metadata m = { 0 };

	FUZZ_CHECK(metadata_read(s, "INBOX", &m) == ERR_OK);
	for (size_t i = 0; i < m.n; i++)
		FUZZ_CHECK(metadata_find(&m, m.entry[i].name) == &m.entry[i]);
	metadata_free(&m);
	err_ignore(annotate(s)); /* there may be too many */
}

void fuzz_one(const char *data, size_t n)
{
	struct store_status st;
	struct mailbox *m = NULL;
	struct store_list list;
	struct store *s;

	/* deliveries and lost journals let it grow */
	if (inputs++ % INPUTS_PER_MAILDIR == 0)
		prepare();
	for (size_t i = 0; i < FILES; i++)
		if (n && data[0] == files[i].letter)
			put_file(i, data + 1, n - 1);
		else
			put_file(i, fresh[i].data, fresh[i].len);
	FUZZ_CHECK(store_open(maildir.path, false, &s) == ERR_OK);
	store_set_decoders(s, &decoders, 1);
	if (store_list(s, &list) == ERR_OK)
		store_list_free(&list);
	store_status(s, "INBOX", false, &st);
	use_annotations(s);
	if (mailbox_open(s, "INBOX", false, &m) == ERR_OK) {
		use(m);
		mailbox_close(&m);
	}
	store_close(&s);
	if (n % 16 == 0)
		maildir_deliver("Subject: more\r\n\r\n");
}
