#!/usr/bin/env python3
"""smtpd alone: dialogue, limits, smuggling, what comes into the queue."""
import os
import re
import smtplib
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, wait_for  # noqa: E402
from smtp import Accounts, Client, Queue, Server, listen_tcp  # noqa: E402

t = Tap()
starts = t.starts
CONF = ["mydestination = home.test", "virtual_alias_domains = alias.test",
        "mynetworks =", "myorigin = home.test",
        "reject_unknown_sender_domain = no", "authcheck_incoming = no",
        "message_size_limit = 1M", "smtpd_recipient_limit = 5",
        "smtpd_hard_error_limit = 20", "smtpd_timeout = 3s",
        "smtpd_junk_command_limit = 20", "hopcount_limit = 10"]
folder = Folder(CONF)
queue, accounts = Queue(folder), Accounts(folder)
server = Server(folder, "smtpd", smtp=listen_tcp())
PORT = server.port("smtp")

HEAD = "From: a@other.test\r\nSubject: x\r\n\r\n"


def last():
    return queue.messages[-1]


# What a process that waits has for itself: more was due to a heap that each
# child put in order anew


def text_of(pid, name):
    with open("/proc/%d/%s" % (pid, name)) as f:
        return f.read()


def private_kib(pid):
    return int(re.search(r"Private_Dirty:\s+(\d+)",
                         text_of(pid, "smaps_rollup")).group(1))


def waits(pid):
    fds = "/proc/%d/fd" % pid
    try:
        return any("eventpoll" in os.readlink(os.path.join(fds, fd))
                   for fd in os.listdir(fds))
    except OSError:     # it comes and goes
        return False


def spare():
    pid = server.process.pid
    return [int(p) for p in text_of(pid, "task/%d/children" % pid).split()]


t.ok(wait_for(lambda: sum(map(waits, spare())) == 2), "two processes wait")
if "libasan" in text_of(server.process.pid, "maps"):
    t.ok(True, "a process that waits is small # SKIP sanitized")
else:
    t.ok(max(map(private_kib, spare())) < 110,
         "a process that waits is small")

# Dialogue

c = Client(PORT)
starts(c.greeting, "220 mail.home.test ESMTP", "greeting")
ehlo = c.ask("EHLO client.test")
for word in ("PIPELINING", "SIZE 1048576", "ENHANCEDSTATUSCODES", "8BITMIME",
             "SMTPUTF8", "DSN"):
    t.ok(word in ehlo, "EHLO offers " + word)
t.ok("STARTTLS" not in ehlo, "no STARTTLS without a certificate")
t.ok("CHUNKING" not in ehlo and "BINARYMIME" not in ehlo,
     "nothing is offered that is not there")
DIALOGUE = [
    ("STARTTLS", "502 5.5.1"), ("AUTH PLAIN", "500 5.5.2"),
    ("VRFY joe", "252 2.0.0"), ("HELP", "214 2.0.0"), ("NOOP x", "250 2.0.0"),
    ("noop", "250 2.0.0"), ("RCPT TO:<joe@home.test>", "503 5.5.1"),
    ("DATA", "503 5.5.1"), ("MAIL", "501 5.5.4"),
    ("MAIL FROM:a b@c", "555 5.5.4"), ("MAIL FROM:<a@b", "501 5.1.7"),
]
for line, want in DIALOGUE:
    starts(c.ask(line), want, line)
c.close()

for what, much, why in [
        ("a line without an end", b"x" * 1000000, "421 4.5.2"),
        ("many errors", b"FROB\r\n" * 50000, "421 4.7.0")]:
    c = Client(PORT)
    c.send(much)
    replies = []
    while (reply := c.reply()) and reply[:1] != "<":
        replies.append(reply)
    t.ok(reply == "", what + ": the end is in order")
    starts(replies[-1] if replies else "", why, "and says why")
    c.close()

