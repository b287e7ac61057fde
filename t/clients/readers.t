#!/usr/bin/env python3
"""Mail programs for terminals, on our IMAP: aerc, and neomutt's browser of
folders. tmux is the terminal."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
from alone import Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402
from wire import Wire  # noqa: E402

tap = Tap()


class Terminal:
    """COMMAND on a terminal of its own."""

    def __init__(self, command, home):
        self.command, self.home = command, home

    def tmux(self, *words):
        return subprocess.run(
            ["tmux", "-S", self.home + "/tmux", "-f", "/dev/null", *words],
            capture_output=True, text=True, timeout=30, env=dict(
                os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home,
                LANG="C.UTF-8", TERM="screen")).stdout

    def __enter__(self):
        self.tmux("new-session", "-d", "-x", "120", "-y", "30", self.command)
        return self

    def __exit__(self, *what):
        self.tmux("kill-server")

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def shows(self, pattern, name):
        return tap.ok(wait_for(lambda: re.search(pattern, self.screen()), 30,
                               0.2), name, self.screen())


def letter(i, to="alice"):
    return ("From: Friend %d <friend%d@elsewhere.test>\r\n"
            "To: <%s@example.test>\r\nSubject: letter %d\r\n"
            "Message-ID: <%d@client.test>\r\n"
            "Date: Tue, 24 Nov 2026 02:0%d:00 +0000\r\n\r\nbody %d\r\n" % (
                i, i, to, i, i, i, i)).encode()


def fill(s):
    with s.imap() as m:
        for name in ("Work", "Work/Sub", "Archive"):
            m.create(name)
            m.subscribe(name)
        for i in range(1, 6):
            m.append("INBOX", None, None, letter(i))


def count(s, folder, criterion="ALL"):
    with s.imap() as m:
        m.select(folder, readonly=True)
        return len(m.search(None, criterion)[1][0].split())


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o600)


def aerc(s, home):
    fill(s)
    with Wire(s.IMAP_PORT) as w:
        write(home + "/aerc/accounts.conf", """[home]
source = imap+insecure://%s:%s@127.0.0.1:%d
default = INBOX
from = Alice <alice@example.test>
cache-headers = true
""" % (s.USER1, s.PASS1, w.port))
        with Terminal("aerc", home) as t:
            t.shows(r"letter 5(.|\n)*letter 1", "aerc lists messages")
            t.shows(r"Work", "and folders")
            t.type("Enter")
            t.shows(r"body 5", "aerc shows a message")
            tap.ok(wait_for(lambda: count(s, "INBOX", "SEEN") == 1, 20),
                   "which is seen then")
            t.type(":close", "Enter")
            t.shows(r"letter 4", "back to the list")
            t.type(":mv Work", "Enter")
            tap.ok(wait_for(lambda: count(s, "Work") == 1, 20),
                   "aerc moves a message")
            t.type(":search -b 'body 2'", "Enter")
            t.type(":flag", "Enter")
            tap.ok(wait_for(lambda: count(s, "INBOX", "FLAGGED") == 1, 20),
                   "and flags one")
            with s.imap() as m:
                m.append("INBOX", None, None, letter(8))
            t.shows(r"letter 8", "new mail is shown by itself")
            t.type(":mkdir New/Below", "Enter")
            tap.ok(wait_for(lambda: count_folders(s, "New/Below"), 20),
                   "a folder is made")
            t.type(":quit", "Enter")
        tap.ok(b"IDLE" in w.commands(), "with IDLE")
        tap.equal(w.refused(), [], "nothing that aerc said was refused")


def count_folders(s, name):
    with s.imap() as m:
        return m.list('""', '"%s"' % name)[1] != [None]


def neomutt(s, home):
    fill(s)
    with Wire(s.IMAP_PORT) as w:
        write(home + "/rc", """set imap_user=%s
set imap_pass=%s
set folder=imap://127.0.0.1:%d/
set spoolfile=+INBOX
set ssl_starttls=no ssl_force_tls=no
set imap_condstore=yes imap_qresync=yes imap_check_subscribed=yes
set header_cache=%s/cache
set sidebar_visible=yes
set imap_idle=yes timeout=1 quit=yes confirmappend=no delete=yes
""" % (s.USER1, s.PASS1, w.port, home))
        os.mkdir(home + "/cache")
        with Terminal("neomutt -F %s/rc" % home, home) as t:
            t.shows(r"letter 1(.|\n)*letter 5", "neomutt lists messages")
            t.shows(r"Work", "and subscribed folders")
            t.type("c", "?")
            t.shows(r"1 .*INBOX|IMAP|Mailboxes", "its browser")
            t.type("Tab")
            t.shows(r"IMAP .*INBOX(.|\n)*IMAP .*Archive(.|\n)*IMAP .*Work",
                    "shows the folders")
            t.type("q", "=", "F")
            tap.ok(wait_for(lambda: (t.type("$"), count(
                s, "INBOX", "FLAGGED"))[1] == 1, 20, 1), "neomutt flags one")
            with s.imap() as m:
                m.append("INBOX", None, None, letter(8))
            t.shows(r"letter 8", "new mail is shown by itself")
            t.type("q")
            wait_for(lambda: "letter" not in t.screen(), 20)
        with s.imap() as m:
            m.select()
            m.store("2", "+FLAGS", "(\\Deleted)")
            m.expunge()
        with Terminal("neomutt -F %s/rc" % home, home) as t:
            t.shows(r"letter 1(.|\n)*letter 3(.|\n)*letter 8",
                    "neomutt comes back, with what it kept")
            tap.ok("letter 2" not in t.screen(), "without what is gone",
                   t.screen())
            t.type("q")
            wait_for(lambda: "letter" not in t.screen(), 20)
        tap.ok(b" VANISHED)" in w.commands(), "with QRESYNC")
        tap.ok(b"IDLE" in w.commands(), "and IDLE")
        tap.equal(w.refused(), [], "nothing that neomutt said was refused")


for test in (aerc, neomutt):
    with Instance("disable_plaintext_auth=no") as s:
        home = s.path("home")
        os.mkdir(home)
        test(s, home)
tap.done()
