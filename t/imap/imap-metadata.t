#!/usr/bin/env python3
"""METADATA (RFC 5464): annotations of folders, of the account and of the
server, beside what Dovecot's say of the same; LIST-METADATA (RFC 9590); and
the special use as one of them (RFC 6154)."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, wait_for  # noqa: E402
from imapsession import Client, Sessions  # noqa: E402
from oracle import DOVECOT, Oracle  # noqa: E402

tap = Tap()
SETTINGS = """\
mail_attribute_dict=file:%h/attributes
protocol imap {
  imap_metadata=yes
}
"""
BOTH = "(/private/comment /shared/comment)"
COLOR = "/private/vendor/kolab/color"
# what both are asked, one after the other
DIALOGUE = (
    "GETMETADATA INBOX /private/comment",
    'SETMETADATA INBOX (/private/comment "x" /shared/comment "two words")',
    "GETMETADATA INBOX " + BOTH,
    "GETMETADATA INBOX (/Shared/COMMENT)",
    'GETMETADATA "inbox" "/private/comment"',
    "GETMETADATA (MAXSIZE 0) INBOX /private/comment",
    "GETMETADATA (MAXSIZE 1) INBOX " + BOTH,
    "GETMETADATA (MAXSIZE 9) INBOX " + BOTH,
    'SETMETADATA INBOX (%s "ff0000" %s/dark "3")' % (COLOR, COLOR),
    "GETMETADATA INBOX (%s)" % COLOR,
    "GETMETADATA (DEPTH 0) INBOX %s" % COLOR,
    "GETMETADATA (DEPTH 1) INBOX (%s)" % COLOR,
    "GETMETADATA (DEPTH 1) INBOX /private/vendor/kolab",
    "GETMETADATA (DEPTH 1) INBOX /private/vendor",
    "GETMETADATA (DEPTH 1) INBOX /private",
    "GETMETADATA (DEPTH infinity) INBOX /private",
    "GETMETADATA (DEPTH infinity) INBOX (/private /shared)",
    "GETMETADATA (MAXSIZE 2 DEPTH infinity) INBOX (/private /shared)",
    "GETMETADATA (DEPTH 1) INBOX /private/nothing",
    "GETMETADATA (DEPTH infinity) INBOX /private/comm",
    "GETMETADATA INBOX /private",
    "GETMETADATA INBOX /private/vendor/nobody/at/all",
    "SETMETADATA INBOX (/private/comment NIL)",
    "GETMETADATA INBOX " + BOTH,
    'SETMETADATA INBOX (/private/comment "" /private/none NIL)',
    "GETMETADATA INBOX /private/comment",
    'SETMETADATA INBOX (/private/comment "1" /private/comment "2")',
    "GETMETADATA INBOX /private/comment",
    b"SETMETADATA INBOX (/private/comment {6+}\r\na\r\nb\r\n)",
    "GETMETADATA INBOX /private/comment",
    b'SETMETADATA INBOX (/private/comment ~{2+}\r\n"\\)',
    "GETMETADATA INBOX /private/comment",
    'SETMETADATA INBOX (/private/comment "gr\\"u\\\\n")',
    "GETMETADATA INBOX /private/comment",
    'SETMETADATA INBOX ("/private/s p" "q")',
    'GETMETADATA INBOX "/private/s p"',
    b"SETMETADATA INBOX (/private/comment {2+}\r\n\xc3\xa9)",
    "GETMETADATA INBOX /private/comment",
    'SETMETADATA INBOX (/bad/comment "")',
    'SETMETADATA INBOX (comment "")',
    'SETMETADATA INBOX (/private//x "")',
    'SETMETADATA INBOX (/private/x/ "")',
    'SETMETADATA INBOX (/private/x* "")',
    'SETMETADATA INBOX (/private/x% "")',
    "SETMETADATA INBOX (/private/x)",
    'SETMETADATA INBOX /private/x "y"',
    "GETMETADATA INBOX /private/x*",
    "GETMETADATA INBOX NIL",
    "GETMETADATA INBOX",
    "GETMETADATA (DEPTH 2) INBOX /private",
    "GETMETADATA (FOO 2) INBOX /private",
    "GETMETADATA (MAXSIZE x) INBOX /private/comment",
    "GETMETADATA nope /private/comment",
    'SETMETADATA nope (/private/comment "x")',
    'GETMETADATA "" /private/comment',
    'SETMETADATA "" (/shared/comment "mine")',
    "CREATE box",
    'SETMETADATA box (/private/comment "b")',
    "RENAME box box2",
    "GETMETADATA box2 /private/comment",
    "DELETE box2",
    "CREATE box2",
    "GETMETADATA box2 /private/comment",
)
# where Dovecot does otherwise, and why ours is right: our answers
OTHERWISE = {
    # RFC 5464 section 3.2: at least two levels; section 5: one entry at least
    'SETMETADATA INBOX (/private "x")': "BAD",
    'SETMETADATA INBOX (/private/vendor/x "x")': "BAD",
    "GETMETADATA INBOX ()": "BAD",
    "SETMETADATA INBOX ()": "BAD",
    # section 5: a value is a string or NIL
    "SETMETADATA INBOX (/private/comment word)": "BAD",
    # its examples in sections 4.2.1 and 4.4.1
    "GETMETADATA INBOX (MAXSIZE 9) (/private/nothing)": "OK",
    "GETMETADATA INBOX /private/nothing /shared/nothing": "OK",
    # section 3.2: binary data
    b"SETMETADATA INBOX (/private/bin ~{3+}\r\na\0b)": "OK",
}


def plain(untagged):
    """Pairs of name and value, in any order and spelling of strings."""
    out = []
    for line in untagged:
        start, pairs = re.match(
            rb'(\* METADATA (?:"[^"]*"|\S+) )\((.*)\)$', line, re.S).groups()
        found = []
        while pairs:
            literal = re.search(rb"^(\S+|\"[^\"]*\") ~?\{(\d+)\}\r\n", pairs)
            if literal:
                n = int(literal.group(2))
                value = pairs[literal.end():][:n]
                rest = pairs[literal.end() + n:]
            else:
                literal = re.match(rb'(\S+|"[^"]*") ("(?:[^"\\]|\\.)*"|NIL)',
                                   pairs, re.S)
                value = literal.group(2)
                if value != b"NIL":
                    value = re.sub(rb"\\(.)", rb"\1", value[1:-1])
                rest = pairs[literal.end():]
            found.append((literal.group(1), value))
            pairs = rest.lstrip(b" ")
        out.append((start.replace(b'"', b""), sorted(found)))
    return out


def code(end):
    """The first word, and the response code if it is METADATA's."""
    return re.match(rb"\S+(?: \[METADATA [^]]*\])?", end).group()


