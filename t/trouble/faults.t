#!/usr/bin/env python3
"""What an administrator meets: each fault has a clear message that names the
file, the line or the port, and nothing is lost by it."""
import os
import smtplib
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import BIN, Tap  # noqa: E402
from instance import (SANDBOX, Instance, message, mounted,  # noqa: E402
                      parse, wait_for)

tap = Tap()
SENDER = "a@client.test"


def send(s, subject, to=None, body="text\r\n"):
    """The code of the reply to the message."""
    to = to or s.address()
    try:
        with s.smtp() as c:
            c.sendmail(SENDER, [to], message(SENDER, to, subject, body))
        return 250
    except smtplib.SMTPRecipientsRefused as e:
        return list(e.recipients.values())[0][0]
    except smtplib.SMTPResponseException as e:
        return e.smtp_code


def master(conf):
    return subprocess.run([BIN + "/master", "-c", conf],
                          capture_output=True, text=True, timeout=60)


def fill(path):
    """Makes a file as large as it can be."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while os.write(fd, b"\0" * 4096):
            pass
    except OSError:
        pass
    os.close(fd)


# the configuration
with Instance() as s:
    with open(s.CONF) as f:
        good = f.read()
    bad = s.path("bad.conf")

    def faults(*lines):
        with open(bad, "w") as f:
            f.write("".join(l + "\n" for l in lines))
        done = master(bad)
        return done.returncode, done.stderr

    code, text = faults("myhostname = a.test", "mydestinaton = b.test",
                        "smtp_port = many", "dmarc_reject = perhaps")
    tap.equal(code, 78, "a wrong configuration: exit code 78")
    tap.ok("bad.conf:2: unknown parameter mydestinaton (do you mean "
           "mydestination?)" in text, "an unknown name: line, nearest name")
    tap.ok("bad.conf:3: smtp_port = many" in text and
           "bad.conf:4: dmarc_reject = perhaps" in text,
           "all faults are named, each with its line")
    # whoever opens a FIFO to read waits for one who writes
    fifo, folder = s.path("fifo"), s.path("run-of-fifo")
    os.mkfifo(fifo)
    os.mkdir(folder)
    os.mkfifo(os.path.join(folder, "master.pid"))
    for what, line in (("certificate", "smtpd_tls_cert_file = " + fifo),
                       ("key", "smtpd_tls_key_file = " + fifo),
                       ("master.pid", "run_directory = " + folder)):
        with open(bad, "w") as f:
            f.write(good + line + "\n")
        for words in ([BIN + "/master", "-t", "-c", bad],
                      [BIN + "/posthorn", "-c", bad, "check"]):
            try:
                done = subprocess.run(words, capture_output=True, text=True,
                                      timeout=30)
                said = done.stdout + done.stderr
            except subprocess.TimeoutExpired:
                said = "it hangs"
            tap.ok(said != "it hangs" and (words[1] == "-t" or
                                           what == "master.pid" or
                                           fifo in said),
                   "%s: a FIFO as %s" % (os.path.basename(words[0]), what),
                   said)
    code, text = faults("include = x", "include nowhere.conf")
    tap.ok("nowhere.conf" in text, "a missing include is named")
    with open(s.path("secret"), "w") as f:
        f.write("hushHush+/hush=\nhush hush\n")
    code, text = faults("include " + s.path("secret"))
    tap.ok(code == 78 and "secret:1: unknown parameter" in text and
           "secret:2: wants" in text and "hush" not in text.lower(),
           "of a wrong file nothing but the lines' numbers is shown", text)
    done = master("/nonexistent/posthorn.conf")
    tap.ok(done.returncode == 78 and "/nonexistent/posthorn.conf" in
           done.stderr, "a missing file is named")
    done = master(s.CONF)
    tap.ok(done.returncode == 75 and "running already" in done.stderr,
           "a second start says that it runs already")

    # a port in use
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    other = s.path("other")
    done = subprocess.run([SANDBOX, "start", other, "imap_port=%d" % port],
                          capture_output=True, text=True, timeout=60)
    tap.ok(done.returncode != 0 and
           "[127.0.0.1]:%d for imap: Address already in use" % port in
           done.stderr, "a port in use is named with its service")
    taken.close()

    # a reload with a fault changes nothing
    with open(s.CONF, "a") as f:
        f.write("mynetwork = 10.0.0.0/8\n")
    done = s.posthorn("reload")
    with open(s.CONF, "w") as f:
        f.write(good)
    tap.ok(done.returncode == 78 and "mynetwork" in done.stderr,
           "a faulty configuration is refused at reload")
    tap.equal(send(s, "still here"), 250, "and the suite goes on")
    tap.equal(len(s.wait_messages(1)), 1, "and delivers")

    # a reload cannot lose a certificate that is gone
    os.rename(s.CA_FILE, s.CA_FILE + ".away")
    s.posthorn("reload")
    tap.ok(s.wait_log("cert.pem"), "a missing certificate is named")
    os.rename(s.CA_FILE + ".away", s.CA_FILE)
    try:
        with s.submission() as c:
            good_tls = c.noop()[0] == 250
    except Exception as e:
        good_tls = print("# %s" % e)
    tap.ok(good_tls, "and the former one stays in use")
    os.rename(s.CA_FILE, s.CA_FILE + ".away")
    os.rename(s.CA_FILE + ".away", s.CA_FILE)
    s.posthorn("reload")
    tap.ok(wait_for(lambda: s.posthorn("status").returncode == 0, 30),
           "and all is well when it is back")
    done = s.posthorn("check")
    tap.ok(done.returncode == 0, "posthorn check finds no fault: " +
           done.stdout.replace("\n", "; "))

    # a local socket gets garbage
    for name in ("qmgr", "pickup", "master"):
        c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        c.connect(s.path("run/public/" + name))
        for garbage in (b"x", b"\0" * 500, b"verb\0noequals\0",
                        b"list\0id=\xff\xfe\0", os.urandom(3000)):
            try:
                c.send(garbage)
            except OSError:
                break
        c.close()
    tap.equal(send(s, "after garbage"), 250, "garbage on local sockets")
    tap.equal(s.posthorn("status").returncode, 0, "hurts nobody")

# tables
with Instance("alias_maps=aliases:$config_directory/aliases") as s:
    at = "mail.%s" % s.DOMAIN
    with open(s.path("posthorn.conf")) as f:
        conf = f.read()
    with open(s.path("posthorn.conf"), "w") as f:
        f.write(conf.replace("mydestination = ",
                             "mydestination = %s " % at))
    with open(s.path("aliases"), "w") as f:
        f.write("team: alice@%s\n" % s.DOMAIN)
    os.chmod(s.path("aliases"), 0o644)
    s.posthorn("reload")
    wait_for(lambda: s.posthorn("status").returncode == 0, 30)
    tap.equal(send(s, "to an alias", "team@" + at), 250, "an alias")
    tap.equal(len(s.wait_messages(1)), 1, "leads to its user")
    if os.geteuid() == 0:
        os.unlink(s.path("aliases"))
        os.mkdir(s.path("aliases"))	# even root cannot read that
        s.posthorn("reload")
        wait_for(lambda: s.posthorn("status").returncode == 0, 30)
        code = send(s, "while unreadable", "team@" + at)
        tap.ok(code // 100 == 4 or code == 250,
               "an alias file that cannot be read: no permanent error (%d)" %
               code)
        tap.ok(s.wait_log(s.path("aliases")), "the log names the file")

# disks that are full
if mounted("/tmp/ph-small-%d" % os.getpid(), "8M"):
    small = "/tmp/ph-small-%d" % os.getpid()
    try:
        os.chmod(small, 0o755)
        with Instance("queue_directory=" + small, "queue_minfree=256k") as s:
            codes = []
            for i in range(60):
                codes.append(send(s, "fill %d" % i, None,
                                  "x" * 70 + "\r\n" * 1 +
                                  ("y" * 70 + "\r\n") * 1400))
                if codes[-1] != 250:
                    break
            # each is delivered at once, so hold them to fill the disk
            taken = codes.count(250)
            # what was made ahead may still be used: nothing else; what is
            # freed meanwhile is filled again
            code = 250
            while code == 250 and taken < 200:
                fill(small + "/ballast")
                code = send(s, "no room")
                taken += code == 250
                time.sleep(0.1)
            tap.ok(code in (451, 452), "a full queue disk: %d" % code)
            os.unlink(small + "/ballast")
            tap.ok(wait_for(lambda: send(s, "room again") == 250, 30, 1),
                   "and when there is room, mail is taken again")
            got = s.wait_messages(taken + 1)
            tap.ok(len(got) >= taken + 1, "nothing was lost (%d of %d)" %
                   (len(got), taken + 1))
    finally:
        subprocess.run(["umount", "-l", small])
        os.rmdir(small)
else:
    tap.ok(True, "# SKIP no file system of our own")

with Instance("minimal_backoff_time=2s", "maximal_backoff_time=3s") as s:
    home = s.MAILROOT + "/alice"
    send(s, "first")
    s.wait_messages(1)
    s.stop()
    kept = s.path("kept")
    os.rename(home, kept)
    if mounted(home, "400k"):
        try:
            subprocess.run(["cp", "-a", kept + "/.", home], check=True)
            subprocess.run(["chown", "--reference", kept, home], check=True)
            s.start()
            for i in range(8):
                send(s, "big %d" % i, None, ("z" * 70 + "\r\n") * 1000)
            tap.ok(s.wait_log("status=deferred", 30),
                   "a full mailbox disk: deferred, not bounced")
            tap.ok("status=bounced" not in s.read_log(), "nothing bounced")
            subprocess.run(["mount", "-o", "remount,size=20M", home],
                           check=True)
            s.posthorn("queue", "flush", "ALL")
            got = s.wait_messages(9, None, 60)
            tap.equal(sorted(parse(m)["Subject"] for m in got),
                      ["big %d" % i for i in range(8)] + ["first"],
                      "with room again all arrive, once")
            tap.ok(all(len(m) > 70000 for m in got
                       if b"Subject: big" in m), "and whole")
        finally:
            s.stop()
            subprocess.run(["umount", "-l", home])
    else:
        tap.ok(True, "# SKIP no file system of our own")

tap.done()
