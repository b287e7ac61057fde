"""A certificate authority of the test's own, by the openssl command."""
import os
import subprocess


class Authority:
    def __init__(self, folder):
        self.dir = folder.path("ca")
        os.makedirs(self.dir)
        self.cert = os.path.join(self.dir, "ca.pem")
        self.key = os.path.join(self.dir, "ca.key")
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                 "-out", self.cert, "-days", "2", "-subj", "/CN=test CA")

    def run(self, *args):
        subprocess.run(("openssl",) + args, check=True, cwd=self.dir,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def issue(self, *names):
        """(certificate, key) for the names."""
        base = os.path.join(self.dir, names[0])
        with open(base + ".ext", "w") as f:
            f.write("subjectAltName=" + ",".join("DNS:" + n for n in names))
        self.run("req", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                 base + ".key", "-out", base + ".csr", "-subj",
                 "/CN=" + names[0])
        self.run("x509", "-req", "-in", base + ".csr", "-CA", self.cert,
                 "-CAkey", self.key, "-CAcreateserial", "-days", "2",
                 "-extfile", base + ".ext", "-out", base + ".pem")
        return base + ".pem", base + ".key"
