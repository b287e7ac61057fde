#!/usr/bin/env python3
"""Behind proxies: HAProxy and nginx pass connections on, and say for whom (the
PROXY protocol), with TLS going through, or ending there."""
import base64
import grp
import http.server
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

tap = Tap()
CLIENT, OTHER, STRANGER = "127.0.0.5", "127.0.0.6", "127.0.0.7"
PROXY = "127.0.0.9"
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def free_ports(n):
    held = [socket.socket() for _ in range(n)]
    for h in held:
        h.bind(("127.0.0.1", 0))
    ports = [h.getsockname()[1] for h in held]
    for h in held:
        h.close()
    return ports


class Talk:
    """A client at an address of its own."""

    def __init__(self, s, port, source=CLIENT, tls=False, first=b""):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=60,
                                          source_address=(source, 0))
        self.s.sendall(first)
        if tls:
            self.start_tls(s)
        self.f = self.s.makefile("rb")

    def start_tls(self, s):
        context = s.context()
        context.check_hostname = False
        self.s = context.wrap_socket(self.s)
        self.f = self.s.makefile("rb")

    def read(self):
        try:
            return self.f.readline()
        except OSError:
            return b""

    def ask(self, line, end=b""):
        self.s.sendall(line + b"\r\n")
        got = self.read()
        while end and got and not got.startswith(end):
            got = self.read()
        return got

    def close(self):
        self.f.close()
        self.s.close()


def imap(talk, s):
    talk.read()
    got = talk.ask(b"a LOGIN %s %s" % (s.USER1.encode(), s.PASS1.encode()),
                   b"a ")
    talk.close()
    return got[:4]


def pop3(talk, s):
    talk.read()
    talk.ask(b"USER " + s.USER1.encode())
    got = talk.ask(b"PASS " + s.PASS1.encode())
    talk.close()
    return got[:3]


def smtp(talk, s, login=False, starttls=False):
    """EHLO and a message."""
    talk.read()
    talk.ask(b"EHLO client.test", b"250 ")
    if starttls:
        talk.ask(b"STARTTLS")
        talk.start_tls(s)
        talk.ask(b"EHLO client.test", b"250 ")
    if login:
        talk.ask(b"AUTH PLAIN " + base64.b64encode(("\0%s\0%s" % (
            s.USER1, s.PASS1)).encode()))
    sender = s.address() if login else "a@sender.test"
    talk.ask(b"MAIL FROM:<%s>" % sender.encode())
    talk.ask(b"RCPT TO:<%s>" % s.address(s.USER2).encode())
    talk.ask(b"DATA")
    got = talk.ask(b"From: <%s>\r\n\r\nx\r\n." % sender.encode())
    talk.ask(b"QUIT")
    talk.close()
    return got[:3]


def daemon(*command):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


def haproxy_conf(s, pem, rows):
    text = ("global\n  maxconn 200\ndefaults\n  mode tcp\n"
            "  timeout connect 10s\n  timeout client 60s\n"
            "  timeout server 60s\n")
    for n, (port, to, how, tls) in enumerate(rows):
        text += ("listen l%d\n  bind 127.0.0.1:%d%s\n"
                 "  server s 127.0.0.1:%d source %s %s\n" % (
                     n, port, " ssl crt " + pem if tls else "", to, PROXY, how))
    return text


