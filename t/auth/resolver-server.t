#!/usr/bin/env python3
"""The resolver before a scripted DNS server: what it asks and how often, and
what it makes of answers that are cut, chained, looped, wrong or missing."""
import collections
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, packet, parse  # noqa: E402

TYPES = {1: "A", 5: "CNAME", 6: "SOA", 15: "MX", 16: "TXT", 28: "AAAA"}
NUMBERS = {v: k for k, v in TYPES.items()}
LONG = ".".join(["x" * 63] * 3 + ["y" * 48]) + ".long.example"  # 255 octets
LONGER = "z" + LONG


def wire(name):
    return b"".join(bytes([len(p)]) + p.encode()
                    for p in name.split(".") if p) + b"\0"


def record(name, kind, data, ttl=60):
    return wire(name) + struct.pack("!HHIH", NUMBERS[kind], 1, ttl,
                                    len(data)) + data


def address(text):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return socket.inet_pton(family, text)


class Server:
    """ZONE: (name, type) → function of the transport giving (rcode, answers,
    authority, truncated), or None for no answer at all."""

    def __init__(self, zone):
        self.zone = zone
        self.asked = collections.Counter()
        self.tcp_asked = collections.Counter()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket()
        while True:
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self.udp.close()
                self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp.listen(10)
        for run in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=run, daemon=True).start()

    def answer(self, query, tcp):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, question = ".".join(labels), query[12:at + 5]
        kind = TYPES.get(struct.unpack("!H", query[at + 1:at + 3])[0], "?")
        (self.tcp_asked if tcp else self.asked)[name, kind] += 1
        found = self.zone.get((name, kind), self.zone.get((name, "*")))
        if found is None:
            found = negative(3 if not any(n == name for n, _ in self.zone)
                             else 0)
        made = found(tcp) if callable(found) else found
        if made is None:
            return None
        rcode, answers, authority, cut = made
        flags = 0x8180 | rcode | (0x0200 if cut else 0)
        return query[:2] + struct.pack("!HHHHH", flags, 1, len(answers),
                                       len(authority), 0) + question + \
            b"".join(answers + authority)

    def serve_udp(self):
        while True:
            data, who = self.udp.recvfrom(4096)
            made = self.answer(data, False)
            if made:
                self.udp.sendto(made, who)

    def serve_tcp(self):
        while True:
            conn, _ = self.tcp.accept()
            threading.Thread(target=self.one_tcp, args=(conn,),
                             daemon=True).start()

    def one_tcp(self, conn):
        data = b""
        while True:
            more = conn.recv(4096)
            if not more:
                return
            data += more
            while len(data) >= 2 and \
                    len(data) >= 2 + struct.unpack("!H", data[:2])[0]:
                n = struct.unpack("!H", data[:2])[0]
                made = self.answer(data[2:2 + n], True)
                data = data[2 + n:]
                if made:
                    conn.sendall(struct.pack("!H", len(made)) + made)


def soa(zone="example", minimum=60):
    return record(zone, "SOA", wire("ns.example") + wire("root.example") +
                  struct.pack("!IIIII", 1, 3600, 600, 86400, minimum),
                  minimum)


def negative(rcode, minimum=60):
    return rcode, [], [soa(minimum=minimum)], False


def answers(*records):
    return 0, list(records), [], False


def chain(n, first=0):
    """c0.example → c1.example → … → an address, from FIRST on."""
    return [record("c%d.example" % i, "CNAME", wire("c%d.example" % (i + 1)))
            for i in range(first, n)] + [record("c%d.example" % n, "A",
                                                address("192.0.2.9"))]


def cut(tcp):
    many = [record("cut.example", "A", address("192.0.2.%d" % i))
            for i in range(1, 60)]
    return (0, many, [], False) if tcp else (0, [], [], True)


