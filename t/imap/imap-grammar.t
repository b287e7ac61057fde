#!/usr/bin/env python3
"""Messages of any shape are described within IMAP's grammar: one BODYSTRUCTURE
that does not parse stops a client's folder for good. The grammar is in
t/lib/imapgrammar.py, through which every test's responses go."""
import itertools
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapgrammar import complain  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()

GOOD = (
    b'* LIST (\\HasNoChildren) "/" "a b"', b"* LIST () NIL INBOX",
    b"* SEARCH", b"* SEARCH 1 2 (MODSEQ 9)", b"* THREAD (1)(2 3 (4)(5))",
    b"* THREAD ((1)(2))", b'* STATUS "INBOX" (MESSAGES 0)', b"a1 OK Done.",
    b"a1 OK [APPENDUID 1 2:3] Done.", b"* OK [HIGHESTMODSEQ 1] Highest.",
    b"* 1 FETCH (FLAGS (\\Seen x) BODY[HEADER.FIELDS (A B)]<0> {2}\r\nab)",
    b'* 1 FETCH (BODY ("a" "b" NIL NIL NIL "7bit" 3))',
    b'* 1 FETCH (BODY (("a" "b" NIL NIL NIL "7bit" 3) "mixed"))',
    b'* 1 FETCH (ENVELOPE (NIL NIL ((NIL NIL "a" "b")(NIL NIL "a" "b")) NIL '
    b'NIL NIL NIL NIL NIL NIL))', b"* VANISHED (EARLIER) 1:3,5", b"+ idling")
UIDONLY = (b"* 9 UIDFETCH (FLAGS ())", b"* VANISHED 1,3", b"* 2 EXISTS",
           b'* ESEARCH (TAG "a") UID ALL 1', b"* OK [UIDNEXT 3] Next.",
           b"a1 BAD [UIDREQUIRED] Not by number.")
# What has broken clients of some server, or is much like it.
BAD = (
    b'* STATUS "INBOX" (MESSAGES 0) ', b'* STATUS "INBOX" (MESSAGES 0 )',
    b"* OK [HIGHESTMODSEQ 1]", b"* OK [HIGHESTMODSEQ 1] ", b"a1 OK",
    b"* SEARCH ", b"* SEARCH 0", b"* 1 FETCH FLAGS (\\Seen)",
    b"* 1 FETCH ()", b"* 1 FETCH (FLAGS ())x", b"* 1 FETCH (UID 0)",
    b'* 1 FETCH (BODY ("text" "plain" NIL NIL NIL "7bit" 3))',
    b'* 1 FETCH (BODY ("text" "plain" NIL NIL NIL "7bit" 3 -1))',
    b'* 1 FETCH (BODY ("text" "plain" () NIL NIL "7bit" 3 1))',
    b'* 1 FETCH (BODY ("text" "plain" NIL NIL NIL NIL 3 1))',
    b'* 1 FETCH (BODY ("mixed"))', b'* 1 FETCH (BODY ( "mixed"))',
    b'* 1 FETCH (BODY ("a" "b\\c" NIL NIL NIL "7bit" 3))',
    b'* 1 FETCH (BODY ("message" "rfc822" NIL NIL NIL "7bit" 3))',
    b'* 1 FETCH (BODY ("a" "b" NIL NIL NIL "7bit" 3 NIL ("x") NIL))',
    b'* 1 FETCH (ENVELOPE (NIL NIL () NIL NIL NIL NIL NIL NIL NIL))',
    b'* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL))',
    b'* 1 FETCH (ENVELOPE (NIL "\xc3\xa4" NIL NIL NIL NIL NIL NIL NIL NIL))',
    b'* 1 FETCH (BODY[] {2}\r\na\0)', b'* LIST () "/" inbox',
    b'* LIST (\\Has Children)) "/" x', b'* 1 FETCH (INTERNALDATE "1-Jan")',
    b"* THREAD (1) (2)", b"* THREAD (1 (2))", b"* THREAD ()",
    b"* THREAD (1(2)(3))", b"* FLAGS (a b )", b"+")

BAD_UIDONLY = (b"* 9 FETCH (FLAGS ())", b"* 9 EXPUNGE", b"* OK [UNSEEN 1] x",
               b'* ESEARCH (TAG "a") ALL 1', b"* ESEARCH ALL 1")

# Header lines and bodies of which messages are made at random.
TYPES = ["text/plain", "text", "text/", "/", "", "multipart/mixed",
         "multipart/mixed; boundary=b", 'multipart/mixed; boundary="b"',
         "multipart/digest; boundary=b", "multipart/; boundary=b",
         "message/rfc822", "message/global", "message/external-body; a=b",
         "message/partial; id=x", 'text/plain; charset="a\\"b\\\\"',
         "text/plain; =x; ;;; a", "text/plain; a*0*=utf-8''%e4; a*1=\"x\"",
         "a(b)/c(d); e(f)=g", "text/plain; name=\"\xe4\xf6\"",
         "text/plain; name=\u20ac", "x" * 300 + "/" + "y" * 300, "\"a\"/b",
         "text/plain\r\n ; charset\r\n =\r\n utf-8", "text/\"pl ain\""]
