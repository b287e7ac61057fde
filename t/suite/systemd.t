#!/usr/bin/env python3
"""master in the foreground, as systemd starts it: it says when it is ready,
also when a service is missing, and when it stops (sd_notify(3))."""
import os
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import BIN, Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

tap = Tap()


class Manager:
    """systemd's side: the socket, and the program that it starts."""

    def __init__(self, s, **env):
        self.path = s.path("notify")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(60)
        self.process = subprocess.Popen(
            [BIN + "/master", "-f", "-c", s.CONF],
            env=dict(os.environ, NOTIFY_SOCKET=self.path, **env),
            stderr=subprocess.PIPE, text=True)

    def hear(self):
        try:
            return self.socket.recv(4096).decode().split("\n")
        except socket.timeout:
            return []

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        heard = self.hear()
        code = self.process.wait(120)
        self.said = self.process.stderr.read()
        self.process.stderr.close()
        self.socket.close()
        return heard, code


with Instance() as s:
    s.stop()
    m = Manager(s)
    tap.ok("READY=1" in m.hear(), "READY=1 when all services are ready")
    done = s.posthorn("reload")
    tap.equal(done.returncode, 0, "ExecReload: exit 0")
    tap.ok(wait_for(lambda: s.posthorn("status").returncode == 0, 30),
           "and the services change over")
    with open(s.CONF) as f:
        good = f.read()
    with open(s.CONF, "a") as f:
        f.write("smtp_prt = 1\n")
    tap.equal(s.posthorn("reload").returncode, 78,
              "ExecReload with a faulty configuration fails")
    with open(s.CONF, "w") as f:
        f.write(good)
    tap.equal(m.end(), (["STOPPING=1"], 0), "STOPPING=1, exit 0 on SIGTERM")

    m = Manager(s, WATCHDOG_USEC="400000")
    said = [m.hear() for _ in range(6)]
    tap.ok(said.count(["WATCHDOG=1"]) >= 3,
           "it says again and again that it is alive, if asked to")
    m.process.terminate()
    m.process.wait(120)
    m.process.stderr.close()
    m.socket.close()

    with open(s.CONF, "a") as f:
        f.write("resolver_stub_zones = foo\n")
    m = Manager(s)
    heard = m.hear()
    tap.ok("READY=1" in heard, "READY=1 too while a service is not ready")
    tap.ok([h for h in heard if h.startswith("STATUS=the service resolver")],
           "and its status says which, and why")
    with open(s.CONF, "w") as f:
        f.write(good)
    s.posthorn("reload")
    tap.ok("STATUS=all services are ready" in m.hear(),
           "and when it is mended, that all are")
    m.end()
    tap.ok("resolver" in m.said, "the journal has the reason")
tap.done()
