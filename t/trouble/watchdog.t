#!/usr/bin/env python3
"""A program that hangs is killed and started again, and `posthorn status`
says so; nobody waits for it meanwhile who need not."""
import os
import signal
import smtplib
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402

TIMEOUT = 3
# an event loop, a prefork parent, a parent of event loops, who reloads in
# place, what has children that serve
VICTIMS = ("resolver", "authcheck", "tls-server", "mailbox-feed", "gate",
           "smtpd", "accountd", "tls-policy", "remote-send")

tap = Tap()


def row(s, name):
    """Its line of status: state, pid, restarts, and the rest."""
    for line in s.posthorn("status").stdout.splitlines():
        words = line.split(None, 6)
        if words and words[0] == name:
            return words
    return None


def is_back(s, name, was):
    r = row(s, name)
    return r and r[1] == "ready" and int(r[2]) != was


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(p) for p in f.read().split()]


def stop_all(s):
    was = {name: s.pid_of(name) for name in VICTIMS}
    for pid in was.values():
        os.kill(pid, signal.SIGSTOP)
    for name, pid in was.items():
        tap.ok(wait_for(lambda: is_back(s, name, pid), 60),
               "%s was stopped, and is started again" % name)
        r = row(s, name)
        tap.ok(int(r[3]) == 1 and "no answer for %d s" % TIMEOUT in r[6],
               "status says how often, and why", r)
        tap.ok("%s: process %d gave no answer" % (name, pid) in s.read_log(),
               "so does the log")


def test_qmgr(s):
    """Who asks for the status does not wait for a queue manager that hangs."""
    pid = s.pid_of("qmgr")
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    done = s.posthorn("status")
    took = time.monotonic() - began
    tap.ok(took < 30 and "SERVICE" in done.stdout,
           "status in %.1f s while qmgr is stopped" % took)
    tap.ok(wait_for(lambda: is_back(s, "qmgr", pid), 60),
           "qmgr is started again")


def test_worker(s):
    """A worker of tlsproxy: its parent answers master, and asks it."""
    parent = s.pid_of("tls-server")
    worker = children(parent)[0]
    os.kill(worker, signal.SIGSTOP)
    tap.ok(wait_for(lambda: worker not in children(parent), 60),
           "a worker that hangs is killed")
    tap.ok(wait_for(lambda: children(parent), 30), "and replaced")
    tap.equal(s.pid_of("tls-server"), parent, "by its parent")


def has_tls(s):
    try:
        with s.smtp() as c:
            return c.starttls()[0] == 220
    except (OSError, smtplib.SMTPException):
        return False


def test_parent(s):
    """The parent of workers dies: the socket that they had is not theirs."""
    pid = s.pid_of("tls-server")
    os.kill(pid, signal.SIGKILL)
    tap.ok(wait_for(lambda: is_back(s, "tls-server", pid), 60),
           "the parent of workers was killed, and is started again")
    tap.ok(wait_for(lambda: has_tls(s), 30), "and there is TLS again")


def test_stack(s):
    """Where the program can still tell, it says what it was doing."""
    pid = s.pid_of("resolver")
    os.kill(pid, signal.SIGABRT)
    tap.ok(s.wait_log("resolver: stack: "), "a stack is logged")
    tap.ok(wait_for(lambda: is_back(s, "resolver", pid), 60),
           "and it comes back")


def test_quiet(s):
    """Who answers is left alone; also after all of it stood still."""
    before = {n: s.pid_of(n) for n in VICTIMS}
    os.kill(s.PID, signal.SIGSTOP)
    time.sleep(2 * TIMEOUT + 1)
    os.kill(s.PID, signal.SIGCONT)
    time.sleep(TIMEOUT)
    tap.equal({n: s.pid_of(n) for n in VICTIMS}, before,
              "master stood still: nobody is killed for it")


with Instance("service_watchdog_timeout=%ds" % TIMEOUT) as s:
    stop_all(s)
    test_qmgr(s)
    test_worker(s)
    test_parent(s)
    test_stack(s)
    test_quiet(s)
    with s.smtp() as c:
        c.sendmail("a@client.test", [s.address()],
                   message("a@client.test", s.address(), "after all"))
    tap.equal(len(s.wait_messages(1)), 1, "mail goes on")
tap.done()