c = Client(PORT)
DIALOGUE = [
    ("MAIL FROM:<a@other.test>", "503 5.5.1 Error: send EHLO"),
    ("EHLO", "501 5.5.4"),
    ("EHLO client.test", "250"),
    ("MAIL FROM:<a@other.test> SIZE=2000000", "552 5.3.4"),
    ("MAIL FROM:<a@other.test> SIZE=" + "9" * 20, "552 5.3.4"),
    ("MAIL FROM:<a@other.test> SIZE=" + "0" * 21, "501 5.5.4"),
    ("MAIL FROM:<a@other.test> SIZE=x", "501 5.5.4"),
    ("MAIL FROM:<a@other.test> SIZE=1x", "501 5.5.4"),
    ("MAIL FROM:<a@other.test> SIZE", "501 5.5.4"),
    ("MAIL FROM:<a@other.test> FOO=x", "555 5.5.4"),
    ("MAIL FROM: <A@Other.test> BODY=8bitmime SIZE=1000", "250 2.1.0"),
    ("MAIL FROM:<a@other.test>", "503 5.5.1 Error: nested"),
    ("DATA", "503 5.5.1"),
    ("RCPT TO:<nobody@home.test>", "550 5.1.1"), ("DATA", "554 5.5.1"),
    ("RCPT TO:<joe@home.test>", "250 2.1.5"),
    ("RSET", "250 2.0.0"), ("RCPT TO:<joe@home.test>", "503 5.5.1"),
    ("QUIT", "221 2.0.0"),
]
for line, want in DIALOGUE:
    starts(c.ask(line), want, line)
t.equal(c.reply(), "", "QUIT ends the connection")
c.close()

# Recipients: unknown, temporary, relaying in all disguises

RECIPIENTS = [
    ("<joe@home.test>", "250"), ("<JOE@HOME.TEST>", "250"),
    ("<joe@alias.test>", "250"), ("<Postmaster>", "250"), (" <joe>", "250"),
    ("joe@home.test", "250"), ("<@x.test,@y.test:joe@home.test>", "250"),
    ('<"joe smith"@home.test>', "250"), ("<joe@[127.0.0.1]>", "250"),
    ("<nobody@home.test>", "550 5.1.1"), ("<temp@home.test>", "451 4.3.0"),
    ("<joe@other.test>", "554 5.7.1"), ("<joe@sub.home.test>", "554 5.7.1"),
    ("<@home.test:joe@other.test>", "554 5.7.1"),
    ("<joe@[192.0.2.1]>", "554 5.7.1"),
    ('<"joe@other.test"@home.test>', "550 5.1.1"),
    ("<no%other.test@home.test>", "550 5.1.1"),
    ("<other.test!joe@other.test>", "554 5.7.1"),
    ("<joe@other.test@home.test>", "501 5.1.3"), ("<>", "501 5.1.3"),
    ("<joe@home.test> FOO", "555 5.5.4"), ("<joe@home.test>x", "501 5.1.3"),
    ("<joe@home.test> NOTIFY=NEVER,DELAY", "501 5.5.4"),
    ("<joe@home.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c", "250"),
    ("<joe@home.test> ORCPT=rfc822;a+2", "501 5.5.4"),
    ("<joe@home.test> ORCPT=rfc822;a+2bb@c", "250"),
    ("<joe@home.test> ORCPT=rf+20NOTIFY=NEVER+20X;a@c.test", "501 5.5.4"),
    ("\t<joe@home.test>\tNOTIFY=NEVER", "250"),
    ("<j\udcf6@home.test>", "501 5.1.3"), ("<jö@home.test>", "553 5.6.7"),
    ("<joe@höme.test>", "553 5.6.7"),
]
for rcpt, want in RECIPIENTS:
    c = Client(PORT)
    c.talk("EHLO client.test", "MAIL FROM:<>")
    c.send(b"RCPT TO:" + rcpt.encode("utf-8", "surrogateescape") + b"\r\n")
    starts(c.reply(), want, "RCPT TO:" + ascii(rcpt))
    c.close()

c = Client(PORT)
c.talk("EHLO client.test", "MAIL FROM:<>")
for i in range(5):
    c.ask("RCPT TO:<joe%d@home.test>" % i)
