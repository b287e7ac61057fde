#!/usr/bin/env python3
"""Mail clients of others with our IMAP: mbsync and mutt, and, if npm has
installed it where node finds it (NODE_PATH), imapflow."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance  # noqa: E402

COUNT = 2000
tap = Tap()


def letter(i):
    return ("From: <friend%d@elsewhere.test>\r\nTo: <alice@example.test>\r\n"
            "Subject: letter %d\r\nMessage-ID: <%d@client.test>\r\n"
            "Date: Tue, 24 Nov 2026 02:00:00 +0000\r\n\r\nbody %d\r\n%s" % (
                i % 7, i, i, i, "line\r\n" * (i % 50))).encode()


def skip(program, name):
    tap.ok(True, "%s # SKIP %s is not installed" % (name, program))


def mbsync(s, home):
    with open(os.path.join(home, "mbsyncrc"), "w") as f:
        f.write("""IMAPAccount us
Host localhost
Port %d
User %s
Pass %s
SSLType IMAPS
CertificateFile %s
Timeout 240

IMAPStore far
Account us

MaildirStore near
Path %s/near/
Inbox %s/near/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""" % (s.IMAPS_PORT, s.USER1, s.PASS1, s.CA_FILE, home, home))
    return subprocess.run(
        ["mbsync", "-c", os.path.join(home, "mbsyncrc"), "-V", "-a"],
        capture_output=True, text=True, timeout=300,
        env=dict(os.environ, HOME=home))


def compressions(s):
    return s.read_log().count("imap: compression: user=")


def near(home, folder="INBOX"):
    return sum(len(os.listdir(os.path.join(home, "near", folder, d)))
               for d in ("new", "cur"))


def test_mbsync(s, home):
    if not shutil.which("mbsync"):
        skip("mbsync", "mbsync copies a mailbox")
        return
    os.mkdir(os.path.join(home, "near"))
    done = mbsync(s, home)
    tap.ok(done.returncode == 0 and "rror" not in done.stderr,
           "mbsync copies without a complaint")
    if done.returncode or "rror" in done.stderr:
        print("#", done.stderr[-2000:])
    tap.ok(compressions(s) > 0, "compressed")
    tap.equal(near(home), COUNT, "all messages")
    tap.equal(near(home, "Work"), 1, "of all folders")
    before = s.pid_of("imapd")
    done = mbsync(s, home)
    tap.ok(done.returncode == 0 and before, "the second time")
    pulled = [w for w in (done.stdout + done.stderr).splitlines()
              if "Pulling" in w or "Pushing" in w or "opying" in w]
    tap.equal((pulled, near(home)), ([], COUNT), "there is nothing to do")

    # changes on both sides
    cur = os.path.join(home, "near", "INBOX", "cur")
    new = os.path.join(home, "near", "INBOX", "new")
    name = sorted(os.listdir(cur))[0] if os.listdir(cur) else None
    if name is None:
        name = sorted(os.listdir(new))[0]
        os.rename(os.path.join(new, name), os.path.join(cur, name + ":2,F"))
    else:
        base = name.rpartition(":2,")[0]
        os.rename(os.path.join(cur, name), os.path.join(cur, base + ":2,F"))
    with open(os.path.join(new, "1800000000.1.near"), "wb") as f:
        f.write(letter(9999).replace(b"\r\n", b"\n"))
    with s.imap() as m:
        m.select()
        m.store("5", "+FLAGS", "(\\Deleted)")
        m.expunge()
    done = mbsync(s, home)
    tap.equal(done.returncode, 0, "changes on both sides")
    with s.imap() as m:
        tap.equal(m.select()[1], [b"%d" % COUNT],
                  "one is gone and one is new")
        tap.equal(len(m.search(None, "FLAGGED")[1][0].split()), 1,
                  "a flag has come over")
    tap.equal(near(home), COUNT, "on both sides")


def on_terminal(command, env, seconds=60):
    """Runs COMMAND on a terminal of its own: its status, and what it said."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, env)
    said, until = b"", time.monotonic() + seconds
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        said += data
        if not data:
            break
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    os.close(terminal)
    return status, said


def test_mutt(s, home, deflate="no"):
    if not shutil.which("mutt"):
        skip("mutt", "mutt opens a mailbox")
        return
    compressed = compressions(s)
    with s.imap() as m:
        before = int(m.select()[1][0])
    with s.imap() as m:
        m.select()
        m.store("1:*", "-FLAGS.SILENT", "(\\Flagged)")
    rc = os.path.join(home, "muttrc")
    with open(rc, "w") as f:
        f.write("""set imap_user=%s
set imap_pass=%s
set ssl_ca_certificates_file=%s
set certificate_file=%s
set ssl_verify_host=no
set folder=%s
set header_cache=""
set imap_deflate=%s
set quit=yes
set delete=yes
set timeout=1
""" % (s.USER1, s.PASS1, s.CA_FILE, s.CA_FILE, home, deflate))
    # flag the first message, delete the second, write back, end
    keys = ("<first-entry><flag-message><next-entry><delete-message>"
            "<sync-mailbox><quit>")
    status, screen = on_terminal(
        ["mutt", "-F", rc, "-f", "imaps://localhost:%d/INBOX" % s.IMAPS_PORT,
         "-e", "push '%s'" % keys], dict(os.environ, TERM="vt100", HOME=home))
    if not tap.equal(status, 0, "mutt opens the mailbox, and ends"):
        print("# screen: %r" % screen[-1500:])
    tap.equal(compressions(s) > compressed, deflate == "yes",
              "compression: " + deflate)
    with s.imap() as m:
        count = int(m.select()[1][0])
        tap.equal(count, before - 1, "what it deleted is gone")
        tap.ok(len(m.search(None, "FLAGGED")[1][0].split()) >= 1,
               "and what it flagged is flagged")


