/*
 * DKIM of authcheck. With the argument `drive` it takes keys and messages
 * from standard input, for t/auth/dkim-oracle.t.
 * link: authcheck/dkim-verify.c authcheck/dkim-signature.c authcheck/dkim-sign.c authcheck/dkim-library.c authcheck/dkim-key.c authcheck/dkim-length.c authcheck/keys.c authcheck/tags.c authcheck/message.c authcheck/lookup.c
 * libs: LIB_DKIM LIB_SSL
 */
#include "authcheck/dkim.h"

#include <sys/mman.h>
#include <unistd.h>

#include "authcheck/dkim-key.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "t/unit/fake-dns.h"
#include "t/unit/tap.h"

/* RFC 8463 appendix A */
#define ED25519_KEY "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RSA_KEY                                                               \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk0" \
	"8a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBs" \
	"CR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIK" \
	"T+l/K4w3QIDAQAB"
#define RSA_PEM                                                              \
	"-----BEGIN RSA PRIVATE KEY-----\n"                                  \
	"MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n" \
	"Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n" \
	"KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n" \
	"AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n" \
	"6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n" \
	"zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n" \
	"6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n" \
	"uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n" \
	"WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n" \
	"WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n" \
	"licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n" \
	"o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n" \
	"uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"                     \
	"-----END RSA PRIVATE KEY-----\n"
#define ED25519_PEM                                                          \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" \
	"-----END PRIVATE KEY-----\n"

#define SIGNATURES                                                        \
	"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"   \
	" d=football.example.com; i=@football.example.com;\r\n"           \
	" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"         \
	" subject : date : message-id : from : subject : date;\r\n"       \
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"           \
	" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n" \
	" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"                           \
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"       \
	" d=football.example.com; i=@football.example.com;\r\n"           \
	" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"   \
	" date : message-id : from : subject : date;\r\n"                 \
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"           \
	" b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n" \
	" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n" \
	" dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
#define MESSAGE                                                            \
	"From: Joe SixPack <joe@football.example.com>\r\n"                 \
	"To: Suzie Q <suzie@shopping.example.net>\r\n"                     \
	"Subject: Is dinner ready?\r\n"                                    \
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                  \
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n" \
	"\r\n"                                                             \
	"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

static int file_of(const char *text)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0 || file_write(fd, text, strlen(text)))
		exit(2);
	return fd;
}

/* The verdicts as words, "pass fail"; *R has the rest. */
static void verify_file(struct arena *a, int fd, off_t size,
			struct dkim_result *r, char *words)
{
	struct lookup l = { .arena = a, .until_ms = clock_ms() + 5000 };
	struct message m;

	*words = '\0';
	if (message_open(&m, fd, 0, size))
		exit(2);
	dkim_read_signatures(a, &m, r);
	if (dkim_verify_message(&l, &m, r))
		exit(2);
	message_close(&m);
	for (size_t i = 0; i < r->n; i++) {
		if (i > 0)
			strcat(words, " ");
		strcat(words, dkim_word(r->signature[i].result));
	}
}

static void verify(struct arena *a, const char *text, struct dkim_result *r,
		   char *words)
{
	int fd = file_of(text);

	verify_file(a, fd, (off_t)strlen(text), r, words);
	close(fd);
}

/* TEXT with the first FROM in it replaced by TO. */
static char *replaced(struct arena *a, const char *text, const char *from,
		      const char *to)
{
	const char *at = strstr(text, from);

	if (!at)
		exit(2);
	return arena_printf(a, "%.*s%s%s", (int)(at - text), text, to,
			    at + strlen(from));
}

#define RSA_1023 \
	"MIGeMA0GCSqGSIb3DQEBAQUAA4GMADCBiAKBgGcz6OT2HfbLenBVW0Pug8sq" \
	"W7NtQULPyI3745aY+UZ8KB7DvE+4EawoTKQWeWjkZxNf3UlJq+53wU4V6mdm" \
	"FOQMQ6p2wyIKcBZHm94TVjd7xz0BUcUCydsqEhcLxlzyslLZc0T3/GmFlZe9" \
	"pHiFjIyeh5/ewsQUvmBiDoHz4aRRAgMBAAE="

