"""A whole suite with users who open folders to each other. They have uids of
their own if the test is root."""
import os
import socket

from imapsession import Raw
from instance import Instance
from mailservers import password_line

ROOT = os.geteuid() == 0
UID = {"ann": 64201, "bob": 64202, "cat": 64203}


def address(user):
    return user + "@example.test"


def theirs(user, folder):
    """The name by which others know it."""
    return "Other Users/%s/%s" % (address(user), folder)


class Sharers(Instance):
    def start(self):
        self.put_users()
        for user in UID:
            home = self.path("mail/" + user)
            os.makedirs(home, 0o700, exist_ok=True)
            os.chown(home, self.uid(user), self.uid(user) if ROOT
                     else os.getgid())
        os.chmod(self.path("mail"), 0o755)
        return super().start()

    def put_users(self, *more):
        """The users file, with MORE lines."""
        new = self.path("users.new")
        with open(new, "w") as f:
            for user in UID:
                f.write(password_line(address(user), self.uid(user),
                                      self.path("mail/" + user)))
            f.writelines(line + "\n" for line in more)
        os.chmod(new, 0o644)
        os.rename(new, self.path("users"))

    @staticmethod
    def uid(user):
        return UID[user] if ROOT else os.getuid()

    def session(self, user):
        sock = socket.create_connection((self.HOST, self.IMAP_PORT), 60)
        sock.settimeout(60)
        r = Raw(sock)
        r.ask("LOGIN %s secret" % address(user))
        return r
