#!/usr/bin/env python3
"""remote-send against scripted servers, with the test as qmgr."""
import array
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, free_port, packet, parse, wait_for  # noqa: E402
from qmgrpeer import Qmgr, TEXT, status  # noqa: E402
from smtppeer import EHLO, Peer  # noqa: E402

ZONE = """
one.test. IN MX 10 mx.one.test.
mx.one.test. IN A 127.0.0.11
two.test. IN MX 10 a.two.test.
two.test. IN MX 20 b.two.test.
a.two.test. IN A 127.0.0.12
b.two.test. IN A 127.0.0.13
implicit.test. IN A 127.0.0.11
null.test. IN MX 0 .
none.test. IN TXT "no address"
alias.test. IN MX 10 www.alias.test.
www.alias.test. IN CNAME mx.one.test.
self.test. IN MX 10 mail.home.test.
self.test. IN MX 20 mx.one.test.
backup.test. IN MX 10 mx.one.test.
backup.test. IN MX 20 mail.home.test.
lost.test. IN MX 10 nowhere.test.
down.test. IN MX 10 mx.down.test.
mx.down.test. IN A 127.0.0.99
loop.test. IN MX 10 mx.loop.test.
mx.loop.test. IN A 127.0.0.12
sts.test. IN MX 10 mx.one.test.
stsbad.test. IN MX 10 mx.one.test.
many.test. IN MX 10 mx.many.test.
mx.many.test. IN A 127.0.0.97
mx.many.test. IN A 127.0.0.98
mx.many.test. IN A 127.0.0.11
six.test. IN MX 10 mx.six.test.
mx.six.test. IN AAAA ::1
mixed.test. IN MX 10 mx.mixed.test.
mx.mixed.test. IN A 127.0.0.99
mx.mixed.test. IN AAAA ::1
"""
class StandIn:
    """The test in the place of a service: answer() gives packets."""

    def __init__(self, folder, name):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(os.path.join(folder.private, name))
        self.listener.listen(20)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(conn,),
                             daemon=True).start()

    def serve(self, conn):
        while True:
            data = conn.recv(9999)
            if not data:
                return
            for p in self.answer(dict(parse(data)[1])):
                conn.send(p)


class PolicyServer(StandIn):
    answers = {"sts.test": ("enforce", ["mx.one.test"]),
               "stsbad.test": ("enforce", ["*.two.test"])}

    def __init__(self, folder):
        super().__init__(folder, "tls-policy")

    def answer(self, question):
        mode, mx = self.answers.get(question["domain"], ("none", []))
        return [packet("answer", ("mode", mode), *[("mx", m) for m in mx])]


class PairResolver(StandIn):
    """Says nothing of A until AAAA was asked too."""

    def __init__(self, folder):
        self.held = []
        super().__init__(folder, "resolver")

    def answer(self, question):
        found = [("rr", "127.0.0.11")] if question["type"] == "A" else []
        self.held.insert(0, packet(
            "answer", ("status", "found" if found else "no-data"),
            ("security", "insecure"), ("ttl", "0"),
            ("canonical", question["name"]), ("why", ""),
            ("id", question["id"]), *found))
        if question["type"] == "A":
            return []
        now, self.held = self.held, []
        return now


class Stage:
    def __init__(self, t, lines=(), protocols="ipv4", resolver=None,
                 patience="2s"):
        self.t = t
        self.port = free_port()
        self.folder = Folder()
        self.folder.configure([
            "resolver_offline = yes",
            "resolver_zone_file = " + self.folder.write("zone", ZONE),
            "resolver_trust_anchor_file =",
            "smtp_tcp_port = %d" % self.port,
            "inet_protocols = " + protocols,
            "remote_process_limit = 5",
            "smtp_connect_timeout = 2s"] +
            ["smtp_%s_timeout = %s" % (step, patience) for step in (
                "helo", "mail", "rcpt", "data_init", "data_done")] +
            list(lines))
        if resolver:
            resolver(self.folder)
        else:
            self.folder.start("resolver")
        PolicyServer(self.folder)
        self.program = self.folder.start("remote-send")
        self.peers = []

    def peer(self, ip, replies=(), **more):
        p = Peer(ip, self.port, dict(replies), **more)
        self.peers.append(p)
        return p

    def clear(self):
        for p in self.peers:
            p.close()
        self.peers = []

    def qmgr(self):
        return Qmgr(self.program)

    def one(self, destination, replies=(), ip="127.0.0.11", **other):
        """One job with one server; gives server and answer."""
        p = self.peer(ip, replies)
        q = self.qmgr()
        d = q.deliver(destination, **other)
        q.close()
        self.clear()
        return p, d

    def end(self):
        self.clear()
        self.folder.end()


