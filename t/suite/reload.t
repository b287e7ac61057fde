#!/usr/bin/env python3
"""posthorn reload: it takes effect whole, or not at all. After one that was
refused everything is as it was, also for services that are started again
later; what runs is the configuration that was accepted, not the file."""
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, free_port  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402

tap = Tap()


class Conf:
    """The file posthorn.conf, and what was in it."""

    def __init__(self, s):
        self.path = s.CONF
        self.good = open(self.path).read()

    def set(self, *lines):
        with open(self.path, "w") as f:
            f.write(self.good + "".join(line + "\n" for line in lines))


def greeting(s, port=None):
    """The first line of a server, or why there is none."""
    try:
        with s.raw(port or s.SMTP_PORT) as c:
            c.settimeout(60)
            return c.recv(512).decode()
    except OSError as e:
        return str(e)


def starts_again(s, name, was):
    return wait_for(lambda: s.pid_of(name) not in (0, was) and
                    s.posthorn("status").returncode == 0, 30)


def kill(s, *names):
    for name in names:
        pid = s.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        tap.ok(starts_again(s, name, pid), "%s comes back" % name)


def processes(s):
    lines = s.posthorn("status").stdout.split("\n\n")[0].splitlines()[1:]
    return [line.split()[:3:2] for line in lines]


def test_refused(s, conf, what, *lines, say=""):
    """All is as before, whatever has to be started again."""
    pids = processes(s)
    conf.set(*lines)
    done = s.posthorn("reload")
    tap.ok(done.returncode == 78 and say in done.stderr,
           "refused: " + what, done.stderr)
    tap.equal(processes(s), pids, "no process was replaced")
    kill(s, "gate", "imapd", "qmgr")
    tap.starts(greeting(s), "220 first", "SMTP as before")
    tap.starts(greeting(s, s.IMAP_PORT), "* OK", "IMAP as before")
    conf.set()


def test_refusals(s, conf):
    test_refused(s, conf, "an unknown parameter", "smtpd_baner = second",
                 "smtpd_banner = second", say="smtpd_baner")
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        test_refused(s, conf, "a port that another program has",
                     "smtpd_banner = second", "smtp_port = %d" % port,
                     "pop3_port = %d" % taken.getsockname()[1],
                     say="Address already in use")
    tap.ok("refused" in greeting(s, port), "no port of it is open")
    test_refused(s, conf, "a certificate that is none",
                 "smtpd_banner = second",
                 "smtpd_tls_cert_file = %s" % s.CONF, say=s.CONF)
    test_refused(s, conf, "a folder that cannot move",
                 "smtpd_banner = second",
                 "queue_directory = %s" % s.path("spool2"),
                 say="queue_directory")
    tap.ok(not os.path.exists(s.path("spool2")), "nor was it made")
    with open(s.path("mine"), "w") as f:
        f.write("not yours\n")
    test_refused(s, conf, "a socket where a file is",
                 "smtpd_banner = second", "lmtp_socket = %s" % s.path("mine"),
                 say=s.path("mine"))
    tap.equal(open(s.path("mine")).read(), "not yours\n",
              "and the file is still there")
    with s.submission() as c:
        tap.equal(c.noop()[0], 250, "TLS as before")


def owners(s):
    """Of all folders that the suite makes."""
    found = {}
    for top in (s.path("run"), s.QUEUE, s.path("state")):
        for path, _, _ in os.walk(top):
            st = os.lstat(path)
            found[path] = st.st_uid, st.st_gid, oct(st.st_mode)
    return found


def test_folders(s, conf):
    """Nobody's folder is given away, nor is one made, for what is refused."""
    before = owners(s)
    test_refused(s, conf, "a certificate that is none, and other users",
                 "smtpd_tls_cert_file = %s" % s.CONF,
                 "net_user = daemon", "account_user = bin")
    tap.equal(owners(s), before, "all folders are whose they were")
    for line in ("net_user = daemon", "account_user = bin",
                 "data_directory = %s" % s.path("state2")):
        conf.set(line)
        done = s.posthorn("reload")
        tap.ok(done.returncode == 78 and "stop it, and start it again" in
               done.stderr, "refused: " + line, done.stderr)
    tap.ok(not os.path.exists(s.path("state2")), "and no folder made")
    drop = os.path.join(s.QUEUE, "drop")
    os.chmod(drop, 0o700)
    before = owners(s)
    test_refused(s, conf, "a certificate that is none",
                 "smtpd_tls_cert_file = %s" % s.CONF)
    tap.equal(owners(s), before, "what is amiss before stays so")
    tap.equal(s.posthorn("reload").returncode, 0, "one that is good")
    tap.equal(oct(os.lstat(drop).st_mode & 0o7777), "0o3733", "mends it")


