#!/usr/bin/env python3
"""kill -9 of master: all that it had started ends, so that the next start has
its ports, and what was promised is there."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402

ROUNDS = 4

tap = Tap()


def ours(conf):
    """Names of the processes that run with this configuration."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read().decode().split("\0")
        except OSError:
            continue
        if conf in words:
            found.append(words[0])
    return sorted(found)


def one_round(s, n):
    s.smtp().sendmail("a@client.test", [s.address("alice")],
                      message("a@client.test", s.address("alice"),
                              "number %d" % n))
    if n % 2:
        # the first of services is on its way when master goes
        os.kill(s.pid_of("gate"), signal.SIGKILL)
    # clients in the midst of it do not keep a port
    held = [s.smtp(), s.smtp(), s.raw(s.SMTP_PORT), s.raw(s.IMAP_PORT)]
    held[0].ehlo()
    os.kill(s.PID, signal.SIGKILL)
    if n > ROUNDS / 2:
        tap.ok(wait_for(lambda: not ours(s.CONF), 60),
               "%d: nothing is left when master was killed: %s" % (
                   n, " ".join(ours(s.CONF))))
    began = time.monotonic()
    s.start()
    took = time.monotonic() - began
    tap.ok(took < 45, "%d: the next start takes %.1f s" % (n, took))
    for client in held:
        client.close()


def main():
    with Instance("local_users=yes") as s:
        for n in range(1, ROUNDS + 1):
            one_round(s, n)
        # also a delivery that ended with master waits seconds, not
        # minimal_backoff_time, which is longer than this test
        tap.ok(len(s.wait_messages(ROUNDS, s.address())) >= ROUNDS,
               "all that was promised is there")
    tap.done()


main()