for i in range(5):
    starts(c.ask("RCPT TO:<more%d@home.test>" % i), "452 4.5.3",
           "smtpd_recipient_limit")
starts(c.ask("DATA"), "354", "DATA with the recipients within the limit")
c.send(".\r\n")
starts(c.reply(), "250", "and the message is taken")
c.talk("MAIL FROM:<>", *["RCPT TO:<joe@home.test>"] * 10)
t.equal([r[:3] for r in c.talk(*["RCPT TO:<joe@home.test>"] * 20)],
        ["452"] * 20, "who does not stop then")
starts(c.reply(), "421 4.7.0", "is sent away")
c.close()

c = Client(PORT)
starts(c.message(HEAD + ".\r\n", rcpt="Postmaster@alias.test"), "250",
       "every domain has a postmaster")
t.equal(last().recipients[0][0], "Postmaster@home.test",
        "ours, if it has none of its own")
c.ask("MAIL FROM:<>")
starts(c.ask("RCPT TO:<postmaster@other.test>"), "554 5.7.1",
       "but not those that are not ours")
c.close()

# a host whose own name is in no list of domains, as in a relay
away = Server(folder_away := Folder(
    ["mydestination =", "virtual_alias_domains = alias.test",
     "myorigin = mail.away.test", "mynetworks =",
     "authcheck_incoming = no"]), "smtpd", smtp=listen_tcp())
queue_away, accounts_away = Queue(folder_away), Accounts(folder_away)
c = Client(away.port("smtp"))
c.talk("EHLO client.test", "MAIL FROM:<>")
for rcpt, want in (("postmaster", "250"), ("PostMaster@[127.0.0.1]", "250"),
                   ("postmaster@alias.test", "250"),
                   ("postmaster@mail.away.test", "554 5.7.1"),
                   ("joe", "554 5.7.1"), ("joe@[127.0.0.1]", "554 5.7.1")):
    starts(c.ask("RCPT TO:<%s>" % rcpt), want, "of a relay: " + rcpt)
c.ask("DATA")
c.send(HEAD + ".\r\n")
starts(c.reply(), "250", "the system's postmaster gets mail")
t.equal([r[0] for r in queue_away.messages[-1].recipients],
        ["postmaster", "PostMaster", "postmaster"],
        "without a domain, which is the system itself")
c.close()
away.stop()
folder_away.end()

# Messages

c = Client(PORT)
starts(c.message(HEAD + "hello\r\n..dot\r\n.\r\n"), "250 2.0.0 Ok: queued as ",
       "a message is taken")
m = last()
t.equal(m.body(), b"hello\r\n.dot\r\n", "its body, without stuffed dots")
t.equal(m.envelope["sender"], "a@other.test", "sender in the envelope")
t.equal(m.recipients[0][0], "joe@home.test", "recipient in the envelope")
t.equal(m.envelope["protocol"], "ESMTP", "protocol in the envelope")
received = m.header("Received")[0]
t.ok(received.startswith("from client.test (unknown [127.0.0.1]) by "
                         "mail.home.test (Posthorn) with ESMTP id ")
     and " for <joe@home.test>; " in received, "Received: " + received)
starts(c.ask("MAIL FROM:<a@b.test>"), "250", "another one in the session")
starts(c.ask("RCPT TO:<joe@home.test>"), "250", "its recipient")
starts(c.ask("DATA"), "354", "its DATA")
c.send(".\r\n")
starts(c.reply(), "250", "an empty message")
c.close()

c = Client(PORT)
c.send("HELO client.test\r\n")
c.reply()
starts(c.ask("MAIL FROM:<a@b.test> SIZE=1"), "555", "no parameters after HELO")
c.close()

big = HEAD + ("x" * 70 + "\r\n.." + "y" * 60 + "\r\n") * 5000
c = Client(PORT)
starts(c.message(big + ".\r\n"), "250", "a large message")
t.equal(last().body(), big.split("\r\n\r\n", 1)[1].replace("\r\n..", "\r\n.")
        .encode(), "is whole")
