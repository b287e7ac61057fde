#!/usr/bin/env python3
"""Aliases, lists, commands, files, .forward: what local-deliver makes of an
address."""
import fcntl
import os
import pwd
import re
import shutil
import signal
import smtplib
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from delivery import text_of  # noqa: E402
from instance import Instance, message, parse, wait_for  # noqa: E402

tap = Tap()
ROOT = os.geteuid() == 0
LOCAL = "local.example.test"
USERS = ["phta%d" % os.getpid(), "phtb%d" % os.getpid()]


class Suite(Instance):
    """With system users, a login without a domain is one of theirs."""

    def imap(self, user=None, password=None):
        return super().imap(self.address(user), password)


def send(s, to, subject, sender=None, body="text\n", head=""):
    done = subprocess.run(
        [s.SENDMAIL, "-i", "-f", sender or s.address(s.USER2), "--",
         *([to] if isinstance(to, str) else to)],
        input=("%sSubject: %s\n\n%s" % (head, subject, body)).encode(),
        capture_output=True, timeout=60)
    return done.returncode == 0


def with_subject(s, subject, user=None):
    return [m for m in s.messages(user) if parse(m)["Subject"] == subject]


def arrives(s, subject, user=None, count=1):
    return wait_for(lambda: len(with_subject(s, subject, user)) >= count)


def fate(s, to, subject, **how):
    """The log's word on what became of a message to TO."""
    before = len(s.read_log())
    send(s, to, subject, **how)
    found = []

    def there():
        found[:] = [line for line in s.read_log()[before:].splitlines()
                    if "to=<%s>" % to in line and "status=" in line]
        return found
    wait_for(there)
    return found[0] if found else ""


ALIASES = """\
# lists
pair: alice@{d}, bob@{d}
team: :include:{dir}/members
owner-team: bob@{d}
unsafe: :include:{dir}/writable
gone: :include:{dir}/nowhere
emptied: :include:{dir}/emptied
nobody: :include:{dir}/bomb4
some: :include:{dir}/bomb4, alice@{d}
nested: :include:{dir}/nested
bomb: :include:{dir}/bomb1
busy: :include:{dir}/busy

# commands and files
lasting: "|echo $$ > {dir}/out/lasting; exec sleep 600"
env: "|env > {dir}/out/env; cat > {dir}/out/text"
late: "|exit 75"
noroom: "|exit 71"
never: "|echo sorry; exit 67"
killed: "|kill -9 $$"
deaf: "|exit 0"
leaves: "|sleep 30 & exit 0"
hangs: "|sleep 100"
escapes: "|exec perl {dir}/escape"
box: {dir}/out/box
maildir: {dir}/out/maildir/
null: /dev/null
program: {dir}/out/program
link: {dir}/out/link
both: alice@{d}, "|exit 67"

# loops and chains
one: two
two: one
odd: even
even: odd
self: self, alice@{d}
chain: link1
link1: link2,
    alice@{d}
link2: bob@{d}
spaced: :include:{dir}/spaced
shadowy: :include:{dir}/shadowy
piped: "|exit 67 # hush-hush"
absent: "|/nowhere/hush-hush"
kept: "|cat > {dir}/out/hush-hush"
"""


