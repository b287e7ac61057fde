#!/usr/bin/env python3
"""Roundcube, in a browser, on our IMAP and submission: what a user of a webmail
does. PICTURES=DIR keeps screenshots."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
from alone import Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402
from letters import letter  # noqa: E402
from mailservers import free_ports, wait_port  # noqa: E402
from webdriver import Browser, Failed  # noqa: E402

PROGRAM = "/var/lib/roundcube/public_html"
CONFIG = """<?php
$config['db_dsnw'] = 'sqlite:///{home}/db?mode=0600';
$config['imap_host'] = 'ssl://localhost:{imaps}';
$config['smtp_host'] = 'tls://localhost:{submission}';
$ssl = ['ssl' => ['cafile' => '{ca}', 'verify_peer' => true]];
$config['imap_conn_options'] = $config['smtp_conn_options'] = $ssl;
$config['username_domain'] = 'example.test';
$config['des_key'] = 'rcmail-of-24-characters!';
$config['temp_dir'] = $config['log_dir'] = '{home}';
$config['log_driver'] = 'file';
$config['imap_debug'] = true;
$config['imap_log_session'] = false;
$config['smtp_log'] = false;
$config['plugins'] = [];
$config['quota_zero_as_unlimited'] = true;
$config['imap_cache'] = 'db';
$config['messages_cache'] = true;
$config['skin'] = 'elastic';
$config['enable_installer'] = false;
$config['session_lifetime'] = 60;
$config['preview_delay'] = 0;
$config['draft_autosave'] = 0;
"""
tap = Tap()


def fill(s):
    with s.imap() as m:
        for name in ("Drafts", "Sent", "Trash", "Junk", "Archive", "Work"):
            m.create(name)
            m.subscribe(name)
        for i in range(1, 6):
            m.append("INBOX", None, None, letter(i, "letter %d" % i))
        m.append("INBOX", None, None, letter(
            6, "Re: letter 1", References="<m1@elsewhere.test>",
            In_Reply_To="<m1@elsewhere.test>"))


class Roundcube:
    """PHP's own server with Roundcube for the instance S."""

    def __init__(self, s, home):
        self.s, self.home = s, home

    def __enter__(self):
        port = free_ports(1)[0]
        self.url = "http://127.0.0.1:%d/" % port
        shutil.copy("/etc/roundcube/defaults.inc.php", self.home)
        shutil.copy("/etc/roundcube/mimetypes.php", self.home)
        with open(os.path.join(self.home, "config.inc.php"), "w") as f:
            f.write(CONFIG.format(
                home=self.home, imaps=self.s.IMAPS_PORT, ca=self.s.CA_FILE,
                submission=self.s.SUBMISSION_PORT))
        self.server = subprocess.Popen(
            ["php", "-S", "127.0.0.1:%d" % port, "-t", PROGRAM],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, ROUNDCUBE_CONFIG_DIR=self.home,
                     PHP_CLI_SERVER_WORKERS="3"))
        wait_port(port)
        return self

    def __exit__(self, *what):
        self.server.terminate()
        self.server.wait()

    def log(self, name):
        path = os.path.join(self.home, name)
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return f.read()


def rows(b, count=None):
    """Subjects in the list, when there are COUNT of them."""
    script = ("const r = [...document.querySelectorAll('#messagelist tbody "
              "td.subject .subject a')].filter(a => a.offsetParent)"
              ".map(a => a.innerText.trim());")
    if count is not None:
        b.wait(script + "return r.length == %d" % count)
    return b.run(script + "return r")


def ready(b):
    """Until nothing is being loaded."""
    return b.wait("return window.rcmail && !rcmail.busy && "
                  "document.readyState == 'complete'")


def log_in(b, r, s):
    b.go(r.url)
    b.find("#rcmloginuser").type(s.USER1)
    b.find("#rcmloginpwd").type(s.PASS1)
    b.find("#rcmloginsubmit").click()
    b.find("#messagelist tbody tr")
    ready(b)
    b.picture("rc-list")
    tap.equal(sorted(rows(b)), sorted(
        ["letter %d" % i for i in range(1, 6)] + ["Re: letter 1"]),
        "the list of messages")
    folders = b.run("return [...document.querySelectorAll('#mailboxlist "
                    "li.mailbox > a')].map(a => a.innerText.trim()"
                    ".split('\\n')[0])")
    tap.equal(folders, ["Inbox", "Drafts", "Sent", "Junk", "Trash", "Archive",
                        "Work"], "the folders, special ones first")
    shown = b.wait("const q = document.querySelector('#quotadisplay');"
                   "return q && q.innerText.trim()")
    tap.equal(shown, "0%", "the quota")


def read(b, s):
    b.find("#messagelist tbody tr:nth-last-child(1) td.subject").click()
    b.frame("#messagecontframe")
    text = b.find("#messagebody").text()
    tap.ok("the body of" in text, "a message is read", text)
    b.frame()
    b.picture("rc-read")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select() and len(m.search(
            None, "SEEN")[1][0].split()) == 1, 20), "and then it is seen")


def flag(b, s):
    b.run("rcmail.command('mark', 'flagged')")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select() and m.search(
            None, "FLAGGED")[1][0], 20), "flagged")


