#!/usr/bin/env python3
"""tlsproxy alone: this test plays the programs that ask it for TLS and the
peers, with Python's ssl module and openssl s_client on the other side."""
import glob, hashlib, os, select, shutil, signal, socket, ssl, subprocess, sys
import tempfile, threading, time, warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, wait_for  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
warnings.simplefilter("ignore", DeprecationWarning)
DIR = tempfile.mkdtemp(prefix="tlsproxy.")
tap = Tap()
ok = tap.ok
started = []


def certificate(name, days=30, names=None, key="ec"):
    cert, keyfile = f"{DIR}/{name}.pem", f"{DIR}/{name}.key"
    alg = (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
           if key == "ec" else ["-newkey", "rsa:2048"])
    alt = ",".join("DNS:" + n for n in names or [name])
    subprocess.run(["openssl", "req", "-x509", *alg, "-nodes", "-keyout",
                    keyfile, "-out", cert, "-days", str(days), "-subj",
                    f"/CN={name}", "-addext", f"subjectAltName={alt}"],
                   check=True, stderr=subprocess.DEVNULL)
    return cert, keyfile


def chain(name):
    """A certificate of NAME under an authority of its own: the file with both,
    its key, and the authority."""
    ca, ca_key = certificate("authority." + name)
    run = lambda *a, **k: subprocess.run(["openssl", *a], check=True,
                                         stderr=subprocess.DEVNULL, **k)
    cert, key = certificate(name)
    run("x509", "-in", cert, "-x509toreq", "-signkey", key, "-out", f"{DIR}/{name}.csr")
    with open(f"{DIR}/{name}.ext", "w") as f:
        f.write(f"subjectAltName=DNS:{name}\n")
    run("x509", "-req", "-in", f"{DIR}/{name}.csr", "-CA", ca, "-CAkey", ca_key,
        "-CAcreateserial", "-extfile", f"{DIR}/{name}.ext", "-out", cert, "-days", "30")
    with open(cert, "a") as f:
        f.write(open(ca).read())
    return cert, key, ca


def leaf(cert):
    return open(cert).read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"


def expired(key, cert):
    """A certificate of last year, by `openssl ca`, which takes dates."""
    with open(f"{DIR}/ca.conf", "w") as f:
        f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={DIR}/ca.db\nserial={DIR}/ca.serial\n"
                f"new_certs_dir={DIR}\ndefault_md=sha256\npolicy=p\n[p]\n"
                "commonName=supplied\n[req]\ndistinguished_name=n\n[n]\n")
    open(f"{DIR}/ca.db", "w").close()
    run = lambda *a: subprocess.run(["openssl", *a], check=True, stderr=subprocess.DEVNULL)
    run("req", "-new", "-key", key, "-subj", "/CN=good.test", "-config",
        f"{DIR}/ca.conf", "-out", f"{DIR}/ca.csr")
    run("ca", "-batch", "-selfsign", "-create_serial", "-config", f"{DIR}/ca.conf",
        "-keyfile", key, "-in", f"{DIR}/ca.csr", "-out", cert, "-notext",
        "-startdate", "20200101000000Z", "-enddate", "20210101000000Z")


