#!/usr/bin/env python3
"""A sample of the second and third part of crash-check: of each kind one call
that fails, of each program on a message's way two at which it is killed."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from alone import TOP, Tap  # noqa: E402

tap = Tap()
for name, what in (("faults.t", "calls fail"), ("kills.t", "programs end")):
    done = subprocess.run([os.path.join(TOP, "t", "crash", name)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=3000)
    for line in done.stdout.splitlines():
        print("# " + line)
    tap.equal(done.returncode, 0, "what was promised is kept when " + what)
tap.done()
