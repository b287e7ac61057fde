#!/usr/bin/env python3
"""sendmail(1), mailq and newaliases, called as the programs of a system call
them; and the drop folder while the suite does not run."""
import array
import fcntl
import os
import re
import shutil
import smtplib
import socket
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, parse, wait_for  # noqa: E402

tap = Tap()
ROOT = os.geteuid() == 0


def run(argv, text="", **how):
    return subprocess.run(argv, input=text if isinstance(text, bytes)
                          else text.encode(), capture_output=True,
                          timeout=120, **how)


def arrived(s, subject, user=None):
    """The message with SUBJECT, once it is there."""
    found = []

    def there():
        found[:] = [m for m in s.messages(user)
                    if parse(m)["Subject"] == subject]
        return found
    wait_for(there)
    return found[0] if found else b""


CALLERS = [
    ("Debian cron", ["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "@A"], ""),
    ("cronie", ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f",
                "root"], "To: @A\n"),
    ("PHP", ["-t", "-i", "-f", "x@a.test", "-f", "www@a.test"], "To: @A\n"),
    ("smartd", ["-f", "smartd@a.test", "@A"], "To: @A\n"),
    ("mailman", ["-oi", "-f", "list-bounces+u=x@a.test", "--", "@A"], ""),
    ("joined letters", ["-ti"], "To: @A\n"),
    ("Bcc alone", ["-t"], "Bcc: @A\n"),
]


def no_input(s):
    """Standard input that cannot be read, and one of very many lines."""
    for name, shell, why in (("closed", "<&-", "Bad file descriptor"),
                             ("a directory", "</", "Is a directory")):
        for option in "", "-t ":
            done = run("'%s' %s%s %s" % (s.SENDMAIL, option, s.address(),
                                         shell), shell=True)
            tap.equal((done.returncode, done.stderr.decode()),
                      (os.EX_NOINPUT, "sendmail: standard input: %s\n" % why),
                      "standard input is %s: %s" % (name, option or "said"))
    done = run(["strace", "-f", "-c", "-U", "calls,name", "-e", "trace=write",
                s.SENDMAIL, s.address()],
               "Subject: many lines\n\n" + "a\n" * 100000)
    calls = re.search(r"(\d+) +write\b", done.stderr.decode())
    tap.ok(calls and int(calls[1]) < 100, "many lines are few writes: %s"
           % (calls and calls[1]))
    tap.ok(arrived(s, "many lines").count(b"a\r\n") == 100000, "all arrive")


def callers(s):
    alice = s.address()
    for name, words, head in CALLERS:
        subject = "caller " + name
        done = run([s.SENDMAIL] + [w.replace("@A", alice) for w in words],
                   "%sSubject: %s\n\n.\n..dot\nlast\n"
                   % (head.replace("@A", alice), subject))
        tap.equal((done.returncode, done.stderr), (0, b""), name + ": exit 0")
        m = arrived(s, subject)
        tap.ok(m, name + ": arrives")
        head, _, body = m.partition(b"\r\n\r\n")
        dots = b"-i" in [w.encode()[:2] for w in words] or "-ti" in words \
            or "-oi" in words
        tap.equal(body, b".\r\n..dot\r\nlast\r\n" if dots else b"",
                  name + ": a lone dot ends the message, or not")
        tap.ok(b"\nBcc" not in head, name + ": no Bcc in it")


def headers(s):
    alice = s.address()
    run([s.SENDMAIL, "-F", "J\u00fcrg M.", "-f", "j@a.test", alice],
        "Subject: no from\nTo: root\n\nx\n")
    m = parse(arrived(s, "no from"))
    tap.equal(m["From"], "=?UTF-8?B?SsO8cmcgTS4=?= <j@a.test>",
              "a From field is made of -F and -f")
    tap.ok(m["Date"] and m["Message-ID"], "Date and Message-ID are added")
    tap.equal(m["To"], "root@mail.example.test",
              "a bare name in To gets a domain")
    tap.equal(m["Return-Path"], "<j@a.test>", "-f is the envelope's sender")
    run([s.SENDMAIL, "-f", "<>", alice], "Subject: null sender\n\nx\n")
    tap.equal(parse(arrived(s, "null sender"))["Return-Path"], "<>",
              "-f <> is the null sender")
    run([s.SENDMAIL, alice], b"Subject: crlf\r\nX: 1\r\n\r\nline\r\nbare\n")
    tap.ok(arrived(s, "crlf").endswith(b"\r\n\r\nline\r\nbare\r\n"),
           "CRLF and LF line ends become CRLF")
    run([s.SENDMAIL, alice], "no header at all\n")
    tap.ok(wait_for(lambda: any(
        m.endswith(b"\r\n\r\nno header at all\r\n") for m in s.messages())),
        "text without a header is a body")
    run([s.SENDMAIL, "-i", alice],
        b"Subject: bytes\nX-\xff: \xfe\n\n\x00\xff\x80\n")
    tap.ok(arrived(s, "bytes").endswith(b"\r\n\r\n\xff\x80\r\n"),
           "8-bit bytes stay, NUL is removed")


def statuses(s):
    alice = s.address()
    for name, argv, text, want in [
            ("no recipient", [], "x", 64),
            ("no recipient in the header", ["-t"], "Subject: x\n\nx", 64),
            ("unknown option", ["-k"], "", 64),
            ("address verification", ["-bv", alice], "", 64),
            ("address test", ["-bt"], "", 64),
            ("bad recipient", ["a b c"], "x", 65),
            ("recipient with a line end", [alice + "\nFrom: x"], "x", 64),
            ("two in lines", [alice + "\n" + alice], "x", 64),
            ("recipient with an escape", ["\33[2J " + alice], "x", 64),
            ("sender with a line end", ["-f", "a@b.test\n", alice], "x", 64),
            ("recipient that looks like a group's name",
             [alice + " From: x"], "x", 65),
            ("bad list in To", ["-t"], "To: a b c\n\nx", 65),
            ("bad sender", ["-f", "a b c", alice], "x", 64),
            ("bad configuration", ["-C", "/nonexistent", alice], "x", 78),
            ("too large", [alice], "x" * 1100000, 69),
            ("queue run with a time", ["-q30m"], "", 0)]:
        done = run([s.SENDMAIL] + argv, text)
        tap.equal(done.returncode, want, name + ": exit %d" % want)
        tap.equal(bool(done.stderr), want != 0, name + ": says so, or not")
    empty = run([s.MAILQ])
    tap.equal((empty.returncode, empty.stdout), (0, b"Mail queue is empty\n"),
              "mailq of an empty queue")
    with open("/dev/full", "w") as full:
        lost = subprocess.run([s.MAILQ], stdout=full, stderr=subprocess.PIPE)
    tap.ok(lost.returncode == 74 and b"No space left" in lost.stderr,
           "mailq that cannot print: exit 74, and says why")


def programs(s):
    alice = s.address()
    script = s.path("sendmail")
    env = dict(os.environ, HOME=s.dir, EMAIL="me@a.test")
    done = run([script, "-bs"],
               "HELO x\nMAIL FROM:<me@a.test>\nRCPT TO:<%s>\nDATA\n"
               "Subject: by -bs\n\n..dot\n.\nQUIT\n" % alice)
    tap.ok(b"\r\n250 2.0.0 Ok: queued as " in done.stdout,
           "-bs answers with the queue's reply")
    tap.ok(arrived(s, "by -bs").endswith(b"\r\n\r\n.dot\r\n"),
           "-bs with LF line ends arrives, a doubled dot is one")
    done = run([script, "-bs"], "RCPT TO:<x>\nDATA\nFOO\nMAIL FROM:<a b>\n"
               "MAIL FROM:<x@y>\nMAIL FROM:<x@y>\nRCPT TO:<>\nRSET\nDATA\n")
    tap.equal([line[:3] for line in done.stdout.decode().splitlines()],
              ["220", "503", "503", "500", "501", "250", "503", "501", "250",
               "503"], "-bs refuses what is out of order")
    if shutil.which("mutt"):
        run(["mutt", "-n", "-F", "/dev/null", "-e", "set sendmail='%s -oem "
             "-oi'; set copy=no" % script, "-e", "set dsn_notify=never",
             "-s", "by mutt", alice], "hello\n", env=env)
        tap.ok(arrived(s, "by mutt"), "mutt sends")
    if shutil.which("s-nail"):
        run(["s-nail", "-:/", "-S", "mta=" + script, "-S", "sendwait",
             "-s", "by s-nail", alice], "hello\n", env=env)
        tap.ok(arrived(s, "by s-nail"), "s-nail sends")
    git(s, script, env, alice)


def git(s, script, env, alice):
    work = s.path("work")
    env = dict(env, GIT_CONFIG_GLOBAL="/dev/null",
               GIT_AUTHOR_NAME="N", GIT_AUTHOR_EMAIL="n@a.test",
               GIT_COMMITTER_NAME="N", GIT_COMMITTER_EMAIL="n@a.test")
    run(["git", "init", "-q", work], env=env)
    run(["git", "-C", work, "commit", "-q", "--allow-empty", "-m",
         "first"], env=env)
    with open(os.path.join(work, "f"), "w") as f:
        f.write("x\n")
    run(["git", "-C", work, "add", "f"], env=env)
    run(["git", "-C", work, "commit", "-q", "-m", "second"], env=env)
    done = run(["git", "-C", work, "send-email", "--quiet",
                "--confirm=never", "--suppress-cc=all",
                "--from=n@a.test", "--to=" + alice,
                "--smtp-server=" + script, "-1"], env=env)
    if b"is not a git command" in done.stderr:
        return
    tap.equal(done.returncode, 0, "git send-email exits 0")
    tap.ok(arrived(s, "[PATCH] second"), "git send-email sends")


def once(s):
    """Who is named three times gets one message."""
    alice = s.address()
    run([s.SENDMAIL, "-t", "-i", alice.upper()],
        "To: %s\nCc: A <%s>\nSubject: once\n\nx\n" % (alice, alice))
    run([s.SENDMAIL, alice], "Subject: after once\n\nx\n")
    arrived(s, "after once")
    tap.ok(wait_for(lambda: "queue is empty" in
                    run([s.MAILQ]).stdout.decode()), "all is delivered")
    tap.equal(len([m for m in s.messages()
                   if parse(m)["Subject"] == "once"]), 1,
              "a recipient named three times gets one message")


def reports(s):
    """-v: a report comes back; -XV: senders of their own."""
    alice, bob = s.address(), s.address(s.USER2)
    run([s.SENDMAIL, "-v", "-f", bob, alice], "Subject: verbose\n\nx\n")
    tap.ok(arrived(s, "verbose"), "-v sends")
    tap.ok(wait_for(lambda: any(
        b"\nAction: delivered\r\n" in m and alice.encode() in m
        for m in s.messages(s.USER2))), "and its sender gets a report")
    done = run([s.SENDMAIL, "-XV", "-f", "list@a.test", alice, bob],
               "Subject: verp\n\nx\n")
    tap.equal((done.returncode, done.stderr), (0, b""), "-XV: exit 0")
    for user in (s.USER1, s.USER2):
        m = parse(arrived(s, "verp", user))
        tap.equal(m["Return-Path"], "<list+%s=%s@a.test>" % (user, s.DOMAIN),
                  "-XV: the sender names " + user)
    done = run([s.SENDMAIL, "-XV", "-f", "x" * 250 + "@a.test", alice, bob],
               "Subject: too long\n\nx\n")
    tap.equal(done.returncode, 65, "-XV: a sender that cannot be made: 65")
    run([s.SENDMAIL, "-XV", "-f", "<>", alice], "Subject: verp null\n\nx\n")
    tap.equal(parse(arrived(s, "verp null"))["Return-Path"], "<>",
              "-XV: the null sender stays")


def list_held(s):
    """mailq has the columns of Postfix, marks and all."""
    run([s.SENDMAIL, "-f", "<>", "u@[127.0.0.9]", "v@[127.0.0.9]"],
        "Subject: waits\n\nx\n")
    text = []

    def waits():
        text[:] = run([s.MAILQ]).stdout.decode().split("\n")
        return len(text) > 4 and text[2].strip().startswith("(")
    tap.ok(wait_for(waits), "mailq shows why a message waits")
    tap.ok(re.match(r"[0-9A-Z]{17} {6,8}\d{2,4} \w{3} \w{3} [ \d]\d "
                    r"[\d:]{8} MAILER-DAEMON$", text[1]) and
           len(text[1].split(" MAILER")[0]) == 46, "columns: " + text[1])
    tap.equal(len(text[2]), max(78, len(text[2].strip())),
              "the reason ends at the edge")
    tap.equal(text[3], " " * 47 + "u@[127.0.0.9]", "the recipient's column")
    s.posthorn("queue", "hold", text[1].split()[0])
    held = run([s.MAILQ]).stdout.decode().split("\n")[1]
    tap.equal(held[17:18] + held[18:].lstrip(), "!" + text[1][17:].lstrip(),
              "a held one has a mark")
    tap.equal(len(held), len(text[1]), "and the same columns")
    s.posthorn("queue", "delete", "ALL")


def socket_abuse(s):
    path = os.path.join(s.dir, "run", "public", "pickup")

    def ask(packet, *fds):
        c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        c.settimeout(30)
        c.connect(path)
        c.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                              array.array("i", fds))] if fds else [])
        try:
            return c.recv(65536)
        except ConnectionResetError:
            return b""
        finally:
            c.close()

    def submission(text, seal=True):
        fd = os.memfd_create("x", os.MFD_ALLOW_SEALING)
        os.write(fd, text)
        if seal:
            fcntl.fcntl(fd, 1033, 15)
        return fd
    good = b"sender x@a.test\nrcpt %s 0 %%\n\nSubject: raw\n\nx\n" \
        % s.address().encode()
    for name, packet, text, seal, want in [
            ("no descriptor", b"message\0", None, True, b"failed\0"),
            ("another verb", b"massage\0", good, True, b"failed\0"),
            ("not sealed", b"message\0", good, False, b"failed\0"),
            ("no records", b"message\0", b"Subject: x\n\nx\n", True,
             b"failed\0"),
            ("no end of records", b"message\0", b"sender x\n", True,
             b"failed\0"),
            ("empty", b"message\0", b"", True, b"failed\0"),
            ("no recipient", b"message\0", b"sender x\n\nx", True,
             b"failed\0"),
            ("a line end in an address", b"message\0",
             b"sender x%0D%0Ay@z\nrcpt a@b 0 %\n\nx", True, b"failed\0"),
            ("a whole one", b"message\0", good, True, b"queued\0")]:
        fds = [] if text is None else [submission(text, seal)]
        answer = ask(packet, *fds)
        tap.equal(answer[:7], want, "socket: %s: %s" % (name, want[:-1]))
        for fd in fds:
            os.close(fd)
    ask(b"\xff\xfe")
    tap.ok(arrived(s, "raw"), "socket: what was queued arrives")