starts(c.message(HEAD + "x" * 900000 + "\r\n.\r\n"), "250",
       "a line of 900,000 bytes")
n = len(queue.messages)
starts(c.message(HEAD + ("x" * 98 + "\r\n") * 11000 + ".\r\n"), "552 5.3.4",
       "message_size_limit")
starts(c.message("Subject: " + "x" * 300000 + "\r\n\r\n.\r\n"), "552 5.3.4",
       "a header that is too large")
starts(c.message("Received: x\r\n" * 11 + HEAD + ".\r\n"), "554 5.4.6",
       "hopcount_limit")
for field in ("Delivered-To: joe@home.test", "delivered-to:JOE@Home.Test \r\n"
              "Delivered-To: x@y.test", "Delivered-To:\r\n\tjoe@home.test"):
    starts(c.message(field + "\r\n" + HEAD + ".\r\n"), "554 5.4.6",
           ascii(field) + ": only its sender could get it")
t.equal(len(queue.messages), n, "nothing refused is in the queue")
starts(c.message("Delivered-To: x@home.test\r\n" + HEAD + "Delivered-To: "
                 "joe@home.test\r\n.\r\n"), "250", "not so in the body")
c.talk("MAIL FROM:<a@other.test>", "RCPT TO:<joe@home.test>",
       "RCPT TO:<postmaster@home.test>", "DATA")
c.send("Delivered-To: joe@home.test\r\n" + HEAD + ".\r\n")
starts(c.reply(), "250", "nor if another recipient has not had it")
c.close()

# SMTPUTF8

c = Client(PORT)
DIALOGUE = [
    ("EHLO client.test", "250"),
    ("MAIL FROM:<jö@other.test>", "553 5.6.7"),
    ("MAIL FROM:<jö@other.test> SMTPUTF8=x", "501 5.5.4"),
    ("MAIL FROM:<jö@bücher.test> BODY=8BITMIME SMTPUTF8", "250"),
    ("RCPT TO:<ännchen@home.test> ORCPT=utf-8;ännchen@home.test", "250"),
    ("DATA", "354"), ("Subject: ö\r\n\r\nä\r\n.", "250"),
]
for line, want in DIALOGUE:
    starts(c.ask(line), want, ascii(line))
c.close()
m = last()
t.equal((m.envelope["sender"], m.recipients[0][0], m.recipients[0][2]),
        ("jö@xn--bcher-kva.test", "ännchen@home.test",
         "utf-8;ännchen@home.test"), "addresses of SMTPUTF8")
t.equal((m.envelope["smtputf8"], m.envelope["protocol"]), ("yes", "UTF8SMTP"),
        "SMTPUTF8 in the envelope")
t.ok("Subject: ö".encode() in m.content, "and in the header")

# Header filter

FILTER = [
    ("Return-Path: <x@y>\r\nSubject: s\r\n\r\nb\r\n", "Subject: s\r\n\r\nb\r\n"),
    ("Authentication-Results: mail.home.test; spf=pass\r\nA: b\r\n\r\n",
     "A: b\r\n\r\n"),
    ("authentication-results:\r\n (c) MAIL.home.TEST;\r\n\tspf=pass\r\nA: b\r\n"
     "Authentication-Results: \"mail.home.test\" 1; x\r\n"
     "Authentication-Results: mail.home.test\r\n\r\n", "A: b\r\n\r\n"),
    ("Authentication-Results: x.mail.home.test; spf=pass\r\n\r\n",
     "Authentication-Results: x.mail.home.test; spf=pass\r\n\r\n"),
    ("Bcc: keep@x\r\n\r\n", "Bcc: keep@x\r\n\r\n"),
    ("From joe Mon Nov 24 02:00:00 2026\r\nA: b\r\n\r\n", "A: b\r\n\r\n"),
    ("no header at all\r\nmore\r\n", "\r\nno header at all\r\nmore\r\n"),
    ("A: b\r\nno field\r\nC: d\r\n\r\n", "A: b\r\n\r\nno field\r\nC: d\r\n\r\n"),
    (" folded first\r\n\r\n", "\r\n folded first\r\n\r\n"),
    ("\r\nbody\r\n", "\r\nbody\r\n"),
    ("A: b\r\n", "A: b\r\n\r\n"),
    ("", "\r\n"),
    ("A: b\r\n\r\n\r\n\r\n", "A: b\r\n\r\n\r\n\r\n"),
]
c = Client(PORT)
for sent, kept in FILTER:
    starts(c.message(sent + ".\r\n"), "250", "taken: %r" % sent)
    # what is behind our Received field, which has three lines
    kept_now = last().content.split(b"\r\n", 3)[3]
    t.equal(kept_now, kept.encode(), "header %r" % sent)
