#!/usr/bin/env python3
"""authcheck and the resolver: what is signed verifies, what is forged fails,
and nothing that is sent to it makes it die."""
import os
import random
import re
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, packet, parse, wait_for  # noqa: E402
from dkimkey import Key  # noqa: E402

# in a sanitized build: seccomp forbids what the search for leaks needs
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
tap = Tap()

GOOD = ("From: Joe <joe@good.test>\r\nTo: alice@home.test\r\n"
        "Subject: hello\r\nDate: Tue, 24 Nov 2026 02:00:00 +0000\r\n"
        "Message-ID: <1@good.test>\r\n\r\nHello.\r\n").encode()


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(w) for w in f.read().split()]


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


class Check:
    def __init__(self, program):
        self.program = program

    def ask(self, verb, data, *attrs, length=None, offset=7, fds=1):
        """(verb, attributes) of the answer, or None if there was none."""
        with tempfile.TemporaryFile() as f, self.program.connect() as s:
            f.write(b"padding"[:offset] + data)
            f.flush()
            length = len(data) if length is None else length
            socket.send_fds(s, [packet(verb, ("offset", offset),
                                       ("length", length), ("ms", 20000),
                                       *attrs)], [f.fileno()] * fds)
            got = s.recv(131072)
        if not got:
            return None
        verb, attrs = parse(got)
        return verb, dict(attrs)

    def verify(self, data, client="192.0.2.1", helo="mail.good.test",
               sender="joe@good.test", **how):
        return self.ask("verify", data, ("client", client), ("helo", helo),
                        ("sender", sender), **how)

    def sign(self, data, domain):
        return self.ask("sign", data, ("domain", domain))


folder = Folder()
rsa = Key(folder.path("rsa.pem"), "rsa")
ed = Key(folder.path("ed.pem"), "ed25519")
folder.write("dkim-keys", "good.test r1 rsa.pem\ngood.test e1 ed.pem\n"
             "broken.test x missing.pem\nnotes.test r1 rsa.pem\n")
# a key record of more than 2 KB, most of it notes
LARGE = rsa.record.replace('"v=DKIM1; ', '"v=DKIM1; n=" %s "; ' %
                           " ".join(['"%s"' % ("x" * 250)] * 12), 1)
