#!/usr/bin/env python3
"""The folders of the first session, as mail programs then look for them."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

NAMES = ["Archive", "Drafts", "Junk", "Sent", "Trash"]
DEFAULT = "mailbox_autocreate = Drafts Sent Junk Trash Archive"
tap = Tap()


def listed(r, command):
    """{name: attributes} of LIST and LSUB responses."""
    got = {}
    for line in r.ask(command)[0]:
        m = re.match(rb'\* (?:LIST|LSUB) \((.*?)\) "/" "?([^"]*?)"?\r?\n?$',
                     line)
        if m:
            got[m[2].decode()] = m[1].decode().split()
    return got


def uses(rows):
    return {name: [a for a in attributes if a[1:] in NAMES]
            for name, attributes in rows.items() if name != "INBOX"}


def thunderbird(r, want, when):
    """What Thunderbird asks after its login."""
    r.ask("NAMESPACE")
    rows = listed(r, 'LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)')
    tap.equal(uses(rows), want, "%s, LIST (SUBSCRIBED)" % when)
    rows = listed(r, 'LIST "" "*" RETURN (SPECIAL-USE)')
    tap.equal(uses(rows), want, "%s, LIST" % when)
    rows = listed(r, 'LIST (SPECIAL-USE) "" "*"')
    tap.equal(uses(rows), {n: u for n, u in want.items() if u},
              "%s, LIST (SPECIAL-USE)" % when)
    rows = listed(r, 'LSUB "" "*"')
    tap.equal(sorted(set(rows) - {"INBOX"}), sorted(want), "%s, LSUB" % when)


def made_by(s):
    with open(os.path.join(s.maildir, "posthorn-autocreated")) as f:
        return f.read().splitlines()


all_five = {n: ["\\" + n] for n in NAMES}
with Sessions([DEFAULT]) as s:
    r = s.raw()
    thunderbird(r, all_five, "a first session")
    for name in NAMES:
        tap.ok(r.ask("SELECT " + name)[1].startswith(b"OK"),
               "%s can be selected" % name)
    tap.equal(sorted(made_by(s)), sorted(
        ["%s %s" % (w, n) for n in NAMES for w in ("folder", "subscription")]),
              "what was made is remembered")
    r.ask("SELECT INBOX")
    r.ask("DELETE Junk")
    r.ask("UNSUBSCRIBE Junk")
    r.ask("RENAME Sent Gesendet")
    r.ask("UNSUBSCRIBE Sent")
    r.ask("SUBSCRIBE Gesendet")
    r.close()
    own = {n: u for n, u in all_five.items() if n not in ("Junk", "Sent")}
    own["Gesendet"] = ["\\Sent"]
    thunderbird(s.raw(), own, "after changes by the user")

with Sessions([DEFAULT + " Notes",
               "mailbox_autosubscribe = Notes"]) as s:
    together = [s.socket() for _ in range(6)]
    replies = [c.makefile("rb").readline() for c in together]
    tap.ok(all(b"OK [CAPABILITY" in x for x in replies),
           "six first sessions at once")
    r = s.raw()
    tap.equal(uses(listed(r, 'LIST "" "*"')), dict(all_five, Notes=[]),
              "make each folder once")
    tap.equal(list(listed(r, 'LSUB "" "*"')), ["Notes"],
              "what is subscribed can be less")
    tap.ok("not all folders" not in s.folder.read_log(), "without an error")

with Sessions([DEFAULT]) as s:
    # an account from another server
    for d in (".", ".Sent Items", ".Trash"):
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(s.maildir, d, sub))
    with open(os.path.join(s.maildir, "posthorn-special-use"), "w") as f:
        f.write("\\Sent Sent Items\n")
    subprocess.run(["chown", "-R", "%d:%d" % (s.uid, s.gid), s.maildir],
                   check=True)
    want = {n: u for n, u in all_five.items() if n != "Sent"}
    want["Sent Items"] = ["\\Sent"]
    thunderbird(s.raw(), want, "with folders that were there")

with Sessions([DEFAULT]) as s:
    s.raw().close()
    os.unlink(os.path.join(s.maildir, "posthorn-autocreated"))
    os.mkdir(os.path.join(s.maildir, "posthorn-autocreated"))
    r = s.raw()
    tap.ok(b"OK [CAPABILITY" in r.greeting,
           "a list that cannot be read does not keep anybody out")
    tap.ok("not all folders" in s.folder.read_log(), "the log has it")
tap.done()
