#!/usr/bin/env python3
"""submit alone, behind the real tlsproxy: TLS before login, login before
mail, senders that belong to the login, messages completed."""
import base64
import os
import smtplib
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap  # noqa: E402
from smtp import Accounts, Client, Queue, Server, listen_tcp  # noqa: E402

t = Tap()
starts = t.starts
folder = Folder()
CERT, KEY = folder.certificate()
folder.configure(["authcheck_default_action = accept",
                  "mydestination = home.test", "myorigin = home.test",
                  "smtpd_tls_cert_file = " + CERT,
                  "smtpd_tls_key_file = " + KEY])
queue, accounts = Queue(folder), Accounts(folder)
folder.start("tlsproxy", "tls-server")
server = Server(folder, "submit", submission=listen_tcp(),
                submissions=listen_tcp())
PORT, TLS_PORT = server.port("submission"), server.port("submissions")
context = ssl.create_default_context(cafile=CERT)


def secure():
    """A client under TLS after STARTTLS."""
    c = Client(PORT)
    c.talk("EHLO client.test", "STARTTLS")
    c.file.close()
    c.sock = context.wrap_socket(c.sock, server_hostname="localhost")
    c.file = c.sock.makefile("rb")
    return c


def encoded(text):
    return base64.b64encode(text).decode()


PLAIN = encoded(b"\0joe\0secret")

# Before TLS

c = Client(PORT)
ehlo = c.ask("EHLO client.test")
t.ok("STARTTLS" in ehlo and "AUTH" not in ehlo,
     "STARTTLS is offered, AUTH is not")
starts(c.ask("AUTH PLAIN " + PLAIN), "538 5.7.11", "no login without TLS")
starts(c.ask("MAIL FROM:<joe@home.test>"), "530 5.7.0 Must issue a STARTTLS",
       "no mail without TLS")
starts(c.ask("STARTTLS x"), "501 5.5.4", "STARTTLS has no arguments")
c.close()
t.equal([v for v, a in accounts.asked if v == "auth"], [],
        "the password went nowhere")

# STARTTLS injection: what comes with STARTTLS in plain text is not obeyed

c = Client(PORT)
c.ask("EHLO client.test")
c.send("STARTTLS\r\nMAIL FROM:<joe@home.test>\r\n")
starts(c.reply(), "554 5.5.0", "plain text behind STARTTLS is refused")
t.equal(c.reply(), "", "and the connection ended")
c.close()

# Under TLS

c = secure()
starts(c.ask("MAIL FROM:<joe@home.test>"), "503 5.5.1",
       "EHLO from before TLS is forgotten")
ehlo = c.ask("EHLO client.test")
t.ok("AUTH PLAIN LOGIN" in ehlo and "STARTTLS" not in ehlo,
     "AUTH is offered under TLS")
DIALOGUE = [
    ("STARTTLS", "503 5.5.1"), ("MAIL FROM:<joe@home.test>", "530 5.7.0"),
    ("AUTH", "501 5.5.4"), ("AUTH CRAM-MD5", "504 5.5.4"),
    ("AUTH PLAIN " + encoded(b"\0joe\0wrong"), "535 5.7.8"),
    ("AUTH PLAIN " + encoded(b"\0temp\0secret"), "454 4.7.0"),
    ("AUTH PLAIN", "334 "), ("*", "501 5.7.0"),
    ("AUTH LOGIN", "334 VXNlcm5hbWU6"), ("*", "501 5.7.0"),
    ("AUTH LOGIN", "334 VXNlcm5hbWU6"), (encoded(b"joe"), "334 UGFzc3dvcmQ6"),
    (encoded(b"wrong"), "535 5.7.8"),
    ("AUTH PLAIN", "334 "), (PLAIN, "235 2.7.0"),
    ("AUTH PLAIN " + PLAIN, "503 5.5.1"),
    ("MAIL FROM:<ann@home.test>", "553 5.7.1"),
    ("MAIL FROM:<temp@home.test>", "451 4.3.0"),
    ("MAIL FROM:<joe@home.test> AUTH=<>", "250 2.1.0"),
    ("AUTH PLAIN " + PLAIN, "503 5.5.1"),
    ("RCPT TO:<x@other.test>", "250 2.1.5"),
    ("RCPT TO:<no@home.test>", "550 5.1.1"),
    ("RCPT TO:<no@[127.0.0.1]>", "550 5.1.1 <no@home.test>"), ("DATA", "354"),
    ("Subject: x\r\nBcc: secret@other.test\r\n\r\nhi\r\n.", "250 2.0.0"),
    ("QUIT", "221"),
]
for line, want in DIALOGUE:
    starts(c.ask(line), want, line.split("\r")[0])
