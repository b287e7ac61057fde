"""nsd with zones of the test's own, signed by ldns-signzone where asked."""
import os
import shutil
import subprocess

from alone import free_port, wait_for
import socket

SOA = ("$ORIGIN %s.\n$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n"
       "@ IN NS ns\nns IN A 127.0.0.1\n")


def tools_missing():
    return [t for t in ("nsd", "ldns-keygen", "ldns-signzone")
            if not shutil.which(t, path=os.environ.get("PATH", "") +
                                ":/usr/sbin:/sbin")]


class Nameserver:
    def __init__(self, folder):
        self.dir = folder.path("nsd")
        os.makedirs(self.dir)
        self.port = free_port(socket.SOCK_DGRAM)
        self.zones = []
        self.anchors = []
        self.process = None

    def run(self, *args):
        return subprocess.run(args, cwd=self.dir, check=True,
                              stdout=subprocess.PIPE).stdout.decode()

    def add(self, zone, text, signed=False, edit=None):
        """A zone; EDIT changes its text after the signing."""
        name = os.path.join(self.dir, zone)
        with open(name, "w") as f:
            f.write(SOA % zone + text)
        if signed:
            key = self.run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k",
                           zone).strip()
            self.run("ldns-signzone", "-f", name + ".signed", name, key)
            with open(os.path.join(self.dir, key + ".key")) as f:
                self.anchors.append(f.read())
            name += ".signed"
        if edit:
            with open(name) as f:
                text = f.read()
            with open(name, "w") as f:
                f.write(edit(text))
        self.zones.append((zone, name))

    def anchor_file(self):
        path = os.path.join(self.dir, "anchors")
        with open(path, "w") as f:
            f.writelines(self.anchors)
        return path

    def stubs(self):
        return " ".join("%s=127.0.0.1@%d" % (z, self.port)
                        for z, _ in self.zones)

    def start(self):
        conf = os.path.join(self.dir, "nsd.conf")
        with open(conf, "w") as f:
            f.write('server:\n ip-address: 127.0.0.1@%d\n port: %d\n'
                    ' username: ""\n chroot: ""\n pidfile: ""\n'
                    ' zonelistfile: "%s/zone.list"\n database: ""\n'
                    ' xfrdfile: "%s/xfrd.state"\n server-count: 1\n'
                    ' zonesdir: "%s"\n hide-version: yes\n'
                    'remote-control:\n control-enable: no\n'
                    % (self.port, self.port, self.dir, self.dir, self.dir))
            for zone, name in self.zones:
                f.write('zone:\n name: "%s"\n zonefile: "%s"\n'
                        % (zone, name))
        nsd = shutil.which("nsd", path=os.environ.get("PATH", "") +
                           ":/usr/sbin:/sbin")
        self.process = subprocess.Popen(
            [nsd, "-d", "-c", conf], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        return wait_for(self.answers)

    def answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            zone = self.zones[0][0]
            name = b"".join(bytes([len(p)]) + p.encode()
                            for p in zone.split(".")) + b"\0"
            s.sendto(b"\0\1\0\0\0\1\0\0\0\0\0\0" + name + b"\0\6\0\1",
                     ("127.0.0.1", self.port))
            try:
                return len(s.recv(2000)) > 12
            except OSError:
                return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
