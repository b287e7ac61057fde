"""The servers: each starts in a fresh folder, with the same users, on free
ports, and knows its main process (pid) and its log."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

TOP = str(pathlib.Path(__file__).resolve().parents[2])
sys.path.insert(0, TOP + "/t/lib")
from mailservers import PASSWORD  # noqa: E402, F401
from mailservers import (free_ports, password_line, wait_port,  # noqa: E402
                         write_dovecot, write_postfix)

USERS = 10
UID = 8
HOSTS = 100	# of the far side: 127.0.1.1 to 127.0.1.100


def far_hosts():
    """Names of hosts and their addresses."""
    names = ["one"] + ["d%d" % i for i in range(1, HOSTS)]
    return [(name + ".relay.test", "127.0.1.%d" % (i + 1))
            for i, name in enumerate(names)]


def make_mailboxes(root):
    for i in range(USERS):
        for below in ("new", "cur", "tmp"):
            (root / ("u%d/Maildir/%s" % (i, below))).mkdir(parents=True,
                                                           exist_ok=True)
    subprocess.run(["chown", "-R", "%d:%d" % (UID, UID), str(root)],
                   check=True)


def passwd_file(dir):
    return "".join(password_line("u%d@bench.test" % i, UID,
                                 "%s/mail/u%d" % (dir, i))
                   for i in range(USERS))


class Run:
    """One server in a folder of its own, gone afterwards."""

    def __init__(self, peer, where, **options):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=where))
        self.dir.chmod(0o755)
        self.server = peer()
        self.options = options

    def __enter__(self):
        try:
            (self.dir / "mail").mkdir()
            make_mailboxes(self.dir / "mail")
            self.server.start(self.dir, **self.options)
        except BaseException:
            self.__exit__()
            raise
        return self.server

    def __exit__(self, *what):
        self.server.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Posthorn:
    name = "posthorn"

    @staticmethod
    def checks(world):
        """What it needs to check and sign in the WORLD of checks.py."""
        if not world:
            return ["authcheck_incoming=no"]
        keys = world.write("keys", "bench.test s1 %s\n" % world.ours.path)
        return ["authcheck_incoming=yes", "dmarc_reject=yes",
                "dkim_keys_file=" + keys,
                "resolver_stub_zones=sender.example=127.0.0.53@53 "
                "bench.test=127.0.0.53@53"]

    def start(self, dir, sink=25, clients=100, world=None):
        self.dir, self.log = dir, dir / "log"
        (dir / "users").write_text(passwd_file(dir))
        (dir / "users").chmod(0o644)	# nothing in it is secret
        (dir / "zone").write_text("".join(
            "%s. 300 IN A %s\n" % host for host in far_hosts()))
        subprocess.run([TOP + "/t/sandbox", "start", str(dir),
                        "sandbox_domain=bench.test",
                        "mynetworks=127.0.0.0/8",
                        "virtual_uid_maps=static:%d" % UID,
                        "virtual_gid_maps=static:%d" % UID,
                        *self.checks(world),
                        "disable_plaintext_auth=no",
                        "smtpd_process_limit=%d" % clients,
                        "imap_process_limit=%d" % max(1000, 2 * clients),
                        "smtp_tcp_port=%d" % sink], check=True)
        env = dict(line.split("=", 1) for line in
                   (dir / "env").read_text().split())
        self.pid = int(env["PID"])
        self.port, self.imap = int(env["SMTP_PORT"]), int(env["IMAP_PORT"])
        self.submission = int(env["SUBMISSION_PORT"])
        self.pop3, self.imaps = int(env["POP3_PORT"]), int(env["IMAPS_PORT"])
        self.lmtp = env["LMTP_SOCKET"]
        for port in (self.port, self.imap, self.pop3):
            wait_port(port)

    def stop(self):
        subprocess.run([TOP + "/t/sandbox", "stop", str(self.dir)])


SETTINGS = """default_process_limit = {clients}
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/users
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
transport_maps = texthash:{folder}/transport
virtual_mailbox_limit = 0
smtp_host_lookup = native
smtpd_tls_security_level = may
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
"""
SERVICES = """smtp unix - - n - - smtp
relay unix - - n - - smtp
local unix - n n - - local
virtual unix - n n - - virtual
"""


def make_certificate(dir):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=mail.bench.test", "-keyout",
                    str(dir / "key.pem"), "-out", str(dir / "cert.pem")],
                   check=True, capture_output=True)


CHECKS_CF = """smtpd_milters = inet:127.0.0.1:{dkim}, inet:127.0.0.1:{dmarc}
milter_default_action = tempfail
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination,
 check_policy_service unix:private/policy