def aliases(s):
    alice, bob = s.address(s.USER1), s.address(s.USER2)
    send(s, "pair@" + LOCAL, "to a pair")
    tap.ok(arrives(s, "to a pair") and arrives(s, "to a pair", s.USER2),
           "an alias of two reaches both")
    send(s, "PAIR@" + LOCAL, "case")
    tap.ok(arrives(s, "case"), "in any case")
    send(s, "pair+tag@" + LOCAL, "with extension")
    tap.ok(arrives(s, "with extension"), "with an extension")
    send(s, "team@" + LOCAL, "to the team", sender="x@far.test")
    tap.ok(arrives(s, "to the team") and
           arrives(s, "to the team", s.USER2), ":include: reaches all in it")
    tap.equal(parse(with_subject(s, "to the team")[0])["Return-Path"],
              "<owner-team@%s>" % LOCAL, "owner-LIST is the new sender")
    send(s, "some@" + LOCAL, "to some")
    tap.ok(arrives(s, "to some"), ":include: of nobody beside somebody")
    send(s, "nested@" + LOCAL, "to the nested")
    tap.ok(arrives(s, "to the nested"), ":include: within :include:")
    send(s, "chain@" + LOCAL, "down the chain")
    tap.ok(arrives(s, "down the chain") and
           arrives(s, "down the chain", s.USER2), "aliases of aliases")
    time.sleep(0.5)
    tap.equal([len(with_subject(s, x)) for x in ("to a pair", "to the team",
                                                 "down the chain")],
              [1, 1, 1], "each once")
    for to, why in [("unsafe", "writable by everybody"),
                    ("gone", "No such file"), ("emptied", "is empty"),
                    ("nobody", "stands for nobody")]:
        line = fate(s, "%s@%s" % (to, LOCAL), to)
        tap.ok("status=deferred" in line and
               any(w in line for w in why.split("|")),
               "%s: waits, and the log says why" % to)
    line = fate(s, "one@" + LOCAL, "loop")
    tap.ok(wait_for(lambda: any(
        b"5.4.6" in m for m in s.messages(s.USER2))),
        "an alias loop goes back to its sender")
    send(s, ["odd@" + LOCAL, "even@" + LOCAL, alice], "a ring")
    tap.ok(wait_for(lambda: sum(
        all(b"rfc822; %s@" % who in m for who in (b"odd", b"even"))
        for m in s.messages(s.USER2))),
        "addresses that lead to each other: the sender hears of both")
    tap.ok(arrives(s, "a ring"), "and who is beside them gets the message")
    line = fate(s, "nosuchuser@" + LOCAL, "nobody")
    tap.ok("dsn=5.1.1, status=bounced" in line, "an unknown user: 5.1.1")
    line = fate(s, "alice+tag@" + s.DOMAIN, "tagged")
    tap.ok("status=sent (delivered to maildir)" in line, "user+tag")
    m = parse(with_subject(s, "tagged")[0])
    tap.equal(m["Delivered-To"], "alice+tag@" + s.DOMAIN, "Delivered-To")
    line = fate(s, alice, "looping", head="Delivered-To: %s\n" % alice)
    tap.ok("dsn=5.4.6, status=bounced" in line,
           "a message that was delivered there before comes from a loop")
    line = fate(s, "v1@virt.test", "virtual")
    tap.ok("expanded to 2" in line and arrives(s, "virtual") and
           arrives(s, "virtual", s.USER2), "virtual_alias_maps")
    line = fate(s, "any@virt.test", "catch-all")
    tap.ok(arrives(s, "catch-all", s.USER2), "its catch-all")
    line = fate(s, "keep@" + s.DOMAIN, "kept")
    tap.ok("5.1.1" in line, "an alias to itself means its mailbox")