c.close()

# Smuggling: only CRLF.CRLF ends, bare CR or LF is refused

ENDS = ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r",
        "\r\r\n.\r\r\n", "\r\n.\r\r\n", "\n\r.\r\n"]
for end in ENDS:
    c = Client(PORT)
    n = len(queue.messages)
    reply = c.message(HEAD + "a" + end + "MAIL FROM:<evil@x.test>\r\n"
                      "RCPT TO:<joe@home.test>\r\nDATA\r\n" + HEAD +
                      "evil\r\n.\r\n")
    starts(reply, "550 5.5.2", "refused as one message: %r" % end)
    t.ok(c.ask("NOOP").startswith("250") and len(queue.messages) == n,
         "nothing was smuggled: %r" % end)
    c.close()

c = Client(PORT)
c.begin()
for byte in (HEAD + "cut at every byte\r\n..x\r\n.\r\n").encode():
    c.send(bytes([byte]))
    time.sleep(0.001)
starts(c.reply(), "250", "a message that comes byte by byte")
t.equal(last().body(), b"cut at every byte\r\n.x\r\n", "is whole")
c.close()

# Pipelining

c = Client(PORT)
c.ask("EHLO client.test")
c.send("MAIL FROM:<a@b.test>\r\nRCPT TO:<joe@home.test>\r\n"
       "RCPT TO:<nobody@home.test>\r\nDATA\r\n")
replies = [c.reply() for _ in range(4)]
t.equal([r[:3] for r in replies], ["250", "250", "550", "354"],
        "a pipelined batch")
c.send(HEAD + "x\r\n.\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<joe@home.test>\r\n"
       "DATA\r\n")
t.equal([c.reply()[:3] for _ in range(4)], ["250", "250", "250", "354"],
        "the next batch behind the message")
c.send(HEAD + ".\r\nQUIT\r\n")
t.equal([c.reply()[:3] for _ in range(2)], ["250", "221"], "and QUIT")
c.close()
for lines in ("EHLO x\r\nMAIL FROM:<a@b.test>\r\n",
              "HELO x\r\nMAIL FROM:<a@b.test>\r\n"):
    c = Client(PORT)
    c.send(lines)
    starts(c.reply(), "554 5.5.0", "refused: pipelined %r" % lines)
    t.equal(c.reply(), "", "and the connection ended")
    c.close()
c = Client(PORT)
c.talk("EHLO client.test", "MAIL FROM:<a@b.test>", "RCPT TO:<joe@home.test>")
c.send("DATA\r\nSubject: x\r\n")
starts(c.reply(), "554 5.5.0", "content before 354 is refused")
c.close()

# Bad input

GARBAGE = [
    (b"\x00\xff\r\n", "500"), (b"MAIL\x00FROM:<a@b>\r\n", "500"),
    (b"EHLO x\n", "500 5.5.2"), (b"EHLO\rx\r\n", "500 5.5.2"),
    (b"x" * 100000 + b"\r\n", "500 5.5.2"), (b"\r\n", "500 5.5.2"),
    (b"GET / HTTP/1.1\r\n", "221 2.7.0"), (b"Host: x\r\n", "221 2.7.0"),
    (b"RCPTTO:<a@b>\r\n", "500 5.5.2"), (b"EHLO\tx\r\n", "250"),
    (b"MAIL\tFROM:<a@other.test>\r\n", "503 5.5.1"),
    (b"EHLO \x01\r\n", "501"), (b"EHLO \xe4\r\n", "501"), (b"EHLO " + b"x" * 300 + b"\r\n", "501"),
]
for line, want in GARBAGE:
    c = Client(PORT)
    c.send(line)
    starts(c.reply(), want, "answer to %r" % line[:30])
    c.close()
