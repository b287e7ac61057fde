/*
 * A session of IMAP after its login, on a Maildir that earlier inputs have
 * left behind; it is made anew now and then.
 *
 * link: imapd/args.c
 * link: imapd/capability.c
 * link: imapd/cmd-acl.c
 * link: imapd/cmd-append.c
 * link: imapd/cmd-basic.c
 * link: imapd/cmd-cancelupdate.c
 * link: imapd/cmd-compress.c
 * link: imapd/cmd-copy.c
 * link: imapd/cmd-esearch.c
 * link: imapd/cmd-expunge.c
 * link: imapd/cmd-fetch.c
 * link: imapd/cmd-folder.c
 * link: imapd/cmd-idle.c
 * link: imapd/cmd-list.c
 * link: imapd/cmd-metadata.c
 * link: imapd/cmd-notify.c
 * link: imapd/cmd-quota.c
 * link: imapd/cmd-replace.c
 * link: imapd/cmd-search.c
 * link: imapd/cmd-select.c
 * link: imapd/cmd-sort.c
 * link: imapd/cmd-status.c
 * link: imapd/cmd-store.c
 * link: imapd/cmd-thread.c
 * link: imapd/cmd-uidbatches.c
 * link: imapd/commands.c
 * link: imapd/conn.c
 * link: imapd/context.c
 * link: imapd/date.c
 * link: imapd/enabled.c
 * link: imapd/fetch-binary.c
 * link: imapd/fetch-body.c
 * link: imapd/fetch-items.c
 * link: imapd/fetch-preview.c
 * link: imapd/flags.c
 * link: imapd/id.c
 * link: imapd/metadata-watch.c
 * link: imapd/namespace.c
 * link: imapd/notify-names.c
 * link: imapd/notify.c
 * link: imapd/others-copy.c
 * link: imapd/others-replace.c
 * link: imapd/others-run.c
 * link: imapd/others-source.c
 * link: imapd/others.c
 * link: imapd/park.c
 * link: imapd/pattern.c
 * link: imapd/progress.c
 * link: imapd/range.c
 * link: imapd/reader.c
 * link: imapd/reopen.c
 * link: imapd/result.c
 * link: imapd/resync.c
 * link: imapd/rights.c
 * link: imapd/search-address.c
 * link: imapd/search-match.c
 * link: imapd/search-parse.c
 * link: imapd/session.c
 * link: imapd/set.c
 * link: imapd/sort.c
 * link: imapd/sources.c
 * link: imapd/thread-id.c
 * link: imapd/thread-references.c
 * link: imapd/thread-subject.c
 * link: imapd/thread.c
 * link: imapd/update.c
 * link: imapd/upload-parts.c
 * link: imapd/upload.c
 * link: imapd/url.c
 * link: imapd/visit.c
 */
#include "fuzz.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "client/feed.h"
#include "imapd/namespace.h"
#include "imapd/session.h"
#include "maildir.h"
#include "login/handover.h"
#include "mailbox/acl.h"

#define INPUTS_PER_MAILDIR 200

static struct {
	int fd; /* the session's end */
	int client;
	unsigned inputs;
	char validity[16]; /* INBOX's UIDVALIDITY */
	struct buf state;
	const char *visitor; /* or NULL */
} self;

/* What the client of a session that comes back says. */
#define AFTER "DONE\r\nb FETCH 1:* (UID FLAGS)\r\nc UID SEARCH $\r\nd NOOP\r\n"

