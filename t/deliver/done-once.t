#!/usr/bin/env python3
"""Commands and files get a message once, also if qmgr or all of the suite is
killed between the delivery and the answer: nothing in them would know it a
second time. When the suite stops, commands may finish; those that do not are
ended with all that they started, and run again."""
import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import delivery  # noqa: E402
from alone import Tap  # noqa: E402
from delivery import go  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

LOCAL = "local.example.test"
LONG = 60   # seconds that no machine needs

# each command says that it has begun, and waits until it may go on
ALIASES = """\
slow: "|echo begun >> {d}/slow; while [ ! -e {d}/go ]; do sleep 0.1; done; \\
cat > /dev/null; echo done >> {d}/slow"
file: {d}/box, "|while [ ! -e {d}/go ]; do touch {d}/held; sleep 0.1; done"
both: "|cat > /dev/null; echo once >> {d}/both", "|test -e {d}/go || exit 75"
stop: "|echo begun >> {d}/stop; echo $$ > {d}/shell; if [ ! -e {d}/go ]; \
then (trap '' TERM; sleep 600); fi; echo done >> {d}/stop"
fails: "|echo tried >> {d}/fails; test -e {d}/go || exit 75"
""".replace("\\\n", "")

tap = Tap()


def text_of(s, name):
    return delivery.text_of(s.path("out/" + name))


def send(s, to):
    subprocess.run([s.SENDMAIL, "-f", s.address(), "--", to + "@" + LOCAL],
                   input="Subject: %s\n\nx\n" % to, text=True, check=True,
                   timeout=60)


def empty(s):
    return "the queue is empty" in s.posthorn("queue", "list").stdout


def ends(s, name):
    def flushed():
        s.posthorn("queue", "flush", "ALL")
        return empty(s)
    tap.ok(wait_for(flushed, LONG), name + ": the message is done in the end")


def qmgr_dies(s):
    send(s, "slow")
    tap.ok(wait_for(lambda: text_of(s, "slow"), LONG), "a command runs")
    os.kill(s.pid_of("qmgr"), signal.SIGKILL)
    tap.ok(s.wait_log("a process of before is still at it", LONG),
           "qmgr dies: the next one's job does not begin beside it")
    go(s, True)
    ends(s, "qmgr died")
    tap.equal(text_of(s, "slow"), "begun\ndone\n", "and it ran once")


def all_die(s):
    go(s, False)
    send(s, "slow")
    tap.ok(wait_for(lambda: text_of(s, "slow").count("begun") == 2, LONG),
           "a command runs")
    qmgr = s.pid_of("qmgr")
    os.kill(s.PID, signal.SIGKILL)
    try:
        os.kill(qmgr, signal.SIGKILL)
    except ProcessLookupError:
        pass    # it ended with master
    go(s, True)
    tap.ok(s.wait_log("the results did not reach qmgr", LONG, 2),
           "master and qmgr die: the answer comes to nobody")
    s.start()
    ends(s, "both died")
    tap.equal(text_of(s, "slow"), "begun\ndone\n" * 2, "and it ran once")


def file_once(s):
    go(s, False)
    send(s, "file")
    tap.ok(wait_for(lambda: os.path.exists(s.path("out/held")), LONG),
           "a file has the message, and a command beside it runs")
    os.kill(s.pid_of("qmgr"), signal.SIGKILL)
    go(s, True)
    ends(s, "with a file")
    tap.equal(text_of(s, "box").count("Subject: file"), 1,
              "the file has it once")


def beside(s):
    go(s, False)
    send(s, "both")
    send(s, "fails")
    tap.ok(s.wait_log("status=deferred (temporary failure", LONG, 2),
           "a command that fails puts the message off")
    go(s, True)
    ends(s, "put off")
    tap.equal(text_of(s, "both"), "once\n",
              "what was done beside it is not done again")
    tap.equal(text_of(s, "fails"), "tried\n" * 2, "but what failed is")


def tidy(s):
    folder = s.path("run/delivered")
    tap.ok(not os.stat(folder).st_mode & 0o077, "nobody sees what was done")
    old = os.path.join(folder, "OLD.01234567")
    other = os.path.join(folder, "other")
    for path in (old, other):
        open(path, "w").close()
        os.utime(path, (1000000000, 1000000000))
    s.stop()
    s.start()
    tap.equal((os.path.exists(old), os.path.exists(other)), (False, True),
              "a page that is old goes at a start, and nothing else")
    os.unlink(other)
    before = set(os.listdir(folder))
    send(s, "slow")
    tap.ok(wait_for(lambda: text_of(s, "slow").count("done") == 3, LONG),
           "after an answer that arrived")
    tap.ok(wait_for(lambda: set(os.listdir(folder)) <= before, LONG * 2),
           "its page goes by itself", os.listdir(folder))


def group(number):
    """The processes of a process group."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                if int(f.read().rpartition(")")[2].split()[2]) == number:
                    found.append(int(pid))
        except (OSError, IndexError):
            pass    # it has ended
    return found


def stop_lets_finish(s):
    go(s, False)
    ran = text_of(s, "slow").count("begun")
    send(s, "slow")
    tap.ok(wait_for(lambda: text_of(s, "slow").count("begun") > ran, LONG),
           "a command runs")
    stops = s.read_log().count("stopping")
    stop = threading.Thread(target=s.stop)
    stop.start()
    tap.ok(s.wait_log("stopping", LONG, stops + 1),
           "the suite is told to stop")
    go(s, True)
    stop.join()
    s.start()
    ends(s, "stopped while it ran")
    tap.equal(text_of(s, "slow"), "begun\ndone\n" * (ran + 1),
              "it could finish, and ran once")


def stop_ends(s):
    go(s, False)
    send(s, "stop")
    tap.ok(wait_for(lambda: text_of(s, "shell").strip(), LONG),
           "a command runs that does not end")
    shell = int(text_of(s, "shell"))
    tap.ok(wait_for(lambda: len(group(shell)) >= 2, LONG),
           "with a process of its own")
    s.stop()
    tap.equal(group(shell), [], "none of them is left after a stop")
    log = s.read_log()
    tap.ok("the suite stops: the command will be run again" in log,
           "the log says what follows")
    tap.ok("did not end in time" not in log, "and no service was killed")
    go(s, True)
    s.start()
    ends(s, "ended by a stop")
    tap.equal(text_of(s, "stop"), "begun\nbegun\ndone\n", "it ran again")


with Instance("mydestination=" + LOCAL, "myorigin=" + LOCAL,
              "local_users=no") as s:
    os.mkdir(s.path("out"), 0o777)
    os.chmod(s.path("out"), 0o777)
    with open(s.path("aliases"), "w") as f:
        f.write(ALIASES.format(d=s.path("out")))
    qmgr_dies(s)
    all_die(s)
    file_once(s)
    beside(s)
    tidy(s)
    stop_lets_finish(s)
    stop_ends(s)
tap.done()
