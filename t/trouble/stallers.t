#!/usr/bin/env python3
"""Two thousand clients that stall, from as many addresses: at EHLO, after
MAIL, at DATA, within a message, dripping. Mail of others gets through."""
import os
import random
import resource
import selectors
import smtplib
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402

tap = Tap()
TOTAL = 2000
BEGIN = ["EHLO x", "MAIL FROM:<a@other.test>", "RCPT TO:<bob@example.test>",
         "DATA"]
TEXT = b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * 8000

# what each kind says before it stalls, and then bit by bit
KINDS = {
    "at EHLO": (BEGIN[:1], b"", b""),
    "after MAIL": (BEGIN[:2], b"", b""),
    "in a handshake": (["EHLO x", "STARTTLS"], b"", b""),
    "at DATA": (BEGIN, b"", b""),
    "in a message": (BEGIN, TEXT, b""),
    "dripping commands": (BEGIN[:1], b"", b"NOOP" * 1000),
    "dripping content": (BEGIN, TEXT, b"z" * 4000),
}


class Staller:
    def __init__(self, port, n, kind):
        lines, content, self.drip = KINDS[kind]
        self.todo = [(l + "\r\n").encode() for l in lines]
        if content:
            self.todo.append(content)
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.bind(("127.%d.%d.%d" % (1 + n // 60000, n // 250 % 250,
                                          1 + n % 250), 0))
        self.sock.connect_ex(("127.0.0.1", port))
        self.heard, self.over, self.next = b"", False, 0

    def on_input(self):
        try:
            data = self.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.heard += data
        self.over = not data
        # a reply is whole, and asks for what comes next
        last = self.heard.split(b"\r\n")[-2:]
        if len(last) == 2 and not last[1] and last[0][3:4] == b" " and \
                self.todo:
            self.send(self.todo.pop(0))

    def send(self, data):
        try:
            self.sock.send(data)
        except OSError:
            self.over = True


class Crowd(threading.Thread):
    """All of them, in a thread of their own; who is sent away comes back."""

    def __init__(self, port, kinds, total=TOTAL):
        super().__init__(daemon=True)
        self.port, self.kinds, self.total = port, kinds, total
        self.stop = False
        self.sent_away = 0
        self.all = {}
        self.start()

    def add(self, n):
        s = Staller(self.port, n, self.kinds[n % len(self.kinds)])
        self.all[n] = s
        self.sel.register(s.sock, selectors.EVENT_READ, n)

    def run(self):
        self.sel = selectors.DefaultSelector()
        for n in range(self.total):
            self.add(n)
        dripped = 0
        while not self.stop:
            for key, _ in self.sel.select(0.05):
                s = self.all[key.data]
                s.on_input()
                if s.over:
                    self.sel.unregister(s.sock)
                    s.sock.close()
                    self.sent_away += 1
                    self.add(key.data)
            if time.monotonic() - dripped < 0.3:
                continue
            dripped = time.monotonic()
            for s in self.all.values():
                if s.drip and not s.todo:
                    s.send(s.drip[s.next:s.next + 1])
                    s.next = (s.next + 1) % len(s.drip)
        for s in self.all.values():
            s.sock.close()

    def stalls(self):
        return sum(not s.todo for s in self.all.values())

    def end(self):
        self.stop = True
        self.join()


def one_mail(s, port, n, login=None):
    """The seconds that a message takes, None if it did not get through."""
    start = time.monotonic()
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=20,
                          local_hostname="client.test") as c:
            if login:
                c._host = "127.0.0.1"
                c.starttls(context=s.context())
                c.login(*login)
            c.sendmail(s.address("alice"), [s.address("bob")],
                       message(s.address("alice"), s.address("bob"),
                               "normal %d" % n))
    except (smtplib.SMTPException, OSError, ssl.SSLError) as e:
        print("#", type(e).__name__, e)
        return None
    return time.monotonic() - start


def try_all(s, name, port, kinds, login=None):
    usual = max(one_mail(s, port, 99, login) or 9 for _ in range(3))
    crowd = Crowd(port, kinds)
    wait_for(lambda: crowd.stalls() > TOTAL * 0.5 or crowd.sent_away > 100,
             20, 0.2)
    time.sleep(1)
    times = []
    for n in range(15):
        times.append(one_mail(s, port, n, login))
        time.sleep(random.uniform(0, 0.2))
    good = sorted(t for t in times if t is not None)
    print("# %s: %d stalled, %d sent away; messages took %s" % (
        name, crowd.stalls(), crowd.sent_away,
        " ".join("%.2f" % t for t in good[-4:])))
    tap.ok(len(good) == len(times), "%s: each message gets through" % name,
           "%d of %d" % (len(good), len(times)))
    tap.ok(good and good[-1] < max(1.0, 5 * usual),
           "%s: within a second" % name)
    crowd.end()


resource.setrlimit(resource.RLIMIT_NOFILE, (
    resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < TOTAL + 200:
    tap.ok(True, "stallers # SKIP too few descriptors")
    tap.done()
with Instance("authcheck_incoming=no") as s:
    for kind in os.environ.get("KINDS", ",".join(KINDS)).split(","):
        try_all(s, kind, s.SMTP_PORT, [kind])
    try_all(s, "of all kinds", s.SMTP_PORT, list(KINDS))
    login = (s.address("alice"), s.PASS1)
    try_all(s, "at the port of submission", s.SUBMISSION_PORT, ["at EHLO"],
            login)
    tap.ok("disconnect from" in s.read_log(), "the log tells of them")
tap.done()