def plain_delivery(t, s):
    p = s.peer("127.0.0.11")
    q = s.qmgr()
    d = q.deliver("one.test", prologue="X-First: 1\r\n")
    q.close()
    t.equal(status(d), ("sent", "2.0.0"), "a message is sent")
    t.equal(d["results"][0]["relay"], "mx.one.test[127.0.0.11]:%d" % s.port,
            "… by the host of the MX record")
    t.equal(d["destination"], "ok", "… the destination is well")
    t.equal(p.messages, [b"X-First: 1\r\nSubject: x\r\n\r\n..dot\r\n"
                         b"...two\r\nend\r\n"],
            "… prologue first, dots doubled, nothing beyond its length")
    t.ok("MAIL FROM:<from@home.test> SIZE=%d BODY=8BITMIME"
         % (len(TEXT) + 12) in p.heard, "… SIZE and BODY are told")
    t.ok(3 in p.writes, "… MAIL, RCPT and DATA come in one piece")
    wait_for(lambda: "4bZ1: to=<" in s.folder.read_log())
    log = s.folder.read_log()
    t.ok(re.search(r"4bZ1: to=<to@one\.test>, relay=mx\.one\.test\[127\.0\.0"
                   r"\.11\]:\d+, delay=[\d.]+, delays=[\d.]+/0/[\d.]+/[\d.]+,"
                   r" dsn=2\.0\.0, status=sent \(250 2\.0\.0 queued as 1\)",
                   log), "… the log has Postfix's line")
    wait_for(lambda: p.heard[-1] == "QUIT", 30)
    t.equal(p.heard[-1], "QUIT", "… and QUIT at the end")
    s.clear()


def hosts(t, s):
    rows = [
        ("implicit.test", "sent", "2.0.0", "implicit MX"),
        ("[127.0.0.11]", "sent", "2.0.0", "address literal"),
        ("[mx.one.test]:%d" % s.port, "sent", "2.0.0", "[host]:port"),
        ("null.test", "failed", "5.1.10", "null MX"),
        ("nothing.test", "failed", "5.1.2", "no such domain"),
        ("none.test", "failed", "5.4.4", "neither MX nor address"),
        ("alias.test", "failed", "5.4.4", "MX host is an alias"),
        ("self.test", "deferred", "4.4.6", "we are the best MX"),
        ("backup.test", "sent", "2.0.0", "we are a worse MX"),
        ("lost.test", "failed", "5.4.4", "MX host does not exist"),
        ("down.test", "deferred", "4.4.1", "nobody listens"),
        ("bad domain", "failed", "5.1.2", "malformed destination"),
        ("[127.0.0.11", "failed", "5.1.2", "malformed literal"),
    ]
    for destination, want, dsn, name in rows:
        _, d = s.one(destination.replace(" ", "%20"), rcpts=["a@b.test"])
        t.equal(status(d), (want, dsn), name)
    _, d = s.one("down.test")
    t.equal(d["destination"], "down", "who cannot be reached is down")
    _, d = s.one("many.test")
    t.equal(status(d), ("sent", "2.0.0"), "each address of a host is tried")


