"""Posthorn, Dovecot and Cyrus with the same users, to ask them the same.

    with Cyrus() as server:
        r = server.imap(user)       a Raw session, logged in
"""
import os
import shutil
import socket
import subprocess
import tempfile
import threading

from imapsession import Raw
from instance import Instance
from mailservers import (CYRUS_BIN, PASSWORD, free_ports, password_line,
                         wait_port, write_cyrus, write_dovecot)

FETCHED = os.environ.get("STATE", "build") + "/compare"
USERS = ["u%d" % i for i in range(80)]
DOMAIN = "example.test"
QUOTA_KIB = 100000
DOVECOT = """
ssl = no
mail_attribute_dict = file:%h/attributes
mail_plugins = quota
protocol imap {{
  imap_metadata = yes
  mail_plugins = quota imap_quota imap_zlib
}}
namespace inbox {{
  separator = /
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage={quota}K
}}
"""


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=15)


class Server:
    def imap(self, user):
        r = Raw(connect(self.imap_port))
        untagged, said = r.ask("LOGIN %s %s" % (self.login(user), PASSWORD))
        assert said.startswith(b"OK"), said
        return r

    @staticmethod
    def login(user):
        return "%s@%s" % (user, DOMAIN)

    def __exit__(self, *what):
        self.end()


class Posthorn(Server):
    name = "posthorn"

    def __enter__(self):
        uid = 64199 if os.getuid() == 0 else os.getuid()
        self.s = Instance("disable_plaintext_auth=no",
                          "mailbox_quota=%dk" % QUOTA_KIB)
        with open(self.s.path("users"), "w") as f:
            f.writelines(password_line(
                self.login(u), uid, self.s.path("mail/" + u)) for u in USERS)
        os.chmod(self.s.path("users"), 0o644)   # nothing in it is secret
        self.s.start()
        self.imap_port, self.pop3_port = self.s.IMAP_PORT, self.s.POP3_PORT
        return self

    def end(self):
        self.s.end()


class Peer(Server):
    """Another's program, in a folder of its own."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="compare-")
        os.chmod(self.dir, 0o755)
        self.imap_port, self.imaps_port, self.pop3_port = free_ports(3)
        self.process = None
        try:
            self.process = subprocess.Popen(self.command())
            wait_port(self.imap_port)
        except BaseException:
            self.end()
            raise
        return self

    def end(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Dovecot(Peer):
    name = "dovecot"

    def command(self):
        os.mkdir(self.dir + "/mail")
        shutil.chown(self.dir + "/mail", "mail", "mail")
        with open(self.dir + "/users", "w") as f:
            f.writelines(password_line(self.login(u), 8, "%s/mail/%s" % (
                self.dir, u)) for u in USERS)
        write_dovecot(self.dir + "/conf", DOVECOT, folder=self.dir,
                      run=self.dir + "/run", imap=self.imap_port,
                      imaps=0, pop3=self.pop3_port, quota=QUOTA_KIB)
        return ["dovecot", "-F", "-c", self.dir + "/conf"]


class Passwords:
    """Stands in for saslauthd: one password is everybody's."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        os.chmod(path, 0o666)
        threading.Thread(target=self.answer, daemon=True).start()

    def answer(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            with client, client.makefile("rb") as f:
                fields = [f.read(int.from_bytes(f.read(2), "big"))
                          for _ in ("user", "password", "service", "realm")]
                said = b"OK" if fields[1] == PASSWORD.encode() else b"NO"
                client.sendall(len(said).to_bytes(2, "big") + said)

    def close(self):
        self.listener.close()


class Cyrus(Peer):
    name = "cyrus"

    def command(self):
        for name in ("config", "config/socket", "mail", "run"):
            os.mkdir(os.path.join(self.dir, name))
        # where its user can reach them
        for name in ("imapd", "pop3d", "idled"):
            shutil.copy(FETCHED + CYRUS_BIN + "/" + name, self.dir)
        write_cyrus(self.dir, imap=self.imap_port, pop3=self.pop3_port,
                    quota=QUOTA_KIB)
        subprocess.run(["chown", "-R", "cyrus:mail", self.dir], check=True)
        self.passwords = Passwords(self.dir + "/run/mux")
        return [CYRUS_BIN + "/master", "-C", self.dir + "/imapd.conf", "-M",
                self.dir + "/cyrus.conf", "-p", self.dir + "/run/pid", "-L",
                self.dir + "/log"]

    def end(self):
        Peer.end(self)
        self.passwords.close()

    @staticmethod
    def login(user):
        return user
