/*
 * Which characters a message may have, and what becomes of one that has others.
 *
 * link: t/lib/bed.c
 */
#include "intake/intake.h"

#include <stdlib.h>
#include <string.h>

#include "t/unit/intake-lib.h"

#define HEAD "From: a@b.test\r\nSubject: it\r\n"

/* Content is in pieces of 64 kB. */
#define FAR 65530

static const struct {
	const char *promise;
	const char *reject, *strip;
	const char *client;
	const char *text;
	size_t n, far;	  /* TEXT is repeated after so many bytes */
	const char *want; /* NULL: it is refused */
} contents[] = {
#define TEXT(s) (s), sizeof(s) - 1
	{ "NUL in a body is refused", NULL, NULL, "192.0.2.1",
	  TEXT("\r\na\0b\r\n"), 0, NULL },
	{ "NUL in a header is refused", NULL, NULL, "192.0.2.1",
	  TEXT("X: a\0b\r\n\r\n"), 0, NULL },
	{ "NUL behind much else is refused", NULL, NULL, "192.0.2.1",
	  TEXT("\r\na\0b\r\n"), FAR, NULL },
	{ "from a local program it is removed", NULL, NULL, "",
	  TEXT("X: a\0b\r\n\r\nx\0\0y\0\r\n"), 0, "X: ab\r\n\r\nxy\r\n" },
	{ "other controls pass", NULL, NULL, "192.0.2.1",
	  TEXT("\r\n\001\b\177\377\r\n"), 0, "\r\n\001\b\177\377\r\n" },
	{ "if so wanted, it is removed", "", "\\0", "192.0.2.1",
	  TEXT("\r\na\0b\r\n"), 0, "\r\nab\r\n" },
	{ "also behind much else", "", "\\0", "192.0.2.1", TEXT("\r\na\0b\r\n"),
	  FAR, "\r\nab\r\n" },
	{ "what is refused is not removed first", "\\0", "\\0", "192.0.2.1",
	  TEXT("\r\na\0b\r\n"), 0, NULL },
	{ "any character can be named", "", "\\b\\001x\\\\\\177", "192.0.2.1",
	  TEXT("\r\na\b\001x\\\177z\r\n"), 0, "\r\naz\r\n" },
	{ "but line ends stay", "", "\\r\\n\\012", "192.0.2.1",
	  TEXT("\r\na\r\nb\r\n"), 0, "\r\na\r\nb\r\n" },
};

static bool post_content(size_t i, struct answer *a)
{
	const char *reject = contents[i].reject;
	char *const set[] = { mem_printf("message_reject_characters=%s",
					 reject ? reject : "\\0"),
			      mem_printf("message_strip_characters=%s",
					 reject ? contents[i].strip : "") };
	const char *const lines[] = { "myhostname=mail.local.test",
				      "authcheck_incoming=no", set[0], set[1] };
	struct envelope_recipient r = { .address = "defer9@remote.test",
					.orcpt = "" };
	struct envelope e = { .sender = "a@b.test",
			      .recipient = &r,
			      .nrecipients = 1 };
	struct config *c;
	struct intake *in;
	struct buf faults;
	bool good;

	buf_init(&faults, 1 << 16);
	/* without a word of ours what is tested is the default */
	c = config_load(NULL, lines, reject ? 4 : 2, &faults);
	in = intake_new(c, NULL);
	e.envid = e.ret = e.body = e.client_name = e.helo = "";
	e.login = e.protocol = e.tls = e.hold = e.prologue = "";
	e.client = contents[i].client;
	good = intake_begin(in, INTAKE_RELAYED, &e, a);
	intake_write(in, HEAD, strlen(HEAD));
	if (contents[i].far) {
		char *much = mem_alloc(contents[i].far);

		memset(much, 'm', contents[i].far);
		memcpy(much, "\r\n", 2);
		intake_write(in, much, contents[i].far);
		free(much);
	}
	intake_write(in, contents[i].text, contents[i].n);
	good = intake_end(in, "client=test", a) && good;
	intake_free(&in);
	config_free(&c);
	buf_free(&faults);
	free(set[0]);
	free(set[1]);
	return good;
}

static void test_characters(void)
{
	static const enum queue_state waits = QUEUE_WAITING;

	for (size_t i = 0; i < sizeof(contents) / sizeof(*contents); i++) {
		const char *want = contents[i].want;
		struct answer a;
		bool good = post_content(i, &a);
		char *data;

		if (!want) {
			ok(!good && str_starts(a.text, "550 5.6.0 "), "%s: %s",
			   contents[i].promise, a.text);
			continue;
		}
		ok(good && bed_wait(is_alone, &waits), "%s: %s",
		   contents[i].promise, a.text);
		data = content();
		ok(strlen(data) > strlen(want) &&
			   strcmp(data + strlen(data) - strlen(want), want) ==
				   0,
		   "%s: it is stored so", contents[i].promise);
		free(data);
		empty();
	}
}

int main(void)
{
	struct queue_receiver *r = bed_begin();

	if (!r)
		return 0;
	test_characters();
	bed_end(r);
	return done();
}
