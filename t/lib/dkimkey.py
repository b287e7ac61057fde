"""A key that signs mail, by the openssl command."""
import base64
import os
import subprocess


def openssl(*words):
    return subprocess.run(["openssl", *words], check=True,
                          capture_output=True).stdout


class Key:
    """A private key for DKIM in the file PATH, and its record as text of a
    zone. KIND is "rsa" or "ed25519"."""

    def __init__(self, path, kind):
        self.path, self.kind = path, kind
        if kind == "rsa":
            openssl("genpkey", "-algorithm", "RSA", "-pkeyopt",
                    "rsa_keygen_bits:2048", "-out", path)
        else:
            openssl("genpkey", "-algorithm", "ed25519", "-out", path)
        der = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")
        # RFC 8463: the bare 32 bytes
        public = der if kind == "rsa" else der[-32:]
        os.chmod(path, 0o600)
        text = "v=DKIM1; k=%s; p=%s" % (
            kind, base64.b64encode(public).decode())
        self.record = " ".join('"%s"' % text[i:i + 200]
                               for i in range(0, len(text), 200))