class Proxy:
    """One running tlsproxy with a configuration of its own."""

    def __init__(self, service, label, **config):
        self.dir = f"{DIR}/{label}"
        os.makedirs(self.dir + "/private")
        self.log = self.dir + "/log"
        self.path = f"{self.dir}/private/{service}"
        with open(self.dir + "/posthorn.conf", "w") as f:
            print(f"myhostname = mail.example.test\nlog_target = {self.log}\n"
                  f"run_directory = {self.dir}", file=f)
            for name, value in config.items():
                print(f"{name} = {value}", file=f)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.path)
        listener.listen(100)
        r, w = os.pipe()
        for fd in (listener.fileno(), w):
            os.set_inheritable(fd, True)
        env = dict(os.environ, POSTHORN_LISTEN=f"{service}:{listener.fileno()}",
                   POSTHORN_READY=str(w))
        self.process = subprocess.Popen(
            [TOP + "/bin/tlsproxy", "-c", self.dir + "/posthorn.conf"],
            env=env, close_fds=False)
        started.append(self.process)
        os.close(w)
        self.listener = listener
        self.ready = os.read(r, 100) == b"ready\n"
        os.close(r)

    def logged(self):
        with open(self.log) as f:
            return f.read()

    def ask(self, verb, fd, *attrs, wait=15):
        """Sends a request; gives (verb, attributes, plain socket)."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(wait)
        s.connect(self.path)
        data = b"".join(a.encode() + b"\0" for a in (verb, *attrs))
        socket.send_fds(s, [data], [fd])
        data, fds, _, _ = socket.recv_fds(s, 131072, 4)
        s.close()
        words = data.decode().split("\0")[:-1]
        plain = socket.socket(fileno=fds[0]) if fds else None
        if plain:
            plain.settimeout(60)
        return words[0], dict(w.split("=", 1) for w in words[1:]), plain

    def stop(self):
        self.process.terminate()
        return self.process.wait(10)


def tcp_pair():
    l = socket.socket()
    l.bind(("127.0.0.1", 0))
    l.listen(1)
    a = socket.create_connection(l.getsockname())
    b, _ = l.accept()
    l.close()
    a.settimeout(60)
    return a, b


def context(ca=None, **want):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if ca:
        c.load_verify_locations(ca)
        c.verify_mode = ssl.CERT_REQUIRED
    for name, value in want.items():
        setattr(c, name, value)
    return c


def accept(proxy, ctx=None, name=None, attrs=()):
    """A TLS client against the proxy: (answer, attributes, plain, client)."""
    a, b = tcp_pair()
    client = []

    def connect():
        try:
            client.append((ctx or context()).wrap_socket(
                a, server_hostname=name, suppress_ragged_eofs=False))
        except OSError as e:
            client.append(e)

    t = threading.Thread(target=connect)
    t.start()
    verb, info, plain = proxy.ask("accept", b.fileno(), *attrs)
    b.close()
    t.join()
    return verb, info, plain, client[0]


def exact(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            break
        data += piece
    return data


def hung_up(s):
    p = select.poll()
    p.register(s, 0)
    return bool(p.poll(0))


def eof(s):
    try:
        return s.recv(10) == b""
    except ConnectionResetError:
        return True


def sockets(proxy):
    """How many the workers have."""
    pid = proxy.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        workers = f.read().split()
    return sum("socket:" in os.path.realpath(d)
               for w in workers for d in glob.glob(f"/proc/{w}/fd/*"))


def test_server():
    cert, key = certificate("mail.example.test")
    other, other_key = certificate("other.test", names=["other.test", "*.other.test"],
                                   key="rsa")
    p = Proxy("tls-server", "server", smtpd_tls_cert_file=cert,
              smtpd_tls_key_file=key,
              tls_server_sni=f"other.test:{other}:{other_key} "
                             f".other.test:{other}:{other_key}")
    ok(p.ready, "tls-server says that it is ready")

    verb, info, plain, client = accept(p, context(ca=cert), "mail.example.test")
    ok(verb == "ok", "a handshake is done")
    ok(info["version"] == "TLSv1.3" and info["bits"] == "256" and
       info["cipher"].startswith("TLS_") and info["sni"] == "mail.example.test",
       f"version, cipher, bits and server name are told: {info}")
    client.sendall(b"EHLO a\r\n")
    ok(exact(plain, 8) == b"EHLO a\r\n", "what the peer sends comes plain")
    plain.sendall(b"250 b\r\n")
    ok(exact(client, 7) == b"250 b\r\n", "what the program says reaches the peer")

    big = os.urandom(6_000_000)
    t = threading.Thread(target=client.sendall, args=(big,))
    t.start()
    time.sleep(0.3)
    ok(exact(plain, len(big)) == big, "6 MB to a slow program come whole")
    t.join()
    t = threading.Thread(target=plain.sendall, args=(big,))
    t.start()
    time.sleep(0.3)
    ok(exact(client, len(big)) == big, "6 MB to a slow peer come whole")
    t.join()

    # the peer ends in order: the program may still answer
    t = threading.Thread(target=client.unwrap)
    t.start()
    ok(eof(plain) and not hung_up(plain),
       "close_notify is an end of file without a hang-up")
    plain.close()
    t.join(5)
    ok(not t.is_alive(), "the program's end answers it")

    verb, info, plain, client = accept(p, name="mail.example.test")
    plain.sendall(b"221 bye\r\n")
    plain.close()
    ok(exact(client, 9) == b"221 bye\r\n", "the last words arrive")
    ok(client.recv(1) == b"", "the program's end reaches the peer as close_notify")
    client.close()

    before = sockets(p)
    verb, info, plain, client = accept(p)
    plain.sendall(b"421 bye\r\n")
    plain.close()
    client.sendall(bytes(500_000))
    ok(exact(client, 9) == b"421 bye\r\n" and client.recv(1) == b"",
       "the last words reach a peer that is still sending")
    client.close()
    ok(wait_for(lambda: sockets(p) <= before), "its end ends the connection")

    verb, info, plain, client = accept(p)
    client.sendall(b"DATA")
    time.sleep(0.1)
    os.close(client.detach())
    ok(exact(plain, 4) == b"DATA" and eof(plain) and hung_up(plain),
       "a peer that breaks off is told from one that ends")
    plain.close()

    seen = []
    for name in ("other.test", "a.other.test", "unknown.test"):
        verb, info, plain, client = accept(p, context(), name)
        der = client.getpeercert(True)
        seen.append(hashlib.sha256(der).hexdigest() ==
                    hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(other).read())).hexdigest())
        client.close(), plain.close()
    ok(seen == [True, True, False], "the server name chooses the certificate")

    old = context(minimum_version=ssl.TLSVersion.TLSv1,
                  maximum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    verb, info, plain, client = accept(p, old)
    ok(verb == "failed" and info["why"], f"TLS 1.1 is refused: {info.get('why')}")
    verb, info, plain, client = accept(
        p, context(maximum_version=ssl.TLSVersion.TLSv1_2))
    ok(verb == "ok" and info["version"] == "TLSv1.2", "TLS 1.2 is spoken")
    client.close(), plain.close()

    a, b = tcp_pair()
    a.sendall(b"RSET\r\nMAIL FROM:<x@y>\r\n" * 10)
    verb, info, plain = p.ask("accept", b.fileno())
    ok(verb == "failed" and plain is None, f"plain text is no handshake: {info['why']}")
    a.close(), b.close()
    a, b = tcp_pair()
    begun = time.monotonic()
    verb, info, plain = p.ask("accept", b.fileno(), "timeout=300")
    ok(verb == "failed" and "too long" in info["why"] and
       0.2 < time.monotonic() - begun < 30, "a silent peer meets the deadline")
    a.close(), b.close()
    a, b = tcp_pair()
    a.close()
    verb, info, plain = p.ask("accept", b.fileno())
    ok(verb == "failed", f"a peer that went away: {info['why']}")

    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(p.path)
    s.settimeout(60)
    s.send(b"rubbish")
    ok(s.recv(100) == b"", "a malformed request ends that program's connection")

    # tickets: every worker can read those of the others
    reused = 0
    ctx = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    verb, info, plain, client = accept(p, ctx)
    session = client.session
    client.close(), plain.close()
    for _ in range(12):
        a, b = tcp_pair()
        got = []
        t = threading.Thread(target=lambda: got.append(
            ctx.wrap_socket(a, session=session)))
        t.start()
        verb, info, plain = p.ask("accept", b.fileno())
        t.join()
        reused += got[0].session_reused
        got[0].close(), plain.close(), b.close()
    ok(reused == 12, f"session tickets work across workers: {reused} of 12")

    # many at once
    held = [accept(p) for _ in range(60)]
    good = all(h[0] == "ok" for h in held)
    for i, h in enumerate(held):
        h[3].sendall(b"%04d" % i)
    good = good and all(exact(h[2], 4) == b"%04d" % i for i, h in enumerate(held))
    ok(good, "60 connections at once are kept apart")
    for h in held[1:]:
        h[2].close(), h[3].close()

    p.process.terminate()
    time.sleep(0.5)
    verb, info, plain, client = held[0]
    client.sendall(b"still")
    ok(p.process.poll() is None and exact(plain, 5) == b"still",
       "asked to end, it finishes its connections")
    client.close(), plain.close()
    ok(p.process.wait(10) == 0, "… and then ends with status 0")


def test_faults():
    cert, key = certificate("good.test")
    _, wrong = certificate("wrong.test")
    old = f"{DIR}/expired.pem"
    expired(key, old)
    with open(DIR + "/broken.pem", "w") as f:
        f.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    cases = [("missing", f"{DIR}/nowhere.pem", key, f"{DIR}/nowhere.pem: No such file"),
             ("nokey", cert, f"{DIR}/nokey.pem", f"{DIR}/nokey.pem: No such file"),
             ("broken", f"{DIR}/broken.pem", key, f"{DIR}/broken.pem: cannot use"),
             ("mismatch", cert, wrong, f"{wrong}: cannot use this key")]
    for label, c, k, message in cases:
        p = Proxy("tls-server", label, smtpd_tls_cert_file=c, smtpd_tls_key_file=k)
        verb, info, plain, client = accept(p)
        ok(p.ready and message in p.logged(), f"certificate {label}: the log names the file")
        ok(verb == "failed" and message in info["why"],
           f"certificate {label}: programs are told too")
        p.stop()
    p = Proxy("tls-server", "expired", smtpd_tls_cert_file=old, smtpd_tls_key_file=key)
    verb, info, plain, client = accept(p)
    ok(f"{old}: the certificate has expired" in p.logged() and verb == "ok",
       "an expired certificate is told, and served")
    client.close(), plain.close()
    p.stop()
    p = Proxy("tls-server", "sni", smtpd_tls_cert_file=cert, smtpd_tls_key_file=key,
              tls_server_sni=f"a.test:{DIR}/nowhere.pem:{key}, junk")
    verb, info, plain, client = accept(p)
    ok(verb == "ok" and "nowhere.pem" in p.logged() and
       "wants name:certificate:key: junk" in p.logged(),
       "a bad pair among the further ones leaves the others in use")
    client.close(), plain.close()
    p.stop()


def connect(proxy, cert, key, *attrs, greeting=b"220 hello\r\n"):
    """A TLS server of Python's against the proxy as client."""
    a, b = tcp_pair()
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(cert, key)
    names = []
    ctx.sni_callback = lambda s, name, c: names.append(name)

    def serve():
        try:
            s = ctx.wrap_socket(a, server_side=True)
            s.sendall(greeting)
            s.close()
        except OSError:
            a.close()

    t = threading.Thread(target=serve)
    t.start()
    verb, info, plain = proxy.ask("connect", b.fileno(), *attrs)
    b.close()
    got = exact(plain, len(greeting)) if plain else None
    t.join()
    if plain:
        plain.close()
    return verb, info, got == greeting, names


