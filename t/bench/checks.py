"""Mail as the world sends it: each message in a session of its own with
STARTTLS, from a host that SPF lets send, with a signature that verifies, in
the name of a domain with p=reject; and mail that goes out signed.

Postfix has opendkim, opendmarc and policyd-spf beside it, which ask DNS at
port 53 and let loopback pass unseen: so all of it runs in a network and mount
namespace of its own, where nsd is what resolv.conf names, and the client has
an address that is not loopback.
"""
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from dkimkey import Key  # noqa: E402

CLIENT = "192.0.2.7"
DNS = "127.0.0.53"
INSIDE = "POSTHORN_BENCH_APART"
NEEDED = ["nsd", "opendkim", "opendmarc", "postfix-policyd-spf-perl"]


def missing():
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [t for t in NEEDED if not shutil.which(t, path=path)]


def enter():
    """Begins the program again in namespaces of its own, which end with
    it."""
    if os.environ.get(INSIDE):
        subprocess.run("ip link set lo up && ip addr add %s/32 dev lo && "
                       "mount --bind %s /etc/resolv.conf" %
                       (CLIENT, os.environ[INSIDE]), shell=True, check=True)
        return
    with tempfile.NamedTemporaryFile("w", prefix="resolv-") as f:
        f.write("nameserver %s\n" % DNS)
        f.flush()
        os.chmod(f.name, 0o644)
        sys.exit(subprocess.run(
            ["unshare", "--net", "--mount", "--", sys.executable, *sys.argv],
            env=dict(os.environ, **{INSIDE: f.name})).returncode)


class World:
    """The DNS, keys, and what is sent."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="world-")
        os.chmod(self.dir, 0o755)
        self.theirs = Key(self.path("theirs.pem"), "rsa")
        self.ours = Key(self.path("ours.pem"), "rsa")
        self.process = None

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def zone(self, name, text):
        self.write(name, "$ORIGIN %s.\n$TTL 3600\n@ IN SOA ns hostmaster 1 "
                   "3600 600 86400 60\n@ IN NS ns\nns IN A %s\n%s" %
                   (name, DNS, text))
        return 'zone:\n name: "%s"\n zonefile: "%s"\n' % (
            name, self.path(name))

    def __enter__(self):
        zones = self.zone("sender.example", '@ IN TXT "v=spf1 ip4:%s -all"\n'
                          '@ IN MX 5 mail\nmail IN A %s\n'
                          '_dmarc IN TXT "v=DMARC1; p=reject"\n'
                          's1._domainkey IN TXT %s\n' %
                          (CLIENT, CLIENT, self.theirs.record))
        zones += self.zone("bench.test", 's1._domainkey IN TXT %s\n' %
                           self.ours.record)
        conf = self.write("nsd.conf", (
            'server:\n ip-address: %s\n username: ""\n chroot: ""\n'
            ' pidfile: ""\n zonelistfile: "%s"\n database: ""\n'
            ' xfrdfile: "%s"\n server-count: 1\n'
            'remote-control:\n control-enable: no\n%s') % (
                DNS, self.path("zone.list"), self.path("xfrd"), zones))
        self.process = subprocess.Popen(
            ["nsd", "-d", "-c", conf], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        time.sleep(1)
        return self

    def __exit__(self, *what):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir)

    def message(self, sender, size):
        head = ("From: Joe <%s>\r\nTo: u0@bench.test\r\nSubject: bench\r\n"
                "Date: Tue, 24 Nov 2026 02:00:00 +0000\r\n"
                "Message-ID: <1@sender.example>\r\n\r\n" % sender).encode()
        line = b"x" * 76 + b"\r\n"
        return head + line * ((size - len(head)) // len(line) + 1)

    def signed(self, sender, size):
        """The message with a signature of sender.example, by authcheck's
        neighbour in this house: the openssl command and Python's dkim."""
        text = self.message(sender, size)
        program = ("import dkim, sys; sys.stdout.buffer.write(dkim.sign("
                   "sys.stdin.buffer.read(), b's1', b'sender.example', "
                   "open(sys.argv[1], 'rb').read(), canonicalize=("
                   "b'relaxed', b'relaxed'), include_headers=[b'From', b'To', "
                   "b'Subject', b'Date', b'Message-ID']))")
        pem = self.path("theirs.rsa")
        subprocess.run(["openssl", "rsa", "-traditional", "-in",
                        self.theirs.path, "-out", pem], check=True,
                       capture_output=True)
        field = subprocess.run(["/usr/bin/python3", "-c", program, pem],
                               input=text, stdout=subprocess.PIPE,
                               check=True).stdout
        return field + text


def say(f, line, code):
    f.write(line)
    f.flush()
    while True:
        answer = f.readline()
        if answer[3:4] == b" ":
            break
        if not answer:
            raise RuntimeError("the server hangs up")
    if not answer.startswith(code):
        raise RuntimeError("%r: %r" % (line[:60], answer))


def session(port, source, login, sender, to, data):
    """One message from SOURCE, with STARTTLS."""
    context = ssl._create_unverified_context()
    s = socket.create_connection(("127.0.0.1", port), 60,
                                 source_address=(source, 0))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    f = s.makefile("rwb")
    say(f, b"", b"220")
    say(f, b"EHLO mail.sender.example\r\n", b"250")
    say(f, b"STARTTLS\r\n", b"220")
    s = context.wrap_socket(s)
    f = s.makefile("rwb")
    say(f, b"EHLO mail.sender.example\r\n", b"250")
    if login:
        say(f, b"AUTH PLAIN " + login + b"\r\n", b"235")
    say(f, b"MAIL FROM:<%s>\r\n" % sender.encode(), b"250")
    say(f, b"RCPT TO:<%s>\r\n" % to.encode(), b"250")
    say(f, b"DATA\r\n", b"354")
    say(f, data + b".\r\n", b"250")
    say(f, b"QUIT\r\n", b"221")
    f.close()
    s.close()


def send(n, at_once, one):
    """Calls ONE N times by AT_ONCE threads."""
    left, lock, faults = [n], threading.Lock(), []

    def work():
        while not faults:
            with lock:
                if left[0] == 0:
                    return
                left[0] -= 1
            try:
                one()
            except (OSError, RuntimeError) as e:
                faults.append(e)
    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if faults:
        raise faults[0]