c = Client(PORT)
c.send("EHLO (x)\\[\r\n")
c.reply()
starts(c.message(HEAD + ".\r\n"), "250", "HELO name with odd bytes")
t.ok("\\" not in last().header("Received")[0], "is harmless in Received")
c.close()
c = Client(PORT)
replies = [c.ask("FOO")[:3] for _ in range(20)] + [c.reply()[:3]]
t.equal(replies, ["500"] * 20 + ["421"], "smtpd_hard_error_limit")
c.close()
c = Client(PORT)
c.send("NOOP\n" * 20)
replies = [c.reply()[:3] for _ in range(21)]
t.equal(replies, ["500"] * 20 + ["421"], "and for lines that are none")
c.close()
c = Client(PORT)
c.ask("EHLO client.test")
n = len(queue.messages)
for _ in range(25):
    c.talk("RSET", "MAIL FROM:<>", "RCPT TO:<nobody@home.test>",
           "RCPT TO:<joe@home.test>", "DATA")
    c.send(".\r\n")
    c.reply()
t.equal(len(queue.messages) - n, 25,
        "neither limit is for a host with much mail")
c.close()
c = Client(PORT)
c.ask("EHLO x")
for _ in range(40):
    c.ask("NOOP")
starts(c.reply(), "421", "smtpd_junk_command_limit")
c.close()

# Time

c = Client(PORT)
start = time.monotonic()
starts(c.reply(), "421 4.4.2", "an idle client is sent away")
t.ok(2 < time.monotonic() - start < 40, "after smtpd_timeout")
c.close()
c = Client(PORT)
start = time.monotonic()
try:
    while time.monotonic() - start < 10:
        c.send("E")
        time.sleep(0.3)
        if time.monotonic() - start > 4:
            break
except OSError:
    pass
starts(c.reply(), "421 4.4.2", "a line that drips does not get more time")
c.close()
c = Client(PORT)
c.begin()
start = time.monotonic()
try:
    while time.monotonic() - start < 5:
        c.send("x")
        time.sleep(0.2)
except OSError:
    pass
starts(c.reply(), "421 4.4.2", "neither does a message")
c.close()

# Mended instead of refused, and still no end of a message

folder.configure(CONF + ["smtpd_forbid_bare_newline = normalize"])
mending = Server(folder, "smtpd", smtp=listen_tcp())
c = Client(mending.port("smtp"))
c.send("EHLO client.test\n")
starts(c.reply(), "250", "normalize: a command may end with LF")
for end in ENDS:
    starts(c.message(HEAD + "a" + end + "b\r\n.\r\n"), "250",
           "normalize: %r is mended" % end)
    body = last().body()
    t.ok(body.startswith(b"a\r\n") and body.endswith(b"b\r\n") and
         b"\r" not in body.replace(b"\r\n", b"") and
         b"\n" not in body.replace(b"\r\n", b""), "and ends nothing")
c.close()

# The queue is away, or full

queue.refuse = "no-space"
for n in range(4):  # the slots asked for ahead are used up
    c = Client(PORT)
    reply = c.begin()
    c.close()
    if reply.startswith("452"):
        break
folder.programs.remove(server)
server.stop()
server = Server(folder, "smtpd", smtp=listen_tcp())
PORT = server.port("smtp")
starts(Client(PORT).begin(), "452 4.3.1", "no space for the queue")
queue.refuse = "gone"
starts(Client(PORT).begin(), "451 4.3.0", "no queue")
queue.refuse = None
starts(Client(PORT).begin(), "354", "the queue is back")

# DNS: names of clients, domains of senders, networks that may relay