def search(b):
    b.run("document.querySelector('#quicksearchbox, #mailsearchform').value ="
          "'letter 3'; rcmail.command('search')")
    tap.equal(rows(b, 1), ["letter 3"], "search")
    b.run("rcmail.command('reset-search')")
    tap.equal(len(rows(b, 6)), 6, "and back")


def threads(b):
    b.run("rcmail.set_list_options(null, 'subject', 'ASC', 1)")
    tap.equal(rows(b, 5), ["letter %d" % i for i in range(1, 6)],
              "a reply is in its thread")
    b.picture("rc-threads")
    b.run("rcmail.set_list_options(null, 'date', 'DESC', 0)")
    tap.equal(rows(b, 6)[0], "Re: letter 1", "sorted by date")


def compose(b, r, s, home):
    path = os.path.join(home, "attached file.txt")
    with open(path, "w") as f:
        f.write("what is attached\n" * 100)
    b.go(r.url + "?_task=mail&_action=compose")
    b.find("#compose_to .recipient-input input, #_to").type(s.address(s.USER2))
    b.find("#compose-subject").type("aus Köln")
    b.find("#composebody").type("Grüße\nund ein Anhang\n")
    b.find("a.save.draft").click()
    ready(b)
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select("Drafts")[1] == [b"1"], 20),
               "a draft is saved")
    b.find("input[type=file]", hidden=True).type(path)
    tap.ok(b.wait("return document.querySelector('#attachment-list li "
                  ".attachment-name') && !document.querySelector("
                  "'#attachment-list li.uploading')"), "attached")
    b.picture("rc-compose")
    b.find("button.send").click()
    got = s.wait_messages(1, s.USER2)
    tap.ok(len(got) == 1 and b"attached file.txt" in got[0] and
           b"filename" in got[0], "sent, with its attachment")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select("Sent")[1] == [b"1"], 20),
               "a copy is in Sent")
        tap.ok(wait_for(lambda: m.select("Drafts")[1] == [b"0"], 20),
               "the draft is gone")


def folders(b, r, s):
    b.go(r.url + "?_task=settings&_action=edit-folder&_mbox=")
    b.find("input[name=_name]").type("Grün & Blau")
    b.find("button.submit").click()

    def names():
        with s.imap() as m:
            return [line.decode().split('"/" ')[1].strip('"')
                    for line in m.list()[1]]
    tap.ok(wait_for(lambda: "Gr&APw-n &- Blau" in names(), 20),
           "a folder is made", names())
    b.go(r.url + "?_task=settings&_action=edit-folder&_mbox=Work")
    b.run("document.querySelector('input[name=_name]').value = 'Play'")
    b.find("button.submit").click()
    tap.ok(wait_for(lambda: "Play" in names() and "Work" not in names(), 20),
           "and renamed", names())
    b.go(r.url + "?_task=settings&_action=folders")
    ready(b)
    b.picture("rc-folders")


def move(b, r, s):
    b.go(r.url + "?_task=mail&_mbox=INBOX")
    b.find("#messagelist tbody tr td.subject").click()
    ready(b)
    b.run("rcmail.command('move', 'Play')")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select("Play")[1] == [b"1"], 20), "moved")
    b.run("rcmail.message_list.select_all(); rcmail.command('delete')")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select("Trash")[1] == [b"5"], 20),
               "deleted: into Trash")
    b.go(r.url + "?_task=mail&_mbox=Trash")
    ready(b)
    b.run("rcmail.message_list.select_all(); rcmail.command('delete')")
    with s.imap() as m:
        tap.ok(wait_for(lambda: m.select("Trash")[1] == [b"0"], 20),
               "and from there for good")


def new_mail(b, r, s):
    b.go(r.url + "?_task=mail&_mbox=INBOX")
    ready(b)
    with s.submission(s.USER2, s.PASS2) as m:
        m.sendmail(s.address(s.USER2), [s.address()], letter(
            7, "brand new").replace(b"Friend 7 <friend7@elsewhere.test>",
                                    b"<bob@example.test>"))
    s.wait_messages(1)
    b.run("rcmail.command('checkmail')")
    tap.equal(rows(b, 1), ["brand new"], "new mail is shown")


def steps(s, home):
    fill(s)
    with Roundcube(s, home) as r, Browser(home) as b:
        try:
            log_in(b, r, s)
            read(b, s)
            flag(b, s)
            search(b)
            threads(b)
            compose(b, r, s, home)
            folders(b, r, s)
            move(b, r, s)
            new_mail(b, r, s)
        except Failed as e:
            b.picture("rc-failed")
            tap.ok(False, "all steps are done", repr(e))
        said = r.log("imap.log")
        tap.equal([line for line in said.splitlines()
                   if " BAD " in line], [], "no answer of ours is BAD")
        tap.ok(said.count(" OK ") > 100, "of many", said[-300:])
        tap.equal(r.log("errors.log"), "", "Roundcube logs no error")
        if os.environ.get("PICTURES"):
            with open(os.environ["PICTURES"] + "/rc-imap.log", "w") as f:
                f.write(said)


with Instance("mailbox_quota=10M") as s:
    home = s.path("home")
    os.mkdir(home)
    steps(s, home)
tap.done()
