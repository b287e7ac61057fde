#!/usr/bin/env python3
"""IMAP sessions: each command, what it answers, what others then see."""
import os
import re
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()

PLAIN = (b"From: Jo Doe <jo@d.e>\r\nTo: a@b.c\r\nSubject: =?utf-8?q?Gr=C3=BC"
         b"=C3=9Fe?=\r\nDate: Tue, 24 Nov 2026 02:00:00 +0000\r\n"
         b"Message-ID: <1@d.e>\r\nX-Own: yes\r\n\r\nfirst line\r\nsecond\r\n")
MIXED = (b"From: x@y.z\r\nSubject: mixed\r\nMIME-Version: 1.0\r\n"
         b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
         b"Content-Type: text/plain; charset=iso-8859-1\r\n"
         b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
         b"K=E4se\r\n--b\r\nContent-Type: application/octet-stream\r\n"
         b"Content-Transfer-Encoding: base64\r\n\r\nS2Fpc2Vy\r\n--b--\r\n")


def last_is(got, start, name):
    if not tap.ok(got[1].startswith(start), name):
        print("#  got:", got)


def has(got, line, name):
    if not tap.ok(line in got[0], name):
        print("#  got:", got)


def append(r, message, folder="INBOX", extra=""):
    return r.ask(("APPEND %s %s{%d+}\r\n" % (folder, extra, len(message)))
                 .encode() + message)


def uid_of(reply):
    return int(re.search(rb"APPENDUID \d+ (\d+)", reply[1]).group(1))


