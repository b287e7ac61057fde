#!/usr/bin/env python3
"""Hosts that take a connection and then say nothing, or stop in the middle,
hold up no mail for other hosts for long; and what waits for them is sent once
when they go on."""
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, free_port  # noqa: E402
from instance import Instance, wait_for  # noqa: E402
from smtppeer import Peer  # noqa: E402

LIMIT = 4       # processes of remote-send
PLACES = ["", "RCPT", "DATA", "."]	# where hosts stop
EACH = 6        # hosts that stop there: in all more than it has processes
MANY = 100      # a mailing to so many silent ones
AT_ONCE = 6     # seconds, on a loaded machine
SLOW = 10       # after so many a delivery is slow
WAVE = 25       # two deliveries that turn out to be slow, and some
LONG = 120

tap = Tap()


def zone():
    lines = ["p%dn%d.test. IN A 127.0.77.%d" % (place, n, place + 1)
             for place in range(len(PLACES)) for n in range(EACH)]
    lines += ["many%d.test. IN A 127.0.77.1" % n for n in range(MANY)]
    lines += ["endless%d.test. IN A 127.0.77.4" % n for n in range(MANY)]
    lines += ["good%d.test. IN A 127.0.78.1" % n for n in range(4)]
    return "\n".join(lines) + "\n"


class Tarpit(Peer):
    """Stops at PLACE until it is opened."""

    def __init__(self, number, port):
        self.place = PLACES[number]
        self.opened = threading.Event()
        super().__init__("127.0.77.%d" % (number + 1), port)

    def say(self, conn, key):
        if key == self.place:
            self.opened.wait(300)
        return super().say(conn, key)


def send(s, sender, *to):
    subprocess.run([s.SENDMAIL, "-f", sender, "--", *to],
                   input="Subject: x\n\nx\n", text=True, check=True,
                   timeout=60)


def arrives(s, good, to, sender, seconds, name):
    before = len(good.messages)
    begin = time.monotonic()
    send(s, sender, to)
    wait_for(lambda: len(good.messages) > before, LONG)
    took = time.monotonic() - begin
    tap.ok(took < seconds, name, "%.1f s" % took)


def is_empty(s):
    return "the queue is empty" in s.posthorn("queue", "list").stdout


def stats(s, name):
    for line in s.posthorn("queue", "stats").stdout.splitlines():
        if line.split()[0] == name:
            return int(line.split()[1])
    return 0


def beside(s, good, new, what):
    arrives(s, good, "x@good0.test", s.address(), AT_ONCE,
            what + ": a known host gets mail at once")
    arrives(s, good, "x@" + new, "other@bystander.test", WAVE,
            what + ": a new host gets mail")


def mailing(s, good, silent):
    """One sender's mail to many silent hosts."""
    for n in range(MANY):
        send(s, s.address(), "x@many%d.test" % n)
    wait_for(lambda: silent.connections >= LIMIT - 1, LONG)
    beside(s, good, "good1.test", "beside a mailing to silent hosts")
    s.posthorn("queue", "delete", "ALL")
    silent.close()
    tap.ok(wait_for(lambda: is_empty(s), LONG), "it can be deleted")


def endless(s, good, hosts):
    """Hosts that are never given up, of one sender."""
    for n in range(MANY // 4):
        send(s, s.address(), "x@endless%d.test" % n)
    # it would take all, if it could
    wait_for(lambda: stats(s, "slow_deliveries") > 6, 45)
    beside(s, good, "good3.test", "beside hosts that keep what they got")
    hosts.opened.set()
    tap.ok(wait_for(lambda: is_empty(s), LONG), "they say so in the end")
    tap.equal(len(hosts.messages), MANY // 4, "each once")


def hanging(s, good, peers):
    for n in range(EACH):
        for number in range(len(PLACES)):
            send(s, s.address(), "x@p%dn%d.test" % (number, n))
    wait_for(lambda: all(p.connections for p in peers), LONG)
    beside(s, good, "good2.test", "beside hosts that stop anywhere")
    wait_for(lambda: stats(s, "slow_deliveries") >= 2 * LIMIT, LONG)
    arrives(s, good, "x@good0.test", s.address(), AT_ONCE,
            "when there are many slow ones, too")
    tap.ok(stats(s, "slow_destinations") >= 2 * LIMIT,
           "the administrator sees them")
    for p in peers:
        p.opened.set()
    tap.ok(wait_for(lambda: is_empty(s), LONG),
           "they get their mail when they go on")
    tap.equal([len(p.messages) for p in peers], [EACH] * len(PLACES),
              "each once")
    for n in range(EACH):
        for number in range(len(PLACES)):
            send(s, s.address(), "x@p%dn%d.test" % (number, n))
    tap.ok(wait_for(lambda: is_empty(s) and
                    stats(s, "slow_destinations") == 0, LONG),
           "and are slow no more when they are quick again")


def main():
    port = free_port()
    good = Peer("127.0.78.1", port)
    lines = ["mynetworks=127.0.0.0/8", "smtp_tcp_port=%d" % port,
             "inet_protocols=ipv4", "smtp_tls_security_level=none"]
    with Instance("remote_process_limit=2", *lines, zone=zone()) as s:
        send(s, s.address(), "x@good0.test")
        wait_for(lambda: good.messages, LONG)
        hosts = Tarpit(3, port)
        endless(s, good, hosts)
        hosts.close()
    lines += ["remote_process_limit=%d" % LIMIT]
    with Instance(*lines, zone=zone()) as s:
        send(s, s.address(), "x@good0.test")
        wait_for(lambda: len(good.messages) == 4, LONG)
        silent = Tarpit(0, port)
        mailing(s, good, silent)
    with Instance(*lines, zone=zone()) as s:
        send(s, s.address(), "x@good0.test")
        wait_for(lambda: len(good.messages) == 7, LONG)
        hanging(s, good, [Tarpit(n, port) for n in range(len(PLACES))])
    tap.done()


main()
