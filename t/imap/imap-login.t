#!/usr/bin/env python3
"""IMAP before the login: what a stranger can say, and what comes of it."""
import array
import base64
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import BIN, Folder, Tap, packet, parse  # noqa: E402
from imapsession import Raw  # noqa: E402

tap = Tap()
starts = tap.starts


class Neighbour(threading.Thread):
    """accountd or tlsproxy: answers packets as ACT says."""

    def __init__(self, folder, name, act):
        super().__init__(daemon=True)
        self.act = act
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.path.join(folder.private, name)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(16)
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,),
                             daemon=True).start()

    def serve(self, c):
        with c:
            while True:
                data, ancillary, _, _ = c.recvmsg(131072, 1024)
                if not data:
                    return
                fds = array.array("i")
                for level, kind, raw in ancillary:
                    fds.frombytes(raw)
                verb, attrs = parse(data)
                self.act(c, verb, dict(attrs), list(fds))


seen = []
held = {}


def accountd(c, verb, attrs, fds):
    """joe's password is "right"; LOGIN is asked in two steps."""
    seen.append((verb, attrs))
    if verb == "auth":
        held[c] = dict(attrs, fd=fds[0] if fds else -1, said=[])
    state = held[c]
    if "response" in attrs:
        state["said"].append(base64.b64decode(attrs["response"]))
    if "pending" in attrs:
        state["pending"] = attrs["pending"]
    need = 1 if state["mechanism"].upper() == "PLAIN" else 2
    if len(state["said"]) < need:
        c.send(packet("continue", ("challenge", "Z28=" if need == 2 else "")))
        return
    if state["said"][-1] in (b"\0joe\0right", b"right"):
        s = socket.socket(fileno=state["fd"])
        s.sendall(b"%s OK welcome, pending %s\r\n" % (
            state["tag"].encode(),
            base64.b64decode(state.get("pending", ""))))
        s.close()
        c.send(packet("ok", ("user", "joe")))
    else:
        c.send(packet("failed", ("why", "wrong")))


def tlsproxy(c, verb, attrs, fds):
    """TLS that changes nothing: the plain side is a pair of sockets."""
    ours, theirs = socket.socketpair()
    outside = socket.socket(fileno=fds[0])
    outside.settimeout(60)  # imapd had it without blocking

    def pump(a, b):
        while True:
            data = a.recv(4096)
            if not data:
                return
            b.sendall(data)
    for pair in ((outside, ours), (ours, outside)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
    c.sendmsg([packet("ok", ("version", "TLSv1.3"), ("cipher", "none"),
                      ("bits", "0"), ("sni", ""))],
              [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                array.array("i", [theirs.fileno()]))])
    theirs.close()


class Server:
    def __init__(self, folder):
        self.tcp = socket.socket()
        self.tcp.bind(("127.0.0.1", 0))
        self.tcp.listen(64)
        ready, tell = os.pipe()
        env = dict(os.environ, POSTHORN_LISTEN="imap:%d" % self.tcp.fileno(),
                   POSTHORN_READY=str(tell), POSTHORN_USER="",
                   POSTHORN_CHROOT=folder.private, POSTHORN_PEERS="")
        self.process = subprocess.Popen(
            [os.path.join(BIN, "imapd"), "-c", folder.conf], env=env,
            pass_fds=(self.tcp.fileno(), tell))
        os.close(tell)
        os.read(ready, 16)
        os.close(ready)

    def raw(self):
        s = socket.create_connection(self.tcp.getsockname(), timeout=20)
        return Raw(s)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.tcp.close()


folder = Folder(["smtpd_tls_cert_file = /nonexistent"])
Neighbour(folder, "accountd", accountd)
Neighbour(folder, "tls-server", tlsproxy)
os.chmod(folder.private, 0o755)
server = Server(folder)

r = server.raw()
starts(r.greeting, b"* OK [CAPABILITY IMAP4rev1 ", "the greeting")
tap.ok(b"STARTTLS" in r.greeting and b"LOGINDISABLED" in r.greeting and
       b"AUTH=" not in r.greeting, "without TLS no passwords")
starts(r.ask("LOGIN joe right")[1], b"NO [PRIVACYREQUIRED]", "LOGIN")
starts(r.ask("AUTHENTICATE PLAIN AGpvZQByaWdodA==")[1],
       b"NO [PRIVACYREQUIRED]", "nor AUTHENTICATE")
tap.equal(seen, [], "and nobody is asked")
starts(r.ask("SELECT INBOX")[1], b"BAD", "nothing that needs a login")
starts(r.ask("NOOP")[1], b"OK", "NOOP")
starts(r.ask('ID ("name" "x" "version" NIL)')[1], b"OK", "ID")
fields = " ".join('"%s" "%s"' % (("n%02d" % i).ljust(30, "x"), "v" * 1024)
                  for i in range(30))
starts(r.ask("ID (%s)" % fields)[1], b"OK", "ID of 30 long fields (RFC 2971)")
fields = " ".join('"%s" "%s"' % (("n%02d" % i) + '\\"' * 27, '\\\\' * 1024)
                  for i in range(30))