def by_haproxy(s):
    if not shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin"):
        tap.ok(True, "haproxy # SKIP it is not installed")
        return
    ports = free_ports(9)
    pem = s.path("both.pem")
    with open(pem, "w") as f:
        for part in s.path("cert.pem"), s.path("key.pem"):
            with open(part) as g:
                f.write(g.read())
    rows = list(zip(ports, (
        s.IMAPS_PORT, s.POP3S_PORT, s.SMTP_PORT, s.SUBMISSION_PORT,
        s.SUBMISSIONS_PORT, s.IMAP_PORT, s.POP3_PORT, s.SUBMISSIONS_PORT,
        s.IMAP_PORT), ("send-proxy", "send-proxy-v2") * 2 + (
            "send-proxy",) + ("send-proxy-v2-ssl-cn",) * 3 + (
            "send-proxy-v2",), (False,) * 5 + (True,) * 4))
    conf = s.path("haproxy.cfg")
    with open(conf, "w") as f:
        f.write(haproxy_conf(s, pem, rows))
    p = daemon("/usr/sbin/haproxy", "-db", "-f", conf)
    try:
        tap.ok(wait_for(lambda: all(map(listens, ports[:1]))), "haproxy runs")
        to = [lambda n=n, tls=False: Talk(s, ports[n], tls=tls)
              for n in range(9)]
        tap.equal(imap(to[0](tls=True), s), b"a OK", "IMAP, version 1")
        tap.equal(pop3(to[1](tls=True), s), b"+OK", "POP3, version 2")
        tap.equal(smtp(to[2](), s), b"250", "SMTP, version 1")
        tap.equal(smtp(to[3](), s, True, True), b"250",
                  "submission with STARTTLS, version 2")
        tap.equal(smtp(to[4](tls=True), s, True), b"250",
                  "submission under TLS, version 1")
        tap.equal(imap(to[5](tls=True), s), b"a OK",
                  "IMAP, whose TLS ends at the proxy")
        tap.equal(pop3(to[6](tls=True), s), b"+OK", "and POP3")
        tap.equal(smtp(to[7](tls=True), s, True), b"250", "and submission")
        tap.equal(imap(to[8](tls=True), s), b"a NO",
                  "but only if the proxy says so")
        tap.ok(s.wait_log("login: client=%s, " % CLIENT, times=7),
                  "logins are those of the client")
        log = s.read_log()
        tap.ok("connect from localhost[%s]" % CLIENT in log or
               "connect from unknown[%s]" % CLIENT in log, "and so is mail")
        tap.ok(PROXY not in log, "the proxy is not to be seen")
        got = s.wait_messages(4, s.USER2)
        tap.ok(len(got) == 4 and sum(
            CLIENT.encode() in m for m in got) >= 1, "nor in Received", got)
    finally:
        p.terminate()
        p.wait()


def by_hand(s):
    """What a proxy may say, and who is one."""
    header = b"PROXY TCP4 %s 127.0.0.1 5555 143\r\n"
    for port, good in ((s.IMAP_PORT, b"* OK"), (s.POP3_PORT, b"+OK"),
                       (s.SMTP_PORT, b"220"), (s.SUBMISSION_PORT, b"220")):
        t = Talk(s, port, PROXY, first=V2 + b"\x20\0\0\0")
        tap.ok(t.read().startswith(good), "a proxy may speak for itself")
        t.close()
        t = Talk(s, port, PROXY, first=b"GET / HTTP/1.0\r\n\r\n")
        tap.equal(t.read(), b"", "but has to say so")
        t.close()
        t = Talk(s, port, STRANGER, first=header % OTHER.encode())
        got = t.read() + t.read()
        tap.ok(b"BAD" in got or b"-ERR" in got or b"55" in got or
               b"50" in got, "nobody else may say who he is", got)
        t.close()
        many, got = [], []
        for _ in range(4):
            many.append(Talk(s, port, PROXY, first=header % CLIENT.encode()))
            got.append(many[-1].read().startswith(good))
        tap.equal(got, [True, True, True, False],
                  "each client has the limits of its own")
        t = Talk(s, port, PROXY, first=header % OTHER.encode())
        tap.ok(t.read().startswith(good), "and another one is let in")
        for c in many + [t]:
            c.close()
    tap.ok(s.wait_log("does not say for whom it speaks", times=4),
              "the log tells of proxies that are none")


class Auth(http.server.BaseHTTPRequestHandler):
    """nginx asks where a login is to go."""
    ports = {}

    def do_GET(self):
        self.send_response(200)
        self.send_header("Auth-Status", "OK")
        self.send_header("Auth-Server", "127.0.0.1")
        self.send_header("Auth-Port",
                         str(self.ports[self.headers["Auth-Protocol"]]))
        self.end_headers()

    def log_message(self, *_):
        pass


def nginx(s, servers, **ports):
    """Runs it with its settings SERVERS, and asks us where logins of a protocol
    go, by PORTS."""
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Auth)
    Auth.ports = ports
    threading.Thread(target=web.serve_forever, daemon=True).start()
    home = tempfile.mkdtemp(dir=s.dir)
    conf = os.path.join(home, "nginx.conf")
    with open(conf, "w") as f:
        f.write("load_module /usr/lib/nginx/modules/ngx_mail_module.so;\n"
                "daemon off;\nerror_log %s/log;\npid %s/pid;\n"
                "events {}\nmail {\n  auth_http 127.0.0.1:%d/;\n%s}\n" % (
                    home, home, web.server_address[1], servers))
    return web, daemon("/usr/sbin/nginx", "-p", home, "-c", conf)


def has_nginx():
    there = os.path.exists("/usr/lib/nginx/modules/ngx_mail_module.so")
    if not there:
        tap.ok(True, "nginx # SKIP it, or its mail module, is not installed")
    return there


