#!/usr/bin/env python3
"""Clients of IMAP and POP3 that hold all places and never log in: they make
room for others, those first of whom there are most. Who has logged in keeps
his place."""
import imaplib
import os
import poplib
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

PLACES = 12
tap = Tap()


class Stranger(threading.Thread):
    """Connects from SOURCE, sends FIRST, then DRIP again and again."""

    def __init__(self, port, source, first=b"", drip=b"", reads=True,
                 pause=0.2):
        super().__init__(daemon=True)
        self.sock = socket.socket()
        if not reads:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.sock.bind((source, 0))
        self.sock.connect(("127.0.0.1", port))
        self.drip, self.reads, self.heard = drip, reads, b""
        self.sock.settimeout(pause)
        self.over = self.ended = False
        if first:
            self.sock.sendall(first)
        self.start()

    def run(self):
        while not self.ended:
            try:
                if self.drip:
                    self.sock.sendall(self.drip)
                if not self.reads:
                    time.sleep(0.2)
                    continue
                data = self.sock.recv(4096)
                self.heard += data
                if not data:
                    break
            except TimeoutError:
                pass
            except OSError:
                break
        self.over = True

    def end(self):
        self.ended = True
        self.join()
        self.sock.close()


def log_in(open_one):
    """The seconds that a login took, within 60 of them."""
    begun = time.monotonic()
    try:
        held = open_one()
    except (imaplib.IMAP4.error, poplib.error_proto, OSError) as e:
        return tap.note(repr(e))
    getattr(held, "logout", getattr(held, "quit", None))()
    return time.monotonic() - begun


def fill(port, n, **how):
    """N strangers, three of each address."""
    return [Stranger(port, "127.9.%d.1" % (k // 3), **how) for k in range(n)]


def one_kind(what, open_one, port, **how):
    crowd = fill(port, 3 * PLACES, **how)
    time.sleep(1)
    took = [log_in(open_one) for _ in range(2)]
    tap.ok(all(t is not None for t in took), what + ": others log in")
    tap.note("after %s s" % took)
    for x in crowd:
        x.end()
    return crowd


def all_kinds(s, what, open_one, port, tls_port, noop, login, flood):
    held = open_one()
    crowd = one_kind(what + ", silent", open_one, port)
    tap.ok(any(b"others need the place" in x.heard.lower() for x in crowd),
           what + ": they are told why", [x.heard for x in crowd])
    one_kind(what + ", busy", open_one, port, drip=noop)
    one_kind(what + ", within a login", open_one, port, first=login)
    one_kind(what + ", with no end to a line", open_one, port, drip=b"x",
             pause=0.02)
    one_kind(what + ", that do not read", open_one, port, first=flood,
             reads=False)
    one_kind(what + ", in a handshake", open_one, tls_port)
    one_kind(what + ", dripping a handshake", open_one, tls_port,
             first=b"\x16\x03\x01\x02\x00\x01", drip=b"\0")
    tap.ok(held.noop(), what + ": a session from before is still there")
    getattr(held, "logout", getattr(held, "quit", None))()


def few_and_many(s):
    few = [Stranger(s.POP3_PORT, "127.8.%d.1" % n) for n in range(3)]
    tap.ok(wait_for(lambda: all(b"+OK" in x.heard for x in few), 30),
           "some have one place each")
    many = fill(s.POP3_PORT, PLACES - 3)
    tap.ok(wait_for(lambda: all(b"+OK" in x.heard for x in many), 30),
           "others three, later")
    tap.ok(log_in(s.pop3) is not None, "who comes gets a place")
    tap.ok(wait_for(lambda: any(x.over for x in many), 30) and
           not any(x.over for x in few), "of those who have most",
           [x.over for x in few + many])
    for x in few + many:
        x.end()


with Instance("imap_process_limit=%d" % PLACES,
              "pop3_process_limit=%d" % PLACES, "disable_plaintext_auth=no",
              "smtpd_client_connection_count_limit=50") as s:
    few_and_many(s)
    all_kinds(s, "POP3", s.pop3, s.POP3_PORT, s.POP3S_PORT, b"CAPA\r\n",
              b"AUTH PLAIN\r\n", b"CAPA\r\n" * 30000)
    all_kinds(s, "IMAP", s.imap, s.IMAP_PORT, s.IMAPS_PORT, b"a NOOP\r\n",
              b"a AUTHENTICATE PLAIN\r\n", b"a CAPABILITY\r\n" * 30000)
    tap.ok("makes room for others" in s.read_log(), "the log tells of them")
tap.done()
