#!/usr/bin/env python3
# A sample of `make model`: all sessions of a mailbox at once for some seconds.
import os
import sys

os.environ.setdefault("MODEL_SECONDS", "8")
program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                       "model", "model")
os.execv(sys.executable, [sys.executable, program])
