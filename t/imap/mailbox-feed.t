#!/usr/bin/env python3
"""mailbox-feed: who changed what reaches those who watch, and nobody waits
for one who does not listen."""
import array
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, packet, parse
from imapsession import Sessions

tap = Tap()
MESSAGE = b"From: a@b.test\r\nSubject: s\r\n\r\nbody\r\n"
FOLDER = "%032x" % 4711


def feed_of(s):
    return s.feed.connect()


def watch(sock, directory=None, *how):
    """The folder's id, as the feed says it."""
    fds = []
    if directory:
        fds = [os.open(directory, os.O_RDONLY | os.O_DIRECTORY)]
    anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
    sock.sendmsg([packet("watch", *how)], anc if fds else [])
    for fd in fds:
        os.close(fd)
    if fds:
        verb, attrs = parse(sock.recv(65536))
        return dict(attrs)["folder"] if verb == "changed" else None


def changed(folder, **attrs):
    return packet("changed", ("folder", folder), *attrs.items())


def hear(sock, seconds=20):
    """(verb, {attributes}), or None."""
    sock.settimeout(seconds)
    try:
        data = sock.recv(65536)
    except (TimeoutError, BlockingIOError):
        return None
    if not data:
        return "", {}
    verb, attrs = parse(data)
    return verb, dict(attrs)


def packets(s):
    mine = os.path.join(s.maildir)
    os.makedirs(os.path.join(mine, "new"), exist_ok=True)
    os.makedirs(os.path.join(mine, "cur"), exist_ok=True)
    watcher, teller = feed_of(s), feed_of(s)
    everything = s.feed.connect("feed-all")
    folder = watch(watcher, mine)
    tap.ok(folder and len(folder) == 32, "a watch begins with a change")

    said = dict(added="yes", uid="7", modseq="12", user="joe")
    teller.send(changed(folder, **said))
    want = "changed", dict(said, folder=folder)
    tap.equal(hear(watcher), want, "what changed is passed on as it is")
    tap.equal(hear(everything), want, "to who watches all, too")
    teller.send(changed(FOLDER, flags="yes", gone="yes"))
    tap.equal(hear(everything),
              ("changed", dict(folder=FOLDER, flags="yes", gone="yes")),
              "who hears also of folders that nobody else watches")
    watcher.send(changed(folder, gone="yes"))
    hear(everything)
    teller.send(changed(folder, flags="yes"))
    tap.equal(hear(watcher)[1].get("flags"), "yes",
              "nobody is told what he said himself")
    watch(watcher)
    # Connections are not read in the order in which they were written to:
    # what it says next is heard when its watch has ended.
    watcher.send(changed(folder, flags="yes"))
    hear(everything)
    hear(everything)
    teller.send(changed(folder, added="yes"))
    tap.equal(hear(watcher, 0.3), None, "a watch ends when it is told to")
    both = s.feed.connect()
    first = watch(both, mine)
    second = watch(both, os.path.join(mine, "new"), ("also", "yes"),
                   ("names", "yes"))
    for folder in first, second:
        teller.send(changed(folder, flags="yes"))
        tap.equal(hear(both)[1].get("folder"), folder, "one of two watches")
    both.send(packet("unwatch", ("folder", second)))
    both.send(changed(FOLDER, flags="yes"))
    for _ in range(4):  # three that were told before, and that one
        hear(everything)
    teller.send(changed(second, flags="yes"))
    teller.send(changed(first, flags="yes"))
    tap.equal(hear(both)[1].get("folder"), first, "one of them ends")
    both.close()
    hear(everything)
    hear(everything)

    for name, data in (
            ("without a folder", packet("changed", ("added", "yes"))),
            ("with a folder that is none", changed("/etc", added="yes")),
            ("of nothing", changed(FOLDER)),
            ("with UID 0", changed(FOLDER, added="yes", uid="0")),
            ("with a negative modseq", changed(FOLDER, flags="yes",
                                               modseq="-1")),
            ("with an endless user", changed(FOLDER, flags="yes",
                                             user="u" * 400)),
            ("that is no verb", packet("open"))):
        bad = feed_of(s)
        bad.send(data)
        tap.equal(hear(bad), ("", {}), "a change %s ends the connection" % name)
        bad.close()
    loud = s.feed.connect("feed-all")
    loud.send(changed(FOLDER, added="yes"))
    tap.equal(hear(loud), ("", {}), "who watches all has nothing to say")
    pipe = os.pipe()
    bad = feed_of(s)
    bad.sendmsg([packet("watch")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                     array.array("i", [pipe[0]]))])
    tap.equal(hear(bad), ("", {}), "a pipe is no folder")
    for sock in (watcher, teller, everything, loud, bad):
        sock.close()
    for fd in pipe:
        os.close(fd)