def supervisor_dies(s):
    """It is tried again: the first one does not run on beside it."""
    place = s.path("out/lasting")
    send(s, "lasting@" + LOCAL, "lasting")
    wait_for(lambda: text_of(place).strip())
    pid = int(text_of(place))
    try:
        stat = text_of("/proc/%d/stat" % pid)
        os.kill(int(stat.rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
        tap.ok(wait_for(lambda: not os.path.exists("/proc/%d" % pid), 60),
               "a command ends when its supervisor is killed")
    finally:
        if os.path.exists("/proc/%d" % pid):
            os.kill(pid, signal.SIGKILL)
        s.posthorn("queue", "delete", "ALL")


def commands(s):
    out = s.path("out")
    line = fate(s, "env+ext@" + LOCAL, "to a command",
                sender='"a$(touch x)"@far.test', body="From here\n.\n")
    tap.ok("status=sent (delivered to command: env" in line,
           "a command that ends with 0: delivered")
    env = dict(v.split("=", 1) for v in
               text_of(out + "/env").splitlines() if "=" in v)
    tap.equal(env.get("SENDER"), "_a__touch_x__@far.test",
              "SENDER in its environment holds no special character")
    tap.equal((env.get("LOCAL"), env.get("EXTENSION"), env.get("DOMAIN")),
              ("env+ext", "ext", LOCAL), "LOCAL, EXTENSION, DOMAIN")
    text = text_of(out + "/text")
    tap.ok(text.endswith("\n\nFrom here\n.\n") and "\r" not in text,
           "it reads the message with LF line ends")
    tap.ok("\nDelivered-To: env+ext@" + LOCAL in text, "with Delivered-To")
    if ROOT:
        tap.equal(os.stat(out + "/text").st_uid,
                  pwd.getpwnam("nobody").pw_uid, "it runs as default_privs")
    for to, want in [("late", "dsn=4.3.0, status=deferred"),
                     ("noroom", "dsn=4.3.0, status=deferred"),
                     ("never", "dsn=5.1.1, status=bounced"),
                     ("killed", "dsn=4.3.0, status=deferred"),
                     ("deaf", "dsn=2.0.0, status=sent"),
                     ("leaves", "dsn=2.0.0, status=sent"),
                     ("hangs", "dsn=5.3.0, status=bounced"),
                     ("escapes", "dsn=5.3.0, status=bounced"),
                     ("busy", "dsn=5.4.6, status=bounced"),
                     ("bomb", "dsn=5.4.6, status=bounced"),
                     ("null", "dsn=2.0.0, status=sent"),
                     ("program", "dsn=5.2.0, status=bounced"),
                     ("link", "dsn=5.2.0, status=bounced")]:
        line = fate(s, "%s@%s" % (to, LOCAL), to, body="x" * 200000 + "\n")
        tap.ok(want in line, "%s: %s" % (to, want))
        if want not in line:
            print("# " + line)
    tap.ok("Command output: sorry" in s.read_log(),
           "what a command says is in the reason")
    fate(s, "both@" + LOCAL, "half")
    tap.ok(arrives(s, "half"), "a failing command holds up no address")
    tap.ok(wait_for(lambda: any(
        b"half" in m and b"5.1.1" in m for m in s.messages(s.USER2))),
        "and its failure is told")


def secrets(s):
    """What is in aliases and included files is not told to who writes."""
    for to, want in [("spaced", "spaced:2: a target is not an address"),
                     ("shadowy", "target 2 of %s is not an address" %
                      s.path("shadowy"))]:
        line = fate(s, "%s@%s" % (to, LOCAL), to)
        tap.ok(want in line and "hush" not in line,
               "%s: file and place of the fault are told, not its text" % to,
               line)
    fate(s, "piped@" + LOCAL, "piped in secret")
    tap.ok("hush-hush" in fate(s, "piped@" + LOCAL, "piped in secret"),
           "the log names the command that failed")
    fate(s, "absent@" + LOCAL, "absent in secret")
    tap.ok(": not found" in s.read_log(), "and what the shell says of it")
    with s.submission(s.address(s.USER2), s.PASS2) as c:
        c.mail(s.address(s.USER2))
        c.rcpt("kept@" + LOCAL, ["NOTIFY=SUCCESS,FAILURE"])
        c.data(message(s.address(s.USER2), "kept@" + LOCAL, "kept in secret"))
    told, of = [], (b"kept@", b"piped@", b"absent@")

    def are_told():
        told[:] = [m for m in s.messages(s.USER2) if b"multipart/report" in m
                   and any(w in m for w in of)]
        return all(any(w in m for m in told) for w in of)
    tap.ok(wait_for(are_told) and not any(b"hush" in m for m in told),
           "the notice for its sender does not")


def files(s):
    box = s.path("out/box")
    for i in range(3):
        fate(s, "box@" + LOCAL, "box %d" % i, body="From me\n>From you\nx")
    text = text_of(box)
    tap.equal(text.count("\nSubject: box"), 3, "three messages in an mbox")
    tap.equal(text.count("\n>From me\n>From you\nx\n\n"), 3,
              "From lines are quoted")
    tap.equal(os.stat(box).st_mode & 0o777, 0o600, "for its owner alone")
    tap.ok(not os.path.exists(box + ".lock"), "no lock is left")
    fate(s, "maildir@" + LOCAL, "to a maildir")
    tap.equal(len(os.listdir(s.path("out/maildir/new"))), 1,
              "/path/ is a Maildir")


def forward(s):
    one, two = USERS
    homes = [pwd.getpwnam(u).pw_dir for u in USERS]

    def put(home, text, mode=0o644, owner=None):
        path = os.path.join(home, ".forward")
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "w") as f:
            f.write(text)
        st = os.stat(home)
        os.chown(path, st.st_uid if owner is None else owner, st.st_gid)
        os.chmod(path, mode)

    def stored(home):
        new = os.path.join(home, "Maildir", "new")
        return len(os.listdir(new)) if os.path.isdir(new) else 0

    def is_stored(home, want, name):
        tap.ok(wait_for(lambda: stored(home) == want), name)
        if stored(home) != want:
            print("# %d, not %d" % (stored(home), want))

    send(s, "%s@%s" % (one, LOCAL), "plain")
    is_stored(homes[0], 1, "a system user's mail is in ~/Maildir")
    st = os.stat(os.path.join(homes[0], "Maildir"))
    tap.equal((st.st_uid, st.st_mode & 0o777),
              (pwd.getpwnam(one).pw_uid, 0o700), "which is his alone")
    put(homes[0], "# me\n\\%s\nalice@%s, %s\n" % (one, s.DOMAIN, two))
    send(s, "%s@%s" % (one, LOCAL), "forwarded")
    is_stored(homes[0], 2, ".forward: a copy for himself")
    is_stored(homes[1], 1, ".forward: another user")
    tap.ok(arrives(s, "forwarded"), ".forward: another address")
    put(homes[0], '"|id -un > %s/id; cat > /dev/null"\n' % homes[0])
    fate(s, "%s@%s" % (one, LOCAL), "piped")
    tap.equal(text_of(homes[0] + "/id"), one + "\n",
              "its commands run as the user")
    with open(os.path.join(homes[1], "theirs"), "w") as f:
        f.write('"|id -un > %s/id; cat > /dev/null"\n' % homes[0])
    os.chown(f.name, pwd.getpwnam(two).pw_uid, -1)
    put(homes[0], ":include:%s\n" % f.name)
    os.unlink(homes[0] + "/id")
    fate(s, "%s@%s" % (one, LOCAL), "included")
    tap.equal(text_of(homes[0] + "/id"), one + "\n",
              "also those in another's file that he includes")
    put(homes[0], "%s/box\n" % homes[0])
    fate(s, "%s@%s" % (one, LOCAL), "boxed")
    tap.equal(os.stat(homes[0] + "/box").st_uid, pwd.getpwnam(one).pw_uid,
              "its files are the user's")
    put(homes[0], "/etc/posthorn-test-file\n")
    line = fate(s, "%s@%s" % (one, LOCAL), "elsewhere")
    tap.ok("status=deferred" in line and
           not os.path.exists("/etc/posthorn-test-file"),
           "and never what he may not write")
    put(homes[0], "bob@%s\n" % s.DOMAIN, mode=0o666)
    send(s, "%s@%s" % (one, LOCAL), "unsafe")
    is_stored(homes[0], 3, "a .forward that others can write is not used")
    put(homes[0], "bob@%s\n" % s.DOMAIN,
        owner=pwd.getpwnam("nobody").pw_uid)
    send(s, "%s@%s" % (one, LOCAL), "foreign")
    is_stored(homes[0], 4, "nor one that belongs to somebody else")
    put(homes[0], "bob@%s\n" % s.DOMAIN)
    os.chmod(homes[0], 0o777)
    send(s, "%s@%s" % (one, LOCAL), "open house")
    is_stored(homes[0], 5, "nor one in a folder that others can write")
    os.chmod(homes[0], 0o700)
    put(homes[0], "")
    send(s, "%s@%s" % (one, LOCAL), "empty")
    is_stored(homes[0], 6, "an empty .forward is none")
    put(homes[0], two + "\n")
    put(homes[1], one + "\n")
    bounces = len(s.messages(s.USER2))
    send(s, "%s@%s" % (one, LOCAL), "to and fro")
    tap.ok(wait_for(lambda: len(s.messages(s.USER2)) > bounces),
           "two who forward to each other: it goes back to the sender")
    os.unlink(os.path.join(homes[0], ".forward"))
    os.unlink(os.path.join(homes[1], ".forward"))


def homeless(s):
    """A program's user without a home: no strangers' mail, but our own."""
    to = "daemon@" + LOCAL
    with s.smtp() as c:
        c.ehlo()
        c.mail("a@client.test")
        tap.equal(c.rcpt(to)[0], 550, "daemon has no home: none from outside")
    line = fate(s, to, "from cron")
    tap.ok("status=deferred" in line and "an alias can" in line,
           "its own mail waits, and the log says what to do", line)


def changes(s):
    with open(s.path("aliases"), "a") as f:
        f.write("fresh: alice@%s\n" % s.DOMAIN)
    send(s, "fresh@" + LOCAL, "fresh")
    tap.ok(arrives(s, "fresh"), "a changed alias file is read at once")
    with open(s.path("members"), "w") as f:
        f.write("".join("u%d@far.test\n" % i for i in range(20000)))
        f.write("alice@%s\n" % s.DOMAIN)
    line = fate(s, "team@" + LOCAL, "many")
    tap.ok("expanded to 20001 addresses" in line and arrives(s, "many"),
           "a list of 20001 is expanded whole")


# Leaves the group of processes that it was started in.
ESCAPE = """\
$child = fork;
if (!$child) { setpgrp(0, 0); sleep 20; exit }
select(undef, undef, undef, 0.3);
setpgrp(0, $child);
sleep 100;
"""


def records(s, user):
    """How many messages each record of USER's journal adds."""
    with open(os.path.join(s.MAILROOT, user, "Maildir",
                           "posthorn-journal"), "rb") as f:
        data = f.read()
    counts, at = [], 32
    while at + 16 <= len(data):
        length, kind, _, count = struct.unpack_from("<IHxxII", data, at)
        if length < 16:
            break
        if kind == 2:
            counts.append(count)
        at += length
    return counts


def together(s):
    """What comes while a mailbox is locked goes in by one record then, which
    is synced once."""
    path = os.path.join(s.MAILROOT, s.USER2, "Maildir", "posthorn-lock")
    with open(path, "rb+") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        sent = len(s.read_log())
        for i in range(6):
            send(s, s.address(s.USER2), "together %d" % i)
        # notices of what was sent before may come between
        wait_for(lambda: len(re.findall(
            r"from=<%s>.*\(queue active\)" % re.escape(s.address(s.USER2)),
            s.read_log()[sent:])) >= 6)
    tap.ok(wait_for(lambda: all(
        len(with_subject(s, "together %d" % i, s.USER2)) == 1
        for i in range(6))), "mail for a mailbox that was locked comes")
    tap.ok(max(records(s, s.USER2)[-6:]) >= 2, "… and some of it together (%r)" %
           records(s, s.USER2)[-6:])


def broken_line(s):
    # by renaming: after emptied_table the old file counts as busy for a second
    shutil.copy(s.path("aliases"), s.path("aliases.new"))
    with open(s.path("aliases.new"), "a") as f:
        f.write("bad: a b c\n")
    os.rename(s.path("aliases.new"), s.path("aliases"))
    line = fate(s, "bad@" + LOCAL, "bad")
    tap.ok("status=deferred" in line and "looked up" in line,
           "bad: waits, and the log says why")
    line = fate(s, "perhaps@" + LOCAL, "perhaps")
    tap.ok("dsn=4.3.5, status=deferred" in line,
           "so does a name that may be in a line that is not understood")


def emptied_table(s):
    """Somebody writes the aliases anew, and needs his time for it."""
    with open(s.path("aliases"), "r+") as f:
        text = f.read()
        f.truncate(0)
        line = fate(s, "pair@" + LOCAL, "while the aliases are empty")
        tap.ok("status=sent (pair: expanded" in line or
               "status=sent (alias pair: expanded" in line,
               "an alias file that is emptied counts as it was", line)
        f.seek(0)
        f.write(text)
    tap.ok("was emptied or cut within a line, not replaced" in s.read_log(), "and the log says so")


def all_of(s):
    with open(s.path("aliases"), "w") as f:
        f.write(ALIASES.format(d=s.DOMAIN, dir=s.dir))
    os.mkdir(s.path("out"))
    os.chmod(s.path("out"), 0o777)
    for name, text, mode in [
            ("spaced", "alice@{d}\nthe hush-hush password\n", 0o644),
            ("shadowy", "alice@{d}, hush-hush:$y$j9T$:1:\n", 0o644),
            ("members", "alice@{d}\n# a comment\nBob <bob@{d}>\n", 0o644),
            ("writable", "alice@{d}\n", 0o666),
            ("nested", ":include:{dir}/members\n", 0o644),
            ("bomb1", ":include:{dir}/bomb2\n" * 1000, 0o644),
            ("bomb2", ":include:{dir}/bomb3\n" * 1000, 0o644),
            ("bomb3", ":include:{dir}/bomb4\n" * 1000, 0o644),
            ("bomb4", "# nothing\n", 0o644),
            ("emptied", "", 0o644),
            ("busy", '"|exit 0"\n' * 200, 0o644),
            ("out/program", "#!/bin/sh\n", 0o755)]:
        with open(s.path(name), "w") as f:
            f.write(text.format(d=s.DOMAIN, dir=s.dir))
        os.chmod(s.path(name), mode)
    if ROOT:
        os.chown(s.path("out/program"), pwd.getpwnam("nobody").pw_uid, -1)
    with open(s.path("escape"), "w") as f:
        f.write(ESCAPE)
    os.chmod(s.path("escape"), 0o644)
    os.symlink(s.path("members"), s.path("out/link"))
    aliases(s)
    commands(s)
    secrets(s)
    files(s)
    if ROOT:
        forward(s)
        homeless(s)
    changes(s)
    together(s)
    supervisor_dies(s)
    emptied_table(s)
    broken_line(s)


def users(command, *options):
    for user in USERS if ROOT else []:
        subprocess.run([command, *options, user], check=True,
                       capture_output=True)


users("useradd", "-m", "-s", "/bin/sh")
try:
    with Suite("mydestination=" + LOCAL, "myorigin=" + LOCAL,
               "virtual_alias_domains=virt.test",
               "virtual_alias_maps=inline:{{v1@virt.test=alice@example."
               "test, bob@example.test},@virt.test=bob@example.test,"
               "keep@example.test=keep@example.test}",
               "command_time_limit=2s",
               "local_users=" + ("yes" if ROOT else "no")) as s:
        all_of(s)
finally:
    users("userdel", "-r")
tap.done()