def second_host(t, s):
    rows = [
        ({"": "421 4.3.2 too busy"}, "greeting 421"),
        ({"": "450 4.3.2 later"}, "greeting 450"),
        ({"": "554 5.3.2 no service"}, "greeting 554"),
        ({"": None}, "closed before the greeting"),
        ({"": 3.0}, "silent at the greeting"),
        ({"": "hello"}, "no SMTP server"),
        ({"EHLO": "421 4.3.2 bye"}, "EHLO 421"),
        ({"EHLO": None}, "closed at EHLO"),
        ({"MAIL": None}, "closed at MAIL"),
        ({"MAIL": "421 4.3.2 bye"}, "421 at MAIL"),
        ({"RCPT": "421 4.3.2 bye"}, "421 at RCPT"),
        ({"DATA": None}, "closed at DATA"),
        ({"EHLO": "500 what?", "HELO": "421 bye"}, "HELO 421"),
    ]
    for replies, name in rows:
        b = s.peer("127.0.0.13")
        a, d = s.one("two.test", replies, ip="127.0.0.12")
        t.equal((status(d), len(b.messages)), (("sent", "2.0.0"), 1),
                "the next host is tried: " + name)
    for key in ("MAIL", "RCPT", "DATA", "."):
        for ehlo in (EHLO % "x", "250 x"):
            b = s.peer("127.0.0.13")
            a, d = s.one("two.test", {key: "451 4.3.0 later", "EHLO": ehlo},
                         ip="127.0.0.12")
            t.equal((status(d), len(b.messages), a.heard[-1]),
                    (("sent", "2.0.0"), 1, "QUIT"),
                    "4xx at %s%s: the next host is tried" %
                    (key, ", pipelined" if "PIPE" in ehlo else ""))
    b = s.peer("127.0.0.13", {"RCPT": ["250 ok", "550 5.1.1 no"]})
    a, d = s.one("two.test", {"RCPT": ["250 ok", "450 4.2.1 a", "452 4.5.3 b",
                                       "551 5.1.6 c"]}, ip="127.0.0.12",
                 rcpts=["%d@two.test" % i for i in range(4)])
    t.equal([status(d, i)[1] for i in range(4)],
            ["2.0.0", "2.0.0", "5.1.1", "5.1.6"],
            "the next host gets whom the first put off, and them alone")
    t.equal([len(p.messages) for p in (a, b)], [1, 1], "… and nobody twice")
    b = s.peer("127.0.0.13", {"": "421 4.3.2 busy"})
    _, d = s.one("two.test", {"RCPT": "450 4.2.0 grey"}, ip="127.0.0.12")
    t.equal((status(d), d["destination"]), (("deferred", "4.2.0"), "ok"),
            "what a host said of a recipient counts more than that the next "
            "was away")
    b = s.peer("127.0.0.13", {"RCPT": "450 4.2.0 grey"})
    a, d = s.one("two.test", {"RCPT": "450 4.2.9 grey"}, ip="127.0.0.12")
    t.equal((status(d), a.connections, b.connections),
            (("deferred", "4.2.0"), 1, 1), "4xx of all: deferred")
    b = s.peer("127.0.0.13", {"": "554 no"})
    _, d = s.one("two.test", {"": "554 no"}, ip="127.0.0.12")
    t.equal((status(d), d["destination"]), (("deferred", "4.0.0"), "down"),
            "5xx greetings of all hosts: deferred")
    _, d = s.one("one.test", {"": "521 5.3.2 no mail here"})
    t.equal(status(d), ("failed", "5.3.2"), "521 greeting: failed")
    b = s.peer("127.0.0.13")
    a, d = s.one("two.test", {".": None}, ip="127.0.0.12")
    t.equal((status(d), len(b.messages)), (("deferred", "4.4.2"), 0),
            "closed after the end of data: no second host, no duplicate")
    a, d = s.one("loop.test", {"EHLO": EHLO % "mail.home.test"},
                 ip="127.0.0.12")
    t.equal(status(d), ("deferred", "4.4.6"), "a server with our name is us")


