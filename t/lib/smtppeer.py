"""A scripted SMTP server: says what its table tells it, notes what it heard."""
import socket
import ssl
import threading
import time

EHLO = "250-%s\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n" \
       "250-ENHANCEDSTATUSCODES\r\n250 DSN\r\n"


class Peer:
    """REPLIES maps what begins a command to its reply: text, a list of texts
    for one time after the other, None to close, or a function. "." is the
    end of a message, "" the greeting."""

    def __init__(self, ip, port, replies=(), name="mx.peer.test", cert=None,
                 tls_fails=False):
        self.name = name
        self.replies = {"": "220 %s ESMTP" % name,
                        "EHLO": EHLO % name,
                        "HELO": "250 %s" % name,
                        "MAIL": "250 2.1.0 Ok", "RCPT": "250 2.1.5 Ok",
                        "DATA": "354 go on", ".": "250 2.0.0 queued as 1",
                        "RSET": "250 2.0.0 Ok", "QUIT": "221 2.0.0 bye",
                        "STARTTLS": "454 4.7.0 no"}
        self.replies.update(replies)
        self.cert = cert
        self.tls_fails = tls_fails
        self.heard = []      # command lines of all connections
        self.messages = []   # contents, as they came
        self.connections = 0
        self.writes = []     # how many commands came with one read
        self.listener = socket.socket(socket.AF_INET6 if ":" in ip
                                      else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((ip, port))
        self.listener.listen(20)
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(conn)
            threading.Thread(target=self.serve, args=(conn,),
                             daemon=True).start()

    def reply(self, key):
        r = self.replies[key]
        if isinstance(r, list):
            r = r.pop(0) if len(r) > 1 else r[0]
        if callable(r):
            r = r()
        return r

    def say(self, conn, key):
        """False if the connection ends."""
        r = self.reply(key)
        if r is None:
            return False
        if isinstance(r, (int, float)):
            time.sleep(r)
            return False
        conn.sendall((r if r.endswith("\n") else r + "\r\n").encode())
        return not r.startswith("421") and key != "QUIT"

    def serve(self, conn):
        try:
            self.talk(conn)
        except (OSError, ssl.SSLError):
            pass
        try:
            conn.close()
        except OSError:
            pass

    def talk(self, conn):
        if not self.say(conn, ""):
            return
        data = b""
        while True:
            while b"\n" not in data:
                more = conn.recv(65536)
                if not more:
                    return
                data += more
                self.writes.append(more.count(b"\n"))
            line, data = data.split(b"\n", 1)
            line = line.rstrip(b"\r").decode("utf-8", "replace")
            self.heard.append(line)
            word = line.split(" ")[0].upper()
            if word == "STARTTLS" and self.cert:
                conn.sendall(b"220 2.0.0 ready\r\n")
                if self.tls_fails:
                    time.sleep(0.1)
                    conn.sendall(b"this is no handshake at all\r\n")
                    return
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.cert)
                conn = context.wrap_socket(conn, server_side=True)
                data = b""
                continue
            if word not in self.replies:
                conn.sendall(b"500 5.5.2 what?\r\n")
                continue
            good = str(self.replies["DATA"]).startswith("354") \
                if word == "DATA" else False
            if not self.say(conn, word):
                return
            if not good:
                continue
            while b"\r\n.\r\n" not in b"\r\n" + data:
                more = conn.recv(65536)
                if not more:
                    return
                data += more
            end = (b"\r\n" + data).index(b"\r\n.\r\n")
            self.messages.append(data[:end])
            data = data[end + 3:]
            if not self.say(conn, "."):
                return

    def hang_up(self):
        for c in self.open:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.hang_up()
