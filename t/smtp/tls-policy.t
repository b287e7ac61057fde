#!/usr/bin/env python3
"""tls-policy: policies of MTA-STS from a real HTTPS server; and remote-send
with TLS by tlsproxy, with and without such a policy."""
import os
import signal
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, free_port, packet, parse  # noqa: E402
from certificate import Authority  # noqa: E402
from qmgrpeer import Qmgr, status  # noqa: E402
from smtppeer import EHLO, Peer  # noqa: E402

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.%s\r\nmax_age: 86400\r\n"
GOOD = ["good", "testing", "slow", "moved", "big", "type", "status", "chunk",
        "endless", "bad", "crlf", "tls", "plain", "wrong"]


def zone():
    lines = []
    for name in GOOD + ["self", "down", "two", "noid"]:
        lines.append("%s.test. IN MX 10 mx.%s.test." % (name, name))
        lines.append("mx.%s.test. IN A 127.0.0.21" % name)
        lines.append("mta-sts.%s.test. IN A %s" %
                     (name, "127.0.0.99" if name == "down"
                      else "127.0.0.22"))
        text = '"v=STSv1; id=2026%s;"' % name
        if name == "noid":
            text = '"v=STSv1; id=not-good;"'
        lines.append("_mta-sts.%s.test. IN TXT %s" % (name, text))
    lines.append('_mta-sts.two.test. IN TXT "v=STSv1; id=2;"')
    lines.append('_mta-sts.good.test. IN TXT "something else"')
    lines.append("none.test. IN MX 10 mx.good.test.")
    return "\n".join(lines) + "\n"


def response(body, status_line="200 OK", kind="text/plain", **headers):
    head = "HTTP/1.1 %s\r\nContent-Type: %s\r\n" % (status_line, kind)
    if "length" not in headers:
        head += "Content-Length: %d\r\n" % len(body)
    return (head + headers.get("more", "") + "\r\n" + body).encode()


class Https:
    def __init__(self, ip, port, cert, other):
        self.cert = cert
        self.other = other
        self.requests = []
        self.policy = {}
        self.listener = socket.socket()
        self.listener.bind((ip, port))
        self.listener.listen(20)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,),
                             daemon=True).start()

    def serve(self, conn):
        try:
            name = []
            good = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            good.load_cert_chain(*self.cert)
            good.sni_callback = lambda s, n, c: name.append(n)
            if self.other:
                good.load_cert_chain(*self.other)
            conn = good.wrap_socket(conn, server_side=True)
            request = conn.recv(4096).decode()
            self.requests.append((name[0], request))
            conn.sendall(self.answer(name[0].split(".")[1]))
            conn.unwrap()
        except (OSError, ssl.SSLError):
            pass
        conn.close()

    def answer(self, domain):
        text = self.policy.get(domain, POLICY % (domain + ".test"))
        if domain == "testing":
            return response(text.replace("enforce", "testing"))
        if domain == "slow":
            time.sleep(1)
        if domain == "moved":
            return response(text, "301 Moved", more="Location: /x\r\n")
        if domain == "status":
            return response(text, "404 Not Found")
        if domain == "big":
            return response(text + "x: y\r\n" * 20000)
        if domain == "type":
            return response(text, kind="text/html")
        if domain == "endless":
            return response(text, length="")
        if domain == "chunk":
            return response("%x\r\n%s\r\n3;a=b\r\n\r\n\n\r\n0\r\n\r\n" %
                            (len(text), text), length="",
                            more="Transfer-Encoding: chunked\r\n")
        if domain == "bad":
            return response("version: STSv1\r\nmode: enforce\r\n")
        if domain == "crlf":
            return response(text.replace("\r\n", "\n"),
                            kind="text/plain; charset=utf-8")
        return response(text)


class Client:
    def __init__(self, program):
        self.sock = program.connect()

    def ask(self, domain):
        self.sock.send(packet("policy", ("domain", domain)))
        verb, attrs = parse(self.sock.recv(131072))
        return dict(attrs)["mode"], [v for n, v in attrs if n == "mx"]


