#!/usr/bin/env python3
"""Reloads under traffic, many, side by side, with faults, with signals in
between: no client is refused or waits for long, no listener is lost, and what
runs in the end is what was accepted last."""
import imaplib
import os
import poplib
import signal
import smtplib
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402

tap = Tap()
LONG = 20   # seconds: who waits so long was forgotten, on any machine


def mail(s, n):
    with s.smtp() as c:
        c.starttls(context=s.context())
        c.sendmail("a@client.test", [s.address()],
                   message("a@client.test", s.address(), "n%d" % n))


def submit(s, n):
    with s.submission(s.USER2, s.PASS2) as c:
        c.noop()


def imap(s, n):
    m = s.imap(s.USER2, s.PASS2)
    m.select("INBOX")
    m.logout()


def pop3(s, n):
    s.pop3(s.USER2, s.PASS2).quit()


def local(s, n):
    """It reads the file by itself, and 78 says that this one is no good."""
    done = subprocess.run([s.SENDMAIL, "-i", "-f", s.address(s.USER2), "--",
                           s.address()], input=b"Subject: n%d\n\nx\n" % n,
                          timeout=60, capture_output=True)
    if done.returncode != 78 or not s.bad:
        done.check_returncode()


class Client(threading.Thread):
    """Does one thing again and again."""

    def __init__(self, s, act):
        super().__init__(daemon=True)
        self.s, self.act = s, act
        self.done, self.faults, self.worst = 0, [], 0
        self.over = False
        self.start()

    def run(self):
        while not self.over:
            began = time.monotonic()
            try:
                self.act(self.s, self.done)
                self.done += 1
            except (OSError, smtplib.SMTPException, imaplib.IMAP4.error,
                    poplib.error_proto, subprocess.SubprocessError) as e:
                self.faults.append("%s: %s" % (type(e).__name__, e))
            self.worst = max(self.worst, time.monotonic() - began)

    def end(self):
        self.over = True
        self.join()


class Traffic:
    """While it lasts each client gets what it wants."""

    def __init__(self, s, what):
        self.s, self.what = s, what

    def __enter__(self):
        self.clients = [Client(self.s, act)
                        for act in (mail, submit, imap, pop3, local)]
        return self

    def __exit__(self, *error):
        for c in self.clients:
            wait_for(lambda: c.done > 0, 60)
        for c in self.clients:
            c.end()
        for c in self.clients:
            name = c.act.__name__
            tap.ok(c.done > 0 and not c.faults,
                   "%s: %s, %d times, none refused" % (self.what, name,
                                                       c.done),
                   c.faults[:3])
            tap.ok(c.worst < LONG, "%s: %s waits %.1f s at most" %
                   (self.what, name, c.worst))


def config(s, *lines):
    names = {x.split(" =")[0] for x in lines}
    with open(s.CONF + ".new", "w") as f:
        f.writelines(x for x in s.former if x.split(" =")[0] not in names)
        f.write("".join(x + "\n" for x in lines))
    os.rename(s.CONF + ".new", s.CONF)


def greeting(s):
    with s.raw(s.SMTP_PORT) as c:
        c.settimeout(30)
        return c.recv(200).decode()


def in_force(s, banner):
    return wait_for(lambda: banner in greeting(s), 30)


def test_in_a_row(s):
    with Traffic(s, "20 in a row"):
        codes = []
        for i in range(20):
            config(s, "smtpd_banner = row%d" % i)
            codes.append(s.posthorn("reload").returncode)
    tap.equal(codes, [0] * 20, "all are accepted")
    tap.ok(in_force(s, "row19"), "the last one is in force")


def test_bad_ones(s):
    """Each second one is refused, by the file, or by a service."""
    bad = ("no_such_parameter = x",
           "smtpd_tls_cert_file = /nonexistent/cert.pem",
           "default_privs = nobody-of-that-name",
           "resolver_zone_file = /nonexistent/zone",
           "inet_interfaces = 192.0.2.1")
    codes = []
    s.bad = True
    with Traffic(s, "bad ones"):
        for i, line in enumerate(bad):
            config(s, "smtpd_banner = good%d" % i)
            codes.append(s.posthorn("reload").returncode == 0)
            config(s, "smtpd_banner = bad%d" % i, line)
            codes.append(s.posthorn("reload").returncode == 0)
    s.bad = False
    tap.equal(codes, [True, False] * len(bad), "each second one is refused")
    tap.ok(in_force(s, "good%d" % (len(bad) - 1)),
           "the last good one is in force")


def start_reload(s):
    return subprocess.Popen([s.path("posthorn"), "reload"],
                            text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def test_side_by_side(s):
    """One at a time: who comes in between is told so, and a signal in between
    is remembered."""
    with Traffic(s, "side by side"):
        for i in range(6):
            config(s, "smtpd_banner = side%d" % i)
            every = [start_reload(s) for _ in range(3)]
            time.sleep(0.05 * i)
            config(s, "smtpd_banner = later%d" % i)
            every.append(start_reload(s))
            os.kill(s.PID, signal.SIGHUP)
            said = [p.communicate(timeout=60)[1] for p in every]
            tap.ok(all(p.returncode == 0 or "another reload" in text
                       for p, text in zip(every, said)),
                   "each is told how it went, round %d" % i, said)
    tap.ok(in_force(s, "later5"), "the last one is in force")
    # what a signal asked for may still be under way
    tap.ok(wait_for(lambda: s.posthorn("reload").returncode == 0, 60),
           "then another one is taken")


def descendants(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            found = [int(p) for p in f.read().split()]
    except OSError:
        return []
    return found + [x for p in found for x in descendants(p)]


def test_hangups(s):
    """SIGHUP opens the log anew, at any moment of a process's life."""
    pids = None
    with Traffic(s, "signals"):
        for i in range(5):
            p = start_reload(s)
            while p.poll() is None:
                for pid in descendants(s.PID):
                    try:
                        os.kill(pid, signal.SIGHUP)
                    except OSError:
                        pass
                time.sleep(0.02)
            said = p.communicate()[1]
            tap.ok(p.returncode == 0, "a reload among signals", said)
    pids = [x for x in s.posthorn("status").stdout.splitlines()
            if " ready " not in x and "queue" not in x and x and
            not x.startswith("SERVICE")]
    tap.equal(pids, [], "all services are there")


def test_killed_between(s):
    """The newest instance dies at once: master starts what was accepted."""
    with Traffic(s, "idle"):
        time.sleep(1)
    for name in ("gate", "imapd", "tls-server", "smtpd"):
        config(s, "smtpd_banner = killed-%s" % name)
        tap.equal(s.posthorn("reload").returncode, 0, "a reload")
        pid = s.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        tap.ok(wait_for(lambda: s.pid_of(name) not in (0, pid), 30),
               "%s is started again" % name)
        tap.ok(in_force(s, "killed-" + name), "as it was accepted")
    with Traffic(s, "after kills"):
        time.sleep(1)


with Instance("reject_unknown_sender_domain=no",
              "disable_plaintext_auth=yes") as s:
    s.bad = False   # what the file holds just now
    with open(s.CONF) as f:
        s.former = f.readlines()
    test_in_a_row(s)
    test_bad_ones(s)
    test_side_by_side(s)
    test_hangups(s)
    test_killed_between(s)
    log = s.read_log()
    tap.ok("ended by signal 11" not in log and "ended by signal 6" not in log,
           "nothing crashes")
tap.done()
