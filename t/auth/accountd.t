#!/usr/bin/env python3
"""accountd alone: who exists, who may send, logins. Hashes are made by
perl's crypt and openssl passwd, the session side is played here."""
import base64
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from alone import Folder, Tap, packet, parse, wait_for

tap = Tap()
ok, equal = tap.ok, tap.equal


def sh(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


SALTS = {"yescrypt": "$y$j9T$nVgK3Xp1Qd7mYwZ0sB5tR/", "sha512crypt": "$6$saltsaltsalt",
         "bcrypt": "$2b$08$abcdefghijklmnopqrstuu"}


def mkpasswd(method, password):
    """crypt(3) of the system, by perl, which every Debian has."""
    return sh("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password, SALTS[method])


folder = Folder()
hashes = {
    "yescrypt": mkpasswd("yescrypt", "secret-y"),
    "bcrypt": "{BLF-CRYPT}" + mkpasswd("bcrypt", "secret-b"),
    "sha512": "{SHA512-CRYPT}" + sh("openssl", "passwd", "-6", "secret-5"),
    "crypt": "{CRYPT}" + sh("openssl", "passwd", "-6", "secret-c"),
}
USERS = f"""# a comment

yara@v.test:{hashes['yescrypt']}::::
bert@v.test:{hashes['bcrypt']}:1234:1235::/srv/bert:
Sam@V.test:{hashes['sha512']}:1234::Sam Sung:/srv/sam/:/bin/false:userdb_quota=1 userdb_mail=maildir:~/Mail:LAYOUT=fs
cleo@v.test:{hashes['crypt']}::::
locked@v.test:!{hashes['yescrypt']}::::
empty@v.test:::::
plain@v.test:{{PLAIN}}secret::::
fold@v.test:*::::
other@w.test:{hashes['crypt']}::::
cleo@v.test:{hashes['yescrypt']}::::
"""
BROKEN = f"""no-domain:x-secret::::
rooted@v.test:{hashes['crypt']}:0:0::/root:
relative@v.test:{hashes['crypt']}::::srv/relative:
"""
ALIASES = """postmaster: root
games: root
team: yara@v.test, bert@v.test
archive: /var/mail/archive
one: bert@v.test
"""
VIRTUAL = """info@v.test yara@v.test
all@v.test yara@v.test, bert@v.test
deep@v.test info@v.test
@x.test cleo@v.test
cleo@v.test cleo@v.test, bert@v.test
"""
MASTERS = f"""ops {hashes['sha512']}
chief {hashes['yescrypt']}
former !{hashes['sha512']}
"""
SENDERS = """shared@v.test yara@v.test, bert@v.test
@elsewhere.test sam@v.test
"""
folder.write("users", USERS)
folder.configure([
    "local_users = yes", "mydestination = home.test, localhost",
    "virtual_mailbox_domains = v.test w.test", "virtual_alias_domains = x.test",
    "virtual_mailbox_base = /srv/virtual",
    f"virtual_users_file = {folder.path('users')}",
    f"virtual_uid_maps = static:{os.getuid() or 64199}", f"virtual_gid_maps = static:{os.getgid() or 64198}",
    f"alias_maps = aliases:{folder.write('aliases', ALIASES)}",
    f"virtual_alias_maps = texthash:{folder.write('virtual', VIRTUAL)}",
    f"auth_master_user_maps = texthash:{folder.write('masters', MASTERS)}",
    "auth_master_user_separator = *",
    f"smtpd_sender_login_maps = texthash:{folder.write('senders', SENDERS)}",
])
uid, gid = os.getuid() or 64199, os.getgid() or 64198


def session_listener(name):
    l = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    l.bind(os.path.join(folder.private, name))
    l.listen(10)
    return l


class Asker:
    """A standing connection to accountd."""

    def __init__(self):
        self.s = daemon.connect()
        self.s.settimeout(40)

    def ask(self, verb, *attrs, fd=None):
        data = packet(verb, *attrs)
        socket.send_fds(self.s, [data], [fd] if fd is not None else [])
        answer = self.s.recv(131072)
        return parse(answer) if answer else (None, [])

    def words(self, verb, *attrs):
        return self.ask(verb, *attrs)[0]


def b64(text):
    return base64.b64encode(text.encode()).decode()


def login(user, password, client="192.0.2.1", mechanism="PLAIN", service="smtp", acts_as=""):
    """(verb, attributes, seconds) of a login without session."""
    a = Asker()
    begun = time.monotonic()
    base = [("service", service), ("client", client), ("tls", "1")]
    if mechanism == "PLAIN":
        verb, attrs = a.ask("auth", ("mechanism", "PLAIN"),
                            ("response", b64(f"{acts_as}\0{user}\0{password}")), *base)
    else:
        verb, attrs = a.ask("auth", ("mechanism", mechanism), *base)
        for word in (user, password):
            if verb == "continue":
                verb, attrs = a.ask("step", ("response", b64(word)))
    return verb, dict(attrs), time.monotonic() - begun


def test_recipients(a):
    for address, want in [
            ("yara@v.test", "found"), ("YARA@V.Test", "found"),
            ("yara+tag@v.test", "found"), ("sam@v.test", "found"),
            ("locked@v.test", "found"), ("nobody@v.test", "none"),
            ("nobody+tag@v.test", "none"), ("other@w.test", "found"),
            ("yara@w.test", "none"), ("root@home.test", "found"),
            ("ROOT@home.test", "found"), ("root+x@home.test", "found"),
            ("root@v.test", "none"), ("postmaster@home.test", "found"),
            ("team@home.test", "found"), ("team@v.test", "none"),
            ("archive+x@home.test", "found"), ("daemon@home.test", "none"),
            ("nobody@home.test", "none"), ("daemon+x@home.test", "none"),
            ("games@home.test", "found"),
            ("no-such-user@home.test", "none"), ("info@v.test", "found"),
            ("info+x@v.test", "found"), ("anything@x.test", "found"),
            ("yara@remote.test", "none"), ("", "none"), ("@v.test", "none"),
            ("yara@v.test@v.test", "none"), ("a" * 3000 + "@v.test", "none")]:
        equal(a.words("recipient", ("address", address)), want,
              f"recipient {address[:40]}: {want}")


def test_homes(a):
    """A system user has a mailbox where a home is."""
    if os.getuid():
        print("# SKIP no root")
        return
    name, home = "posthorn-%d" % os.getpid(), folder.path("home")
    address = ("address", name + "@home.test")
    sh("useradd", "-M", "-d", home, name)
    try:
        equal(a.words("recipient", address), "temp",
              "a person whose home is not there, such as not mounted")
        os.mkdir(home)
        equal(a.words("recipient", address), "temp", "or is root's")
        os.chown(home, int(sh("id", "-u", name)), -1)
        equal(a.words("recipient", address), "found", "or is his")
    finally:
        sh("userdel", name)
    equal(dict(a.ask("lookup", ("name", "daemon"))[1]).get("user"), "daemon",
          "deliverers are told of users without one, too")


def test_lookup(a):
    verb, attrs = a.ask("lookup", ("name", "yara+news@v.test"))
    equal((verb, dict(attrs)),
          ("found", dict(user="yara@v.test", home="/srv/virtual/v.test/yara",
                         maildir="/srv/virtual/v.test/yara/Maildir",
                         uid=str(uid), gid=str(gid), virtual="1", extension="news")),
          "a virtual user with an extension, ids and home by default")
    got = dict(a.ask("lookup", ("name", "bert@v.test"))[1])
    equal((got["home"], got["uid"], got["gid"]), ("/srv/bert", "1234", "1235"),
          "home and ids of the file")
    got = dict(a.ask("lookup", ("name", "sam@v.test"))[1])
    equal((got["home"], got["maildir"], got["user"]), ("/srv/sam", "/srv/sam/Mail", "sam@v.test"),
          "userdb_mail says where the Maildir is")
    got = dict(a.ask("lookup", ("name", "root@home.test"))[1])
    equal((got["user"], got["home"], got["maildir"], got["virtual"]),
          ("root", "/root", "/root/Maildir", "0"), "a system user")
    equal(dict(a.ask("lookup", ("name", "root"))[1]).get("user"), "root",
          "a name without domain is a system user")
    equal(a.words("lookup", ("name", "info@v.test")), "none", "an alias is no account")


def test_may_send(a):
    for user, address, want in [
            ("yara@v.test", "yara@v.test", "found"), ("yara@v.test", "Yara+x@V.test", "found"),
            ("yara@v.test", "bert@v.test", "none"), ("yara@v.test", "info@v.test", "found"),
            ("yara@v.test", "deep@v.test", "found"), ("yara@v.test", "all@v.test", "none"),
            ("yara@v.test", "team@home.test", "none"), ("bert@v.test", "one@home.test", "found"),
            ("yara@v.test", "one@home.test", "none"),
            ("cleo@v.test", "any@x.test", "none"), ("cleo@v.test", "cleo@v.test", "found"),
            ("yara@v.test", "shared@v.test", "found"), ("sam@v.test", "shared@v.test", "none"),
            ("sam@v.test", "any@elsewhere.test", "found"), ("yara@v.test", "any@elsewhere.test", "none"),
            ("root", "root@home.test", "found"), ("root", "root+x@localhost", "found"),
            ("yara@v.test", "root@home.test", "none"), ("yara@v.test", "", "found"),
            ("yara@v.test", "yara@remote.test", "none"), ("yara@v.test", "<>@", "none")]:
        equal(a.words("may-send", ("user", user), ("address", address)), want,
              f"{user} as <{address}>: {want}")


def test_logins():
    for user, password, what in [
            ("yara@v.test", "secret-y", "yescrypt"), ("bert@v.test", "secret-b", "bcrypt"),
            ("sam@v.test", "secret-5", "SHA512-CRYPT"), ("cleo@v.test", "secret-c", "{CRYPT}"),
            ("SAM@V.TEST", "secret-5", "another spelling")]:
        verb, attrs, _ = login(user, password)
        equal((verb, attrs.get("user")), ("ok", user.lower()), f"login with {what}")
    equal(login("bert@v.test", "secret-b", mechanism="LOGIN")[0], "ok", "login by LOGIN")
    number = 10
    times = {}
    for user, password, why in [
            ("yara@v.test", "secret-b", "wrong password"),
            ("yara@v.test", "secret-y ", "wrong password"),
            ("ghost@v.test", "secret-y", "unknown user"),
            ("ghost@remote.test", "secret-y", "unknown user"),
            ("locked@v.test", "secret-y", "no password"),
            ("empty@v.test", "x", "no password"),
            ("plain@v.test", "secret", "no password"),
            ("info@v.test", "secret-y", "unknown user"),
            ("yara+x@v.test", "secret-y", "unknown user"),
            ("../../x@v.test", "secret-y", "unknown user"),
            ("%s%s%s@v.test", "%n", "unknown user"),
            ("\n@v.test", "x", "unknown user")]:
        number += 1
        verb, attrs, seconds = login(user, password, client=f"198.51.{number}.7")
        times.setdefault(why, []).append(seconds)
        ok(verb == "failed" and why in attrs["why"],
           f"refused: {user!r}: {verb} {attrs.get('why')}")
    every = [t for l in times.values() for t in l]
    ok(min(every) > 0.45 and max(every) < 5,
       f"failures take the same time: {min(every):.2f} to {max(every):.2f} s")
    verb, attrs, _ = login("x", "y", mechanism="CRAM-MD5")
    ok(verb == "failed" and "mechanism" in attrs["why"], "an unknown mechanism is refused")
    a = Asker()
    equal(a.words("auth", ("mechanism", "PLAIN"), ("response", "!!!"), ("client", "203.0.113.200")),
          "failed", "a response that is no base64 is refused")
    best = 9
    for _ in range(5):
        begun = time.monotonic()
        for _ in range(20):
            login("yara@v.test", "secret-y")
        best = min(best, time.monotonic() - begun)
    ok(best < 0.5, f"repeated logins cost no hash: 20 in {best:.2f} s")
    equal(login("cleo@v.test", "secret-y", client="198.51.90.1")[0], "failed",
          "a password that is right for another user is wrong")
    log = folder.read_log()
    ok("login: client=192.0.2.1, service=smtp, method=PLAIN, user=yara@v.test, tls=yes" in log,
       "a login is in the log")
    ok("login failed: client=198.51.11.7, service=smtp, method=PLAIN, user=yara@v.test: wrong password" in log,
       "so is a failed one")
    ok("secret-" not in log, "no password is in the log")


def test_masters():
    """Who logs in as another, with a password of their own."""
    for name, password, acts_as, mechanism in (
            ("cleo@v.test*ops", "secret-5", "", "PLAIN"),
            ("cleo@v.test*ops", "secret-5", "", "LOGIN"),
            ("CLEO@v.test*chief", "secret-y", "", "PLAIN"),
            ("locked@v.test*ops", "secret-5", "", "PLAIN"),
            ("ops", "secret-5", "cleo@v.test", "PLAIN"),
            ("root*ops", "secret-5", "", "PLAIN")):
        verb, attrs, _ = login(name, password, acts_as=acts_as, mechanism=mechanism)
        who = (acts_as or name.split("*")[0]).lower()
        ok(verb == "ok" and attrs["user"] == who, f"{name!r} {acts_as} is {who}: {verb} {attrs}")
    number, times = 1, []
    for name, password, acts_as, why in (
            ("cleo@v.test*ops", "secret-c", "", "wrong password"),
            ("cleo@v.test*ops", "secret-y", "", "wrong password"),
            ("cleo@v.test*yara@v.test", "secret-y", "", "not a master user"),
            ("cleo@v.test*former", "secret-5", "", "no password"),
            ("ghost@v.test*ops", "secret-5", "", "unknown user"),
            ("yara@v.test", "secret-y", "cleo@v.test", "not a master user"),
            ("ops", "secret-5", "", "unknown user"),
            ("*ops", "secret-5", "", "unknown user"),
            ("cleo@v.test*", "secret-c", "", "unknown user")):
        number += 1
        verb, attrs, seconds = login(name, password, acts_as=acts_as,
                                     client=f"203.0.{number}.7")
        times.append(seconds)
        ok(verb == "failed" and why in attrs["why"],
           f"refused: {name!r} {acts_as}: {verb} {attrs.get('why')}")
    ok(min(times) > 0.45, f"at no other speed than others: {times}")
    log = folder.read_log()
    ok("login: client=192.0.2.1, service=smtp, method=LOGIN, user=cleo@v.test, master=ops, tls=yes" in log,
       "who it was is in the log")
    ok("user=cleo@v.test, master=yara@v.test: not a master user" in log, "also of one that failed")


def test_session():
    imap, pop3 = session_listener("imap-session"), session_listener("pop3-session")
    outcomes = {}

    def side(listener, answer, delay=0):
        c, _ = listener.accept()
        data, fds, _, _ = socket.recv_fds(c, 131072, 4)
        outcomes["packet"] = parse(data)
        if answer:
            c.send(packet(answer))
            os.write(fds[0], b"hello from the session\r\n")
        for fd in fds:
            os.close(fd)
        c.close()

    def run(listener, answer, session, user="bert@v.test", password="secret-b", steps=False):
        t = threading.Thread(target=side, args=(listener, answer))
        t.start()
        mine, theirs = socket.socketpair()
        mine.settimeout(10)
        a = Asker()
        attrs = [("service", session), ("client", "192.0.2.9"), ("tls", "1"), ("session", session),
                 ("tag", "a1")]
        if steps:
            a.ask("auth", ("mechanism", "PLAIN"), *attrs, ("pending", b64("stale")), fd=theirs.fileno())
            got = a.ask("step", ("response", b64(f"\0{user}\0{password}")), ("pending", b64("fresh")))
        else:
            got = a.ask("auth", ("mechanism", "PLAIN"), ("response", b64(f"\0{user}\0{password}")),
                        *attrs, ("pending", b64("a2 NOOP\r\n")), fd=theirs.fileno())
        theirs.close()
        t.join(10)
        return got, mine

    got, mine = run(imap, "ok", "imap")
    equal(got[0], "ok", "a login for a session")
    equal(mine.recv(100), b"hello from the session\r\n", "the session has the connection")
    equal(mine.recv(100), b"", "and nobody else")
    verb, attrs = outcomes["packet"]
    attrs = dict(attrs)
    equal(len(attrs.pop("seal", "")), 64, "with a seal")
    ok(attrs.pop("facts", "") and len(base64.b64decode(attrs.pop("key", ""))) == 32,
       "with a ticket to come back with (t/imap/imap-parked.t)")
    equal((verb, dict(attrs)),
          ("session", dict(user="bert@v.test", uid="1234", gid="1235", home="/srv/bert",
                           maildir="/srv/bert/Maildir", client="192.0.2.9", tls="1", tag="a1",
                           pending=b64("a2 NOOP\r\n"))), "what the session is told")
    got, mine = run(pop3, "ok", "pop3", steps=True)
    equal((got[0], dict(outcomes["packet"][1])["pending"]), ("ok", b64("fresh")),
          "input read ahead is that of the last step")
    got, mine = run(pop3, "failed", "pop3")
    equal(got[0], "temp", "a session that refuses: try again")
    got, mine = run(pop3, None, "pop3")
    equal((got[0], mine.recv(10)), ("temp", b""),
          "a session that dies: the connection ends, so that it has no two masters")
    imap.close()
    got, mine = (lambda a, p: (a.ask("auth", ("mechanism", "PLAIN"),
                                     ("response", b64("\0bert@v.test\0secret-b")), ("session", "imap"),
                                     ("client", "192.0.2.9"), fd=p[0].fileno()), p[1]))(Asker(), socket.socketpair())
    equal(got[0], "temp", "no session side: try again")
    a = Asker()
    equal(a.ask("auth", ("mechanism", "PLAIN"), ("session", "imap"))[0], None,
          "a session without descriptor is malformed")
    a = Asker()
    equal(a.ask("auth", ("mechanism", "PLAIN"), ("session", "../evil"), fd=0)[0], None,
          "an unknown session is malformed")
    a = Asker()
    equal(a.ask("step", ("response", ""))[0], None, "a step without start is malformed")
    a = Asker()
    equal(a.ask("recipient")[0], None, "a question without address is malformed")
    a = Asker()
    equal(a.ask("dance")[0], None, "an unknown question is malformed")


def test_guessing():
    client = "203.0.113.5"
    seconds = [login("yara@v.test", f"wrong-{i}", client=client)[2] for i in range(5)]
    ok(seconds[4] > seconds[0] + 0.8, "guessing gets slower: " +
       " ".join(f"{s:.1f}" for s in seconds))
    t = time.monotonic()
    results = []
    threads = [threading.Thread(target=lambda i=i: results.append(
        login("bert@v.test", f"par-{i}", client="203.0.113.77"))) for i in range(6)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    ok(time.monotonic() - t > 3, "guessing on many connections at once, too: "
       f"{time.monotonic() - t:.1f} s for 6")
    verb, _, s = login("yara@v.test", "secret-y", client="192.0.2.1")
    ok(verb == "ok" and s < 0.4, f"a user known from elsewhere is not held up: {s:.2f} s")
    same = [login("sam@v.test", "old-password", client="198.18.3.4")[2] for _ in range(6)]
    ok(max(same) < 1.0, "a client that repeats one wrong password is no guesser")


def test_put_off():
    """While so many guesses wait that no more are checked, nobody learns
    whether a password is right."""
    client = "198.51.100.9"
    waiting = []

    def guess(n):
        for _ in range(n):
            waiting.append(Asker())
            waiting[-1].s.send(packet(
                "auth", ("mechanism", "PLAIN"), ("service", "smtp"), ("client", client),
                ("response", b64(f"\0cleo@v.test\0guess-{len(waiting)}"))))

    def logged(what):
        return folder.read_log().count(f"login {what}: client={client}")

    guess(9)  # eight have the longest pause, fifteen seconds; one is forgiven each minute
    ok(wait_for(lambda: logged("failed") == 9, 120), "nine guesses are wrong")
    for password in "secret-c", "wrong":
        # two of them, or of those before, fill the half minute that one may wait
        before = logged("put off")
        guess(3)
        ok(wait_for(lambda: logged("put off") > before), "guesses are put off")
        verb, attrs, s = login("cleo@v.test", password, client=client)
        equal(verb, "temp", f"then {password} is neither right nor wrong")
        ok(s >= 0.4, f"and the answer takes its time: {s:.2f} s")
    for a in waiting:
        a.s.close()


def replace(name, text):
    tmp = folder.write(name + ".new", text)
    os.rename(tmp, folder.path(name))


def test_broken():
    """Lines that are not understood: other users are found, and nobody else
    is unknown for certain until the lines are mended."""
    a = Asker()

    def becomes(address, want):
        return wait_for(lambda: a.words("recipient", ("address", address)) == want, 60)

    # a byte order mark and CRLF are no faults
    replace("users", "\ufeff" + USERS.replace("\n", "\r\n") + "mark@v.test:!\r\n")
    ok(becomes("mark@v.test", "found"), "a file with CRLF is read")
    equal(a.words("recipient", ("address", "nobody@v.test")), "none", "and nothing in it is in doubt")
    replace("users", BROKEN + USERS)
    ok(becomes("nobody@v.test", "temp"), "a broken line: a name that is not found is undecided")
    for address, want in [("rooted@v.test", "temp"), ("relative@v.test", "temp"),
                          ("nobody+x@w.test", "temp"), ("yara+x@v.test", "found"),
                          ("info@v.test", "found"), ("anything@x.test", "found"),
                          ("no-such-user@home.test", "none"), ("a@remote.test", "none")]:
        equal(a.words("recipient", ("address", address)), want, f"with it {address}: {want}")
    verb, attrs, s = login("nobody@v.test", "x", client="192.0.2.44")
    ok(verb == "temp" and s > 0.45, f"its login is undecided, as slowly as others: {verb} {s:.2f}")
    equal(login("yara@v.test", "secret-y", client="192.0.2.45")[0], "ok", "others log in")
    log = folder.read_log()
    for line in ("users:1: expected: user@domain", "users:2: no such user or group, or root",
                 "users:3: the home is not an absolute", "users: mail and logins of names that are not",
                 "nobody@v.test is not found, but may be in what is not understood: "):
        ok(line in log, f"the log says: {line}")
    ok("x-secret" not in log and hashes["crypt"] not in log, "and no password")
    replace("users", USERS)
    ok(becomes("nobody@v.test", "none"), "when it is mended, it is decided again")
    replace("aliases", ALIASES + "ops root\n")
    for address, want in [("ops@home.test", "temp"), ("other-name@home.test", "temp"),
                          ("team@home.test", "found"), ("root@home.test", "found"),
                          ("nobody@v.test", "none")]:
        equal(a.words("recipient", ("address", address)), want,
              f"a broken alias: {address}: {want}")
    replace("aliases", ALIASES)
    replace("virtual", VIRTUAL + "sale\ns@x.test yara@v.test\n")
    for address, want in [("sales@x.test", "temp"), ("info+x@v.test", "found"),
                          ("yara@v.test", "found"), ("nobody@v.test", "temp")]:
        equal(a.words("recipient", ("address", address)), want,
              f"a broken virtual alias: {address}: {want}")
    equal(a.words("may-send", ("user", "yara@v.test"), ("address", "yara@v.test")), "found",
          "one's own address may be used all the same")
    replace("virtual", VIRTUAL)
    equal(a.words("recipient", ("address", "sales@x.test")), "found", "mended")


def test_changes():
    new = mkpasswd("sha512crypt", "changed")
    text = USERS.replace(hashes["yescrypt"], new, 1) + f"fresh@v.test:{new}::::\n"
    text = text.replace("bert@v.test:", "robert@v.test:", 1)
    replace("users", text)
    a = Asker()
    ok(wait_for(lambda: a.words("recipient", ("address", "fresh@v.test")) == "found", 60),
       "a changed file is read again")
    equal(a.words("recipient", ("address", "bert@v.test")), "none", "who was removed is gone")
    equal(login("yara@v.test", "secret-y", client="192.0.2.3")[0], "failed", "the old password is out")
    equal(login("yara@v.test", "changed", client="192.0.2.3")[0], "ok", "the new one is in")
    open(folder.path("users"), "w").close()
    until = time.monotonic() + 60
    while "was emptied" not in folder.read_log() and time.monotonic() < until:
        a.words("recipient", ("address", "fresh@v.test"))
        time.sleep(0.2)
    ok("was emptied" in folder.read_log(), "an emptied file is an error")
    equal(a.words("recipient", ("address", "fresh@v.test")), "found",
          "and the former content stays")
    with open(folder.path("users"), "w") as f:
        f.write("yara@v.te")    # and then the disk is full, say
    time.sleep(1.2)     # nobody writes to it any more
    until = time.monotonic() + 3
    while time.monotonic() < until:
        found = a.words("recipient", ("address", "fresh@v.test"))
        if found != "found":
            break
        time.sleep(0.2)
    equal(found, "found", "it does, too, when the file ends within a line")
    os.unlink(folder.path("users"))
    until = time.monotonic() + 60
    while "users: No such" not in folder.read_log() and time.monotonic() < until:
        a.words("recipient", ("address", "fresh@v.test"))
        time.sleep(0.2)
    equal(a.words("recipient", ("address", "fresh@v.test")), "found",
          "while the file is away, the former content stays")
    ok("users: No such file" in folder.read_log(), "and the log says so")
    folder.write("users", USERS)


daemon = folder.start("accountd", chroot=False)
try:
    if not ok(daemon.ready, "accountd says that it is ready"):
        print(daemon.process.stderr.read1())
    asker = Asker()
    test_recipients(asker)
    log = folder.read_log()
    for line in ("users:9: unknown password scheme",
                 "users:12: cleo@v.test is there already"):
        ok(line in log, f"the log says: {line}")
    ok(not any(h.split("}")[-1] in log for h in hashes.values()),
       "and no hash with them")
    test_homes(asker)
    test_lookup(asker)
    test_may_send(asker)
    test_logins()
    test_masters()
    test_session()
    test_guessing()
    test_put_off()
    test_broken()
    test_changes()
    equal(daemon.stop(), 0, "it ends with status 0")
finally:
    if "-v" in sys.argv: print(folder.read_log())
    folder.end()
tap.done()
