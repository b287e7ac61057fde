#!/usr/bin/env python3
"""posthorn mailbox: as the user, in a running suite."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message  # noqa: E402

tap = Tap()


def run(s, *words):
    """Exit code, and all that was said."""
    done = s.posthorn("mailbox", *words)
    return done.returncode, done.stdout + done.stderr


def wants(s, words, code, want):
    got, said = run(s, *words)
    if not tap.ok(got == code and want in said, "mailbox %s: %d, %r" % (
            " ".join(words), code, want)):
        print("#", got, said)


with Instance() as s:
    user = s.address()
    maildir = os.path.join(s.MAILROOT, s.USER1, "Maildir")
    with s.smtp() as c:
        for _ in range(3):
            c.sendmail("a@remote.test", [s.address()],
                       message("a@remote.test", s.address()))
    s.wait_messages(3)
    m = s.imap()
    m.create("Work")
    m.select("INBOX")
    m.fetch("1:3", "(ENVELOPE BODYSTRUCTURE)")
    m.logout()
    wants(s, ["check", user], 0, "")
    tap.equal(run(s, "check", user)[1], "", "nothing differs, in no folder")
    wants(s, ["dump", user], 0, "\n32 begin ")
    wants(s, ["dump", user, "Work"], 0, "0 head id=")
    wants(s, ["check", user, "None"], 65, "no folder None")
    wants(s, ["check", "nobody@" + s.DOMAIN], 67, "no user nobody")
    wants(s, ["frobnicate", user], 64, "frobnicate")
    wants(s, ["check"], 64, "usage")

    journal = os.path.join(maildir, "posthorn-journal")
    with open(journal, "r+b") as f:
        f.seek(52)
        byte = f.read(1)
        f.seek(52)
        f.write(bytes([byte[0] ^ 1]))
    for name in ("posthorn-snapshot",):
        if os.path.exists(os.path.join(maildir, name)):
            os.unlink(os.path.join(maildir, name))
    before = open(journal, "rb").read()
    wants(s, ["check", user], 65, "INBOX: posthorn-journal:32: damaged")
    tap.ok(open(journal, "rb").read() == before, "check changes nothing")
    wants(s, ["dump", user], 65, "posthorn-journal:32")
    wants(s, ["repair", user], 0, "kept as posthorn-journal.damaged-")
    wants(s, ["check", user], 0, "")
    tap.ok(os.stat(journal).st_uid == os.stat(maildir).st_uid,
           "what repair makes is the user's")
    tap.equal(len(s.messages()), 3, "all messages are there")
    wants(s, ["reindex", user], 0, "")
    tap.ok(not os.path.exists(os.path.join(maildir, "posthorn-cache")),
           "reindex removes the cache")
    wants(s, ["check", user], 0, "")

    # a Maildir is its user's, who may have put a link there
    secret = s.path("secret")
    os.mkdir(secret, 0o700)
    for d in ("cur", "new", "tmp"):
        os.mkdir(os.path.join(secret, d))
    with open(os.path.join(secret, "posthorn-cache"), "w") as f:
        f.write("keep")
    for d in ("", "cur", "new", "tmp", "posthorn-cache"):
        os.chmod(os.path.join(secret, d), 0o777)
    os.symlink(secret, os.path.join(maildir, ".Link"))
    wants(s, ["reindex", user, "Link"], 65, "no folder Link")
    tap.ok(os.path.exists(os.path.join(secret, "posthorn-cache")),
           "no link is followed")
    if os.getuid() == 0:
        os.chmod(secret, 0o700)
        os.rename(maildir, maildir + ".away")
        os.symlink(secret, maildir)
        code, said = run(s, "reindex", user)
        tap.ok(code != 0 and os.path.exists(
            os.path.join(secret, "posthorn-cache")),
            "nor one in the Maildir's place, with root's rights")
        os.unlink(maildir)
        os.rename(maildir + ".away", maildir)
    s.posthorn("stop")
    wants(s, ["check", user], 69, "does the suite run?")
tap.done()