#define V1_RSA "v=DKIM1; k=rsa; p=" RSA_KEY
#define V1_ED "v=DKIM1; k=ed25519; p=" ED25519_KEY

/* The example with one change; both signatures' fates. */
static const struct {
	const char *promise;
	const char *from, *to;
	const char *ed_record, *rsa_record; /* NULL: as it should be */
	const char *want;
} changes[] = {
	{ "example of RFC 8463", "Joe.", "Joe.", NULL, NULL, "pass pass" },
	{ "changed body", "Joe.", "Jim.", NULL, NULL, "fail fail" },
	{ "changed subject", "dinner ready", "supper ready", NULL, NULL,
	  "fail fail" },
	{ "From added on top", "From: Joe", "From: x@evil.example\r\nFrom: Joe",
	  NULL, NULL, "fail fail" },
	{ "Subject added below", "\r\n\r\nHi", "\r\nSubject: x\r\n\r\nHi", NULL,
	  NULL, "fail fail" },
	{ "white space may change", "Is dinner ready?",
	  "Is \r\n\tdinner  ready?", NULL, NULL, "pass pass" },
	{ "fields that are not signed", "From: Joe", "X-A: b\r\nFrom: Joe",
	  NULL, NULL, "pass pass" },
	{ "rsa-sha1", "a=rsa-sha256", "a=rsa-sha1", NULL, NULL, "pass policy" },
	{ "unknown algorithm", "a=rsa-sha256", "a=rsa-md5", NULL, NULL,
	  "pass permerror" },
	{ "tag twice", "a=rsa-sha256;", "a=rsa-sha256; v=1;", NULL, NULL,
	  "pass permerror" },
	{ "q= without dns/txt", "q=dns/txt; s=test", "q=http; s=test", NULL,
	  NULL, "pass permerror" },
	{ "no tag list", "v=1; a=rsa-sha256", "hello; a=rsa-sha256", NULL, NULL,
	  "pass permerror" },
	{ "another version", "v=1; a=rsa-sha256", "v=2; a=rsa-sha256", NULL,
	  NULL, "pass permerror" },
	{ "no domain",
	  "d=football.example.com; i=@football.example.com;\r\n "
	  "q=dns/txt; s=test",
	  "q=dns/txt; s=test", NULL, NULL, "pass permerror" },
	{ "hostile selector", "s=test", "s=a b\"(;x=", NULL, NULL,
	  "pass permerror" },
	/* the library would call these faults, even where they are none */
	{ "blank before the = of b=", "b=F45d", "b =F45d", NULL, NULL,
	  "pass neutral" },
	{ "fold before it", "b=F45d", "b\r\n\t=F45d", NULL, NULL,
	  "pass neutral" },
	{ "name that ends in b", "s=test;", "s=test; xb=1;", NULL, NULL,
	  "pass neutral" },
	{ "blank before another =", "s=test;", "s =test;", NULL, NULL,
	  "pass fail" },
	{ "quoted @ in i=", "i=@football.example.com;\r\n q=dns/txt; s=test",
	  "i=\"a@b\"@football.example.com;\r\n q=dns/txt; s=test", NULL, NULL,
	  "pass neutral" },
	{ "U-label in i=", "i=@football.example.com;\r\n q=dns/txt; s=test",
	  "i=@f\xc3\xbc.football.example.com;\r\n q=dns/txt; s=test", NULL,
	  NULL, "pass neutral" },
	{ "key revoked", "Joe.", "Joe.", NULL,
	  "v=DKIM1; p=", "pass permerror" },
	{ "no answer for one key", "Joe.", "Joe.", NULL, "TIMEOUT",
	  "pass temperror" },
	{ "no answer for the other key", "Joe.", "Joe.", "TIMEOUT", NULL,
	  "temperror pass" },
	{ "no key", "Joe.", "Joe.", NULL, "", "pass permerror" },
	{ "key of another type", "Joe.", "Joe.", V1_RSA, V1_ED,
	  "permerror permerror" },
	{ "key not for sha256", "Joe.", "Joe.", NULL, "h=sha1; p=" RSA_KEY,
	  "pass permerror" },
	{ "key for several hashes", "Joe.", "Joe.", NULL,
	  "h=sha1:sha256; p=" RSA_KEY, "pass pass" },
	{ "key not for mail", "Joe.", "Joe.", NULL, "s=other; p=" RSA_KEY,
	  "pass permerror" },
	{ "key without version and type", "Joe.", "Joe.", NULL, "p=" RSA_KEY,
	  "pass pass" },
	{ "version not first", "Joe.", "Joe.", NULL, "p=" RSA_KEY "; v=DKIM1",
	  "pass permerror" },
	{ "key that is none", "Joe.", "Joe.", NULL, "v=DKIM1; p=AAAA",
	  "pass permerror" },
	{ "key of 1023 bits", "Joe.", "Joe.", NULL, "p=" RSA_1023,
	  "pass policy" },
	{ "key with flags", "Joe.", "Joe.", NULL, "t=y:s; p=" RSA_KEY,
	  "pass pass" },
	{ "some other text", "Joe.", "Joe.", NULL, "v=spf1 -all",
	  "pass permerror" },
};

