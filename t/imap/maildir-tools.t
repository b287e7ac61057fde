#!/usr/bin/env python3
"""A Maildir in the hands of other programs while an IMAP session is open:
mutt in a terminal, and Python's mailbox module."""
import mailbox
import os
import pty
import re
import select
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()


class Mutt:
    """mutt on the Maildir at PATH; type keys at it."""

    def __init__(self, path, home):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="vt100", HOME=home)
            os.execvp("mutt", [
                "mutt", "-F", "/dev/null", "-f", path, "-e",
                "set sort=subject quit=yes delete=yes move=no"])
        self.see(b"(subject", 20)
        self.wait(1)

    def wait(self, seconds):
        self.see(b"never shown", seconds)

    def see(self, text, seconds=1):
        end, seen = time.time() + seconds, b""
        while time.time() < end and text not in seen:
            if not select.select([self.fd], [], [], 0.1)[0]:
                continue
            try:
                seen += os.read(self.fd, 65536)
            except OSError:
                break
        return seen

    def type(self, *keys):
        for k in keys:
            os.write(self.fd, k.encode())
            self.wait(0.5)

    def end(self):
        self.type("q")
        self.wait(3)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def messages(m):
    """UID -> flags, as the session sees them now."""
    m.noop()
    lines = m.uid("FETCH", "1:*", "(FLAGS)")[1]
    found = {}
    for line in lines:
        # what NOOP told of changes comes along, without UIDs
        if line and b"UID" in line:
            uid = re.search(rb"UID (\d+)", line).group(1)
            flags = re.search(rb"FLAGS \(([^)]*)\)", line).group(1)
            found[int(uid)] = sorted(
                f for f in flags.decode().split() if f != "\\Recent")
    return found


def text(n):
    return b"From: a@b.c\r\nSubject: number %d\r\n\r\nbody %d\r\n" % (n, n)


with Sessions() as all_sessions:
    m = all_sessions.open()
    for n in range(1, 6):
        m.append("INBOX", None, None, text(n))
    m.select("INBOX")
    uids = sorted(messages(m))
    tap.equal(uids, [1, 2, 3, 4, 5], "five messages")

    # Python's mailbox module
    box = mailbox.Maildir(all_sessions.maildir, create=False)
    subjects = sorted(v["subject"] for v in box.values())
    tap.equal(subjects, ["number %d" % n for n in range(1, 6)],
              "another program reads all of them")
    tap.ok(all(b"\r" not in box.get_bytes(k) for k in box.keys()),
           "with line ends as it expects them")
    m.uid("STORE", "2", "+FLAGS", "(\\Flagged \\Seen)")
    deadline, flags = time.time() + 10, ""
    while time.time() < deadline and flags != "FS":
        time.sleep(0.3)
        for k in mailbox.Maildir(all_sessions.maildir, create=False).values():
            if k["subject"] == "number 2":
                flags = k.get_flags()
    tap.equal(flags, "FS", "flags reach the file's name while a session waits")
    added = mailbox.MaildirMessage(b"Subject: foreign\n\nline\n")
    added.add_flag("R")
    added.set_subdir("cur")
    key = box.add(added)
    for name in os.listdir(os.path.join(all_sessions.maildir, "cur")):
        if name.startswith(key):
            os.chown(os.path.join(all_sessions.maildir, "cur", name),
                     all_sessions.uid, all_sessions.gid)
    time.sleep(0.1)
    tap.equal(messages(m).get(6), ["\\Answered"],
              "a message it adds comes with its flags")
    tap.equal(m.uid("FETCH", "6", "(BODY.PEEK[])")[1][0][1],
              b"Subject: foreign\r\n\r\nline\r\n", "and is read with CRLF")
    for k, v in box.items():
        if v["subject"] == "number 4":
            box.discard(k)
    time.sleep(0.1)
    tap.equal(sorted(messages(m)), [1, 2, 3, 5, 6], "what it removes is gone")

    if shutil.which("mutt"):
        home = all_sessions.folder.path("home")
        os.makedirs(os.path.join(home, "Mail"))  # else mutt asks
        mutt = Mutt(all_sessions.maildir, home)
        # foreign, number 1, 2, 3, 5
        mutt.type("2\n", "\n", "i", "F", "4\n", "d")
        mutt.end()
        time.sleep(0.1)
        seen = messages(m)
        tap.equal(seen.get(1), ["\\Flagged", "\\Seen"],
                  "mutt read and flagged a message")
        tap.ok(3 not in seen, "and deleted one")
        tap.equal(seen.get(2), ["\\Flagged", "\\Seen"],
                  "what it did not touch is as it was")
        tap.equal(m.uid("FETCH", "1", "(BODY.PEEK[])")[1][0][1], text(1),
                  "all of it byte for byte as before")
    else:
        print("# mutt is not installed")
    m.logout()
    again = all_sessions.open()
    again.select("INBOX")
    tap.ok(1 in messages(again) and 6 in messages(again),
           "UIDs stay over all this")
    again.logout()

tap.done()
