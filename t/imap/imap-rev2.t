#!/usr/bin/env python3
"""IMAP4rev2, section by section of RFC 9051: what differs once a client has
enabled it. A session of IMAP4rev1 beside it shows that nothing does there.
"""
import os
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()
NAME = "Entwürfe/Grün"
LOOSE = unicodedata.normalize("NFD", NAME)  # the same in other code points
PLAIN = b"Subject: plain\r\n\r\nbody\r\n"
INNER = "From: Jörg <jörg@exämple.test>\r\nSubject: Grüße\r\n\r\n".encode()
GLOBAL = (b"Subject: outer\r\nMIME-Version: 1.0\r\n"
          b"Content-Type: multipart/mixed; boundary=o\r\n\r\n"
          b"--o\r\n\r\none\r\n--o\r\nContent-Type: message/global\r\n\r\n"
          + INNER + b"two\r\n--o--\r\n")
KEYWORDS = ("$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing")


def starts(got, want, name):
    tap.starts(got[1], want, name)


def append(r, message, folder="INBOX", extra=""):
    return r.ask(b"APPEND %s %s{%d+}\r\n%s" % (
        folder.encode(), extra.encode(), len(message), message))


def utf8(text):
    return text.encode()


def without(lines, *words):
    return not any(w in line for line in lines for w in words)


def enable(s, r, old):                                  # 6.3.1, appendix A
    before = r.ask("CAPABILITY")[0]
    tap.ok(b" IMAP4rev1 IMAP4rev2 " in before[0], "both are announced",
           before)
    tap.ok(b" IMAP4rev1 IMAP4rev2 " in r.greeting, "also at the login")
    tap.equal(r.ask("ENABLE X imap4REV2")[0], [b"* ENABLED IMAP4rev2"],
              "ENABLE")
    tap.equal(r.ask("ENABLE IMAP4rev2")[0], [b"* ENABLED"], "once")
    tap.equal(r.ask("CAPABILITY")[0], before, "changes no capability")


def names(s, r, old):                                   # 5.1, 6.3.4 to 6.3.9
    starts(r.ask('CREATE "%s"' % NAME), b"OK", "CREATE in UTF-8")
    tap.equal(r.ask('LIST "" "%s"' % NAME)[0],
              [b'* LIST (\\HasNoChildren) "/" "%s"' % utf8(NAME)], "LIST")
    tap.equal(r.ask('LIST "" "%s"' % LOOSE)[0],
              [b'* LIST (\\HasNoChildren) "/" "%s"' % utf8(NAME)],
              "with a pattern that is not in normal form")
    tap.ok(b'"Entw&APw-rfe/Gr&APw-n"' in old.ask('LIST "" "*/*"')[0][0],
           "UTF-7 for IMAP4rev1")
    tap.starts(old.ask('SELECT "Entw&APw-rfe/Gr&APw-n"')[1], b"OK",
               "which can select it")
    old.ask("UNSELECT")
    starts(r.ask(b'CREATE "a\xff"'), b"BAD", "a string that is no UTF-8")
    starts(r.ask('CREATE "a\u0085"'), b"NO [CANNOT]", "a control character")
    starts(r.ask('CREATE "%s"' % LOOSE), b"NO [ALREADYEXISTS]",
           "one name in two forms")

    loose = unicodedata.normalize("NFD", "Ärger")
    got = r.ask('CREATE "%s"' % loose)
    tap.equal(got[0], [b'* LIST (\\HasNoChildren) "/" "%s" ("OLDNAME" ("%s"))'
                       % (utf8("Ärger"), utf8(loose))], "CREATE normalises")
    starts(got, b"OK", "and says so")
    got = append(r, PLAIN, '"%s"' % loose)
    tap.equal(got[0], [b'* LIST (\\HasNoChildren) "/" "%s" ("OLDNAME" ("%s"))'
                       % (utf8("Ärger"), utf8(loose))], "so does APPEND")
    starts(got, b"OK [APPENDUID ", "to it")
    tap.ok(b'"%s" (MESSAGES 1)' % utf8("Ärger") in
           r.ask('STATUS "%s" (MESSAGES)' % loose)[0][0], "STATUS takes both")
    got = r.ask('RENAME "%s" "Zorn"' % loose)
    tap.equal(got[0], [b'* LIST (\\HasNoChildren) "/" "Zorn" '
                       b'("OLDNAME" ("%s"))' % utf8(loose)], "RENAME")
    got = r.ask('RENAME "Zorn" "Wut"')
    tap.equal(got[0], [b'* LIST (\\HasNoChildren) "/" "Wut" '
                       b'("OLDNAME" ("Zorn"))'], "tells the old name")
    tap.equal(r.ask('RENAME INBOX "Alt"')[0], [], "except of INBOX")
    r.ask('CREATE "%s"' % loose)
    tap.equal(r.ask('DELETE "%s"' % loose)[0],
              [b'* LIST (\\NonExistent \\HasNoChildren) "/" "%s" '
               b'("OLDNAME" ("%s"))' % (utf8("Ärger"), utf8(loose))],
              "DELETE")
    tap.equal(r.ask('DELETE "Alt"')[0], [], "of its own name: silent")
    tap.equal(old.ask('RENAME Wut Wut2')[0], [], "IMAP4rev1 is told nothing")

    starts(old.ask('CREATE "A&Awg-rger"'), b"OK", "made by another")
    tap.equal(r.ask('STATUS "%s" (MESSAGES)' % loose)[0],
              [b'* STATUS "%s" (MESSAGES 0)' % utf8(loose)],
              "a folder of exactly this name comes first")
    starts(r.ask('DELETE "%s"' % loose), b"OK", "and can be deleted")


