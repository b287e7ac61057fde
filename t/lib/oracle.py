"""Dovecot's imap on a copy of our Maildir, for what it says of the same.

    with Sessions() as all, Oracle(all) as oracle:
        ...files into all.maildir...
        oracle.copy()
        theirs = oracle.open()      a Raw session, logged in
"""
import os
import shutil
import socket
import subprocess
import tempfile

from imapsession import Raw

DOVECOT = "/usr/lib/dovecot/imap"


class Oracle:
    def __init__(self, sessions, settings="", index=True, ours=None):
        """Without INDEX it keeps nothing from one session to the next. With
        OURS, words of Dovecot's such as ":UTF-8", it has our Maildir itself."""
        self.sessions, self.settings = sessions, settings
        self.ours = ours
        self.where = ours or "" if index else ":INDEX=MEMORY"
        self.started = []

    def __enter__(self):
        self.home = tempfile.mkdtemp()
        os.chmod(self.home, 0o755)
        self.maildir = (os.path.join(self.home, "Maildir")
                        if self.ours is None else self.sessions.maildir)
        self.conf = os.path.join(self.home, "dovecot.conf")
        with open(self.conf, "w") as f:
            f.write("base_dir=%s/run\nstate_dir=%s/run\nlog_path=%s/log\n"
                    "ssl=no\nfirst_valid_uid=0\nmail_location=maildir:%s%s\n"
                    "%s" % ((self.home,) * 3 + (
                        self.maildir, self.where, self.settings)))
        return self

    def __exit__(self, *what):
        for process in self.started:
            process.terminate()
            process.wait()
        shutil.rmtree(self.home)

    def copy(self):
        """The messages as they are now, with their times."""
        shutil.rmtree(self.maildir, ignore_errors=True)
        for sub in "cur", "new", "tmp":
            shutil.copytree(os.path.join(self.sessions.maildir, sub),
                            os.path.join(self.maildir, sub))
        subprocess.run(["chown", "-R", "%d:%d" % (
            self.sessions.uid, self.sessions.gid), self.home], check=True)

    def open(self):
        uid = self.sessions.uid
        user = subprocess.run(["id", "-un", str(uid)], capture_output=True,
                              text=True).stdout.strip() or "nobody"
        command = [DOVECOT, "-c", self.conf]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=%d" % uid,
                       "--regid=%d" % self.sessions.gid,
                       "--clear-groups"] + command
        ours, theirs = socket.socketpair()
        ours.settimeout(60)
        with theirs:
            self.started.append(subprocess.Popen(
                command, stdin=theirs, stdout=theirs,
                stderr=subprocess.DEVNULL,
                env={"USER": user, "HOME": self.home,
                     "PATH": "/usr/bin:/bin"}))
        return Raw(ours)


def compare(tap, ours, theirs, command, name=None, change=lambda u: u):
    """Asks both, and compares the untagged responses (as CHANGE makes them)
    and the first word of the tagged one."""
    got, end = ours.ask(command)
    want, their_end = theirs.ask(command)
    return tap.equal((change(got), end.split()[0]),
                     (change(want), their_end.split()[0]), name or command)