def session_limit(t, s):
    ips = ["127.0.0.97", "127.0.0.98", "127.0.0.11"]
    peers = [s.peer(ip, {"MAIL": "451 4.3.0 later"}) for ip in ips]
    q = s.qmgr()
    d = q.deliver("many.test")
    t.equal((status(d), sum(p.connections for p in peers)),
            (("deferred", "4.3.0"), 2), "at most two hosts are asked")
    q.close()
    s.clear()
    # a kept session, of a destination with one host and with two
    p = s.peer("127.0.0.11")
    q = s.qmgr()
    q.deliver("one.test")
    p.replies["RCPT"] = ["450 4.2.2 full", "250 ok"]
    first, second = status(q.deliver("one.test")), status(
        q.deliver("one.test"))
    t.equal((first, second, p.connections),
            (("deferred", "4.2.2"), ("sent", "2.0.0"), 1),
            "4xx of the only host: its session goes on")
    p.replies["MAIL"] = ["550 5.7.1 no", "421 4.3.2 bye", "250 ok"]
    first, second = status(q.deliver("one.test")), status(
        q.deliver("one.test"))
    t.equal((first, second, p.connections),
            (("failed", "5.7.1"), ("sent", "2.0.0"), 2),
            "a kept session that ends: the same host again")
    q.close()
    a, b = s.peer("127.0.0.12"), s.peer("127.0.0.13")
    q = s.qmgr()
    q.deliver("two.test")
    a.replies["RCPT"] = "450 4.2.2 full"
    d = q.deliver("two.test")
    t.equal((status(d), a.connections, b.connections),
            (("sent", "2.0.0"), 1, 1),
            "4xx on a kept session: the other host, and not the same again")
    q.close()
    s.clear()
    b = s.peer("127.0.0.13")
    a, d = s.one("two.test", {"EHLO": EHLO % "mail.home.test"},
                 ip="127.0.0.12")
    t.equal((status(d), b.connections), (("deferred", "4.4.6"), 0),
            "a host that is us: none after it is tried")


def replies(t, s):
    rows = [
        ({"MAIL": "550 5.7.1 no"}, "failed", "5.7.1", "MAIL 550"),
        ({"MAIL": "451 4.3.0 later"}, "deferred", "4.3.0", "MAIL 451"),
        ({"RCPT": "550 no such user"}, "failed", "5.0.0", "RCPT 550"),
        ({"RCPT": "450 4.2.0 grey"}, "deferred", "4.2.0", "RCPT 450"),
        ({"DATA": "554 5.5.1 no"}, "failed", "5.5.1", "DATA 554"),
        ({".": "554 5.6.0 spam"}, "failed", "5.6.0", "end of data 554"),
        ({".": "452 4.3.1 full"}, "deferred", "4.3.1", "end of data 452"),
        ({".": "250-2.0.0 a\r\n250 2.0.0 b"}, "sent", "2.0.0",
         "a reply of two lines"),
        ({".": "250 " + "x" * 3000}, "sent", "2.0.0", "a long reply"),
        ({".": "250 " + "x" * 30000}, "deferred", "4.5.0",
         "a reply that is too long"),
        ({".": "wonderful"}, "deferred", "4.5.0", "no reply at all"),
        ({".": 3.0}, "deferred", "4.4.2", "silence after the end of data"),
        ({"MAIL": 3.0}, "deferred", "4.4.2", "silence after MAIL"),
        ({"EHLO": "502 what?"}, "sent", "2.0.0", "HELO after EHLO failed"),
        ({"EHLO": "250 mx.peer.test"}, "sent", "2.0.0", "no extensions"),
    ]
    for r, want, dsn, name in rows:
        _, d = s.one("one.test", r)
        t.equal(status(d), (want, dsn), name)
    _, d = s.one("one.test", {"RCPT": "550 5.1.1 a\033b\r\n"})
    t.equal(d["results"][0]["reply"], "550 5.1.1 a\\033b",
            "control characters of a reply are made visible")
    t.ok("host mx.one.test[127.0.0.11] said: 550 5.7.1 no (in reply to MAIL "
         "FROM command)" in s.folder.read_log(), "the log says who said what")


