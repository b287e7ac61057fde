#!/usr/bin/env python3
"""Two thousand clients that stall, from as many addresses: at EHLO, after
MAIL, at DATA, within a message, dripping. Mail of others gets through within a
second, and as a rule as fast as if there were none of them. The measure is a
suite that nobody stalls, which gets a message after each: on a loaded machine
they take longer there, too. There any one message may wait for the processor;
what stallers cause would not be over when three more are sent at once."""
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


def send_pairs(s, rest, port, first, count, login):
    """[(seconds, seconds of one to the suite at rest)]"""
    at_rest = rest.SMTP_PORT if port == s.SMTP_PORT else rest.SUBMISSION_PORT
    pairs = []
    for n in range(first, first + count):
        pairs.append((one_mail(s, port, n, login),
                      one_mail(rest, at_rest, n, login) or 0))
        time.sleep(random.uniform(0, 0.2))
    return pairs


def late(pairs):
    return [(t, r) for t, r in pairs
            if t is not None and t >= 1.0 and t - r >= 1.0]


def middle(times):
    return sorted(times)[len(times) // 2]


def try_all(s, rest, name, port, kinds, login=None):
    crowd = Crowd(lambda n: staller(port, n, kinds[n % len(kinds)]), TOTAL,
                  0.3)
    wait_for(lambda: crowd.stalls() > TOTAL * 0.5 or crowd.sent_away > 100,
             20, 0.2)
    time.sleep(1)
    pairs = send_pairs(s, rest, port, 0, 15, login)
    slow, again = late(pairs), []
    if len(slow) == 1:
        again = send_pairs(s, rest, port, 15, 3, login)
    lost = sum(t is None for t, _ in pairs + again)
    good = sorted(t for t, _ in pairs if t is not None) or [0]
    usual = middle([r for _, r in pairs])
    print("# %s: %d stalled, %d sent away; messages took %s, usually %.2f; "
          "at rest %.2f" % (name, crowd.stalls(), crowd.sent_away,
                            " ".join("%.2f" % t for t in good[-4:]),
                            middle(good), usual))
    tap.ok(lost == 0, "%s: each message gets through" % name, lost)
    tap.ok(len(slow) < 2 and not late(again), "%s: within a second" % name,
           slow + late(again))
    tap.ok(middle(good) < 2 * usual + 0.2, "%s: as a rule as fast as at rest" %
           name, (middle(good), usual))
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