FUZZ_SEEDS(
	"a SELECT INBOX\r\nb FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE "
	"BODY[] "
	"BODY.PEEK[1.MIME]<0.10> BODY[HEADER.FIELDS (From \"To\")] RFC822.SIZE "
	"INTERNALDATE MODSEQ)\r\nc LOGOUT\r\n",
	"a EXAMINE INBOX\r\nb UID SEARCH CHARSET utf-8 OR (NOT SEEN) (SINCE "
	"1-Jan-2020 HEADER x \"y\") TEXT {3+}\r\nabc LARGER 5 1:3,5:*\r\n",
	"a SELECT INBOX\r\nb SORT (REVERSE SUBJECT FROM DATE CC TO SIZE) UTF-8 "
	"YOUNGER 5\r\nc UID SEARCH RETURN (MIN MAX ALL COUNT) OLDER 1\r\n",
	"a SELECT INBOX\r\nb UID SORT RETURN (UPDATE COUNT) (DATE) UTF-8 UNSEEN"
	"\r\nc SEARCH RETURN (UPDATE CONTEXT) 1:2\r\nd STORE 1:* FLAGS "
	"(\\Seen \\Deleted)\r\ne EXPUNGE\r\nf CANCELUPDATE \"b\"\r\n",
	"a ESEARCH IN (mailboxes (INBOX x) subtree INBOX subscribed) RETURN "
	"(COUNT MIN) UNSEEN\r\nb SELECT INBOX\r\nc ESEARCH IN (selected "
	"subtree-one x personal inboxes) 1:*\r\nd ESEARCH ALL\r\n",
	"a SELECT INBOX\r\nb UID SORT RETURN (SAVE PARTIAL -1:-2 COUNT) "
	"(DISPLAYFROM REVERSE DISPLAYTO) UTF-8 1:*\r\nc UID FETCH $ FLAGS "
	"(PARTIAL 1:1)\r\nd "
	"SEARCH RETURN (SAVE MIN MAX) OR $ UID $\r\ne UID COPY $ x\r\n",
	"a SELECT INBOX\r\nb THREAD REFERENCES UTF-8 ALL\r\nc UID THREAD REFS "
	"US-ASCII 1:*\r\nd THREAD ORDEREDSUBJECT UTF-8 NOT SEEN\r\n"
	"e UIDBATCHES 500 1:3\r\nf SEARCH UIDAFTER 1 UIDBEFORE 9\r\n",
	"a SELECT INBOX\r\nb STORE 1,2 +FLAGS.SILENT (\\Seen $a)\r\nc COPY 1 "
	"x\r\n"
	"d UID MOVE 1:* INBOX.y\r\ne EXPUNGE\r\nf UID EXPUNGE 1:9\r\ng "
	"CLOSE\r\n",
	"a LIST (SUBSCRIBED) \"\" (\"%\" *) RETURN (CHILDREN STATUS (MESSAGES "
	"UIDNEXT))\r\nb LSUB \"\" *\r\nc STATUS x (UNSEEN HIGHESTMODSEQ "
	"SIZE)\r\n",
	"z ENABLE METADATA\r\na SETMETADATA INBOX (/private/comment \"x\" /shared/vendor/a/b NIL "
	"/private/n ~{3+}\r\na b)\r\nb GETMETADATA (MAXSIZE 2 DEPTH "
	"infinity) INBOX (/private /shared)\r\nc SETMETADATA x "
	"(/private/specialuse \"\\\\Sent\")\r\nd LIST \"\" * RETURN (METADATA "
	"(/private/specialuse /private/comment))\r\ne GETMETADATA \"\" "
	"/shared/admin\r\n",
	"a ENABLE QRESYNC\r\nb SELECT INBOX (CONDSTORE QRESYNC (1 1 1:9 (1,3 "
	"1,4)))\r\nc UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)\r\n"
	"d STORE 1:* (UNCHANGEDSINCE 1) -FLAGS (x)\r\ne SEARCH MODSEQ "
	"\"/flags/\\\\seen\" all 1 OR MODSEQ 2 1\r\n",
	"a CREATE x/&AOQ-\r\nb RENAME x y\r\nc SUBSCRIBE y\r\nd DELETE y\r\n"
	"e CREATE z (USE (\\Sent))\r\nf NAMESPACE\r\ng ENABLE CONDSTORE\r\n",
	"a GETACL INBOX\r\nb SETACL INBOX -anyone +lrd\r\nc MYRIGHTS INBOX\r\n"
	"d LISTRIGHTS INBOX b\r\ne DELETEACL INBOX anyone\r\nf LIST \"\" * RETURN "
	"(MYRIGHTS)\r\ng SELECT \"Other Users/b/c\"\r\n",
	"visit\na LIST \"\" * RETURN (MYRIGHTS)\r\nb SELECT \"" OTHERS
	"/u/INBOX\"\r\nc STORE 1 FLAGS (\\Seen x)\r\nd EXPUNGE\r\ne COPY 1 \"" OTHERS
	"/u/x\"\r\nf SUBSCRIBED \"" OTHERS "/u/x\"\r\ng SETACL \"" OTHERS
	"/u/INBOX\" v -l\r\nh CREATE \"" OTHERS "/u/x/y\"\r\n",
	"a SELECT INBOX\r\nb FETCH 1:* (BINARY.PEEK[1]<0.9> BINARY.SIZE[2.1] "
	"BINARY[] PREVIEW (LAZY) SAVEDATE EMAILID THREADID)\r\nc FETCH * PREVIEW\r\n"
	"d SEARCH SAVEDON 1-Jan-2020 SAVEDATESUPPORTED\r\n",
	"a SELECT INBOX\r\nb SEARCH RETURN (RELEVANCY PARTIAL 1:2) FUZZY (TEXT "
	"\"halo wurld\" NOT FROM bcd)\r\nc SORT RETURN (ALL RELEVANCY UPDATE) "
	"(RELEVANCY) UTF-8 OR FUZZY SUBJECT {4+}\r\nhel\xc3 ALL\r\n",
	"a APPEND INBOX ~{70+}\r\nContent-Type: a/b\r\n"
	"Content-Transfer-Encoding: binary\r\n\r\nx\ny\rz\r\n\r\n",
	"a ENABLE UTF8=ACCEPT\r\nb APPEND INBOX UTF8 (~{3+}\r\nA:b)\r\n"
	"c CREATE \"\xc3\xa4&\"\r\nd SELECT INBOX\r\ne UID REPLACE 1 INBOX "
	"{3+}\r\nA:b\r\nf LIST \"\" \"\xc3\xa4%\"\r\n",
	"a ENABLE IMAP4rev2\r\nb SELECT INBOX\r\nc CREATE \"a\xcc\x88\"\r\n"
	"d RENAME \"a\xcc\x88\" b\r\ne SEARCH ALL\r\nf FETCH 1:* (BODY "
	"BODYSTRUCTURE BODY[1.1]<4294967296.1>)\r\ng LIST \"\" \"o\xcc\x88*\"\r\n",
	"a APPEND INBOX (k) CATENATE (URL \"/INBOX;UIDVALIDITY=1/;UID=1/;SECTION="
	"HEADER.FIELDS%20(A)\" TEXT {3+}\r\nA:b URL {13+}\r\n/INBOX/;UID=2 "
	"UTF8 (~{1+}\r\nx)) CATENATE (URL \";UID=1;PARTIAL=0.3\")\r\n",
	"a APPEND INBOX {3+}\r\nA:b (x \\Draft) {3+}\r\nC:d \"24-Nov-2026 "
	"02:00:00 +0000\" {3+}\r\nE:f\r\nb STATUS INBOX (APPENDLIMIT)\r\n",
	"a SELECT INBOX\r\nb NOTIFY SET STATUS (SELECTED-DELAYED (MessageNew (UID "
	"BODY[]) MessageExpunge FlagChange)) (subtree (x y) (MailboxName "
	"SubscriptionChange)) (mailboxes z NONE) (personal (messagenew "
	"messageexpunge MailboxMetadataChange ServerMetadataChange))\r\n"
	"c CREATE z\r\nd SUBSCRIBE z\r\ne SEARCH RETURN (UPDATE (UID)) ALL\r\n"
	"f APPEND INBOX {3+}\r\nA:b\r\ng NOOP\r\nh NOTIFY NONE\r\n",
	"imap\nidle=x\nenabled=3\nmodseq=1\ntold=1\nkeywords=0\nsaved=AQA=\n"
	"folder=INBOX\nuidvalidity=@\nreported=1\nlooked=1\nclaimed=0\n"
	"uids=AQA=\nrecent=AQA=\n",
	"imap\nidle=x\ncompression=\ntold=0\n",
	"imap\ncompression=YWJj\nmodseq=1\n",
	"imap\nbad=3\nflags-since=1\nown-first=1\nown-last=2\nread-only=1\n",
	"a APPEND INBOX (\\Seen k) \"24-Nov-2026 02:00:00 +0000\" {9+}\r\nA: "
	"b\r\n"
	"\r\nc\r\nb ID (\"a\" NIL)\r\nc NOOP\r\nd IDLE\r\nDONE\r\ne CHECK\r\n")

