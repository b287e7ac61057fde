#!/usr/bin/env python3
"""A mailbox on a disk that is full can be opened, read and made smaller: by
IMAP and by POP3. As root, who can mount one of a few megabytes."""
import ctypes
import errno
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap
from imapsession import Raw, Sessions

CLONE_NEWNS, MS_PRIVATE, MS_REC = 0x20000, 1 << 18, 1 << 14
libc = ctypes.CDLL(None, use_errno=True)
tap = Tap()
MESSAGE = b"From: a@b.test\r\nSubject: %d\r\n\r\n" + b"x" * 3000 + b"\r\n"
N = 40


def own_mounts():
    """A mount namespace of this test's own: it goes with the process."""
    return libc.unshare(CLONE_NEWNS) == 0 and libc.mount(
        b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


def mount(path):
    return libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0,
                      b"size=4m,mode=755") == 0


def fill(path):
    """Leaves no byte and no page, and gives the file that does it."""
    filler = os.path.join(path, "filler")
    with open(filler, "ab", buffering=0) as f:
        for size in (65536, 4096, 1):
            try:
                while True:
                    f.write(b"f" * size)
            except OSError as e:
                assert e.errno == errno.ENOSPC
    return filler


class Pop(Sessions):
    """The same, with sessions of pop3d."""

    def __enter__(self):
        Sessions.__enter__(self)
        self.imap = self.program
        self.pop = self.folder.start("pop3d", "pop3-session", chroot=False)
        return self

    def pop3(self):
        self.program = self.pop
        try:
            return Raw(self.socket())
        finally:
            self.program = self.imap


def said(r, command):
    r.send(command + "\r\n")
    return r.line()


def good(got, name):
    tap.starts(got[1], b"OK", name)
    return got


def by_imap(s, disk):
    r = s.raw()
    r.ask("CREATE full")
    for i in range(N):
        text = MESSAGE % i
        r.ask(b"APPEND full {%d+}\r\n%s" % (len(text), text))
    r.ask('SETMETADATA full (/private/comment "former")')
    filler = fill(disk)
    got = r.ask('SETMETADATA full (/private/comment "new")')
    tap.ok(got[1].startswith(b"NO [UNAVAILABLE]") and b"full" in got[1],
           "SETMETADATA says that the disk is full: %r" % got[1])
    tap.equal(r.ask("GETMETADATA full /private/comment")[0],
              [b'* METADATA "full" (/private/comment "former")'],
              "and changes nothing")
    good(r.ask("SELECT full"), "SELECT of a mailbox on a full disk")
    fresh = s.raw()
    got = good(fresh.ask("EXAMINE full"), "EXAMINE")
    tap.ok(b"* %d EXISTS" % N in got[0], "shows the messages")
    got = good(fresh.ask("STATUS full (MESSAGES UNSEEN)"), "STATUS")
    tap.equal(got[0], [b'* STATUS "full" (MESSAGES %d UNSEEN %d)' % (N, N)],
              "is right")
    got = good(r.ask("FETCH 1:3 BODY[]"), "FETCH that should set \\Seen")
    tap.equal(sum(b"BODY[]" in u for u in got[0]), 3, "gives the messages")
    text = MESSAGE % 99
    got = r.ask(b"APPEND full {%d+}\r\n%s" % (len(text), text))
    tap.ok(got[1].startswith(b"NO [UNAVAILABLE]") and b"full" in got[1],
           "APPEND says that the disk is full: %r" % got[1])
    tap.ok("No space left on device" in s.folder.read_log(),
           "and so does the log", s.folder.read_log()[-1500:])
    good(r.ask("STORE 1:20 +FLAGS.SILENT (\\Deleted)"), "STORE \\Deleted")
    got = good(r.ask("EXPUNGE"), "EXPUNGE")
    tap.equal(sum(u.endswith(b" EXPUNGE") for u in got[0]), 20, "removes 20")
    got = good(r.ask(b"APPEND full {%d+}\r\n%s" % (len(text), text)),
               "then there is room for APPEND")
    r.ask("LOGOUT")
    got = good(fresh.ask("NOOP"), "the other session hears of it")
    os.unlink(filler)
    fresh.ask("LOGOUT")
    r = s.raw()
    got = r.ask("SELECT full")[0]
    tap.ok(b"* %d EXISTS" % (N - 19) in got, "which is what is there", got)
    r.ask("LOGOUT")


def by_pop3(s, disk):
    r = s.raw()
    for i in range(N):
        text = MESSAGE % i
        r.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(text), text))
    r.ask("LOGOUT")
    filler = fill(disk)
    p = s.pop3()
    tap.starts(p.greeting, b"+OK %d" % N, "POP3: login on a full disk")
    p.send("RETR 1\r\n")
    while p.line() != b".\r\n":
        pass
    for i in range(1, 21):
        said(p, "DELE %d" % i)
    tap.starts(said(p, "QUIT"), b"+OK", "DELE and QUIT")
    p = s.pop3()
    tap.starts(p.greeting, b"+OK %d" % (N - 20), "have deleted")
    said(p, "QUIT")
    os.unlink(filler)


if os.getuid() != 0 or not own_mounts():
    print("1..0 # SKIP only root can mount a disk that is full")
    sys.exit(0)
with Pop() as s:
    disk = os.path.dirname(s.maildir)
    if not mount(disk):
        print("1..0 # SKIP no tmpfs can be mounted")
        sys.exit(0)
    os.chown(disk, s.uid, s.gid)
    s.raw().close()
    by_imap(s, disk)
    by_pop3(s, disk)
    libc.umount2(disk.encode(), 2)
tap.done()