def select(s, r, old):                                  # 6.3.2, 6.3.3
    s.put(PLAIN, sub="new", name="17%08d.M1P1.host")
    for command in ("CREATE INBOX/sub", "SUBSCRIBE INBOX",
                    "CREATE Gesendet (USE (\\Sent))"):
        r.ask(command)
    got = r.ask("SELECT inbox")
    starts(got, b"OK [READ-WRITE]", "SELECT")
    for want in (b"* FLAGS (", b"* 1 EXISTS", b"* OK [PERMANENTFLAGS (",
                 b"* OK [UIDNEXT ", b"* OK [UIDVALIDITY "):
        tap.ok(any(line.startswith(want) for line in got[0]), want.decode(),
               got[0])
    tap.ok(b'* LIST (\\Subscribed \\HasChildren) "/" "INBOX"' in got[0],
           "lists the folder", got[0])
    tap.ok(without(got[0], b"RECENT", b"[UNSEEN", b"\\Recent"),
           "no RECENT, no UNSEEN", got[0])
    got = r.ask("SELECT Gesendet")
    tap.equal(got[0][0][:13], b"* OK [CLOSED]", "CLOSED comes first")
    tap.ok(b'* LIST (\\HasNoChildren \\Sent) "/" "Gesendet"' in got[0],
           "its special use", got[0])
    got = r.ask('EXAMINE "%s"' % LOOSE)
    tap.ok(b'* LIST (\\HasNoChildren) "/" "%s" ("OLDNAME" ("%s"))'
           % (utf8(NAME), utf8(LOOSE)) in got[0], "OLDNAME", got[0])
    starts(got, b"OK [READ-ONLY]", "EXAMINE")
    got = r.ask("SELECT (x)")
    tap.equal((got[0], got[1][:3]), ([], b"BAD"), "BAD closes nothing")
    got = r.ask("SELECT none")
    tap.equal(got[0], [b"* OK [CLOSED] Previous mailbox closed."], "CLOSED")
    starts(got, b"NO [NONEXISTENT]", "also before NO")
    starts(r.ask("FETCH 1 UID"), b"BAD", "which leaves nothing selected")
    got = old.ask("SELECT INBOX")
    tap.ok(any(b" RECENT" in line for line in got[0]) and
           any(b"[UNSEEN 1]" in line for line in got[0]) and
           without(got[0], b"* LIST"), "IMAP4rev1 is as it was", got[0])


def status(s, r, old):                                  # 6.3.11
    append(r, PLAIN, extra="(\\Deleted) ")
    tap.equal(r.ask("STATUS INBOX (MESSAGES UNSEEN DELETED SIZE)")[0],
              [b'* STATUS "INBOX" (MESSAGES 2 UNSEEN 2 SIZE %d DELETED 1)'
               % (2 * len(PLAIN))], "STATUS")
    starts(r.ask("STATUS INBOX (MESSAGES RECENT)"), b"BAD", "no RECENT")
    starts(r.ask('LIST "" INBOX RETURN (STATUS (RECENT))'), b"BAD",
           "nor in LIST")
    tap.equal(r.ask('LIST "" INBOX RETURN (SUBSCRIBED STATUS (DELETED))')[0],
              [b'* LIST (\\Subscribed \\HasChildren) "/" "INBOX"',
               b'* STATUS "INBOX" (DELETED 1)'], "STATUS in LIST")
    starts(old.ask("STATUS INBOX (RECENT)"), b"OK", "but in IMAP4rev1")