folder.write("zone", """
good.test. IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.good.test. IN TXT "v=DMARC1; p=reject"
r1._domainkey.good.test. IN TXT %s
e1._domainkey.good.test. IN TXT %s
r1._domainkey.notes.test. IN TXT %s
mail.good.test. IN TXT "v=spf1 a -all"
mail.good.test. IN A 192.0.2.1
_dmarc.soft.test. IN TXT "v=DMARC1; p=quarantine"
many.test. IN TXT "v=spf1 a -all"
crowd.test. IN TXT "v=spf1 a -all"
blank.test. IN TXT "v=spf1 a:macro%%%%percent%%_%%_space%%-url.blank.test -all"
macro%%percent\\032\\032space%%20url.blank.test. IN A 192.0.2.1
""" % (rsa.record, ed.record, LARGE) +
             "".join("many.test. IN A 10.0.%d.%d\n" % (i // 200, i % 200 + 1)
                     for i in range(301)) +
             "".join("crowd.test. IN A 10.1.%d.%d\n" % (i // 200, i % 200 + 1)
                     for i in range(2001)))
folder.configure(["resolver_zone_file = " + folder.path("zone"),
                  "resolver_offline = yes",
                  "dkim_keys_file = " + folder.path("dkim-keys")])

try:
    resolver = folder.start("resolver")
    authcheck = folder.start("authcheck")
    tap.ok(authcheck.ready, "authcheck tells that it is ready")
    tap.ok("dkim-keys:3:" in folder.read_log(),
           "a key that is missing is logged with file and line")
    check = Check(authcheck)

    verb, signed = check.sign(GOOD, "GOOD.test")
    fields = signed["fields"].encode()
    tap.equal(fields.count(b"DKIM-Signature: "), 2,
              "a signature with each key of the domain")
    tap.equal(check.sign(GOOD, "other.test"), ("signed", {"fields": ""}),
              "none for a domain without keys")

    verb, v = check.verify(fields + GOOD)
    tap.equal((verb, v["dmarc"], v["spf"], v["dkim"], v["from"], v["policy"]),
              ("verified", "pass", "pass", "pass", "good.test", "reject"),
              "a signed message from the right host")
    tap.ok(v["fields"].startswith("Authentication-Results: mail.home.test;")
           and v["fields"].endswith("\r\n")
           and "spf=pass smtp.mailfrom=joe@good.test" in v["fields"]
           and v["fields"].count("dkim=pass") == 2
           and "dmarc=pass" in v["fields"], "says so in one field")
    notes = GOOD.replace(b"good.test", b"notes.test")
    verb, v = check.verify(
        check.sign(notes, "notes.test")[1]["fields"].encode() + notes,
        client="198.51.100.1")
    tap.equal((v["dkim"], v["from"]), ("pass", "notes.test"),
              "a key record of more than 2 KB")
    verb, v = check.verify(fields + GOOD, client="198.51.100.1")
    tap.equal((v["dmarc"], v["spf"], v["dkim"]), ("pass", "fail", "pass"),
              "from another host: DKIM alone proves it")
    verb, v = check.verify(GOOD, client="192.0.2.1")
    tap.equal((v["dmarc"], v["spf"], v["dkim"]), ("pass", "pass", "none"),
              "without signature: SPF alone proves it")
    verb, v = check.verify(GOOD, client="198.51.100.1")
    tap.equal((v["dmarc"], v["spf"], v["dkim"]), ("reject", "fail", "none"),
              "forged: neither")
    verb, v = check.verify(fields + GOOD.replace(b"Hello", b"Pay me"),
                           client="198.51.100.1")
    tap.equal((v["dmarc"], v["dkim"]), ("reject", "fail"),
              "changed on its way")
    verb, v = check.verify(GOOD.replace(b"good.test", b"soft.test"),
                           sender="joe@good.test")
    tap.equal((v["dmarc"], v["spf"], v["policy"]),
              ("quarantine", "pass", "quarantine"),
              "SPF of another domain proves nothing")
    verb, v = check.verify(GOOD, sender="")
    tap.ok("spf=pass smtp.helo=mail.good.test" in v["fields"],
           "the null sender is checked by HELO")
    for sender, client, want in (("many", "10.0.1.101", "pass"),
                                 ("many", "10.0.9.9", "fail"),
                                 ("crowd", "10.1.0.1", "temperror"),
                                 ("blank", "192.0.2.1", "pass"),
                                 ("blank", "192.0.2.2", "fail")):
        verb, v = check.verify(GOOD, sender="joe@%s.test" % sender,
                               client=client)
        tap.equal(v["spf"], want, "SPF of %s for %s" % (sender, client))
    verb, v = check.verify(GOOD, client="127.0.0.1")
    tap.equal(v["spf"], "fail", "loopback has no privilege")
    verb, v = check.verify(b"Subject: x\r\n\r\nno From\r\n")
    tap.equal((v["dmarc"], v["fault"]), ("none", "there is no From field"),
              "no From")

    hostile = "a\"b\\;\r\n dmarc=pass (x"
    verb, v = check.verify(GOOD, sender=hostile + "@good.test", helo=hostile)
    tap.ok(v["fields"].count("\r\n") <= 6 and "dmarc=pass (x" not in
           v["fields"], "a hostile sender stays a value")

    big = b"x" * 70 + b"\r\n"
    verb, v = check.verify(fields + GOOD[:-2] + big * 300000)
    tap.equal((verb, v["dkim"]), ("verified", "fail"), "20 MB")
    # what costs a verifier time for nothing is bounded
    verb, v = check.verify(fields * 250 + GOOD)
    tap.ok(v["dkim"] == "pass" and v["fields"].count("dkim=") == 10,
           "of 500 signatures ten are looked at")
    verb, v = check.verify(fields + b"X: y\r\n" * 100000 + GOOD)
    tap.equal((verb, v["dkim"]), ("verified", "pass"), "100,000 fields")
    names = b":".join([b"from"] * 10000)
    greedy = re.sub(rb"(?<!b)h=", b"h=" + names + b":", fields)
    verb, v = check.verify(greedy * 5 + b"X: y\r\n" * 50000 + GOOD)
    tap.equal((verb, v["dkim"]), ("verified", "permerror"),
              "signatures that name 10,000 fields are too long")
    verb, v = check.verify(b"From: " + b"(" * 500000 + b"\r\n" + GOOD)
    tap.ok(verb == "verified" and v["fault"],
           "a From of 500,000 open comments")
    tap.equal(check.verify(b"X: y\r\n" * 400000 + b"\r\n")[0], "temp",
              "a header of megabytes is an error")
    tap.equal(check.verify(GOOD, length=len(GOOD) + 1)[0], "temp",
              "a file shorter than it is said to be")
    tap.equal(check.verify(GOOD, fds=0)[0], "temp", "no descriptor")
    tap.equal(check.ask("verify", GOOD)[0], "verified", "nothing but a file")
    tap.equal(check.ask("dance", GOOD)[0], "temp", "an unknown verb")
    with authcheck.connect() as s:
        s.send(b"\xff\xff\xff")
        tap.equal(s.recv(100), b"", "garbage ends the connection")

    r = random.Random(10)
    answers = set()
    for _ in range(300):
        b = bytearray(fields + GOOD)
        for _ in range(r.randrange(1, 8)):
            b[r.randrange(len(b))] = r.randrange(256)
        got = check.verify(bytes(b), sender="".join(
            chr(r.randrange(1, 127)) for _ in range(r.randrange(40))))
        answers.add(got and got[0])
    tap.equal(answers, {"verified"}, "mutilated messages are answered")

    one = children(authcheck.process.pid)[0]
    s = status(one)
    tap.ok(s["Seccomp"] == "2" and s["NoNewPrivs"] == "1",
           "the children are confined")

    # a child dies over a message: one question is lost, the next is answered
    resolver.process.send_signal(signal.SIGSTOP)
    with tempfile.TemporaryFile() as f, authcheck.connect() as c:
        f.write(GOOD)
        f.flush()
        socket.send_fds(c, [packet("verify", ("offset", 0),
                                   ("length", len(GOOD)), ("ms", 20000),
                                   ("client", "192.0.2.1"),
                                   ("helo", "x.test"),
                                   ("sender", "a@fresh.test"))], [f.fileno()])
        time.sleep(0.5)
        for p in children(authcheck.process.pid):
            os.kill(p, signal.SIGSEGV)
        tap.equal(c.recv(1000), b"", "a child that dies ends the connection")
    resolver.process.send_signal(signal.SIGCONT)
    wait_for(lambda: children(authcheck.process.pid))
    verb, v = check.verify(fields + GOOD)
    tap.equal((verb, v["dmarc"]), ("verified", "pass"),
              "the next question is answered")

    resolver.stop(signal.SIGKILL)
    verb, v = check.verify(fields + GOOD)
    tap.equal((verb, v["dmarc"], v["spf"], v["dkim"]),
              ("verified", "temp", "temperror", "temperror"),
              "without resolver all is temporary")
    tap.equal(authcheck.stop(), 0, "authcheck ends when asked")
finally:
    folder.end()
tap.done()