def recipients(t, s):
    for ehlo in (EHLO % "x", "250 x"):
        kind = "pipelined" if "PIPE" in ehlo else "step by step"
        p, d = s.one("one.test", {
            "EHLO": ehlo, "RCPT": ["250 ok", "550 5.1.1 no", "450 4.2.1 wait",
                                   "250 ok"]},
            rcpts=["a@one.test", "b@one.test", "c@one.test", "d@one.test"])
        t.equal([status(d, i) for i in range(4)],
                [("sent", "2.0.0"), ("failed", "5.1.1"),
                 ("deferred", "4.2.1"), ("sent", "2.0.0")],
                "a result for each recipient, " + kind)
        p, d = s.one("one.test", {"EHLO": ehlo, "RCPT": "550 5.1.1 no"},
                     rcpts=["a@one.test", "b@one.test"])
        t.equal(([status(d, i) for i in range(2)], p.messages),
                ([("failed", "5.1.1")] * 2,
                 [b""] if "PIPE" in ehlo else []),
                "all refused, " + kind)
    p, d = s.one("one.test", {"RCPT": ["250 ok", "552 too many"]},
                 rcpts=["a@one.test", "b@one.test"])
    t.equal(status(d, 1), ("deferred", "4.0.0"),
            "552 after an accepted one: try again")
    p, d = s.one("one.test", rcpts=["r%d@one.test" % i for i in range(250)])
    t.ok(all(status(d, i) == ("sent", "2.0.0") for i in range(250)),
         "250 recipients")
    t.equal(len([x for x in p.heard if x.startswith("RCPT")]), 250,
            "… in one transaction")


def extensions(t, s):
    p, d = s.one("one.test", {"EHLO": EHLO % "x"}, envid="a+b=", ret="HDRS",
                 rcpts=[("a@one.test", 6, "rfc822;x+y@z", "%"),
                        ("b@one.test", 0, "%", "old@home.test"),
                        ("c@one.test", 1, "%", "c@one.test")])
    t.equal([x for x in p.heard if x[:4] in ("MAIL", "RCPT")],
            ["MAIL FROM:<from@home.test> SIZE=%d BODY=8BITMIME RET=HDRS "
             "ENVID=a+2Bb+3D" % len(TEXT),
             "RCPT TO:<a@one.test> NOTIFY=SUCCESS,FAILURE "
             "ORCPT=rfc822;x+2By@z",
             "RCPT TO:<b@one.test> ORCPT=rfc822;old@home.test",
             "RCPT TO:<c@one.test> NOTIFY=NEVER"],
            "DSN parameters are passed on")
    t.ok("p" in d["results"][0]["flags"], "… and qmgr is told so")
    p, d = s.one("one.test", {"EHLO": "250 x"}, envid="a", ret="FULL",
                 rcpts=[("a@one.test", 2, "rfc822;x", "%")])
    t.equal([x for x in p.heard if x[:4] in ("MAIL", "RCPT")],
            ["MAIL FROM:<from@home.test>", "RCPT TO:<a@one.test>"],
            "… but not to a server that does not know them")
    t.ok("p" not in d["results"][0]["flags"], "… which qmgr is told, too")
    _, d = s.one("one.test", {"EHLO": "250-x\r\n250 SIZE 20"})
    t.equal(status(d), ("failed", "5.3.4"), "SIZE too small: failed")
    _, d = s.one("one.test", {"EHLO": "250-x\r\n250 SIZE rubbish"})
    t.equal(status(d), ("sent", "2.0.0"), "SIZE that is no number: no limit")
    utf8 = "250-x\r\n250-8BITMIME\r\n250 SMTPUTF8"
    header = "Subject: \u00fc\r\n\r\nx\r\n".encode()
    rows = [
        (utf8, dict(smtputf8=1, sender="\u00fc@home.test"), "sent", "2.0.0",
         True),
        (EHLO % "x", dict(smtputf8=1, sender="\u00fc@home.test"), "failed",
         "5.6.7", False),
        (EHLO % "x", dict(smtputf8=1, text=header), "failed", "5.6.7", False),
        (EHLO % "x", dict(smtputf8=1, text=b"X: y\r\n" * 15000 + header),
         "failed", "5.6.7", False),
        (EHLO % "x", dict(smtputf8=1), "sent", "2.0.0", False),
        (EHLO % "x", dict(text=header), "sent", "2.0.0", False),
        (utf8, dict(smtputf8=1, text=header), "sent", "2.0.0", True),
    ]
    for ehlo, args, want, dsn, said in rows:
        p, d = s.one("one.test", {"EHLO": ehlo}, **args)
        t.equal((status(d), any("SMTPUTF8" in x for x in p.heard)),
                ((want, dsn), said), "SMTPUTF8 %s %s" %
                ("offered" if ehlo == utf8 else "not offered",
                 sorted(args)))
    _, d = s.one("one.test", {"EHLO": EHLO % "x"},
                 rcpts=["\u00fc@one.test", "a@one.test"])
    t.equal([status(d, i) for i in range(2)],
            [("failed", "5.6.7"), ("sent", "2.0.0")],
            "one recipient that needs SMTPUTF8 does not hold up the other")
    _, d = s.one("one.test", rcpts=["a%0d%0aRSET@one.test"])
    t.equal(status(d), ("failed", "5.1.3"), "an address with a line end")


