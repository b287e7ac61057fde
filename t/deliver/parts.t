#!/usr/bin/env python3
"""What an address stands for are its parts: a command that fails, a file that
cannot be read, keeps none of the others from its mail, and what was done is
not done again while that part is tried."""
import glob
import os
import pwd
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from delivery import go, text_of  # noqa: E402
from instance import Instance, parse, wait_for  # noqa: E402

LOCAL = "local.example.test"
USER = "phtp%d" % os.getpid()
ROOT = os.geteuid() == 0
LONG = 60   # seconds that no machine needs

ALIASES = """\
never: alice@{d}, "|exit 67"
later: bob@{d}, "|echo ran >> {o}/later; test -e {o}/go || exit 75", alice@{d}
unread: :include:{o}/list, alice@{d}
twofold: "|echo ran >> {o}/never; exit 67", "|test -e {o}/go || exit 75"
own: \\alice@{d}, "|exit 67", "|test -e {o}/go || exit 75"
wrong: alice@{d}, one@two@three
round: about
about: round, "|exit 67"
list: :include:{o}/many, "|test -e {o}/go || exit 75"
owner-list: bob@{d}
hangs: "|echo begun >> {o}/hangs; while [ ! -e {o}/go ]; do sleep 0.1; done"
"""

tap = Tap()


class Suite(Instance):
    def imap(self, user=None, password=None):
        return super().imap(self.address(user), password)


def send(s, to, subject, sender=None, *others):
    subprocess.run([s.SENDMAIL, "-f", s.address(s.USER2) if sender is None
                    else sender, "--", to + "@" + LOCAL, *others],
                   input="Subject: %s\n\nx\n" % subject, text=True,
                   check=True, timeout=LONG)


def count(s, subject, user=None):
    return sum(parse(m)["Subject"] == subject for m in s.messages(user))


def told(s, subject):
    """How often the sender was told that a part failed."""
    return sum((parse(m)["Subject"] or "").startswith("Undelivered") and
               b"Subject: " + subject.encode() in m
               for m in s.messages(s.USER2))


def tried(s, subject, times):
    """Tries what waits until it was put off TIMES more."""
    before = s.read_log().count("status=deferred")

    def again():
        s.posthorn("queue", "flush", "ALL")
        return s.read_log().count("status=deferred") >= before + times
    return wait_for(again, LONG)


def ends(s, what):
    def done():
        s.posthorn("queue", "flush", "ALL")
        return "the queue is empty" in s.posthorn("queue", "list").stdout
    tap.ok(wait_for(done, LONG), what + ": in the end all is done")


def arrives(s, subject, name, user=None):
    tap.ok(wait_for(lambda: count(s, subject, user) == 1, LONG), name)


def for_good(s):
    send(s, "never", "never")
    arrives(s, "never", "beside a command that fails an address has its mail")
    tap.ok(wait_for(lambda: told(s, "never") == 1, LONG),
           "and the sender is told of the command")
    send(s, "never", "for nobody", sender="<>")
    arrives(s, "for nobody", "also where there is nobody to tell")
    send(s, "round", "round")
    ends(s, "aliases in a circle with a command that fails")
    tap.ok(wait_for(lambda: told(s, "round") >= 1, LONG), "it is told")
    send(s, "wrong", "wrong")
    arrives(s, "wrong", "beside what is no target the others have their mail")
    tap.ok(s.wait_log("status=deferred"), "and that waits")
    s.posthorn("queue", "delete", "ALL")


def for_now(s):
    go(s, False)
    send(s, "later", "later")
    arrives(s, "later", "what has to wait holds up no address before it",
            s.USER2)
    arrives(s, "later", "nor one behind it")
    tap.ok(tried(s, "later", 3), "it is tried again")
    s.stop()
    s.start()
    tap.ok(tried(s, "later", 2), "also after a restart")
    go(s, True)
    ends(s, "a command that waited")
    tap.equal((count(s, "later"), count(s, "later", s.USER2)), (1, 1),
              "the addresses had it once")
    tap.ok(told(s, "later") == 0, "nobody is told of a failure")


def file_comes(s):
    send(s, "unread", "unread")
    arrives(s, "unread", "a list that cannot be read holds up no address")
    with open(s.path("out/list"), "w") as f:
        f.write("alice@%s, bob@%s\n" % (s.DOMAIN, s.DOMAIN))
    ends(s, "a list that can be read again")
    arrives(s, "unread", "who is on it has it, too", s.USER2)
    tap.equal(count(s, "unread"), 1, "and the other not twice")


