#!/usr/bin/env python3
"""A sample of crash-check (`make crash-check` is the whole), and that it
bites: without one kind of sync, or without the queue's checksum, it fails; a
record that something is missing in is refused; and no program changes files by
a call that is not recorded."""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from alone import BIN, TOP, Tap  # noqa: E402

BUILD = os.path.join(TOP, "build", "t", "crash")
STATES = os.environ.get("CRASH_STATES", "800")
KINDS = {"a file made": 4, "a write": 7, "a rename": 12, "a link": 13,
         "a removal": 14}      # t/crash/record.h
# Calls of the C library that change the content or the name of a file, or make
# that durable. fopen is not among them: we read by it.
CALLS = set("""
    open openat open64 openat64 __open_2 __openat_2 __open64_2 __openat64_2
    creat creat64 openat2 open_by_handle_at mkstemp mkstemp64 mkostemp
    mkostemp64 mkstemps mkostemps mkdtemp tmpfile tmpfile64 freopen
    write writev pwrite pwrite64 pwritev pwritev64 pwritev2 pwritev64v2
    sendfile sendfile64 splice vmsplice copy_file_range msync aio_write
    aio_write64 lio_listio lio_listio64 aio_fsync
    truncate truncate64 ftruncate ftruncate64 fallocate fallocate64
    posix_fallocate posix_fallocate64
    fsync fdatasync sync syncfs sync_file_range
    rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat
    remove mkdir mkdirat rmdir mknod mknodat mkfifo mkfifoat""".split())
SEED = os.environ.get("CRASH_SEED", str(os.getpid()))

tap = Tap()
folder = tempfile.mkdtemp(
    prefix="crash-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
os.chmod(folder, 0o755)
record = os.path.join(folder, "record")


def run(*words):
    """The exit code; what it says becomes comments."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=3000)
    for line in (done.stdout + done.stderr).splitlines():
        print("#", line.lstrip("# ")[:300])
    return done.returncode


def replay(program, *words):
    return run(os.path.join(BUILD, program), "-1", "-n", "12000", "-s", SEED,
               "-w", folder, *words, record)


def entries():
    """Place, size, and head (struct record_entry) of each."""
    with open(record, "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        head = struct.unpack_from("=IIQQQQqqqqIHHQII", data, at)
        yield at, head[2], head
        at += head[2]


def leave_out(kind):
    """A copy of the record without one entry of KIND, the last that has left
    a trace; its path."""
    end = {head[3] for _, _, head in entries() if head[1] in (15, 16)}
    known, chosen = set(), None
    for at, size, head in entries():
        if head[1] == 15:
            break
        inside, new = head[14] or head[15], head[3] not in known
        if known and head[1] == kind and (
                head[3] in end and not new if kind == 7 else inside and new):
            chosen = at, size
        if head[1] in (1, 2) or head[1] == 4 and known:
            known.add(head[3])
    at, size = chosen
    with open(record, "rb") as f:
        data = f.read()
    with open(record + ".gap", "wb") as f:
        f.write(data[:at] + data[at + size:])
    return record + ".gap"


def symbols(path, which):
    """Of the shared objects that PATH needs, or of those that it has."""
    done = subprocess.run(["nm", "-D", "--%s-only" % which, path],
                          capture_output=True, text=True, timeout=60)
    return {line.split()[-1].split("@")[0]
            for line in done.stdout.splitlines()}


def blind():
    """By which calls programs can change files unseen."""
    seen = symbols(os.path.join(BUILD, "record.so"), "defined")
    return sorted((name, call) for name in os.listdir(BIN)
                  for call in CALLS & symbols(os.path.join(BIN, name),
                                              "undefined") - seen)


print("# CRASH_SEED=%s" % SEED)
try:
    tap.ok("write" in symbols(os.path.join(BIN, "qmgr"), "undefined"),
           "programs say by which calls they write")
    tap.equal(blind(), [], "all calls that change files are recorded")
    tap.equal(run(os.path.join(TOP, "t", "crash", "crash-check"),
                  "-n", STATES, "-s", SEED, "-t", "day", "-q", "12",
                  "-k", record), 0,
              "after a power cut at any moment all promises are kept")
    for kind, what in (("slot", "of the queue's file"),
                       ("message", "of a message's file"),
                       ("journal", "of a mailbox's journal"),
                       ("folder", "of the folder that a message is in")):
        tap.equal(replay("replay", "-x", kind), 1,
                  "without the sync %s they are not" % what)
    tap.equal(replay("replay-blind"), 1,
              "a recovery that looks at no checksum is found out")
    for what, kind in KINDS.items():
        tap.equal(run(os.path.join(BUILD, "replay"), "-n", "1", "-w", folder,
                      leave_out(kind)), 2,
                  "a record that %s is missing in proves nothing" % what)
finally:
    shutil.rmtree(folder, ignore_errors=True)
tap.done()
