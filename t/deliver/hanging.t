#!/usr/bin/env python3
"""Commands that hang, more of them than local-deliver has processes, hold up
nobody else for long; nor do they when they are tried again."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

LOCAL = "local.example.test"
LIMIT = 2       # processes of local-deliver
HANGING = 5     # aliases
LONG = 60       # seconds, far below command_time_limit
SLOW = 10       # after so many a delivery is slow

tap = Tap()


def send(s, *to):
    subprocess.run([s.SENDMAIL, "-f", s.address(), "--", *to],
                   input="Subject: x\n\nx\n", text=True, check=True,
                   timeout=60)


def hanging(s):
    try:
        with open(s.path("out/begun")) as f:
            return f.read().count("begun")
    except OSError:
        return 0


def mailbox_within(s, count, seconds, name):
    begin = time.monotonic()
    send(s, s.address())
    s.wait_messages(count)
    took = time.monotonic() - begin
    tap.ok(took < seconds, name, "%.1f s" % took)


with Instance("mydestination=" + LOCAL, "myorigin=" + LOCAL,
              "local_users=no", "local_process_limit=%d" % LIMIT) as s:
    os.mkdir(s.path("out"))
    os.chmod(s.path("out"), 0o777)
    with open(s.path("aliases"), "w") as f:
        for n in range(HANGING):
            f.write('hangs%d: "|echo begun >> %s; while [ ! -e %s ]; do '
                    'sleep 0.2; done; cat > /dev/null"\n' % (
                        n, s.path("out/begun"), s.path("out/go")))
    for n in range(HANGING):
        send(s, "hangs%d@%s" % (n, LOCAL))
    tap.ok(wait_for(lambda: hanging(s) == HANGING, LONG),
           "%d commands hang with %d processes" % (HANGING, LIMIT))
    mailbox_within(s, 1, LONG, "a mailbox gets mail beside them")
    # the rest of what slow ones may have
    for n in range(HANGING):
        send(s, "hangs%d@%s" % (n, LOCAL))
    time.sleep(SLOW + 2)
    tap.ok(hanging(s) <= 3 * LIMIT, "they do not get all processes")
    mailbox_within(s, 2, SLOW, "and a mailbox gets mail at once")
    open(s.path("out/go"), "w").close()
    tap.ok(wait_for(lambda: "the queue is empty" in
                    s.posthorn("queue", "list").stdout, LONG),
           "all end when they may")
    tap.equal(hanging(s), 2 * HANGING, "each once")

tap.done()