def memory(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(l.split()[1]) for l in f if l.startswith("VmRSS"))


def slow(s):
    """Who does not read."""
    teller, quick = feed_of(s), feed_of(s)
    deaf = s.feed.connect("feed-all")
    folder = watch(quick, s.maildir)
    before = memory(s.feed.process.pid)
    n = 5000
    for i in range(n):
        teller.send(changed(FOLDER, added="yes", uid=str(i + 1)))
    teller.send(changed(folder, added="yes"))
    begin = time.monotonic()
    tap.ok(hear(quick), "one that does not read holds up nobody (%.1f ms)" %
           ((time.monotonic() - begin) * 1000))
    grown = memory(s.feed.process.pid) - before
    tap.ok(grown < 2048, "and costs no memory", "%d KiB" % grown)
    heard = []
    while not heard or heard[-1][0] == "changed":
        heard.append(hear(deaf))
        if heard[-1] is None:
            break
    tap.ok(heard[-1] == ("missed", {}) and len(heard) < n,
           "it is told that it missed something (after %d)" % len(heard),
           repr(heard[-1]))
    teller.send(changed(FOLDER, gone="yes"))
    tap.equal(hear(deaf), ("changed", dict(folder=FOLDER, gone="yes")),
              "and then hears the rest")
    for sock in (teller, quick, deaf):
        sock.close()


def sessions(s):
    """What imapd says about its commands."""
    everything = s.feed.connect("feed-all")
    r = s.raw()
    inbox = watch(feed_of(s), s.maildir)
    r.ask("CREATE Other")
    tap.equal(hear(everything), ("changed", dict(
        folder=inbox, names="yes", user="joe")), "CREATE is told")
    other = watch(feed_of(s), os.path.join(s.maildir, ".Other"))

    def told(name, *want):
        got = [hear(everything) for w in want]
        short = [(g[1].get("folder"), set(g[1]) & {"added", "flags", "gone"},
                  g[1].get("uid"), g[1].get("user")) if g else None
                 for g in got]
        tap.equal(short, [w + ("joe",) for w in want], "%s is told" % name)
        return got

    r.send(b"a1 APPEND INBOX {%d+}\r\n%s\r\n" % (len(MESSAGE), MESSAGE))
    r.until("a1")
    told("APPEND", (inbox, {"added"}, "1"))
    r.ask("SELECT INBOX")
    r.ask("STORE 1 +FLAGS (\\Flagged)")
    first = told("STORE", (inbox, {"flags"}, None))
    r.ask("FETCH 1 BODY[]")
    second = told("\\Seen of FETCH", (inbox, {"flags"}, None))
    tap.ok(int(second[0][1]["modseq"]) > int(first[0][1]["modseq"]),
           "with a modseq that grows")
    r.ask("COPY 1 Other")
    told("COPY", (other, {"added"}, "1"))
    r.ask("MOVE 1 Other")
    told("MOVE", (other, {"added"}, "2"), (inbox, {"gone"}, None))
    r.ask("SELECT Other")
    r.ask("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    told("STORE", (other, {"flags"}, None))
    r.ask("EXPUNGE")
    told("EXPUNGE", (other, {"gone"}, None))
    r.ask("LOGOUT")


def latency(s):
    """How long a new message takes to a client in IDLE."""
    r, o = s.raw(), s.raw()
    r.ask("SELECT INBOX")
    r.send("i IDLE\r\n")
    r.line()
    took = []
    for i in range(40):
        o.send(b"a APPEND INBOX {%d+}\r\n%s\r\n" % (len(MESSAGE), MESSAGE))
        o.until("a")
        begin = time.monotonic()
        while b"EXISTS" not in r.line():
            pass
        took.append((time.monotonic() - begin) * 1000)
        r.line()
    took.sort()
    print("# ms after the reply to APPEND: best %.2f, median %.2f, worst %.2f"
          % (took[0], took[20], took[-1]))
    tap.ok(took[10] < 10, "a message is in IDLE within 10 ms of its reply")


with Sessions() as s:
    r = s.raw()
    r.ask("SELECT INBOX")
    r.ask("LOGOUT")
    packets(s)
    slow(s)
    sessions(s)
    latency(s)
tap.done()
