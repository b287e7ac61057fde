"""What the tests of attacks share: what is seen of an instance from outside,
and whether it lives on."""
import json
import os
import socket
import ssl

from alone import Tap
from instance import message

tap = Tap()
ROOT = os.getuid() == 0
NOBODY = 65534
MEMORY_MAX = 60 << 10  # KiB, of any one process


def all_processes():
    """Parent and resident KiB of each."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name) as f:
                words = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(name)] = (int(words[1]), int(words[21]) * 4)
    return found


def children(pid):
    return [p for p, (parent, _) in all_processes().items() if parent == pid]


def processes(s):
    """Resident KiB of each process below master."""
    found = all_processes()

    def ours(pid):
        while pid in found and pid != s.PID:
            pid = found[pid][0]
        return pid == s.PID
    return {pid: kib for pid, (_, kib) in found.items() if ours(pid)}


def steady(s, what):
    """All services run, none was started anew, none is large."""
    rows = json.loads(s.posthorn("status", "--json").stdout)["services"]
    bad = [row for row in rows if row["state"] != "ready" or row["restarts"]]
    largest = max(processes(s).values())
    if not tap.ok(rows and not bad and largest < MEMORY_MAX,
                  what + ": all services run on"):
        print("#", bad, largest, "KiB")


def texts(s, user=None):
    return b"".join(s.messages(user)).decode(errors="replace")


def send(s, user, subject):
    with s.smtp() as c:
        c.sendmail("f@e.test", [s.address(user)],
                   message("f@e.test", s.address(user), subject))


def connect(s, port):
    if port == "LMTP":
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(20)
        c.connect(s.LMTP_SOCKET)
        return c
    return socket.create_connection((s.HOST, getattr(s, port + "_PORT")), 20)


def wrapped(s, port):
    c = connect(s, port)
    if port in ("SUBMISSIONS", "IMAPS", "POP3S"):
        c = ssl._create_unverified_context().wrap_socket(c)
    return c


def answer(c):
    """All that C says until its end, or until it is silent."""
    got = b""
    c.settimeout(5)
    try:
        while True:
            data = c.recv(65536)
            if not data:
                break
            got += data
    except OSError:
        pass
    c.close()
    return got


def say(c, data, end=True):
    try:
        c.sendall(data)
        if end:
            c.shutdown(socket.SHUT_WR)
    except OSError:
        pass
