/*
 * What programs and users of this machine write: the header of a message for
 * sendmail and pickup, a .forward, what a worker tells of it, the responses of
 * SASL.
 *
 * link: pickup/sendmail-header.c pickup/pickup-header.c local-deliver/targets.c
 */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "intake/edit.h"
#include "local-deliver/targets.h"
#include "sasl/server.h"
#include "pickup/pickup-header.h"
#include "pickup/sendmail.h"

FUZZ_SEEDS("To: a, b@c (x), \"d e\"\r\nBcc: f\r\nFrom: root (Cron Daemon)\n"
	   "Resent-To: x <y>\nSubject: x\n folded\n",
	   "From root\nTo: grp: a, b;, <@r:c@d>\n\n",
	   "\\user, \"|cmd 'a b'\", /a/b, :include:/c # x\n\"x y\"@z\n",
	   "a@b\ncc@d\nf/x/y\nc|cmd\n!fault\n", "AHUAcA==", "dXNlcg==", "=")

const char *sendmail_address(const struct sendmail *s, const char *text)
{
	(void)s;
	return text;
}

const char *sendmail_caller(const struct sendmail *s)
{
	(void)s;
	return "u@x.test";
}

const char *sendmail_full_name(const struct sendmail *s)
{
	(void)s;
	return "A \"B\" \xc3\xb6";
}

struct intake {
	struct intake_header header;
};

struct intake_header *intake_header(struct intake *in)
{
	return &in->header;
}

/* The row of pickup, on any header. */
static void row(const char *data, size_t n)
{
	struct intake in;
	struct intake_question q = { .stage = INTAKE_HEADER, .intake = &in };
	struct answer a;

	pickup_header_begin("x.test");
	intake_header_init(&in.header);
	intake_header_read(&in.header, data, n);
	FUZZ_CHECK(pickup_judge_header(&q, &a) == INTAKE_ACCEPT);
	FUZZ_CHECK(in.header.body <= data + n);
	intake_header_free(&in.header);
}

static void header(const char *data, size_t n)
{
	struct sendmail_options o = { .extract = true };
	struct sendmail s = { .options = &o, .arena = arena_new() };
	struct sendmail_header h = { data, n };
	struct strlist found = { 0 };
	struct buf out;

	buf_init(&out, 1 << 20);
	sendmail_extract(&s, &h, &found, &out);
	buf_reset(&out);
	sendmail_put_header(&s, &h, "u@x.test", &out);
	buf_reset(&out);
	pickup_complete(&out, data, n, "x.test");
	FUZZ_CHECK(out.len >= n);
	row(data, n);
	strlist_free(&found);
	arena_free(&s.arena);
	buf_free(&out);
}

/* What was told of a file can be heard, and what anybody says, too. */
static void targets(const char *data, size_t n)
{
	int fd = memfd_create("forward", MFD_CLOEXEC);
	struct arena *a = arena_new();
	struct alias_target *target;
	struct buf told;
	size_t ntargets;

	buf_init(&told, TARGETS_TOLD_MAX);
	FUZZ_CHECK(fd >= 0 && file_write(fd, data, n) == ERR_OK &&
		   lseek(fd, 0, SEEK_SET) == 0);
	targets_tell(fd, "forward", TARGETS_FILE_MAX, &told);
	if (told.len == 0 || *told.data != TARGETS_FAULT)
		FUZZ_CHECK(!targets_hear(a, told.data, told.len, &target,
					 &ntargets));
	buf_reset(&told);
	for (size_t i = 0; i < n; i++)
		buf_putc(&told, (char)(data[i] == '\n' ? '\0' : data[i]));
	targets_hear(a, told.data, told.len, &target, &ntargets);
	buf_free(&told);
	arena_free(&a);
	close(fd);
}

static void sasl(const char *data, size_t n)
{
	struct sasl_server *s = sasl_server_new(n % 2 ? "PLAIN" : "LOGIN");
	struct arena *a = arena_new();
	char *rest = arena_strndup(a, data, n), *word;
	struct buf challenge;
	enum sasl_result r = SASL_CONTINUE;

	buf_init(&challenge, SASL_RESPONSE_MAX);
	while (r == SASL_CONTINUE && (word = strsep(&rest, "\n")))
		r = sasl_server_step(s, word, &challenge);
	if (r == SASL_VERIFY)
		FUZZ_CHECK(*sasl_server_user(s) && *sasl_server_password(s));
	if (r == SASL_FAILED)
		FUZZ_CHECK(*sasl_server_why(s));
	buf_free(&challenge);
	sasl_server_free(&s);
	arena_free(&a);
}

void fuzz_one(const char *data, size_t n)
{
	header(data, n);
	targets(data, n);
	sasl(data, n);
}
