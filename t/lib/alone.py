"""One program of the suite alone, for tests that play its neighbours.

A Program gets its sockets by its environment as from master. A Tap prints
one line a case. All is below a temporary directory that goes at the end.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BIN = os.environ.get("POSTHORN_BIN") or os.path.join(TOP, "bin")
PACKET_MAX = 131072


class Log(str):
    """The text of a log. What a process has said may be on its way: its parent
    writes it. So `in` looks again for a while."""

    def __new__(cls, path):
        try:
            with open(path, errors="replace") as f:
                made = super().__new__(cls, f.read())
        except FileNotFoundError:
            made = super().__new__(cls, "")
        made.path = path
        return made

    def __contains__(self, text):
        return super().__contains__(text) or wait_for(
            lambda: str(Log(self.path)).find(text) >= 0, 3)


class Tap:
    def __init__(self):
        self.run = self.failed = 0

    def ok(self, good, name, note=None):
        """NOTE is shown if it failed, also by prove, which shows no more
        than standard error."""
        self.run += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.run, name),
              flush=True)
        if not good:
            self.note("failed: %s" % name, *([note] if note else []))
        return good

    @staticmethod
    def note(*words):
        for word in words:
            print("#", word, file=sys.stderr, flush=True)

    def equal(self, got, want, name):
        if not self.ok(got == want, name):
            self.note(" got: %r" % (got,), "want: %r" % (want,))
        return got == want

    def starts(self, got, want, name):
        return self.ok(got.startswith(want), name,
                       " got: %r\n# want: %r" % (got, want))

    def done(self):
        print("1..%d" % self.run)
        sys.exit(1 if self.failed else 0)


class Folder:
    """A private run directory and a configuration in it."""

    def __init__(self, lines=()):
        self.dir = tempfile.mkdtemp(prefix="posthorn-")
        os.chmod(self.dir, 0o755)
        self.private = os.path.join(self.dir, "run", "private")
        self.data = os.path.join(self.dir, "data")
        os.makedirs(self.private)
        os.makedirs(os.path.join(self.dir, "run", "public"))
        os.makedirs(self.data)
        self.log = os.path.join(self.dir, "log")
        self.conf = os.path.join(self.dir, "posthorn.conf")
        self.programs = []
        self.configure(lines)

    def configure(self, lines):
        with open(self.conf, "w") as f:
            f.write("myhostname = mail.home.test\n")
            f.write("run_directory = %s/run\n" % self.dir)
            f.write("data_directory = %s\n" % self.data)
            f.write("log_target = %s\n" % self.log)
            f.write("debug_log = yes\n")
            # most tests list the folders that they make
            f.write("mailbox_autocreate =\n")
            for line in lines:
                f.write(line + "\n")

    def certificate(self):
        """(certificate, key): files of one for this machine, signed by itself."""
        cert, key = self.path("cert.pem"), self.path("key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                        "-out", cert, "-days", "2", "-subj",
                        "/CN=mail.home.test", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, stderr=subprocess.DEVNULL)
        return cert, key

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def read_log(self):
        return Log(self.log)

    def start(self, program, name=None, chroot=True, also=(), user=""):
        """ALSO are further sockets of the program. USER is uid:gid."""
        p = Program(self, program, name or program, chroot, also, user)
        self.programs.append(p)
        return p

    def end(self):
        for p in reversed(self.programs):
            p.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Program:
    def __init__(self, folder, program, name, chroot=True, also=(), user=""):
        self.private = folder.private
        self.name = name
        self.listeners = {n: self.listen(n) for n in (name,) + tuple(also)}
        ready, tell = os.pipe()
        fds = tuple(s.fileno() for s in self.listeners.values()) + (tell,)
        env = dict(os.environ,
                   POSTHORN_LISTEN=" ".join(
                       "%s:%d" % (n, s.fileno())
                       for n, s in self.listeners.items()),
                   POSTHORN_READY=str(tell), POSTHORN_USER=user,
                   POSTHORN_CHROOT=folder.private if chroot else "",
                   POSTHORN_PEERS="")
        self.process = subprocess.Popen(
            [os.path.join(BIN, program), "-c", folder.conf],
            env=env, pass_fds=fds, stderr=subprocess.PIPE)
        os.close(tell)
        said = os.read(ready, 4096)
        self.ready = said == b"ready\n"
        # else it says why, and the end of the pipe is its end
        while said and not self.ready:
            said = os.read(ready, 4096)
        os.close(ready)

    def listen(self, name):
        """public/NAME is in the public folder, for everybody."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = self.path_of(name)
        if os.path.exists(path):
            os.unlink(path)
        s.bind(path)
        if name.startswith("public/"):
            os.chmod(path, 0o666)
        s.listen(128)
        return s

    def path_of(self, name):
        return os.path.join(os.path.dirname(self.private), name) \
            if name.startswith("public/") else os.path.join(self.private, name)

    def stop(self, sig=signal.SIGINT, wait=60):
        """As master does at its own end. SIGTERM is that of a reload: who
        serves sessions waits for their clients."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(wait)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stderr.closed:
            return self.process.returncode
        for s in self.listeners.values():
            s.close()
        self.errors = self.process.stderr.read().decode(errors="replace")
        self.process.stderr.close()
        return self.process.returncode

    def connect(self, name=None):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(60)
        s.connect(self.path_of(name or self.name))
        return s


def packet(verb, *attrs):
    """The bytes of a packet: a verb and (name, value) pairs."""
    parts = [verb] + ["%s=%s" % a for a in attrs]
    return b"".join(p.encode("utf-8", "surrogateescape") + b"\0"
                    for p in parts)


def parse(data):
    """(verb, [(name, value) …]) of a packet's bytes."""
    words = data.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return words[0], [tuple(w.split("=", 1)) for w in words[1:]]


def free_port(kind=socket.SOCK_STREAM, host="127.0.0.1"):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False