folder.write("zone", """
1.0.0.127.in-addr.arpa. 300 IN PTR host.client.test.
host.client.test. 300 IN A 127.0.0.1
2.0.0.127.in-addr.arpa. 300 IN PTR forged.client.test.
forged.client.test. 300 IN A 192.0.2.1
mx.test. 300 IN MX 10 host.client.test.
a.test. 300 IN A 192.0.2.1
null.test. 300 IN MX 0 .
txt.test. 300 IN TXT "x"
""")
folder.programs.remove(server)
server.stop()
folder.configure([l for l in CONF if "sender_domain" not in l and
                  "mynetworks" not in l] +
                 ["resolver_zone_file = " + folder.path("zone"),
                  "resolver_offline = yes", "mynetworks = 127.0.0.3/32"])
folder.start("resolver")
server = Server(folder, "smtpd", smtp=listen_tcp())
PORT = server.port("smtp")
SENDERS = [("a@mx.test", "250"), ("a@a.test", "250"), ("", "250"),
           ("a@home.test", "250"), ("a@[192.0.2.1]", "250"),
           ("a@null.test", "550 5.7.27"), ("a@missing.test", "550 5.1.8"),
           ("a@txt.test", "550 5.1.8")]
for sender, want in SENDERS:
    c = Client(PORT)
    c.ask("EHLO client.test")
    starts(c.ask("MAIL FROM:<%s>" % sender), want, "sender <%s>" % sender)
    c.close()


def client_from(ip):
    c = Client.__new__(Client)
    c.sock = socket.create_connection(("127.0.0.1", PORT), timeout=60,
                                      source_address=(ip, 0))
    c.file = c.sock.makefile("rb")
    c.reply()
    return c


for ip, name in (("127.0.0.1", "host.client.test"), ("127.0.0.2", "unknown"),
                 ("127.0.0.3", "unknown")):
    c = client_from(ip)
    c.message(HEAD + ".\r\n", sender="a@mx.test")
    t.ok("from client.test (%s [%s])" % (name, ip) in
         last().header("Received")[0], "the name of %s: %s" % (ip, name))
    c.close()
c = client_from("127.0.0.3")
starts(c.message(HEAD + ".\r\n", rcpt="joe@other.test",
                 sender="a@missing.test"), "250", "mynetworks may relay")
c.close()

# Others' clients

with smtplib.SMTP("127.0.0.1", PORT) as s:
    refused = s.sendmail("a@mx.test", ["joe@home.test", "no@home.test"],
                         "Subject: smtplib\n\nhi\n.\n")
t.ok(list(refused) == ["no@home.test"] and last().body() == b"hi\r\n.\r\n",
     "smtplib")
if subprocess.run(["which", "swaks"], capture_output=True).returncode == 0:
    for more in ([], ["--pipeline"]):
        n = len(queue.messages)
        p = subprocess.run(["swaks", "--server", "127.0.0.1:%d" % PORT,
                            "--to", "joe@home.test,ann@home.test", "--from",
                            "a@mx.test"] + more, capture_output=True)
        t.ok(p.returncode == 0 and len(queue.messages) == n + 1,
             "swaks " + " ".join(more))
else:
    t.ok(True, "swaks # SKIP not installed")
c = Client(PORT)
c.talk("EHLO x", "MAIL FROM:<>", "RCPT TO:<temp@home.test>",
       "RCPT TO:<joe@home.test>", "QUIT")
c.close()
log = folder.read_log()
t.ok("ehlo=1 mail=1 rcpt=1/2 quit=1 commands=5" in log,
     "the log counts what was put off as refused")
t.ok("disconnect from host.client.test[127.0.0.1] ehlo=1 mail=1 rcpt=1/2 data=1 "
     "quit=1 commands=6" in log, "the log counts commands")
t.ok("NOQUEUE: reject: RCPT from host.client.test[127.0.0.1]: 550 5.1.1 "
     "<no@home.test>: Recipient address rejected: no such user here; "
     "from=<a@mx.test> to=<no@home.test> proto=ESMTP helo=<" in log,
     "the log tells of refusals")

folder.end()
t.done()