ZONE = {
    ("a.example", "A"): answers(record("a.example", "A", address("192.0.2.1"))),
    ("six.example", "AAAA"): answers(record("six.example", "AAAA",
                                         address("2001:db8::6"))),
    ("six.example", "A"): negative(0),
    ("cut.example", "A"): cut,
    ("loop.example", "*"): answers(record("loop.example", "CNAME",
                                       wire("pool.example"))),
    ("pool.example", "*"): answers(record("pool.example", "CNAME",
                                       wire("loop.example"))),
    ("fails.example", "*"): (2, [], [], False),
    ("refuses.example", "*"): (5, [], [], False),
    ("silent.example", "*"): lambda tcp: None,
    (LONG, "A"): answers(record(LONG, "A", address("192.0.2.255"))),
    ("other.example", "A"): answers(record("victim.example", "A",
                                        address("192.0.2.66"))),
    ("short.example", "TXT"): answers(record("short.example", "TXT",
                                             b"\xff" + b"x")),
    ("victim.example", "A"): answers(record("victim.example", "A",
                                         address("192.0.2.5"))),
}
for _i in range(9):
    ZONE["c%d.example" % _i, "A"] = answers(*chain(8, _i))


class Client:
    def __init__(self, program):
        self.sock = program.connect()

    def ask(self, name, kind):
        self.sock.send(packet("query", ("name", name), ("type", kind)))
        attrs = parse(self.sock.recv(131072))[1]
        d = dict(a for a in attrs if a[0] != "rr")
        d["rr"] = [v for n, v in attrs if n == "rr"]
        return d


def cases(t, c, server):
    rows = [
        ("a.example", "A", "found", ["192.0.2.1"], "an address"),
        ("six.example", "AAAA", "found", ["2001:db8::6"], "IPv6 alone"),
        ("six.example", "A", "no-data", [], "… has no IPv4"),
        ("c0.example", "A", "found", ["192.0.2.9"], "a chain of 8 aliases"),
        ("loop.example", "A", "temp", [], "a loop of aliases"),
        ("fails.example", "A", "temp", [], "SERVFAIL"),
        ("refuses.example", "MX", "temp", [], "REFUSED"),
        ("nothing.example", "MX", "no-name", [], "NXDOMAIN"),
        (LONG, "A", "found", ["192.0.2.255"], "a name of 255 octets"),
        (LONGER, "A", "no-name", [], "a name of 256 octets"),
        ("short.example", "TXT", "temp", [], "a record that is cut off"),
    ]
    for name, kind, status, rr, why in rows:
        d = c.ask(name, kind)
        t.equal((d["status"], d["rr"]), (status, rr), why)
    t.equal(c.ask("c0.example", "A")["canonical"], "c8.example",
            "the name at the end of a chain")
    d = c.ask("cut.example", "A")
    t.ok(len(d["rr"]) == 59 and server.tcp_asked["cut.example", "A"] == 1,
         "a truncated answer is asked for by TCP")
    c.ask("other.example", "A")
    t.equal(c.ask("victim.example", "A")["rr"], ["192.0.2.5"],
            "an answer to another question is kept for nothing")


def cached(t, c, server):
    server.asked.clear()
    for name, kind in (("a.example", "A"), ("six.example", "A"),
                       ("nothing.example", "MX"), ("nothing.example", "MX")):
        c.ask(name, kind)
    t.equal(sum(server.asked.values()), 0,
            "answers, and that there are none, are kept")
    before = server.asked["fails.example", "A"]
    for _ in range(5):
        c.ask("fails.example", "A")
    t.ok(server.asked["fails.example", "A"] - before <= 12,
         "a server that fails is not beaten (%d questions for 5)" %
         (server.asked["fails.example", "A"] - before))
    start = time.monotonic()
    d = c.ask("silent.example", "A")
    t.ok(d["status"] == "temp" and time.monotonic() - start < 15,
         "no answer: temp, in time")
    t.equal(c.ask("a.example", "A")["status"], "found",
            "… and the server is still asked for other names")


def main():
    t = Tap()
    server = Server(ZONE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        folder = Folder(["resolver_trust_anchor_file =",
                         "resolver_forwarders = 127.0.0.1@%d" % server.port])
        both = Folder(["resolver_trust_anchor_file =",
                       "resolver_forwarders = 127.0.0.1@%d 127.0.0.1@%d" %
                       (hole.getsockname()[1], server.port)])
        try:
            c = Client(folder.start("resolver"))
            cases(t, c, server)
            cached(t, c, server)
            c = Client(both.start("resolver"))
            got = [c.ask("n%d.example" % i, "A")["status"] for i in range(5)]
            t.equal(got, ["no-name"] * 5, "one of two servers is dead")
            t.ok("signal" not in folder.read_log(), "no process died")
        finally:
            folder.end()
            both.end()
    t.done()


main()