struct feed *feed_open(void)
{
	return NULL;
}

void feed_close(struct feed **n)
{
	*n = NULL;
}

void feed_tell(struct feed *n, const struct feed_change *c)
{
	(void)n;
	(void)c;
}

bool feed_watch(struct feed *n, const struct folder_token *t)
{
	(void)n;
	(void)t;
	return false;
}

bool feed_watch_also(struct feed *n, const struct folder_token *t, bool names)
{
	(void)names;
	return feed_watch(n, t);
}

void feed_unwatch(struct feed *n, struct folder_id id)
{
	(void)n;
	(void)id;
}

bool feed_connected(struct feed *n)
{
	(void)n;
	return false;
}

int feed_next(struct feed *n, struct feed_change *c)
{
	(void)n;
	(void)c;
	return ERR_EOF;
}

int feed_fd(const struct feed *n)
{
	(void)n;
	return -1;
}

int feed_park(struct feed *n, const struct feed_park *p)
{
	(void)n;
	(void)p;
	return ERR_LIMIT;
}

bool feed_drain(struct feed *n)
{
	(void)n;
	return false;
}

bool handover_take(int sock, struct feed *feed, bool counted,
		   struct handover *h)
{
	(void)sock;
	(void)feed;
	(void)counted;
	*h = (struct handover){ .user = "u",
				.maildir = maildir.path,
				.client = "",
				.visitor = self.visitor,
				.seal = "",
				.tag = "0",
				.fd = self.fd };
	h->store_code = store_open(maildir.path, true, &h->store);
	h->resumes = self.state.len > 0;
	h->state = self.state;
	return true;
}

