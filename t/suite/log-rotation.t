#!/usr/bin/env python3
"""The log file is renamed under the running suite: after a reload every
program writes to the new one, also those that may not open it."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402

tap = Tap()


def send(s, subject):
    with s.smtp() as c:
        c.sendmail("a@client.test", [s.address()],
                   message("a@client.test", s.address(), subject))


def rotate(s, to):
    """As logrotate does it: rename, then tell."""
    os.rename(s.LOG, to)
    return s.posthorn("reload")


with Instance() as s:
    send(s, "before")
    s.wait_messages(1)
    first = s.path("log.1")
    tap.equal(rotate(s, first).returncode, 0, "a reload after the rename")
    tap.ok(s.wait_log("reload: the services change over"),
           "master writes to a new file")
    tap.ok(wait_for(lambda: s.posthorn("status").returncode == 0, 30),
           "the services change over")
    tap.ok(s.wait_log("posthorn/qmgr[%d]: configuration read again" %
                      s.pid_of("qmgr")),
           "so does qmgr, which stays and may not open it")
    size = os.path.getsize(first)
    send(s, "after")
    tap.equal(len(s.wait_messages(2)), 2, "mail goes on")
    for words in ("posthorn/smtpd[", "posthorn/local-deliver[", "removed"):
        tap.ok(s.wait_log(words), "in the new file: " + words)
    # what a helper of qmgr says is of the same descriptor
    s.posthorn("queue", "bounce", "ALL")
    tap.equal(os.path.getsize(first), size, "nothing more is in the old one")
    if os.geteuid() == 0:
        tap.equal(os.stat(s.LOG).st_mode & 0o777, 0o640,
                  "the new one is not for everybody")

    # twice without a line in between: the last one counts
    os.rename(s.LOG, s.path("log.2"))
    s.posthorn("reload")
    rotate(s, s.path("log.3"))
    tap.ok(s.wait_log("configuration read again"), "and once more")

    # a faulty configuration: what is to be read is in the new file
    with open(s.CONF, "a") as f:
        f.write("mynetwork = 10.0.0.0/8\n")
    done = rotate(s, s.path("log.4"))
    tap.ok(done.returncode == 78 and "mynetwork" in done.stderr,
           "a reload that is refused says so")
    os.kill(s.PID, signal.SIGHUP)
    tap.ok(s.wait_log("posthorn.conf:%d: unknown parameter mynetwork" %
                      len(open(s.CONF).readlines())),
           "in the new file, too")
tap.done()
