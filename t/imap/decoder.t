#!/usr/bin/env python3
"""The program decoder alone: text of documents by the commands that people
have, and commands that try all that they must not be able to."""
import array
import fcntl
import os
import select
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, packet, parse  # noqa: E402
import decoding  # noqa: E402

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | \
    fcntl.F_SEAL_WRITE
TEXT_MAX = 4 << 20
tap = Tap()


def memory(data, seals=SEALS):
    fd = os.memfd_create("part", os.MFD_ALLOW_SEALING)
    os.write(fd, data) if data else None
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals) if seals else None
    return fd


asked = 0


def begin(program, command, data=b"", fd=None, number=None, asker=None):
    """The connection with the question; each is another user's, unless ASKER
    is one."""
    global asked
    asked += 1
    s = program.connect()
    fd = memory(data) if fd is None else fd
    number = decoding.key(command) if number is None else number
    s.sendmsg([packet("decode", ("command", number),
                      ("asker", asker or 1000 + asked))],
              [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    os.close(fd)
    return s


def ask(program, command, data=b"", fd=None, number=None):
    """(verb, text or why)"""
    s = begin(program, command, data, fd, number)
    got, fds, _, _ = socket.recv_fds(s, 131072, 4)
    s.close()
    verb, attrs = parse(got)
    if verb != "text":
        return verb, dict(attrs).get("why", "")
    with open(fds[0], "rb") as f:
        sealed = fcntl.fcntl(fds[0], fcntl.F_GET_SEALS) & SEALS == SEALS
        f.seek(0)
        return verb if sealed else "not sealed", f.read()


folder = Folder()
secret = folder.write("secret", "the mail of somebody else")
victim = folder.write("victim", "to be left alone")
os.chmod(victim, 0o666)
os.chmod(folder.dir, 0o777)
tcp = socket.create_server(("127.0.0.1", 0))
ATTEMPTS = """#!/usr/bin/python3
import ctypes, os, signal, socket, sys
def attempt(name, what):
    try:
        print(name, "DONE", what())
    except Exception as e:
        print(name, "refused", type(e).__name__)
def connect(family, address):
    socket.socket(family, socket.SOCK_STREAM).connect(address)
def sysv():
    if ctypes.CDLL(None).shmget(0, 4096, 0o1600) < 0:
        raise OSError
attempt("mail", lambda: open(SECRET).read())
attempt("folder", lambda: os.listdir(FOLDER))
attempt("users", lambda: open("/proc/1/cmdline").read())
attempt("write", lambda: open(VICTIM, "w"))
attempt("append", lambda: open(VICTIM, "a"))
attempt("truncate", lambda: os.truncate(VICTIM, 0))
attempt("make", lambda: open(FOLDER + "/made", "w"))
attempt("make in tmp", lambda: open("/tmp/made-by-decoder", "w"))
attempt("make in shm", lambda: open("/dev/shm/made-by-decoder", "w"))
attempt("folder in tmp", lambda: os.mkdir("/tmp/made-by-decoder"))
attempt("rename", lambda: os.rename(VICTIM, VICTIM + "2"))
attempt("link", lambda: os.link(VICTIM, FOLDER + "/linked"))
attempt("chmod", lambda: os.chmod(VICTIM, 0))
attempt("input", lambda: os.write(os.open("/dev/stdin", os.O_RDWR), b"x"))
attempt("memory", lambda: os.write(os.memfd_create("x"), b"x"))
attempt("unix", lambda: connect(socket.AF_UNIX, SOCKET))
attempt("tcp", lambda: connect(socket.AF_INET, ("127.0.0.1", PORT)))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("sysv", sysv)
attempt("fork", os.fork)
attempt("signal", lambda: os.kill(os.getppid(), signal.SIGKILL))
attempt("group", lambda: os.killpg(0, 0))
attempt("chroot", lambda: os.chroot("/"))
attempt("root", lambda: os.setuid(0))
print("uid", os.getuid() != 0 and os.geteuid() != 0)
print("descriptors", sorted(int(n) for n in os.listdir("/proc/self/fd"))[:4])
print("environment", sorted(os.environ))
print("says", sys.stdin.read())
"""


def script(name, text):
    path = folder.write(name, text)
    os.chmod(path, 0o755)
    return path


def python(name, text):
    return script(name, "#!/usr/bin/python3\nimport os, sys, time\n" + text)


attempts = script("attempts", ATTEMPTS.replace("SECRET", repr(secret))
                  .replace("VICTIM", repr(victim))
                  .replace("FOLDER", repr(folder.dir))
                  .replace("SOCKET", repr(folder.path("run/public/decoder")))
                  .replace("PORT", str(tcp.getsockname()[1])))
COMMANDS = {
    "cat": "/bin/cat",
    "pdf": "/usr/bin/pdftotext - -",
    "docx": "/usr/bin/unzip -p /dev/stdin word/document.xml",
    "odt": "/usr/bin/unzip -p /dev/stdin content.xml",
    "rtf": "/usr/bin/catdoc -d utf-8",
    "attempts": attempts,
    "hang": python("hang", "print('some')\nsys.stdout.flush()\ntime.sleep(900)"),
    "deaf": python("deaf", "os.close(1)\ntime.sleep(900)"),
    "loop": python("loop", "while True: pass"),
    "memory": python("memory", "x = bytearray(2 << 30)\nprint('have it')"),
    "flood": python("flood", "while True: os.write(1, b'0123456789abcde\\n'"
                    " * 4096)"),
    "crash": python("crash", "print('some', flush=True)\nos.abort()"),
    "fail": python("fail", "print('some')\nsys.exit(3)"),
    "threads": python("threads", "import threading\nt = threading.Thread("
                      "target=lambda: print('in a thread'))\nt.start()\n"
                      "t.join()"),
    "nap": python("nap", "time.sleep(4)"),
    "gone": python("gone", "pass"),
}
LINES = ["decoder_process_limit = 8", "fts_decoder = " + ", ".join(
    "{application/x-%s: %s}" % pair for pair in COMMANDS.items())]


def documents(p):
    def of(name, data):
        verb, text = ask(p, COMMANDS[name], data)
        return b" ".join(text.split()) if verb == "text" else (verb, text)
    tap.equal(of("cat", b"as it is\n"), b"as it is", "the simplest command")
    tap.equal(of("cat", b""), b"", "nothing becomes nothing")
    tap.equal(of("pdf", decoding.pdf("Invoice 4711", "for (nothing)")),
              b"Invoice 4711 for (nothing)", "pdftotext")
    tap.equal(of("docx", decoding.docx("The paragraph", "is divided")),
              b"The paragraph is divided", "unzip, of a document in XML")
    tap.equal(of("odt", decoding.odt("One<text:s/>two", "Fl&#xfc;sse &lt;&amp;")),
              "One two Fl\u00fcsse <&".encode(), "another")
    tap.equal(of("rtf", b"{\\rtf1\\ansi Rich \\'fc text}"),
              "Rich \u00fc text".encode(), "catdoc")
    tap.equal(of("pdf", b"this is none")[0], "none", "what is no PDF")
    tap.equal(of("threads", b""), b"in a thread", "a command with threads")


def attacks(p):
    verb, text = ask(p, COMMANDS["attempts"], b"goodbye")
    lines = text.decode().splitlines() if verb == "text" else [verb, str(text)]
    done = [line for line in lines if "DONE" in line]
    tap.equal(done, [], "nothing of all this can be done")
    tap.equal(sum("refused" in line for line in lines), 25, "all was tried")
    tap.equal(lines[25:], ["uid True", "descriptors [0, 1, 2, 3]",
                           "environment ['HOME', 'LC_ALL', 'PATH']",
                           "says goodbye"], "what it has")
    tap.equal(open(victim).read(), "to be left alone", "and nothing happened")
    tap.ok(not any(os.path.exists(d + "/made-by-decoder")
                   for d in ("/tmp", "/dev/shm")), "nor was anything made")


def limits(p):
    answers = {}

    def one(name):
        began = time.monotonic()
        answers[name] = ask(p, COMMANDS[name]) + (time.monotonic() - began,)
    threads = [threading.Thread(target=one, args=(name,)) for name in
               ("hang", "deaf", "loop", "memory", "flood", "crash", "fail")]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for name in "hang", "deaf":
        verb, why, took = answers[name]
        tap.ok(verb == "none" and "over 20 s" in why, "%s: is ended" % name,
               answers[name])
    tap.ok(answers["loop"][0] == "none" and
           ("signal" in answers["loop"][1] or answers["loop"][2] >= 20),
           "one that computes for ever", answers["loop"])
    tap.equal(answers["memory"][:2], ("none", "its exit status is 1"),
              "one that wants too much memory")
    verb, text, took = answers["flood"]
    tap.ok(verb == "text" and text == (b"0123456789abcde\n" *
                                       (TEXT_MAX // 16)),
           "a flood is cut off", (verb, len(text)))
    tap.equal(answers["crash"][:2], ("none", "it was ended by signal 6"),
              "one that crashes")
    tap.equal(answers["fail"][:2], ("none", "its exit status is 3"),
              "one that fails")


def others(p):
    """What must not come as a question."""
    reader, writer = os.pipe()
    for name, fd in (("a pipe", reader), ("a file", os.open(victim,
                                                           os.O_RDONLY)),
                     ("what can be changed", memory(b"x", 0)),
                     ("what can grow", memory(b"x", SEALS & ~fcntl.F_SEAL_GROW
                                              & ~fcntl.F_SEAL_SEAL))):
        tap.equal(ask(p, COMMANDS["cat"], fd=fd)[0], "temp", name)
    os.close(writer)
    large = os.memfd_create("part", os.MFD_ALLOW_SEALING)
    os.ftruncate(large, (64 << 20) + 1)
    fcntl.fcntl(large, fcntl.F_ADD_SEALS, SEALS)
    tap.equal(ask(p, COMMANDS["cat"], fd=large)[0], "temp", "too much")
    tap.equal(ask(p, COMMANDS["cat"], number=1)[0], "temp", "another command")
    s = p.connect()
    s.send(packet("decode", ("command", 1)))
    tap.equal(parse(s.recv(4096))[0], "temp", "no file")
    s.send(b"nonsense")
    tap.equal(s.recv(4096), b"", "no packet ends the connection")
    os.unlink(folder.path("gone"))
    tap.equal(ask(p, COMMANDS["gone"])[0], "temp", "a command that went")
    tap.equal(ask(p, COMMANDS["cat"], b"x"), ("text", b"x"), "all is well")


def shares(p):
    """Twelve questions of one user leave room for another's."""
    many = [begin(p, COMMANDS["nap"], asker=1) for _ in range(12)]
    tap.equal(ask(p, COMMANDS["cat"], b"x"), ("text", b"x"),
              "another user is answered")
    waiting = [s for s in many if not select.select([s], [], [], 0)[0]]
    tap.equal(len(waiting), 2, "while one has two processes")
    tap.equal({s.recv(4096) for s in many if s not in waiting}, {b""},
              "and is not answered for the rest")
    tap.equal([parse(s.recv(4096))[0] for s in waiting], ["text"] * 2,
              "but for these")
    for s in many:
        s.close()


def refused(line, says, user=None):
    folder.configure(["fts_decoder = " + line])
    p = decoding.start(folder) if user is None else folder.start(
        "decoder", "public/decoder", chroot=False, user=user)
    status = p.stop()
    tap.ok(not p.ready and says in p.errors + folder.read_log(),
           "refused: " + line[:60], (status, p.errors))


try:
    folder.configure(LINES)
    p = decoding.start(folder)
    if tap.ok(p.ready, "it starts"):
        documents(p)
        attacks(p)
        limits(p)
        others(p)
        shares(p)
    p.stop()
    for line, says in (("{application/pdf /bin/cat}", "no colon"),
                       ("application/pdf: /bin/cat", "not of the form"),
                       ("{application/pdf: cat}", "not of the form"),
                       ("{: /bin/cat}", "not of the form"),
                       ("{application/pdf:}", "not of the form"),
                       ("{pdf: /bin/cat}", "neither a type"),
                       ("{.tar.gz: /bin/cat}", "neither a type"),
                       ("{text/rtf: /bin/cat}", "neither a type"),
                       ("{application/pdf: /bin/cat %s}" % ("x " * 32),
                        "too many words"),
                       ("{application/pdf: /nowhere/cat}", "No such file"),
                       (" ".join("{a/b%d: /bin/cat}" % n for n in range(65)),
                        "one too many")):
        refused(line, says)
    if os.getuid() == 0:
        refused("{application/pdf: /bin/cat}", "as root", "0:0")
finally:
    folder.end()
tap.done()
