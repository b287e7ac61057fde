"""Sessions of imapd without the rest of the suite: the test is accountd.

    with Sessions() as all:
        m = all.open()          an imaplib client, logged in
        r = all.raw()           a Raw one

With POSTHORN_PARK set in the environment, sessions are parked whenever they
wait, and come back: no client may notice.
"""
import array
import base64
import hashlib
import hmac
import imaplib
import io
import os
import poplib
import re
import socket
import threading
import zlib

from alone import Folder, packet, parse
from imapgrammar import complain

NOBODY = 65534


PARK = bool(os.environ.get("POSTHORN_PARK"))


class Accountd(threading.Thread):
    """Gives tickets, and hands over the sessions that come back with one."""

    def __init__(self, all):
        super().__init__(daemon=True)
        self.all = all
        self.keys = {}      # by facts
        self.attrs = {}     # of the first hand-over, likewise
        self.resumed = self.refused = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(os.path.join(all.folder.private, "accountd"))
        self.listener.listen(128)

    def ticket(self):
        """(facts, key), both in base64."""
        facts = base64.b64encode(b"facts %d" % len(self.keys)).decode()
        self.keys[facts] = os.urandom(32)
        return facts, base64.b64encode(self.keys[facts]).decode()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.resume, args=(peer,),
                             daemon=True).start()

    def resume(self, peer):
        with peer:
            data, fds, _, _ = socket.recv_fds(peer, 131072, 4)
            if not data:
                return
            verb, attrs = parse(data)
            given = dict(attrs)
            key = self.keys.get(given["facts"])
            state = base64.b64decode(given["state"])
            seal = hmac.new(key, b"imap-state\0" + state, hashlib.sha256)
            good = verb == "resume" and base64.b64decode(
                given["seal"]) == seal.digest()
            with socket.socket(fileno=fds[0]) as client:
                answer = good and self.all.hand_over(client, **dict(
                    self.attrs[given["facts"]], tag="", pending="",
                    state=given["state"]))
            self.resumed += answer == "ok"
            self.refused += answer != "ok"
            try:
                peer.send(packet("ok" if answer == "ok" else "refused"))
            except OSError:
                pass        # the feed has ended


class Sessions:
    def __init__(self, lines=(), park=PARK):
        """PARK: whenever they wait."""
        lines = list(lines)
        if park:
            lines.append("imap_hibernate_at_once = yes")
        self.folder = Folder(lines)
        self.uid = NOBODY if os.getuid() == 0 else os.getuid()
        self.gid = NOBODY if os.getuid() == 0 else os.getgid()
        self.maildir = self.folder.path("mail/joe")
        os.makedirs(self.folder.path("mail"))
        os.chown(self.folder.path("mail"), self.uid, self.gid)
        self.accountd = Accountd(self)
        self.accountd.start()

    def __enter__(self):
        self.feed = self.folder.start("mailbox-feed", "feed", chroot=False,
                                      also=("feed-all",))
        self.program = self.folder.start("imapd", "imap-session",
                                         chroot=False)
        return self

    def __exit__(self, *what):
        if what[0]:
            print("#", self.folder.read_log())
        self.accountd.listener.close()
        self.folder.end()

    def hand_over(self, sock, tag="*", pending=b"", **change):
        """Gives SOCK to a session; the answer's verb."""
        attrs = dict(user="joe", uid=str(self.uid), gid=str(self.gid),
                     home="/", maildir=self.maildir, client="192.0.2.1",
                     tls="1", tag=tag)
        if pending:
            attrs["pending"] = base64.b64encode(pending).decode()
        if "state" not in change:
            attrs["facts"], attrs["key"] = self.accountd.ticket()
        attrs.update(change)
        self.accountd.attrs.setdefault(attrs.get("facts"), attrs)
        data = packet("session", *attrs.items())
        fds = array.array("i", [sock.fileno()])
        with self.program.connect() as c:
            c.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            answer = c.recv(65536)
        return parse(answer)[0] if answer else None

    def socket(self, **how):
        ours, theirs = socket.socketpair()
        ours.settimeout(60)
        with theirs:
            self.hand_over(theirs, **how)
        return ours

    def open(self):
        return Client(self.socket())

    def raw(self, **how):
        return Strict(self.socket(**how))

    def put(self, message, sub="cur", name="17%08d.M1P1.host:2,"):
        """Puts a message file into INBOX as a foreign program does: written
        in tmp, and renamed when it is whole."""
        self.count = getattr(self, "count", 0) + 1
        name = name % self.count if "%" in name else name
        path = os.path.join(self.maildir, sub, name)
        begun = os.path.join(self.maildir, "tmp", name)
        with open(begun, "wb") as f:
            f.write(message)
        os.chown(begun, self.uid, self.gid)
        os.rename(begun, path)
        return path


