#!/usr/bin/env python3
"""Messages that clients upload: several at once, and what is refused."""
import os
import re
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()
LIMIT = 100000
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))


def message(n, size=0):
    text = b"Subject: m%d\r\n\r\nbody %d\r\n" % (n, n)
    return text + b"x" * (size - len(text))


def literal(text, plus=b"+"):
    return b"{%d%s}\r\n%s" % (len(text), plus, text)


def subjects(r, folder):
    r.ask("EXAMINE " + folder)
    got = r.ask("FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS "
                "(SUBJECT)])")[0]
    r.ask("UNSELECT")
    return got


def count(r, folder):
    return int(re.search(rb"MESSAGES (\d+)", r.ask(
        "STATUS %s (MESSAGES)" % folder)[0][0]).group(1))


def files(s, folder):
    return sorted(f for sub in ("new", "cur", "tmp") for f in os.listdir(
        os.path.join(s.maildir, "." + folder, sub)))


def several(s):
    r = s.raw()
    r.ask("CREATE many")
    got = r.ask(b'APPEND many (\\Seen) "24-Nov-2026 02:00:00 +0000" %s '
                b'(\\Flagged key) %s "25-Nov-2026 02:00:00 +0000" %s %s'
                % tuple(literal(message(n)) for n in (1, 2, 3, 4)))
    tap.ok(re.match(rb"OK \[APPENDUID \d+ 1:4\] ", got[1]),
           "four messages in one command", got)
    got = subjects(r, "many")
    tap.equal([re.search(rb"Subject: (m\d)", g).group(1) for g in got],
              [b"m1", b"m2", b"m3", b"m4"], "in their order")
    tap.equal([re.search(rb"FLAGS \(([^)]*)", g).group(1) for g in got],
              [b"\\Seen \\Recent", b"\\Flagged \\Recent key", b"\\Recent",
               b"\\Recent"], "each with its flags")
    tap.ok(b"24-Nov-2026" in got[0] and b"25-Nov-2026" in got[2],
           "and its date")

    r.send(b"a1 APPEND many {%d}\r\n" % len(message(5)))
    tap.ok(r.line().startswith(b"+ "), "literals that wait")
    r.send(message(5) + b" (\\Draft) {%d}\r\n" % len(message(6)))
    tap.ok(r.line().startswith(b"+ "), "one after the other")
    r.send(message(6) + b"\r\n")
    tap.starts(r.until("a1")[-1], b"a1 OK [APPENDUID ", "are taken")
    got = r.ask(b"APPEND many " + b" ".join(
        literal(message(n)) for n in range(200)))
    tap.ok(re.match(rb"OK \[APPENDUID \d+ 7:206\]", got[1]), "200 at once",
           got[1])
    tap.equal(count(r, "many"), 206, "are 200")
    r.ask("SELECT many")
    got = r.ask(b"APPEND many %s %s" % (literal(message(1)),
                                        literal(message(2))))
    tap.ok(b"* 208 EXISTS" in got[0], "who has the folder open is told")
    r.close()


