#!/usr/bin/env python3
"""Sessions that wait cost no processor time, wherever they wait: between
commands, in IDLE, with a folder of another user, and that user's process."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from attack import children  # noqa: E402
from instance import Instance  # noqa: E402

tap = Tap()
TICKS = os.sysconf("SC_CLK_TCK")


def used(pids):
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid) as f:
                words = f.read().rsplit(")", 1)[1].split()
            total += int(words[11]) + int(words[12])
        except OSError:
            pass
    return total


def quiet(s, name):
    pids = children(s.pid_of("imap-session"))
    before = used(pids)
    time.sleep(1)
    took = used(pids) - before
    tap.ok(took < TICKS / 5, name, "%d of %d ticks, %d processes" % (
        took, TICKS, len(pids)))


with Instance("imap_hibernate_timeout=0") as s:
    ann, bob = s.imap(s.USER1, s.PASS1), s.imap(s.USER2, s.PASS2)
    ann.select("INBOX")
    quiet(s, "between commands")
    tag = ann._new_tag()
    ann.send(tag + b" IDLE\r\n")
    tap.ok(ann.readline().startswith(b"+"), "IDLE begins")
    quiet(s, "in IDLE")
    ann.send(b"DONE\r\n")
    while not ann.readline().startswith(tag):
        pass
    ann.create("shared")
    tap.equal(ann.setacl("shared", s.address(s.USER2), "lr")[0], "OK",
              "a folder is shared")
    where = '"Other Users/%s/shared"' % s.address(s.USER1)
    tap.equal(bob.select(where, readonly=True)[0], "OK", "and visited")
    quiet(s, "there")
    bob.unselect()
    quiet(s, "after it")
    ann.logout()
    bob.logout()

tap.done()
