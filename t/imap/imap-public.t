#!/usr/bin/env python3
"""Public folders (RFC 2342): those of one account, as the others see them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Conf  # noqa: E402
from sharers import Sharers, address, theirs  # noqa: E402

tap = Tap()
MESSAGE = b"{19+}\r\nSubject: one\r\n\r\na\r\n"


def starts(r, command, want):
    tap.starts(r.ask(command)[1], want,
               command if isinstance(command, str) else
               command.split(b"\r")[0].decode())


def command(s, want, *words):
    """posthorn mailbox; what it prints."""
    done = s.posthorn("mailbox", *words)
    tap.equal(done.returncode, want, "posthorn mailbox " + " ".join(words))
    return done.stdout


def administer(s):
    """A tree that nobody has to log in for."""
    cat = address("cat")
    command(s, 0, "create", cat, "Team")
    command(s, 65, "create", cat, "Team")
    command(s, 65, "create", cat, "a//b")
    tap.equal(command(s, 0, "setacl", cat, "Team", "anyone", "lrs"),
              "Team: anyone lrs\n", "rights of all")
    tap.equal(command(s, 0, "setacl", cat, "Team", address("bob"), "+witek"),
              "Team: anyone lrs\nTeam: bob@example.test wikte\n", "of one")
    tap.equal(command(s, 0, "setacl", cat, "Team", "-" + address("ann"), "s"),
              "Team: -ann@example.test s\nTeam: anyone lrs\n"
              "Team: bob@example.test wikte\n", "and taken away")
    command(s, 0, "create", cat, "Team/Plans")
    command(s, 0, "create", cat, "Hidden")
    command(s, 67, "setacl", cat, "Team", "zoe@example.test", "l")
    command(s, 64, "setacl", cat, "Team", address("bob"), "lq")
    command(s, 65, "setacl", cat, "None", address("bob"), "l")
    command(s, 65, "setacl", cat, "Team", cat, "l")
    command(s, 64, "setacl", cat, "Team", address("bob"))
    command(s, 64, "create", cat)
    tap.ok("public_mailbox_user" not in s.posthorn("check").stdout,
           "posthorn check")
    with Conf(s, "public_mailbox_user = kat@example.test"):
        tap.ok("public_mailbox_user = kat@example.test: there is no such user"
               in s.posthorn("check").stdout, "of a user who is not there")


def names(s):
    ann, bob, cat = (s.session(u) for u in ("ann", "bob", "cat"))
    tap.equal(bob.ask("NAMESPACE")[0], [
        b'* NAMESPACE (("" "/")) (("Other Users/" "/")) (("Public/" "/"))'],
        "NAMESPACE")
    tap.equal(cat.ask("NAMESPACE")[0], [
        b'* NAMESPACE (("" "/")) (("Other Users/" "/")) NIL'],
        "to the account itself they are its own")
    rows = [b'* LIST (\\Noselect \\HasChildren) "/" "Public"',
            b'* LIST (\\HasChildren) "/" "Public/Team"',
            b'* LIST (\\HasNoChildren) "/" "Public/Team/Plans"']
    inbox = b'* LIST (\\HasNoChildren) "/" "INBOX"'
    tap.equal(bob.ask('LIST "" "*"')[0], [inbox] + rows, "LIST")
    tap.equal(bob.ask('LIST "" "%"')[0], [inbox] + rows[:1], "one level")
    tap.equal(bob.ask('LIST "Public/" "%"')[0], rows[1:2], "the next")
    tap.equal(bob.ask('LIST "" "Other*"')[0], [], "no level without folders")
    ann.ask("CREATE Own")
    ann.ask("SETACL Own bob lr")
    own = theirs("ann", "Own").encode()
    got = bob.ask('LIST "" "*"')[0]
    tap.equal(sorted(got), sorted([inbox] + rows + [
        b'* LIST (\\Noselect \\HasChildren) "/" "Other Users"',
        b'* LIST (\\Noselect \\HasChildren) "/" "Other Users/%s"' %
        address("ann").encode(),
        b'* LIST (\\HasNoChildren) "/" "%s"' % own]), "beside those of others")
    tap.equal(bob.ask('LIST "" "Public/*"')[0], rows[1:], "only public ones")
    tap.equal(bob.ask('LIST "" "Other Users/*Own"')[0], [
        b'* LIST (\\HasNoChildren) "/" "%s"' % own], "only those of others")
    starts(bob, "SUBSCRIBE Public/Team", b"OK")
    tap.equal(bob.ask('LSUB "" "*"')[0],
              [b'* LSUB (\\HasChildren) "/" "Public/Team"'], "LSUB")
    tap.equal(ann.ask('LSUB "" "*"')[0], [], "subscriptions are one's own")
    for name in theirs("cat", "Team"), "Public", "Public/", "Public/Hidden", \
            "Public/INBOX", "Public/cat@example.test/Team":
        starts(bob, 'SELECT "%s"' % name, b"NO [")
    starts(cat, "SELECT Public/Team", b"NO [NONEXISTENT]")
    starts(cat, "SELECT Team", b"OK [READ-WRITE]")
    # one's own folder of that name is first
    starts(ann, "CREATE Public/Team/Mine", b"NO [NOPERM]")
    own = s.path("mail/ann/Maildir/.Public.Team")
    for sub in "cur", "new", "tmp":
        os.makedirs(os.path.join(own, sub), 0o700)
        for path in own, os.path.join(own, sub):
            os.chown(path, s.uid("ann"), -1)
    starts(ann, b"APPEND Public/Team " + MESSAGE, b"OK")
    tap.equal(bob.ask("STATUS Public/Team (MESSAGES)")[0],
              [b'* STATUS "Public/Team" (MESSAGES 0)'], "it is hers alone")
    for folder in "Public/Team", "Own":
        ann.ask("DELETE " + folder)
    for r in ann, bob, cat:
        r.close()


def use(s):
    ann, bob, cat = (s.session(u) for u in ("ann", "bob", "cat"))
    starts(bob, b"APPEND Public/Team " + MESSAGE, b"OK [APPENDUID")
    starts(ann, b"APPEND Public/Team " + MESSAGE, b"NO [NOPERM]")
    starts(ann, "SELECT Public/Team", b"OK [READ-ONLY]")
    starts(bob, "SELECT Public/Team", b"OK [READ-WRITE]")
    starts(bob, "STORE 1 +FLAGS (\\Seen)", b"OK")
    tap.ok(b"\\Seen" in b"".join(ann.ask("NOOP")[0]),
           "\\Seen is that of all")
    starts(ann, "COPY 1 INBOX", b"OK [COPYUID")
    starts(bob, "MYRIGHTS Public/Team", b"OK")
    tap.equal(bob.ask("MYRIGHTS Public/Team")[0],
              [b'* MYRIGHTS "Public/Team" lrswiktecd'], "MYRIGHTS")
    starts(bob, "CREATE Public/Team/New", b"OK")
    starts(bob, "CREATE Public/New", b"NO [NOPERM]")
    starts(bob, "RENAME Public/Team Mine", b"NO [CANNOT]")
    starts(bob, "NOTIFY SET (SELECTED (MessageNew MessageExpunge))", b"OK")
    starts(cat, b"APPEND Team " + MESSAGE, b"OK")
    tap.equal(bob.line(), b"* 2 EXISTS\r\n", "NOTIFY")
    starts(bob, "NOTIFY NONE", b"OK")
    starts(bob, "MOVE 1 INBOX", b"OK")
    tap.ok(b"MESSAGES 1)" in cat.ask("STATUS Team (MESSAGES)")[0][0],
           "MOVE takes it away")
    starts(ann, "NOOP", b"OK")
    # the quota is the account's
    for _ in range(4):
        bob.ask(b"APPEND Public/Team " + MESSAGE)
    starts(bob, b"APPEND Public/Team " + MESSAGE, b"NO [OVERQUOTA]")
    starts(bob, b"APPEND INBOX " + MESSAGE, b"OK")
    # rights that end
    for folder in "Team", "Team/Plans", "Team/New":
        command(s, 0, "setacl", address("cat"), folder, "anyone", "")
    starts(ann, "SELECT Public/Team", b"NO [NONEXISTENT]")
    tap.equal(ann.ask('LIST "" "Public*"')[0], [], "nor listed")
    for r in ann, bob, cat:
        r.close()


with Sharers("disable_plaintext_auth=no", "mailbox_autocreate=",
             "authcheck_incoming=no", "mailbox_quota_messages=5",
             "public_mailbox_user=Cat@Example.test") as suite:
    for part in administer, names, use:
        part(suite)
    tap.ok("ended by signal" not in suite.read_log(), "nothing crashes")
tap.done()
