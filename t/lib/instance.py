"""A whole suite on loopback, by t/sandbox: for tests that are its users.

    with Instance("reject_unknown_sender_domain=yes") as s:
        s.smtp().sendmail(...)

The names of the sandbox's env file are attributes: s.SMTP_PORT, s.USER1 ….
"""
import email
import email.message
import imaplib
import os
import poplib
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time

from alone import TOP, Log

SANDBOX = os.path.join(TOP, "t", "sandbox")


class Instance:
    def __init__(self, *lines, **files):
        """LINES are name=value for posthorn.conf; FILES are made in its
        folder before the start: zone="…", aliases="…"."""
        self.dir = tempfile.mkdtemp(prefix="ph-")
        os.chmod(self.dir, 0o755)
        self.lines = lines
        for name, text in files.items():
            with open(self.path(name), "w") as f:
                f.write(text)

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        done = subprocess.run([SANDBOX, "start", self.dir, *self.lines],
                              capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError("sandbox: %s%s\n%s" % (
                done.stdout, done.stderr, self.read_log()))
        with open(self.path("env")) as f:
            for line in f:
                name, _, value = line.strip().partition("=")
                setattr(self, name,
                        int(value) if value.isdigit() else value)
        return self

    def stop(self):
        subprocess.run([SANDBOX, "stop", self.dir], timeout=180)

    def end(self):
        self.stop()
        if os.environ.get("POSTHORN_KEEP"):
            print("# kept", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except Exception:
            self.end()
            raise

    def __exit__(self, *what):
        self.end()

    def read_log(self):
        return Log(self.path("log"))

    def wait_log(self, text, seconds=60, times=1):
        return wait_for(lambda: self.read_log().count(text) >= times,
                        seconds)

    def posthorn(self, *words, **how):
        return subprocess.run([self.path("posthorn"), *words],
                              capture_output=True, text=True, timeout=60,
                              **how)

    def pid_of(self, service):
        for line in self.posthorn("status").stdout.splitlines():
            words = line.split()
            if words and words[0] == service:
                return int(words[2])
        return 0

    def address(self, user=None):
        return "%s@%s" % (user or self.USER1, self.DOMAIN)

    def context(self):
        return ssl.create_default_context(cafile=self.CA_FILE)

    def smtp(self):
        return smtplib.SMTP(self.HOST, self.SMTP_PORT, timeout=60,
                            local_hostname="client.test")

    def submission(self, user=None, password=None):
        s = smtplib.SMTP(self.HOST, self.SUBMISSION_PORT, timeout=60,
                         local_hostname="client.test")
        s._host = self.HOST
        s.starttls(context=self.context())
        s.login(user or self.USER1, password or self.PASS1)
        return s

    def imap(self, user=None, password=None):
        m = imaplib.IMAP4_SSL(self.HOST, self.IMAPS_PORT,
                              ssl_context=self.context(), timeout=60)
        m.login(user or self.USER1, password or self.PASS1)
        return m

    def pop3(self, user=None, password=None):
        p = poplib.POP3_SSL(self.HOST, self.POP3S_PORT,
                            context=self.context(), timeout=60)
        p.user(user or self.USER1)
        p.pass_(password or self.PASS1)
        return p

    def raw(self, port):
        return socket.create_connection((self.HOST, port), timeout=60)

    def messages(self, user=None, folder="INBOX"):
        """All messages of a mailbox, as bytes, over IMAP."""
        m = self.imap(user, self.PASS2 if user == self.USER2 else None)
        try:
            kind, exists = m.select(folder, readonly=True)
            if exists == [b"0"]:
                return []
            kind, data = m.fetch("1:*", "(BODY.PEEK[])")
            return [part[1] for part in data if isinstance(part, tuple)]
        finally:
            m.logout()

    def wait_messages(self, count, user=None, seconds=90):
        found = []

        def enough():
            found[:] = self.messages(user)
            return len(found) >= count
        wait_for(enough, seconds)
        return found


class Conf:
    """The configuration file with lines set, and put back at the end."""

    def __init__(self, s, *lines):
        self.path = s.CONF
        with open(self.path) as f:
            self.good = f.read()
        names = [line.split("=")[0].strip() for line in lines]
        kept = [line for line in self.good.splitlines()
                if line.split("=")[0].strip() not in names]
        with open(self.path, "w") as f:
            f.write("\n".join(kept + list(lines)) + "\n")
        self.first = len(kept) + 1	# the number of the first new line

    def __enter__(self):
        return self

    def __exit__(self, *what):
        with open(self.path, "w") as f:
            f.write(self.good)


def message(sender, to, subject="a message", body="text\r\n", **fields):
    lines = ["From: <%s>" % sender, "To: <%s>" % to, "Subject: " + subject,
             "Date: Tue, 24 Nov 2026 02:00:00 +0000",
             "Message-ID: <%s@client.test>" % subject.replace(" ", ".")]
    lines += ["%s: %s" % (k.replace("_", "-"), v) for k, v in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def mounted(path, size):
    """A small file system at PATH; root only."""
    os.makedirs(path, exist_ok=True)
    return os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=" + size, "none", path],
        capture_output=True).returncode == 0


def wait_value(get, seconds=60, pause=0.05):
    """Until GET gives something; what it gives last."""
    until = time.monotonic() + seconds
    while True:
        value = get()
        if value or time.monotonic() > until:
            return value
        time.sleep(pause)


def wait_for(condition, seconds=60, pause=0.05):
    return bool(wait_value(condition, seconds, pause))


def parse(raw):
    return email.message_from_bytes(raw)