class PopSessions(Sessions):
    """The same of pop3d."""

    def __enter__(self):
        self.feed = self.folder.start("mailbox-feed", "feed", chroot=False,
                                      also=("feed-all",))
        self.program = self.folder.start("pop3d", "pop3-session",
                                         chroot=False)
        return self

    def open(self):
        return PopClient(self.socket(tag=""))


class PopClient(poplib.POP3):
    """poplib on a socket that is logged in: the greeting is the reply."""

    def __init__(self, sock):
        self._given = sock
        poplib.POP3.__init__(self, "given")

    def _create_socket(self, timeout=None):
        return self._given


class Client(imaplib.IMAP4):
    """imaplib on a socket that is logged in: the greeting is the reply."""

    def __init__(self, sock):
        self._given = sock
        imaplib.IMAP4.__init__(self)
        self.state = "AUTH"

    def _create_socket(self, timeout=None):
        return self._given


class Raw:
    """Lines and literals, as they are."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
        self.greeting = self.line()
        self.tags = 0

    def waiting(self):
        """Is there something that was read already?"""
        self.sock.setblocking(False)
        try:
            return bool(self.file.peek(1))
        finally:
            self.sock.settimeout(60)

    def line(self):
        """One response, with its literals."""
        got = b""
        while True:
            part = self.file.readline()
            got += part
            literal = re.search(rb"~?\{(\d+)\}\r\n$", part)
            if not literal:
                return got
            got += self.file.read(int(literal.group(1)))

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def until(self, tag):
        """Responses up to the tagged one, which is the last."""
        out = []
        while True:
            got = self.line()
            out.append(got)
            if not got or got.startswith(tag.encode() + b" "):
                return out

    def ask(self, command):
        """All untagged responses to a command, and its tagged one."""
        self.tags += 1
        tag = "t%d" % self.tags
        if isinstance(command, str):
            command = command.encode()
        self.send(tag.encode() + b" " + command + b"\r\n")
        *untagged, last = self.until(tag)
        return [u.rstrip(b"\r\n") for u in untagged], last.split(b" ", 1)[
            -1].rstrip(b"\r\n")

    def close(self):
        self.file.close()
        self.sock.close()


class Strict(Raw):
    """One of ours: each response must be what the grammar says."""
    utf8 = uidonly = False

    def line(self):
        got = Raw.line(self)
        if re.match(rb"\* ENABLED .*(UTF8=ACCEPT|IMAP4REV2)", got, re.I):
            self.utf8 = True
        if re.match(rb"\* ENABLED .*UIDONLY", got, re.I):
            self.uidonly = True
        wrong = got.endswith(b"\n") and complain(got, self.utf8, self.uidonly)
        if wrong:
            raise AssertionError("response: " + wrong)
        return got


class Deflated(io.RawIOBase):
    """A socket whose both directions are compressed."""

    def __init__(self, sock):
        self.sock = sock
        self.out = zlib.compressobj(6, zlib.DEFLATED, -15)
        self.come = zlib.decompressobj(-15)
        self.data = b""
        self.received = 0

    def pack(self, data):
        return self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH)

    def sendall(self, data):
        self.sock.sendall(self.pack(data))

    def readable(self):
        return True

    def readinto(self, into):
        while not self.data:
            got = self.sock.recv(65536)
            if not got:
                return 0
            self.received += len(got)
            self.data = self.come.decompress(got)
        n = min(len(into), len(self.data))
        into[:n], self.data = self.data[:n], self.data[n:]
        return n

    def makefile(self, mode):
        return io.BufferedReader(self)

    def shutdown(self, how):
        pass

    def close(self):
        self.sock.close()


class Compressed(Raw):
    """The same after COMPRESS."""

    def __init__(self, sessions):
        plain = sessions.raw()
        self.reply = plain.ask("COMPRESS DEFLATE")
        self.sock = Deflated(plain.sock)
        self.file = self.sock.makefile("rb")
        self.tags = 0
