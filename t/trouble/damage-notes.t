#!/usr/bin/env python3
"""What programs note for themselves, damaged in every way: accountd's key and
shares, local-deliver's pages of what was done. Nothing hangs or crashes, others
go on, and somebody says so unless nothing is left that could be seen."""
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from damage import (Harm, copy_owned, in_own_mounts, replaced,  # noqa: E402
                    ways)
from imapsession import Raw  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

tap = Tap()
LONG = 120
LOCAL = "localhost.test"
BOX = '"Other Users/alice@example.test/Open"'
# a key that has 32 other bytes is a key, and a missing one is made
KEY_SILENT = ("missing", "one bit", "version", "read only", "unreadable")
# what was there cannot be seen any more; or it is as it was
PAGE_SILENT = ("missing", "empty", "cut", "longer", "one bit", "zeroed",
               "version", "read only", "unreadable")
# the command is not run again: the page still says that it was
PAGE_KNOWN = ("longer", "unreadable", "read only")
ALIASES = """\
%(way)s: "|cat > /dev/null; echo once >> %(d)s/%(way)s", \
"|test -e %(d)s/go || exit 75"
"""


def session(s, user, password):
    sock = socket.create_connection((s.HOST, s.IMAP_PORT), 30)
    sock.settimeout(60)
    raw = Raw(sock)
    raw.ask("LOGIN %s %s" % (s.address(user), password))
    return raw


def visit(s):
    """What bob is told when he opens alice's folder, in a new session."""
    try:
        raw = session(s, s.USER2, s.PASS2)
        last = raw.ask("SELECT " + BOX)[1]
        raw.close()
        return last
    except OSError as e:
        return b"%r" % e


def share(s):
    try:
        raw = session(s, s.USER1, s.PASS1)
        last = raw.ask("SETACL Open %s lr" % s.address(s.USER2))[1]
        raw.close()
        return last
    except OSError as e:
        return b"%r" % e


def key(s, way):
    path = s.path("state/accountd/key")
    copy_owned(path, s.path("saved"))
    s.stop()
    before = len(s.read_log())
    harm = Harm(way, path)
    s.start()
    last = visit(s)
    tap.ok(last.startswith(b"OK"), "key, %s: folders of others" % way, last)
    tap.ok(way in KEY_SILENT or path in s.read_log()[before:],
           "key, %s: it is named" % way)
    harm.end()
    replaced(path, s.path("saved"))
    os.unlink(s.path("saved"))


def entry(s, way):
    """In use: a name is all that there is to it."""
    path = s.path("state/accountd/shares/%s/%s" % (
        s.address(s.USER2), s.address(s.USER1)))
    copy_owned(path, s.path("saved"))
    harm = Harm(way, path)
    last = visit(s)
    tap.ok(last.startswith(b"NO" if way == "missing" else b"OK"),
           "share, %s: a visit" % way, last)
    last = share(s)
    tap.ok(last.startswith(b"OK"), "share, %s: made again" % way, last)
    last = visit(s)
    tap.ok(last.startswith(b"OK"), "share, %s: a visit afterwards" % way, last)
    harm.end()
    replaced(path, s.path("saved"))
    os.unlink(s.path("saved"))


def accountd():
    with Instance("disable_plaintext_auth=no") as s:
        raw = session(s, s.USER1, s.PASS1)
        raw.ask("CREATE Open")
        raw.close()
        tap.ok(share(s).startswith(b"OK"), "a folder is opened to another")
        for way in ways():
            # there is nothing in the file
            if way not in ("one bit", "version", "cut"):
                entry(s, way)
        for way in ways():
            key(s, way)
        check_crashes(s, "accountd")


def check_crashes(s, what):
    died = [line for line in s.read_log().splitlines()
            if "ended by signal" in line or "does not answer" in line]
    tap.ok(not died, what + ": nothing crashes or hangs", died[:5])


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def page_of(s, way):
    """Its page, as soon as there is one and it waits."""
    end = ".%08x" % crc32c(("%s@%s" % (way_name(way), LOCAL)).encode())
    folder = s.path("run/delivered")
    found = [n for n in os.listdir(folder) if n.endswith(end)]
    return os.path.join(folder, found[0]) if found else None


def way_name(way):
    return way.replace(" ", "-")


def runs(s, way):
    try:
        with open(s.path("out/" + way_name(way))) as f:
            return f.read().count("once")
    except OSError:
        return 0


def send(s, to):
    subprocess.run([s.SENDMAIL, "-f", s.address(), "--", to + "@" + LOCAL],
                   input="Subject: %s\n\nx\n" % to, text=True, check=True,
                   timeout=60)


def pages():
    """While their messages wait for a second command beside the first."""
    with Instance("mydestination=" + LOCAL, "myorigin=" + LOCAL,
                  "local_users=no", "minimal_backoff_time=1h",
                  "maximal_backoff_time=1h") as s:
        os.mkdir(s.path("out"), 0o777)
        os.chmod(s.path("out"), 0o777)
        with open(s.path("aliases"), "w") as f:
            f.write("".join(ALIASES % {"way": way_name(way),
                                       "d": s.path("out")}
                            for way in ways()))
        for way in ways():
            send(s, way_name(way))
        put_off = "status=deferred (temporary failure"
        tap.ok(s.wait_log(put_off, LONG, len(ways())), "all wait")
        harm_pages(s)
        check_crashes(s, "pages")


def harm_pages(s):
    s.stop()
    before = len(s.read_log())
    paths = {way: page_of(s, way) for way in ways()}
    harms = {way: Harm(way, path) for way, path in paths.items() if path}
    tap.equal(sorted(harms), sorted(ways()), "each has its page")
    open(s.path("out/go"), "w").close()
    s.start()
    s.posthorn("queue", "flush", "ALL")
    for way in harms:
        is_done = ("to=<%s@%s>" % (way_name(way), LOCAL))

        def done():
            return any(is_done in line and "status=sent" in line
                       for line in s.read_log()[before:].splitlines())
        tap.ok(wait_for(done, LONG, 0.5), "page, %s: it is delivered" % way)
        tap.ok(runs(s, way) <= (1 if way in PAGE_KNOWN else 2),
               "page, %s: how often" % way, runs(s, way))
        tap.ok(way in PAGE_SILENT or os.path.basename(paths[way]) in
               s.read_log()[before:], "page, %s: it is named" % way)
        harms[way].end()


in_own_mounts()
accountd()
pages()
tap.done()
