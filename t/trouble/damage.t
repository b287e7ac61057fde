#!/usr/bin/env python3
"""Every file that is read, damaged in every way, at start and in use. Nothing
hangs, crashes, is deleted or happens in silence, and others' mail goes on.
The tables say what there is, and where silence is right."""
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import BIN, Tap  # noqa: E402
from damage import (GONE, ROOT, Harm, copy_owned,  # noqa: E402
                    in_own_mounts, replaced, ways)
from imapsession import Raw  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402
from smtppeer import Peer  # noqa: E402

HASH = "$5$rounds=1000$benchbench$eD.lwpTEs1cDocuYAIm6q71z0ynpqeujFJioPwGstW2"
WHEN = ("at start", "in use")
MESSAGES = 3
PARTS = os.environ.get("DAMAGE_ONLY", "")   # mailbox, slot, drop, suite
FILES = os.environ.get("DAMAGE_FILES", "")  # of a mailbox, with commas: all
# a mailbox's files: name, and whether it may be thrown away and made again;
# LINES: it is written anew with every line that it has left
LINES = "lines"
MAILBOX = {
    "journal": ("posthorn-journal", False),
    "lock": ("posthorn-lock", False),
    "cache": ("posthorn-cache", True),
    "snapshot": ("posthorn-snapshot", True),
    "signatures": ("posthorn-signatures", True),
    "uidvalidity": ("posthorn-uidvalidity", False),
    "user lock": ("posthorn-user-lock", False),
    "subscriptions": ("subscriptions", False),
    "special uses": ("posthorn-special-use", False),
    "annotations": ("posthorn-metadata", False),
    "annotations of the account": ("posthorn-metadata-account", False),
    "access list": ("posthorn-acl", False),
    "text of attachments": ("posthorn-texts", True),
    "level of the quota": ("posthorn-quota-warned", True),
    "folders made": ("posthorn-autocreated", LINES),
    "message": (None, False),
}
ATTACHED = ("Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: application/"
            "x-words\r\nContent-Disposition: attachment; filename=a.words"
            "\r\n\r\nattached words\r\n")
# files of the whole suite, by their path in its folder
SUITE = {"users file": "users", "aliases": "aliases",
         "TLS policies": "state/tls-policies"}
# another text of a table would be so, too
JUST_TEXT = ("empty", "cut", "longer", "one bit", "version", "symlink")
# slots at start of which nothing is left that could be kept, so that they may
# be removed; and whether somebody must say so
NOTHING_LEFT = {
    "missing": False,   # its owner took it
    "zeroed": False,    # as one that was made ahead, and not used yet
    "empty": True,
}

tap = Tap()


def report(what, way, when, problems):
    """One case; PROBLEMS are what is wrong."""
    tap.ok(not problems, "%s, %s, %s" % (what, way, when),
           "; ".join(problems)[:500])