FIELDS = ["Content-Type: %s" % t for t in TYPES] + [
    "From: %s" % a for a in (
        "", "a", "a@b", "<>", "a b <c@d>", "\"a \\\" b\" <c@d>", "g: a@b, c;",
        "g:;", "@", ",,,", "a@b,", "(c) a@b (d (e))", "<@x,@y:a@b>", "\"",
        "=?utf-8?q?=C3=A4?= <a@b>", "\xe4 <a@b>", "a@[1.2.3.4]", "g: h: a@b;;")
    ] + ["Subject: %s" % t for t in ("", "\"", "\\", "\xe4", "=?x?q?", "{3}",
                                     "NIL", "a\r\n\tb")] + [
    "Date: ", "Date: Mon", "Message-ID: ", "Message-ID: <", "In-Reply-To: \"",
    "Content-ID: \"\\", "Content-Description: {1}", "Content-MD5: \xe4",
    "Content-Transfer-Encoding: ", "Content-Transfer-Encoding: 7 bit",
    "Content-Transfer-Encoding: (x) base64", "Content-Disposition: ",
    "Content-Disposition: attachment; filename=\"\\\"\"",
    "Content-Disposition: ;a=b", "Content-Language: ",
    "Content-Language: de, en", "Content-Language: ,", "Content-Location: ",
    "Content-Location: \"a\" b", "To: a@b, \"c", "Cc: <a@b", "Bcc: a b c",
    "no field at all", ": x", " continued"]
BODIES = ["", "x", "--b\r\n--b--\r\n", "--b\r\n\r\nx\r\n--b\r\n", "--b--\r\n",
          "--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: \"\r\n\r\n--b--",
          "--b\r\nContent-Type: text/html; a=\"\r\n\r\n<p>\r\n--b\r\n--b",
          "From: a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n"
          "\r\n--c--\r\n", "\r\n\r\n", "--b"]
ITEMS = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE " \
    "PREVIEW BODY.PEEK[HEADER] BODY.PEEK[1.MIME] BODY.PEEK[2.HEADER] " \
    "BODY.PEEK[HEADER.FIELDS (From To)] EMAILID SAVEDATE)"


def message(rng):
    fields = rng.sample(FIELDS, rng.randint(1, 6))
    return ("\r\n".join(fields) + "\r\n\r\n" + rng.choice(BODIES)).encode(
        "utf-8" if rng.random() < 0.5 else "latin-1", "replace")


def messages(seed, count):
    rng = random.Random(seed)
    return [("%s\r\n\r\n%s" % pair).encode("utf-8") for pair in
            itertools.product((f for f in FIELDS if "Type" in f), BODIES)] + [
        message(rng) for _ in range(count)]


# INBOX in any case; what answers with a name says "INBOX".
INBOX = (
    'STATUS inbox (MESSAGES)', 'LIST "" inbox', 'LSUB "" inBox',
    'LIST (SUBSCRIBED) "" "iNb*"', 'LIST "" ("inbox*" Inbox)',
    'LIST "" inbox RETURN (STATUS (MESSAGES) METADATA (/private/comment))',
    "GETQUOTAROOT inbox", "GETMETADATA inbox /private/comment",
    "MYRIGHTS inbox", "GETACL inbox", "ESEARCH IN (mailboxes inbox) ALL")


def inbox(r):
    r.ask("SUBSCRIBE iNBOX")
    for command in INBOX:
        got, end = r.ask(command)
        tap.ok(end.startswith(b"OK") and got and
               all(re.findall(b"(?i)inbox", u) == [b"INBOX"] for u in got),
               "INBOX is spelt so: " + command, got)


for line in GOOD:
    tap.equal(complain(line + b"\r\n"), None, "right: %r" % line[:60])
for line in BAD:
    tap.ok(complain(line + b"\r\n"), "wrong: %r" % line[:60])
for line in UIDONLY:
    tap.equal(complain(line + b"\r\n", uidonly=True), None,
              "right with UIDONLY: %r" % line)
for line in BAD_UIDONLY + (b"* 9 UIDFETCH FLAGS ()", b"* 0 UIDFETCH (UID 0)"):
    tap.ok(complain(line + b"\r\n", uidonly=True),
           "wrong with UIDONLY: %r" % line)
tap.ok(complain(UIDONLY[0] + b"\r\n"), "wrong without UIDONLY: UIDFETCH")

seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
print("# SEED=%d" % seed)
with Sessions() as all_sessions:
    all_sessions.raw().close()
    all_of_them = messages(seed, 400)
    for m in all_of_them:
        all_sessions.put(m)
    r = all_sessions.raw()
    r.ask("SELECT INBOX")
    wrong = []
    for i in range(1, len(all_of_them) + 1):
        try:
            r.ask("FETCH %d %s" % (i, ITEMS))
        except AssertionError as e:
            wrong.append((all_of_them[i - 1], e))
            r = all_sessions.raw()
            r.ask("SELECT INBOX")
    tap.equal(wrong[:3], [], "%d messages are described in the grammar"
              % len(all_of_them))
    for command in ("SORT (SUBJECT FROM CC TO DATE) UTF-8 ALL",
                    "THREAD REFERENCES UTF-8 ALL",
                    "SEARCH RETURN (ALL MIN MAX COUNT) BODY x"):
        tap.ok(r.ask(command)[1].startswith(b"OK"), command)
    inbox(r)
tap.done()