policy_time_limit = 3600
"""
POLICY_CF = """policy unix - n n - 0 spawn user=nobody
 argv=/usr/sbin/postfix-policyd-spf-perl
"""
OPENDKIM_CONF = """Mode sv
Socket inet:{dkim}@127.0.0.1
AuthservID mx.bench.test
Domain bench.test
Selector s1
KeyFile {key}
RequireSafeKeys no
Canonicalization relaxed/relaxed
OversignHeaders From
Nameservers 127.0.0.53
UserID opendkim
"""
OPENDMARC_CONF = """Socket inet:{dmarc}@127.0.0.1
AuthservID mx.bench.test
TrustedAuthservIDs mx.bench.test
RejectFailures true
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
UserID opendmarc
"""


class Postfix:
    name = "postfix"
    process = None

    def checks(self, world):
        """The commands that run beside it for the WORLD of checks.py."""
        if not world:
            return ""
        dkim, dmarc = free_ports(2)
        ports = {"dkim": dkim, "dmarc": dmarc, "key": self.dir / "key"}
        shutil.copy(world.ours.path, ports["key"])
        shutil.chown(ports["key"], "opendkim")
        for name, text in (("main.cf", CHECKS_CF), ("master.cf", POLICY_CF),
                           ("opendkim.conf", OPENDKIM_CONF),
                           ("opendmarc.conf", OPENDMARC_CONF)):
            with open(self.dir / "conf" / name, "a") as f:
                f.write(text.format(**ports))
        return ("opendkim -f -x %s/conf/opendkim.conf & "
                "opendmarc -f -c %s/conf/opendmarc.conf & sleep 1; " %
                (self.dir, self.dir))

    def start(self, dir, sink=25, clients=100, world=None):
        self.dir, self.port = dir, free_ports(1)[0]
        self.log = dir / "maillog"
        conf = dir / "conf"
        for name in ("conf", "queue", "data"):
            (dir / name).mkdir()
        shutil.chown(dir / "data", "postfix")
        make_certificate(dir)
        write_postfix(str(conf), SETTINGS, SERVICES, folder=dir,
                      queue=dir / "queue", data=dir / "data", port=self.port,
                      domain="bench.test", pickup=60, qmgr=300,
                      clients=clients, uid=UID)
        (dir / "users").write_text("".join(
            "u%d@bench.test u%d/Maildir/\n" % (i, i) for i in range(USERS)))
        (dir / "transport").write_text("".join(
            "%s smtp:[%s]:%d\n" % (*host, sink) for host in far_hosts()))
        beside = self.checks(world)
        self.submission = self.port
        self.process = subprocess.Popen(
            ["sh", "-c", "%spostfix -c %s start-fg & wait" % (beside, conf)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid = self.process.pid
        wait_port(self.port)

    def stop(self):
        if self.process:
            subprocess.run(["postfix", "-c", str(self.dir / "conf"), "stop"],
                           capture_output=True)
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)


DOVECOT_SETTINGS = """mail_max_userip_connections = 100000
default_client_limit = 10000
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
service imap-login {{
  process_limit = 2000
}}
service imap {{
  process_limit = 2000
}}
"""


class Dovecot:
    name = "dovecot"
    process = None

    def start(self, dir, sink=25, clients=100, world=None):
        self.dir, self.log = dir, dir / "log"
        self.imap, self.imaps, self.pop3 = free_ports(3)
        self.lmtp = str(dir / "run/lmtp")
        make_certificate(dir)
        (dir / "users").write_text(passwd_file(dir))
        conf = dir / "dovecot.conf"
        write_dovecot(str(conf), DOVECOT_SETTINGS, folder=dir,
                      run=dir / "run", imap=self.imap, imaps=self.imaps,
                      pop3=self.pop3)
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", str(conf)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        wait_port(self.imap)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