def injected(t, s):
    """What comes in plain after the reply to STARTTLS (CVE-2011-0411)."""
    ehlo = "250-x\r\n250 STARTTLS"
    p, d = s.one("one.test", {
        "EHLO": ehlo, "STARTTLS": "220 go\r\n250-x\r\n250 SIZE 1"})
    t.equal((status(d), p.connections), (("sent", "2.0.0"), 2),
            "plain text after STARTTLS: that connection is not used")
    _, d = s.one("one.test", {"EHLO": ehlo, "STARTTLS": "454 4.7.0 no"})
    t.equal(status(d), ("sent", "2.0.0"), "STARTTLS refused: in plain")


def contents(t, s):
    big = b"Subject: big\r\n\r\n" + b"".join(
        b".%d %s\r\n" % (i, b"y" * (i % 900)) for i in range(5000))
    rows = [
        (b"", b"", "an empty message"),
        (b"a\r\n", b"a\r\n", "one line"),
        (b"no end", b"no end\r\n", "no line end"),
        (b"a\nb\r\n.\r\nc\r\n", b"a\r\nb\r\n..\r\nc\r\n",
         "bare LF, and a line of one dot"),
        (b"a\n.\nMAIL FROM:<x>\n", b"a\r\n..\r\nMAIL FROM:<x>\r\n",
         "smuggling by LF.LF"),
        (b"a\r.\rb\r\n", b"a\r\n..\r\nb\r\n", "smuggling by CR.CR"),
        (big, big.replace(b"\r\n.", b"\r\n.."), "%d bytes" % len(big)),
    ]
    ehlo = EHLO.replace("100000", "0") % "x"
    for text, want, name in rows:
        p, d = s.one("one.test", {"EHLO": ehlo}, text=text)
        t.ok(status(d) == ("sent", "2.0.0") and p.messages == [want],
             "content: " + name)
    q = s.qmgr()
    p = s.peer("127.0.0.11")
    q.number += 1
    with open(s.folder.write("short", "too short")) as f:
        q.sock.sendmsg([packet(
            "deliver", ("number", 1), ("id", "x"), ("offset", 0),
            ("length", 500), ("destination", "one.test"), ("sender", "a@b"),
            ("smtputf8", 0), ("arrival", 1), ("rcpt", "0 0 a@one.test % %"))],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
              array.array("i", [f.fileno()]))])
    t.equal(status(q.take()), ("deferred", "4.3.0"),
            "a queue file that is too short")
    t.equal(p.messages, [], "… nothing of it counts")
    q.close()
    s.clear()


def dripping(t, s):
    """A server that sends a byte now and then wins no time by it."""
    def drip():
        for _ in range(40):
            p.open[-1].sendall(b"2")
            time.sleep(0.5)
        return "20 late"
    p = s.peer("127.0.0.11")
    p.replies["MAIL"] = drip
    q = s.qmgr()
    start = time.monotonic()
    d = q.deliver("one.test")
    took = time.monotonic() - start
    t.ok(status(d)[0] == "deferred" and took < 12,
         "a reply that drips is waited for as long as any")
    q.close()
    s.clear()


