#!/usr/bin/env python3
"""Programs of other users of the machine, at the sockets and in the folder
that are anybody's."""
import array
import fcntl
import os
import random
import re
import resource
import signal
import smtplib
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from attack import NOBODY, ROOT, steady, tap, texts  # noqa: E402
from instance import Instance, mounted, wait_for  # noqa: E402

F_ADD_SEALS, ALL_SEALS = 1033, 15
noise = random.Random(1)


def packet(s, name, data, fds=()):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
        c.settimeout(15)
        c.connect(s.path("run/" + name))
        try:
            c.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                array.array("i", fds))] if fds else [])
            return c.recv(1000)
        except OSError:
            return b""


def packets(s):
    for name in ("qmgr", "pickup", "master"):
        for data, fds in [
                (b"", []), (b"x", []), (b"\0", []), (bytes(5000), []),
                (noise.randbytes(4000), []), (b"A" * 131072, []),
                (b"list\0" + b"a=b\0" * 6000, []), (b"A" * 200000, []),
                (b"list\0=\0", []), (b"message\0", [0] * 16),
                (b"message\0", [0] * 200), (b"show\0id=%s\0" % (b"9" * 9999),
                                            [])]:
            packet(s, "public/" + name, data, fds)
    steady(s, "packets")


def connect_packets(s, name):
    c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    c.settimeout(5)
    c.connect(s.path("run/public/" + name))
    return c


def hold_open(s, name):
    """Connects as nobody until no more is accepted; says how many are."""
    held = []
    try:
        for _ in range(1000):
            held.append(connect_packets(s, name))
    except OSError:
        pass
    time.sleep(0.5)
    alive = 0
    for c in held:
        c.settimeout(0)
        try:
            c.recv(1)
        except BlockingIOError:
            alive += 1
        except OSError:
            pass
    return held, alive


def crowd(s):
    """Another user of the machine holds all that he can of the sockets that
    are anybody's."""
    ready, over = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        become_nobody()
        kept = {name: hold_open(s, name) for name in ("master", "qmgr")}
        os.write(ready[1], repr({n: k[1] for n, k in kept.items()}).encode())
        os.close(over[1])
        os.read(over[0], 1)
        os._exit(0)
    alive = eval(os.read(ready[0], 1000))
    tap.ok(alive["master"] <= 20 and alive["qmgr"] <= 100,
           "one who may only look holds few connections")
    print("#", alive)
    begun = time.monotonic()
    tap.ok(s.posthorn("status").returncode == 0 and
           s.posthorn("queue", "flush", "ALL").returncode == 0 and
           time.monotonic() - begun < 5, "and root is answered at once")
    os.close(over[0])
    os.close(over[1])
    os.waitpid(pid, 0)


def rubbish(s, n):
    """Another user is refused N times each by resolver and by pickup."""
    pid = os.fork()
    if pid == 0:
        become_nobody()
        for _ in range(n):
            packet(s, "private/resolver", b"x\0")
        with connect_packets(s, "pickup") as c:
            for _ in range(n):
                c.send(b"x\0")
                c.recv(1000)
        os._exit(0)
    os.waitpid(pid, 0)


def fill_log(s):
    """Lines of the log that cost another user nothing are few."""
    kinds = (("connections refused", "resolver",
              "warning: connection from uid %d" % NOBODY, 1),
             ("reject", "pickup", "reject: 500", 20))
    before, begun = len(s.read_log()), time.monotonic()

    def lines(service):  # what others say of what was before may come late
        return re.findall(r"posthorn/%s\[\d+\]: (.*)" % service,
                          s.read_log()[before:])

    def told(service, line):
        return sum(l.startswith(line) for l in lines(service))

    def more(service, what):
        found = (re.match(r"%s: (\d+) more before" % what, l)
                 for l in lines(service))
        return sum(int(m[1]) for m in found if m)
    rubbish(s, 3000)
    seconds = time.monotonic() - begun + 2
    for what, service, line, most in kinds:
        tap.ok(1 <= told(service, line) <= most * seconds,
               what + ": in a few lines")
        print("#", told(service, line), "in", seconds)
    time.sleep(1.1)  # in the next second the others are counted
    rubbish(s, 1)
    for what, service, line, _ in kinds:
        tap.ok(wait_for(lambda: told(service, line) + more(service, what) ==
                        3001), what + ": and the others are counted")
        print("#", told(service, line), more(service, what))


