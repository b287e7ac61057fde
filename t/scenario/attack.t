#!/usr/bin/env python3
"""Hostile clients, local programs and users' files: everything goes on."""
import array
import fcntl
import json
import os
import random
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, mounted, wait_for  # noqa: E402

tap = Tap()
ROOT = os.getuid() == 0
NOBODY = 65534
F_ADD_SEALS, ALL_SEALS = 1033, 15
CLIENT_LIMIT = 10
WORKERS = 32  # of one process of local-deliver
MEMORY_MAX = 60 << 10  # KiB, of any one process
PORTS = ("SMTP", "SUBMISSION", "SUBMISSIONS", "IMAP", "IMAPS", "POP3",
         "POP3S")
noise = random.Random(1)


def all_processes():
    """Parent and resident KiB of each."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name) as f:
                words = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(name)] = (int(words[1]), int(words[21]) * 4)
    return found


def children(pid):
    return [p for p, (parent, _) in all_processes().items() if parent == pid]


def processes(s):
    """Resident KiB of each process below master."""
    found = all_processes()

    def ours(pid):
        while pid in found and pid != s.PID:
            pid = found[pid][0]
        return pid == s.PID
    return {pid: kib for pid, (_, kib) in found.items() if ours(pid)}


def steady(s, what):
    """All services run, none was started anew, none is large."""
    rows = json.loads(s.posthorn("status", "--json").stdout)["services"]
    bad = [row for row in rows if row["state"] != "ready" or row["restarts"]]
    largest = max(processes(s).values())
    if not tap.ok(rows and not bad and largest < MEMORY_MAX,
                  what + ": all services run on"):
        print("#", bad, largest, "KiB")


def connect(s, port):
    if port == "LMTP":
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(20)
        c.connect(s.LMTP_SOCKET)
        return c
    return socket.create_connection((s.HOST, getattr(s, port + "_PORT")), 20)


def wrapped(s, port):
    c = connect(s, port)
    if port in ("SUBMISSIONS", "IMAPS", "POP3S"):
        c = ssl._create_unverified_context().wrap_socket(c)
    return c


def answer(c):
    """All that C says until its end, or until it is silent."""
    got = b""
    c.settimeout(5)
    try:
        while True:
            data = c.recv(65536)
            if not data:
                break
            got += data
    except OSError:
        pass
    c.close()
    return got


def is_ended(c):
    """Did the other side close C?"""
    c.settimeout(10)
    try:
        while c.recv(65536):
            pass
    except socket.timeout:
        return False
    except OSError:
        pass
    c.close()
    return True


def say(c, data, end=True):
    try:
        c.sendall(data)
        if end:
            c.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def listeners(s):
    inputs = [noise.randbytes(65536), bytes(5000), b"EHLO x", b"\r\n" * 9999,
              b"\x16\x03\x01\xff\xff" + noise.randbytes(3000), b""]
    begun = time.monotonic()
    for port in PORTS + ("LMTP",):
        for data in inputs:
            c = connect(s, port)
            say(c, data)
            answer(c)
    tap.ok(time.monotonic() - begun < 30, "garbage is answered at once")
    steady(s, "garbage")
    for port in PORTS + ("LMTP",):
        c = wrapped(s, port)
        say(c, b"A" * (4 << 20), end=False)
        tap.ok(is_ended(c), "%s: an endless line is ended" % port)
    steady(s, "endless lines")


def starttls(s):
    for port, ask in (("SMTP", b"EHLO x\r\nSTARTTLS\r\n"),
                      ("SUBMISSION", b"EHLO x\r\nSTARTTLS\r\n"),
                      ("IMAP", b"a STARTTLS\r\n"), ("POP3", b"STLS\r\n")):
        c = connect(s, port)
        c.recv(1000)
        say(c, ask + b"NOOP\r\nRSET\r\na NOOP\r\n", end=False)
        time.sleep(0.3)
        say(c, noise.randbytes(3000))
        got = answer(c)
        tap.ok(b"a OK NOOP" not in got and b"RSET" not in got and
               got.count(b"\n250 ") <= 1,
               "%s: what stands behind STARTTLS in the clear is not done"
               % port)
    steady(s, "STARTTLS")


def many(s):
    for port in ("SUBMISSION", "IMAP", "POP3"):
        held = [connect(s, port) for _ in range(4 * CLIENT_LIMIT)]
        other = socket.create_connection(
            (s.HOST, getattr(s, port + "_PORT")), 10, ("127.0.0.9", 0))
        greeting = other.recv(100)
        other.close()
        said = [c.recv(100) for c in held]
        refused = [text for text in said if b"oo many" in text]
        tap.ok(len(refused) == 3 * CLIENT_LIMIT and greeting and
               b"oo many" not in greeting,
               "%s: one client cannot keep the others out" % port)
        for c in held:
            c.close()
    held = [connect(s, "SMTP") for _ in range(1500)]
    other = socket.create_connection((s.HOST, s.SMTP_PORT), 10,
                                     ("127.0.0.9", 0))
    tap.ok(other.recv(100).startswith(b"220"),
           "SMTP: neither with 1500 connections")
    for c in held + [other]:
        c.close()
    steady(s, "many connections")


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
    for name in ("qmgr", "submit", "master"):
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


def besieged(s):
    """Another user holds all that he can of public/submit, and takes again
    what he loses."""
    pid = os.fork()
    if pid == 0:
        become_nobody()
        signal.alarm(60)
        held = []
        while True:
            try:
                held.append(connect_packets(s, "submit"))
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
        got = packet(s, "public/submit", b"message\0", [fd])
        tap.ok(got.startswith(b"failed\0"), name + " is refused")
        os.close(fd)
    steady(s, "submissions")


def become_nobody():
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def as_nobody(s):
    """What another user of the machine can reach."""
    pid = os.fork()
    if pid == 0:
        become_nobody()
        reached = []
        for name in ("accountd", "authcheck", "imap-session", "pop3-session",
                     "local-deliver", "notify", "qmgr", "remote-send",
                     "resolver", "smtpd", "tls-client", "tls-policy",
                     "tls-server"):
            if packet(s, "private/" + name, b"x\0"):
                reached.append(name)
        for verb in (b"hold\0id=ALL\0", b"delete\0id=ALL\0", b"flush\0id=ALL\0"):
            if not packet(s, "public/qmgr", verb).startswith(b"failed\0"):
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
              "another user reaches nothing that is private")
    steady(s, "another user")


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
        with Instance("queue_directory=" + small, "queue_minfree=256k") as s:
            for name in ("large1", "steady", "large2"):
                path = os.path.join(small, "drop", "mail." + name)
                with open(path + ".new", "wb") as f:
                    f.write(records(s) + b"Subject: %s\n\n" % name.encode())
                    if name != "steady":
                        os.fchown(f.fileno(), NOBODY, -1)
                        f.truncate(40 << 20)
                os.rename(path + ".new", path)
            tap.ok(s.wait_log("waits: 45") and
                   wait_for(lambda: "Subject: steady" in texts(s)),
                   "a file that has to wait holds up no other user's")
            steady(s, "files that wait")
    finally:
        subprocess.run(["umount", "-l", small])
        os.rmdir(small)


def texts(s, user=None):
    return b"".join(s.messages(user)).decode(errors="replace")


def beside(s):
    """A user's own folder, as he may leave it."""
    maildir = os.path.join(s.MAILROOT, s.USER2, "Maildir")
    send(s, s.USER2, "first")
    s.wait_messages(1, s.USER2)
    owner = os.stat(maildir)
    victim = s.path("victim")
    with open(victim, "w") as f:
        f.write("untouched")
    os.chmod(victim, 0o666)

    def sparse(path):
        with open(path, "wb") as f:
            f.truncate(1 << 40)

    def garbage(path):
        with open(path, "wb") as f:
            f.write(noise.randbytes(90000))
    count = 1
    for name in ("journal", "snapshot", "cache", "lock", "uidvalidity"):
        path = os.path.join(maildir, "posthorn-" + name)
        for make in (garbage, sparse, os.mkfifo,
                     lambda p: os.symlink(victim, p)):
            if os.path.lexists(path):
                os.rename(path, path + ".kept")
            make(path)
            os.lchown(path, owner.st_uid, owner.st_gid)
            send(s, s.USER2, "with %s %d" % (name, count))
            count += 1
            try:
                s.messages(s.USER2)
            except Exception:
                pass  # refused
            os.unlink(path)
            if os.path.exists(path + ".kept"):
                os.rename(path + ".kept", path)
    s.posthorn("queue", "flush", "ALL")
    tap.ok(wait_for(lambda: len(os.listdir(maildir + "/new") +
                                os.listdir(maildir + "/cur")) == count),
           "with files of his replaced, no mail to a user is lost")
    with open(victim) as f:
        tap.equal(f.read(), "untouched", "and none is written elsewhere")
    steady(s, "replaced files")
    odd_messages(s, maildir, owner)


