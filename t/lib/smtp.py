"""Receivers of mail alone (smtpd, gate, submit): this plays the queue, and
starts programs with the sockets they get from master."""
import base64
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.parse

from alone import BIN, packet, parse


class Message:
    """What a receiver has put into the queue."""

    def __init__(self, data, super_text):
        word = super_text.split()
        get = lambda name, k=1: int(word[word.index(name) + k])
        self.content = data[get("content"):][:get("content", 2)]
        raw = data[get("envelope"):][:get("envelope", 2)].decode()
        self.envelope, self.recipients = {}, []
        for line in raw.splitlines():
            words = [self.decode(w) for w in line.split(" ")]
            if words[0] == "rcpt":
                self.recipients.append(words[1:])
            else:
                self.envelope[words[0]] = words[1]

    @staticmethod
    def decode(word):
        return "" if word == "%" else urllib.parse.unquote(word)

    def header(self, name):
        head = self.content.split(b"\r\n\r\n")[0].decode("latin-1")
        head = re.sub(r"\r\n[ \t]+", " ", head)
        return [l.split(":", 1)[1].strip() for l in head.split("\r\n")
                if l.lower().startswith(name.lower() + ":")]

    def body(self):
        return self.content.split(b"\r\n\r\n", 1)[1]


class Peer(threading.Thread):
    """A service of the private folder, one thread a connection."""

    def __init__(self, folder, name):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(os.path.join(folder.private, name))
        self.listener.listen(64)
        self.start()

    def run(self):
        while True:
            try:
                s = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.talk, args=(s,), daemon=True).start()

    def talk(self, s):
        while True:
            data, fds, _, _ = socket.recv_fds(s, 131072, 4)
            if not data:
                return s.close()
            verb, attrs = parse(data)
            self.answer(s, verb, attrs, fds)
            for fd in fds:
                os.close(fd)


class Queue(Peer):
    """qmgr: lends slots, keeps what is committed."""

    def __init__(self, folder, name="qmgr"):
        self.messages, self.slots, self.refuse = [], {}, None
        self.lock, self.number = threading.Lock(), 0
        self.folder = folder
        super().__init__(folder, name)

    def slot(self, s, verb, *attrs):
        with self.lock:
            self.number += 1
            n = self.number
            self.slots[n] = tempfile.TemporaryFile(dir=self.folder.dir)
        self.slots[n].write(bytes(65536))
        self.slots[n].flush()
        socket.send_fds(s, [packet(verb, ("slot", n), ("generation", 1), *attrs)],
                        [self.slots[n].fileno()])

    def answer(self, s, verb, attrs, fds):
        if verb == "open":
            if self.refuse:
                s.send(packet(self.refuse))
            else:
                self.slot(s, "slot")
            return
        number = int(dict(attrs)["slot"])
        f = self.slots.pop(number)
        f.seek(0)
        data = f.read()
        half = [data[at:at + 512] for at in (0, 32768)]
        text = next(h for h in half if b" content " in h)
        with self.lock:
            self.messages.append(Message(data, text.decode()))
        f.close()
        self.slot(s, "queued", ("close", number))


class Accounts(Peer):
    """accountd: users whose local part begins with `no` do not exist, with
    `temp` nobody knows, and alias.test has no postmaster. The password of
    everybody is `secret`."""

    def __init__(self, folder):
        self.asked, self.steps = [], {}
        super().__init__(folder, "accountd")

    def answer(self, s, verb, attrs, fds):
        a = dict(attrs)
        self.asked.append((verb, a))
        if verb in ("auth", "step"):
            return self.login(s, verb, a)
        address = a.get("address", "")
        if address.startswith("temp"):
            s.send(packet("temp"))
        elif verb == "may-send" and not address.startswith(a["user"]):
            s.send(packet("none"))
        elif address.startswith("no") or \
                address.lower() == "postmaster@alias.test":
            s.send(packet("none"))
        else:
            s.send(packet("found"))

    def login(self, s, verb, a):
        """PLAIN in one or two steps, LOGIN in three."""
        said = base64.b64decode(a.get("response", ""))
        step = self.steps.setdefault(s, [a.get("mechanism")])
        if "response" in a:
            step.append(said)
        if step[0] == "PLAIN" and len(step) > 1:
            user, password = step[1].split(b"\0")[1:]
        elif step[0] == "LOGIN" and len(step) > 2:
            user, password = step[1:3]
        else:
            prompt = (b"Username:", b"Password:")[len(step) - 1]
            text = base64.b64encode(prompt if step[0] == "LOGIN" else b"")
            return s.send(packet("continue", ("challenge", text.decode())))
        if user == b"temp":
            s.send(packet("temp"))
        elif password == b"secret":
            s.send(packet("ok", ("user", user.decode())))
        else:
            s.send(packet("failed", ("why", "wrong password")))


def listen_tcp():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(64)
    return s


class Server:
    """A program with the sockets NAME=SOCKET."""

    def __init__(self, folder, program, **sockets):
        self.sockets = sockets
        ready, tell = os.pipe()
        listen = " ".join("%s:%d" % (n.replace("_", "-"), s.fileno())
                          for n, s in sockets.items())
        fds = [s.fileno() for s in sockets.values()] + [tell]
        env = dict(os.environ, POSTHORN_LISTEN=listen, POSTHORN_USER="",
                   POSTHORN_READY=str(tell), POSTHORN_PEERS="",
                   POSTHORN_CHROOT=folder.private)
        self.process = subprocess.Popen(
            [os.path.join(BIN, program), "-c", folder.conf], env=env,
            pass_fds=fds)
        os.close(tell)
        os.read(ready, 16)
        os.close(ready)
        folder.programs.append(self)

    def port(self, name):
        return self.sockets[name].getsockname()[1]

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()
        for s in self.sockets.values():
            s.close()
        return self.process.returncode


class Client:
    """A raw dialogue: sends bytes, reads replies."""

    def __init__(self, port, greet=True, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), timeout=60)
        self.file = self.sock.makefile("rb")
        if greet:
            self.greeting = self.reply()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """One reply, its lines joined by newlines; "" at the end."""
        lines = []
        while True:
            try:
                line = self.file.readline().decode("latin-1")
            except (ConnectionError, TimeoutError) as e:
                return "<%s>" % type(e).__name__
            if not line:
                return "\n".join(lines)
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    def ask(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def talk(self, *lines):
        return [self.ask(l) for l in lines]

    def begin(self, rcpt="joe@home.test", sender="a@other.test"):
        return self.talk("EHLO client.test", "MAIL FROM:<%s>" % sender,
                         "RCPT TO:<%s>" % rcpt, "DATA")[-1]

    def message(self, content, **kw):
        """The reply to a message of CONTENT, sent as it is."""
        self.begin(**kw)
        self.send(content)
        return self.reply()

    def close(self):
        self.file.close()
        self.sock.close()