def as_dovecot(r, theirs):
    for command in DIALOGUE:
        got, end = r.ask(command)
        want, their_end = theirs.ask(command)
        tap.equal((plain(got), code(end)), (plain(want), code(their_end)),
                  command)
    for command, want in OTHERWISE.items():
        theirs.ask(command)
        tap.starts(r.ask(command)[1], want.encode(), command)


def values(r):
    tap.equal(r.ask("GETMETADATA INBOX /private/bin")[0],
              [b"* METADATA \"INBOX\" (/private/bin ~{3}\r\na\0b)"],
              "NUL comes back in a literal8")
    tap.equal(r.ask('GETMETADATA INBOX /shared/comment')[0],
              [b'* METADATA "INBOX" (/shared/comment "two words")'],
              "a quoted string")
    tap.starts(r.ask("SELECT ~{5+}\r\nINBOX")[1], b"BAD",
               "a literal8 elsewhere")
    tap.starts(r.ask(b"SELECT ~{6+}\r\nINBOX\0")[1], b"BAD", "with NUL")
    r.send(b"x SETMETADATA INBOX (/private/slow {4}\r\n")
    tap.starts(r.line(), b"+", "a literal is asked for")
    r.send(b"text)\r\n")
    tap.starts(r.until("x")[-1], b"x OK", "and taken")
    tap.equal(plain(r.ask("GETMETADATA INBOX /private/slow")[0])[0][1],
              [(b"/private/slow", b"text")], "it is there")


def limits(r):
    r.ask("CREATE full")
    large = b"SETMETADATA full (/private/a {%d+}\r\n%s /private/b \"x\")"
    tap.starts(r.ask(large % (65537, b"x" * 65537))[1],
               b"NO [METADATA MAXSIZE 65536]", "a value too long")
    tap.equal(plain(r.ask("GETMETADATA full /private/b")[0])[0][1],
              [(b"/private/b", b"NIL")], "then nothing is changed")
    tap.starts(r.ask(large % (65536, b"x" * 65536))[1], b"OK",
               "as long as may be")
    tap.equal(len(plain(r.ask("GETMETADATA full /private/a")[0])[0][1][0][1]),
              65536, "and it comes back")
    tap.starts(r.ask("SETMETADATA full (%s)" % " ".join(
        '/private/n%d "v"' % n for n in range(98)))[1], b"OK", "100 entries")
    tap.starts(r.ask('SETMETADATA full (/private/more "v")')[1],
               b"NO [METADATA TOOMANY]", "no more")
    r.ask("DELETE full")


