#!/usr/bin/env python3
"""Each write, sync, open, rename and allocation on a message's way fails in
turn, and each process there is killed at each of its calls in turn. What was
promised arrives, whole; what was refused changed nothing."""
import ctypes
import errno
import mmap
import os
import re
import shutil
import smtplib
import imaplib
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
from alone import TOP, Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

BUILD = os.environ.get("CRASH_BUILD") or os.path.join(
    TOP, "build", "t", "crash")
SECONDS = float(os.environ.get("CRASH_SECONDS", "40"))
WRITE, SYNC, OPEN, NAME, ALLOC, PACKET = 1, 2, 4, 8, 16, 32
CALLS = 60              # how many calls in turn, at most
LINES = 40

tap = Tap()


class Plan(ctypes.Structure):
    """struct fault of t/crash/fault.h"""
    _fields_ = [("mask", ctypes.c_uint32), ("left", ctypes.c_int32),
                ("error", ctypes.c_int32), ("fired", ctypes.c_uint32),
                ("spared", ctypes.c_uint64), ("program", ctypes.c_char * 32)]


class Faults:
    def __init__(self, folder):
        self.path = os.path.join(folder, "fault")
        with open(self.path, "wb") as f:
            f.write(bytes(4096))
        os.chmod(self.path, 0o666)
        self.fd = os.open(self.path, os.O_RDWR)
        self.plan = Plan.from_buffer(mmap.mmap(self.fd, 4096))

    def arm(self, mask, left, error, program=""):
        p = self.plan
        p.mask, p.left, p.error, p.fired = 0, left, error, 0
        p.program = program.encode()
        p.mask = mask

    def disarm(self):
        """How often it fired."""
        self.plan.mask = 0
        return self.plan.fired


def body(token):
    return "".join("%s line %d: as it was sent\r\n" % (token, i)
                   for i in range(LINES)) + "%s end\r\n" % token


def text(token):
    return ("From: <a@client.test>\r\nSubject: x\r\nX-Crash: %s\r\n\r\n%s" % (
        token, body(token))).encode()


