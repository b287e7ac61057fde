#!/usr/bin/env python3
"""Clients that drip their content, as many as would fill all processes many
times: from a few addresses, and from one each. Mail of others gets through,
that of slow but honest ones too; and who drips while nobody waits is left
alone."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, wait_for  # noqa: E402
from crowd import Crowd, Puppet  # noqa: E402
from smtp import Accounts, Client, Queue, Server, listen_tcp  # noqa: E402

t = Tap()
PROCESSES = 8
CROWD = 40
DRIP = b"z" * 128 + b"\r\n"  # ten times a second
BEGIN = [b"EHLO x\r\n", b"MAIL FROM:<a@other.test>\r\n",
         b"RCPT TO:<joe@home.test>\r\n", b"DATA\r\n", b"Subject: x\r\n\r\n"]
folder = Folder(["mydestination = home.test", "myorigin = home.test",
                 "mynetworks =", "reject_unknown_sender_domain = no",
                 "authcheck_incoming = no",
                 "smtpd_process_limit = %d" % PROCESSES,
                 # long, so that a machine that stands still harms nobody
                 "smtpd_stress_timeout = 3s", "smtpd_timeout = 300s",
                 "smtpd_client_connection_count_limit = 50"])
queue, accounts = Queue(folder), Accounts(folder)


def listen_packets(name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.bind(os.path.join(folder.private, name))
    s.listen(64)
    return s


lmtp = socket.socket(socket.AF_UNIX)
lmtp.bind(folder.path("lmtp"))
lmtp.listen(4)
smtpd = Server(folder, "smtpd", smtpd=listen_packets("smtpd"), lmtp=lmtp)
gate = Server(folder, "gate", smtp=listen_tcp())
PORT = gate.port("smtp")


def gather(sources):
    """A crowd of one from each of SOURCES."""
    return Crowd(lambda n: Puppet(PORT, sources[n], BEGIN, [DRIP]),
                 len(sources), 0.1)


def mail_from(source, parts=(b"Subject: n\r\n\r\nhello\r\n",), pause=0):
    """What comes of a message, and the seconds that it took."""
    start = time.monotonic()
    c = Client.__new__(Client)
    c.sock = socket.create_connection(("127.0.0.1", PORT), timeout=60,
                                      source_address=(source, 0))
    c.file = c.sock.makefile("rb")
    try:
        c.reply()
        reply = c.begin()
    except OSError as e:
        reply = str(e)
    if reply.startswith("354"):
        try:
            for part in parts:
                c.send(part)
                time.sleep(pause)
            c.send(b".\r\n")
        except OSError:
            pass
        reply = c.reply()
    c.close()
    return reply, time.monotonic() - start


SLOWLY = [b"Subject: slow\r\n\r\n"] + [b"s" * 998 + b"\r\n"] * 60

c = Client(PORT)
c.begin()
for n in range(60):
    c.send(DRIP)
    time.sleep(0.1)
c.send(b".\r\n")
t.starts(c.reply(), "250 2.0.0", "who drips while nobody waits is served")
c.close()

for name, sources in (
        ("a few addresses", ["127.9.%d.1" % (n % 3) for n in range(CROWD)]),
        ("a network", ["127.9.0.%d" % (n + 1) for n in range(CROWD)]),
        ("as many addresses", ["127.9.%d.1" % n for n in range(CROWD)])):
    crowd = gather(sources)
    wait_for(lambda: crowd.stalls() >= PROCESSES // 2, 30)
    time.sleep(1)  # so that as many as can have a process
    for n in range(3):
        reply, took = mail_from("127.7.%d.7" % n)
        t.starts(reply, "250 2.0.0", "drippers of %s: mail %d passes" % (
            name, n))
        t.note("after %.1f s" % took)
    reply, took = mail_from("127.8.0.8", SLOWLY, 0.1)
    t.starts(reply, "250 2.0.0", "… and one at ten kilobytes a second")
    crowd.end()
    t.note("%d were sent away" % crowd.sent_away)
t.ok("too slow under load" in folder.read_log(), "the log says why")

# LMTP knows no gate

s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(folder.path("lmtp"))
c = Client.__new__(Client)
c.sock, c.file = s, s.makefile("rb")
c.reply()
c.talk("LHLO x", "MAIL FROM:<>", "RCPT TO:<joe@home.test>")
t.starts(c.ask("DATA"), "354", "LMTP: DATA")
time.sleep(3.5)
c.send("Subject: x\r\n\r\nhello\r\n.\r\n")
t.starts(c.reply(), "250 2.0.0", "content that comes late is taken")
c.close()

folder.end()
t.done()