def all_or_none(s):
    r = s.raw()
    r.ask("CREATE none")
    before = files(s, "none")
    one = literal(message(1))
    for what, rest, reply in (
            ("an empty message", b" {0+}\r\n", b"NO [CANNOT]"),
            ("one that is too large", b" " + literal(message(2, LIMIT + 1)),
             b"NO [TOOBIG]"),
            ("a NUL byte", b" " + literal(b"a\0b"), b"NO [CANNOT]"),
            ("an invalid flag", b" (\\Nope) " + one, b"BAD "),
            ("an invalid date", b' "yesterday" ' + one, b"BAD "),
            ("a list that stays open", b" (\\Seen " + one, b"BAD "),
            ("words", b" more words", b"BAD "),
            ("a quote that stays open", b' "x', b"BAD "),
            ("no message", b" (\\Seen)", b"BAD "),
            ("a list that ends nowhere", b" ) " + one, b"BAD "),
            ("a NUL in the line", b" \0", b"BAD "),
            ("an empty one among several", b" {0+}\r\n %s %s" % (one, one),
             b"NO [CANNOT]")):
        tap.starts(r.ask(b"APPEND none " + one + rest)[1], reply, what)
        tap.equal(files(s, "none"), before, "and nothing is added")
    r.send(b"b1 APPEND none " + one + b" {%d}\r\n" % (LIMIT + 1))
    tap.starts(r.until("b1")[-1], b"b1 NO [TOOBIG]",
               "one that is too large is not asked for")
    r.send(b"b2 APPEND none " + one + b" {0}\r\n")
    tap.starts(r.until("b2")[-1], b"b2 NO [CANNOT]", "nor is an empty one")
    r.send(b"b3 APPEND none " + one + b" {50+}\r\nhalf")
    r.close()
    r = s.raw()
    tap.equal((count(r, "none"), files(s, "none")), (0, before),
              "a client that goes away leaves nothing")
    tap.starts(r.ask(b"APPEND nope %s %s" % (one, one))[1], b"NO [TRYCREATE]",
               "to nothing")
    got = r.ask(b"APPEND none " + b" ".join([one] * 513))
    tap.starts(got[1], b"NO [LIMIT]", "more than half of the descriptors are "
               "too many")
    tap.equal(count(r, "none"), 0, "and none of them is added")
    tap.starts(r.ask("NOOP")[1], b"OK", "the session goes on")
    r.close()


def replace(s):
    r, other = s.raw(), s.raw()
    r.ask("CREATE drafts")
    r.ask("CREATE sent")
    for n in (1, 2, 3):
        r.ask(b"APPEND drafts " + literal(message(n)))
    r.ask("SELECT drafts")
    other.ask("SELECT drafts")
    got = r.ask(b"REPLACE 2 drafts (\\Draft) " + literal(message(4)))
    tap.ok(re.match(rb"\* OK \[APPENDUID \d+ 4\] ", got[0][0]) and
           b"* 2 EXPUNGE" in got[0] and got[1].startswith(b"OK"),
           "REPLACE adds one and removes one", got)
    tap.ok(b"* 2 EXPUNGE" in other.ask("NOOP")[0], "others are told")
    got = r.ask(b"UID REPLACE 4 sent (\\Seen) " + literal(message(5)))
    tap.ok(got[1].startswith(b"OK") and b"* 3 EXPUNGE" in got[0],
           "UID REPLACE, into another folder", got)
    tap.equal(([g for g in r.ask("UID FETCH 1:* UID")[0]], count(r, "sent")),
              ([b"* 1 FETCH (UID 1)", b"* 2 FETCH (UID 3)"], 1),
              "the others stay")
    r.send(b"w UID REPLACE 3 drafts {%d}\r\n" % len(message(6)))
    tap.starts(r.line(), b"+ ", "a literal that waits")
    r.send(message(6) + b"\r\n")
    tap.starts(r.until("w")[-1], b"w OK", "is taken")
    before = files(s, "drafts")
    one = literal(message(7))
    for what, command, reply in (
            ("two messages", b"REPLACE 1:2 drafts " + one, b"BAD"),
            ("a message that is not there", b"REPLACE 9 drafts " + one,
             b"BAD"),
            ("a UID that is not there", b"UID REPLACE 99 drafts " + one,
             b"NO [EXPUNGEISSUED]"),
            ("a folder that is not there", b"REPLACE 1 nope " + one,
             b"NO [TRYCREATE]"),
            ("an empty message", b"REPLACE 1 drafts {0+}\r\n", b"NO [CANNOT]"),
            ("two replacements", b"REPLACE 1 drafts %s %s" % (one, one),
             b"BAD"),
            ("no replacement", b"REPLACE 1 drafts (\\Seen)", b"BAD"),
            ("too large a one", b"REPLACE 1 drafts " + literal(
                message(8, LIMIT + 1)), b"NO [TOOBIG]")):
        tap.starts(r.ask(command)[1], reply, "REPLACE: " + what)
    tap.equal(files(s, "drafts"), before, "nothing of this changes anything")
    other.ask("UID STORE 1 +FLAGS.SILENT (\\Deleted)")
    other.ask("UID EXPUNGE 1")
    r.ask("FETCH 1:* FLAGS")
    tap.starts(r.ask(b"REPLACE 1 drafts " + one)[1], b"NO [EXPUNGEISSUED]",
               "what another has expunged is not replaced")
    r.ask("EXAMINE drafts")
    tap.starts(r.ask(b"REPLACE 1 drafts " + one)[1], b"NO [READ-ONLY]",
               "nor what is open for reading")
    r.ask("UNSELECT")
    tap.starts(r.ask(b"REPLACE 1 drafts " + one)[1], b"BAD",
               "nor without a folder")
    r.close()
    other.close()


