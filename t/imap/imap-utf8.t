#!/usr/bin/env python3
"""UTF8=ACCEPT: names in UTF-8, quoted strings, and APPEND UTF8."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()
NAME = "Entwürfe & mehr/日本"
OLD = "Entw&APw-rfe &- mehr/&ZeVnLA-"
MESSAGE = "From: Jörg <jörg@exämple.test>\r\nSubject: Grüße\r\n\r\nx\r\n"


def literal8(text):
    return b"~{%d+}\r\n%s" % (len(text), text)


with Sessions() as s:
    old, r = s.raw(), s.raw()
    tap.ok(b" UTF8=ACCEPT" in r.greeting, "the capability")
    tap.equal(r.ask("ENABLE X UTF8=ACCEPT")[0], [b"* ENABLED UTF8=ACCEPT"],
              "ENABLE")
    tap.starts(r.ask('CREATE "%s"' % NAME)[1], b"OK", "a folder")
    tap.ok(b'* LIST (\\HasNoChildren) "/" "%s"' % NAME.encode()
           in r.ask('LIST "" "*"')[0], "is listed in UTF-8",
           r.ask('LIST "" "*"')[0])
    tap.ok(b'* LIST (\\HasNoChildren) "/" "%s"' % OLD.encode()
           in old.ask('LIST "" "*"')[0], "and in UTF-7 to others")
    for pattern in ("Entwürfe & m%/*", "Entw%/日%"):
        tap.equal(len(r.ask('LIST "" "%s"' % pattern)[0]), 1, pattern)
        tap.equal(len(old.ask('LIST "" "%s"' % pattern)[0]), 1,
                  "also before ENABLE")
    tap.starts(r.ask('SELECT "%s"' % NAME)[1], b"OK", "SELECT")
    tap.starts(old.ask('SELECT "%s"' % OLD)[1], b"OK", "SELECT by the other")
    tap.starts(old.ask('SELECT "%s"' % NAME.replace("&", "&-"))[1], b"NO",
               "which may use UTF-8 too, but '&' is then '&'")
    tap.starts(old.ask('STATUS "%s" (MESSAGES)' % NAME)[1], b"OK",
               "as it is")
    n = len(NAME.encode())
    tap.starts(r.ask(b"SELECT {%d+}\r\n%s" % (n, NAME.encode()))[1], b"OK",
               "a literal")
    tap.equal(r.ask('STATUS "%s" (MESSAGES)' % NAME)[0],
              [b'* STATUS "%s" (MESSAGES 0)' % NAME.encode()], "STATUS")
    r.ask("UNSELECT")
    old.ask("UNSELECT")
    for command in ('SUBSCRIBE "%s"', 'RENAME "%s" "R&D ü"',
                    'CREATE "%s" (USE (\\Sent))'):
        tap.starts(r.ask(command % NAME)[1], b"OK", command)
    tap.ok(b'"R&D \xc3\xbc"' in r.ask('LIST "" "R%"')[0][0], "R&D")
    tap.ok(b'"R&-D &APw-"' in old.ask('LIST "" "R%"')[0][0], "to the other")
    tap.ok(NAME.encode() in r.ask('LSUB "" "*"')[0][0], "LSUB")
    tap.starts(r.ask('CREATE "inBox"')[1], b"NO [ALREADYEXISTS]",
               "INBOX in any case")

    for text in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"):
        tap.starts(r.ask(b'CREATE "a' + text + b'"')[1], b"BAD",
                   "a string that is no UTF-8: %r" % text)
    tap.starts(r.ask(b"CREATE {2+}\r\na\xff")[1], b"NO", "nor is a literal")
    for text in ("\u0001", "\u0085", "\u007f", "\u2028", "\u2029", "//"):
        tap.starts(r.ask(b'CREATE "a%sb"' % text.encode())[1], b"NO",
                   "no name: %r" % text)
    tap.starts(r.ask('CREATE "a\u00a0\u2027b"')[1], b"OK", "near them")

    r.ask('CREATE up')
    text = MESSAGE.encode()
    tap.starts(r.ask(b"APPEND up (\\Seen) UTF8 (" + literal8(text) + b")")[1],
               b"OK [APPENDUID", "APPEND UTF8")
    tap.starts(r.ask(b"APPEND up UTF8 (%s) (\\Seen) UTF8 (%s)" % (
        literal8(text), literal8(text)))[1], b"OK [APPENDUID", "twice")
    tap.starts(r.ask(b"APPEND up {%d+}\r\n%s" % (len(text), text))[1],
               b"OK", "without UTF8")
    for command in (b"UTF8 " + literal8(text), b"UTF8 (" + literal8(text),
                    b"UTF8 ({3+}\r\nabc)", b"UTF8 ()", b"UTF8 (x)",
                    b"UTF8 (%s x)" % literal8(text)):
        tap.starts(r.ask(b"APPEND up " + command)[1], b"BAD",
                   repr(command[:12]))
    r.ask("SELECT up")
    tap.ok(text in r.ask("FETCH 1 BODY.PEEK[]")[0][0], "comes back")
    tap.ok("jörg".encode() in r.ask("FETCH 1 ENVELOPE")[0][0], "ENVELOPE")
    tap.equal(r.ask('SEARCH SUBJECT "gRÜße"')[0][0].strip(),
              b"* SEARCH 1 2 3 4", "SEARCH in UTF-8")
    tap.starts(r.ask('SEARCH CHARSET UTF-8 SUBJECT "x"')[1], b"BAD",
               "but with no charset")
    tap.starts(old.ask("SELECT up")[1], b"OK", "who has not enabled it")
    tap.starts(old.ask('SEARCH CHARSET UTF-8 SUBJECT "x"')[1], b"OK",
               "may give one")
    r.close()
    old.close()
tap.done()