bool handover_again(struct handover *h)
{
	(void)h;
	return false;
}

void handover_free(struct handover *h)
{
	(void)h;
}

/* The state of a session that was parked? Lines are its attributes. */
static bool is_state(const char *data, size_t n)
{
	buf_free(&self.state);
	buf_init(&self.state, 1 << 20);
	if (n < 5 || memcmp(data, "imap\n", 5) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (data[i] == '@')
			buf_puts(&self.state, self.validity);
		else
			buf_putc(&self.state, data[i] == '\n' ? '\0' : data[i]);
	return true;
}

/* Does a visitor say the rest? */
static bool is_visit(const char **data, size_t *n)
{
	if (*n < 6 || memcmp(*data, "visit\n", 6) != 0)
		return false;
	*data += 6;
	*n -= 6;
	return true;
}

static void find_validity(void)
{
	struct store *s;
	struct mailbox *m;

	FUZZ_CHECK(store_open(maildir.path, true, &s) == ERR_OK);
	FUZZ_CHECK(mailbox_open(s, "INBOX", true, &m) == ERR_OK);
	snprintf(self.validity, sizeof(self.validity), "%u",
		 mailbox_uidvalidity(m));
	mailbox_close(&m);
	FUZZ_CHECK(acl_change(s, "INBOX", ACL_ANYONE, '=',
			      ACL_ALL & ~(unsigned)ACL_WRITE) == ERR_OK);
	store_close(&s);
}

/* Takes all that the session says. */
__attribute__((no_sanitize_coverage)) static void *drain(void *context)
{
	char data[65536];

	(void)context;
	while (read(self.client, data, sizeof(data)) > 0)
		;
	return NULL;
}

void fuzz_one(const char *data, size_t n)
{
	static const struct strlist none;
	const struct session_rules rules = { .message_max = 1 << 20,
					     .create = &none,
					     .subscribe = &none,
					     .accountd = "/nowhere" };
	pthread_t reader;
	int pair[2];

	if (self.inputs++ % INPUTS_PER_MAILDIR == 0) {
		make_folders();
		find_validity();
	}
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	self.visitor = is_visit(&data, &n) ? "v" : NULL;
	if (is_state(data, n))
		err_ignore(file_write(pair[1], AFTER, strlen(AFTER)));
	else
		err_ignore(file_write(pair[1], data, n));
	shutdown(pair[1], SHUT_WR);
	self.fd = pair[0];
	self.client = pair[1];
	FUZZ_CHECK(pthread_create(&reader, NULL, drain, NULL) == 0);
	session_serve(-1, &rules);
	pthread_join(reader, NULL);
	close(pair[1]);
}
