#!/usr/bin/env python3
"""Users with a login and files of their own: what they leave in their folders,
and how they treat the processes that serve them."""
import fcntl
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from attack import (children, send, steady, tap, texts)  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

WORKERS = 32  # of one process of local-deliver
noise = random.Random(1)


def beside(s):
    """A user's own folder, as he may leave it."""
    maildir = os.path.join(s.MAILROOT, s.USER2, "Maildir")
    send(s, s.USER2, "first")
    s.wait_messages(1, s.USER2)
    owner = os.stat(maildir)
    victim = s.path("victim")
    with open(victim, "w") as f:
        f.write("untouched")
    os.chmod(victim, 0o666)

    def sparse(path):
        with open(path, "wb") as f:
            f.truncate(1 << 40)

    def garbage(path):
        with open(path, "wb") as f:
            f.write(noise.randbytes(90000))
    count = 1
    for name in ("journal", "snapshot", "cache", "lock", "uidvalidity"):
        path = os.path.join(maildir, "posthorn-" + name)
        for make in (garbage, sparse, os.mkfifo,
                     lambda p: os.symlink(victim, p)):
            if os.path.lexists(path):
                os.rename(path, path + ".kept")
            make(path)
            os.lchown(path, owner.st_uid, owner.st_gid)
            send(s, s.USER2, "with %s %d" % (name, count))
            count += 1
            try:
                s.messages(s.USER2)
            except Exception:
                pass  # refused
            os.unlink(path)
            if os.path.exists(path + ".kept"):
                os.rename(path + ".kept", path)
    s.posthorn("queue", "flush", "ALL")
    tap.ok(wait_for(lambda: len(os.listdir(maildir + "/new") +
                                os.listdir(maildir + "/cur")) == count),
           "with files of his replaced, no mail to a user is lost")
    with open(victim) as f:
        tap.equal(f.read(), "untouched", "and none is written elsewhere")
    steady(s, "replaced files")
    odd_messages(s, maildir, owner)


def odd_messages(s, maildir, owner):
    for i, name in enumerate([b"\xff\xfe", b"a\nb", b":2,S", b"-rf", b"%s%n",
                              b"U=1,S=99999999999999999999:2,S", b'"{5}'] +
                             [b"m%d:2,%s" % (n, b"abcxyzSSFT"[n % 9:])
                              for n in range(2000)]):
        path = os.path.join(os.fsencode(maildir), b"new" if i % 2 else b"cur",
                            name)
        with open(path, "wb") as f:
            f.write(b"Subject: odd\n\nx\n")
        os.chown(path, owner.st_uid, owner.st_gid)
    os.symlink(s.path("key.pem"), maildir + "/cur/link:2,")
    os.mkfifo(maildir + "/new/fifo")
    os.mkdir(maildir + "/cur/folder:2,S")
    begun = time.monotonic()
    got = texts(s, s.USER2)
    tap.ok(got.count("Subject: odd") >= 2000 and "PRIVATE KEY" not in got and
           time.monotonic() - begun < 10,
           "odd names, links and pipes among messages harm nobody")
    steady(s, "odd messages")


def locked(s):
    """A user who never gives his lock back waits alone."""
    path = os.path.join(s.MAILROOT, s.USER2, "Maildir", "posthorn-lock")
    fd = os.open(path, os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX)
    for i in range(30):
        send(s, s.USER2, "for the locked %d" % i)
    before = len(s.messages())
    send(s, s.USER1, "for the other")
    tap.ok(wait_for(lambda: len(s.messages()) > before),
           "a mailbox that stays locked holds up no other")
    os.close(fd)
    steady(s, "a lock")


def stopped(s):
    """A user may stop the process that has become him."""
    users = ["w%d" % n for n in range(WORKERS + 2)]
    with open(s.path("users")) as f:
        line = next(x for x in f if x.startswith(s.USER1))
    with open(s.path("users"), "a") as f:
        for user in users:
            f.write(line.replace(s.USER1, user))
    before = workers(s)
    send(s, users[0], "to one who stops")
    tap.ok(wait_for(lambda: stored(s, users[0])), "a worker is made")
    for pid in workers(s) - before:
        os.kill(pid, signal.SIGSTOP)
    for user in users[1:]:
        send(s, user, "to another")
        wait_for(lambda: stored(s, user))
    tap.ok(all(stored(s, user) for user in users),
           "a worker that its user stopped holds up no other")


def workers(s):
    parent = s.pid_of("local-deliver")
    return {pid for child in children(parent) for pid in children(child)}


def stored(s, user):
    try:
        return len(os.listdir(os.path.join(s.MAILROOT, user, "Maildir",
                                           "new")))
    except OSError:
        return 0


ALIASES = """\
slow: "|sleep 40"
too: "|sleep 40"
quick: alice@{d}
other: bob@{d}
"""


def slow(s):
    """One user's commands take long, in messages to more than one."""
    local = "@localhost." + s.DOMAIN
    with s.smtp() as c:
        for i in range(12):
            c.sendmail("a@b.test", ["slow" + local, "too+%d" % i + local],
                       b"From: a@b.test\r\nSubject: slow\r\n\r\n")
    time.sleep(13)
    before = len(s.messages())
    with s.smtp() as c:
        c.sendmail("a@b.test", ["quick" + local, "other" + local],
                   b"From: a@b.test\r\nSubject: quick\r\n\r\n")
    tap.ok(wait_for(lambda: len(s.messages()) > before, 60),
           "one user's slow commands hold up no other's mail")
    steady(s, "slow commands")


with Instance("command_time_limit=60s",
              aliases=ALIASES.format(d="example.test")) as s:
    slow(s)
with Instance() as s:
    stopped(s)
    beside(s)
    locked(s)
tap.done()
