#!/usr/bin/env python3
"""The processes that serve are watched as their parents are: one that gives
no sign of life is killed, the log and `posthorn status` say so, and what it
had at hand is done by another, once. Who works is left alone, and so is the
session of a user."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, parse, wait_for  # noqa: E402

TIMEOUT = 3
# whose children serve, or do what it must not wait for itself
PARENTS = ("smtpd", "submit", "pickup", "imapd", "pop3d", "imap-session",
           "pop3-session", "authcheck", "local-deliver", "remote-send",
           "tls-server", "tls-client", "qmgr")

tap = Tap()


def row(s, name):
    for line in s.posthorn("status").stdout.splitlines():
        words = line.split(None, 6)
        if words and words[0] == name:
            return words
    return None


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def state(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def gone(pid):
    return state(pid) in (None, "Z")


def stop_children(parent):
    """Stops all of them, those that are made meanwhile included."""
    stopped = set()
    while True:
        new = [p for p in children(parent) if p not in stopped]
        if not new:
            return stopped
        for pid in new:
            os.kill(pid, signal.SIGSTOP)
            stopped.add(pid)


def send(s, to, subject):
    subprocess.run([s.SENDMAIL, "-i", "-f", s.address(s.USER2), "--", to],
                   input=("Subject: %s\n\ntext\n" % subject).encode(),
                   timeout=60, check=True)


def count(s, subject):
    return sum(parse(m)["Subject"] == subject for m in s.messages())


def test_all(s):
    parents = {name: s.pid_of(name) for name in PARENTS}
    stopped = {name: stop_children(pid) for name, pid in parents.items()}
    for name, pids in stopped.items():
        tap.ok(pids and wait_for(lambda: all(gone(p) for p in pids), 60),
               "%s: %d that gave no sign of life are gone" %
               (name, len(pids)), {p: state(p) for p in pids})
        tap.ok(wait_for(lambda: children(parents[name]), 30),
               "others are there")
        r = row(s, name)
        tap.ok(int(r[2]) == parents[name] and r[1] == "ready",
               "by the same parent", r)
        tap.ok("no sign of life" in " ".join(r[6:]), "status says why", r)
        log = s.read_log()
        tap.ok(any("%d gave no sign of life for %d s" % (p, TIMEOUT)
                   in log for p in pids), "so does the log")


def test_checkers(s):
    """What checks passwords is a child of accountd with children."""
    pid = s.pid_of("accountd")
    middle = children(pid)[0]
    os.kill(middle, signal.SIGSTOP)
    tap.ok(wait_for(lambda: s.pid_of("accountd") not in (0, pid), 60),
           "accountd whose checkers hang is started again")
    tap.ok(wait_for(lambda: gone(middle), 60), "they are gone")
    with_login = wait_for(lambda: s.imap().logout(), 30)
    tap.ok(with_login, "and there are logins again")
    checker = children(children(s.pid_of("accountd"))[0])
    for p in checker:
        os.kill(p, signal.SIGSTOP)
    tap.ok(wait_for(lambda: all(gone(p) for p in checker), 60),
           "checkers that hang are killed by their parent")
    tap.ok(wait_for(lambda: s.imap().logout(), 30), "and replaced")


def test_deliveries(s):
    """A job in the hands of a process that hangs: another does it, once."""
    parent = s.pid_of("local-deliver")
    send(s, s.address(), "before")
    tap.ok(wait_for(lambda: count(s, "before") == 1, 30), "mail goes")
    stop_children(parent)
    for i in range(3):
        send(s, s.address(), "held %d" % i)
    tap.ok(wait_for(lambda: all(count(s, "held %d" % i) == 1
                                for i in range(3)), 60),
           "mail that such a process held arrives")
    time.sleep(1)
    tap.equal([count(s, "held %d" % i) for i in range(3)], [1, 1, 1],
              "once")


def test_worker(s):
    """The process that delivers as the user hangs."""
    parent = s.pid_of("local-deliver")
    send(s, s.address(), "worker")
    wait_for(lambda: count(s, "worker") == 1, 30)
    workers = [w for p in children(parent) for w in children(p)]
    for w in workers:
        os.kill(w, signal.SIGSTOP)
    send(s, s.address(), "worker hung")
    tap.ok(wait_for(lambda: count(s, "worker hung") == 1, 60),
           "mail that a user's worker held arrives (%d stopped)" %
           len(workers))


def test_progress(s):
    """A command may take its time: somebody waits for it who says so."""
    killed = s.read_log().count("no sign of life")
    send(s, "slow@localhost.%s" % s.DOMAIN, "slow")
    tap.ok(s.wait_log("delivered to command: sleep", 60),
           "a command that takes %d s is let finish" % (3 * TIMEOUT))
    tap.equal(s.read_log().count("no sign of life"), killed,
              "nobody is killed for it")


def test_session(s):
    """Only its user waits for it: it is nobody's business."""
    m = s.imap()
    m.select("INBOX")
    mine = [p for p in children(s.pid_of("imap-session"))
            if open("/proc/%d/comm" % p).read().strip()]
    for p in mine:
        os.kill(p, signal.SIGSTOP)
    time.sleep(2 * TIMEOUT + 2)
    left = [p for p in mine if not gone(p)]
    for p in left:
        os.kill(p, signal.SIGCONT)
    tap.equal(m.noop()[0], "OK", "a user's session is not killed")
    m.logout()


def test_stack(s):
    """Where a process can still tell, it says what it was doing."""
    os.kill(children(s.pid_of("smtpd"))[0], signal.SIGABRT)
    tap.ok(s.wait_log("smtpd: stack: ", 20) or
           s.wait_log("stack: ", 1), "a stack is logged")


def test_quiet(s):
    """A silent client, an idle server: nobody is killed for that."""
    killed = s.read_log().count("no sign of life")
    silent = [s.raw(p) for p in (s.SMTP_PORT, s.SUBMISSION_PORT, s.IMAP_PORT,
                                 s.POP3_PORT)]
    time.sleep(3 * TIMEOUT)
    tap.equal(s.read_log().count("no sign of life"), killed,
              "silence is no fault")
    for c in silent:
        c.close()


with Instance("service_watchdog_timeout=%ds" % TIMEOUT,
              "allow_mail_to_commands=yes",
              aliases='slow: "|sleep %d; cat > /dev/null"\n' %
              (3 * TIMEOUT)) as s:
    test_all(s)
    test_checkers(s)
    test_deliveries(s)
    test_worker(s)
    test_progress(s)
    test_session(s)
    test_stack(s)
    test_quiet(s)
tap.done()
