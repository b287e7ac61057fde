"""A server that is tried, with all its state on the device."""
import ctypes
import imaplib
import os
import poplib
import shutil
import signal
import smtplib
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..",
                                                              "bench")]
from instance import Instance  # noqa: E402
from mailservers import PASSWORD, password_line  # noqa: E402

DOMAIN = "example.test"
UID = 64199
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """A server's processes stay below us when they become daemons."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def below_us():
    """Processes that run and descend from this one."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name) as f:
                state, parent = f.read().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if state != "Z":
            parents[int(name)] = int(parent)
    ours, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in ours}
        grown = not more <= ours
        ours |= more
    return ours - {os.getpid()}


def kill_all():
    until = time.monotonic() + 30
    while time.monotonic() < until:
        pids = below_us()
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    raise RuntimeError("processes do not end: %s" % sorted(below_us()))


def reap():
    """After kill_all, when nobody waits for a child any more."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def password_file(users, mail):
    return "".join(password_line("%s@%s" % (user, DOMAIN), UID,
                                 os.path.join(mail, user)) for user in users)


class Peer:
    def __init__(self, users, device, folder):
        self.users, self.device = users, device
        self.folder, self.disk = folder, device.point
        self.mail = os.path.join(self.disk, "mail")

    def address(self, user):
        return "%s@%s" % (user, DOMAIN)

    def prepare(self):
        """The device is new."""
        os.mkdir(self.mail)
        os.chown(self.mail, UID, UID)

    def smtp(self):
        return smtplib.SMTP("127.0.0.1", self.port, timeout=60,
                            local_hostname="client.test")

    def imap(self, user):
        m = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=60)
        m.login(self.address(user), PASSWORD)
        return m

    def pop3(self, user):
        p = poplib.POP3("127.0.0.1", self.pop_port, timeout=60)
        p.user(self.address(user))
        p.pass_(PASSWORD)
        return p

    def maildirs(self):
        """The folders new and cur of all mailboxes."""
        for top, folders, files in os.walk(self.mail):
            if os.path.basename(top) in ("new", "cur"):
                yield top, files
                folders.clear()

    def unfinished(self):
        """Message files that another program would see and that hold
        nothing."""
        found = []
        for top, files in self.maildirs():
            for name in files:
                with open(os.path.join(top, name), "rb") as f:
                    if not f.read(4096).strip(b"\0"):
                        found.append(os.path.join(top, name))
        return found


class Posthorn(Peer):
    name = "posthorn"

    def __init__(self, *args):
        super().__init__(*args)
        self.s = Instance(
            "queue_directory=%s/spool" % self.disk,
            "data_directory=%s/state" % self.disk,
            "virtual_mailbox_base=" + self.mail,
            "disable_plaintext_auth=no", "authcheck_incoming=no",
            "smtpd_process_limit=100", "minimal_backoff_time=1s",
            "maximal_backoff_time=2s",
            users=password_file(self.users, self.mail))
        os.chmod(self.s.path("users"), 0o644)
        self.sendmail = [self.s.path("sendmail")]

    def start(self):
        self.s.start()
        self.port, self.imap_port = self.s.SMTP_PORT, self.s.IMAP_PORT
        self.pop_port = self.s.POP3_PORT

    def queue_is_empty(self):
        done = subprocess.run([self.s.path("mailq")], text=True,
                              capture_output=True)
        return done.returncode == 0 and "is empty" in done.stdout

    def alarms(self):
        """What was put aside as damaged."""
        corrupt = os.path.join(self.disk, "spool", "corrupt")
        found = [os.path.join(corrupt, name) for name in os.listdir(corrupt)
                 ] if os.path.isdir(corrupt) else []
        for top, folders, files in os.walk(self.mail):
            found += [os.path.join(top, name) for name in files
                      if ".damaged-" in name]
        return found

    def log(self):
        return self.s.path("log")

    def end(self):
        shutil.rmtree(self.s.dir, ignore_errors=True)