def words(s):
    for name in ("sendmail", "mailq"):
        for option, want in (("--help", b"usage:"), ("--version", b"Posthorn")):
            done = run([s.path(name), option])
            tap.ok(done.returncode == 0 and done.stdout.startswith(want) and
                   not done.stderr, "%s %s" % (name, option))


def while_down(s):
    alice, drop = s.address(), os.path.join(s.QUEUE, "drop")
    for options in (["-V", "a\nb"], ["-V", "x" * 101], ["-C", ""],
                    ["--frobnicate"]):
        done = run([s.SENDMAIL, *options, alice], "x\n")
        tap.ok(done.returncode == 64 and options[0].encode() in done.stderr,
               "what pickup would refuse is not kept for it: %s" % options[0],
               done.stderr)
    tap.equal(os.listdir(drop), [], "nothing is in the drop folder by that")
    users = [None] + (["nobody"] if ROOT else [])
    for user in users:
        how = {"user": user, "extra_groups": []} if user else {}
        done = run([s.SENDMAIL, "-f", "me@a.test", alice],
                   "Subject: down %s\n\nx\n" % user, **how)
        tap.equal((done.returncode, done.stderr), (0, b""),
                  "while down, user %s: exit 0" % user)
    files = os.listdir(drop)
    tap.equal([f[:5] for f in files], ["mail."] * len(users),
              "the mail is in the drop folder")
    tap.equal({stat.S_IMODE(os.stat(os.path.join(drop, f)).st_mode)
               for f in files}, {0o640}, "where others cannot read it")
    done = run([s.MAILQ])
    tap.equal(done.returncode, 69, "mailq while down: exit 69")
    tap.ok(b"mail system is down" in done.stderr, "and says why")
    lines = done.stdout.decode().split("\n")
    tap.equal(lines[0], "----Queue ID----- --Size-- ---Arrival Time---- "
              "--Sender/Recipient------", "it lists the drop folder")
    tap.ok(re.match(r"[0-9a-f]{16} {8}\d\d \w{3} \w{3} [ \d]\d "
                    r"[\d:]{8} me@a.test$", lines[1]),
           "in the form of Postfix: " + lines[1])
    tap.equal(lines[3], " " * 47 + alice, "with the recipient")
    tap.equal(lines[-2], "-- 0 Kbytes in %d Request%s." %
              (len(users), "s" if len(users) > 1 else ""), "and a sum")
    done = run([s.path("newaliases")])
    tap.equal(done.returncode, 0, "newaliases does not need the suite")
    # rubbish that must not hold up the others
    with open(os.path.join(drop, "mail.0rubbish"), "wb") as f:
        f.write(os.urandom(3000))
    os.symlink("/etc/passwd", os.path.join(drop, "mail.1link"))
    os.symlink("mail.1loop", os.path.join(drop, "mail.1loop"))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.join(drop, "mail.1socket"))
    long_name = "mail." + "9" * 250
    open(os.path.join(drop, long_name), "w").close()
    os.mkfifo(os.path.join(drop, "mail.2fifo"))
    os.mkdir(os.path.join(drop, "mail.3dir"))
    open(os.path.join(drop, "mail.4empty"), "w").close()
    open(os.path.join(drop, "tmp.unfinished"), "w").close()
    os.chmod(os.path.join(drop, "mail.4empty"), 0o644)
    # names that are taken when something is put aside
    os.mkdir(os.path.join(drop, "bad.mail.5kept"))
    for name, text in (("mail.5kept", "A"), ("mail.6kept", "B"),
                       ("bad.mail.6kept", "C")):
        with open(os.path.join(drop, name), "w") as f:
            f.write(text)
    done = run([s.MAILQ])
    tap.ok(done.returncode == 69 and b"mail.1" not in done.stderr and
           b"-- 0 Kbytes in %d Request" % len(users) in done.stdout,
           "mailq passes over what is no mail", done.stderr)
    # one that is taken, and cannot be removed then
    fixed = os.path.join(drop, [f for f in files if f[:5] == "mail."][0])
    immutable = subprocess.run(["chattr", "+i", fixed],
                               stderr=subprocess.DEVNULL).returncode == 0
    s.start()
    for user in users:
        tap.ok(arrived(s, "down %s" % user),
               "when it runs again, the mail of user %s arrives" % user)
    if immutable:
        with open(os.path.join(drop, "mail.7rubbish"), "w") as f:
            f.write("one look more at the folder")
        tap.ok(s.wait_log("is queued and cannot be removed", 20, 2),
               "a file that stays is told of at each look")
        subprocess.run(["chattr", "-i", fixed])
        with open(os.path.join(drop, "tmp.8"), "w") as f:
            f.write("another one")
        os.rename(f.name, os.path.join(drop, "mail.8rubbish"))
    tap.ok(wait_for(lambda: not [f for f in os.listdir(drop)
                                 if f.startswith("mail.")]),
           "all mail is taken from the drop folder")
    aside = [f for f in os.listdir(drop) if f.startswith("bad.")]
    tap.equal(len(aside), 12 + 2 * immutable, "what is no mail is put aside")
    tap.ok(wait_for(lambda: s.read_log().count("it is now called bad.") ==
                    10 + 2 * immutable),
           "and logged")
    for line in ("mail.1link: is a symbolic link", "mail.1loop: is a symbolic",
                 "mail.1socket: is a socket", "mail.2fifo: is no regular file",
                 "mail.3dir: is no regular file", long_name + ": "):
        tap.ok("drop folder: " + line in s.read_log(), "the log: " +
               line[:40])
    texts = sorted(open(os.path.join(drop, f)).read() for f in aside
                   if "kept" in f and os.path.isfile(os.path.join(drop, f)))
    tap.equal(texts, ["A", "B", "C"], "and nothing there is lost by that")
    tap.equal(len([m for m in s.messages()
                   if parse(m)["Subject"] == "down None"]), 1,
              "nothing arrives twice")


