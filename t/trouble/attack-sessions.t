#!/usr/bin/env python3
"""One user's sessions, however many there are and however they end, keep no
other user out."""
import imaplib
import os
import poplib
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from attack import children, tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

PROCESSES = 12
EACH = PROCESSES // 4  # of one client, or of one user


def try_login(s, open_one, user, password):
    try:
        return open_one(user, password)
    except (imaplib.IMAP4.error, poplib.error_proto, OSError):
        return None


def too_many(s, what, open_one):
    held = [try_login(s, open_one, s.USER1, s.PASS1)
            for _ in range(PROCESSES)]
    tap.equal(len([x for x in held if x]), EACH,
              what + ": a user has a quarter of the sessions")
    other = try_login(s, open_one, s.USER2, s.PASS2)
    tap.ok(other, what + ": and keeps no other out")
    for x in held + [other]:
        if x:
            getattr(x, "logout", getattr(x, "quit", None))()
    tap.ok(wait_for(lambda: try_login(s, open_one, s.USER1, s.PASS1)),
           what + ": whose sessions have ended may come again")


def sockets(pid):
    try:
        return sum("socket:" in os.readlink("/proc/%d/fd/%s" % (pid, fd))
                   for fd in os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return 0


def sessions(parent):
    """Those children that hold more than listeners."""
    held = {pid: sockets(pid) for pid in children(parent)}
    return [pid for pid, n in held.items() if n > min(held.values())]


def kill_slowly(pids):
    for pid in pids:
        time.sleep(0.5)
        os.kill(pid, signal.SIGSEGV)


def killed(s):
    """A user may signal his own processes: twenty, one after the other,
    while another user comes again and again."""
    held = [s.imap() for _ in range(20)]
    pids = sessions(s.pid_of("imap-session"))
    dying = threading.Thread(target=kill_slowly, args=(pids,))
    times = []
    dying.start()
    while dying.is_alive():
        begun = time.monotonic()
        other = try_login(s, s.imap, s.USER2, s.PASS2)
        times.append(time.monotonic() - begun if other else 60)
        if other:
            other.logout()
    if not tap.ok(max(times) < 4,
                  "sessions that their user makes die delay no other"):
        print("#", times)
    tap.ok(len(pids) > len(held) / 2 and
           s.wait_log("ended by signal 11", times=len(pids)), "they did die")


with Instance("imap_process_limit=%d" % PROCESSES,
              "pop3_process_limit=%d" % PROCESSES,
              "smtpd_client_connection_count_limit=50",
              "smtpd_pregreet_reject=no") as s:
    too_many(s, "IMAP", s.imap)
    too_many(s, "POP3", s.pop3)
with Instance("imap_hibernate_timeout=0") as s:  # each has its process
    killed(s)
tap.done()
