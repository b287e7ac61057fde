#!/usr/bin/env python3
"""Clients whose names, or whose senders' domains, nobody answers for: they
are waited for while nobody needs their processes, and no longer."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, packet, wait_for  # noqa: E402
from smtp import (Accounts, Client, Peer, Queue, Server,  # noqa: E402
                  listen_tcp)

t = Tap()
PROCESSES = 8


class Resolver(Peer):
    """Says nothing of 127.9.0.0/16 and slow.test; other names do not
    exist, but other domains take mail."""

    def answer(self, s, verb, attrs, fds):
        a = dict(attrs)
        if a["name"].endswith("9.127.in-addr.arpa") or \
                a["name"].endswith("slow.test"):
            return
        mx = [("status", "found"), ("rr", "0 mx.test")]
        s.send(packet("answer", ("id", a["id"]), ("security", "insecure"),
                      ("ttl", "60"), ("canonical", a["name"]),
                      *(mx if a["type"] == "MX" else
                        [("status", "no-name")])))


folder = Folder(["mydestination = home.test", "myorigin = home.test",
                 "mynetworks =", "authcheck_incoming = no",
                 "smtpd_process_limit = %d" % PROCESSES])
queue, accounts = Queue(folder), Accounts(folder)
resolver = Resolver(folder, "resolver")
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(os.path.join(folder.private, "smtpd"))
listener.listen(64)
smtpd = Server(folder, "smtpd", smtpd=listener)
gate = Server(folder, "gate", smtp=listen_tcp())


def client(source):
    c = Client.__new__(Client)
    c.sock = socket.create_connection(
        ("127.0.0.1", gate.port("smtp")), timeout=60,
        source_address=(source, 0))
    c.file = c.sock.makefile("rb")
    c.reply()
    return c


def crowd(source, *lines):
    """Clients that have said the last of LINES, and wait for the reply."""
    all_ = [client(source % n) for n in range(2 * PROCESSES)]
    for c in all_:
        c.talk(*lines[:-1])
    start = time.monotonic()
    for c in all_:
        c.send(lines[-1] + "\r\n")
    return all_, start


def mail():
    c = client("127.7.0.7")
    reply = c.message("Subject: x\r\n\r\nhello\r\n.\r\n")
    c.close()
    return reply


slow, start = crowd("127.8.%d.1", "EHLO x", "MAIL FROM:<a@%s.slow.test>" % "x")
t.starts(mail(), "250 2.0.0", "domains that are slow: mail of others passes")
got = [c.reply() for c in slow]
took = time.monotonic() - start
t.equal([g[:9] for g in got], ["450 4.1.8"] * len(slow),
        "who is not waited for shall come again")
# alone each would be waited for half a minute
t.ok(took < 25, "soon", took)
for c in slow:
    c.close()

c = client("127.8.0.1")
c.ask("EHLO x")
c.send("MAIL FROM:<a@slow.test>\r\n")
c.sock.settimeout(3)
t.equal(c.reply(), "<TimeoutError>", "while nobody waits, it is waited for")
c.close()

slow, start = crowd("127.9.%d.1", "EHLO x")
t.starts(mail(), "250 2.0.0", "clients' names that are slow: mail passes")
t.equal([c.reply()[:3] for c in slow], ["250"] * len(slow),
        "who has no name is served")
for c in slow:
    c.close()
folder.end()
t.done()
