#!/usr/bin/env python3
"""Each write, sync, open, rename and allocation on a message's way fails in
turn, as far as CRASH_SECONDS allow, or CRASH_FAULTS of each kind; which, is
drawn with CRASH_SEED. What was promised arrives, whole; what was refused
changed nothing."""
import ctypes
import errno
import mmap
import os
import random
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), HERE]
from alone import TOP, Tap  # noqa: E402
from trial import Sink, Trial, instance  # noqa: E402

BUILD = os.environ.get("CRASH_BUILD") or os.path.join(
    TOP, "build", "t", "crash")
SECONDS = float(os.environ.get("CRASH_SECONDS", "0"))
FAULTS = int(os.environ.get("CRASH_FAULTS", "1"))
SEED = int(os.environ.get("CRASH_SEED", str(os.getpid())))
WRITE, SYNC, OPEN, NAME, ALLOC = 1, 2, 4, 8, 16
ACTS = ("smtp", "submission", "relay", "sendmail", "imap", "folders", "file",
        "pop")
KINDS = (("a write", WRITE, (errno.ENOSPC, errno.EIO)),
         ("a sync", SYNC, (errno.EIO,)),
         ("an open", OPEN, (errno.EMFILE, errno.ENFILE)),
         ("a rename or link", NAME, (errno.ENOSPC, errno.EIO)))
PROGRAMS = (("gate", "smtp"), ("smtpd", "smtp"), ("qmgr", "smtp"),
            ("local-deliver", "smtp"), ("accountd", "submission"),
            ("authcheck", "submission"), ("submit", "submission"),
            ("tlsproxy", "submission"), ("resolver", "relay"),
            ("remote-send", "relay"), ("pickup", "sendmail"),
            ("imapd", "imap"), ("mailbox-feed", "imap"), ("pop3d", "pop"))
PARTS = 2 * len(KINDS) * len(ACTS) + len(PROGRAMS)   # of the time
NEVER = 1 << 30

tap = Tap()
rng = random.Random(SEED)
print("# CRASH_SEED=%d" % SEED)


class Plan(ctypes.Structure):
    """struct fault of t/crash/fault.h"""
    _fields_ = [("mask", ctypes.c_uint32), ("left", ctypes.c_int32),
                ("error", ctypes.c_int32), ("fired", ctypes.c_uint32),
                ("spared", ctypes.c_uint64), ("program", ctypes.c_char * 32)]


class Faults:
    def __init__(self, folder):
        self.path = os.path.join(folder, "fault")
        with open(self.path, "wb") as f:
            f.write(bytes(4096))
        os.chmod(self.path, 0o666)
        self.fd = os.open(self.path, os.O_RDWR)
        self.plan = Plan.from_buffer(mmap.mmap(self.fd, 4096))

    def arm(self, mask, left, error, program=""):
        p = self.plan
        p.mask, p.left, p.error, p.fired = 0, left, error, 0
        p.program = program.encode()
        p.mask = mask

    def disarm(self):
        """How often it fired."""
        self.plan.mask = 0
        return self.plan.fired


def strike_all(trial, faults, way, mask, error, program=""):
    """At all calls of MASK that one message takes, in an order drawn."""
    act = getattr(trial, "by_" + way)
    faults.arm(mask, NEVER, error, program)
    act()
    faults.disarm()
    places = list(range(1, NEVER - faults.plan.left + 1))
    rng.shuffle(places)
    until = time.monotonic() + SECONDS / PARTS
    for left in places if SECONDS else places[:FAULTS]:
        if SECONDS and time.monotonic() > until:
            break
        if way == "pop":
            trial.by_smtp()
        faults.arm(mask, left, error, program)
        act()
        trial.fired += faults.disarm()
        trial.tries += 1


def run(s, sink, faults):
    faults.plan.spared = os.stat(s.LOG).st_ino
    t = Trial(s, sink, tap, lambda: faults.plan.fired > 0)
    t.by_smtp()
    t.make_folders()
    t.by_imap()
    for name, mask, errors in KINDS:
        for error in errors:
            for way in ACTS:
                strike_all(t, faults, way, mask, error)
        t.check("%s fails" % name)
    for program, way in PROGRAMS:
        strike_all(t, faults, way, ALLOC, errno.ENOMEM, program)
    t.check("an allocation fails")


folder = tempfile.mkdtemp(prefix="fault-")
os.chmod(folder, 0o755)
faults = Faults(folder)
os.environ["CRASH_FAULT"] = faults.path
try:
    sink = Sink()
    os.environ["LD_PRELOAD"] = os.path.join(BUILD, "fault.so")
    with instance(sink) as s:
        del os.environ["LD_PRELOAD"]
        run(s, sink, faults)
finally:
    os.environ.pop("LD_PRELOAD", None)
    shutil.rmtree(folder, ignore_errors=True)
tap.done()
