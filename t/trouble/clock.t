#!/usr/bin/env python3
"""The wall clock jumps, by a second, a day, a year, both ways, for one program
after the other and for all at once: mail goes through before and after, what
waits does not wait for a time of another day, nothing loops or stalls.
CLOCK_ALL=1 makes all jumps with each program; else some are drawn.
CLOCK_REST=1 lets a destination rest at each jump."""
import os
import random
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import TOP, Tap  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402
from smtppeer import Peer  # noqa: E402

LIBRARY = os.path.join(os.environ.get("CLOCK_BUILD") or os.path.join(
    TOP, "build", "t", "lib"), "clock.so")
PROGRAMS = ("master", "qmgr", "gate", "smtpd", "submit", "pickup",
            "local-deliver", "remote-send", "tls-policy", "resolver",
            "authcheck", "accountd", "imapd", "mailbox-feed", "pop3d",
            "tlsproxy")
DAY = 86400
JUMPS = (1, -1, DAY, -DAY, 365 * DAY, -365 * DAY)
SEED = os.environ.get("CLOCK_SEED") or str(os.getpid())
BUSY = 0.08     # seconds of CPU in a second in which nothing happens

tap = Tap()
rng = random.Random(SEED)
print("# CLOCK_SEED=%s" % SEED)


class Sink(Peer):
    """The next host; `later` gets in when it is let in."""

    def __init__(self):
        self.let_in = False
        super().__init__("127.0.1.1", 0, {".": self.taken})
        self.port = self.listener.getsockname()[1]

    def taken(self):
        text = self.messages[-1]
        text = text if isinstance(text, str) else text.decode()
        if "To: <later@" in text and not self.let_in:
            return "451 4.3.0 later"
        return "250 2.0.0 taken"

    def count(self):
        return len(self.messages)


class Clocks:
    def __init__(self, folder):
        self.folder = folder
        os.mkdir(folder)
        for program in PROGRAMS:
            self.set(program, 0)
        os.environ["CLOCK_SHIFTS"] = folder

    def set(self, program, seconds):
        path = os.path.join(self.folder, program)
        with open(path, "r+b" if os.path.exists(path) else "wb") as f:
            f.write(struct.pack("=q", seconds))

    def jump(self, seconds, programs):
        for program in programs:
            self.set(program, seconds)


def name(seconds):
    for unit, size in (("year", 365 * DAY), ("day", DAY), ("second", 1)):
        if abs(seconds) >= size:
            return "a %s %s" % (unit, "ahead" if seconds > 0 else "back")


def cpu_times(folder):
    """{pid: (program, seconds)} of the suite in FOLDER."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if folder.encode() not in f.read():
                    continue
            with open("/proc/%s/stat" % pid) as f:
                head, rest = f.read().rsplit(")", 1)
        except OSError:
            continue
        words = rest.split()
        found[pid] = (head.split("(", 1)[1], (
            int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK"))
    return found


class Trial:
    def __init__(self, s, sink, clocks):
        self.s, self.sink, self.clocks = s, sink, clocks
        self.sent = 0

    def mail(self):
        """What does not get through, of all ways."""
        self.sent += 1
        missing = []
        subject = "n%d." % self.sent
        here, far = self.s.address(), "x@far.test"
        before = self.sink.count()
        try:
            with self.s.smtp() as c:
                c.sendmail("a@client.test", [here],
                           message("a@client.test", here, subject))
            with self.s.submission() as c:
                c.sendmail(here, [far], message(here, far, subject))
        except Exception as e:
            missing.append("SMTP: %r" % e)
        try:
            if not wait_for(lambda: self.has(subject), 60, 0.2):
                missing.append("IMAP")
        except Exception as e:
            missing.append("IMAP: %r" % e)
        if not wait_for(lambda: self.sink.count() > before, 60):
            missing.append("the next host")
        return missing

    def has(self, subject):
        m = self.s.imap()
        m.select("INBOX")
        found = m.search(None, "SUBJECT", subject)[1] != [b""]
        m.logout()
        return found

    def loops(self):
        before = cpu_times(self.s.dir)
        time.sleep(1)
        return ["%s loops: %.2f s" % (program, now - before[pid][1])
                for pid, (program, now) in cpu_times(self.s.dir).items()
                if pid in before and now - before[pid][1] > BUSY]

    def rest(self):
        """A destination that rests just now."""
        count = self.s.read_log().count("status=deferred")
        to = "y%d@dead.test" % self.sent
        with self.s.submission() as c:
            c.sendmail(self.s.address(), [to],
                       message(self.s.address(), to, "rests"))
        self.s.wait_log("status=deferred", 60, count + 1)

    def jump(self, seconds, programs, what):
        if "qmgr" in programs and os.environ.get("CLOCK_REST"):
            self.rest()
        self.clocks.jump(seconds, programs)
        time.sleep(0.1)
        wrong = self.mail()
        busy = self.loops()
        for _ in range(5):      # a moment's work is no loop
            busy = busy and self.loops()
        wrong += busy
        tap.ok(not wrong, "%s: %s" % (what, name(seconds)), ", ".join(wrong))
        self.clocks.jump(0, programs)
        return not wrong

    def waits(self, seconds):
        """A message that waits when the clock of all jumps."""
        here, to = self.s.address(), "later@far.test"
        self.sink.let_in = False
        before = self.sink.count()
        with self.s.submission() as c:
            c.sendmail(here, [to], message(here, to, "waits"))
        wait_for(lambda: self.sink.count() > before, 60)
        time.sleep(0.3)
        self.clocks.jump(seconds, PROGRAMS)
        self.sink.let_in = True
        before = self.sink.count()
        tap.ok(wait_for(lambda: self.sink.count() > before, 60),
               "what waits is tried again though it is %s" % name(seconds))
        self.clocks.jump(0, PROGRAMS)


def make():
    sink = Sink()
    s = Instance("smtp_tcp_port=%d" % sink.port, "authcheck_incoming=no",
                 "smtp_tls_security_level=none", "minimal_backoff_time=15s",
                 "maximal_backoff_time=20s", "mynetworks=",
                 "maximal_queue_lifetime=1000d",
                 zone="far.test. A 127.0.1.1\ndead.test. A 127.0.0.9\n")
    return sink, s


sink, s = make()
clocks = Clocks(s.path("clocks"))
os.environ["LD_PRELOAD"] = LIBRARY
with s:
    del os.environ["LD_PRELOAD"]
    t = Trial(s, sink, clocks)
    tap.ok(not t.mail(), "before: mail goes through")
    for seconds in JUMPS:
        t.jump(seconds, PROGRAMS, "all")
    for program in PROGRAMS:
        for seconds in JUMPS if os.environ.get("CLOCK_ALL") else \
                rng.sample(JUMPS, 1):
            t.jump(seconds, [program], program)
    for seconds in (-DAY, rng.choice((DAY, -365 * DAY, 1))):
        t.waits(seconds)
    tap.ok(not t.mail(), "afterwards: mail goes through")
    days = {line[:6] for line in s.read_log().splitlines()
            if "posthorn/qmgr" in line}
    tap.ok(len(days) >= 3, "the clock of qmgr did jump", days)
    bad = [line for line in s.read_log().splitlines()
           if "ended by signal" in line]
    tap.ok(not bad, "nothing crashes", "\n# ".join(bad[:5]))
tap.done()