def odd_messages(s, maildir, owner):
    for i, name in enumerate([b"\xff\xfe", b"a\nb", b":2,S", b"-rf", b"%s%n",
                              b"U=1,S=99999999999999999999:2,S", b'"{5}'] +
                             [b"m%d:2,%s" % (n, b"abcxyzSSFT"[n % 9:])
                              for n in range(2000)]):
        path = os.path.join(os.fsencode(maildir), b"new" if i % 2 else b"cur",
                            name)
        with open(path, "wb") as f:
            f.write(b"Subject: odd\n\nx\n")
        os.chown(path, owner.st_uid, owner.st_gid)
    os.symlink(s.path("key.pem"), maildir + "/cur/link:2,")
    os.mkfifo(maildir + "/new/fifo")
    os.mkdir(maildir + "/cur/folder:2,S")
    begun = time.monotonic()
    got = texts(s, s.USER2)
    tap.ok(got.count("Subject: odd") >= 2000 and "PRIVATE KEY" not in got and
           time.monotonic() - begun < 10,
           "odd names, links and pipes among messages harm nobody")
    steady(s, "odd messages")


def send(s, user, subject):
    with s.smtp() as c:
        c.sendmail("f@e.test", [s.address(user)],
                   message("f@e.test", s.address(user), subject))