class Case:
    """One user whose mailbox has one damaged file."""

    def __init__(self, n, what, way, when):
        self.user, self.what, self.way, self.when = "u%d" % n, what, way, when
        self.problems, self.harm, self.granted = [], None, False
        self.found = None

    def maildir(self, s):
        return os.path.join(s.MAILROOT, self.user, "Maildir")

    def path(self, s):
        name, _ = MAILBOX[self.what]
        if name:
            return os.path.join(self.maildir(s), name)
        for sub in ("cur", "new"):
            for name in sorted(os.listdir(os.path.join(self.maildir(s), sub))):
                return os.path.join(self.maildir(s), sub, name)

    def damage(self, s):
        path = self.path(s)
        if path and os.path.isfile(path):
            self.harm = Harm(self.way, path)

    def session(self, s):
        sock = socket.create_connection((s.HOST, s.IMAP_PORT), 30)
        sock.settimeout(30)
        raw = Raw(sock)
        raw.ask("LOGIN %s@%s secret" % (self.user, s.DOMAIN))
        return raw

    def look(self, s):
        """A session reads all; what it gets."""
        try:
            raw = self.session(s)
            return self.read(raw)
        except OSError as e:
            self.problems.append("IMAP: %s" % e)
            return None

    def read(self, raw):
        """What was changed is told as a new message, and read then."""
        for command in ("SELECT INBOX", "FETCH 1:* (FLAGS BODY.PEEK[])",
                        "STORE 1 +FLAGS (\\Flagged)", "NOOP",
                        'LIST "" * RETURN (SPECIAL-USE SUBSCRIBED)',
                        "GETMETADATA INBOX /private/comment",
                        'GETMETADATA "" /private/comment',
                        'SETMETADATA "" (/private/comment "new")',
                        'SETMETADATA INBOX (/private/comment "new")',
                        "GETACL INBOX", "SEARCH TEXT attached",
                        "FETCH 1:* (FLAGS BODY.PEEK[])"):
            lines, last = raw.ask(command)
            if not last:
                self.problems.append("%s: the connection ends %s" % (
                    command, lines[-1:]))
                return None
            if command.startswith("SEARCH"):
                self.found = lines
            if command == "GETACL INBOX":
                self.granted = b"anyone" in b"".join(lines)
        raw.close()
        return sum(b"Subject: kept" in line for line in lines)

    def deliver(self, s):
        to = "%s@%s" % (self.user, s.DOMAIN)
        try:
            with s.smtp() as c:
                c.sendmail("a@client.test", [to],
                           message("a@client.test", to, "later"))
        except Exception as e:
            self.problems.append("SMTP: %r" % e)

    def use(self, s):
        """A session is at work when it happens."""
        try:
            raw = self.session(s)
            raw.ask("SELECT INBOX")
            raw.ask("FETCH 1:* (ENVELOPE)")
            self.damage(s)
            raw.ask("STORE 2 +FLAGS (\\Answered)")
            raw.ask("FETCH 1:* (FLAGS BODY.PEEK[])")
            raw.ask("NOOP")
            raw.close()
        except OSError as e:
            self.problems.append("IMAP in use: %s" % e)

    def run(self, s):
        if self.when == "in use":
            self.use(s)
        self.deliver(s)
        self.seen = self.look(s)

    def judge(self, s, log):
        disposable = MAILBOX[self.what][1]
        empty = self.way == "empty"     # there is nothing to be kept
        if not disposable and not empty and self.harm.unlinked():
            self.problems.append("the damaged file was unlinked")
        if disposable == LINES and self.harm.unlinked():
            with open(self.path(s), "rb") as f:
                kept = f.read().split(b"\n")
            self.problems += ["%r is gone" % line for line in self.harm.text(
                ).split(b"\n") if line not in kept and line.strip(b"\0")]
        wanted = MESSAGES
        if self.what == "message" and self.way in GONE + ("unreadable",):
            wanted -= 1
        if self.what == "message" and self.way in ("empty", "zeroed", "cut"):
            wanted -= 1
        if self.seen is None or self.seen < wanted:
            if not any(self.user in line for line in log):
                self.problems.append("silence: %s of %d messages" % (
                    self.seen, wanted))
            if self.what not in ("lock", "journal", "user lock"):
                self.problems.append("%s of %d messages" % (self.seen,
                                                            wanted))
        if self.what in ("annotations", "annotations of the account",
                         "access list") and \
                self.way != "missing" and not any(
                    self.user in line for line in log):
            self.problems.append("silence about it")
        if disposable is True and self.found is not None and not any(
                line.startswith(b"* SEARCH ") for line in self.found):
            self.problems.append("a search does not find: %s" % self.found)
        # one that can be read is whole
        if self.what == "access list" and self.granted and \
                self.way != "read only":
            self.problems.append("it still grants something")
        self.harm.end()


def make_users(count):
    return "".join("u%d@example.test:{CRYPT}%s:64199:64199::@DIR@/u%d:\n" % (
        n, HASH, n) for n in range(count))


