"""Postfix with Dovecot under the same cuts: PEER=postfix-dovecot.

Both as they are packaged, but for what makes a small instance of its own:
queue and mailboxes on the device, mail from Postfix by LMTP to Dovecot.
"""
import os
import shutil
import subprocess

from mailservers import free_ports, wait_port, write_dovecot, write_postfix
from peers import DOMAIN, UID, Peer, password_file

SETTINGS = """virtual_mailbox_maps = texthash:{folder}/boxes
virtual_transport = lmtp:unix:{run}/lmtp
lmtp_destination_recipient_limit = 1
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
"""
SERVICES = "lmtp unix - - n - - lmtp\n"
DOVECOT_SETTINGS = """mail_max_userip_connections = 1000
ssl = no
"""


class PostfixDovecot(Peer):
    name = "postfix-dovecot"

    def __init__(self, *args):
        super().__init__(*args)
        self.port, self.imap_port, self.pop_port = free_ports(3)
        self.conf, self.run = self.path("conf"), self.path("run")
        os.mkdir(self.conf)
        self.write()
        self.sendmail = ["sendmail", "-C", self.conf]

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self):
        words = {"folder": self.folder, "run": self.run, "domain": DOMAIN}
        write_postfix(self.conf, SETTINGS, SERVICES,
                      queue=os.path.join(self.disk, "queue"),
                      data=os.path.join(self.disk, "data"), port=self.port,
                      pickup=1, qmgr=1, **words)
        write_dovecot(self.path("dovecot.conf"), DOVECOT_SETTINGS, imaps=0,
                      imap=self.imap_port, pop3=self.pop_port, **words)
        boxes = "".join("%s x\n" % self.address(u) for u in self.users)
        for name, text in (("users", password_file(self.users, self.mail)),
                           ("boxes", boxes)):
            with open(self.path(name), "w") as f:
                f.write(text)

    def prepare(self):
        super().prepare()
        for name in ("queue", "data"):
            os.mkdir(os.path.join(self.disk, name))
        shutil.chown(os.path.join(self.disk, "data"), "postfix")
        for user in self.users:
            for name in ("", "Maildir", "Maildir/new", "Maildir/cur",
                         "Maildir/tmp"):
                path = os.path.join(self.mail, user, name)
                os.mkdir(path)
                os.chown(path, UID, UID)

    def unlock(self):
        """A lock file that the cut left is waited for, two minutes each: that
        is time, and no mail."""
        for top, _, files in os.walk(self.mail):
            for name in files:
                if name.endswith(".lock"):
                    os.unlink(os.path.join(top, name))

    def start(self):
        self.unlock()
        shutil.rmtree(self.run, ignore_errors=True)
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                 "stderr": subprocess.DEVNULL}
        subprocess.Popen(["dovecot", "-F", "-c", self.path("dovecot.conf")],
                         **quiet)
        subprocess.Popen(["postfix", "-c", self.conf, "start-fg"], **quiet)
        for port in (self.port, self.imap_port, self.pop_port):
            wait_port(port)

    def queue_is_empty(self):
        done = subprocess.run(["postqueue", "-c", self.conf, "-p"], text=True,
                              capture_output=True)
        return done.returncode == 0 and "is empty" in done.stdout

    def alarms(self):
        corrupt = os.path.join(self.disk, "queue", "corrupt")
        return os.listdir(corrupt) if os.path.isdir(corrupt) else []

    def log(self):
        return self.path("maillog")

    def end(self):
        """All is in the folder, which its owner removes."""
