#!/usr/bin/env python3
"""Hostile clients: the others are served, and everything goes on."""
import os
import random
import resource
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from attack import answer, connect, say, steady, tap, wrapped  # noqa: E402
from instance import Instance  # noqa: E402

CLIENT_LIMIT = 10
PORTS = ("SMTP", "SUBMISSION", "SUBMISSIONS", "IMAP", "IMAPS", "POP3",
         "POP3S")
noise = random.Random(1)


def is_ended(c):
    """Did the other side close C?"""
    c.settimeout(10)
    try:
        while c.recv(65536):
            pass
    except socket.timeout:
        return False
    except OSError:
        pass
    c.close()
    return True


def listeners(s):
    inputs = [noise.randbytes(65536), bytes(5000), b"EHLO x", b"\r\n" * 9999,
              b"\x16\x03\x01\xff\xff" + noise.randbytes(3000), b""]
    begun = time.monotonic()
    for port in PORTS + ("LMTP",):
        for data in inputs:
            c = connect(s, port)
            say(c, data)
            answer(c)
    tap.ok(time.monotonic() - begun < 30, "garbage is answered at once")
    steady(s, "garbage")
    for port in PORTS + ("LMTP",):
        c = wrapped(s, port)
        say(c, b"A" * (4 << 20), end=False)
        tap.ok(is_ended(c), "%s: an endless line is ended" % port)
    steady(s, "endless lines")


def starttls(s):
    for port, ask in (("SMTP", b"EHLO x\r\nSTARTTLS\r\n"),
                      ("SUBMISSION", b"EHLO x\r\nSTARTTLS\r\n"),
                      ("IMAP", b"a STARTTLS\r\n"), ("POP3", b"STLS\r\n")):
        c = connect(s, port)
        c.recv(1000)
        say(c, ask + b"NOOP\r\nRSET\r\na NOOP\r\n", end=False)
        time.sleep(0.3)
        say(c, noise.randbytes(3000))
        got = answer(c)
        tap.ok(b"a OK NOOP" not in got and b"RSET" not in got and
               got.count(b"\n250 ") <= 1,
               "%s: what stands behind STARTTLS in the clear is not done"
               % port)
    steady(s, "STARTTLS")


def many(s):
    for port in ("SUBMISSION", "IMAP", "POP3"):
        held = [connect(s, port) for _ in range(4 * CLIENT_LIMIT)]
        other = socket.create_connection(
            (s.HOST, getattr(s, port + "_PORT")), 10, ("127.0.0.9", 0))
        greeting = other.recv(100)
        other.close()
        said = [c.recv(100) for c in held]
        refused = [text for text in said if b"oo many" in text]
        tap.ok(len(refused) == 3 * CLIENT_LIMIT and greeting and
               b"oo many" not in greeting,
               "%s: one client cannot keep the others out" % port)
        for c in held:
            c.close()
    held = [connect(s, "SMTP") for _ in range(1500)]
    other = socket.create_connection((s.HOST, s.SMTP_PORT), 10,
                                     ("127.0.0.9", 0))
    tap.ok(other.recv(100).startswith(b"220"),
           "SMTP: neither with 1500 connections")
    for c in held + [other]:
        c.close()
    steady(s, "many connections")


def said(c, data, want):
    """Sends DATA and reads until WANT came."""
    got = b""
    c.sendall(data)
    while want not in got:
        more = c.recv(1000)
        if not more:
            break
        got += more
    return c


def begun(s, what):
    """A client that has come so far, and what it then says a byte of now and
    then."""
    if what == "half a TLS record":
        return connect(s, "IMAPS"), b"\x16\x03\x01\x02\x00\x01"
    if what == "half a command":
        return said(connect(s, "SUBMISSION"), b"", b"220"), b"EHLO " * 90
    if what == "DATA":
        c = said(connect(s, "SMTP"), b"", b"220")
        for line, want in ((b"EHLO x.test", b"250 "),
                           (b"MAIL FROM:<a@b.test>", b"250 "),
                           (b"RCPT TO:<%s>" % s.address().encode(), b"250 "),
                           (b"DATA", b"354")):
            said(c, line + b"\r\n", want)
        return c, b"Subject: slow\r\n" * 90
    if what == "LMTP":
        return said(connect(s, "LMTP"), b"", b"220"), b"LHLO " * 90
    if what == "a literal":
        c = said(wrapped(s, "IMAPS"), b"", b"* OK")
        said(c, b"a LOGIN %s %s\r\n" % (s.USER2.encode(),
                                        s.PASS2.encode()), b"a OK")
        said(c, b"b APPEND INBOX {100000}\r\n", b"+ ")
        return c, b"Subject: slow\r\n" * 90
    c = said(wrapped(s, "POP3S"), b"", b"+OK")
    said(c, b"USER %s\r\n" % s.USER2.encode(), b"+OK")
    said(c, b"PASS %s\r\n" % s.PASS2.encode(), b"+OK")
    return c, b"NOOP " * 90


def slow(s):
    """Clients that say a byte at a time, on each way to come in."""
    held = [begun(s, what) for what in
            ("half a TLS record", "half a command", "DATA", "LMTP",
             "a literal") for _ in range(CLIENT_LIMIT - 2)]
    held.append(begun(s, "after the login"))  # which one has alone
    worst = 0
    for turn in range(5):
        for c, text in held:
            say(c, text[turn:turn + 1], end=False)
        start = time.monotonic()
        with s.smtp() as c:
            c.sendmail("a@b.test", [s.address()],
                       b"From: a@b.test\r\nSubject: quick\r\n\r\n")
        s.submission().quit()
        s.imap().logout()
        s.pop3().quit()
        worst = max(worst, time.monotonic() - start)
    tap.ok(worst < 20 and s.wait_messages(5), "slow clients hold up no other")
    for c, _ in held:
        c.close()
    steady(s, "slow clients")


resource.setrlimit(resource.RLIMIT_NOFILE, (4000, 4000))
with Instance("smtpd_client_connection_count_limit=%d" % CLIENT_LIMIT,
              "smtpd_pregreet_reject=no") as s:
    many(s)
    slow(s)
with Instance() as s:
    listeners(s)
    starttls(s)
tap.done()