static void set_keys(const char *ed, const char *rsa)
{
	fake_clear();
	if (!ed || *ed)
		fake_add("brisbane._domainkey.football.example.com", "TXT",
			 ed ? ed : V1_ED);
	if (!rsa || *rsa)
		fake_add("test._domainkey.football.example.com", "TXT",
			 rsa ? rsa : V1_RSA);
}

static void check_changes(void)
{
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct arena *a = arena_new();
		struct dkim_result r;
		char words[200];

		set_keys(changes[i].ed_record, changes[i].rsa_record);
		verify(a,
		       replaced(a, SIGNATURES MESSAGE, changes[i].from,
				changes[i].to),
		       &r, words);
		is(words, changes[i].want, changes[i].promise);
		arena_free(&a);
	}
	fake_clear();
}

/* Signs TEXT with both keys and puts the fields before it. */
static char *signed_text(struct arena *a, const char *text)
{
	char domain[] = "football.example.com", test[] = "test",
	     brisbane[] = "brisbane", rsa_pem[] = RSA_PEM,
	     ed_pem[] = ED25519_PEM;
	struct dkim_key rsa = { domain, test, rsa_pem, false, NULL };
	struct dkim_key ed = { domain, brisbane, ed_pem, true, NULL };
	const struct dkim_key *const keys[] = { &rsa, &ed };
	int fd = file_of(text);
	struct message m;
	struct buf fields;
	char *whole;

	buf_init(&fields, 65536);
	if (message_open(&m, fd, 0, (off_t)strlen(text)) ||
	    dkim_sign_message(&m, keys, 2, &fields))
		exit(2);
	message_close(&m);
	close(fd);
	whole = arena_printf(a, "%s%s", fields.data, text);
	buf_free(&fields);
	return whole;
}

/* SIZE bytes that say nothing. */
static char *filler(struct arena *a, size_t size)
{
	char *text = arena_alloc(a, size + 1);

	memset(text, 'x', size);
	return text;
}