def both(s):
    go(s, False)
    send(s, "twofold", "twofold")
    send(s, "own", "own")
    arrives(s, "own", "another's mailbox, too, is a part")
    tap.ok(tried(s, "twofold", 4), "while one fails and one waits")
    tap.ok(told(s, "twofold") == 0, "the sender waits")
    go(s, True)
    ends(s, "one fails, one waits")
    tap.ok(wait_for(lambda: told(s, "twofold") == 1 and told(s, "own") == 1,
                    LONG), "then he is told")
    tap.equal(text_of(s.path("out/never")), "ran\n",
              "and what failed ran once")
    tap.equal(count(s, "own"), 1, "the mailbox has it once")


def slot_bytes(s):
    return sum(open(f, "rb").read().count(b"list-member")
               for f in glob.glob(s.path("spool/queue/**"), recursive=True)
               if os.path.isfile(f))


def long_list(s):
    """Addresses are in the journal once, however often a part is tried."""
    go(s, False)
    with open(s.path("out/many"), "w") as f:
        f.writelines("list-member%d@%s\n" % (i, s.DOMAIN)
                     for i in range(500))
    send(s, "list", "list")
    tap.ok(tried(s, "list", 1), "a list beside a command that waits")
    once = slot_bytes(s)
    tap.ok(tried(s, "list", 10) and slot_bytes(s) <= max(once, 2000),
           "its addresses are not written at every try",
           (once, slot_bytes(s)))
    go(s, True)
    ends(s, "a long list")


def forward(s):
    home = pwd.getpwnam(USER).pw_dir

    def put(text):
        path = os.path.join(home, ".forward")
        with open(path + ".new", "w") as f:
            f.write(text.format(o=s.path("out"), me=USER, d=s.DOMAIN))
        os.chown(f.name, pwd.getpwnam(USER).pw_uid, -1)
        os.chmod(f.name, 0o644)
        os.rename(f.name, path)

    def stored(subject):
        return sum("Subject: %s\n" % subject in text_of(f).replace("\r", "")
                   for f in glob.glob(home + "/Maildir/new/*"))

    def comes(text, subject, name, sender=None):
        put(text)
        send(s, USER, subject, sender)
        tap.ok(wait_for(lambda: stored(subject) == 1, LONG), name)

    go(s, False)
    comes('\\{me}, "|exit 1"\n', "fails",
          "a command in a .forward that fails: the mailbox has the mail")
    comes('"|exit 1"\n\\{me}\n', "first", "also if it comes first")
    tap.ok(wait_for(lambda: told(s, "fails") == 1 and told(s, "first") == 1,
                    LONG), "the sender is told")
    comes('\\{me}, "|exit 1"\n', "null", "also without a sender", "<>")
    comes('\\{me}, /nowhere/box\n', "no box", "a file that cannot be written")
    comes('\\{me}\n:include:/nowhere/list\n', "no list",
          "a list that cannot be read")
    s.posthorn("queue", "delete", "ALL")
    comes('\\{me}, "|echo >> {o}/first", "|test -e {o}/go || exit 75"\n',
          "waits", "a command that has to wait")
    tap.ok(tried(s, "waits", 4), "it is tried again")
    put('"|echo >> {o}/new", "|echo >> {o}/first", \\{me},'
        ' "|test -e {o}/go || exit 75"\n')
    tap.ok(tried(s, "waits", 4), "with another file")
    go(s, True)
    put(text_of(home + "/.forward") + "# the same\n")
    wait_for(lambda: "waits" not in s.posthorn("queue", "list").stdout, LONG)
    os.unlink(home + "/.forward")
    ends(s, "the user's")
    tap.equal([stored(x) for x in ("waits", "no box", "no list")], [1, 1, 1],
              "the mailbox has each once")
    tap.equal(text_of(s.path("out/first")), "\n",
              "what was done is known in another place of the file")


def before_commands(s):
    """Who has the mail beside a command need not wait until that has ended."""
    go(s, False)
    send(s, "hangs", "beside a command", None, s.address())
    arrives(s, "beside a command", "a mailbox does not wait for a command of "
            "another recipient")
    tap.equal(text_of(s.path("out/hangs")), "begun\n", "which still runs")
    go(s, True)
    ends(s, "both")


def users(*command):
    if ROOT:
        subprocess.run([*command, USER], check=True, capture_output=True)


users("useradd", "-m", "-s", "/bin/sh")
try:
    with Suite("mydestination=" + LOCAL, "myorigin=" + LOCAL,
               "local_users=" + ("yes" if ROOT else "no")) as s:
        os.mkdir(s.path("out"))
        os.chmod(s.path("out"), 0o777)
        with open(s.path("aliases"), "w") as f:
            f.write(ALIASES.format(d=s.DOMAIN, o=s.path("out")))
        for part in (for_good, for_now, file_comes, both, long_list,
                     before_commands,
                     *([forward] if ROOT else [])):
            part(s)
finally:
    users("userdel", "-r")
tap.done()
