#!/usr/bin/env python3
"""While the queue manager hangs, and before the watchdog ends that, clients
are put off in bounded time, and local programs lose no mail."""
import os
import signal
import smtplib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message  # noqa: E402

LIMIT = 45  # the time for a place is 20 s

tap = Tap()


def refusal(s, connect):
    """What a client gets for its message, and after which time."""
    with connect() as c:
        began = time.monotonic()
        try:
            c.sendmail(s.address(), [s.address()],
                       message(s.address(), s.address(), "in vain"))
            code = 250
        except smtplib.SMTPDataError as e:
            code = e.smtp_code
    return code, time.monotonic() - began


def run_sendmail(s):
    began = time.monotonic()
    code = subprocess.run([s.SENDMAIL, s.address()],
                          input=b"Subject: dropped\n\ntext\n").returncode
    return code, time.monotonic() - began


with Instance("service_watchdog_timeout=1h", "authcheck_incoming=no") as s:
    pid = s.pid_of("qmgr")
    os.kill(pid, signal.SIGSTOP)
    try:
        cases = (("smtpd", 451, lambda: refusal(s, s.smtp)),
                 ("submit", 451, lambda: refusal(s, s.submission)),
                 ("sendmail(1)", 0, lambda: run_sendmail(s)))
        with ThreadPoolExecutor() as pool:
            asked = [pool.submit(ask) for _, _, ask in cases]
        for (name, code, _), answer in zip(cases, asked):
            got, took = answer.result()
            tap.ok(got == code and took < LIMIT,
                   "%s: %d in time" % (name, code), "%d, %.1f s" % (got, took))
    finally:
        os.kill(pid, signal.SIGCONT)
    tap.ok(any(b"dropped" in m for m in s.wait_messages(1)),
           "what sendmail(1) took arrives when qmgr goes on")
tap.done()