def no_space(s):
    """A full disk is 75, whoever notices it, and leaves nothing behind."""
    drop = os.path.join(s.QUEUE, "drop")
    if ROOT and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode="
                                "3733", "none", drop]).returncode == 0:
        try:
            done = run([s.SENDMAIL, s.address()], "x\n" * 100000)
            tap.equal(done.returncode, 75, "drop folder full: exit 75")
            tap.ok(b"No space left" in done.stderr, "and says so")
            tap.equal(os.listdir(drop), [], "nothing is left in it")
        finally:
            subprocess.run(["umount", drop])
    with open(s.CONF) as f:
        text = f.read()
    with open(s.CONF, "w") as f:
        f.write(text.replace("queue_minfree = 1M",
                             "queue_minfree = 1000000G"))
    s.start()
    # space that was set aside before is used first
    said = []

    def is_full():
        done = run([s.SENDMAIL, s.address()], "Subject: x\n\nx\n")
        said[:] = [done.stderr]
        return done.returncode == 75
    tap.ok(wait_for(is_full, pause=0.3), "queue full: exit 75")
    tap.ok(b"452 4.3.1" in said[0], "and says so")
    tap.equal([f for f in os.listdir(drop) if f.startswith("mail.")], [],
              "it is not left in the drop folder either")


with Instance("message_size_limit=1000000") as s:
    os.chmod(s.dir, 0o755)
    no_input(s)
    callers(s)
    headers(s)
    statuses(s)
    programs(s)
    once(s)
    reports(s)
    list_held(s)
    socket_abuse(s)
    words(s)
    s.stop()
    while_down(s)
    s.stop()
    no_space(s)
tap.done()