def by_nginx(s):
    if not has_nginx():
        return
    ports = free_ports(2)
    web, p = nginx(s, "  proxy_protocol on;\n"
                   "  server { listen 127.0.0.1:%d; protocol imap; }\n"
                   "  server { listen 127.0.0.1:%d; protocol pop3; }\n" %
                   tuple(ports), imap=s.IMAP_PORT, pop3=s.POP3_PORT)
    try:
        tap.ok(wait_for(lambda: all(map(listens, ports))), "nginx runs")
        tap.equal(imap(Talk(s, ports[0]), s), b"a OK", "nginx, IMAP")
        tap.equal(pop3(Talk(s, ports[1]), s), b"+OK", "nginx, POP3")
        tap.ok(s.wait_log("login: client=%s, " % CLIENT, times=2),
                  "with the client's address")
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait()
        web.shutdown()


def by_nginx_smtp(s):
    """It checks the login itself, and passes it on with XCLIENT."""
    if not has_nginx():
        return
    port = free_ports(1)[0]
    web, p = nginx(s, "  server { listen 127.0.0.1:%d; protocol smtp;\n"
                   "    smtp_auth plain login; xclient on; }\n" % port,
                   smtp=s.SUBMISSION_PORT)
    try:
        tap.ok(wait_for(lambda: listens(port)), "nginx runs")
        tap.equal(smtp(Talk(s, port), s, True), b"250", "nginx, SMTP")
        got = s.wait_messages(1, s.USER2)
        tap.ok(len(got) == 1 and
               "[%s], sasl_username=%s" % (CLIENT, s.address()) in s.read_log(),
               "with the client's address and login")
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait()
        web.shutdown()


DOVECOT = """\
base_dir=%(home)s/run
state_dir=%(home)s/state
log_path=%(home)s/log
protocols=imap pop3
ssl=no
disable_plaintext_auth=no
listen=127.0.0.1
default_internal_user=%(user)s
default_login_user=%(user)s
default_internal_group=%(group)s
login_trusted_networks=
service anvil {
  chroot=
}
service imap-login {
  chroot=
  inet_listener imap {
    port=%(imap)d
  }
  inet_listener imaps {
    port=0
  }
}
service pop3-login {
  chroot=
  inet_listener pop3 {
    port=%(pop3)d
  }
  inet_listener pop3s {
    port=0
  }
}
service stats {
  chroot=
}
passdb {
  driver=static
  args=proxy=y host=127.0.0.1 port=%(to)d nopassword=y master=ops pass=masters
}
"""


def by_dovecot(s, protocol, port):
    """Its proxy logs in as a master user, and tells for whom."""
    if not os.path.exists("/usr/sbin/dovecot"):
        tap.ok(True, "Dovecot's proxy # SKIP it is not installed")
        return
    ports = free_ports(2)
    home = tempfile.mkdtemp(dir=s.dir)
    os.chmod(home, 0o755)
    user, group = (pwd.getpwuid(os.getuid()).pw_name,
                   grp.getgrgid(os.getgid()).gr_name)
    if os.getuid() == 0:
        user, group = "dovecot", "dovecot"
    with open(os.path.join(home, "conf"), "w") as f:
        f.write(DOVECOT % {"home": home, "user": user, "group": group,
                           "imap": ports[0], "pop3": ports[1], "to": port})
    p = daemon("/usr/sbin/dovecot", "-F", "-c", os.path.join(home, "conf"))
    try:
        own = ports[protocol == "pop3"]
        tap.ok(wait_for(lambda: listens(own)), "Dovecot runs")
        t = Talk(s, own)
        got = imap(t, s) if protocol == "imap" else pop3(t, s)
        tap.equal(got, b"a OK" if protocol == "imap" else b"+OK",
                  "Dovecot's proxy, " + protocol)
        tap.ok("login: client=%s, service=%s, method=PLAIN, user=%s, "
               "master=ops" % (CLIENT, protocol, s.address()) in s.read_log(),
               "with the client's address")
    finally:
        p.terminate()
        p.wait()