def server(all_sessions, r):
    tap.equal(r.ask('GETMETADATA "" (/shared/admin /shared/comment)')[0],
              [b'* METADATA "" (/shared/admin "mailto:help@example.test" '
               b'/shared/comment "Closed on Sundays")'], "the server's own")
    tap.starts(r.ask('SETMETADATA "" (/shared/admin "mailto:me" '
                     '/private/x "y")')[1], b"NO [NOPERM]", "are not changed")
    tap.starts(r.ask('SETMETADATA "" (/private/devicetoken "abc")')[1], b"OK",
               "one of the account")
    other = all_sessions.raw()
    tap.equal(other.ask('GETMETADATA (DEPTH infinity) "" (/private /shared)')[
        0], [b'* METADATA "" (/private/devicetoken "abc" /shared/admin '
             b'"mailto:help@example.test" /shared/comment '
             b'"Closed on Sundays")'], "in another session")
    other.close()


def listing(r):
    """After each LIST, as RFC 9590 has it."""
    for command in ("CREATE Sent", "CREATE Plans", "CREATE Plans/2027",
                    "CREATE Above/Below", "SUBSCRIBE Plans/2027",
                    "SUBSCRIBE Ghost", "SUBSCRIBE Sent",
                    'SETMETADATA Plans (%s "00ff00")' % COLOR):
        r.ask(command)
    got = r.ask('LIST "" (Plans Above Sent) RETURN (METADATA (%s '
                '/private/specialuse))' % COLOR)
    tap.equal(got[0], [
        b'* LIST (\\NonExistent \\HasChildren) "/" "Above"',
        b'* LIST (\\HasChildren) "/" "Plans"',
        b'* METADATA "Plans" (%s "00ff00" /private/specialuse NIL)' %
        COLOR.encode(),
        b'* LIST (\\HasNoChildren \\Sent) "/" "Sent"',
        b'* METADATA "Sent" (%s NIL /private/specialuse "\\\\Sent")' %
        COLOR.encode()], "LIST RETURN (METADATA …)")
    got = r.ask('LIST (SUBSCRIBED RECURSIVEMATCH) "" (Plans Ghost '
                'Sent) RETURN (STATUS (MESSAGES) METADATA (%s))' % COLOR)
    tap.equal([re.match(rb'\* (\w+) (?:\(.*?\) "/" )?(\S+)', x).groups()
               for x in got[0]], [
        (b"LIST", b'"Ghost"'), (b"LIST", b'"Plans"'),
        (b"LIST", b'"Sent"'), (b"STATUS", b'"Sent"'), (b"METADATA", b'"Sent"')],
        "only of folders that are selected and there")
    for wrong in ("METADATA", "METADATA ()", "METADATA (x)",
                  "METADATA /private/comment", "METADATA (/private/x*)"):
        tap.starts(r.ask('LIST "" * RETURN (%s)' % wrong)[1], b"BAD", wrong)


def use(r):
    """The example of RFC 6154 section 5.4."""
    ask = 'LIST (SPECIAL-USE) "" *'

    def uses():
        return {re.search(rb'"/" "(.*)"', x).group(1): x.split(b")")[0].split(
            )[-1] for x in r.ask(ask)[0]}
    r.ask("CREATE MyDrafts (USE (\\Drafts))")
    r.ask("CREATE SavedDrafts")
    tap.equal(r.ask("GETMETADATA MyDrafts /private/specialuse")[0],
              [b'* METADATA "MyDrafts" (/private/specialuse "\\\\Drafts")'],
              "a special use")
    tap.starts(r.ask('SETMETADATA SavedDrafts (/private/specialuse '
                     '"\\\\Drafts")')[1], b"OK", "is given to another folder")
    tap.starts(r.ask("SETMETADATA Sent (/private/specialuse NIL)")[1], b"OK",
               "or removed")
    tap.equal(uses(), {b"SavedDrafts": b"\\Drafts"}, "LIST has it so")
    tap.starts(r.ask('SETMETADATA Sent (/private/specialuse "\\\\Nope" '
                     '/private/comment "x")')[1], b"NO [USEATTR]", "unknown")
    tap.equal(plain(r.ask("GETMETADATA Sent /private/comment")[0])[0][1],
              [(b"/private/comment", b"NIL")], "then nothing is changed")
    r.ask("RENAME INBOX Former")
    tap.equal([plain(r.ask("GETMETADATA %s /shared/comment" % name)[0])[0][1]
               for name in ("INBOX", "Former")],
              [[(b"/shared/comment", b"two words")]] * 2,
              "RENAME of INBOX copies them")


