"""What can become of a file: a table of ways, each a function of its path.

Each gives the file's former bytes a place to be found again: `Harm` keeps an
open descriptor, so that a test can see whether a damaged file was unlinked.
"""
import os
import shutil
import subprocess
import sys


def missing(path):
    os.unlink(path)


def empty(path):
    os.truncate(path, 0)


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


def longer(path):
    with open(path, "ab") as f:
        f.write(b"longer than it was " * 8)


def one_bit(path):
    """In the middle of what is not zero."""
    with open(path, "r+b") as f:
        data = f.read()
        at = len(data.rstrip(b"\0 ")) // 2
        f.seek(at)
        f.write(bytes([data[at] ^ 0x10]) if data else b"")


def zeroed(path):
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.write(b"\0" * size)


def version(path):
    """Another version: the first number or letter after the first seven
    bytes, where our formats have theirs."""
    with open(path, "r+b") as f:
        data = bytearray(f.read(64))
        for at in range(7, len(data)):
            if chr(data[at]).isalnum():
                data[at] += 1
                break
        f.seek(0)
        f.write(data)


def directory(path):
    os.unlink(path)
    os.mkdir(path)


def fifo(path):
    os.unlink(path)
    os.mkfifo(path)


def symlink(path):
    """To a file of somebody else."""
    os.unlink(path)
    os.symlink("/etc/hostname", path)


def unreadable(path):
    os.chmod(path, 0)


def read_only(path):
    """The file system is, as far as this file goes."""
    subprocess.run(["mount", "--bind", path, path], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)


WAYS = {f.__name__.replace("_", " "): f for f in (
    missing, empty, cut, longer, one_bit, zeroed, version, directory, fifo,
    symlink, unreadable, read_only)}
ROOT = os.geteuid() == 0


def ways():
    """Those that can be tried here."""
    return [way for way in WAYS if ROOT or way not in ("read only",
                                                       "unreadable")]


def in_own_mounts():
    """To be called first: read-only mounts are nobody else's. Begins the test
    again, or leaves them out."""
    if not ROOT or os.environ.get("DAMAGE_INSIDE"):
        return
    os.environ["DAMAGE_INSIDE"] = "1"
    try:
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private",
                              sys.executable, *sys.argv])
    except OSError:
        WAYS.pop("read only")


GONE = ("missing", "directory", "fifo", "symlink")  # the file itself goes


class Harm:
    """Does it, and knows afterwards what has become of the file."""

    def __init__(self, way, path):
        self.way, self.path = way, path
        st = os.stat(path)
        self.fd = None if way in GONE else os.open(path, os.O_RDONLY)
        WAYS[way](path)
        if way in GONE and way != "missing":
            try:
                os.chown(path, st.st_uid, st.st_gid, follow_symlinks=False)
            except OSError:
                pass

    def unlinked(self):
        """Is the damaged file nowhere any more?"""
        if self.fd is not None:
            return os.fstat(self.fd).st_nlink == 0
        return False

    def text(self):
        """The damaged file's bytes, wherever it is now."""
        return os.pread(self.fd, os.fstat(self.fd).st_size, 0)

    def end(self):
        if self.way == "read only":
            subprocess.run(["umount", "-l", self.path], capture_output=True)
        if self.way == "fifo" and os.path.exists(self.path):
            # whoever waits at it goes on
            os.close(os.open(self.path, os.O_RDWR | os.O_NONBLOCK))
        if self.fd is not None:
            os.close(self.fd)


def copy_owned(source, target):
    """A tree with owners and times."""
    subprocess.run(["cp", "-a", source, target], check=True)


def replaced(path, copy):
    """Puts COPY back in PATH's place, whatever is there now."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
    copy_owned(copy, path + ".back")
    os.rename(path + ".back", path)
