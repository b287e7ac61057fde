#!/usr/bin/env python3
"""POP3's ids in the forms of other servers; UTF-8 in a header."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import PopSessions  # noqa: E402

NAMES = ["1700000001.M1P1.host,S=17", "1700000002.V801I5M2.old,W=20"]
tap = Tap()


def ids(s):
    p = s.open()
    got = [l.split()[1].decode() for l in p.uidl()[1]]
    one = p.uidl(1).split()[2].decode()
    p.quit()
    tap.equal(one, got[0], "UIDL 1 says the same")
    return got


def fill(s):
    s.open().quit()
    for name in NAMES:
        s.put(b"Subject: x\n\ntext\n", name=name + ":2,")


def validity(s, made):
    """The UIDVALIDITY that the default form shows."""
    return int(made[0][8:], 16)


with PopSessions() as s:
    fill(s)
    s.put("Subject: Grüße\n\nKäse\n".encode(), name="1800000000.M1P1.host:2,")
    p = s.open()
    size = int(p.list(3).split()[2])
    text = b"".join(line + b"\r\n" for line in p.retr(3)[1])
    tap.equal((text.decode(), len(text)),
              ("Subject: Grüße\r\n\r\nKäse\r\n", size),
              "a header in UTF-8 is sent as it is, in the size of LIST")
    p.dele(3)
    p.quit()
    default = ids(s)
    v = validity(s, default)
    tap.equal(default, ["%08x%08x" % (u, v) for u in (1, 2)],
              "by default UID and UIDVALIDITY")
    for form, want in [("%f", NAMES), ("%g", NAMES),
                       ("%v-%u", ["%d-1" % v, "%d-2" % v]),
                       ("%u", ["1", "2"])]:
        with PopSessions(["pop3_uidl_format = " + form]) as other:
            other.maildir = s.maildir
            other.uid, other.gid = s.uid, s.gid
            tap.equal(ids(other), want, form)
            p = other.open()
            p.retr(1)
            p.quit()    # marks it as seen, in its name
            tap.equal(ids(other), want, form + ", of a seen message")
tap.done()