static void check_sizes(void)
{
	static const size_t sizes[] = { 1000, 5000, 20000, 70000, 200000 };
	struct arena *a = arena_new();
	struct dkim_result r;
	char words[200];

	set_keys(NULL, arena_printf(a, "v=DKIM1; n=%s; p=" RSA_KEY,
				    filler(a, 5000)));
	verify(a, SIGNATURES MESSAGE, &r, words);
	is(words, "pass pass", "a key record with long notes");
	set_keys(NULL, NULL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		verify(a,
		       arena_printf(a, "DKIM-Signature: v=1; a=rsa-sha256; "
				    "d=x.example; s=x; h=from; bh=x; "
				    "b=%s\r\n%s",
				    filler(a, sizes[i]), SIGNATURES MESSAGE),
		       &r, words);
		is(words, "permerror pass pass",
		   "a bad signature, however long, spoils no other");
	}
	arena_free(&a);
	fake_clear();
}

static void check_signing(void)
{
	struct arena *a = arena_new();
	struct dkim_result r;
	char words[200], *whole = signed_text(a, MESSAGE), *big;
	const char *many = MESSAGE;
	size_t n = 600000;

	set_keys(NULL, NULL);
	verify(a, whole, &r, words);
	is(words, "pass pass", "what we sign we verify, RSA and Ed25519");
	ok(strstr(whole, "c=relaxed/relaxed") != NULL, "relaxed/relaxed");
	verify(a, replaced(a, whole, "From: Joe", "From: x@y.z\r\nFrom: Joe"),
	       &r, words);
	is(words, "fail fail", "From cannot be added");
	verify(a, replaced(a, whole, "From: Joe", "Cc: x@y.z\r\nFrom: Joe"), &r,
	       words);
	is(words, "fail fail", "Cc cannot be added");
	for (const char *p = whole; *p; p += strcspn(p, "\n") + 1)
		if (strcspn(p, "\n") > 100)
			n = 0;
	ok(n > 0, "signatures are folded");

	big = arena_alloc(a, strlen(MESSAGE) + 600000 + 1);
	strcpy(big, MESSAGE);
	for (size_t i = strlen(big), end = i + 599990; i < end;)
		i += (size_t)sprintf(big + i, "line %zu\r\n", i);
	verify(a, signed_text(a, big), &r, words);
	is(words, "pass pass", "a body of several blocks");
	verify(a, signed_text(a, "From: a@football.example.com\r\n\r\n"), &r,
	       words);
	is(words, "pass pass", "an empty body");
	verify(a, signed_text(a, "From: a@football.example.com\r\n"), &r,
	       words);
	is(words, "pass pass", "no body");

	for (int i = 0; i < 20; i++)
		many = arena_printf(a, "%s%s", SIGNATURES, many);
	fake.questions = 0;
	verify(a, many, &r, words);
	ok(r.n == DKIM_SIGNATURES_MAX && fake.questions <= DKIM_SIGNATURES_MAX,
	   "of many signatures the first ten are looked at");
	verify(a, MESSAGE, &r, words);
	ok(r.n == 0 && r.summary == DKIM_NONE, "no signature");
	arena_free(&a);
	fake_clear();
}

static void write_file(const char *dir, const char *name, const char *text,
		       mode_t mode)
{
	char *path = mem_printf("%s/%s", dir, name);

	if (file_replace(path, mode, text, strlen(text)))
		exit(2);
	free(path);
}

