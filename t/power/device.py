"""A file system on a loop device whose power can be cut.

The cut is FS_IOC_SHUTDOWN without a flush of the log (ext4, XFS): from then
on nothing reaches the device, not even what the file system holds ready. What
a disk's own cache could lose in addition is not part of it. All mounts are in
the mount namespace of the caller, who has one of its own (`own_namespace`).
"""
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import time

FS_IOC_SHUTDOWN = 0x8004587d
NOLOGFLUSH = 2
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
SIZE = {"ext4": 768 << 20, "xfs": 768 << 20}
INSIDE = "POWER_CUT_NAMESPACE"


def own_namespace():
    """Goes on in a mount namespace of its own; never returns if it cannot."""
    if os.environ.get(INSIDE):
        return
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "-m", "--propagation", "private",
                          sys.executable, *sys.argv])


def why_not(kind):
    """Why there can be no such device here, or None."""
    if os.geteuid() != 0:
        return "only root can mount"
    if not os.path.exists("/dev/loop-control"):
        return "there are no loop devices"
    if not shutil.which(MAKE[kind][0]):
        return "there is no " + MAKE[kind][0]
    if subprocess.run(["unshare", "-m", "true"],
                      capture_output=True).returncode:
        return "there can be no mount namespace"
    with open("/proc/filesystems") as f:
        if kind not in f.read().split() and subprocess.run(
                ["modprobe", kind], capture_output=True).returncode:
            return "the kernel has no " + kind
    return None


def no_cut(kind, folder):
    """Why none of KIND can be mounted and cut, in FOLDER; or None."""
    device = Device(kind, folder)
    try:
        device.make()
        device.cut()
        device.unmount()
    except (OSError, subprocess.CalledProcessError, RuntimeError) as e:
        return "no %s can be cut off: %s" % (kind, e)
    finally:
        subprocess.run(["umount", "-l", device.point], capture_output=True)
    return None


class Device:
    def __init__(self, kind, folder):
        self.kind, self.image = kind, os.path.join(folder, "image")
        self.point = os.path.join(folder, "disk")
        os.makedirs(self.point, exist_ok=True)
        self.mounted = False

    def make(self):
        """An empty one, in place of what was there."""
        if os.path.exists(self.image):
            os.unlink(self.image)
        with open(self.image, "wb") as f:
            f.truncate(SIZE[self.kind])
        subprocess.run([*MAKE[self.kind], self.image], check=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop,noatime", "-t", self.kind,
                        self.image, self.point], check=True)
        self.mounted = True

    def cut(self):
        fd = os.open(self.point, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(fd)

    def unmount(self):
        """Whoever has files in it is gone, or all but gone."""
        for n in range(100):
            done = subprocess.run(["umount", self.point], text=True,
                                  capture_output=True)
            if done.returncode == 0 or not self.mounted:
                self.mounted = False
                return
            time.sleep(0.05)
        raise RuntimeError(done.stderr)

    def keep(self, path):
        """A copy of the device as it is, unmounted."""
        subprocess.run(["cp", "--sparse=always", self.image, path], check=True)
