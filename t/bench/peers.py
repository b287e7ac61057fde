"""The servers: each starts in a fresh folder, with the same users, on free
ports, and knows its main process (pid) and its log."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = str(pathlib.Path(__file__).resolve().parents[2])
USERS = 10
PASSWORD = "secret"
# SHA-256 with 1000 rounds: the cheapest that both know, to see the servers
HASH = "$5$rounds=1000$benchbench$eD.lwpTEs1cDocuYAIm6q71z0ynpqeujFJioPwGstW2"
UID = 8
HOSTS = 100	# of the far side: 127.0.1.1 to 127.0.1.100


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("nothing on port %d" % port)


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
    return "".join("u%d@bench.test:{CRYPT}%s:%d:%d::%s/mail/u%d:\n" % (
        i, HASH, UID, UID, dir, i) for i in range(USERS))


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


MAIN_CF = """compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
mail_owner = postfix
setgid_group = postdrop
daemon_directory = {daemons}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.bench.test
mydestination =
mynetworks = 127.0.0.0/8
default_process_limit = {clients}
smtpd_client_connection_count_limit = 0
message_size_limit = 52428800
mailbox_size_limit = 0
alias_maps =
alias_database =
virtual_mailbox_domains = bench.test
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = texthash:{dir}/users
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
transport_maps = texthash:{dir}/transport
virtual_mailbox_limit = 0
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
smtp_host_lookup = native
smtp_dns_support_level = disabled
smtpd_tls_security_level = may
smtpd_tls_cert_file = {dir}/cert.pem
smtpd_tls_key_file = {dir}/key.pem
"""
MASTER_CF = """127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
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
        ports = {"dkim": free_port(), "dmarc": free_port(),
                 "key": self.dir / "key"}
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
        self.dir, self.port = dir, free_port()
        self.log = dir / "maillog"
        conf = dir / "conf"
        for name in ("conf", "queue", "data"):
            (dir / name).mkdir()
        shutil.chown(dir / "data", "postfix")
        make_certificate(dir)
        daemons = subprocess.run(
            ["postconf", "-d", "-h", "daemon_directory"], check=True,
            capture_output=True, text=True).stdout.strip()
        (conf / "main.cf").write_text(MAIN_CF.format(
            dir=dir, daemons=daemons, clients=clients, uid=UID))
        (conf / "master.cf").write_text(MASTER_CF.format(port=self.port))
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


DOVECOT_CONF = """base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/log
protocols = imap pop3 lmtp
listen = 127.0.0.1
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100000
default_client_limit = 10000
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  process_limit = 2000
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap {{
  process_limit = 2000
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
"""


class Dovecot:
    name = "dovecot"
    process = None

    def start(self, dir, sink=25, clients=100, world=None):
        self.dir, self.log = dir, dir / "log"
        self.imap, self.imaps, self.pop3 = free_port(), free_port(), free_port()
        self.lmtp = str(dir / "run/lmtp")
        make_certificate(dir)
        (dir / "users").write_text(passwd_file(dir))
        conf = dir / "dovecot.conf"
        conf.write_text(DOVECOT_CONF.format(
            dir=dir, imap=self.imap, imaps=self.imaps, pop3=self.pop3))
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", str(conf)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        wait_port(self.imap)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