def told(all_sessions, r):
    """Others' changes, to one that asked for them (section 4.4.2)."""
    w = all_sessions.raw()
    tap.equal(w.ask("ENABLE METADATA")[0], [b"* ENABLED METADATA"], "ENABLE")
    tap.equal(w.ask("NOOP")[0], [], "nothing has changed since")
    r.ask('SETMETADATA Plans (/private/comment "1" /shared/comment "2")')
    r.ask('SETMETADATA "" (/private/devicetoken NIL /private/b "c")')
    tap.equal(w.ask('SETMETADATA Plans (/private/own "1" %s NIL)' % COLOR)[0],
              [b'* METADATA "" /private/b /private/devicetoken',
               b'* METADATA "Plans" /private/comment /shared/comment'],
              "what others did, not what it does itself")
    tap.equal(r.ask("NOOP")[0], [], "who did not ask is not told")
    r.ask('SETMETADATA Plans (/private/comment "3")')
    tap.equal(w.ask("NOOP")[0], [b'* METADATA "Plans" /private/comment'],
              "another value")
    r.ask('SETMETADATA Sent (/private/specialuse "\\\\Drafts")')
    tap.equal(w.ask("NOOP")[0],
              [b'* METADATA "SavedDrafts" /private/specialuse',
               b'* METADATA "Sent" /private/specialuse'],
              "a special use, where it went from and to")
    for command in ("CREATE New", "DELETE New"):
        r.ask(command)
        tap.equal(w.ask("NOOP")[0], [], command)
    w.send(b"i IDLE\r\n")
    w.line()
    r.ask("SETMETADATA Plans (/private/comment NIL)")
    tap.equal(w.line(), b'* METADATA "Plans" /private/comment\r\n', "in IDLE")
    w.send(b"DONE\r\n")
    tap.equal(len(w.until("i")), 1, "and no more")
    w.close()


def damaged(all_sessions, r):
    path = os.path.join(all_sessions.maildir, ".Plans", "posthorn-metadata")
    with open(path, "r+b") as f:
        f.seek(-4, os.SEEK_END)
        f.write(b"?")
    tap.equal(r.ask("GETMETADATA Plans %s" % COLOR)[0],
              [b'* METADATA "Plans" (%s NIL)' % COLOR.encode()],
              "of a damaged file there are none")
    said = (r"posthorn-metadata of Plans is damaged \(its checksum is wrong\): "
            r"kept as posthorn-metadata\.damaged-\d+")
    tap.ok(wait_for(lambda: re.search(said, all_sessions.folder.read_log())),
           "the log says so, and where it is")
    tap.starts(r.ask('SETMETADATA Plans (%s "1")' % COLOR)[1], b"OK",
               "and it goes on")


def clients(all_sessions):
    """imaplib, with names in UTF-8."""
    m = Client(all_sessions.socket())
    tap.ok("METADATA" in m.capabilities and "LIST-METADATA" in m.capabilities
           and "METADATA-SERVER" not in m.capabilities, "announced")
    m.enable("UTF8=ACCEPT")
    tap.equal(m.create('"Pläne"')[0], "OK", "imaplib: a name in UTF-8")
    kind, _ = m.xatom("SETMETADATA", '"Pläne"', '(/private/comment "schön")')
    tap.equal(kind, "OK", "SETMETADATA")
    kind, _ = m.xatom("GETMETADATA", "(DEPTH 0)", '"Pläne"',
                      "/private/comment")
    tap.equal((kind, m.response("METADATA")[1]),
              ("OK", ['"Pläne" (/private/comment "schön")'.encode()]),
              "GETMETADATA, quoted in UTF-8")
    m.logout()
    r = all_sessions.raw()
    tap.equal(r.ask("GETMETADATA Pl&AOQ-ne /private/comment")[0],
              [b'* METADATA "Pl&AOQ-ne" (/private/comment {6}\r\n%s)' %
               "schön".encode()], "to others in a literal")
    r.close()


with Sessions(["imap_server_admin=mailto:help@example.test",
               "imap_server_comment=Closed on Sundays"]) as sessions:
    ours = sessions.raw()
    if os.path.exists(DOVECOT):
        with Oracle(sessions, SETTINGS) as oracle:
            oracle.copy()
            ours.ask("SELECT INBOX")
            as_dovecot(ours, oracle.open())
    values(ours)
    limits(ours)
    server(sessions, ours)
    listing(ours)
    use(ours)
    told(sessions, ours)
    damaged(sessions, ours)
    clients(sessions)
    ours.close()
tap.done()
