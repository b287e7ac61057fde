#!/usr/bin/env python3
"""A queue with more in it than can go out: what waits is held cheaply and
completely, and everybody gets his turn."""
import os
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, free_port  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402
from smtppeer import Peer  # noqa: E402

ACTIVE = 5
EACH = 20  # recipients of one delivery


class Silent:
    """A host that takes connections and says nothing."""

    def __init__(self, port):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(100)
        self.conns = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                self.conns.append(self.listener.accept()[0])
            except OSError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for c in self.conns:
            c.close()


def open_slots(s):
    """Queue files that qmgr has open."""
    folder = "/proc/%d/fd" % s.pid_of("qmgr")
    links = []
    for name in os.listdir(folder):
        try:
            links.append(os.readlink(os.path.join(folder, name)))
        except FileNotFoundError:
            pass
    return sum(x.startswith(s.QUEUE + "/queue/") for x in links)


def stats(s):
    out = s.posthorn("queue", "stats").stdout
    return {w[0]: int(w[1]) for w in (x.split() for x in out.splitlines())
            if len(w) == 2}


def post(s, count, sender, to=None):
    with s.smtp() as c:
        for i in range(count):
            rcpts = to or ["to%d@far.example" % i]
            c.sendmail(sender, rcpts, message(sender, rcpts[0],
                                              "from " + sender))


def overfull(tap, s, port):
    silent = Silent(port)
    post(s, 80, s.address())
    tap.ok(wait_for(lambda: stats(s)["active"] == ACTIVE and
                    stats(s)["waiting"] == 80 - ACTIVE),
           "more messages than may be active at once: the others wait")
    # a message under way has three descriptors, a receiver up to nine slots
    tap.ok(open_slots(s) <= 3 * ACTIVE + 9,
           "… with no descriptor open (%d are)" % open_slots(s))
    silent.close()
    peer = Peer("127.0.0.1", port)

    def all_there():
        s.posthorn("queue", "flush", "ALL")
        return len(peer.messages) == 80
    tap.ok(wait_for(all_there, 60, 0.5),
           "… and all go out when the host speaks")
    # slots do stay, empty ones for what comes: how many depends on the rush
    tap.ok(wait_for(lambda: stats(s)["active"] + stats(s)["waiting"] == 0),
           "… and none stays")
    peer.close()


def turns(tap, s, port):
    """A host that takes one delivery after the other, slowly."""
    gate = threading.Event()
    peer = Peer("127.0.0.1", port, {
        ".": lambda: gate.wait(60) and "250 2.0.0 ok"})
    post(s, 1, "list@big.example",
         ["m%d@far.example" % i for i in range(EACH * 20)])
    post(s, 30, "news+1=x@eager.example")
    post(s, 30, "news+2=y@eager.example")
    calm = ["one@calm%d.example" % i for i in range(8)]
    for sender in calm:
        post(s, 1, sender)
    tap.ok(wait_for(lambda: peer.connections > 0), "the host is busy")
    gate.set()
    tap.ok(wait_for(lambda: len(peer.messages) == 88, 60),
           "all of it is delivered")
    order = [m.split(b"Subject: from ")[1].split(b"\r\n")[0].decode()
             for m in peer.messages]
    # chance may put two senders into one lane: not most of them
    places = sorted(order.index(x) + 1 for x in calm)
    tap.ok(places[2] <= 20,
           "the letters that came last were numbers %r, before most of a list "
           "mailing and of another's many letters" % places)
    first = [order.index(x) for x in ("news+1=x@eager.example",
                                      "list@big.example")]
    tap.ok(max(first) < 20, "… and so were they served (%r)" % first)
    peer.close()


def burst(s):
    """80 letters for one mailbox, none of which is delivered before the last
    has come; how long that took, and the processes that delivered."""
    parent = s.pid_of("local-deliver")
    with open("/proc/%d/task/%d/children" % (parent, parent)) as f:
        pids = [parent] + [int(pid) for pid in f.read().split()]
    start, seen = time.monotonic(), len(s.read_log())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    post(s, 80, s.address(), [s.address()])
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    took = time.monotonic() - start
    line = r"local-deliver\[(\d+)\]: .*status=sent"
    wait_for(lambda: len(re.findall(line, s.read_log()[seen:])) >= 80)
    return took, set(re.findall(line, s.read_log()[seen:]))


def one_mailbox(tap, s):
    for _ in range(5):
        took, by = burst(s)
        if took < 1:
            break
        time.sleep(1)
    # a delivery that takes longer gets company
    tap.ok(len(by) == 1 or took >= 1,
           "a burst for one mailbox is delivered by one process (%d)" %
           len(by))


def main():
    tap = Tap()
    port = free_port()
    lines = ["mynetworks=127.0.0.0/8", "relayhost=[127.0.0.1]:%d" % port,
             "reject_unknown_sender_domain=no",
             "smtp_tls_security_level=none"]
    with Instance("qmgr_message_active_limit=%d" % ACTIVE, *lines) as s:
        overfull(tap, s, port)
    with Instance("default_destination_concurrency_limit=1",
                  "default_destination_recipient_limit=%d" % EACH,
                  *lines) as s:
        turns(tap, s, port)
    with Instance(*lines) as s:
        one_mailbox(tap, s)
    tap.done()


main()