def catenate(s):
    r = s.raw()
    r.ask("CREATE parts")
    header = b"From: a@b.c\r\nSubject: s\r\nX-Y: z\r\n"
    old = (header + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
           b"--b\r\n\r\none\r\n--b\r\nA: b\r\n\r\ntwo\r\n--b--\r\n")
    got = r.ask(b"APPEND parts " + literal(old))
    validity = re.search(rb"APPENDUID (\d+)", got[1]).group(1)
    r.ask('CREATE "R&-D &APw-"')
    r.ask(b'APPEND "R&-D &APw-" ' + literal(old))
    made = [0]

    def makes(parts, want, name):
        got = r.ask(b"APPEND parts (\\Draft) CATENATE (" + parts + b")")
        if not tap.ok(got[1].startswith(b"OK [APPENDUID"), name, got):
            return
        r.ask("EXAMINE parts")
        whole = r.ask("FETCH * BODY.PEEK[]")[0][0]
        tap.equal(whole.split(b"\r\n", 1)[1][:-1], want, "is right")
        r.ask("UNSELECT")
        made[0] += 1

    own = b"/parts;UIDVALIDITY=%s/;UID=1" % validity
    text = b"TEXT " + literal(b"\r\nmine\r\n")
    makes(b'URL "%s"' % own, old, "a copy")
    makes(b'URL "%s/;SECTION=HEADER.FIELDS%%20(Subject)" TEXT %s URL '
          b'"/parts/;UID=1/;section=2"' % (own, literal(b"mine ")),
          b"Subject: s\r\n\r\nmine two", "parts")
    makes(b'URL /parts/;UID=1/;SECTION=2.MIME ' + text,
          b"A: b\r\n\r\n\r\nmine\r\n", "an atom")
    makes(b"URL " + literal(own + b"/;PARTIAL=0.13") + b" " + text,
          b"From: a@b.c\r\n\r\nmine\r\n", "a literal, and a part of one")
    makes(b'URL "/R%26D%20%C3%BC/;UID=1/;SECTION=1" ' + text,
          b"one\r\nmine\r\n", "a name in UTF-8")
    makes(b"UTF8 (~{7+}\r\nA: \xc3\xa4\r\n) " + text,
          b"A: \xc3\xa4\r\n\r\nmine\r\n", "a part in UTF-8")
    makes(b"TEXT {0+}\r\n " + text, b"\r\nmine\r\n", "an empty part")
    r.send(b"w APPEND parts CATENATE (TEXT {%d}\r\n" % len(header))
    tap.starts(r.line(), b"+ ", "literals that wait")
    r.send(header + b' URL "/parts/;UID=1/;SECTION=1" TEXT {6}\r\n')
    tap.starts(r.line(), b"+ ", "one after the other")
    r.send(b"\r\nend\n)\r\n")
    tap.starts(r.until("w")[-1], b"w OK", "are taken")
    made[0] += 1
    got = r.ask(b"APPEND parts CATENATE (%s) (\\Seen) CATENATE (%s) %s" % (
        text, text, literal(old)))
    tap.starts(got[1], b"OK [APPENDUID", "several in one command")
    made[0] += 3
    r.ask("SELECT parts")
    tap.starts(r.ask(b'APPEND parts CATENATE (URL ";UID=1/;SECTION=HEADER")')[1],
               b"OK", "a message of the selected folder")
    tap.ok(b"\\Seen" not in r.ask("FETCH 1 FLAGS")[0][0],
           "\\Seen is left alone")
    r.ask("UNSELECT")
    made[0] += 1

    for url in (b"/parts/;UID=99", b"/nope/;UID=1", b"/parts/;UID=1/;SECTION=9",
                b"/parts/;UID=1/;SECTION=X", b"imap://x/parts/;UID=1",
                b"//x/parts/;UID=1", b"/parts;UIDVALIDITY=1/;UID=1",
                b";UID=1", b"/parts/;UID=1/;SECTION=1]",
                b"/parts/;UID=1/;SECTION=1%5D%20FLAGS%20BODY%5B1"):
        got = r.ask(b'APPEND parts CATENATE (%s URL "%s" %s)' % (
            text, url, text))[1]
        tap.starts(got, b"NO [BADURL " + url.split(b"]")[0],
                   "URL " + url.decode())
    for what, parts, reply in (
            ("nothing", b"CATENATE ()", b"BAD"),
            ("no text", b"CATENATE (TEXT {0+}\r\n)", b"NO [CANNOT]"),
            ("no list", b"CATENATE " + text, b"BAD"),
            ("a list that stays open", b"CATENATE (" + text, b"BAD"),
            ("another part", b"CATENATE (FILE x)", b"BAD"),
            ("a quoted text", b'CATENATE (TEXT "x")', b"BAD"),
            ("a literal8", b"CATENATE (TEXT ~{3+}\r\nabc)", b"BAD"),
            ("a NUL", b"CATENATE (TEXT {3+}\r\na\0b)", b"NO [CANNOT]"),
            ("a long URL", b"CATENATE (URL {9999+}\r\n" + b"x" * 9999 + b")",
             b"NO [CANNOT]"),
            ("too much text", b"CATENATE (TEXT %s TEXT %s)" % (
                literal(message(1, LIMIT - 9)), literal(message(2))),
             b"NO [TOOBIG]"),
            ("too much of others", b"CATENATE (" + b" ".join(
                [b'URL "%s"' % own] * (LIMIT // len(old) + 1)) + b")",
             b"NO [TOOBIG]")):
        tap.starts(r.ask(b"APPEND parts " + parts)[1], reply,
                   "CATENATE: " + what)
    tap.equal(count(r, "parts"), made[0] + 1, "nothing of this adds anything")
    r.ask("SELECT parts")
    got = r.ask(b'REPLACE 1 parts CATENATE (URL "/parts/;UID=1/;SECTION=HEADER"'
                b' %s)' % text)
    tap.ok(got[1].startswith(b"OK") and b"* 1 EXPUNGE" in got[0],
           "REPLACE takes it, too", got)
    r.close()


def limit(s):
    r = s.raw()
    tap.ok(b" APPENDLIMIT=%d" % LIMIT in r.greeting, "the limit is announced",
           r.greeting)
    tap.equal(r.ask("STATUS INBOX (APPENDLIMIT MESSAGES)")[0],
              [b'* STATUS "INBOX" (MESSAGES 0 APPENDLIMIT %d)' % LIMIT],
              "STATUS has it")
    tap.starts(r.ask(b"APPEND INBOX " + literal(message(1, LIMIT)))[1], b"OK",
               "a message of this size is taken")
    tap.starts(r.ask(b"APPEND INBOX " + literal(message(1, LIMIT + 1)))[1],
               b"NO [TOOBIG]", "a longer one is not")
    r.close()


def no_limit():
    with Sessions(["message_size_limit = 0"]) as s:
        r = s.raw()
        tap.ok(b" APPENDLIMIT=4294967294]" in r.greeting or
               b" APPENDLIMIT=4294967294 " in r.greeting,
               "without a limit that of IMAP's numbers is announced")
        for n in (4294967295, 4294967296, 99999999999999999999):
            r.send(b"n APPEND INBOX {%d}\r\n" % n)
            tap.starts(r.until("n")[-1], b"n NO [TOOBIG]", "%d" % n)
        r.close()


with Sessions(["message_size_limit = %d" % LIMIT]) as all_sessions:
    several(all_sessions)
    all_or_none(all_sessions)
    replace(all_sessions)
    catenate(all_sessions)
    limit(all_sessions)
no_limit()
tap.done()
