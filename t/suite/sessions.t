#!/usr/bin/env python3
# What a client sees of the administrator: `posthorn reload` drops no session,
# `posthorn stop` ends each with a word of its protocol, and soon.
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402

tap = Tap()
ok = tap.ok


class Line:
    """A connection that is spoken by hand."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")

    def read(self):
        try:
            return self.file.readline().decode().strip()
        except (OSError, socket.timeout) as e:
            return "(%s)" % e

    def say(self, text):
        try:
            self.sock.sendall(text.encode() + b"\r\n")
        except OSError as e:
            return "(%s)" % e
        return self.read()

    def rest(self):
        """All that comes until the end."""
        lines = []
        while True:
            line = self.read()
            if not line:
                return lines
            lines.append(line)


def open_all(s):
    x = {}
    x["a client that gate holds"] = Line(s.raw(s.SMTP_PORT))
    x["a client that gate holds"].read()
    x["SMTP after MAIL"] = smtp = Line(s.raw(s.SMTP_PORT))
    smtp.read()
    smtp.say("HELO client.test")
    smtp.say("MAIL FROM:<ann@far.test>")
    x["submission over TLS"] = s.submission()
    x["IMAP before login"] = Line(s.raw(s.IMAP_PORT))
    x["IMAP before login"].read()
    x["IMAP over TLS"] = s.imap()
    x["IMAP over TLS"].select()
    x["IMAP in IDLE"] = s.imap()
    x["IMAP in IDLE"].select()
    x["IMAP in IDLE"].send(b"i1 IDLE\r\n")
    x["IMAP in IDLE"].readline()
    x["POP3 before login"] = Line(s.raw(s.POP3_PORT))
    x["POP3 before login"].read()
    x["POP3 over TLS"] = s.pop3(s.USER2, s.PASS2)
    return x


def reload(s):
    done = s.posthorn("reload")
    ok(done.returncode == 0, "reload")
    s.wait_log("all services are ready", times=2)
    # the instances of before notice, and end where they can
    time.sleep(1)


def test_reload(s):
    x = open_all(s)
    reload(s)
    gate = x["a client that gate holds"]
    ok(gate.say("NOOP").startswith("250"),
       "a client that gate held is served after a reload")
    smtp = x["SMTP after MAIL"]
    ok(smtp.say("RCPT TO:<%s>" % s.address()).startswith("250"),
       "SMTP: RCPT after a reload between MAIL and RCPT")
    ok(smtp.say("DATA").startswith("354"), "SMTP: DATA")
    ok(smtp.say("From: ann@far.test\r\nSubject: across\r\n\r\n"
                "text\r\n.").startswith("250"),
       "SMTP: the message is taken")
    x["submission over TLS"].sendmail(
        s.address(), [s.address()], message(s.address(), s.address(), "two"))
    ok(True, "submission over TLS: a message is taken after the reload")
    idle = x["IMAP in IDLE"]
    ok(b"EXISTS" in idle.readline(), "IDLE: the message is told")
    ok(x["IMAP over TLS"].noop()[0] == "OK", "IMAP goes on")
    ok(x["IMAP before login"].say("a NOOP").startswith("a OK"),
       "IMAP goes on before login")
    ok(x["POP3 over TLS"].noop().startswith(b"+OK"), "POP3 goes on")
    ok(x["POP3 before login"].say("CAPA").startswith("+OK"),
       "POP3 goes on before login")
    ok(len(s.wait_messages(2)) == 2, "both messages have arrived")
    return x


def test_feed(s):
    """What tells of changes is started again: a session, which is its user's
    by now, cannot reach it, and does not try with each change."""
    m = s.imap()
    m.append("INBOX", None, None, b"Subject: x\r\n\r\n")
    m.select("INBOX")
    feed = s.pid_of("mailbox-feed")
    os.kill(feed, signal.SIGKILL)
    ok(wait_for(lambda: s.pid_of("mailbox-feed") not in (0, feed), 30),
       "mailbox-feed is started again")
    for i in range(20):
        m.store("1", "+-"[i % 2] + "FLAGS", "(\\Flagged)")
    ok(m.noop()[0] == "OK", "sessions go on")
    m.store("1", "+FLAGS", "(\\Deleted)")
    m.expunge()
    m.logout()
    ok(" refused" not in s.read_log(), "it refuses nobody of ours")


def is_encrypted(s):
    c = s.smtp()
    c.starttls(context=s.context())
    good = c.ehlo()[0] == 250
    c.quit()
    return good


def test_tls(s):
    """Processes keep their connections to tlsproxy."""
    ok(all(is_encrypted(s) for _ in range(4)), "sessions with STARTTLS")
    tls = s.pid_of("tls-server")
    os.kill(tls, signal.SIGKILL)
    ok(wait_for(lambda: s.pid_of("tls-server") not in (0, tls), 30),
       "tlsproxy is started again")
    ok(all(is_encrypted(s) for _ in range(4)),
       "… and those that had asked the former one ask it")


def last_word(x):
    if isinstance(x, Line):
        return x.rest()
    sock = getattr(x, "sock", None) or x._sock
    sock.settimeout(60)
    return Line(sock).rest()


def test_stop(s):
    x = open_all(s)
    time.sleep(1.5)
    start = time.monotonic()
    ok(s.posthorn("stop").returncode == 0, "stop")
    took = time.monotonic() - start
    ok(took < 30, "it does not wait for clients at rest (%.1f s)" % took)
    for name, client in x.items():
        words = last_word(client)
        want = {"P": "-ERR", "I": "* BYE"}.get(name[0], "421 4.3.2")
        ok(any(w.startswith(want) for w in words),
           "%s: %s" % (name, words[-1] if words else "(nothing)"))


with Instance() as s:
    test_feed(s)
    test_tls(s)
    test_reload(s)
    test_stop(s)
tap.done()
