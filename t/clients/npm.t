#!/usr/bin/env python3
"""Clients of npm: imapflow (IDLE with changes of others, QRESYNC, COMPRESS,
quota, parts) and node-pop3, both over TLS. NODE_PATH is where they are."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
from alone import Tap  # noqa: E402
from instance import Instance  # noqa: E402

tap = Tap()
SEEN = {"exists": 5, "told": 6, "flagged": 2, "vanished": [1, True],
        "changed": [2, 6], "quota": 10 * 1024 * 1024,
        "special": ["Drafts \\Drafts", "INBOX \\Inbox", "Sent \\Sent"],
        "downloaded": "body 2\r\n", "uidl": 5, "stat": "5", "retr": True,
        "top": True}

with Instance("mailbox_quota=10M", "debug_log=yes") as s:
    with s.imap() as m:
        for name in ("Drafts", "Sent"):
            m.create(name)
        for i in range(1, 6):
            m.append("INBOX", None, None,
                     b"Subject: %d\r\n\r\nbody %d\r\n" % (i, i))
    done = subprocess.run(
        ["node", HERE + "/npm.js", str(s.IMAPS_PORT), str(s.POP3S_PORT),
         s.USER1, s.PASS1], capture_output=True, text=True, timeout=120)
    saw = json.loads(done.stdout or "{}")
    for name, want in SEEN.items():
        tap.equal(saw.get(name), want, name)
    tap.equal(done.stderr, "", "no complaint")
    tap.ok("imap: compression: user=" in s.read_log(), "compressed")
    with s.imap() as m:
        tap.equal(m.select()[1], [b"4"], "node-pop3 has deleted one")
tap.done()
