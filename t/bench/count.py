"""What a server costs: processor time, context switches, memory, of the whole
tree of its processes.

Processor time of living threads is /proc/PID/task/TID/schedstat, in
nanoseconds. That of processes that have ended is what their parents were
told when they waited for them (cutime and cstime in /proc/PID/stat), exact
but for the last tick, 10 ms, of each parent. Lost is a process that ends
without a parent in the tree that waits for it. The switches of ended
processes are not told to anybody and are not counted.
"""
import glob
import os
import re
import signal
import subprocess
import time

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
COLUMNS = {"rate": "rate /s", "cpu": "cpu ms", "switches": "switches",
           "calls": "calls"}


def children(pid):
    found = []
    for path in glob.glob("/proc/%d/task/*/children" % pid):
        found += [int(p) for p in (text(path) or "").split()]
    return found


def tree(pid):
    found = [pid]
    for child in children(pid):
        found += tree(child)
    return found


def text(path):
    """None of a process that has just ended."""
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return None


def of_tree(root, what):
    return sum(what(pid) for pid in tree(root))


def cpu_ms(root):
    def one(pid):
        total = sum(int((text(path) or "0").split()[0]) / 1e6 for path in
                    glob.glob("/proc/%d/task/*/schedstat" % pid))
        stat = text("/proc/%d/stat" % pid)
        if stat:
            words = stat.rsplit(")", 1)[1].split()
            total += (int(words[13]) + int(words[14])) * TICK_MS
        return total
    return of_tree(root, one)


def switches(root):
    def one(pid):
        return sum(int(n) for n in re.findall(
            r"ctxt_switches:\s+(\d+)", text("/proc/%d/status" % pid) or ""))
    return of_tree(root, one)


def pss_kib(root):
    def one(pid):
        m = re.search(r"^Pss:\s+(\d+)",
                      text("/proc/%d/smaps_rollup" % pid) or "", re.M)
        return int(m.group(1)) if m else 0
    return of_tree(root, one)


class Cost:
    """From its making on, of SERVER: seconds(), cpu() in ms, switches()."""

    def __init__(self, server):
        self.root = server.pid
        self.before = cpu_ms(self.root), switches(self.root)
        self.began = time.monotonic()

    def row(self, n, seconds=None):
        """The figures of N pieces of work that took SECONDS."""
        if seconds is None:
            seconds = time.monotonic() - self.began
        return {"rate": n / seconds, "seconds": seconds,
                "cpu": (cpu_ms(self.root) - self.before[0]) / n,
                "switches": (switches(self.root) - self.before[1]) / n}


class Calls:
    """System calls of the server's processes, new ones included, between
    start and stop; the server is slow meanwhile."""

    def __init__(self, server, out):
        self.out = out
        command = ["strace", "-f", "-qq", "-c", "-o", out]
        for pid in tree(server.pid):
            command += ["-p", str(pid)]
        self.tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(1.5)

    def stop(self):
        self.tracer.send_signal(signal.SIGINT)
        self.tracer.wait(30)
        m = re.search(r"^100\.00.*total$", text(self.out), re.M)
        return int(m.group().split()[3]) if m else 0