with Sessions() as all_sessions:
    # hand-over
    r = all_sessions.raw(tag="a7")
    tap.ok(r.greeting.startswith(b"a7 OK [CAPABILITY IMAP4rev1 "),
           "the session gives the tagged reply with the capabilities")
    for cap in (b"IDLE", b"NAMESPACE", b"UIDPLUS", b"MOVE", b"SPECIAL-USE",
                b"UNSELECT", b"CHILDREN", b"LITERAL+", b"ENABLE", b"ID",
                b"SASL-IR", b"MULTIAPPEND", b"APPENDLIMIT="):
        tap.ok(cap in r.greeting, "it has " + cap.decode())
    p = all_sessions.raw(tag="a8", pending=b"b1 NOOP\r\nb2 NO")
    p.send(b"OP\r\n")
    tap.ok(p.line().startswith(b"b1 OK") and p.line().startswith(b"b2 OK"),
           "input that was read ahead comes first")
    p.close()
    if os.getuid() == 0:
        import socket
        a, b = socket.socketpair()
        tap.equal(all_sessions.hand_over(b, uid="0"), "failed",
                  "nobody gets a session as root")
        a.close()
        b.close()

    # any state
    has(r.ask("CAPABILITY"), r.greeting[r.greeting.index(b"[") + 1:
                                        r.greeting.index(b"]")].join(
        [b"* ", b""]), "CAPABILITY says the same")
    last_is(r.ask("NOOP"), b"OK", "NOOP")
    last_is(r.ask('ID ("name" "test")'), b"OK", "ID")
    last_is(r.ask("ID NIL"), b"OK", "ID NIL")
    last_is(r.ask('ID ("name")'), b"BAD", "ID takes pairs")
    has(r.ask("NAMESPACE"), b'* NAMESPACE (("" "/")) (("Other Users/" "/")) NIL', "NAMESPACE")
    has(r.ask("ENABLE X-UNKNOWN"), b"* ENABLED", "ENABLE")
    last_is(r.ask("FOO"), b"BAD", "an unknown command is BAD")
    last_is(r.ask("FETCH 1 FLAGS"), b"BAD", "FETCH before SELECT is BAD")
    last_is(r.ask("SELECT"), b"BAD", "SELECT without a name is BAD")
    last_is(r.ask("SELECT nope"), b"NO [NONEXISTENT]", "SELECT of nothing")

    # SELECT of an empty mailbox
    got = r.ask("SELECT inbox")
    has(got, b"* 0 EXISTS", "an empty INBOX")
    has(got, b"* 0 RECENT", "nothing recent")
    tap.ok(any(re.match(rb"\* OK \[UIDVALIDITY [1-9]\d*\]", u)
               for u in got[0]), "UIDVALIDITY")
    tap.ok(any(u.startswith(b"* OK [UIDNEXT 1]") for u in got[0]),
           "UIDNEXT 1")
    tap.ok(any(u.startswith(b"* OK [PERMANENTFLAGS (") and b"\\*" in u
               for u in got[0]), "PERMANENTFLAGS with \\*")
    last_is(got, b"OK [READ-WRITE]", "read-write")
    tap.equal(r.ask("UID FETCH 1:* FLAGS")[0], [],
              "UID FETCH of an empty mailbox finds nothing")
    tap.equal(r.ask("SEARCH ALL")[0], [b"* SEARCH"], "nor does SEARCH")

    # APPEND
    got = append(r, PLAIN, extra='(\\Seen foo) "01-Jan-2020 10:00:00 +0100" ')
    last_is(got, b"OK [APPENDUID ", "APPEND gives APPENDUID")
    has(got, b"* 1 EXISTS", "and EXISTS in the selected mailbox")
    got = append(r, MIXED)
    tap.equal(uid_of(got), 2, "the next one has the next UID")
    r.send("s1 APPEND INBOX {%d}\r\n" % len(PLAIN))
    tap.ok(r.line().startswith(b"+ "), "a synchronising literal is asked for")
    r.send(PLAIN + b"\r\n")
    tap.ok(r.until("s1")[-1].startswith(b"s1 OK"), "and taken")
    last_is(append(r, PLAIN, "nope"), b"NO [TRYCREATE]",
            "APPEND to nothing is TRYCREATE, its literal skipped")
    r.send("s2 APPEND nope {10}\r\n")
    tap.ok(r.until("s2")[-1].startswith(b"s2 NO [TRYCREATE]"),
           "a synchronising one is refused before it is sent")
    last_is(r.ask("APPEND INBOX {3+}\r\nabc more"), b"BAD",
            "nothing may follow the message")
    last_is(append(r, b"Subject: x\r\n\r\na\0b"), b"NO", "NUL is refused")
    last_is(r.ask("NOOP"), b"OK", "and the session goes on")

    # FETCH
    got = r.ask("FETCH 1 (FLAGS UID INTERNALDATE RFC822.SIZE)")
    line = got[0][0]
    tap.ok(b"UID 1 " in line and b"RFC822.SIZE %d" % len(PLAIN) in line,
           "UID and RFC822.SIZE")
    tap.ok(re.search(rb'INTERNALDATE "[ 0-3]\d-(Jan|Dec)-20', line),
           "INTERNALDATE")
    tap.ok(b"\\Seen" in line and b"foo" in line, "FLAGS with a keyword")
    has(r.ask("FETCH 1 ENVELOPE"),
        b'* 1 FETCH (ENVELOPE ("Tue, 24 Nov 2026 02:00:00 +0000" '
        b'"=?utf-8?q?Gr=C3=BC=C3=9Fe?=" (("Jo Doe" NIL "jo" "d.e")) '
        b'(("Jo Doe" NIL "jo" "d.e")) (("Jo Doe" NIL "jo" "d.e")) '
        b'((NIL NIL "a" "b.c")) NIL NIL NIL "<1@d.e>"))', "ENVELOPE")
    has(r.ask("FETCH 1 BODY"),
        b'* 1 FETCH (BODY ("text" "plain" ("charset" "us-ascii") NIL NIL '
        b'"7bit" 20 2))', "BODY")
    has(r.ask("FETCH 2 BODYSTRUCTURE"),
        b'* 2 FETCH (BODYSTRUCTURE (("text" "plain" ("charset" "iso-8859-1")'
        b' NIL NIL "quoted-printable" 6 0 NIL NIL NIL NIL)("application" '
        b'"octet-stream" NIL NIL NIL "base64" 8 NIL NIL NIL NIL) "mixed" '
        b'("boundary" "b") NIL NIL NIL))', "BODYSTRUCTURE")
    for item, label, want in (
            ("BODY.PEEK[]", b"BODY[]", PLAIN),
            ("RFC822.HEADER", b"RFC822.HEADER",
             PLAIN[:PLAIN.index(b"\r\n\r\n") + 4]),
            ("BODY.PEEK[HEADER]", b"BODY[HEADER]",
             PLAIN[:PLAIN.index(b"\r\n\r\n") + 4]),
            ("BODY.PEEK[TEXT]", b"BODY[TEXT]", b"first line\r\nsecond\r\n"),
            ("BODY.PEEK[1]", b"BODY[1]", b"first line\r\nsecond\r\n"),
            ("body.peek[header.fields (Subject x-own)]",
             b"BODY[HEADER.FIELDS (Subject x-own)]",
             b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Own: yes\r\n\r\n"),
            ("BODY.PEEK[HEADER.FIELDS (From \"To\")]",
             b"BODY[HEADER.FIELDS (From To)]",
             b"From: Jo Doe <jo@d.e>\r\nTo: a@b.c\r\n\r\n"),
            ("BODY.PEEK[HEADER.FIELDS (Bcc)]", b"BODY[HEADER.FIELDS (Bcc)]",
             b"\r\n"),
            ("BODY.PEEK[HEADER.FIELDS.NOT (From To Subject Date Message-ID)]",
             b"BODY[HEADER.FIELDS.NOT (From To Subject Date Message-ID)]",
             b"X-Own: yes\r\n\r\n"),
            ("BODY.PEEK[TEXT]<6.4>", b"BODY[TEXT]<6>", b"line"),
            ("BODY.PEEK[]<0.4>", b"BODY[]<0>", b"From")):
        has(r.ask("FETCH 1 " + item), b"* 1 FETCH (%s {%d}\r\n%s)"
            % (label, len(want), want), item)
    has(r.ask("FETCH 1 BODY.PEEK[]<9999.4>"), b'* 1 FETCH (BODY[]<9999> "")',
        "a piece beyond the end is an empty string")
    has(r.ask("FETCH 1 BODY.PEEK[2]"), b"* 1 FETCH (BODY[2] NIL)",
        "a part that is not there is NIL")
    has(r.ask("FETCH 2 (BODY.PEEK[1] BODY.PEEK[1.MIME])"),
        b"* 2 FETCH (BODY[1] {6}\r\nK=E4se BODY[1.MIME] {88}\r\n"
        b"Content-Type: text/plain; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n)"
        .replace(b"{88}", b"{%d}" % len(
            b"Content-Type: text/plain; charset=iso-8859-1\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n")),
        "parts and their headers")
    for macro, items in (("ALL", 4), ("FAST", 3), ("FULL", 5)):
        line = r.ask("FETCH 1 " + macro)[0][0]
        tap.equal(sum(x in line for x in (
            b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE",
            b"BODY (")), items, macro)
    last_is(r.ask("FETCH 9 FLAGS"), b"BAD", "a number beyond the last is BAD")
    last_is(r.ask("FETCH 0 FLAGS"), b"BAD", "0 is BAD")
    last_is(r.ask("FETCH 1 BODY[1..2]"), b"BAD", "no section")
    last_is(r.ask("FETCH 1 (BODY[HEADER.FIELDS ()])"), b"BAD", "no fields")
    last_is(r.ask("FETCH 1 (FLAGS"), b"BAD", "a list left open")
    tap.equal(len(r.ask("FETCH 3:1 UID")[0]), 3, "a descending set")
    tap.equal(len(r.ask("UID FETCH 100:* UID")[0]), 1,
              "n:* past the end is the last message")
    tap.equal(r.ask("UID FETCH 2 FLAGS")[0][0][:18], b"* 2 FETCH (UID 2 F",
              "UID FETCH says the UID")
    got = r.ask("FETCH 2 BODY[TEXT]")
    tap.ok(b"FLAGS (\\Seen" in got[0][0], "BODY[] sets \\Seen and says so")
    tap.ok(b"FLAGS" not in r.ask("FETCH 2 BODY[TEXT]")[0][0], "once")

    # a second session sees what the first does
    o = all_sessions.raw()
    got = o.ask("EXAMINE INBOX")
    has(got, b"* 3 EXISTS", "another session sees the messages")
    has(got, b"* 0 RECENT", "recent to the first one alone")
    last_is(got, b"OK [READ-ONLY]", "EXAMINE is read-only")
    last_is(o.ask("STORE 1 +FLAGS (\\Deleted)"), b"NO", "no STORE there")

    # STORE
    last_is(r.ask("STORE 1 FLAGS (\\Recent)"), b"BAD", "\\Recent is ours")
    last_is(append(r, PLAIN, extra="(\\Seen \\Recent) "), b"BAD",
            "also in APPEND")
    got = r.ask("STORE 1 +FLAGS (\\Flagged bar)")
    tap.ok(any(u.startswith(b"* FLAGS (") and b" bar" in u for u in got[0]),
           "a new keyword is told in FLAGS")
    tap.ok(any(u.startswith(b"* 1 FETCH (FLAGS (") and b"\\Flagged" in u and
               b"bar" in u and b"foo" in u for u in got[0]), "STORE +FLAGS")
    tap.equal(r.ask("STORE 1 -FLAGS.SILENT (foo)")[0], [], "STORE .SILENT")
    got = o.ask("NOOP")
    tap.ok(any(u.startswith(b"* 1 FETCH (FLAGS (") and b"foo" not in u and
               b"bar" in u for u in got[0]), "the other session is told")
    got = r.ask("UID STORE 1 FLAGS \\Answered")
    tap.ok(any(u.startswith(b"* 1 FETCH (UID 1 FLAGS (\\Answered")
               for u in got[0]), "UID STORE FLAGS, without parentheses")
    last_is(r.ask("STORE 1 FLAGS (\\Nonsense)"), b"BAD", "no such flag")
    last_is(r.ask("STORE 1 FOO (\\Seen)"), b"BAD", "no such item")

    # SEARCH
    for key, want in (
            ("ALL", b"1 2 3"), ("ANSWERED", b"1"), ("UNANSWERED", b"2 3"),
            ('CHARSET UTF-8 SUBJECT "GR\u00dc\u00dfE"', b"1 3"),
            ("FROM jo", b"1 3"), ("TO a@b", b"1 3"), ("NOT FROM jo", b"2"),
            ("HEADER X-Own YES", b"1 3"), ('HEADER X-Own ""', b"1 3"),
            ("BODY second", b"1 3"), ("TEXT x-own", b"1 3"),
            ('CHARSET UTF-8 BODY "k\u00e4se"', b"2"),
            ('CHARSET ISO-8859-1 BODY {3+}\r\n\xe4se', None),
            ("BODY kaiser", b""), ("OR FROM x@y BODY first", b"1 2 3"),
            ("LARGER 10 SMALLER %d" % (len(PLAIN) + 1), b"1 3"),
            ("UID 2:3", b"2 3"), ("2:*", b"2 3"),
            ("(1:2 UNANSWERED)", b"2"), ("KEYWORD nokey", b""),
            ('KEYWORD "nokey"', b""), ('UNKEYWORD "nokey"', b"1 2 3"),
            ("UNKEYWORD nokey", b"1 2 3"), ("SENTON 24-Nov-2026", b"1 3"),
            ("SENTSINCE 25-Nov-2026", b""),
            ("SENTBEFORE 25-Nov-2026", b"1 3"),
            ("BEFORE 1-Jan-2021", b"1"), ("SINCE 1-Jan-2021", b"2 3"),
            ("OLDER 86400", b"1"), ("YOUNGER 86400", b"2 3"),
            ("NOT OLDER 4294967295", b"1 2 3"),
            ("ON 1-Jan-2020", b"1"), ("SEEN", b"2"), ("NEW", None),
            ("DELETED", b""), ("DRAFT", b""), ("CC x", b""), ("BCC x", b"")):
        if want is None:
            last_is(r.ask(("SEARCH " + key).encode(
                "latin-1" if "ISO" in key else "utf-8")), b"OK",
                "SEARCH " + key.split("\r")[0])
            continue
        tap.equal(r.ask(("SEARCH " + key).encode())[0],
                  [(b"* SEARCH " + want).rstrip()], "SEARCH " + key)
    tap.equal(r.ask("UID SEARCH 3")[0], [b"* SEARCH 3"], "UID SEARCH")
    for command, want in (
            ("SEARCH RETURN (MIN MAX COUNT) SUBJECT gr", b" MIN 1 MAX 3 COUNT 2"),
            ("SEARCH RETURN () ALL", b" ALL 1:3"),
            ("SEARCH RETURN (all) CHARSET UTF-8 1,3", b" ALL 1,3"),
            ("SEARCH RETURN (MIN) 2:*", b" MIN 2"),
            ("UID SEARCH RETURN (MAX) ALL", b" UID MAX 3"),
            ("SEARCH RETURN (MIN MAX ALL COUNT) DELETED", b" COUNT 0"),
            ("SEARCH RETURN (MIN) DELETED", b"")):
        got = r.ask(command)[0]
        tap.equal(got, [b'* ESEARCH (TAG "t%d")%s' % (r.tags, want)], command)
    last_is(r.ask("SEARCH RETURN (NONE) ALL"), b"BAD", "an unknown option")
    last_is(r.ask("SEARCH RETURN ()"), b"BAD", "no key")
    for command, want in (
            ("SORT (SUBJECT) UTF-8 ALL", b"1 3 2"),
            ("SORT (REVERSE SUBJECT) UTF-8 ALL", b"2 1 3"),
            ("UID SORT (ARRIVAL) utf-8 2:3", b"2 3"),
            ("SORT (CC) US-ASCII DELETED", b"")):
        got = r.ask(command)
        last_is(got, b"OK", command)
        tap.equal(got[0], [(b"* SORT " + want).rstrip()], command)
    for wrong in ("() UTF-8 ALL", "(FOO) UTF-8 ALL", "(REVERSE) UTF-8 ALL",
                  "(SIZE) UTF-8", "SIZE UTF-8 ALL", "(SIZE) UTF-8 FOO",
                  "(REVERSE REVERSE SIZE) UTF-8 ALL", "(SIZE) (UTF-8) ALL",
                  "(%s) UTF-8 ALL" % " ".join(["SIZE"] * 17)):
        last_is(r.ask("SORT " + wrong), b"BAD", "SORT " + wrong[:40])
    last_is(r.ask("SORT (SIZE) X-NONE ALL"), b"NO [BADCHARSET",
            "SORT in an unknown charset")
    last_is(r.ask("SEARCH CHARSET X-NONE ALL"), b"NO [BADCHARSET",
            "an unknown charset")
    last_is(r.ask("SEARCH FOO"), b"BAD", "no key")
    last_is(r.ask("SEARCH YOUNGER 0"), b"BAD", "no age")
    last_is(r.ask("SEARCH " + "NOT " * 100 + "ALL"), b"BAD",
            "nesting has its bound")

    # folders
    for name in ("Work", "Work/2026", '"J&APY-rg"', "Sent"):
        last_is(r.ask("CREATE " + name), b"OK", "CREATE " + name)
    last_is(r.ask("CREATE Work"), b"NO [ALREADYEXISTS]", "CREATE twice")
    last_is(r.ask("CREATE inbox"), b"NO", "CREATE INBOX")
    last_is(r.ask('CREATE "a//b"'), b"NO [CANNOT]", "an empty level")
    got = r.ask('LIST "" "*"')
    has(got, b'* LIST (\\HasChildren) "/" "Work"', "LIST *")
    has(got, b'* LIST (\\HasNoChildren) "/" "Work/2026"', "a level below")
    has(got, b'* LIST (\\HasNoChildren) "/" "INBOX"', "INBOX is in it")
    has(got, b'* LIST (\\HasNoChildren \\Sent) "/" "Sent"', "special use")
    has(got, b'* LIST (\\HasNoChildren) "/" "J&APY-rg"', "modified UTF-7")
    got = r.ask('LIST "" %')
    tap.ok(not any(b"2026" in u for u in got[0]), "LIST % is one level")
    tap.equal(r.ask('LIST "Work/" %')[0],
              [b'* LIST (\\HasNoChildren) "/" "Work/2026"'], "a reference")
    tap.equal(r.ask('LIST "" ""')[0], [b'* LIST (\\Noselect) "/" ""'],
              "LIST of nothing gives the separator")
    tap.equal(r.ask('LIST (SPECIAL-USE) "" "*"')[0],
              [b'* LIST (\\HasNoChildren \\Sent) "/" "Sent"'],
              "LIST (SPECIAL-USE)")
    got = r.ask('LIST "" "INBOX" RETURN (STATUS (MESSAGES))')
    has(got, b'* STATUS "INBOX" (MESSAGES 3)', "LIST-STATUS")
    got = r.ask('LIST "" "*" RETURN (CHILDREN STATUS (UIDNEXT UNSEEN))')
    tap.ok(all(got[0][i + 1].startswith(b"* STATUS " + u.split(b'"/" ')[1])
               for i, u in enumerate(got[0])
               if u.startswith(b"* LIST") and b"NonExistent" not in u),
           "a STATUS behind each LIST")
    sent = os.path.join(all_sessions.maildir, ".Sent")
    os.chmod(sent, 0)
    tap.equal(r.ask('LIST "" "Sent" RETURN (STATUS (MESSAGES))')[0],
              [b'* LIST (\\Noselect \\HasNoChildren \\Sent) "/" "Sent"'],
              "what has no STATUS cannot be selected")
    os.chmod(sent, 0o700)
    for wrong in ("STATUS", "STATUS ()", "STATUS (FOO)", "STATUS MESSAGES"):
        last_is(r.ask('LIST "" "*" RETURN (%s)' % wrong), b"BAD", wrong)
    last_is(r.ask("SUBSCRIBE Work/2026"), b"OK", "SUBSCRIBE")
    tap.equal(r.ask('LSUB "" "*"')[0],
              [b'* LSUB (\\HasNoChildren) "/" "Work/2026"'], "LSUB *")
    tap.ok(any(u.startswith(b"* LSUB (\\Noselect") and b'"Work"' in u
               for u in r.ask('LSUB "" %')[0]),
           "LSUB % names the level above")
    last_is(r.ask("UNSUBSCRIBE Work/2026"), b"OK", "UNSUBSCRIBE")
    tap.equal(r.ask('LSUB "" "*"')[0], [], "and it is gone")
    last_is(r.ask("RENAME Work Job"), b"OK", "RENAME")
    tap.ok(any(b'"Job/2026"' in u for u in r.ask('LIST "" "*"')[0]),
           "what is below goes with it")
    last_is(r.ask("RENAME nope x"), b"NO [NONEXISTENT]", "RENAME of nothing")
    last_is(r.ask("RENAME Job Sent"), b"NO [ALREADYEXISTS]",
            "RENAME onto another")
    last_is(r.ask("DELETE INBOX"), b"NO [CANNOT]", "INBOX stays")
    last_is(r.ask("DELETE nope"), b"NO [NONEXISTENT]", "DELETE of nothing")

    # COPY, MOVE
    last_is(r.ask("COPY 1:2 nope"), b"NO [TRYCREATE]", "COPY to nothing")
    got = r.ask("COPY 1:2 Job")
    tap.ok(re.match(rb"OK \[COPYUID \d+ 1:2 1:2\]", got[1]),
           "COPY gives COPYUID")
    has(r.ask("STATUS Job (MESSAGES UIDNEXT UNSEEN)"),
        b'* STATUS "Job" (MESSAGES 2 UIDNEXT 3 UNSEEN 1)', "STATUS")
    last_is(r.ask("STATUS nope (MESSAGES)"), b"NO [NONEXISTENT]",
            "STATUS of nothing")
    last_is(r.ask("STATUS Job (FOO)"), b"BAD", "STATUS of no item")
    got = r.ask("MOVE 2 Job")
    tap.ok(any(re.match(rb"\* OK \[COPYUID \d+ 2 3\]", u) for u in got[0]),
           "MOVE gives COPYUID first")
    has(got, b"* 2 EXPUNGE", "then EXPUNGE")
    got = o.ask("FETCH 1:3 UID")
    tap.ok(not any(b"EXPUNGE" in u for u in got[0]),
           "no EXPUNGE during FETCH")
    got = o.ask("NOOP")
    has(got, b"* 2 EXPUNGE", "but at the next NOOP")
    last_is(r.ask("UID COPY 77 Job"), b"OK", "UID COPY of nothing")

    # EXPUNGE, CLOSE
    last_is(r.ask("STORE 1:2 +FLAGS.SILENT (\\Deleted)"), b"OK", "STORE 1:2")
    tap.equal(r.ask("UID EXPUNGE 3")[0][:1], [b"* 2 EXPUNGE"], "UID EXPUNGE")
    tap.equal(r.ask("EXPUNGE")[0][:1], [b"* 1 EXPUNGE"], "EXPUNGE")
    got = o.ask("NOOP")
    tap.ok(got[0].count(b"* 1 EXPUNGE") + got[0].count(b"* 2 EXPUNGE") == 2,
           "the other session is told of both")
    append(r, PLAIN)
    r.ask("STORE 1 +FLAGS (\\Deleted)")
    got = r.ask("CLOSE")
    tap.equal((got[0], got[1][:2]), ([], b"OK"), "CLOSE is silent")
    has(r.ask("STATUS INBOX (MESSAGES)"), b'* STATUS "INBOX" (MESSAGES 0)',
        "and expunges")
    r.ask("SELECT Job")
    r.ask("STORE 1 +FLAGS (\\Deleted)")
    last_is(r.ask("UNSELECT"), b"OK", "UNSELECT")
    has(r.ask("STATUS Job (MESSAGES)"), b'* STATUS "Job" (MESSAGES 3)',
        "which does not")
    last_is(r.ask("DELETE Job"), b"OK", "DELETE")
    o.ask("UNSELECT")

    # IDLE
    r.ask("SELECT INBOX")
    o.ask("SELECT INBOX")
    r.send("i1 IDLE\r\n")
    tap.ok(r.line().startswith(b"+ "), "IDLE")
    begin = time.monotonic()
    append(o, PLAIN)
    r.sock.settimeout(30)
    line = r.line()
    took = time.monotonic() - begin
    tap.equal(line, b"* 1 EXISTS\r\n", "a new message reaches IDLE")
    tap.ok(took < 5, "at once (%.1f ms)" % (took * 1000))
    r.line()
    o.ask("STORE 1 +FLAGS (\\Flagged)")
    tap.ok(b"\\Flagged" in r.line(), "so does a flag")
    r.send(b"DONE\r\ni2 NOOP\r\n")
    tap.ok(r.until("i1")[-1].startswith(b"i1 OK") and
           r.until("i2")[-1].startswith(b"i2 OK"),
           "a command in the same packet as DONE is run")
    r.send("i3 IDLE\r\n")
    r.line()
    all_sessions.put(b"Subject: foreign\n\nbody\n", "new",
                     "1700000001.M%dP1.host")
    got = r.line()
    tap.equal(got, b"* 2 EXISTS\r\n", "what a foreign program puts there, too")
    r.line()
    r.send(b"DONE\r\n")
    r.until("i3")
    has(r.ask("FETCH 2 BODY.PEEK[]"),
        b"* 2 FETCH (BODY[] {26}\r\nSubject: foreign\r\n\r\nbody\r\n)",
        "LF line ends become CRLF")
    got = r.ask("FETCH 2 RFC822.SIZE")
    has(got, b"* 2 FETCH (RFC822.SIZE 26)", "and the size says so")

    # what goes on for too long: the client learns why the connection ends,
    # though it was still sending
    for before, much, why in [
            (["IDLE"], b"x" * 70000, b"* BYE Command too long"),
            (["COMPRESS DEFLATE", "IDLE"], b"x" * 70000,
             b"* BYE Command too long"),
            ([], b"g5 NOOP " + b"x" * 20000000, b"* BYE Command too long"),
            ([], b"g5 APPEND INBOX {300000000+}\r\n" + b"x" * 70000,
             b"* BYE [TOOBIG]"),
            ([], b"g5 NONSENSE\r\n" * 5000, b"* BYE Too many errors")]:
        g = all_sessions.raw()
        g.sock.settimeout(60)
        packer, unpacker = zlib.compressobj(wbits=-15), None
        for command in before:
            g.send("g1 %s\r\n" % command if not unpacker else
                   packer.compress(b"g1 IDLE\r\n") +
                   packer.flush(zlib.Z_SYNC_FLUSH))
            if command.startswith("COMPRESS"):
                g.line()
                unpacker = zlib.decompressobj(wbits=-15)
        if unpacker:
            much = packer.compress(os.urandom(70000).replace(b"\n", b"x")) + \
                packer.flush(zlib.Z_SYNC_FLUSH)
        try:
            g.send(much)
            got = g.file.read()
        except ConnectionError as e:
            got = repr(e).encode()
        if unpacker:
            got = unpacker.decompress(got)
        if not tap.ok(why in got, "%s… after %s: %s, and the end in order" % (
                much[:20], before, why.decode())):
            print("#  got:", got[-200:])

    # what is wrong is answered, and costs nothing
    r.send(b"\r\n")
    tap.ok(r.line().startswith(b"* BAD"), "an empty line is BAD")
    r.send(b"x1\r\n")
    tap.ok(r.line().startswith(b"x1 BAD"), "a tag alone is BAD")
    r.send(b"x2 NOOP \xff\0\r\n")
    tap.ok(b"BAD" in r.line(), "NUL is BAD")
    r.send(b"+ NOOP\r\n")
    tap.ok(r.line().startswith(b"* BAD"), "a tag that is none is BAD")
    r.send(b"x3 SELECT {5}\r\n")
    tap.ok(r.line().startswith(b"+ "), "a literal as a name")
    r.send(b"INBOX\r\n")
    tap.ok(r.until("x3")[-1].startswith(b"x3 OK"), "is taken")
    r.send(b"x4 SELECT {999999999}\r\n")
    tap.ok(r.line().startswith(b"x4 BAD [TOOBIG]"), "a huge one is not")
    last_is(r.ask("LOGOUT"), b"OK", "LOGOUT")
    tap.equal(r.line(), b"", "ends the connection")

    # the flags on disk
    names = os.listdir(os.path.join(all_sessions.maildir, "cur"))
    o.ask("CLOSE")
    names = os.listdir(os.path.join(all_sessions.maildir, "cur"))
    tap.ok(any("F" in n.rpartition(":2,")[2] for n in names),
           "file names carry the flags after CLOSE")

    # imaplib
    m = all_sessions.open()
    tap.equal(m.select()[0], "OK", "imaplib selects")
    tap.equal(m.append("INBOX", "(\\Seen)", None, PLAIN)[0], "OK",
              "imaplib appends")
    kind, data = m.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
    tap.ok(any(isinstance(d, tuple) and d[1] == PLAIN for d in data),
           "imaplib fetches")
    m.logout()

tap.done()