static void check_keys_file(void)
{
	static const char list[] =
		"# keys\n\n"
		"Example.ORG s1 rsa.pem\nexample.org s2 ed.pem\n"
		"other.example s1 missing.pem\nthird.example s1\n"
		"fourth.example s1 open.pem\nfifth.example s1 text.pem\n"
		"si..xth s1 rsa.pem\nseventh.example s_1/2 rsa.pem\n";
	char dir[] = "/tmp/dkim-keys.XXXXXX";
	const struct dkim_key *key[KEYS_PER_DOMAIN];
	struct dkim_key *keys;
	struct buf faults;
	char *path;
	int lines = 0;

	if (!mkdtemp(dir))
		exit(2);
	write_file(dir, "rsa.pem", RSA_PEM, 0600);
	write_file(dir, "ed.pem", ED25519_PEM, 0600);
	write_file(dir, "open.pem", RSA_PEM, 0644);
	write_file(dir, "text.pem", "hello\n", 0600);
	write_file(dir, "dkim-keys", list, 0600);
	buf_init(&faults, 65536);
	path = mem_printf("%s/dkim-keys", dir);
	keys = keys_load(path, &faults);
	ok(keys_of(keys, "EXAMPLE.org", key) == 2 && !key[0]->ed25519 &&
		   key[1]->ed25519,
	   "keys of a domain, RSA and Ed25519");
	ok(keys_of(keys, "other.example", key) == 0, "none for others");
	for (size_t i = 0; i < faults.len; i++)
		lines += faults.data[i] == '\n';
	if (!ok(lines == 6, "each fault is a line with file and number"))
		printf("# %s\n", faults.data);
	keys_free(&keys);
	free(path);
	buf_reset(&faults);
	keys = keys_load("/nonexistent/dkim-keys", &faults);
	ok(!keys && faults.len == 0, "no file, no keys, no fault");
	buf_free(&faults);
	path = mem_printf("rm -rf %s", dir);
	if (system(path))
		exit(2);
	free(path);
}

static void drive_verify(const char *path)
{
	struct arena *a = arena_new();
	struct dkim_result r;
	struct buf b;
	char words[200];
	int fd;

	buf_init(&b, 100 << 20);
	if (file_read(path, &b))
		exit(2);
	fd = memfd_create("message", MFD_CLOEXEC);
	if (file_write(fd, b.data, b.len))
		exit(2);
	verify_file(a, fd, (off_t)b.len, &r, words);
	puts(r.n ? words : "none");
	fflush(stdout);
	close(fd);
	buf_free(&b);
	arena_free(&a);
}

static void drive_sign(const char *path, const char *keys_path,
		       const char *domain)
{
	const struct dkim_key *key[KEYS_PER_DOMAIN];
	struct buf text, fields, out;
	struct dkim_key *keys;
	struct message m;
	size_t n;
	int fd;

	buf_init(&text, 100 << 20);
	buf_init(&fields, 65536);
	buf_init(&out, 65536 * 4);
	keys = keys_load(keys_path, &fields);
	n = keys_of(keys, domain, key);
	if (fields.len || file_read(path, &text))
		exit(2);
	fd = memfd_create("message", MFD_CLOEXEC);
	if (file_write(fd, text.data, text.len) ||
	    message_open(&m, fd, 0, (off_t)text.len) ||
	    dkim_sign_message(&m, key, n, &fields))
		exit(2);
	message_close(&m);
	close(fd);
	encode_percent(&out, fields.data, fields.len);
	puts(out.data);
	fflush(stdout);
	keys_free(&keys);
	buf_free(&out);
	buf_free(&fields);
	buf_free(&text);
}

/* Lines: `key NAME TEXT` (percent encoding), `verify FILE`, which prints the
 * verdicts, `sign FILE KEYS DOMAIN`, which prints the fields. */
static int drive(void)
{
	char line[70000];

	while (fgets(line, sizeof(line), stdin)) {
		char *rest = line, *x[4] = { NULL };
		struct buf b;

		for (int i = 0; i < 4; i++)
			x[i] = strsep(&rest, " \n");
		buf_init(&b, 70000);
		if (strcmp(x[0], "key") == 0) {
			decode_percent(&b, x[2], strlen(x[2]));
			fake_add(x[1], "TXT", b.data);
		} else if (strcmp(x[0], "verify") == 0) {
			drive_verify(x[1]);
		} else {
			drive_sign(x[1], x[2], x[3]);
		}
		buf_free(&b);
	}
	fake_clear();
	return 0;
}

/* libopendkim does not free Ed25519 keys after signing; the program renews
 * its children for that. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libopendkim\nleak:libcrypto\n";
}

int main(int argc, char **argv)
{
	if (!dkim_prepare())
		return 1;
	if (argc > 1 && strcmp(argv[1], "drive") == 0)
		return drive();
	check_changes();
	check_sizes();
	check_signing();
	check_keys_file();
	return done();
}
