#!/usr/bin/env python3
"""gate in front of smtpd, and LMTP: hand-over, limits, early talkers."""
import os
import signal
import smtplib
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, wait_for  # noqa: E402
from smtp import Accounts, Client, Queue, Server, listen_tcp  # noqa: E402

t = Tap()
starts = t.starts
CONF = ["mydestination = home.test", "myorigin = home.test", "mynetworks =",
        "reject_unknown_sender_domain = no", "authcheck_incoming = no",
        "smtpd_process_limit = 4", "smtpd_timeout = 3s",
        "smtpd_client_connection_count_limit = 8"]
folder = Folder(CONF)
queue, accounts = Queue(folder), Accounts(folder)


def listen_unix(path, kind=socket.SOCK_SEQPACKET):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(path)
    s.listen(4)
    return s


smtpd = Server(folder, "smtpd",
               smtpd=listen_unix(os.path.join(folder.private, "smtpd")),
               lmtp=listen_unix(folder.path("lmtp"), socket.SOCK_STREAM))
gate = Server(folder, "gate", smtp=listen_tcp())
PORT = gate.port("smtp")
MESSAGE = "Subject: x\r\n\r\nhello\r\n.\r\n"

c = Client(PORT)
starts(c.greeting, "220 mail.home.test", "gate greets")
log = folder.read_log()
t.ok("connect from" not in str(log), "smtpd has not heard of the client yet")
starts(c.message(MESSAGE), "250 2.0.0", "a message through gate")
t.equal(queue.messages[-1].body(), b"hello\r\n", "is whole")
t.ok("from client.test (unknown [127.0.0.1])" in
     queue.messages[-1].header("Received")[0], "the client is known")
starts(c.ask("QUIT"), "221", "QUIT")
c.close()

c = Client(PORT)
c.send("EHLO x\r\n")
time.sleep(0.1)
t.ok("PIPELINING" in c.reply(), "what came at once is read by smtpd")
c.close()

c = Client(PORT, greet=False)
c.close()
t.ok(wait_for(lambda: "lost connection after CONNECT from [127.0.0.1]"
              in folder.read_log()), "a client that leaves is noted")

crowd = [Client(PORT) for _ in range(8)]
t.equal([c.greeting[:3] for c in crowd], ["220"] * 8, "as many as may be")
c = Client(PORT)
starts(c.greeting, "421 4.7.0", "one more than may be of one client")
c.close()
for c in crowd:
    c.send("NOOP\r\n")
for c in crowd[:4]:
    starts(c.reply(), "250", "the first have a process")
    starts(c.ask("QUIT"), "221", "and end")
    c.close()
for c in crowd[4:]:
    starts(c.reply(), "250", "the others had to wait for one")
    c.close()
t.ok(wait_for(lambda: Client(PORT).greeting.startswith("220")),
     "connections that ended are not counted any more")

idle = Client(PORT)
start = time.monotonic()
starts(idle.reply(), "421 4.4.2", "a client that says nothing is sent away")
t.ok(2 < time.monotonic() - start < 40, "after smtpd_timeout")
idle.close()

# An early talker cannot be told from a quick one without a wait
folder.configure(CONF + ["postscreen_greet_wait = 1s"])
waiting = Server(folder, "gate", smtp=listen_tcp())
c = Client(waiting.port("smtp"), greet=False)
c.send("EHLO x\r\n")
starts(c.reply(), "554 5.5.1", "who talks before the greeting is refused")
t.equal(c.reply(), "", "and sent away")
c.close()
start = time.monotonic()
c = Client(waiting.port("smtp"))
t.ok(c.greeting.startswith("220") and time.monotonic() - start > 0.8,
     "who waits is greeted")
starts(c.ask("NOOP"), "250", "and served")
waiting.process.send_signal(signal.SIGTERM)
time.sleep(0.3)
starts(c.ask("NOOP"), "250", "gate ends, its sessions go on")
starts(c.ask("QUIT"), "221", "to their end")
c.close()
t.ok(wait_for(lambda: waiting.process.poll() is not None, 60),
     "gate ends when the last session has")

# smtpd away, and back

c = Client(PORT)
smtpd.process.send_signal(signal.SIGKILL)
smtpd.process.wait()
c.send("NOOP\r\n")
time.sleep(0.3)
folder.configure(CONF)
Server(folder, "smtpd", **smtpd.sockets)
starts(c.reply(), "250", "a client waits while smtpd is started again")
c.close()

# LMTP


def lmtp():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(folder.path("lmtp"))
    c = Client.__new__(Client)
    c.sock, c.file = s, s.makefile("rb")
    c.greeting = c.reply()
    return c


c = lmtp()
starts(c.greeting, "220 ", "LMTP greets")
starts(c.ask("EHLO x"), "500", "EHLO is not LMTP")
starts(c.ask("LHLO x"), "250", "LHLO is")
c.talk("MAIL FROM:<>", "RCPT TO:<no@home.test>")
starts(c.ask("DATA"), "503 5.5.1", "DATA without a recipient is out of place")
c.ask("RSET")
DIALOGUE = [("MAIL FROM:<a@other.test>", "250"),
            ("RCPT TO:<joe@home.test>", "250"),
            ("RCPT TO:<no@home.test>", "550 5.1.1"),
            ("RCPT TO:<joe@other.test>", "554 5.7.1"),
            ("RCPT TO:<ann@home.test>", "250"), ("DATA", "354")]
for line, want in DIALOGUE:
    starts(c.ask(line), want, line)
c.send(MESSAGE)
starts(c.reply(), "250 2.0.0", "a reply for the first recipient")
starts(c.reply(), "250 2.0.0", "a reply for the second one")
t.equal([r[0] for r in queue.messages[-1].recipients],
        ["joe@home.test", "ann@home.test"], "both are in the envelope")
t.equal(queue.messages[-1].envelope["protocol"], "LMTP", "the protocol too")
starts(c.ask("QUIT"), "221", "QUIT")
c.close()
with smtplib.LMTP(folder.path("lmtp")) as s:
    refused = s.sendmail("a@other.test", ["joe@home.test", "no@home.test"],
                         "Subject: smtplib\n\nhi\n")
t.equal(list(refused), ["no@home.test"], "smtplib's LMTP")

folder.end()
t.done()
