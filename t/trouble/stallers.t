#!/usr/bin/env python3
"""Two thousand clients that stall, from as many addresses: at EHLO, after
MAIL, at DATA, within a message, dripping. Mail of others gets through within a
second. On a loaded machine a message takes longer anywhere: one that did may
take that second more than one to a suite that nobody stalls, right after it."""
import os
import random
import resource
import smtplib
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from crowd import Crowd, Puppet  # noqa: E402
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


def staller(port, n, kind):
    lines, content, drip = KINDS[kind]
    lines = [(line + "\r\n").encode() for line in lines]
    source = "127.%d.%d.%d" % (1 + n // 60000, n // 250 % 250, 1 + n % 250)
    return Puppet(port, source, lines + [content] * bool(content),
                  [bytes([b]) for b in drip])


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


def try_all(s, rest, name, port, kinds, login=None):
    ports = {s.SMTP_PORT: rest.SMTP_PORT,
             s.SUBMISSION_PORT: rest.SUBMISSION_PORT}
    crowd = Crowd(lambda n: staller(port, n, kinds[n % len(kinds)]), TOTAL,
                  0.3)
    wait_for(lambda: crowd.stalls() > TOTAL * 0.5 or crowd.sent_away > 100,
             20, 0.2)
    time.sleep(1)
    times, late = [], []
    for n in range(15):
        times.append(one_mail(s, port, n, login))
        if times[-1] is not None and times[-1] >= 1.0:
            at_rest = one_mail(rest, ports[port], n, login) or 0
            if times[-1] - at_rest >= 1.0:
                late.append((times[-1], at_rest))
        time.sleep(random.uniform(0, 0.2))
    good = sorted(t for t in times if t is not None)
    print("# %s: %d stalled, %d sent away; messages took %s" % (
        name, crowd.stalls(), crowd.sent_away,
        " ".join("%.2f" % t for t in good[-4:])))
    tap.ok(len(good) == len(times), "%s: each message gets through" % name,
           "%d of %d" % (len(good), len(times)))
    tap.ok(good and not late, "%s: within a second" % name, late)
    crowd.end()


resource.setrlimit(resource.RLIMIT_NOFILE, (
    resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < TOTAL + 200:
    tap.ok(True, "stallers # SKIP too few descriptors")
    tap.done()
with Instance("authcheck_incoming=no") as s, \
        Instance("authcheck_incoming=no") as rest:
    for kind in os.environ.get("KINDS", ",".join(KINDS)).split(","):
        try_all(s, rest, kind, s.SMTP_PORT, [kind])
    try_all(s, rest, "of all kinds", s.SMTP_PORT, list(KINDS))
    login = (s.address("alice"), s.PASS1)
    try_all(s, rest, "at the port of submission", s.SUBMISSION_PORT,
            ["at EHLO"], login)
    tap.ok("disconnect from" in s.read_log(), "the log tells of them")
tap.done()