class Trial:
    def __init__(self, suite, faults):
        self.s, self.f = suite, faults
        self.count = self.tries = self.fired = 0
        self.promised, self.refused, self.maybe = set(), set(), set()
        self.flags = {}     # token: must be \Seen, or must not

    def token(self):
        self.count += 1
        return "f%d" % self.count

    def settle(self, removed):
        """Until the message is through, or the fault has happened."""
        wait_for(lambda: self.f.plan.fired or
                 self.s.read_log().count(": removed") > removed, 2, 0.005)

    def by_smtp(self):
        token = self.token()
        removed = self.s.read_log().count(": removed")
        try:
            with smtplib.SMTP(self.s.HOST, self.s.SMTP_PORT, timeout=20) as c:
                c.sendmail("a@client.test", [self.s.address()], text(token))
            self.promised.add(token)
            self.settle(removed)
        except smtplib.SMTPResponseException as e:
            # what was refused may be there: the client cannot know either
            (self.maybe if e.smtp_code // 100 == 4 else
             self.refused).add(token)
        except (OSError, smtplib.SMTPException):
            self.maybe.add(token)

    def by_imap(self):
        token = self.token()
        try:
            m = self.s.imap()
            try:
                answer = m.append("Box", None, None, text(token))[0]
                {"OK": self.promised, "NO": self.refused}[answer].add(token)
                if answer != "OK":
                    return
                uid = m.response("APPENDUID")[1][-1].split()[1].decode()
                if m.select("Box")[0] != "OK":
                    return
                self.flags[token] = None
                if m.uid("STORE", uid, "+FLAGS", "(\\Seen)")[0] == "OK":
                    self.flags[token] = True
                seen, self.flags[token] = self.flags[token], None
                # half a MOVE may come back as a new message
                how = "MOVE" if self.count % 2 else "COPY"
                if m.uid(how, uid, "Other")[0] == "OK":
                    self.flags[token] = seen
            finally:
                m.logout()
        except (OSError, imaplib.IMAP4.error):
            self.maybe.add(token)

    def all_calls(self, act, mask, error, program="", step=1, calls=CALLS):
        """ACT with the first, second … call of MASK failing, until it needs
        fewer calls than that."""
        left, quiet = 1, 0
        while left <= calls * step and quiet < 2 and time.monotonic() < until:
            self.f.arm(mask, left, error, program)
            act()
            fired = self.f.disarm()
            self.tries += 1
            self.fired += fired
            quiet = 0 if fired else quiet + 1
            left += step
            if error == 0 and program in ("qmgr", "imapd"):
                wait_for(lambda: self.s.posthorn("status").returncode == 0,
                         20, 0.05)

    def read(self, folder):
        """Token: (text, flags) of each message in FOLDER."""
        m = self.s.imap()
        found = []
        try:
            m.select(folder, readonly=True)
            data = m.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]
            for part in data:
                if isinstance(part, tuple):
                    found.append((part[1].decode(), b"\\Seen" in part[0]))
        finally:
            m.logout()
        return found

    def check(self, name):
        """After the faults: what is there?"""
        wait_for(lambda: self.s.posthorn("status").returncode == 0, 30)
        found, half, flags = {}, [], []

        def look():
            self.s.posthorn("queue", "flush", "ALL")
            found.clear()
            half[:], flags[:] = [], []
            for folder in ("INBOX", "Box", "Other"):
                for mail, seen in self.read(folder):
                    token = re.search(r"X-Crash: (\S+)", mail)
                    token = token.group(1) if token else "?"
                    found[token] = found.get(token, 0) + 1
                    if not mail.endswith("\r\n\r\n" + body(token)):
                        half.append(token)
                    if self.flags.get(token) and not seen:
                        flags.append((token, folder))
            return self.promised <= set(found)
        there = wait_for(look, 60, 1)
        tap.ok(there, "%s: %d promised messages are there (%d of %d calls "
               "failed)" % (name, len(self.promised), self.fired, self.tries))
        if not there:
            print("# lost:", sorted(self.promised - set(found)))
        tap.equal(half, [], "%s: each is whole" % name)
        tap.equal(sorted(self.refused & set(found)), [],
                  "%s: what was refused with NO or 5xx is not there" % name)
        tap.equal(flags, [], "%s: flags are kept" % name)
        self.tries = self.fired = 0


folder = tempfile.mkdtemp(prefix="fault-")
os.chmod(folder, 0o755)
faults = Faults(folder)
os.environ["CRASH_FAULT"] = faults.path
os.environ["LD_PRELOAD"] = os.path.join(BUILD, "fault.so")
try:
    with Instance("minimal_backoff_time=1s") as s:
        del os.environ["LD_PRELOAD"]
        faults.plan.spared = os.stat(s.LOG).st_ino
        t = Trial(s, faults)
        t.by_smtp()
        m = s.imap()
        m.create("Box")
        m.create("Other")
        m.logout()
        t.by_imap()
        part = SECONDS / 6
        PATH = (("smtpd", t.by_smtp), ("local-deliver", t.by_smtp),
                ("qmgr", t.by_smtp), ("imapd", t.by_imap))
        for name, mask, errors in (
                ("a write", WRITE, (errno.ENOSPC, errno.EIO)),
                ("a sync", SYNC, (errno.EIO,)),
                ("an open", OPEN, (errno.EMFILE, errno.ENFILE)),
                ("a rename or link", NAME, (errno.ENOSPC, errno.EIO))):
            for error in errors:
                for act in (t.by_smtp, t.by_imap):
                    until = time.monotonic() + part / 2 / len(errors)
                    t.all_calls(act, mask, error)
            t.check("%s fails" % name)
        for program, act in PATH:
            until = time.monotonic() + part / 4
            t.all_calls(act, ALLOC, errno.ENOMEM, program, 3)
        t.check("an allocation fails")
        for program, act in PATH:
            until = time.monotonic() + part / 2
            t.all_calls(act, WRITE | SYNC | OPEN | NAME | PACKET, 0, program,
                        3 if program == "qmgr" else 1)
            t.check("%s is killed" % program)
finally:
    os.environ.pop("LD_PRELOAD", None)
    shutil.rmtree(folder, ignore_errors=True)
tap.done()