def besieged(s):
    """Another user holds all that he can of public/pickup, and takes again
    what he loses."""
    pid = os.fork()
    if pid == 0:
        become_nobody()
        signal.alarm(60)
        held = []
        while True:
            try:
                held.append(connect_packets(s, "pickup"))
            except OSError:
                time.sleep(0.01)
            if len(held) > 300:
                held.pop(0).close()
    time.sleep(2)
    begun = time.monotonic()
    done = subprocess.run([s.SENDMAIL, "-i", s.address()], timeout=120,
                          input=b"Subject: besieged\n\n")
    took = time.monotonic() - begun
    tap.ok(done.returncode == 0 and took < 20 and
           wait_for(lambda: "Subject: besieged" in texts(s)),
           "one user cannot keep the others from sending mail")
    print("#", took)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    crowd_of_one(s)


def crowd_of_one(s):
    """Many at once of one user, who is refused and comes another way."""
    many = [subprocess.Popen(
        [s.SENDMAIL, "-i", "-f", s.address(), s.address(s.USER2)],
        stdin=subprocess.PIPE, preexec_fn=become_nobody) for _ in range(40)]
    for i, p in enumerate(many):
        p.stdin.write(b"Subject: one of many %d\n\n" % i)
        p.stdin.flush()
    for p in many:
        p.stdin.close()
    tap.equal([p.wait() for p in many], [0] * 40, "forty at once are taken")
    tap.ok(wait_for(lambda: texts(s, s.USER2).count("one of many") == 40),
           "and each arrives")


def records(s):
    return b"sender a%%40b.test\nrcpt %s 0 \n\n" % \
        s.address().replace("@", "%40").encode()


def submissions(s):
    def memory(data, size=0, seals=ALL_SEALS):
        fd = os.memfd_create("x", os.MFD_ALLOW_SEALING)
        os.write(fd, data)
        if size:
            os.ftruncate(fd, size)
        fcntl.fcntl(fd, F_ADD_SEALS, seals)
        return fd
    for name, fd in [
            ("a pipe", os.pipe()[0]),
            ("/dev/zero", os.open("/dev/zero", os.O_RDONLY)),
            ("a folder", os.open("/tmp", os.O_RDONLY)),
            ("memory that can change", memory(records(s) + b"x\n", seals=2)),
            ("a message of 1 TB", memory(records(s), size=1 << 40)),
            ("records without end", memory(b"sender a\n", size=1 << 36)),
            ("too many recipients",
             memory(b"sender a\n" + b"rcpt a 0 \n" * 200000 + b"\n")),
            ("a header of 20 MB", memory(records(s) + b"A: b\n" * 4000000))]:
        got = packet(s, "public/pickup", b"message\0", [fd])
        tap.ok(got.startswith(b"failed\0"), name + " is refused")
        os.close(fd)
    steady(s, "submissions")


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def become_nobody():
    become(NOBODY)


def mailbox_owner(s):
    """The uid that sessions of virtual users have by default, as run."""
    value = s.posthorn("config", "virtual_uid_maps").stdout
    return int(value.rpartition("static:")[2])


def as_other(s, uid, what):
    """What a user of the machine can reach who is none of the suite's."""
    pid = os.fork()
    if pid == 0:
        become(uid)
        reached = []
        for name in ("accountd", "authcheck", "imap-session", "pop3-session",
                     "feed", "feed-all", "local-deliver", "qmgr",
                     "remote-send",
                     "resolver", "smtpd", "tls-client", "tls-policy",
                     "tls-server"):
            if packet(s, "private/" + name, b"x\0"):
                reached.append(name)
        for verb in (b"hold", b"delete", b"flush"):
            if not packet(s, "public/qmgr",
                          verb + b"\0id=ALL\0").startswith(b"failed\0"):
                reached.append(verb)
        for verb in (b"stop\0", b"reload\0"):
            if not packet(s, "public/master", verb).startswith(
                    (b"failed\0", b"denied\0")):
                reached.append(verb)
        for place in ("spool/queue", "spool/drop", "spool/corrupt", "users",
                      "key.pem"):
            if os.access(s.path(place), os.R_OK):
                reached.append(place)
        print("#", reached) if reached else None
        sys.stdout.flush()
        os._exit(len(reached))
    tap.equal(os.waitpid(pid, 0)[1], 0,
              what + " reaches nothing that is private")
    steady(s, what)


