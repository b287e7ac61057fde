#!/usr/bin/env python3
"""RFC 3501 word by word, where imap-session.t tells the story of a session:
sections of nested messages, names, sets, what one session says of another's
work, and each server's answer that is known to have broken a client.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()

INNER = (b"From: i@x\r\nSubject: inner\r\n"
         b"Content-Type: multipart/alternative; boundary=i\r\n\r\n")
INNER_TEXT = (b"--i\r\n\r\nin one\r\n--i\r\nContent-Type: text/html\r\n\r\n"
              b"in two\r\n--i--")
ONE_MIME = b"Content-Type: text/plain\r\n\r\n"
TWO_MIME = b'Content-Type: message/rfc822\r\nContent-Description: a "q"\r\n\r\n'
NESTED_HEADER = (b"From: o@x\r\nSubject: outer\r\nMIME-Version: 1.0\r\n"
                 b"Content-Type: multipart/mixed; boundary=o\r\n\r\n")
NESTED_TEXT = (b"preamble\r\n--o\r\n" + ONE_MIME + b"one\r\n--o\r\n" +
               TWO_MIME + INNER + INNER_TEXT + b"\r\n--o\r\n"
               b"Content-Type: image/png\r\n"
               b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--o--\r\n"
               b"epilogue\r\n")
NESTED = NESTED_HEADER + NESTED_TEXT

SECTIONS = (
    ("", NESTED), ("HEADER", NESTED_HEADER), ("TEXT", NESTED_TEXT),
    ("1", b"one"), ("1.MIME", ONE_MIME), ("2", INNER + INNER_TEXT),
    ("2.MIME", TWO_MIME), ("2.HEADER", INNER), ("2.TEXT", INNER_TEXT),
    ("2.1", b"in one"), ("2.1.MIME", b"\r\n"), ("2.2", b"in two"),
    ("2.2.MIME", b"Content-Type: text/html\r\n\r\n"), ("3", b"AAAA"),
    ("2.HEADER.FIELDS (subject)", b"Subject: inner\r\n\r\n"),
    ("2.HEADER.FIELDS.NOT (From Subject)",
     b"Content-Type: multipart/alternative; boundary=i\r\n\r\n"),
    ("HEADER.FIELDS.NOT (From Content-Type)",
     b"Subject: outer\r\nMIME-Version: 1.0\r\n\r\n"),
    ("4", None), ("1.1", None), ("2.3", None), ("1.HEADER", None),
    ("3.TEXT", None), ("2.1.HEADER", None), ("4.MIME", None))
NO_SECTIONS = ("0", "1.", ".1", "MIME", "FOO", "1.FOO", "HEADER.FIELDS",
               "HEADER.FIELDS ()", "01x", "1 2")

# What the cache keeps and what it does not: both must be the same to a client.
FIELDS = ("Date", "From", "To", "Subject", "Message-ID", "Cc", "Bcc",
          "Reply-To", "Sender", "References", "In-Reply-To", "Content-Type",
          "List-ID", "List-Post", "List-Unsubscribe", "X-Priority",
          "Importance", "Priority", "Newsgroups", "Lines", "X-Label",
          "X-TUID", "MIME-Version", "Content-Transfer-Encoding",
          "Delivered-To", "X-Spam-Flag", "Disposition-Notification-To",
          "Chat-Version", "X-Mailer", "Content-Description", "User-Agent",
          "Followup-To", "Content-Disposition", "Return-Path", "X-Other")
ALL_FIELDS = "".join("%s: value of\r\n %s\r\n" % (f, f.lower())
                     for f in FIELDS).encode() + b"\r\nbody\r\n"
PLAIN = b"From: a@b.c\r\nSubject: plain\r\n\r\nbody\r\n"


def append(r, message, folder="INBOX", extra=""):
    return r.ask(("APPEND %s %s{%d+}\r\n" % (folder, extra, len(message)))
                 .encode() + message)


def status(got, want, name):
    if not tap.ok(got[1].startswith(want.encode()), name):
        print("#  got:", got)


def item(label, value):
    if value is None:
        return b"BODY[%s] NIL" % label
    return b"BODY[%s] {%d}\r\n%s" % (label, len(value), value)


def sections(r):
    append(r, NESTED)
    r.ask("SELECT INBOX")
    for section, want in SECTIONS:
        label = re.sub(r"^[^(]*", lambda m: m.group().upper(), section)
        tap.equal(r.ask("FETCH 1 BODY.PEEK[%s]" % section)[0],
                  [b"* 1 FETCH (%s)" % item(label.encode(), want)],
                  "BODY[%s]" % section)
        if not want:
            continue
        for start, n in ((0, 3), (2, 10000), (len(want) - 1, 5),
                         (len(want), 5), (100000, 5)):
            piece = want[start:start + n]
            said = b"{%d}\r\n%s" % (len(piece), piece) if piece else b'""'
            tap.equal(r.ask("FETCH 1 BODY.PEEK[%s]<%d.%d>"
                            % (section, start, n))[0],
                      [b"* 1 FETCH (BODY[%s]<%d> %s)"
                       % (label.encode(), start, said)],
                      "BODY[%s]<%d.%d>" % (section, start, n))
    for section in NO_SECTIONS:
        status(r.ask("FETCH 1 BODY.PEEK[%s]" % section), "BAD",
               "BODY[%s] is BAD" % section)
    for partial in ("<0.0>", "<1>", "<.1>", "<1.>", "<-1.5>", "<1.2",
                    "<4294967296.1>", "<a.b>"):
        status(r.ask("FETCH 1 BODY.PEEK[TEXT]" + partial), "BAD",
               "BODY[TEXT]%s is BAD" % partial)
    tap.equal(r.ask("FETCH 1 (BODY.PEEK[1] BODY.PEEK[1]<1.1> UID)")[0],
              [b"* 1 FETCH (UID 1 BODY[1] {3}\r\none BODY[1]<1> {1}\r\nn)"],
              "several sections of one message in one answer")
    for old, new in (("RFC822", NESTED), ("RFC822.HEADER", NESTED_HEADER),
                     ("RFC822.TEXT", NESTED_TEXT)):
        got = r.ask("FETCH 1 " + old)[0][0]
        tap.ok(got.endswith(b"%s {%d}\r\n%s)" % (old.encode(), len(new), new)),
               old)


def header_fields(s, r):
    """From APPEND, from COPY, and found when first asked for."""
    r.ask("CREATE fields")
    append(r, ALL_FIELDS, "fields")
    r.ask("SELECT fields")
    r.ask("COPY 1 INBOX")
    s.put(ALL_FIELDS.replace(b"\r\n", b"\n"))
    r.ask("SELECT INBOX")
    n = len(r.ask("UID SEARCH ALL")[0][0].split()) - 2
    tap.equal(n, 3, "three messages")
    wrong = []
    for number in (2, 3):
        for field in FIELDS:
            value = ("%s: value of\r\n %s\r\n\r\n" % (field, field.lower())
                     ).encode()
            label = b"HEADER.FIELDS (%s)" % field.encode()
            if r.ask("FETCH %d BODY.PEEK[HEADER.FIELDS (%s)]"
                     % (number, field))[0] != [
                    b"* %d FETCH (%s)" % (number, item(label, value))]:
                wrong.append((number, field))
            if r.ask('SEARCH %d HEADER %s "OF %s"'
                     % (number, field.lower(), field.upper()))[0] != [
                    b"* SEARCH %d" % number]:
                wrong.append((number, "SEARCH", field))
    tap.equal(wrong, [], "each field is found, from the cache or without")
    tap.equal(r.ask("FETCH 2:3 BODY.PEEK[HEADER.FIELDS (X-None)]")[0],
              [b"* %d FETCH (%s)" % (i, item(b"HEADER.FIELDS (X-None)",
                                             b"\r\n")) for i in (2, 3)],
              "no such field: only the empty line")
    tap.equal(r.ask('FETCH 2 BODY.PEEK[HEADER.FIELDS ("X-Other" {4+}\r\nDate)]'
                    )[0],
              [b"* 2 FETCH (%s)" % item(
                  b"HEADER.FIELDS (X-Other Date)",
                  b"Date: value of\r\n date\r\n"
                  b"X-Other: value of\r\n x-other\r\n\r\n")],
              "names may be strings; fields keep the message's order")


def sets(r):
    """With three messages, UIDs 1 to 3."""
    for text, want in (("1", "1"), ("1,3", "1 3"), ("3,1", "1 3"),
                       ("3:1", "1 2 3"), ("*", "3"), ("*:*", "3"),
                       ("2:*", "2 3"), ("*:2", "2 3"), ("1,1:2,2", "1 2"),
                       ("1:*,*", "1 2 3")):
        want = [b"* %d FETCH (UID %d)" % (i, i)
                for i in map(int, want.split())]
        tap.equal(r.ask("FETCH %s UID" % text)[0], want, "FETCH " + text)
        tap.equal(r.ask("UID FETCH %s UID" % text)[0], want,
                  "UID FETCH " + text)
    for text, want in (("9:*", "3"), ("*:9", "3"), ("9", ""), ("9:7", ""),
                       ("2:9", "2 3"), ("4294967295", ""),
                       ("1:4294967295", "1 2 3")):
        got = r.ask("UID FETCH %s UID" % text)
        tap.equal((got[0], got[1][:2]), (
            [b"* %d FETCH (UID %d)" % (i, i) for i in map(int, want.split())],
            b"OK"), "UID FETCH %s past the end" % text)
        if want != "3":
            status(r.ask("FETCH %s UID" % text), "BAD",
                   "FETCH %s past the end is BAD" % text)
    for text in ("0", "0:1", "1:", ":1", ",1", "1,", "1,,2", "1:2:3", "a",
                 "-1", "+1", "4294967296", '"1"', "1.2", "$1"):
        status(r.ask("FETCH %s UID" % text), "BAD", "the set %s" % text)
        status(r.ask("UID STORE %s FLAGS ()" % text), "BAD",
               "the UID set %s" % text)


def names(s):
    r = s.raw()
    for name in ("inbox/sub", "INBOX/Other", "Archive", "a/b/c/", "x/"):
        status(r.ask("CREATE " + name), "OK", "CREATE " + name)
    status(r.ask("CREATE Inbox/SUB"), "OK", "only INBOX itself has any case")
    status(r.ask("CREATE iNbOx/sub"), "NO [ALREADYEXISTS]",
           "below INBOX, in any case, is below INBOX")
    for pattern, want in (
            ('"" "*"', "INBOX+ INBOX/Other INBOX/SUB INBOX/sub Archive a! "
             "a/b! a/b/c fields x"),
            ('"" %', "INBOX+ Archive a! fields x"),
            ('"" inbox', "INBOX+"), ('"" "iN%"', "INBOX+"),
            ('"" "inBOX/%"', "INBOX/Other INBOX/SUB INBOX/sub"),
            ('"inbox/" sub', "INBOX/sub"), ('"" "%/sub"', "INBOX/sub"),
            ('"" "%/%"', "INBOX/Other INBOX/SUB INBOX/sub a/b!"),
            ('"a/" "*"', "a/b! a/b/c"), ('"a" "*"', "a! a/b! a/b/c"),
            ('"" "a/%"', "a/b!"), ('"" "*c"', "a/b/c"),
            ('"" "*/b*"', "a/b! a/b/c"), ('"" "**%%**"', None),
            ('"" "archive"', ""), ('"" "a/"', ""), ('"/" "*"', ""),
            ('"" {1+}\r\nx', "x"), ("x \"\"", None)):
        if want is None:
            status(r.ask("LIST " + pattern), "OK", "LIST " + pattern)
            continue
        rows = []
        for name in want.split():
            base = name.rstrip("+!")
            flags = "\\HasChildren" if base != name else "\\HasNoChildren"
            flags = ("\\Noselect " if name[-1] == "!" else "") + flags
            if base == "Archive":
                flags += " \\Archive"
            rows.append(('* LIST (%s) "/" "%s"' % (flags, base)).encode())
        tap.equal(r.ask("LIST " + pattern)[0], rows, "LIST " + pattern)
    for name in ("a", "a/b"):
        status(r.ask("SELECT " + name), "NO", "%s cannot be selected" % name)
        status(r.ask("DELETE " + name), "NO", "nor deleted")
    status(r.ask("CREATE a"), "OK", "but created")
    status(r.ask("DELETE a"), "OK", "and, with children, deleted")
    tap.ok(b'* LIST (\\Noselect \\HasChildren) "/" "a"' in
           r.ask('LIST "" a')[0], "its children stay, and its name with them")
    for name in ('""', '"/"', '"/abs"', '"x//y"', '"&"', '"&AOQ"', '"&AGE-"',
                 '"&U,BTFw-&ZeVnLIqe-"', "{3+}\r\na\nb", "{2+}\r\n\xc3x"):
        status(r.ask(("CREATE " + name).encode("latin-1")), "NO [CANNOT]",
               "no name: %r" % name)
    status(r.ask('CREATE "&U,BTF2XlZyyKng-"'), "OK", "a name in UTF-7")
    tap.ok(any(b'"&U,BTF2XlZyyKng-"' in u for u in r.ask('LIST "" "*"')[0]),
           "comes back as it went")
    status(r.ask('CREATE "a \\"b\\\\"'), "OK", "a name to be quoted")
    tap.ok(any(u.endswith(b'"a \\"b\\\\"') for u in r.ask('LIST "" "*"')[0]),
           "is quoted")
    status(r.ask("RENAME a/b n/m"), "OK", "RENAME of a level")
    tap.equal(r.ask('LIST "" "n*"')[0],
              [b'* LIST (\\Noselect \\HasChildren) "/" "n"',
               b'* LIST (\\Noselect \\HasChildren) "/" "n/m"',
               b'* LIST (\\HasNoChildren) "/" "n/m/c"'],
              "moves what is below, and makes the levels above")
    status(r.ask("RENAME x x/y"), "NO [CANNOT] A mailbox cannot be moved",
           "RENAME below itself")
    r.ask("CREATE level/child")
    for to in ("level/x", "level/x/y", "level/child/x"):
        status(r.ask("RENAME level " + to),
               "NO [CANNOT] A mailbox cannot be moved",
               "RENAME of a level without a mailbox to " + to)
    status(r.ask("RENAME nowhere nowhere/x/y"), "NO [NONEXISTENT]",
           "RENAME of what is not there")
    r.ask("DELETE level/child")
    status(r.ask("RENAME none none/y"), "NO [NONEXISTENT]", "nor of nothing")
    status(r.ask("RENAME x iNBOX"), "NO [ALREADYEXISTS]", "RENAME to INBOX")
    r.close()


def subscriptions(s):
    r = s.raw()
    for name in ("inbox", "no/such/box", "x", "fields"):
        status(r.ask("SUBSCRIBE " + name), "OK", "SUBSCRIBE " + name)
    r.ask("DELETE x")
    for pattern, want in (
            ('"" "*"', "INBOX+ fields no/such/box x"),
            ('"" %', "INBOX+ fields no! x"), ('"" "no/%"', "no/such!"),
            ('"" "no*"', "no/such/box"), ('"" "no/such/%"', "no/such/box"),
            ('"no/" "%"', "no/such!"), ('"" inbox', "INBOX+")):
        rows = [('* LSUB (%s\\Has%sChildren) "/" "%s"' % (
            "\\Noselect " if name[-1] == "!" else "",
            "" if name[-1] == "+" else "No", name.rstrip("+!"))).encode()
            for name in want.split()]
        tap.equal(r.ask("LSUB " + pattern)[0], rows, "LSUB " + pattern)
    tap.equal(r.ask('LIST "" "no*"')[0], [],
              "what is only subscribed is not in LIST")
    status(r.ask("UNSUBSCRIBE never"), "OK", "UNSUBSCRIBE of what was not")
    status(r.ask("UNSUBSCRIBE no/such/box"), "OK", "UNSUBSCRIBE")
    r.close()


def states(s):
    r = s.raw()
    r.ask("SELECT INBOX")
    for bad in ("SELECT INBOX foo", "SELECT INBOX (CONDSTORE X)",
                "EXAMINE INBOX (X)", "ID", "ID foo", "ID NIL NIL",
                "SEARCH CHARSET", "SEARCH CHARSET UTF-8", "CHECK x",
                "EXPUNGE 1", "UID EXPUNGE", "UID CHECK", "UID", "STORE 1 FLAGS",
                "FETCH 1", "FETCH 1 ()", "FETCH 1 FLAGS UID x", "COPY 1",
                "STATUS INBOX", "STATUS INBOX ()", "STATUS INBOX MESSAGES",
                "RENAME a", "LIST x", "APPEND INBOX", "LOGIN a b", "STARTTLS",
                "AUTHENTICATE PLAIN", "CREATE a (USE)", "LSUB x"):
        status(r.ask(bad), "BAD", bad + " is BAD")
        r.ask("NOOP")
    status(r.ask("CREATE s1 (USE (\\Junk))"), "OK", "CREATE with a use")
    status(r.ask("CREATE s2 (USE (\\None))"), "NO [USEATTR]", "of no meaning")
    tap.equal(r.ask('LIST (SPECIAL-USE) "" s*')[0],
              [b'* LIST (\\HasNoChildren \\Junk) "/" "s1"'], "and it is told")
    status(r.ask("SELECT nope"), "NO [NONEXISTENT]", "a SELECT that fails")
    status(r.ask("FETCH 1 UID"), "BAD", "leaves nothing selected")
    r.ask("SELECT INBOX")
    status(r.ask('SELECT "&"'), "NO", "so does one of no name")
    status(r.ask("CLOSE"), "BAD", "at all")
    got = r.ask("EXAMINE INBOX")
    tap.ok(b"* OK [PERMANENTFLAGS ()] Read-only mailbox." in got[0],
           "EXAMINE: no flag can be changed")
    for command in ("STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "UID EXPUNGE 1",
                    "MOVE 1 fields"):
        status(r.ask(command), "NO [READ-ONLY]", command + " after EXAMINE")
    tap.ok(b"FLAGS" not in r.ask("FETCH 1 BODY[HEADER]")[0][0],
           "nor does BODY[] set \\Seen")
    status(r.ask("COPY 1 fields"), "OK", "COPY is no change")
    status(r.ask("CLOSE"), "OK", "CLOSE after EXAMINE")
    r.close()


def nul(s):
    """SMTP takes a NUL, and other programs put one into a Maildir; a literal
    must not hold it."""
    r = s.raw()
    r.ask("CREATE nul")
    path = os.path.join(s.maildir, ".nul", "new", "1.foreign")
    with open(path, "wb") as f:
        f.write(b"Subject: n\0l\n\na\0b\n")
    os.chown(path, s.uid, s.gid)
    r.ask("SELECT nul")
    for what, want in (("BODY[]", b"Subject: n?l\r\n\r\na?b\r\n"),
                       ("BODY[TEXT]", b"a?b\r\n"), ("BODY[1]", b"a?b\r\n"),
                       ("BODY[HEADER.FIELDS (SUBJECT)]",
                        b"Subject: n?l\r\n\r\n")):
        tap.equal(r.ask("FETCH 1 BODY.PEEK" + what[4:])[0],
                  [b"* 1 FETCH (%s)" % item(what[5:-1].encode(), want)],
                  "no NUL in " + what)
    tap.ok(b"\0" not in b"".join(r.ask("FETCH 1 (ENVELOPE RFC822.HEADER)")[0]),
           "nor in ENVELOPE")
    r.close()


def recent(s):
    r = s.raw()
    r.ask("CREATE recent")
    append(r, PLAIN, "recent")
    for command, want in (("EXAMINE", 1), ("EXAMINE", 1), ("SELECT", 1),
                          ("SELECT", 0), ("EXAMINE", 0)):
        tap.ok(b"* %d RECENT" % want in r.ask(command + " recent")[0],
               "%s: %d recent" % (command, want))
    for unseen in (1, 0):
        r.ask("SELECT recent")
        got = r.ask("SELECT recent")[0]
        tap.equal(any(b"[UNSEEN 1]" in u for u in got), bool(unseen),
                  "UNSEEN, or nothing if all are seen")
        r.ask("STORE 1 FLAGS (\\Seen)")
    append(r, PLAIN, "recent")
    got = r.ask("NOOP")[0] + r.ask("FETCH 1:2 FLAGS")[0]
    tap.equal(got[-2:], [b"* 1 FETCH (FLAGS (\\Seen))",
                         b"* 2 FETCH (FLAGS (\\Recent))"],
              "what comes while a folder is selected is recent there")
    tap.equal(r.ask("SEARCH RECENT")[0], [b"* SEARCH 2"], "SEARCH RECENT")
    tap.equal(r.ask("SEARCH OLD")[0], [b"* SEARCH 1"], "SEARCH OLD")
    tap.equal(r.ask("STATUS recent (RECENT)")[0],
              [b'* STATUS "recent" (RECENT 1)'], "so says STATUS")
    other = s.raw()
    tap.equal(other.ask("STATUS recent (RECENT)")[0],
              [b'* STATUS "recent" (RECENT 0)'], "and to no other session")
    append(other, PLAIN, "recent")
    other.ask("EXAMINE recent")
    for who, want in ((other, 1), (r, 2), (r, 2), (other, 1)):
        has = who.ask("STATUS recent (RECENT)")[0]
        tap.ok(b'* STATUS "recent" (RECENT %d)' % want in has,
               "%d, with what comes later: %r" % (want, has))
        who.ask("NOOP")
    other.close()
    r.close()


def flags(r):
    r.ask("CREATE flags")
    for options, want in (
            ('(\\Seen $Forwarded) "01-Jan-2020 23:30:00 -0800"',
             b'FLAGS (\\Seen \\Recent $Forwarded) '
             b'INTERNALDATE " 2-Jan-2020 07:30:00 +0000"'),
            ('" 1-Feb-2020 00:00:00 +0000"',
             b'FLAGS (\\Recent) INTERNALDATE " 1-Feb-2020 00:00:00 +0000"'),
            ("(\\deleted \\DRAFT)", b"FLAGS (\\Deleted \\Draft \\Recent)"),
            ("()", b"FLAGS (\\Recent)")):
        r.ask("UNSELECT")	# or it would be recent to that session alone
        status(append(r, PLAIN, "flags", options + " "), "OK [APPENDUID",
               "APPEND " + options)
        got = r.ask("SELECT flags")[0]
        tap.ok(want in r.ask("FETCH * (FLAGS INTERNALDATE)")[0][0],
               "is told as it was given")
    tap.ok(any(u.startswith(b"* OK [UNSEEN 2]") for u in got), "UNSEEN")
    for options in ('"31-Feb-2020 00:00:00 +0000" ', '"01-Jan-2020" ',
                    '"2020-01-01T00:00:00Z" ', "(\\Foo) ", "\\Seen ",
                    "(\\Seen) () ", '"01-Jan-2020 24:00:00 +0000" '):
        status(append(r, PLAIN, "flags", options), "BAD", "APPEND " + options)
        r.ask("NOOP")
    for store, want in (
            ("FLAGS (\\Seen \\Seen $Junk)", b"\\Seen \\Recent $Junk"),
            ("+FLAGS ($junk)", b"\\Seen \\Recent $Junk"),
            ("FLAGS ()", b"\\Recent"), ("flags \\Seen \\Flagged",
                                        b"\\Seen \\Flagged \\Recent"),
            ("-FLAGS (\\Seen none)", b"\\Flagged \\Recent"),
            ("-Flags (\\FLAGGED)", b"\\Recent")):
        got = r.ask("STORE 4 " + store)
        tap.equal((got[0][-1], got[1][:2]),
                  (b"* 4 FETCH (FLAGS (%s))" % want, b"OK"), "STORE " + store)
    for store in ("+FLAGS (\\Foo)", "+FLAGS (a b", "FLAGS (\"a\")",
                  "FLAGS (a(b)", "FLAGS (a]b)", "FLAGS (\\*)", "FLAGS (a%)",
                  "FLAGS. (a)", "+FLAGS.SILEN (a)"):
        status(r.ask("STORE 4 " + store), "BAD", "STORE " + store)
        r.ask("NOOP")
    got = r.ask("UID STORE 4 +FLAGS.SILENT (\\Answered)")
    tap.equal((got[0], got[1][:2]), ([], b"OK"), "SILENT is silent")
    status(r.ask("UID STORE 99 +FLAGS (\\Seen)"), "OK",
           "UID STORE of what is not there")


def two_sessions(s):
    """What one does, the other is told, and when."""
    a, b = s.raw(), s.raw()
    a.ask("CREATE two")
    for i in range(6):
        append(a, PLAIN, "two")
    got = a.ask("SELECT two")[0]
    tap.ok(b"* 6 RECENT" in got, "the first session has them recent")
    got = b.ask("SELECT two")[0]
    tap.ok(b"* 0 RECENT" in got, "the second has not")
    a.ask("UID STORE 2:3 +FLAGS.SILENT (\\Deleted)")
    a.ask("EXPUNGE")
    for command in ("FETCH 1:6 UID", "STORE 1 +FLAGS (\\Seen)", "SEARCH ALL"):
        tap.ok(not any(b"EXPUNGE" in u for u in b.ask(command)[0]),
               "no EXPUNGE while %s runs" % command.split()[0])
    got = b.ask("FETCH 2 BODY.PEEK[]")
    tap.equal((got[0], got[1][:18]),
              ([b"* 2 FETCH (BODY[] NIL)"], b"OK [EXPUNGEISSUED]"),
              "the numbers hold; what is gone is said to be gone")
    got = b.ask("COPY 1:2 flags")
    tap.ok(got[1].startswith(b"NO"), "COPY is all or nothing")
    b.ask("UNSELECT")
    tap.equal(b.ask("STATUS flags (MESSAGES)")[0],
              [b'* STATUS "flags" (MESSAGES 4)'],
              "nothing was copied, and STATUS ends without a blank")
    b.ask("SELECT two")
    a.ask("UID MOVE 6 flags")
    got = b.ask("UID FETCH 4:* FLAGS")[0]
    tap.equal(sorted(u for u in got if b"FETCH" in u),
              [b"* %d FETCH (UID %d FLAGS ())" % (uid - 2, uid)
               for uid in (4, 5, 6)],
              "UID FETCH n:* after another's MOVE: as it was told so far")
    got += b.ask("NOOP")[0]
    tap.equal(got.count(b"* 4 EXPUNGE"), 1, "EXPUNGE once, and in time")
    append(a, PLAIN, "two")
    a.ask("STORE 1 +FLAGS (\\Flagged)")
    b.send("i1 IDLE\r\n")
    got = []
    while not any(b"Flagged" in u for u in got) or \
            not any(b"EXISTS" in u for u in got):
        got.append(b.line())
    tap.ok(b"* 4 EXISTS\r\n" in got,
           "changes before IDLE are told when it begins")
    b.send("DONE\r\n")
    b.until("i1")
    a.ask("UID STORE 1 +FLAGS (\\Deleted)")
    a.ask("EXPUNGE")
    append(a, PLAIN, "two")
    got = b.ask("NOOP")[0]
    tap.ok(got.index(b"* 1 EXPUNGE") < got.index(b"* 4 EXISTS"),
           "EXPUNGE first, then the new number of messages")
    tap.equal(b.ask("FETCH 1:* UID")[0],
              [b"* %d FETCH (UID %d)" % p for p in ((1, 4), (2, 5), (3, 7),
                                                    (4, 8))],
              "both count alike afterwards")
    status(a.ask("DELETE two"), "OK", "DELETE of what is selected")
    status(a.ask("FETCH 1 UID"), "BAD", "leaves nothing selected")
    status(a.ask("NOOP"), "OK", "and the session goes on")
    b.send("x NOOP\r\n")
    b.until("x")
    tap.ok(b.line().startswith(b"* BYE [UNAVAILABLE]"),
           "another session that has it selected ends")
    tap.equal(os.listdir(os.path.join(s.maildir, "tmp")), [],
              "and puts nothing in its place")
    a.close()
    b.close()


def literals(s):
    r = s.raw()
    r.send(b"l1 SELECT {5+}\r\nINBOX {3}\r\n")
    tap.ok(r.line().startswith(b"+ "), "both kinds of literal in one command")
    r.send(b"foo\r\n")
    tap.ok(r.until("l1")[-1].startswith(b"l1 BAD"), "and the command is BAD")
    big = (8 << 20) + 1000
    r.send(b"l2 SELECT {%d+}\r\n" % big + b"x" * big + b"\r\nl3 NOOP\r\n")
    tap.ok(r.line().startswith(b"l2 BAD [TOOBIG]"),
           "a literal that comes unasked and is too large is drained")
    tap.ok(r.until("l3")[-1].startswith(b"l3 OK"), "and the session goes on")
    r.send(b"l4 UID SEARCH UID " + b",".join(
        b"%d" % i for i in range(1, 300000)) + b"\r\n")
    tap.ok(r.until("l4")[-1].startswith(b"l4 BAD No mailbox"),
           "a command of two megabytes is read")
    r.send(b"l5 SELECT {2}\r\n")
    tap.ok(r.line().startswith(b"+ "), "a literal")
    r.send(b"a\0\r\n")
    tap.ok(r.until("l5")[-1].startswith(b"l5 BAD"), "holds no NUL")
    r.send(b"l6 APPEND INBOX {0+}\r\n\r\n")
    tap.ok(b"l6 NO [CANNOT] The message is empty" in r.until("l6")[-1],
           "an empty message is none")
    status(r.ask("APPEND INBOX {0}"), "NO [CANNOT]", "nor is one asked for")
    s.put(b"")
    r.ask("SELECT INBOX")
    got = r.ask("FETCH * (RFC822.SIZE BODY.PEEK[] BODY.PEEK[HEADER] "
                "BODY.PEEK[TEXT] ENVELOPE BODYSTRUCTURE)")
    tap.ok(b"RFC822.SIZE 0 " in got[0][0] and got[1].startswith(b"OK"),
           "an empty file is one of no bytes")
    r.close()


def habits(s):
    """What clients send that is not in the book, or hardly."""
    r = s.raw()
    r.ask("CREATE habits (USE (\\Archive))")
    append(r, PLAIN, "habits")
    r.ask("SELECT habits")
    for command, label, text in (("RFC822.PEEK", b"RFC822", PLAIN),
                                 ("RFC822.TEXT.PEEK", b"RFC822.TEXT",
                                  b"body\r\n")):
        tap.equal(r.ask("FETCH 1 " + command)[0],
                  [b"* 1 FETCH (%s {%d}\r\n%s)" % (label, len(text), text)],
                  "Outlook: %s, which sets no flag" % command)
    tap.equal(r.ask("UID FETCH 1 (UID RFC822.SIZE FLAGS BODY.PEEK["
                    "HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID "
                    "Priority X-Priority References Newsgroups In-Reply-To "
                    "Content-Type Reply-To)])")[1][:2], b"OK",
              "Thunderbird's list of messages")
    tap.equal(r.ask("UID FETCH 1 (UID BODY.PEEK[]<0.65536>)")[0],
              [b"* 1 FETCH (UID 1 BODY[]<0> {%d}\r\n%s)"
               % (len(PLAIN), PLAIN)], "and its messages, piece by piece")
    tap.equal(r.ask('LIST (SPECIAL-USE) "" "INBOX/*"')[1][:2], b"OK",
              "K-9: LIST (SPECIAL-USE) below INBOX")
    for ask in ('LIST "" "habits"',
                'LIST "" "habits" RETURN (SPECIAL-USE)'):
        tap.equal(r.ask(ask)[0],
                  [b'* LIST (\\HasNoChildren \\Archive) "/" "habits"'],
                  "special use in " + ask)
    r.ask("UNSELECT")
    r.send("i1 IDLE\r\n")
    tap.ok(r.line().startswith(b"+"), "Outlook: IDLE with nothing selected")
    r.send(b"DONE\r\ni2 NOOP\r\ni3 IDLE\r\nDONE\r\n")
    tap.ok(r.until("i1")[-1].startswith(b"i1 OK") and
           r.until("i2")[-1].startswith(b"i2 OK") and
           r.until("i3")[-1].startswith(b"i3 OK"),
           "iOS: DONE with the next commands, and DONE before the +")
    r.send(b"i4 IDLE\r\n")
    r.line()
    r.send(b"done\r\n")
    tap.ok(r.until("i4")[-1].startswith(b"i4 OK"), "done in any case")
    r.send(b"i5 IDLE\r\n")
    r.line()
    r.send(b"i6 NOOP\r\n")
    tap.ok(r.until("i5")[-1].startswith(b"i5 BAD"),
           "what is not DONE ends IDLE with BAD")
    status(r.ask("NOOP"), "OK", "and the session goes on")
    r.close()


with Sessions() as all_sessions:
    first = all_sessions.raw()
    sections(first)
    header_fields(all_sessions, first)
    sets(first)
    names(all_sessions)
    subscriptions(all_sessions)
    states(all_sessions)
    nul(all_sessions)
    recent(all_sessions)
    flags(first)
    two_sessions(all_sessions)
    literals(all_sessions)
    habits(all_sessions)

tap.done()
