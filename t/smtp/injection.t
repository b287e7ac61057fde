#!/usr/bin/env python3
"""What one protocol hands to another is encoded anew: every byte value in
every place of an SMTP dialogue, and what then stands in the commands to the
next host, in header fields, in delivery reports and in the log."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, free_port  # noqa: E402
from instance import Instance, parse, wait_for  # noqa: E402
from smtp import Client  # noqa: E402
from smtppeer import EHLO, Peer  # noqa: E402

tap = Tap()

ZONE = """\
s0.test. 300 IN MX 10 mx.s0.test.
mx.s0.test. 300 IN A 127.0.0.21
"""
OFFERS = (EHLO % "mx.s0.test").replace("250 DSN", "250-SMTPUTF8\r\n250 DSN")

QUOTED = r'"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*"'
ATOMS = r'[^\x00-\x20\x7f()<>\[\]:;@\\,"]+'
PATH = r"<(?:(?:%s|%s)@[a-z0-9.-]+)?>" % (QUOTED, ATOMS)
XTEXT = r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*"
ATOM = r"[A-Za-z0-9!#$%&'*/?^_`{|}~-]+"
UTF8 = r"(?:[!-*,-<>-\[\]-~]|[^\x00-\x7f]|\\x\{[0-9A-F]+\})+"
GRAMMAR = {
    "EHLO": r"EHLO mail\.example\.test",
    "MAIL": r"MAIL FROM:%s(?: SIZE=\d+| BODY=8BITMIME| SMTPUTF8| RET=HDRS|"
            r" ENVID=%s)*" % (PATH, XTEXT),
    "RCPT": r"RCPT TO:%s(?: NOTIFY=FAILURE)?"
            r"(?: ORCPT=(?:utf-8;%s|%s;%s))?" % (PATH, UTF8, ATOM, XTEXT),
    "DATA": "DATA", "RSET": "RSET", "QUIT": "QUIT",
}


def xtext(data):
    return b"".join(b"+%02X" % c for c in data)


def raw(c, line):
    c.send(line + b"\r\n")
    return c.reply()


# Where a byte B may be put: MAIL's and RCPT's line, and the name in EHLO.
def places(b):
    x, coded = bytes([b]), xtext(bytes([b]))
    mail, rcpt = b"MAIL FROM:<alice@example.test>", b"RCPT TO:<u@s0.test>"
    notify = b" NOTIFY=FAILURE"
    return [
        (mail + b" RET=HDRS ENVID=a" + coded + b"b", rcpt + notify),
        (mail + b" ENVID=a" + x + b"b", rcpt + notify),
        (mail, rcpt + notify + b" ORCPT=rfc822;a" + coded + b"b@c.test"),
        (mail, rcpt + notify + b" ORCPT=rfc822;a" + x + b"b@c.test"),
        (mail, rcpt + notify + b" ORCPT=rf" + coded + b"822;a@c.test"),
        (mail, rcpt + notify + b" ORCPT=rf" + x + b"822;a@c.test"),
        (mail + b" SMTPUTF8",
         rcpt + notify + b" ORCPT=utf-8;a" + coded + b"b@c.test"),
        (mail + b" SMTPUTF8",
         rcpt + notify + b" ORCPT=utf-8;a\\x{%X}b@c.test" % b),
        (mail, b'RCPT TO:<"a' + x + b'b"@s0.test>' + notify),
        (mail, b'RCPT TO:<"a\\' + x + b'b"@s0.test>' + notify),
        (mail, b"RCPT TO:<a" + x + b"b@s0.test>" + notify),
        (mail, b"RCPT TO:<u@s0" + x + b"test>" + notify),
        (mail + b" SMTPUTF8",
         b"RCPT TO:<a\xc3" + x + b"b@s0.test>" + notify),
    ]


def send_all(s, values):
    """Each transaction that is taken gets a message that names it."""
    import base64
    c = Client(s.SUBMISSION_PORT)
    c.talk("EHLO client.test", "STARTTLS")
    c.sock = s.context().wrap_socket(c.sock, server_hostname="localhost")
    c.file = c.sock.makefile("rb")
    c.ask("EHLO client.test")
    secret = base64.b64encode(("\0%s\0%s" % (s.address("alice"),
                                             s.PASS1)).encode()).decode()
    assert c.ask("AUTH PLAIN " + secret).startswith("235")
    taken, asked = [], 0
    for b in values:
        for k, (mail, rcpt) in enumerate(places(b)):
            asked += 1
            c.send(b"RSET\r\n" + mail + b"\r\n" + rcpt + b"\r\n")
            # a line end in the middle makes one line more of it
            more = b == 10 and (b"\n" in mail or b"\n" in rcpt)
            got = [c.reply() for _ in range(3 + more)]
            if more or not all(r.startswith("250") for r in got):
                continue
            assert c.ask("DATA").startswith("354")
            c.send("Subject: %d-%d\r\n\r\ntext\r\n.\r\n" % (b, k))
            reply = c.reply()
            assert reply.startswith("250"), reply
            taken.append((b, k))
    c.close()
    return taken, asked


def test_relay(s, peer):
    taken, asked = send_all(s, range(256))
    other = {(b, k) for b, k in taken if k == 11 and b != 0x2e}
    tap.ok(len(other) < 80, "names of hosts are letters, digits, hyphens")
    taken = [t for t in taken if t not in other]
    tap.ok(len(taken) > 700, "most transactions are in order",
           "%d of %d" % (len(taken), asked))
    for b, k in ((0x20, 4), (0x3d, 4), (0x0a, 0), (0x0d, 2), (0x00, 2),
                 (0x7f, 2), (0x0a, 6), (0x22, 4), (0x40, 4)):
        tap.ok((b, k) not in taken, "byte %02x in place %d is refused" % (b, k))
    for b, k in ((0x20, 0), (0x2b, 0), (0x3d, 2), (0x20, 2), (0x5c, 7),
                 (0xfc, 7), (0x20, 8), (0x3e, 8), (0x22, 9), (0xb6, 12)):
        tap.ok((b, k) in taken, "byte %02x in place %d is taken" % (b, k))
    wait_for(lambda: len(peer.messages) >= len(taken), 60, 0.5)
    wrong = [line for line in peer.heard if not re.fullmatch(
        GRAMMAR.get(line[:4], "$^"), line)]
    tap.equal(wrong[:5], [], "every command to the next host is well formed")
    seen = {parse(m)["Subject"] for m in peer.messages}
    tap.equal(sorted({"%d-%d" % t for t in taken} - seen)[:5], [],
              "and every message came there")
    wanted = {"ORCPT=utf-8;a\\x{5C}b@c.test", "ORCPT=rfc822;a+2Bb@c.test",
              "ORCPT=rfc822;a+20b@c.test", "ENVID=a+3Db", "ENVID=a+20b"}
    text = "\n".join(peer.heard)
    tap.equal(sorted(w for w in wanted if w not in text), [],
              "values are coded as they came")
    tap.ok(re.search(r"ORCPT=utf-8;a(\u00fc|\\x\{FC\})b@c\.test", text),
           "an original recipient in UTF-8 is told in the form of RFC 6533")


def test_hello(s):
    """Names in EHLO stand in Received and in the log."""
    for b in range(256):
        c = Client(s.SMTP_PORT)
        reply = raw(c, b"EHLO a" + bytes([b]) + b"b.test")
        if b == 10:
            c.reply()
        if reply.startswith("250"):
            c.talk("MAIL FROM:<x@s0.test>", "RCPT TO:<bob@example.test>")
            c.ask("DATA")
            c.send("From: x@s0.test\r\nSubject: h%d\r\n\r\ntext\r\n.\r\n" % b)
            c.reply()
        c.close()
    mails = s.wait_messages(80, "bob", 60)
    tap.ok(len(mails) >= 80, "names of printable characters are taken",
           len(mails))
    wrong = []
    for m in mails:
        head = m.split(b"\r\n\r\n")[0]
        field = parse(m).get_all("Received")
        if len(field) != 1 or not re.fullmatch(
                r"from a?[A-Za-z0-9.?:_\[\]-]+ \(unknown \[127\.0\.0\.1\]\)\s+"
                r"by mail\.example\.test \(Posthorn\) with ESMTP id \w+\s+"
                r"for <bob@example\.test>; [ -~]+",
                field[0].replace("localhost", "unknown")):
            wrong.append(field)
        if re.search(rb"[^\r\n\t -~]", head):
            wrong.append(head)
    tap.equal(wrong[:3], [], "a name in EHLO cannot change the trace field")


def test_reports(s, peer):
    """The reports about refused recipients repeat what senders said."""
    before = len(s.messages("alice"))
    peer.replies["RCPT"] = "550 5.1.1 no \x1b[31m such\tuser"
    taken, _ = send_all(s, [0x20, 0x22, 0x2b, 0x3b, 0x3d, 0x5c, 0x78,
                            0xb6, 0xfc, *range(0, 32, 5)])
    s.wait_log("status=bounced", 60, len(taken))
    got = s.wait_messages(before + len(taken), "alice", 60)[before:]
    tap.ok(len(got) >= len(taken), "a report for each", "%d of %d" % (
        len(got), len(taken)))
    wrong = []
    for m in got:
        part = m.split(b"delivery-status\r\n", 1)[1].split(b"\r\n\r\n", 1)[1] \
            if b"delivery-status\r\n" in m else b""
        part = re.split(rb"\r\n--", part)[0]
        part = re.sub(rb"^[A-Za-z-]*: \w+\r\n\r\n", b"", part)
        for line in part.split(b"\r\n"):
            if line and not re.fullmatch(
                    rb"[A-Z][A-Za-z-]+: [^\x00-\x1f\x7f]*", line):
                wrong.append(line)
        original = re.findall(rb"^Original-Recipient: (.*)", part, re.M)
        for o in original:
            if not re.match(rb"[!-:<-~]+;", o):
                wrong.append(o)
    tap.equal(wrong[:3], [], "each line of their status part is a field")


def test_log(s):
    with open(s.path("log"), "rb") as f:
        lines = f.read().split(b"\n")
    wrong = [l for l in lines if l and not re.match(
        rb"\w{3} [ \d]\d [\d:]{8} \S+ posthorn/\S+\[\d+\]: ", l)]
    tap.equal(wrong[:3], [], "each line of the log is one that we wrote")
    wrong = [l for l in lines if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", l)]
    tap.equal(wrong[:3], [], "without control characters")


PORT = free_port()
peer = Peer("127.0.0.21", PORT, {"EHLO": OFFERS}, "mx.s0.test")
with Instance("smtp_tcp_port=%d" % PORT, "smtpd_hard_error_limit=100000",
              "smtpd_junk_command_limit=100000", "authcheck_incoming=no",
              "smtp_tls_security_level=none", "minimal_backoff_time=1s",
              zone=ZONE) as s:
    test_hello(s)
    test_relay(s, peer)
    test_reports(s, peer)
    test_log(s)
peer.close()
tap.done()