starts(r.ask("ID (%s)" % fields)[1], b"OK", "with each byte quoted")
starts(r.ask("ID (%s a b)" % fields)[1], b"BAD", "31 fields")
starts(r.ask('ID ("a" "%s")' % ("v" * 1025))[1], b"BAD", "a long value")
starts(r.ask('ID ("%s" "b")' % ("n" * 31))[1], b"BAD", "a long name")
starts(r.ask('ID ("a" {1025+}\r\n%s)' % ("v" * 1025))[1], b"BAD",
       "a long value in a literal")
starts(r.ask('ID ("a")')[1], b"BAD", "a name without a value")
starts(r.ask("ID x")[1], b"BAD", "no list")
starts(r.ask("ID NIL")[1], b"OK", "NIL")
starts(r.ask("LOGIN %s y" % ("x" * 20000))[1], b"NO", "a name nobody has")
starts(r.ask("ID (((x)))")[1], b"BAD", "no nested lists")
starts(r.ask("X {5000000}")[1], b"BAD [TOOBIG]", "no large literals")
starts(r.ask("LOGIN " + "x" * 70000 + " y")[1], b"BAD [TOOBIG]",
       "no long lines")
tap.ok(b" LITERAL- " in r.greeting, "LITERAL-")
starts(r.ask("LOGIN {4096+}\r\n%s y" % ("x" * 4096))[1], b"NO",
       "a literal of 4096 bytes may come unasked")
starts(r.ask("LOGIN {4097+}\r\n%s y {1+}\r\nx" % ("x" * 4097))[1],
       b"BAD [TOOBIG]", "a longer one may not, and is skipped")
r.send("s0 LOGIN {4097}\r\n")
starts(r.line(), b"+ ", "but may wait for the answer")
r.send("x" * 4097 + " y\r\n")
starts(r.line(), b"s0 NO", "and is then taken")
starts(r.ask("LOGIN joe")[1], b"BAD", "a missing argument")

# STARTTLS
r.send(b"s1 STARTTLS\r\ns2 LOGOUT\r\n")
starts(r.line(), b"s1 OK", "STARTTLS")
got = r.ask("CAPABILITY")
tap.ok(got[0][0].endswith(b"AUTH=PLAIN AUTH=LOGIN") and
       b"STARTTLS" not in got[0][0],
       "under TLS there are passwords; what came behind STARTTLS is dropped")
starts(r.ask("STARTTLS")[1], b"BAD", "STARTTLS twice")
starts(r.ask("LOGIN joe wrong")[1], b"NO [AUTHENTICATIONFAILED]",
       "a wrong password")
starts(r.ask('LOGIN {3+}\r\njoe "right"')[1], b"OK welcome, pending ",
       "a right one, as literal and quoted string")
tap.equal(seen[-1][1].get("tls"), "1", "accountd knows of TLS")
tap.equal(seen[-1][1].get("client"), "127.0.0.1", "and the client")
server.stop()

folder.configure(["disable_plaintext_auth = no"])
server = Server(folder)

PLAIN = base64.b64encode(b"\0joe\0right").decode()
r = server.raw()
tap.ok(b"AUTH=PLAIN" in r.greeting and b"LOGINDISABLED" not in r.greeting and
       b"STARTTLS" not in r.greeting, "the greeting where it is allowed")
r.send("p1 AUTHENTICATE PLAIN %s\r\np2 NOOP\r\n" % PLAIN)
starts(r.line(), b"p1 OK welcome, pending p2 NOOP",
       "AUTHENTICATE with the initial response, and what follows")
tap.equal(r.line() + r.line(), b"\r\n", "imapd itself lets go of the connection")
r = server.raw()
r.send("p1 AUTHENTICATE PLAIN\r\n")
starts(r.line(), b"+ \r\n", "without: the empty challenge")
r.send("%s\r\np2 NOOP\r\n" % PLAIN)
starts(r.line(), b"p1 OK welcome, pending p2 NOOP", "then the same")
r = server.raw()
r.send("p1 AUTHENTICATE PLAIN\r\n")
r.line()
r.send(b"x" * 100000)
starts(r.line(), b"p1 BAD", "a response without an end")
tap.equal(r.file.read(), b"* BYE Response too long\r\n",
          "the end says why, and is in order")
r = server.raw()
r.send("p1 AUTHENTICATE LOGIN\r\n")
starts(r.line(), b"+ Z28=\r\n", "AUTH=LOGIN asks")
r.send(base64.b64encode(b"joe") + b"\r\n")
starts(r.line(), b"+ Z28=\r\n", "twice")
r.send(base64.b64encode(b"right") + b"\r\n")
starts(r.line(), b"p1 OK welcome", "AUTH=LOGIN")
r = server.raw()
r.send("p1 AUTHENTICATE PLAIN\r\n")
r.line()
r.send("*\r\n")
starts(r.line(), b"p1 BAD", "a cancelled exchange")
starts(r.ask("AUTHENTICATE CRAM-MD5")[1], b"NO", "an unknown mechanism")
for i in range(5):
    got = r.ask("LOGIN joe wrong%d" % i)
starts(r.line(), b"* BYE", "five failures are enough")
r = server.raw()
r.send(b"\r\n" * 10)
lines = [r.line() for _ in range(11)]
starts(lines[-1], b"* BYE", "so are ten bad commands")
server.stop()
folder.end()
tap.done()
