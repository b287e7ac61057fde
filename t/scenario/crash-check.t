#!/usr/bin/env python3
"""A sample of crash-check (`make crash-check` is the whole), and that it
bites: without one kind of sync, or without the queue's checksum, it fails."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from alone import TOP, Tap  # noqa: E402

BUILD = os.path.join(TOP, "build", "t", "crash")
STATES = os.environ.get("CRASH_STATES", "1200")
SEED = os.environ.get("CRASH_SEED", str(os.getpid()))

tap = Tap()
folder = tempfile.mkdtemp(
    prefix="crash-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
os.chmod(folder, 0o755)
record = os.path.join(folder, "record")


def run(*words):
    """The exit code; what it says becomes comments."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    for line in (done.stdout + done.stderr).splitlines():
        print("#", line.lstrip("# ")[:300])
    return done.returncode


def replay(program, *words):
    return run(os.path.join(BUILD, program), "-1", "-n", "12000", "-s", SEED,
               "-w", folder, *words, record)


print("# CRASH_SEED=%s" % SEED)
try:
    tap.equal(run(os.path.join(TOP, "t", "crash", "crash-check"),
                  "-n", STATES, "-s", SEED, "-k", record), 0,
              "after a power cut at any moment all promises are kept")
    for kind, what in (("slot", "of the queue's file"),
                       ("message", "of a message's file"),
                       ("journal", "of a mailbox's journal"),
                       ("folder", "of the folder that a message is in")):
        tap.equal(replay("replay", "-x", kind), 1,
                  "without the sync %s they are not" % what)
    tap.equal(replay("replay-blind"), 1,
              "a recovery that looks at no checksum is found out")
finally:
    shutil.rmtree(folder, ignore_errors=True)
tap.done()
