#!/usr/bin/env python3
"""kill -9 of any one process at any moment, while 500 messages flow in: all
that were answered 250 arrive, whole, and the suite goes on by itself."""
import glob
import hashlib
import os
import random
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

MESSAGES = int(os.environ.get("KILL_MESSAGES", "500"))
KILLS = int(os.environ.get("KILL_KILLS", "150"))	# then the flow may end
SENDERS = 4
PAUSE = 0.35	# of each sender after a message, so that the flow lasts
SEED = int(os.environ.get("KILL_SEED", str(os.getpid())))

tap = Tap()
rng = random.Random(SEED)
print("# KILL_SEED=%d" % SEED)


def body_of(number):
    rows = random.Random(number)
    return "".join("%s\r\n" % hashlib.sha256(
        b"%d %d" % (number, i)).hexdigest()
        for i in range(rows.choice((1, 5, 40, 400, 3000))))


def text_of(number, to):
    return "From: a@client.test\r\nTo: %s\r\nSubject: number %d\r\n\r\n%s" % (
        to, number, body_of(number))


class Flow:
    """Sends MESSAGES, each until it is answered 250."""

    def __init__(self, s):
        self.s = s
        self.next = 0
        self.promised = set()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run)
                        for _ in range(SENDERS)]
        for t in self.threads:
            t.start()

    def take(self):
        with self.lock:
            self.next += 1
            return self.next if self.next <= MESSAGES else 0

    def run(self):
        number = self.take()
        c = None
        until = time.monotonic() + 1800
        while number and time.monotonic() < until:
            try:
                c = c or self.s.smtp()
                to = self.s.address(
                    self.s.USER1 if number % 2 else self.s.USER2)
                c.sendmail("a@client.test", [to], text_of(number, to))
            except (OSError, smtplib.SMTPException):
                c = None
                time.sleep(0.05)
                continue
            with self.lock:
                self.promised.add(number)
            time.sleep(PAUSE)
            number = self.take()
        if c:
            c.close()

    def alive(self):
        return any(t.is_alive() for t in self.threads)


def children_of(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def below(pid):
    found = []
    for child in children_of(pid):
        found += [child] + below(child)
    return found


def name_of(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return "?"


def kill_one(master):
    """First a kind of program, then one of its processes, so that the single
    ones come as often as those with many children."""
    kinds = {}
    for pid in below(master):
        kinds.setdefault(name_of(pid), []).append(pid)
    if not kinds:
        return None
    name = rng.choice(sorted(kinds))
    pid = rng.choice(kinds[name])
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    return name


def read_bodies(s):
    """number -> list of (whole?) for every message in the Maildirs."""
    found = {}
    for path in glob.glob(s.MAILROOT + "/*/Maildir/*/*"):
        if path.split("/")[-2] == "tmp" or not os.path.isfile(path):
            continue
        with open(path, "rb") as f:
            head, _, body = f.read().decode("latin-1").replace(
                "\r\n", "\n").partition("\n\n")
        for line in head.split("\n"):
            if line.startswith("Subject: number "):
                number = int(line.split()[-1])
                whole = body.replace("\n", "\r\n") == body_of(number)
                found.setdefault(number, []).append(whole)
    return found


with Instance("minimal_backoff_time=2s", "maximal_backoff_time=4s") as s:
    flow = Flow(s)
    killed = {}
    while flow.alive():
        time.sleep(rng.uniform(0.05, 0.4))
        name = sum(killed.values()) < KILLS and kill_one(s.PID)
        if name:
            killed[name] = killed.get(name, 0) + 1
    print("# killed: " + ", ".join(
        "%s %d" % k for k in sorted(killed.items())))
    tap.ok(len(killed) >= 8, "%d processes of %d kinds were killed" %
           (sum(killed.values()), len(killed)))
    tap.equal(len(flow.promised), MESSAGES,
              "every message was taken in the end")

    tap.ok(wait_for(lambda: s.posthorn("status").returncode == 0, 600),
           "the suite is whole again by itself")
    s.posthorn("queue", "flush", "ALL")
    tap.ok(wait_for(lambda: len(read_bodies(s)) >= len(flow.promised), 600),
           "all that was promised arrives")
    found = read_bodies(s)
    tap.equal(sorted(flow.promised - set(found)), [], "none is missing")
    tap.ok(all(all(w) for w in found.values()), "each is whole")
    copies = sum(len(w) for w in found.values())
    print("# %d messages, %d copies" % (len(found), copies))
    with s.smtp() as c:
        c.sendmail("a@client.test", [s.address()],
                   text_of(MESSAGES + 1, s.address()))
    tap.ok(wait_for(lambda: MESSAGES + 1 in read_bodies(s), 120),
           "and the next one arrives as ever")
    tap.equal(os.listdir(s.QUEUE + "/corrupt"), [],
              "no file was taken for damaged")

tap.done()