def flags(s, r, old):                                   # 2.3.2, 7.5.2
    r.ask("SELECT INBOX")
    got = r.ask("STORE 1 +FLAGS (%s)" % " ".join(KEYWORDS))
    tap.equal(got[0][-1], b"* 1 FETCH (UID 1 FLAGS (%s))"
              % " ".join(KEYWORDS).encode(), "the keywords, and the UID")
    for keyword in KEYWORDS:
        tap.equal(r.ask("SEARCH KEYWORD " + keyword)[0][0][-6:], b" ALL 1",
                  keyword)
    old.ask("NOOP")
    old.ask("STORE 2 +FLAGS (\\Seen)")
    tap.ok(b"* 2 FETCH (UID 2 FLAGS (\\Deleted \\Seen))" in
           [line.replace(b"\\Seen \\Deleted", b"\\Deleted \\Seen")
            for line in r.ask("NOOP")[0]],
           "what another has changed comes with the UID")
    got = old.ask("STORE 2 -FLAGS (\\Seen)")
    tap.ok(b"UID" not in got[0][0], "not in IMAP4rev1", got[0])
    r.ask("NOOP")
    s.put(PLAIN, sub="new", name="17%08d.M1P1.host")
    got = r.ask("NOOP")[0]
    tap.ok(b"* 3 EXISTS" in got and without(got, b"RECENT"),
           "new mail is not RECENT", got)
    tap.ok(without(r.ask("FETCH 3 FLAGS")[0], b"Recent"), "nor \\Recent")
    r.send("i IDLE\r\n")
    while not r.line().startswith(b"+"):
        pass
    s.put(PLAIN, sub="new", name="17%08d.M1P1.host")
    tap.equal(r.line(), b"* 4 EXISTS\r\n", "nor in IDLE")
    r.send("DONE\r\n")
    tap.equal(r.until("i"), [b"i OK Idle completed.\r\n"], "which ends")


def search(s, r, old):                                  # 6.4.4
    tag = b'* ESEARCH (TAG "t%d")'
    for command, want in (
            ("SEARCH ALL", b" ALL 1:4"), ("UID SEARCH ALL", b" UID ALL 1:4"),
            ("SEARCH RETURN () 2:3", b" ALL 2:3"),
            ("SEARCH RETURN (MIN MAX COUNT) ALL", b" MIN 1 MAX 4 COUNT 4"),
            ("SEARCH SUBJECT none", b""),
            ("SEARCH RETURN (MIN COUNT) SUBJECT none", b" COUNT 0"),
            ("UID SEARCH SUBJECT none", b" UID"),
            ('SEARCH CHARSET UTF-8 SUBJECT "pläin"', b""),
            ('SEARCH SUBJECT "PLAIN"', b" ALL 1:4"),
            ("SEARCH LARGER 9223372036854775807", b""),
            ("SEARCH SMALLER 9223372036854775807", b" ALL 1:4")):
        tap.equal(r.ask(command)[0], [tag % r.tags + want], command)
    for command in ("RECENT", "NEW", "OLD", "NOT NEW", "OR OLD ALL",
                    "LARGER 9223372036854775808", "UIDAFTER 4294967296"):
        starts(r.ask("SEARCH " + command), b"BAD", "no " + command)
    starts(r.ask("SEARCH CHARSET X-NONE ALL"), b"NO [BADCHARSET", "BADCHARSET")
    for options, want in (("SAVE MIN", b"1"), ("SAVE MAX", b"4"),
                          ("MAX SAVE MIN", b"1,4"), ("SAVE", b"1:4"),
                          ("SAVE COUNT MIN", b"1:4")):     # table 4
        r.ask("SEARCH RETURN (%s) ALL" % options)
        tap.equal(r.ask("SEARCH $")[0], [tag % r.tags + b" ALL " + want],
                  "$ after " + options)
    tap.equal(r.ask("SORT (ARRIVAL) UTF-8 2:3")[0][0][:6], b"* SORT",
              "SORT is an extension, and as it was")
    tap.equal(old.ask("SEARCH 1:2")[0][0], b"* SEARCH 1 2", "as was SEARCH")
    starts(old.ask("SEARCH OLD"), b"OK", "with OLD")
    starts(old.ask("SEARCH LARGER 4294967296"), b"BAD", "and 32 bits")