def test_other_number(s, conf):
    """A user's number was changed: what runs still has the former one."""
    if os.geteuid() != 0:
        print("# only root can give a folder away")
        return
    drop = os.path.join(s.QUEUE, "drop")
    st = os.lstat(drop)
    os.chown(drop, 1, 1)
    done = s.posthorn("reload")
    tap.ok(done.returncode == 78 and drop + ": belongs to 1:1" in done.stderr,
           "refused: a folder of another user", done.stderr)
    tap.equal(os.lstat(drop).st_uid, 1, "which is left to that user")
    os.chown(drop, st.st_uid, st.st_gid)


def test_routes(s, conf):
    """With these in force mail would go back to its senders."""
    pids = processes(s)
    for line in ("relayhost = [smart", "relayhost = smart:smtp",
                 "mydestination = *", "myorigin = [a.test",
                 "myhostname = mail@a.test", "virtual_mailbox_domains = a.test @b"):
        conf.set(line)
        done = s.posthorn("reload")
        tap.ok(done.returncode == 78 and ": " + line.split()[0] in
               done.stderr, "refused: " + line, done.stderr)
    conf.set()
    tap.equal(processes(s), pids, "and all is as it was")


def test_many_refusals(s, conf):
    """What ends half-started candidates must never reach master."""
    pids = processes(s)
    conf.set("smtpd_tls_cert_file = %s" % s.CONF)
    codes = {s.posthorn("reload").returncode for _ in range(12)}
    conf.set()
    tap.equal(codes, {78}, "a dozen refusals")
    tap.equal(processes(s), pids, "and all is as it was")


def test_file_is_not_read(s, conf):
    """Without a reload the file is of no matter, however it is."""
    conf.set("smtpd_banner = second", "nonsense = 1")
    kill(s, "gate", "smtpd", "qmgr", "accountd")
    tap.starts(greeting(s), "220 first", "what was accepted is in force")
    conf.set()


def test_accepted(s, conf):
    held = s.smtp()
    conf.set("smtpd_banner = second", "debug_log = yes")
    done = s.posthorn("reload")
    tap.equal(done.returncode, 0, "a good one is accepted")
    tap.ok(wait_for(lambda: greeting(s).startswith("220 second"), 60),
           "and in force")
    tap.ok(s.posthorn("status").returncode == 0, "with all services ready")
    tap.ok(s.wait_log("configuration read again"), "qmgr has it, too")
    tap.equal(held.ehlo()[0], 250, "a session of before goes on")
    kill(s, "gate")
    tap.starts(greeting(s), "220 second", "it holds for who starts later")
    held.close()


def in_use_elsewhere(s):
    """Has another program of this machine one of our ports at an address that
    is not ours? Then we cannot have it at all addresses."""
    ports = {v for k, v in vars(s).items() if k.endswith("_PORT")}
    with open("/proc/net/tcp") as f:
        local = [line.split()[1].split(":") for line in list(f)[1:]]
    return any(a != "0100007F" and int(p, 16) in ports for a, p in local)


def test_ports(s, conf):
    """A port moves; the former one is closed though a session holds on."""
    held = s.raw(s.IMAP_PORT)
    held.recv(512)
    port = free_port()
    conf.set("imap_port = %d" % port)
    tap.equal(s.posthorn("reload").returncode, 0, "a port moves")
    tap.starts(greeting(s, port), "* OK", "the new one answers")
    tap.ok("refused" in greeting(s, s.IMAP_PORT), "the former one is closed")
    held.sendall(b"a noop\r\n")
    tap.starts(held.recv(512).decode(), "a OK", "its session goes on")
    held.close()
    if in_use_elsewhere(s):
        print("# a port of ours is in use on other addresses: not tried")
        return
    conf.set("inet_interfaces = all", "inet_protocols = ipv4")
    done = s.posthorn("reload")
    tap.ok(done.returncode == 0, "from one address to all", done.stderr)
    tap.starts(greeting(s), "220", "on the same port")
    conf.set()
    tap.equal(s.posthorn("reload").returncode, 0, "and back")
    tap.starts(greeting(s), "220", "on the same port")


def test_disabled(s, conf):
    held = s.raw(s.POP3_PORT)
    held.recv(512)
    conf.set("disabled_services = pop3d")
    tap.equal(s.posthorn("reload").returncode, 0, "a service is left out")
    tap.ok("refused" in greeting(s, s.POP3_PORT), "its port is closed")
    held.close()
    conf.set()
    tap.equal(s.posthorn("reload").returncode, 0, "and is there again")
    tap.starts(greeting(s, s.POP3_PORT), "+OK", "with its port")


with Instance("smtpd_banner=first") as s:
    conf = Conf(s)
    test_refusals(s, conf)
    test_folders(s, conf)
    test_other_number(s, conf)
    test_routes(s, conf)
    test_many_refusals(s, conf)
    test_file_is_not_read(s, conf)
    test_accepted(s, conf)
    conf.set()
    s.posthorn("reload")
    test_ports(s, conf)
    test_disabled(s, conf)
    with s.smtp() as c:
        c.sendmail("a@client.test", [s.address()],
                   message("a@client.test", s.address(), "after all"))
    tap.equal(len(s.wait_messages(1)), 1, "mail goes on")
tap.done()