def template(s):
    """The mailbox of u0, with every file that there is."""
    m = Case(0, None, None, None).session(s)
    m.ask("CREATE Box (USE (\\Archive))")
    m.ask("SUBSCRIBE Box")
    m.ask('SETMETADATA INBOX (/private/comment "old")')
    m.ask('SETMETADATA "" (/private/comment "old")')
    m.ask("SETACL INBOX anyone lr")
    for n in range(MESSAGES):
        text = message("a@client.test", "u0@example.test", "kept %d" % n)
        m.ask("APPEND INBOX {%d+}\r\n%s" % (len(text), text.decode()))
    m.ask("APPEND INBOX {%d+}\r\n%s" % (len(ATTACHED), ATTACHED))
    # enough for a snapshot
    small = b"Subject: x\r\n\r\nx\r\n"
    m.ask("APPEND INBOX" + (" {%d+}\r\n%s" % (len(small), small.decode())) *
          600)
    m.ask("SELECT INBOX")
    m.ask("FETCH 1:3 (ENVELOPE BODYSTRUCTURE)")
    # one who searches, and then has nothing to do, makes signatures
    m.ask("SEARCH TEXT attached")
    kept = os.path.join(s.MAILROOT, "u0", "Maildir", "posthorn-")
    others_go_on(s, "enough to be warned of")
    for name in "signatures", "texts", "quota-warned":
        tap.ok(wait_for(lambda: os.path.exists(kept + name), 60),
               "there is a file of each kind: " + name)
    m.ask("CLOSE")
    m.ask("LOGOUT")
    m.close()


def at_once(cases, call, threads=6):
    """CALL for each case, some at a time."""
    todo = list(cases)

    def work():
        while True:
            try:
                case = todo.pop()
            except IndexError:
                return
            call(case)
    all_of_them = [threading.Thread(target=work) for _ in range(threads)]
    for t in all_of_them:
        t.start()
    for t in all_of_them:
        t.join()


def others_go_on(s, name):
    """Mail for one whose files are whole."""
    before = len(read_other(s))
    to = "u0@" + s.DOMAIN
    with s.smtp() as c:
        c.sendmail("a@client.test", [to], message("a@client.test", to, name))
    return wait_for(lambda: len(read_other(s)) > before, 120, 0.2)


def read_other(s):
    new = os.path.join(s.MAILROOT, "u0", "Maildir", "new")
    return os.listdir(new) if os.path.isdir(new) else []


def crashed(s):
    return [line for line in s.read_log().splitlines()
            if "ended by signal" in line]


def mailboxes():
    cases = [Case(n + 1, *what) for n, what in enumerate(
        (what, way, when) for what in MAILBOX
        if not FILES or what in FILES.split(",") for way in ways()
        for when in WHEN)]
    s = Instance("disable_plaintext_auth=no", "authcheck_incoming=no",
                 "minimal_backoff_time=300s", "mailbox_autocreate=Drafts",
                 "mailbox_quota=500K", "mailbox_quota_warnings=1",
                 "fts_message_minimum=100",
                 "fts_decoder={application/x-words .words: /bin/cat}")
    owner = "64199:64199" if ROOT else "%d:%d" % (os.getuid(), os.getgid())
    with open(s.path("users"), "w") as f:
        f.write(make_users(len(cases) + 1).replace(
            "@DIR@", s.path("mail")).replace("64199:64199", owner))
    os.chmod(s.path("users"), 0o644)
    with s:
        template(s)
        s.stop()
        for case in cases:
            copy_owned(os.path.join(s.MAILROOT, "u0"),
                       os.path.join(s.MAILROOT, case.user))
            if case.when == "at start":
                case.damage(s)
        s.start()
        at_once(cases, lambda case: case.run(s))
        tap.ok(others_go_on(s, "others"), "mailboxes: others' mail goes on")
        log = s.read_log().splitlines()
        for case in cases:
            if case.harm is None:
                continue    # there is no such file
            case.judge(s, log)
            report(case.what, case.way, case.when, case.problems)
        tap.ok(not crashed(s), "mailboxes: nothing crashes",
               "\n# ".join(crashed(s)[:5]))