c.close()
m = queue.messages[-1]
t.equal(m.envelope["login"], "joe", "login in the envelope")
t.equal(m.envelope["protocol"], "ESMTPSA", "protocol in the envelope")
t.ok(m.envelope["tls"].startswith("TLSv1.3 with cipher "), "TLS as well")
t.ok(" with ESMTPSA id " in m.header("Received")[0] and
     "(using TLSv1.3 with cipher " in m.header("Received")[0],
     "Received tells of TLS and login: " + m.header("Received")[0])
t.equal(m.header("From"), ["<joe@home.test>"], "From is added")
t.ok(len(m.header("Date")) == 1 and len(m.header("Message-ID")) == 1,
     "Date and Message-ID are added")
t.equal(m.header("Bcc"), [], "Bcc is taken out")
t.equal(m.body(), b"hi\r\n", "the body is as sent")

with smtplib.SMTP_SSL("localhost", TLS_PORT, context=context) as s:
    s.login("joe", "secret")
    s.sendmail("joe@home.test", ["x@other.test"],
               "From: Joe <joe@home.test>\nDate: now\nMessage-ID: <1@x>\n\n1\n")
m = queue.messages[-1]
t.equal((m.header("From"), m.header("Date"), m.header("Message-ID")),
        (["Joe <joe@home.test>"], ["now"], ["<1@x>"]),
        "port 465, smtplib: what is there stays")
with smtplib.SMTP("localhost", PORT) as s:
    s.starttls(context=context)
    try:
        s.login("joe", "bad")
        t.ok(False, "smtplib: wrong password")
    except smtplib.SMTPAuthenticationError as e:
        t.equal(e.smtp_code, 535, "smtplib: wrong password")
if subprocess.run(["which", "swaks"], capture_output=True).returncode == 0:
    for how in (["--tls", "--port", str(PORT), "--auth", "PLAIN"],
                ["--tls", "--port", str(PORT), "--auth", "LOGIN"],
                ["--tlsc", "--port", str(TLS_PORT), "--auth", "LOGIN"]):
        n = len(queue.messages)
        p = subprocess.run(["swaks", "--server", "localhost", "--to",
                            "x@other.test", "--from", "joe@home.test", "-au",
                            "joe", "-ap", "secret"] + how,
                           capture_output=True)
        t.ok(p.returncode == 0 and len(queue.messages) == n + 1,
             "swaks " + " ".join(how[:1] + how[4:]))
else:
    t.ok(True, "swaks # SKIP not installed")
t.ok("secret" not in folder.read_log(), "no password in the log")
t.ok("SASL PLAIN authentication failed: wrong password" in folder.read_log(),
     "failed logins in the log")
t.ok(", sasl_username=joe, message-id=<1@x>" in folder.read_log(),
     "logins in the log")

# Without tlsproxy there is no TLS, and no mail

for p in folder.programs:
    if p is not server:
        p.stop()
c = Client(PORT)
c.talk("EHLO client.test", "STARTTLS")
t.equal(c.reply(), "", "a failed handshake ends the session")
c.close()

folder.end()
t.done()