def locked(s):
    """A user who never gives his lock back waits alone."""
    path = os.path.join(s.MAILROOT, s.USER2, "Maildir", "posthorn-lock")
    fd = os.open(path, os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX)
    for i in range(30):
        send(s, s.USER2, "for the locked %d" % i)
    before = len(s.messages())
    send(s, s.USER1, "for the other")
    tap.ok(wait_for(lambda: len(s.messages()) > before),
           "a mailbox that stays locked holds up no other")
    os.close(fd)
    steady(s, "a lock")


def stopped(s):
    """A user may stop the process that has become him."""
    users = ["w%d" % n for n in range(WORKERS + 2)]
    with open(s.path("users")) as f:
        line = next(x for x in f if x.startswith(s.USER1))
    with open(s.path("users"), "a") as f:
        for user in users:
            f.write(line.replace(s.USER1, user))
    before = workers(s)
    send(s, users[0], "to one who stops")
    tap.ok(wait_for(lambda: stored(s, users[0])), "a worker is made")
    for pid in workers(s) - before:
        os.kill(pid, signal.SIGSTOP)
    for user in users[1:]:
        send(s, user, "to another")
        wait_for(lambda: stored(s, user))
    tap.ok(all(stored(s, user) for user in users),
           "a worker that its user stopped holds up no other")


def workers(s):
    parent = s.pid_of("local-deliver")
    return {pid for child in children(parent) for pid in children(child)}


def stored(s, user):
    try:
        return len(os.listdir(os.path.join(s.MAILROOT, user, "Maildir",
                                           "new")))
    except OSError:
        return 0


resource.setrlimit(resource.RLIMIT_NOFILE, (4000, 4000))
with Instance("smtpd_client_connection_count_limit=%d" % CLIENT_LIMIT,
              "smtpd_pregreet_reject=no") as s:
    many(s)
with Instance() as s:
    stopped(s)
put_off()
with Instance() as s:
    listeners(s)
    starttls(s)
    packets(s)
    submissions(s)
    if ROOT:
        as_nobody(s)
        crowd(s)
        besieged(s)
    drop(s)
    beside(s)
    locked(s)
tap.done()