def reuse(t, s):
    p = s.peer("127.0.0.11")
    q = s.qmgr()
    for _ in range(5):
        q.deliver("one.test")
    t.equal((p.connections, len(p.messages)), (1, 5),
            "five jobs, one connection")
    for _ in range(3):
        q.send("one.test")
    t.equal([status(q.take()) for _ in range(3)], [("sent", "2.0.0")] * 3,
            "jobs sent ahead are answered in order")
    q.deliver("implicit.test")
    t.equal(p.connections, 2, "another destination: another connection")
    p.replies["RCPT"] = ["550 5.1.1 no", "250 ok"]
    q.deliver("implicit.test")
    d = q.deliver("implicit.test")
    t.equal((status(d), p.connections), (("sent", "2.0.0"), 2),
            "after a refused recipient it goes on")
    p.replies["DATA"] = "554 5.5.1 no"
    q.deliver("implicit.test")
    p.replies["DATA"] = "354 go on"
    d = q.deliver("implicit.test")
    t.equal((status(d), p.connections), (("sent", "2.0.0"), 2),
            "after a refused DATA it goes on")
    t.equal(p.heard.count("RSET"), 1, "… with RSET")
    p.hang_up()
    d = q.deliver("implicit.test")
    t.equal((status(d), p.connections), (("sent", "2.0.0"), 3),
            "a kept connection that died is opened again")
    p.replies["MAIL"] = ["421 4.4.2 idle too long", "250 ok"]
    d = q.deliver("implicit.test")
    t.equal((status(d), p.connections), (("sent", "2.0.0"), 4),
            "421 on a kept connection: opened again")
    heard = len(p.heard)
    t.ok(wait_for(lambda: "QUIT" in p.heard[heard:], 60),
         "an idle connection ends with QUIT")
    d = q.deliver("implicit.test")
    t.equal(status(d), ("sent", "2.0.0"), "… and the next job opens another")
    before = p.connections
    for _ in range(120):
        q.deliver("implicit.test")
    t.equal(p.connections, before + 1, "after 100 messages a new connection")
    q.close()
    s.clear()


def ending(t, s):
    """SIGTERM while jobs are under way: the one at hand is finished."""
    p = s.peer("127.0.0.11", {".": lambda: time.sleep(1) or "250 2.0.0 ok"})
    q = s.qmgr()
    q.send("one.test")
    q.send("one.test")
    wait_for(lambda: "DATA" in p.heard)
    s.program.process.terminate()
    t.equal(status(q.take()), ("sent", "2.0.0"),
            "SIGTERM: the job at hand is finished")
    t.equal(q.sock.recv(10), b"", "… the next one goes back")
    q.close()
    t.equal(s.program.stop(), 0, "… and it ends with status 0")
    t.equal(len(p.messages), 1, "… one message was sent")
    s.clear()


def policies(t, s):
    _, d = s.one("sts.test")
    t.equal(status(d), ("deferred", "4.7.4"),
            "MTA-STS enforce: without TLS nothing is sent")
    _, d = s.one("stsbad.test")
    t.equal(status(d), ("deferred", "4.7.5"),
            "MTA-STS enforce: a host that the policy does not name")


def real_server(t, s):
    """Postfix's smtp-sink as the server."""
    sink = shutil.which("smtp-sink", path=os.environ["PATH"] + ":/usr/sbin")
    if not sink:
        print("# smtp-sink is not installed")
        return
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    process = subprocess.Popen([sink] + user + ["127.0.0.11:%d" % s.port,
                                                "20"])
    wait_for(lambda: socket.socket().connect_ex(
        ("127.0.0.11", s.port)) == 0)
    q = s.qmgr()
    for _ in range(200):
        q.send("one.test")
    good = [status(q.take())[0] for _ in range(200)]
    t.equal(good, ["sent"] * 200, "200 messages to smtp-sink")
    q.close()
    process.terminate()
    process.wait()


