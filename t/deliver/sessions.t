#!/usr/bin/env python3
"""SMTP sessions with other hosts are kept and used again, and what is slow
delays nothing that could go on."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, free_port  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402
from smtppeer import Peer  # noqa: E402

ROUNDS = 5	# on a busy machine a delivery may take a second


class Host(Peer):
    """It ends no message while it is closed."""

    def __init__(self, number, port):
        self.ip, self.gate = "127.0.0.%d" % number, threading.Event()
        self.gate.set()
        super().__init__(self.ip, port, {".": self.take})

    def take(self):
        return self.gate.wait(60) and "250 2.0.0 ok"

    def has(self, n):
        return wait_for(lambda: len(self.messages) == n)


def post(s, host, body="text\r\n"):
    with s.smtp() as c:
        to = "to@[%s]" % host.ip
        c.sendmail(s.address(), [to], message(s.address(), to, body=body))


def is_kept(s, here, there):
    """Two processes: HERE has a session that is not used, THERE a message
    that has begun. Two more for there do not need another session."""
    for host in (here, there):
        post(s, host)
        host.has(1)
    there.gate.clear()
    begun = len(there.heard)
    post(s, there)
    wait_for(lambda: "DATA" in there.heard[begun:])
    post(s, there)
    post(s, there)
    there.gate.set()
    there.has(4)
    post(s, here)
    here.has(2)
    return (here.connections, there.connections) == (1, 1)


def kept(tap, s, port):
    for i in range(ROUNDS):
        hosts = [Host(10 + 2 * i + k, port) for k in range(2)]
        good = is_kept(s, *hosts)
        for h in hosts:
            h.close()
        if good:
            break
    tap.ok(good, "mail waits for a quick delivery to end, not for a session")


def slow(tap, s, host, what, body="text\r\n", after=0):
    """One message that has begun, and another AFTER seconds."""
    post(s, host)
    host.has(1)
    host.gate.clear()
    begun = len(host.heard)
    post(s, host, body)
    wait_for(lambda: "DATA" in host.heard[begun:])
    wait_for(lambda: False, after)
    post(s, host)
    tap.ok(wait_for(lambda: host.connections == 2),
           "%s is not waited for" % what)
    host.gate.set()
    host.has(3)
    host.close()


def main():
    tap = Tap()
    port = free_port()
    lines = ["mynetworks=127.0.0.0/8", "smtp_tcp_port=%d" % port,
             "reject_unknown_sender_domain=no",
             "smtp_tls_security_level=none"]
    with Instance("remote_process_limit=2", *lines) as s:
        kept(tap, s, port)
    with Instance(*lines) as s:
        slow(tap, s, Host(8, port), "a delivery of some seconds", after=3)
        slow(tap, s, Host(9, port), "a large message", "text\r\n" * 11000)
    tap.done()


main()