def questions(t, folder, program, https):
    c = Client(program)
    rows = [
        ("good", "enforce", "a policy"),
        ("GOOD", "enforce", "the case of the domain does not matter"),
        ("testing", "testing", "mode testing"),
        ("endless", "enforce", "a body up to the end of the connection"),
        ("chunk", "enforce", "a body in chunks"),
        ("crlf", "enforce", "lines that end with LF, a charset"),
        ("moved", "none", "a redirect is not followed"),
        ("status", "none", "status 404"),
        ("type", "none", "another type"),
        ("big", "none", "more than 64 KiB"),
        ("bad", "none", "a malformed policy"),
        ("down", "none", "no web server"),
        ("self", "none", "a certificate for another name"),
        ("two", "none", "two records"),
        ("noid", "none", "a malformed id"),
        ("none", "none", "no record"),
    ]
    for name, mode, what in rows:
        want = ["mx.%s.test" % name.lower()] if mode != "none" else []
        t.equal(c.ask(name + ".test"), (mode, want), what)
    t.equal(https.requests[0][1].split("\r\n")[:2],
            ["GET /.well-known/mta-sts.txt HTTP/1.1",
             "Host: mta-sts.good.test"], "the request")
    n = len(https.requests)
    for _ in range(10):
        c.ask("good.test")
        c.ask("status.test")
    t.equal(len(https.requests), n, "it is not fetched again and again")
    threads = [threading.Thread(target=Client(program).ask,
                                args=("slow.test",)) for _ in range(10)]
    for x in threads:
        x.start()
    t.equal(c.ask("good.test")[0], "enforce", "a slow server stops nobody")
    t.ok(any(x.is_alive() for x in threads), "… who asks meanwhile")
    for x in threads:
        x.join()
    t.equal(len([r for r in https.requests if "slow" in r[0]]), 1,
            "ten who ask for one domain make one request")
    c.sock.send(packet("policy", ("domain", "../x")))
    t.equal(c.sock.recv(10), b"", "what is no domain closes the connection")
    t.ok("MTA-STS policy of good.test: id=2026good mode=enforce "
         "max_age=86400" in folder.read_log(), "the log has it")


def restart(t, folder, program, https):
    t.equal(program.stop(signal.SIGTERM), 0,
            "SIGTERM ends it with status 0")
    n = len(https.requests)
    program = folder.start("tls-policy", chroot=False)
    t.equal(Client(program).ask("good.test"), ("enforce", ["mx.good.test"]),
            "after a restart the policy is there")
    t.equal(len(https.requests), n, "… without being fetched")
    program.stop()
    with open(folder.data + "/tls-policies", "r+b") as f:
        f.write(b"\xff" * 40)
    program = folder.start("tls-policy", chroot=False)
    t.equal(Client(program).ask("good.test"), ("enforce", ["mx.good.test"]),
            "a damaged file: it begins anew")
    t.ok("is damaged" in folder.read_log(), "… loudly")
    t.equal(len([n for n in os.listdir(folder.data)
                 if n.startswith("tls-policies.damaged-")]), 1,
            "… and what it was is kept")
    return program


def sending(t, folder, port, ca):
    remote = folder.start("remote-send")
    q = Qmgr(remote)
    tls_ehlo = EHLO.replace("250 DSN", "250-STARTTLS\r\n250 DSN") % "x"
    good = ca.issue("mx.good.test", "mx.testing.test")
    rows = [
        ("good", good, False, "sent", "2.0.0", 1,
         "enforce, and the certificate is right"),
        ("crlf", good, False, "deferred", "4.7.5", 0,
         "enforce, and the certificate is for another name"),
        ("endless", good, True, "deferred", "4.7.5", 0,
         "enforce, and the handshake fails"),
        ("testing", good, True, "sent", "2.0.0", 1,
         "testing, and the handshake fails: in plain"),
        ("none", ca.issue("other.test"), False, "sent", "2.0.0", 1,
         "no policy: any certificate"),
        ("none", good, True, "sent", "2.0.0", 1,
         "no policy, and the handshake fails: in plain"),
    ]
    for name, cert, fails, want, dsn, n, what in rows:
        p = Peer("127.0.0.21", port, {"EHLO": tls_ehlo}, cert=cert,
                 tls_fails=fails)
        q = Qmgr(remote)
        d = q.deliver(name + ".test")
        t.equal((status(d), len(p.messages)), ((want, dsn), n), what)
        q.close()
        p.close()
    log = folder.read_log()
    t.ok("Verified TLS connection established to mx.good.test[127.0.0.21]"
         in log, "the log says verified")
    t.ok("Untrusted TLS connection established to mx.good.test[127.0.0.21]"
         in log, "… and untrusted")
    t.ok("trying again without TLS" in log, "… and why it was in plain")


def main():
    t = Tap()
    folder = Folder()
    try:
        ca = Authority(folder)
        https_port, port = free_port(), free_port()
        folder.configure([
            "resolver_offline = yes",
            "resolver_zone_file = " + folder.write("zone", zone()),
            "resolver_trust_anchor_file =",
            "smtp_tls_CAfile = " + ca.cert,
            "tls_policy_https_port = %d" % https_port,
            "smtp_tcp_port = %d" % port,
            "inet_protocols = ipv4",
            "smtp_helo_timeout = 5s"])
        names = ["mta-sts.%s.test" % n for n in GOOD]
        https = Https("127.0.0.22", https_port, ca.issue(*names), None)
        folder.start("resolver")
        folder.start("tlsproxy", "tls-client")
        program = folder.start("tls-policy", chroot=False)
        t.ok(all(p.ready for p in folder.programs), "all are ready")
        questions(t, folder, program, https)
        restart(t, folder, program, https)
        sending(t, folder, port, ca)
    finally:
        folder.end()
    t.done()


main()