def mutt_with_cache(s, home, keys):
    """Runs mutt with a header cache and QRESYNC on the folder Work, with KEYS:
    what it said to the server and heard, and how it ended."""
    rc = os.path.join(home, "muttrc")
    log = os.path.join(home, ".muttdebug0")
    with open(rc, "a") as f:
        f.write("""set header_cache=%s/cache
set imap_qresync=yes
set confirmcreate=no
set confirmappend=no
set mbox_type=mbox
set move=no
""" % home)
    os.makedirs(os.path.join(home, "cache"), exist_ok=True)
    if os.path.exists(log):
        os.unlink(log)
    status, screen = on_terminal(
        ["mutt", "-F", rc, "-d", "3", "-f",
         "imaps://localhost:%d/Work" % s.IMAPS_PORT, "-e",
         "push '%s'" % keys], dict(os.environ, TERM="vt100", HOME=home))
    if not tap.equal(status, 0, "mutt with QRESYNC: ends well"):
        print("# screen: %r" % screen[-1500:])
    with open(log, errors="replace") as f:
        return f.read()


def test_mutt_again(s, home):
    """What mutt kept, and what it is told of the rest, is the folder."""
    if not shutil.which("mutt"):
        skip("mutt", "mutt comes back")
        return
    out = os.path.join(home, "out")
    copy = ("<tag-pattern>~A<enter><tag-prefix><copy-message>%s<enter>" % out)
    with s.imap() as m:
        for i in range(2, 31):
            m.append("Work", None, None, letter(i))
    mutt_with_cache(s, home, "<quit>")
    with s.imap() as m:
        m.select("Work")
        m.store("3:5,9", "+FLAGS.SILENT", "(\\Deleted)")
        m.expunge()
        m.store("2", "+FLAGS.SILENT", "(\\Flagged)")
        m.append("Work", None, None, letter(31))
    said = mutt_with_cache(s, home, copy + "<exit>")
    tap.ok("* VANISHED (EARLIER) 3:5,9" in said, "is told what vanished")
    with open(out) as f:
        got = f.read()
    want = [1, 2, 6, 7, 8] + list(range(10, 32))
    found = [int(n) for n in re.findall(r"^Subject: letter (\d+)", got, re.M)]
    tap.equal(sorted(found), want, "and shows what is there")
    flagged = [part.split("Subject: letter ")[1].split()[0]
               for part in got.split("\nFrom ") if "\nX-Status: F" in part]
    tap.equal(flagged, ["2"], "with its flags")
    os.unlink(out)

    # it removes some itself, and comes back again
    said = mutt_with_cache(
        s, home, "<delete-pattern>letter 1<enter><sync-mailbox><quit>")
    tap.ok("* VANISHED " in said.replace("(EARLIER)", ""),
           "what it removes vanishes")
    mutt_with_cache(s, home, copy + "<exit>")
    with open(out) as f:
        found = [int(n) for n in re.findall(
            r"^Subject: letter (\d+)", f.read(), re.M)]
    want = [n for n in want if not str(n).startswith("1")]
    tap.equal(sorted(found), want, "and it shows the others")


SEEN_BY_IMAPFLOW = {
    "enabled": ["CONDSTORE", "IMAP4REV2", "UTF8=ACCEPT"], "created": True,
    "appended": 1, "exists": 1, "found": [1], "all": [1], "subject": "Grüße",
    "type": "text/plain", "source": True, "flagged": True, "forwarded": [1],
    "copied": 1, "moved": 1, "left": [],
    "listed": ["Entwürfe", "Entwürfe/Grün & Blau", "INBOX", "Work"],
    "renamed": "Ä", "deleted": "Ä"}


def test_imapflow(s):
    """A client that speaks IMAP4rev2."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "imapflow.js")
    if subprocess.run(["sh", "-c", "node -e 'require(\"imapflow\")'"],
                      capture_output=True).returncode:
        skip("imapflow", "imapflow speaks IMAP4rev2")
        return
    done = subprocess.run(["node", script, str(s.IMAPS_PORT), s.USER1,
                           s.PASS1], capture_output=True, text=True,
                          timeout=300)
    saw = json.loads(done.stdout or "{}")
    status = saw.pop("status", {})
    tap.ok(re.match("t[0-9a-f]{32}$", saw.pop("thread", "")) and
           saw.pop("inThread", 0) == [1], "and threads (OBJECTID)")
    tap.equal(saw, SEEN_BY_IMAPFLOW, "imapflow speaks IMAP4rev2")
    tap.equal((status.get("deleted"), status.get("messages", 0) > 0),
              (0, True), "with its STATUS")
    print("#", done.stderr[-2000:]) if done.returncode else None


with Instance("debug_log=yes") as s:
    home = s.path("home")
    os.mkdir(home)
    with s.imap() as m:
        m.create("Work")
        m.append("Work", None, None, letter(1))
        for i in range(COUNT):
            m.append("INBOX", None, None, letter(i))
    test_mbsync(s, home)
    test_mutt(s, home)
    test_mutt_again(s, home)
    test_mutt(s, home, "yes")
    test_imapflow(s)
tap.done()
