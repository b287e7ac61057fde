#!/usr/bin/env python3
"""Each program on a message's way is killed at each of its system calls in
turn, as far as CRASH_SECONDS allow, or at CRASH_KILLS of them; which, is drawn
with CRASH_SEED. What was promised arrives, whole, and the suite goes on."""
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), HERE]
from alone import TOP, Tap  # noqa: E402
from instance import wait_for  # noqa: E402
from trial import Sink, Trial, instance  # noqa: E402

BUILD = os.environ.get("CRASH_BUILD") or os.path.join(
    TOP, "build", "t", "crash")
KILLER = os.path.join(BUILD, "killer")
SECONDS = float(os.environ.get("CRASH_SECONDS", "0"))
KILLS = int(os.environ.get("CRASH_KILLS", "2"))
SEED = int(os.environ.get("CRASH_SEED", str(os.getpid())))
WAYS = (("gate", "smtp"), ("smtpd", "smtp"), ("qmgr", "smtp"),
        ("keeper", "smtp"),
        ("local-deliver", "smtp"), ("accountd", "submission"),
        ("authcheck", "submission"), ("submit", "submission"),
        ("tlsproxy", "submission"), ("resolver", "relay"),
        ("remote-send", "relay"), ("pickup", "sendmail"),
        ("sendmail", "sendmail"), ("imapd", "imap"), ("mailbox-feed", "imap"),
        ("pop3d", "pop"), ("master", "smtp"))

tap = Tap()
rng = random.Random(SEED)
print("# CRASH_SEED=%d" % SEED)


class Killer:
    """Counts the calls of PROGRAM, and kills it at the Nth."""

    def __init__(self, suite, program, n):
        self.p = subprocess.Popen(
            [KILLER, str(suite.PID), program, str(n)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.allowed = self.p.stdout.readline() == "ready\n"

    def struck(self):
        return self.p.poll() is not None

    def end(self):
        """What it says last: "killed PID CALL", "seen CALLS"."""
        self.p.stdin.close()
        said = self.p.stdout.read().split()
        self.p.wait()
        return said


class Kills:
    def __init__(self, suite, sink):
        self.s = suite
        self.killer = None
        self.t = Trial(suite, sink, tap,
                       lambda: self.killer and self.killer.struck())

    def restart(self):
        """master is gone: all end, and it is started again."""
        def start():
            try:
                self.s.start()
                return True
            except RuntimeError:
                return False
        wait_for(start, 120, 0.2)

    def strike(self, program, way, n):
        """Mail on its WAY while PROGRAM is to be killed at call N. What came
        of it, or [] if the system does not let us trace it."""
        if program == "sendmail":
            return self.t.by_sendmail(KILLER, "0", "-",
                                      str(n)).split("\n")[-2].split()
        self.killer = Killer(self.s, program, n)
        if not self.killer.allowed:
            self.killer.end()
            self.killer = None
            return []
        getattr(self.t, "by_" + way)()
        said, self.killer = self.killer.end(), None
        if program == "master" and said[:1] == ["killed"]:
            self.restart()
        wait_for(self.t.is_well, 60, 0.05)
        return said

    def strike_all(self, program, way):
        """At all calls that one message takes, in an order that is drawn."""
        said, before = self.strike(program, way, 0), self.t.fired
        if not said:
            print("# %s may not be traced here" % program)
            return
        calls = int(said[1])
        places = list(range(1, calls + 1))
        rng.shuffle(places)
        until = time.monotonic() + SECONDS / len(WAYS)
        for tries, n in enumerate(places):
            if SECONDS and time.monotonic() > until:
                break
            if not SECONDS and (self.t.fired - before == KILLS or
                                tries == 4 * KILLS):
                break
            self.t.tries += 1
            self.t.fired += self.strike(program, way,
                                        n)[:1] == ["killed"]
        print("# %s: %d calls for a message, killed at %d of them" % (
            program, calls, self.t.fired - before), flush=True)


sink = Sink()
with instance(sink) as s:
    k = Kills(s, sink)
    k.t.by_smtp()
    k.t.make_folders()
    for program, way in WAYS:
        if way == "pop":
            k.t.by_smtp()
        k.strike_all(program, way)
        if SECONDS:
            k.t.check("%s is killed" % program)
    if not SECONDS:
        k.t.check("each program is killed")
tap.done()