class Slots:
    """Messages that wait, one slot for each way."""

    def __init__(self, when):
        self.when = when

    def send(self, s, n):
        with s.submission() as c:
            c.sendmail(s.address(), ["x%d@far.test" % n],
                       message(s.address(), "x%d@far.test" % n, "s%d" % n))

    def waiting(self, s):
        return s.posthorn("queue", "list").stdout.count("@far.test")

    def slots(self, s):
        """{number of a message: path}"""
        found = {}
        top = os.path.join(s.QUEUE, "queue")
        for sub in os.listdir(top):
            if not os.path.isdir(os.path.join(top, sub)):
                continue
            for name in os.listdir(os.path.join(top, sub)):
                path = os.path.join(top, sub, name)
                with open(path, "rb") as f:
                    data = f.read(1 << 17)
                for n in range(len(ways()) + 2):
                    if b"Subject: s%d\r\n" % n in data:
                        found[n] = path
        return found

    def run(self):
        sink = Peer("127.0.0.1", 0)
        port = sink.listener.getsockname()[1]
        sink.delay = 0
        with Instance("relayhost=[127.0.0.1]:1", "minimal_backoff_time=1h",
                      "smtp_tls_security_level=none",
                      "maximal_backoff_time=1h") as s:
            for n in range(len(ways()) + 2):
                self.send(s, n)
            wait_for(lambda: self.waiting(s) == len(ways()) + 2, 30)
            slots = self.slots(s)
            if self.when == "at start":
                s.stop()
            self.before = len(s.read_log())
            harms = {way: Harm(way, slots[n])
                     for n, way in enumerate(ways())}
            with open(s.CONF) as f:
                text = f.read().replace("[127.0.0.1]:1\n",
                                        "[127.0.0.1]:%d\n" % port)
            with open(s.CONF, "w") as f:
                f.write(text)
            if self.when == "at start":
                s.start()
            else:
                s.posthorn("reload")
            s.posthorn("queue", "flush", "ALL")
            self.judge(s, sink, slots, harms)

    def judge(self, s, sink, slots, harms):
        def arrived():
            texts = [m if isinstance(m, str) else m.decode()
                     for m in sink.messages]
            return {n for n in range(len(ways()) + 2)
                    if any("Subject: s%d\r" % n in t or
                           "Subject: s%d\n" % n in t for t in texts)}
        whole = set(range(len(ways()), len(ways()) + 2))
        goes_on = wait_for(lambda: whole <= arrived(), 120)
        report("slot", "others' mail", self.when,
               [] if goes_on else ["does not go on"])

        def silent():
            log = [line for line in s.read_log()[self.before:].splitlines()
                   if "error" in line or "warning" in line]
            return {n for n in set(range(len(ways()))) - arrived()
                    if not any(os.path.basename(slots[n]) in line
                               for line in log)}
        left = NOTHING_LEFT if self.when == "at start" else {}
        may_be_silent = {n for n, way in enumerate(ways())
                         if not left.get(way, True)}
        wait_for(lambda: silent() <= may_be_silent, 60, 0.5)
        came, quiet = arrived(), silent() - may_be_silent
        for n, way in enumerate(ways()):
            problems = []
            name = os.path.basename(slots[n])
            if harms[way].unlinked() and n not in came and way not in left:
                problems.append("a promised message was unlinked")
            if n in quiet:
                problems.append("silence about " + name)
            harms[way].end()
            report("slot", way, self.when, problems)
        tap.ok(not crashed(s), "slots, %s: nothing crashes" % self.when,
               "\n# ".join(crashed(s)[:5]))


class Drop:
    """Mail that waits in the drop folder, one for each way and a whole one."""

    def send(self, s, n):
        before = set(self.files(s))
        subprocess.run([s.SENDMAIL, "-f", "me@a.test", s.address()],
                       input=b"Subject: d%d\n\n%s\n" % (n, b"x" * 600),
                       check=True)
        return (set(self.files(s)) - before).pop()

    def files(self, s):
        folder = os.path.join(s.QUEUE, "drop")
        return [os.path.join(folder, name) for name in os.listdir(folder)]

    def run(self):
        with Instance() as s:
            s.stop()
            names = [self.send(s, n) for n in range(len(ways()) + 1)]
            before = len(s.read_log())
            self.harms = {way: Harm(way, names[n])
                          for n, way in enumerate(ways())}
            s.start()
            self.judge(s, names, before)

    def judge(self, s, names, before):
        def came(n):
            return any(b"Subject: d%d\r\n" % n in text for text in s.messages())
        goes_on = wait_for(lambda: came(len(ways())), 120, 0.5)
        tap.ok(goes_on, "drop folder: others' mail goes on")
        for n, way in enumerate(ways()):
            def told():
                return way == "missing" or came(n) or os.path.basename(
                    names[n]) in s.read_log()[before:]
            problems = []
            if not wait_for(told, 60, 0.5):
                problems.append("silence about " + names[n])
            if self.harms[way].unlinked() and way != "empty" and not came(n):
                problems.append("was unlinked, and did not arrive")
            self.harms[way].end()
            report("drop folder", way, "at start", problems)
        tap.ok(not crashed(s), "drop folder: nothing crashes")