def lmtp(s, limit):
    """Another user holds all that he can of the socket of LMTP."""
    ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        become_nobody()
        held = []
        for _ in range(40):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect(s.LMTP_SOCKET)
        os.write(ready[1], b"x")
        signal.pause()
    os.read(ready[0], 1)
    s.wait_log("processes are busy", 3)
    try:
        with smtplib.SMTP(s.HOST, s.SMTP_PORT, timeout=15) as c:
            c.sendmail("a@b.test", [s.address()],
                       b"From: a@b.test\r\nSubject: x\r\n\r\n")
        good = True
    except (OSError, smtplib.SMTPException):
        good = False
    tap.ok(good, "who holds LMTP's socket keeps no other out of SMTP (limit %d)" %
           limit)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def put_drop(s, name, data, mode=0o644):
    with open(s.path("tmp"), "wb") as f:
        f.write(data)
    os.chmod(s.path("tmp"), mode)
    os.rename(s.path("tmp"), s.path("spool/drop/" + name))


def drop(s):
    folder = s.path("spool/drop/")
    head = records(s)
    secret = s.path("secret")

    def put(name, data, mode=0o640):
        put_drop(s, name, data, mode)
    with open(secret, "wb") as f:
        f.write(head + b"Subject: secret\n\n")
    os.chmod(secret, 0o644)
    put("mail.garbage", noise.randbytes(100000), 0o6777)
    put("mail.empty", b"", 0o644)
    os.symlink(secret, s.path("link"))
    os.rename(s.path("link"), folder + "mail.link")
    os.mkfifo(s.path("fifo"))
    os.rename(s.path("fifo"), folder + "mail.fifo")
    os.mkdir(folder + "mail.folder")
    os.link(secret, s.path("hard"))
    os.rename(s.path("hard"), folder + "mail.hard")
    with open(folder + "mail.huge", "wb") as f:
        f.write(head)
        f.truncate(1 << 40)
    put("mail.odd\n\xff%s", head + b"Subject: odd name\n\n", 0o644)
    put("mail.last", head + b"Subject: dropped\n\n", 0o644)
    tap.ok(wait_for(lambda: "Subject: dropped" in texts(s)),
           "after garbage in the drop folder good mail is taken")
    names = os.listdir(folder)
    tap.ok(not [n for n in names if n.startswith("mail.") and
                n != "mail.folder"], "all of it was dealt with")
    tap.ok("secret" not in texts(s) and os.path.exists(secret),
           "by no link is a file mailed that was not put there")
    steady(s, "drop folder")


def put_off():
    """Files of one user that there is no room for in the queue."""
    small = "/tmp/ph-drop-%d" % os.getpid()
    if not mounted(small, "16M"):
        tap.ok(True, "# SKIP no file system of our own")
        return
    os.chmod(small, 0o755)
    try:
        # the large ones are holes: NULs, which must count
        with Instance("queue_directory=" + small, "queue_minfree=256k",
                      "message_reject_characters=") as s:
            paths = [os.path.join(small, "drop", "mail." + name)
                     for name in ("large1", "steady", "large2")]
            # all before the first is tried, which fills the disk for a while
            for path in paths:
                name = path.rpartition(".")[2]
                with open(path + ".new", "wb") as f:
                    f.write(records(s) + b"Subject: %s\n\n" % name.encode())
                    if name != "steady":
                        os.fchown(f.fileno(), NOBODY, -1)
                        f.truncate(40 << 20)
            for path in paths:
                os.rename(path + ".new", path)
            tap.ok(s.wait_log("waits: 45") and
                   wait_for(lambda: "Subject: steady" in texts(s)),
                   "a file that has to wait holds up no other user's")
            steady(s, "files that wait")
    finally:
        subprocess.run(["umount", "-l", small])
        os.rmdir(small)


resource.setrlimit(resource.RLIMIT_NOFILE, (4000, 4000))
put_off()
for limit in (50, 0) if ROOT else ():
    with Instance("smtpd_process_limit=20",
                  "smtpd_client_connection_count_limit=%d" % limit) as s:
        lmtp(s, limit)
with Instance() as s:
    packets(s)
    submissions(s)
    if ROOT:
        as_other(s, NOBODY, "another user")
        crowd(s)
        fill_log(s)
        besieged(s)
        as_other(s, mailbox_owner(s), "the owner of virtual users' mail")
    drop(s)
tap.done()
