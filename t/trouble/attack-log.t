#!/usr/bin/env python3
"""A process that strangers or a user have taken over, and the log of the whole
suite. What it would do is done in it by a debugger."""
import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from attack import ROOT, children, send, steady, tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

FORGED = "Dec  1 00:00:00 host posthorn/qmgr[1]: 4711: status=sent"


def log_files(s, pid):
    """Those descriptors of PID that are the log."""
    log = os.stat(s.path("log"))
    found = []
    for path in glob.glob("/proc/%d/fd/*" % pid):
        try:
            if os.path.samestat(os.stat(path), log):
                found.append(path)
        except OSError:
            pass
    return found


def below(pids):
    """Their children, and the children of those."""
    found = [c for pid in pids for c in children(pid)]
    return found + below(found) if found else []


def services(s):
    names = re.findall(r"^(\S+) +\S+ +\d+",
                       s.posthorn("status").stdout, re.M)
    return {name: s.pid_of(name) for name in names}


def nobody_has_it(s):
    # nobody speaks to those of qmgr, nor to what starts accountd's checkers
    bad = [name for name, pid in services(s).items()
           for child in below([pid]) if log_files(s, child)
           if name != "qmgr" and not (name == "accountd" and children(child))]
    tap.equal(bad, [], "no child of a service has the log's file")


def run_in(pid, *calls):
    """The results of CALLS in the process PID."""
    words = ["gdb", "-q", "-nx", "-batch", "-p", str(pid)]
    for call in calls:
        words += ["-ex", "print (long) %s" % call]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    got = [int(x) for x in re.findall(r"^\$\d+ = (-?\d+)", done.stdout, re.M)]
    if len(got) != len(calls):
        tap.note(done.stdout, done.stderr)
    return got


def of_user(s, service):
    """The process of SERVICE that has become a user."""
    def find():
        for pid in children(s.pid_of(service)):
            try:
                if os.stat("/proc/%d" % pid).st_uid or not ROOT:
                    return pid
            except OSError:
                pass
        return 0
    wait_for(find)
    return find()


def cut(fd):
    return ["((int(*)(int,int,long))fcntl)(%d,4,0)" % fd,
            "((int(*)(int,long))ftruncate)(%d,0)" % fd,
            "((long(*)(int,const void*,unsigned long,long))pwrite)"
            "(%d,\"x\",1,0)" % fd]


def taken_over(s, pid, what):
    before = s.read_log()
    tell = "((long(*)(int,const void*,unsigned long))write)(2,\"%s\",%d)"
    text = "x\\n" + FORGED
    run_in(pid, *[call for fd in range(3) for call in cut(fd)],
           tell % (text, len(text) - 1))
    tap.ok(s.wait_log("[%d]: %s" % (pid, FORGED)),
           what + ": says what it says in its own name")
    now = s.read_log()
    tap.ok(now.startswith(before) and "\n" + FORGED not in now,
           what + ": changes no line, and none is another's")


def greedy(s, pid):
    """Memory that would be there for nobody."""
    got = run_in(
        pid, "((int(*)(const char*,unsigned))memfd_create)(\"x\",0)",
        "((void*(*)(void*,long,int,int,int,long))mmap)(0,4096,3,33,-1,0)",
        "((void*(*)(void*,long,int,int,int,long))mmap)(0,3L<<30,3,34,-1,0)")
    tap.equal(got, [-1, -1, -1], "it gets no memory that is nobody's, and "
              "not all of its own")


def rotated(s, session):
    """A session that lasts longer than the log's file."""
    os.rename(s.path("log"), s.path("log.1"))
    s.posthorn("reload")
    tap.ok(wait_for(lambda: os.path.exists(s.path("log"))), "a new file")
    session.quit()
    tap.ok(s.wait_log("pop3: logout"), "has what former sessions say")


with Instance("imap_hibernate_timeout=0", "smtpd_pregreet_reject=no") as s:
    imap, pop3 = s.imap(), s.pop3()
    stranger = s.smtp()
    send(s, s.USER1, "for a worker")
    s.wait_messages(1)
    nobody_has_it(s)
    if ROOT and shutil.which("gdb"):
        taken_over(s, of_user(s, "imap-session"), "a session of a user's")
        taken_over(s, of_user(s, "pop3-session"), "another")
        greedy(s, of_user(s, "imap-session"))
    rotated(s, pop3)
    imap.logout()
    steady(s, "the log")
tap.done()
