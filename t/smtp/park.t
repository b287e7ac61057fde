#!/usr/bin/env python3
"""Sessions that gate holds while their clients are waited for: nothing of
them is lost on the way to a process and back, and they cost none."""
import base64
import os
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, wait_for  # noqa: E402
from smtp import Accounts, Client, Queue, Server, listen_tcp  # noqa: E402

t = Tap()
starts = t.starts
SILENCE = 1.4  # longer than a process waits for the next command
folder = Folder()
CERT, KEY = folder.certificate()
folder.configure(["mydestination = home.test", "myorigin = home.test",
                  "mynetworks =", "reject_unknown_sender_domain = no",
                  "authcheck_incoming = no", "smtpd_process_limit = 2",
                  "authcheck_default_action = accept",
                  "smtpd_timeout = 4s", "smtpd_hard_error_limit = 6",
                  "smtpd_tls_cert_file = " + CERT,
                  "smtpd_tls_key_file = " + KEY])
queue, accounts = Queue(folder), Accounts(folder)
folder.start("tlsproxy", "tls-server")


def listen_packets(name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.bind(os.path.join(folder.private, name))
    s.listen(64)
    return s


smtpd = Server(folder, "smtpd", smtpd=listen_packets("smtpd"))
submit = Server(folder, "submit", submit=listen_packets("submit"))
gate = Server(folder, "gate", smtp=listen_tcp())
doors = Server(folder, "gate", submission=listen_tcp(),
               submissions=listen_tcp())
PORT = gate.port("smtp")
context = ssl.create_default_context(cafile=CERT)


def slowly(c, *lines):
    got = []
    for line in lines:
        time.sleep(SILENCE)
        got.append(c.ask(line))
    return got


# A transaction with a silence before each command

c = Client(PORT)
got = slowly(c, "EHLO client.test",
             "MAIL FROM:<a@other.test> SMTPUTF8 RET=HDRS ENVID=x+2By "
             "BODY=8BITMIME",
             "RCPT TO:<joe@home.test> NOTIFY=SUCCESS,DELAY "
             "ORCPT=rfc822;a+20b@c.test", "RCPT TO:<nobody@home.test>",
             "RCPT TO:<ann@home.test>")
t.equal([g[:3] for g in got], ["250", "250", "250", "550", "250"],
        "commands are answered after any silence")
c.send("DA")
time.sleep(SILENCE)
starts(c.ask("TA"), "354", "half a command waits for the other")
time.sleep(SILENCE)
c.send("From: a@other.test\r\nSubject: x\r\n")
time.sleep(SILENCE)
c.send("\r\nhello\r\n.\r\nQUIT\r\n")
starts(c.reply(), "250 2.0.0", "content comes after 354 when it likes")
starts(c.reply(), "221", "and what was sent behind it is read")
c.close()
m = queue.messages[-1]
t.equal(m.recipients, [["joe@home.test", "10", "rfc822;a b@c.test"],
                       ["ann@home.test", "0", ""]], "recipients, whole")
t.equal([m.envelope.get(k) for k in ("sender", "envid", "ret", "body", "helo",
                                     "smtputf8", "protocol", "client")],
        ["a@other.test", "x+y", "HDRS", "8BITMIME", "client.test", "yes",
         "UTF8SMTP", "127.0.0.1"], "the envelope, whole")
t.equal(m.body(), b"hello\r\n", "the content, whole")
t.ok(wait_for(lambda: " ehlo=1 mail=1 "
              "rcpt=2/3 data=1 quit=1 commands=7" in folder.read_log()),
     "and one session is logged", folder.read_log()[-700:])
t.equal(folder.read_log().count(": connect from"), 1, "once")

c = Client(PORT)
c.begin()
time.sleep(SILENCE)
c.send("From: a@other.test\r\n\r\nbare\n.\r\n.\r\nQUIT\r\n")
starts(c.reply(), "550 5.5.2", "content that came late may be refused")
c.reply()
c.close()
t.ok(wait_for(lambda: " data=0/1 quit=1 commands=5" in folder.read_log()),
     "which is counted", folder.read_log()[-300:])

# Sessions do not hold processes

crowd = [Client(PORT) for _ in range(12)]
t.equal([c.ask("EHLO x")[:3] for c in crowd], ["250"] * 12,
        "more sessions than processes")
start = time.monotonic()
t.equal([c.ask("MAIL FROM:<a@other.test>")[:3] for c in crowd],
        ["250"] * 12, "each goes on")
t.ok(time.monotonic() - start < 20, "without waiting for the others to end",
     time.monotonic() - start)
for c in crowd:
    c.close()
t.ok(wait_for(lambda: folder.read_log().count(
    "lost connection after MAIL from unknown") == 12),
    "who leaves is logged with what was last said")

# Limits are those of the session

c = Client(PORT)
c.ask("EHLO x")
got = [c.ask("FOO") for _ in range(3)]
time.sleep(SILENCE)
got += [c.ask("FOO") for _ in range(2)]
time.sleep(SILENCE)
got += [c.ask("FOO"), c.reply()]
t.equal([g[:3] for g in got], ["500"] * 6 + ["421"],
        "errors count across silences")
c.close()
c = Client(PORT)
c.ask("EHLO x")
start = time.monotonic()
starts(c.reply(), "421 4.4.2", "smtpd_timeout ends a silent session")
t.ok(3.5 < time.monotonic() - start < 40, "after that time",
     time.monotonic() - start)
t.ok(wait_for(lambda: "timeout after EHLO from unknown[127.0.0.1]"
              in folder.read_log()), "and is logged as such")
c.close()
c = Client(PORT)
c.ask("EHLO x")
start, line = time.monotonic(), "NOOP" + "x" * 100
try:
    for ch in line:
        c.send(ch)
        time.sleep(0.2)
except OSError:
    pass
t.ok(time.monotonic() - start < 18 and "421 4.4.2" in c.reply(),
     "dripping a line does not lengthen it")
c.close()
c = Client(PORT)
c.ask("EHLO x")
time.sleep(SILENCE)
c.send("NOOP " + "x" * 9000 + "\r\n")
starts(c.reply(), "500 5.5.2", "a line too long is none, after a silence too")
starts(c.ask("NOOP"), "250", "and the next one is read")
c.close()

# TLS and login


def tls(c):
    c.file.close()
    c.sock = context.wrap_socket(c.sock, server_hostname="localhost")
    c.file = c.sock.makefile("rb")


PLAIN = base64.b64encode(b"\0joe\0secret").decode()
c = Client(doors.port("submission"))
got = slowly(c, "EHLO client.test", "STARTTLS")
starts(got[-1], "220 2.0.0", "STARTTLS")
time.sleep(SILENCE)
tls(c)
starts(c.ask("MAIL FROM:<joe@home.test>"), "503 5.5.1 Error: send EHLO",
       "what was said before TLS is forgotten")
got = slowly(c, "EHLO client.test", "AUTH PLAIN", PLAIN,
             "MAIL FROM:<joe@home.test>", "RCPT TO:<ann@far.test>", "DATA")
t.equal([g[:3] for g in got], ["250", "334", "235", "250", "250", "354"],
        "a login lasts")
time.sleep(SILENCE)
c.send("From: joe@home.test\r\n\r\nhi\r\n.\r\n")
starts(c.reply(), "250 2.0.0", "and its message is taken")
m = queue.messages[-1]
t.equal([m.envelope.get(k) for k in ("login", "protocol", "client")],
        ["joe", "ESMTPSA", "127.0.0.1"], "as the user's, over TLS")
t.ok("using TLSv1.3 with cipher" in m.header("Received")[0], "which is told",
     m.header("Received")[0])
c.close()

s = socket.create_connection(("127.0.0.1", doors.port("submissions")),
                             timeout=60)
c = Client.__new__(Client)
time.sleep(SILENCE)
c.sock = context.wrap_socket(s, server_hostname="localhost")
c.file = c.sock.makefile("rb")
starts(c.reply(), "220 mail.home.test", "TLS before the greeting")
got = slowly(c, "EHLO client.test", "AUTH PLAIN " + PLAIN)
starts(got[-1], "235", "login")
t.ok("connect from unknown[127.0.0.1]" in folder.read_log(),
     "the client's address is known behind TLS")
c.close()

s = socket.create_connection(("127.0.0.1", doors.port("submissions")),
                             timeout=60)
s.sendall(b"EHLO this is no TLS\r\n\r\n")
s.settimeout(60)
try:
    data = s.recv(100)
except ConnectionResetError:
    data = b""
t.ok(b"220 " not in data, "who speaks no TLS there is not greeted")
t.ok(wait_for(lambda: "TLS handshake with [127.0.0.1] failed"
              in folder.read_log()), "and it is logged why")
s.close()

folder.end()
t.done()