def ipv6(t):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        print("# there is no IPv6 here")
        return
    s = Stage(t, protocols="all")
    rows = [("six.test", "a host with IPv6 alone"),
            ("mixed.test", "a host whose IPv4 address is dead"),
            ("[IPv6:::1]", "an IPv6 literal")]
    for destination, name in rows:
        _, d = s.one(destination, ip="::1", rcpts=["a@one.test"])
        t.ok(status(d) == ("sent", "2.0.0") and
             "[::1]:" in d["results"][0]["relay"], name)
    s.end()
    s = Stage(t, protocols="all", resolver=PairResolver)
    _, d = s.one("one.test")
    t.equal(status(d), ("sent", "2.0.0"), "both families are asked at once")
    s.end()
    s = Stage(t)
    _, d = s.one("six.test")
    t.equal(status(d), ("failed", "5.4.4"), "… is none without IPv6")
    s.end()


def relayhost(t):
    s = Stage(t, ["relayhost = [mx.one.test]"])
    _, d = s.one("nothing.test")
    t.equal((status(d), d["results"][0]["relay"].split("[")[0]),
            (("sent", "2.0.0"), "mx.one.test"), "relayhost takes all")
    s.end()
    s = Stage(t, ["relayhost = [mx.one.test"])
    _, d = s.one("one.test")
    t.equal(status(d), ("deferred", "4.3.5"),
            "a relayhost that is none bounces nothing")
    t.ok("error: relayhost = [mx.one.test: wants" in s.folder.read_log(),
         "and the log names the parameter")
    s.end()
    s = Stage(t, ["smtp_tls_security_level = encrypt"])
    _, d = s.one("one.test")
    t.equal(status(d), ("deferred", "4.7.4"),
            "level encrypt: without TLS nothing is sent")
    q = s.qmgr()
    q.sock.send(b"rubbish")
    t.equal(q.sock.recv(10), b"", "a malformed job closes the connection")
    q.close()
    s.end()
    s = Stage(t)
    ending(t, s)
    s.end()


def deserted(t):
    """qmgr is gone, and hosts say nothing for a long time."""
    silence = threading.Event()

    def later():
        silence.wait(300)
        return "250 2.0.0 after all"
    s = Stage(t, patience="300s")
    big = b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n"
    for key in ("", "EHLO", "MAIL", "RCPT", "DATA"):
        p = s.peer("127.0.0.12", {key: later})
        other = s.peer("127.0.0.11")
        crowd = [s.qmgr() for _ in range(20)]  # as many processes as may be
        for q in crowd:
            q.send("[127.0.0.12]")
            q.send("one.test")
        t.ok(wait_for(lambda: p.connections >= 20), "all wait at " + (
            key or "the greeting"))
        for q in crowd:
            q.close()
        q = s.qmgr()
        q.sock.settimeout(60)
        t.equal(status(q.deliver("one.test")), ("sent", "2.0.0"),
                "… and serve the next qmgr when theirs is gone")
        q.close()
        t.equal(len(other.messages), 1, "… and send nothing of the former's")
        s.clear()
    p = s.peer("127.0.0.12", {".": later})
    q = s.qmgr()
    q.send("[127.0.0.12]", text=big)
    wait_for(lambda: p.messages)
    q.close()
    t.ok(not wait_for(lambda: p.heard[-1] == "QUIT", 3),
         "a host that has all of a message is waited for")
    silence.set()
    t.ok(wait_for(lambda: p.heard[-1] == "QUIT"), "… until it answers")
    s.end()


def main():
    t = Tap()
    s = Stage(t)
    try:
        t.ok(s.program.ready, "says that it is ready")
        for part in (plain_delivery, hosts, second_host, session_limit,
                     replies, recipients,
                     extensions, injected, contents, dripping,
                     reuse, policies, real_server):
            part(t, s)
        ipv6(t)
        relayhost(t)
        deserted(t)
        t.ok("ended by signal" not in s.folder.read_log(),
             "no process died")
    finally:
        s.end()
    t.done()


main()