def xclient(s):
    """A proxy that says for whom it speaks, over SMTP."""
    t = Talk(s, s.SMTP_PORT, CLIENT)
    t.read()
    tap.equal(t.ask(b"XCLIENT ADDR=192.0.2.1")[:3], b"550", "no stranger may")
    t.close()
    t = Talk(s, s.SMTP_PORT, PROXY)
    t.read()
    t.s.sendall(b"EHLO proxy.test\r\n")
    said = [t.read()]
    while not said[-1].startswith(b"250 "):
        said.append(t.read())
    tap.ok(any(x.startswith(b"250-XCLIENT ") for x in said), "a proxy may",
           said)
    for bad in (b"", b" ADDR", b" ADDR=300.1.1.1", b" ADDR=IPV6:x", b" WHO=x",
                b" NAME=a+", b" LOGIN=nobody@example.test"):
        tap.equal(t.ask(b"XCLIENT" + bad)[:3], b"501", "XCLIENT%s" %
                  bad.decode())
    tap.equal(t.ask(b"XCLIENT NAME=mx+2Eclient.test ADDR=192.0.2.7 PORT=[UNAVAI"
                    b"LABLE] HELO=x PROTO=ESMTP")[:3], b"220",
              "the session begins anew")
    tap.equal(t.ask(b"MAIL FROM:<a@sender.test>")[:3], b"503", "with EHLO")
    t.ask(b"EHLO mx.client.test", b"250 ")
    t.ask(b"MAIL FROM:<a@sender.test>")
    tap.equal(t.ask(b"RCPT TO:<x@elsewhere.test>")[:3], b"554",
              "as a stranger")
    t.ask(b"RCPT TO:<%s>" % s.address().encode())
    tap.equal(t.ask(b"XCLIENT ADDR=192.0.2.8")[:3], b"503", "within a message")
    t.ask(b"DATA")
    tap.equal(t.ask(b"From: <a@sender.test>\r\n\r\nx\r\n.")[:3], b"250",
              "mail")
    tap.equal(t.ask(b"XCLIENT ADDR=IPV6:2001:db8::7 NAME=[TEMPUNAVAIL]")[:3],
              b"220", "and another client")
    t.close()
    got = s.wait_messages(1)[0]
    tap.ok(b"from mx.client.test (mx.client.test [192.0.2.7])" in got,
           "Received has the client", got)
    tap.ok(wait_for(lambda: "[2001:db8::7]" in s.read_log()), "and the log")
    t = Talk(s, s.SUBMISSION_PORT, PROXY)
    t.read()
    t.ask(b"EHLO proxy.test", b"250 ")
    t.ask(b"XCLIENT ADDR=192.0.2.7 LOGIN=" + s.address().encode())
    t.ask(b"EHLO x.test", b"250 ")
    tap.equal([t.ask(b"MAIL FROM:<%s>" % a.encode())[:3] for a in (
        s.address(s.USER2), s.address())], [b"553", b"250"],
              "a login of the proxy's")
    t.close()


def untrusted(s):
    """Others may say what they like."""
    t = Talk(s, s.IMAP_PORT)
    t.read()
    t.ask(b'a ID ("x-originating-ip" "192.0.2.1")', b"a ")
    tap.equal(t.ask(b"b LOGIN nobody x", b"b ")[:4], b"b NO", "a login")
    t.close()
    t = Talk(s, s.POP3_PORT)
    tap.ok(b"XCLIENT" not in t.read(), "no word of XCLIENT to strangers")
    tap.equal(t.ask(b"XCLIENT ADDR=192.0.2.1")[:4], b"-ERR", "who are refused")
    t.close()
    tap.ok("192.0.2.1" not in s.read_log(), "nobody believes a stranger")


with Instance("haproxy_trusted_networks=" + PROXY) as instance:
    by_haproxy(instance)
with Instance("haproxy_trusted_networks=" + PROXY,
              "smtpd_client_connection_count_limit=3") as instance:
    by_hand(instance)
with Instance("smtpd_authorized_xclient_hosts=" + PROXY) as instance:
    xclient(instance)
# nginx connects from 127.0.0.1, and only speaks without TLS
with Instance("haproxy_trusted_networks=127.0.0.1",
              "disable_plaintext_auth=no") as instance:
    by_nginx(instance)
hashed = subprocess.run(["openssl", "passwd", "-6", "masters"], check=True,
                        capture_output=True, text=True).stdout
with Instance("login_trusted_networks=127.0.0.1", "disable_plaintext_auth=no",
              "smtpd_authorized_xclient_hosts=127.0.0.1",
              "auth_master_user_maps=texthash:$config_directory/masters",
              masters="ops " + hashed) as instance:
    by_dovecot(instance, "imap", instance.IMAP_PORT)
    by_dovecot(instance, "pop3", instance.POP3_PORT)
    by_nginx_smtp(instance)
    untrusted(instance)
tap.done()
