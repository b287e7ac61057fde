#!/usr/bin/env python3
"""A user who logs in again soon is served by the process of the last session;
nobody else is. What such a process still has: its user's files, and nothing
that others depend on."""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from attack import ROOT, children, tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

QUIET = ("imap_hibernate_timeout=0", "disable_plaintext_auth=no")
NAMES = {"imap": "imap-session", "pop3": "pop3-session"}


def text(pid, name):
    try:
        with open("/proc/%d/%s" % (pid, name)) as f:
            return f.read()
    except OSError:
        return ""


def is_users(pid):
    """It has left the scoreboard, as one does that has become a user."""
    return " /dev/zero" not in text(pid, "maps") and text(pid, "maps") != ""


def users_of(s, kind):
    return {pid for pid in children(s.pid_of(NAMES[kind])) if is_users(pid)}


def descriptors(pid):
    folder = "/proc/%d/fd/" % pid
    return {int(fd): os.readlink(folder + fd) for fd in os.listdir(folder)}


def listening():
    """The inodes of all Unix sockets that listen."""
    with open("/proc/net/unix") as f:
        rows = [line.split() for line in f][1:]
    return {"socket:[%s]" % row[6] for row in rows
            if int(row[3], 16) & 0x10000}


def visit(s, kind, user=None, password=None):
    c = getattr(s, kind)(user or s.USER1, password or s.PASS1)
    return c


def leave(c):
    getattr(c, "logout", getattr(c, "quit", None))()


def once(s, kind, user=None, password=None):
    """One session; the process that served it."""
    before = users_of(s, kind)
    c = visit(s, kind, user, password)
    if kind == "imap":
        c.select()
    now = users_of(s, kind)
    leave(c)
    return now - before, now


def held(s, pid):
    found = descriptors(pid)
    tap.equal(sorted(set(found.values()) & listening()), [],
              "a session holds no socket that others connect to")
    tap.equal([name for fd, name in found.items() if fd > 2 and
               not name.startswith(("socket:", "pipe:", s.dir))], [],
              "only sockets, pipes and its files")
    ends = [fd for fd, name in found.items() if name.startswith("pipe:") and
            re.search(r"flags:\s*0?\d*[12]$",
                      text(pid, "fdinfo/%d" % fd), re.M)]
    tap.equal(ends, [], "no pipe to write to")
    tap.equal(re.findall(r".* .w.s .*", text(pid, "maps")), [],
              "and no memory that others share")


def reuse(s, kind):
    first, _ = once(s, kind)
    tap.equal(len(first), 1, kind + ": a session has a process")
    same = [once(s, kind)[1] for _ in range(5)]
    tap.equal(same, [first] * 5, "which serves the next ones")
    other, both = once(s, kind, s.USER2, s.PASS2)
    tap.ok(len(other) == 1 and both == first | other,
           "but no other user")
    a, b = visit(s, kind), None
    if kind == "imap":
        b = visit(s, kind)
        tap.equal(len(users_of(s, kind) - other), 2,
                  "two at a time have two")
        leave(b)
    leave(a)
    return first.pop()


def trouble(s, pid):
    os.kill(pid, signal.SIGKILL)
    tap.equal(len(once(s, "imap")[1]) > 0, True,
              "a process that was killed meanwhile is replaced")
    maildir = "%s/%s/Maildir" % (s.MAILROOT, s.USER1)
    subprocess.run(["cp", "-a", maildir, maildir + ".new"], check=True)
    os.rename(maildir, maildir + ".old")
    os.rename(maildir + ".new", maildir)
    c = visit(s, "imap")
    tap.equal(c.select()[0], "OK",
              "a Maildir that was replaced is served by a new one")
    leave(c)
    done = s.posthorn("reload")
    tap.equal(done.returncode, 0, "a reload")
    tap.ok(wait_for(lambda: not users_of(s, "imap"), 20),
           "ends those that wait")
    once(s, "imap")
    os.kill(s.pid_of("accountd"), signal.SIGKILL)
    tap.ok(wait_for(lambda: not users_of(s, "imap"), 20),
           "so does the end of accountd")
    tap.ok(wait_for(lambda: attempt(s), 20), "whose next one knows none")


def attempt(s):
    try:
        return once(s, "imap")
    except Exception:
        return None


def limits():
    with Instance(*QUIET, "mail_max_userip_connections=2") as s:
        for _ in range(4):
            once(s, "imap")
        two = [visit(s, "imap") for _ in range(2)]
        try:
            visit(s, "imap")
            tap.ok(False, "no more at once than before")
        except Exception as e:
            tap.ok("LIMIT" in str(e), "no more at once than before")
        for c in two:
            leave(c)
        tap.ok(wait_for(lambda: attempt(s), 20), "and as many after it")


def switched_off():
    with Instance(*QUIET, "session_reuse_time_limit=0") as s:
        first, _ = once(s, "imap")
        tap.ok(wait_for(lambda: not users_of(s, "imap"), 20),
               "switched off, a process ends with its session")


def main():
    if not ROOT:
        print("1..0 # SKIP needs root: processes become users")
        return
    with Instance(*QUIET) as s:
        for kind in ("pop3", "imap"):
            pid = reuse(s, kind)
            held(s, pid)
        trouble(s, pid)
    limits()
    switched_off()
    tap.done()


main()