def tlsa(cert, usage, selector, matching):
    der = ssl.PEM_cert_to_DER_cert(leaf(cert))
    if selector == 1:
        pub = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey"],
                             capture_output=True, check=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"],
                             input=pub, capture_output=True, check=True).stdout
    data = {0: der.hex(), 1: hashlib.sha256(der).hexdigest(),
            2: hashlib.sha512(der).hexdigest()}[matching]
    return f"tlsa={usage} {selector} {matching} {data}"


def test_client():
    cert, key, ca = chain("mx.peer.test")
    other, _ = certificate("ca.test")
    p = Proxy("tls-client", "client", smtp_tls_CAfile=ca)
    sni = "sni=mx.peer.test"
    bad = tlsa(other, 3, 1, 1)
    cases = [
        # name, attributes, verb, verified
        ("may: any certificate", ("level=may", sni), "ok", "0"),
        ("may with the right name: verified", ("level=may", sni, "name=mx.peer.test"), "ok", "1"),
        ("may with a wrong name: not verified", ("level=may", sni, "name=else.test"), "ok", "0"),
        ("verify: right name", ("level=verify", sni, "name=mx.peer.test"), "ok", "1"),
        ("verify: one of the names", ("level=verify", sni, "name=else.test", "name=mx.peer.test"), "ok", "1"),
        ("verify: wrong name", ("level=verify", sni, "name=else.test"), "failed", None),
        ("dane 3 1 1", ("level=dane", sni, tlsa(cert, 3, 1, 1)), "ok", "1"),
        ("dane 3 0 2", ("level=dane", sni, tlsa(cert, 3, 0, 2)), "ok", "1"),
        ("dane 3 1 1 asks for no name", ("level=dane", "sni=else.test", tlsa(cert, 3, 1, 1)), "ok", "1"),
        ("dane 2 0 1 asks for the name", ("level=dane", "sni=else.test", tlsa(ca, 2, 0, 1)), "failed", None),
        ("dane 2 0 1", ("level=dane", sni, tlsa(ca, 2, 0, 1)), "ok", "1"),
        ("dane 2 0 1 with a further name", ("level=dane", "sni=else.test", "name=mx.peer.test", tlsa(ca, 2, 0, 1)), "ok", "1"),
        ("dane: no record matches", ("level=dane", sni, bad), "failed", None),
        ("dane: one of two records", ("level=dane", sni, bad, tlsa(cert, 3, 1, 1)), "ok", "1"),
        ("dane: usages 0 and 1 cannot be used", ("level=dane", sni, tlsa(cert, 1, 1, 1), tlsa(cert, 0, 0, 1)), "ok", "0"),
        ("dane: a usable record must match beside them", ("level=dane", sni, tlsa(cert, 1, 1, 1), bad), "failed", None),
        ("dane: unknown matching type cannot be used", ("level=dane", sni, "tlsa=3 1 9 00"), "ok", "0"),
        ("a malformed record", ("level=dane", sni, "tlsa=3 1 x"), "failed", None),
        ("an unknown level", ("level=wild", sni), "failed", None),
    ]
    for name, attrs, verb, verified in cases:
        got, info, greeted, names = connect(p, cert, key, *attrs)
        good = got == verb and info.get("verified") == verified
        if verb == "ok":
            good = good and greeted and names == [attrs[1][4:]]
        if verified != "1":
            good = good and info["why"] != ""
        if not ok(good, f"{name}{': ' + info['why'] if info.get('why') else ''}"):
            print("#", got, info, names)
    ok(p.stop() == 0, "tls-client ends with status 0")
    p = Proxy("tls-client", "noca", smtp_tls_CAfile=f"{DIR}/nowhere.pem")
    got, info, greeted, names = connect(p, cert, key, "level=may", sni)
    ok(got == "ok" and "nowhere.pem" in p.logged(),
       "a missing CA file is told, and hinders only verification")
    p.stop()


try:
    test_server()
    test_faults()
    test_client()
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
    shutil.rmtree(DIR)
tap.done()