def fetch(s, r, old):                                   # 6.4.5, 7.5.2
    for item in ("RFC822", "RFC822.HEADER", "RFC822.TEXT", "(UID RFC822)"):
        starts(r.ask("FETCH 1 " + item), b"BAD", "no " + item)
        starts(old.ask("FETCH 1 " + item), b"OK", "but in IMAP4rev1")
    starts(r.ask("FETCH 1 RFC822.SIZE"), b"OK", "RFC822.SIZE stays")
    tap.equal(r.ask("FETCH 1 BODY.PEEK[]<4294967296.9223372036854775807>")[0],
              [b'* 1 FETCH (BODY[]<4294967296> "")'], "offsets of 63 bits")
    starts(r.ask("FETCH 1 BODY.PEEK[]<0.9223372036854775808>"), b"BAD",
           "and no more")
    starts(append(r, GLOBAL, "Gesendet"), b"OK", "message/global")
    old.ask("SELECT Gesendet")
    r.ask("SELECT Gesendet")
    text = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" %d %d)'
    basic = b'("message" "global" NIL NIL NIL "7bit" %d' % (len(INNER) + 3)
    structure = b"* 1 FETCH (BODY (" + text % (3, 0) + basic
    for _ in range(2):
        tap.equal(old.ask("FETCH 1 BODY")[0], [structure + b') "mixed"))'],
                  "to IMAP4rev1 it is a part as any")
        got = r.ask("FETCH 1 (BODY)")[0]
        tap.ok(got[0].startswith(structure + b" (NIL ") and got[0].endswith(
            b" " + text % (3, 0) + b' 3) "mixed"))') and
               "Grüße".encode() in got[0],
               "to IMAP4rev2 a message", got)
    got = r.ask("FETCH 1 (BODYSTRUCTURE ENVELOPE)")[0][0]
    tap.ok(b'"outer"' in got and "jörg".encode() in got, "BODYSTRUCTURE", got)
    for section, want in (("2.HEADER", INNER), ("2.1", b"two"),
                          ("2.TEXT", b"two"),
                          ("2.HEADER.FIELDS (Subject)",
                           "Subject: Grüße\r\n\r\n".encode())):
        tap.equal(r.ask("FETCH 1 BODY.PEEK[%s]" % section)[0],
                  [b"* 1 FETCH (BODY[%s] {%d}\r\n%s)" % (
                      section.upper().replace("(SUBJECT)", "(Subject)")
                      .encode(), len(want), want)], section)
        tap.ok(old.ask("FETCH 1 BODY.PEEK[%s]" % section)[0][0].endswith(
            b" NIL)"), "which IMAP4rev1 does not have")
    tap.equal(r.ask("FETCH 1 BINARY.PEEK[2.1]")[0],
              [b"* 1 FETCH (BINARY[2.1] {3}\r\ntwo)"], "BINARY")


def copy(s, r, old):                                    # 6.3.12, 6.4.7, 6.4.8
    starts(append(r, PLAIN, "none"), b"NO [TRYCREATE]", "APPEND")
    starts(r.ask("COPY 1 none"), b"NO [TRYCREATE]", "COPY")
    starts(r.ask("UID MOVE 1 none"), b"NO [TRYCREATE]", "MOVE")
    starts(r.ask('COPY 1 "%s"' % LOOSE), b"OK [COPYUID ", "COPY to a name")
    got = r.ask('MOVE 1 "%s"' % NAME)
    tap.ok(got[0][0].startswith(b"* OK [COPYUID ") and
           got[0][1:] == [b"* 1 EXPUNGE"], "COPYUID before EXPUNGE", got[0])


def gone(s, r, old):                                    # appendix E
    for command in ("CHECK", 'LSUB "" "*"'):
        starts(r.ask(command), b"BAD", "no " + command)
        starts(old.ask(command), b"OK", "but in IMAP4rev1")
    tap.equal(r.ask("NAMESPACE")[0], [b'* NAMESPACE (("" "/")) (("Other Users/" "/")) NIL'],
              "NAMESPACE")
    starts(r.ask("UNSELECT"), b"OK", "UNSELECT")
    starts(r.ask("LIST (SUBSCRIBED) \"\" *"), b"OK", "LIST for LSUB")
    starts(r.ask("LIST (RECURSIVEMATCH) \"\" *"), b"BAD", "6.3.9.1")


with Sessions() as sessions:
    rev2, rev1 = sessions.raw(), sessions.raw()
    for part in (enable, names, select, status, flags, search, fetch, copy,
                 gone):
        part(sessions, rev2, rev1)
    rev2.close()
    rev1.close()
tap.done()
