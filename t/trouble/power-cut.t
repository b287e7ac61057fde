#!/usr/bin/env python3
"""A sample of `make power-cut`, where root can: a few real power cuts of each
file system. See posthorn-crash-check(7)."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.setdefault("CUTS", "4")
script = os.path.join(HERE, "..", "power", "power-cut")
os.execv(script, [script])