def suite_files():
    """In use, one after the other: reload, and mail for u0 and to it."""
    with Instance("minimal_backoff_time=1s", "maximal_backoff_time=1s") as s:
        suite_at_start(s)
        s.posthorn("reload")
        for what, name in SUITE.items():
            if not os.path.exists(s.path(name)):
                continue
            copy_owned(s.path(name), s.path("saved"))
            for way in ways():
                report(what, way, "in use", suite_file(s, what, way))
                replaced(s.path(name), s.path("saved"))
                wait_for(lambda: rcpt(s, s.address()) == 250, 30, 0.5)
            os.unlink(s.path("saved"))
            s.posthorn("reload")
        tap.ok(not crashed(s), "files of the suite: nothing crashes",
               "\n# ".join(crashed(s)[:5]))


def suite_at_start(s):
    """All at once: it starts, or says which it cannot read."""
    files = {what: s.path(name) for what, name in SUITE.items()
             if os.path.exists(s.path(name)) and
             os.path.getsize(s.path(name))}
    for path in files.values():
        copy_owned(path, path + ".saved")
    for way in ways():
        s.stop()
        before, problems = len(s.read_log()), []
        harms = {what: Harm(way, path) for what, path in files.items()}
        started = subprocess.run([os.path.join(BIN, "master"), "-c", s.CONF],
                                 capture_output=True).returncode == 0
        if started:
            problems += ask_recipients(s, "users file", way, before)
        elif not any(path in s.read_log()[before:]
                     for path in files.values()):
            problems.append("does not start, in silence")
        for what, harm in harms.items():
            if harm.unlinked() and not what.endswith("database"):
                problems.append(what + " was unlinked")
            harm.end()
        for path in files.values():
            replaced(path, path + ".saved")
        report(", ".join(files), way, "at start", problems)


def rcpt(s, to):
    with s.smtp() as c:
        c.ehlo()
        c.mail("a@client.test")
        return c.rcpt(to)[0]


def ask_recipients(s, what, way, before, told=""):
    """Who is a user? TOLD is what was answered, beside the log."""
    problems = []
    try:
        code, bad = rcpt(s, s.address()), rcpt(s, "nobody@" + s.DOMAIN)
    except Exception as e:
        return ["%r" % e]
    if code not in (250, 450, 451) and way not in JUST_TEXT:
        problems.append("a user is refused: %d" % code)
    if bad == 250 and what == "users file":
        problems.append("a user that is none is accepted")
    if code != 250 and way not in JUST_TEXT and SUITE[
            what] not in told + s.read_log()[before:]:
        problems.append("silence")
    return problems


def suite_file(s, what, way):
    path = s.path(SUITE[what])
    if os.path.getsize(path) == 0 and way in ("one bit", "version"):
        return []
    harm, before = Harm(way, path), len(s.read_log())
    told = s.posthorn("reload").stderr
    problems = ask_recipients(s, what, way, before, told)
    if harm.unlinked():
        problems.append("was unlinked")
    harm.end()
    return problems


in_own_mounts()
if PARTS in ("", "mailbox"):
    mailboxes()
if PARTS in ("", "slot"):
    for when in WHEN:
        Slots(when).run()
if PARTS in ("", "drop"):
    Drop().run()
if PARTS in ("", "suite"):
    suite_files()
tap.done()
