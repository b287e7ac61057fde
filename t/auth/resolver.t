#!/usr/bin/env python3
"""resolver: local zones, stub zones of a real server, DNSSEC states."""
import os
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, packet, parse, wait_for  # noqa: E402
from nameserver import Nameserver, tools_missing  # noqa: E402

LATE = "no answer in time"

ZONE = """
; records of ours
a.test. 300 IN A 192.0.2.1
a.test. IN A 192.0.2.2
a.test. IN AAAA 2001:db8::1
a.test. 60 IN MX 10 mx1.a.test.
a.test. IN MX 20 mx2.a.test.
a.test. IN TXT "v=spf1 " "mx -all"
null.test. IN MX 0 .
alias.test. IN CNAME a.test.
one.test. IN CNAME two.test.
two.test. IN CNAME one.test.
example.org. IN A 192.0.2.3
1.0.0.127.in-addr.arpa. IN PTR host.a.test.
_25._tcp.a.test. IN TLSA 3 1 1 ab12
"""

SIGNED = """
@ IN MX 10 mail
mail IN A 127.0.0.5
_25._tcp.mail IN TLSA 3 1 1 0011223344
www IN CNAME mail
out IN CNAME mail.plain.test.
*.wild IN A 127.0.0.6
"""

PLAIN = """
mail IN A 127.0.0.7
away IN CNAME nowhere.example.net.
big IN TXT "%s"
""" % '" "'.join("x" * 250 for _ in range(12))
PLAIN += "".join("many IN A 10.0.%d.%d\n" % (i // 250, i % 250)
                 for i in range(300))


def damage(text):
    return text.replace("\t127.0.0.5", "\t127.0.0.66")


class Client:
    def __init__(self, program):
        self.sock = program.connect()

    def ask(self, name, kind):
        self.sock.send(packet("query", ("name", name), ("type", kind)))
        return self.take()

    def ask_patiently(self, name, kind):
        """On a loaded machine the name server may miss the ten seconds that
        the resolver has: that is no answer about the name."""
        found = []

        def answered():
            found[:] = [self.ask(name, kind)]
            return found[0].get("why") != LATE
        wait_for(answered, 120)
        return found[0]

    def take(self):
        verb, attrs = parse(self.sock.recv(131072))
        d = dict(a for a in attrs if a[0] != "rr")
        d["verb"] = verb
        d["rr"] = [v for n, v in attrs if n == "rr"]
        return d


def local_cases(t, c):
    rows = [
        ("a.test", "A", "found", ["192.0.2.1", "192.0.2.2"]),
        ("A.Test.", "A", "found", ["192.0.2.1", "192.0.2.2"]),
        ("a.test", "AAAA", "found", ["2001:db8::1"]),
        ("a.test", "MX", "found", ["10 mx1.a.test", "20 mx2.a.test"]),
        ("a.test", "TXT", "found", ["v=spf1 mx -all"]),
        ("null.test", "MX", "found", ["0 ."]),
        ("_25._tcp.a.test", "TLSA", "found", ["3 1 1 ab12"]),
        ("alias.test", "CNAME", "found", ["a.test"]),
        ("alias.test", "A", "found", ["192.0.2.1", "192.0.2.2"]),
        ("alias.test", "TLSA", "no-data", []),
        ("one.test", "A", "temp", []),
        ("1.0.0.127.in-addr.arpa", "PTR", "found", ["host.a.test"]),
        ("example.org", "A", "found", ["192.0.2.3"]),
        ("a.test", "PTR", "no-data", []),
        ("nothing.test", "A", "no-name", []),
        ("example.com", "MX", "no-name", []),
        ("", "A", "no-name", []),
        ("a..test", "A", "no-name", []),
        ("x" * 64 + ".test", "A", "no-name", []),
        (".".join(["x" * 60] * 5), "A", "no-name", []),
        ("a b.test", "A", "no-name", []),
        ("a\\b.test", "A", "no-name", []),
        ("b\u00fccher.test", "A", "no-name", []),
        ("a.test", "SRV", "temp", []),
        ("a.test", "", "temp", []),
    ]
    for name, kind, status, rr in rows:
        d = c.ask(name, kind)
        t.equal((d["status"], sorted(d["rr"])), (status, rr),
                "local: %s %s" % (name[:30], kind))
    d = c.ask("alias.test", "A")
    t.equal(d["canonical"], "a.test", "canonical name after a CNAME")
    t.equal(d["security"], "insecure", "local records are insecure")
    t.equal(c.ask("a.test", "MX")["ttl"], "60", "the TTL of the records")


def signed_cases(t, c):
    rows = [
        ("signed.test", "MX", "found", "secure", ["10 mail.signed.test"]),
        ("mail.signed.test", "A", "found", "secure", ["127.0.0.5"]),
        ("_25._tcp.mail.signed.test", "TLSA", "found", "secure",
         ["3 1 1 0011223344"]),
        ("www.signed.test", "A", "found", "secure", ["127.0.0.5"]),
        ("x.wild.signed.test", "A", "found", "secure", ["127.0.0.6"]),
        ("none.signed.test", "A", "no-name", "secure", []),
        ("mail.signed.test", "MX", "no-data", "secure", []),
        ("out.signed.test", "A", "found", "insecure", ["127.0.0.7"]),
        ("mail.plain.test", "A", "found", "insecure", ["127.0.0.7"]),
        ("none.plain.test", "A", "no-name", "insecure", []),
        ("mail.damaged.test", "A", "temp", "bogus", []),
        ("damaged.test", "MX", "found", "secure", ["10 mail.damaged.test"]),
    ]
    for name, kind, status, security, rr in rows:
        d = c.ask_patiently(name, kind)
        t.equal((d["status"], d["security"], d["rr"]), (status, security, rr),
                "server: %s %s" % (name, kind))
    t.ok("mail.damaged.test" in c.ask_patiently("mail.damaged.test",
                                                "A")["why"],
         "a bogus answer says why")
    d = c.ask_patiently("away.plain.test", "A")
    t.ok(d["status"] == "temp" and d["why"] != LATE,
         "offline: a CNAME that leads out is not waited for", d)
    t.equal(len(c.ask_patiently("big.plain.test", "TXT")["rr"][0]), 3000,
            "a TXT of 12 strings is joined")
    t.equal(len(c.ask_patiently("many.plain.test", "A")["rr"]), 300,
            "300 records come whole")


def many_at_once(t, program):
    clients = [Client(program) for _ in range(40)]
    # so that what is measured is the resolver, not the name server
    for k in range(8):
        clients[0].ask_patiently("n%d.wild.signed.test" % k, "A")
    for i, c in enumerate(clients):
        for k in range(8):
            c.sock.send(packet("query", ("name", "n%d.wild.signed.test" % k),
                               ("type", "A")))
    got = [c.take()["rr"] for c in clients for _ in range(8)]
    t.ok(all(g == ["127.0.0.6"] for g in got), "320 questions at once")
    c = clients[0]
    c.sock.send(b"garbage")
    t.equal(c.sock.recv(100), b"", "garbage closes that connection")
    c = clients[1]
    for k in range(40):
        try:
            c.sock.send(packet("query", ("name", "a.test"), ("type", "A")))
        except OSError:
            break
    t.equal(Client(program).ask("a.test", "TXT")["status"], "found",
            "a greedy client stops nobody")
    clients[2].sock.send(packet("query", ("name", "slow.plain.test"),
                                ("type", "A")))
    clients[2].sock.close()
    t.equal(clients[3].ask("a.test", "A")["status"], "found",
            "a client that leaves stops nobody")


def dead_server(t):
    """A server that never answers: `temp` within the deadline."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        folder = Folder(["resolver_forwarders = 127.0.0.1@%d"
                         % hole.getsockname()[1],
                         "resolver_trust_anchor_file ="])
        program = folder.start("resolver")
        start = time.monotonic()
        first, second = Client(program), Client(program)
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(first.ask("x.example", "A")))
        thread.start()
        d = second.ask("x.example", "A")
        thread.join()
        took = time.monotonic() - start
        t.equal((d["status"], d["why"], answers[0]["status"]),
                ("temp", LATE, "temp"),
                "a dead server: two clients get temp")
        t.ok(took > 9, "… after 10 seconds", took)
        t.equal(program.stop(), 0, "ends with status 0")
        folder.end()


def private_names(t):
    """The forwarder knows the hosts of a private network."""
    folder = Folder()
    ns = Nameserver(folder)
    ns.add("10.in-addr.arpa", "1.0.77 IN PTR host.example.\n")
    ns.start()
    try:
        folder.configure(["resolver_forwarders = 127.0.0.1@%d" % ns.port])
        program = folder.start("resolver")
        d = Client(program).ask_patiently("1.0.77.10.in-addr.arpa", "PTR")
        t.equal((d["status"], d["security"], d["rr"]),
                ("found", "insecure", ["host.example"]),
                "the name of a private address, beside the root's anchor")
        program.stop()
    finally:
        ns.stop()
        folder.end()


def faults(t):
    rows = [
        ("resolver_forwarders = here", "", "is not IP or IP@port"),
        ("resolver_stub_zones = a.test", "", "is not zone=IP@port"),
        ("resolver_trust_anchor_file = /nonexistent", "", "/nonexistent"),
        ("", "a.test. IN A 192.0.2.1\na.test. IN A 1.2.3\n", "zone:2: not a"),
        ("resolver_zone_file = /nonexistent", "", "/nonexistent"),
        ("resolver_trust_anchor_file = FIFO", "", "is no regular file"),
        ("resolver_trust_anchor_file = /dev/zero", "", "is larger than"),
    ]
    for line, zone, want in rows:
        folder = Folder()
        path, fifo = folder.write("zone", zone), folder.path("fifo")
        os.mkfifo(fifo)
        folder.configure(["resolver_zone_file = " + path] * bool(zone)
                         + [line.replace("FIFO", fifo)])
        program = folder.start("resolver")
        ready = program.ready
        code = program.stop()
        t.ok(not ready and code == 78 and
             want in folder.read_log() + program.errors,
             "fault: %s" % want)
        folder.end()


def main():
    t = Tap()
    missing = tools_missing()
    if missing:
        print("1..0 # SKIP not installed: %s" % " ".join(missing))
        return
    folder = Folder()
    ns = Nameserver(folder)
    try:
        ns.add("signed.test", SIGNED, signed=True)
        ns.add("plain.test", PLAIN)
        ns.add("damaged.test", SIGNED, signed=True, edit=damage)
        t.ok(ns.start(), "nsd answers")
        folder.configure([
            "resolver_offline = yes",
            "resolver_zone_file = " + folder.write("zone", ZONE),
            "resolver_stub_zones = " + ns.stubs(),
            "resolver_trust_anchor_file = " + ns.anchor_file()])
        program = folder.start("resolver")
        t.ok(program.ready, "says that it is ready")
        c = Client(program)
        local_cases(t, c)
        signed_cases(t, c)
        many_at_once(t, program)
        t.equal(program.stop(signal.SIGTERM), 0,
                "SIGTERM ends it with status 0")
        dead_server(t)
        private_names(t)
        faults(t)
    finally:
        ns.stop()
        folder.end()
    t.done()


main()
