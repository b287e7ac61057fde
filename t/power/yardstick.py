"""Postfix with Dovecot under the same cuts: PEER=postfix-dovecot.

Both as they are packaged, but for what makes a small instance of its own:
queue and mailboxes on the device, mail from Postfix by LMTP to Dovecot.
"""
import os
import shutil
import socket
import subprocess
import time

from peers import DOMAIN, UID, Peer, password_file

MAIN_CF = """compatibility_level = 3.6
queue_directory = {disk}/queue
data_directory = {disk}/data
mail_owner = postfix
setgid_group = postdrop
daemon_directory = {daemons}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.{domain}
mydestination =
mynetworks = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{folder}/boxes
virtual_transport = lmtp:unix:{run}/lmtp
lmtp_destination_recipient_limit = 1
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
smtp_dns_support_level = disabled
"""
MASTER_CF = """127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
"""
DOVECOT_CONF = """base_dir = {run}
state_dir = {run}
log_path = {folder}/log
protocols = imap pop3 lmtp
listen = 127.0.0.1
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_max_userip_connections = 1000
ssl = no
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
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
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
"""


def free_ports(n):
    held = [socket.socket() for _ in range(n)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class PostfixDovecot(Peer):
    name = "postfix-dovecot"

    def __init__(self, *args):
        super().__init__(*args)
        self.port, self.imap_port, self.pop_port = free_ports(3)
        self.conf, self.run = self.path("conf"), self.path("run")
        os.mkdir(self.conf)
        self.write()
        self.sendmail = ["sendmail", "-C", self.conf]

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self):
        daemons = subprocess.run(
            ["postconf", "-d", "-h", "daemon_directory"], check=True,
            capture_output=True, text=True).stdout.strip()
        words = {"disk": self.disk, "folder": self.folder, "run": self.run,
                 "daemons": daemons, "domain": DOMAIN, "port": self.port,
                 "imap": self.imap_port, "pop3": self.pop_port}
        boxes = "".join("%s x\n" % self.address(u) for u in self.users)
        for name, text in (("conf/main.cf", MAIN_CF.format(**words)),
                           ("conf/master.cf", MASTER_CF.format(**words)),
                           ("dovecot.conf", DOVECOT_CONF.format(**words)),
                           ("users", password_file(self.users, self.mail)),
                           ("boxes", boxes)):
            with open(self.path(name), "w") as f:
                f.write(text)

    def prepare(self):
        super().prepare()
        for name in ("queue", "data"):
            os.mkdir(os.path.join(self.disk, name))
        shutil.chown(os.path.join(self.disk, "data"), "postfix")
        for user in self.users:
            for name in ("", "Maildir", "Maildir/new", "Maildir/cur",
                         "Maildir/tmp"):
                path = os.path.join(self.mail, user, name)
                os.mkdir(path)
                os.chown(path, UID, UID)

    def unlock(self):
        """A lock file that the cut left is waited for, two minutes each: that
        is time, and no mail."""
        for top, _, files in os.walk(self.mail):
            for name in files:
                if name.endswith(".lock"):
                    os.unlink(os.path.join(top, name))

    def start(self):
        self.unlock()
        shutil.rmtree(self.run, ignore_errors=True)
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                 "stderr": subprocess.DEVNULL}
        subprocess.Popen(["dovecot", "-F", "-c", self.path("dovecot.conf")],
                         **quiet)
        subprocess.Popen(["postfix", "-c", self.conf, "start-fg"], **quiet)
        until = time.monotonic() + 60
        while not all(map(answers, (self.port, self.imap_port,
                                    self.pop_port))):
            if time.monotonic() > until:
                raise RuntimeError("Postfix or Dovecot does not answer")
            time.sleep(0.05)

    def queue_is_empty(self):
        done = subprocess.run(["postqueue", "-c", self.conf, "-p"], text=True,
                              capture_output=True)
        return done.returncode == 0 and "is empty" in done.stdout

    def alarms(self):
        corrupt = os.path.join(self.disk, "queue", "corrupt")
        return os.listdir(corrupt) if os.path.isdir(corrupt) else []

    def log(self):
        return self.path("maillog")

    def end(self):
        """All is in the folder, which its owner removes."""
