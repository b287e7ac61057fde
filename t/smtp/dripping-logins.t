#!/usr/bin/env python3
"""Clients of the ports of submission that say AUTH and then drip, without an
end to their line: from as many addresses as fill all processes twice. Users
log in and send."""
import base64
import os
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, wait_for  # noqa: E402
from smtp import Accounts, Client, Queue, Server, listen_tcp  # noqa: E402

t = Tap()
PROCESSES = 4
folder = Folder()
CERT, KEY = folder.certificate()
folder.configure(["mydestination = home.test", "myorigin = home.test",
                  "mynetworks =", "authcheck_default_action = accept",
                  "smtpd_process_limit = %d" % PROCESSES,
                  "smtpd_tls_cert_file = " + CERT,
                  "smtpd_tls_key_file = " + KEY])
queue, accounts = Queue(folder), Accounts(folder)
folder.start("tlsproxy", "tls-server")
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(os.path.join(folder.private, "submit"))
listener.listen(64)
submit = Server(folder, "submit", submit=listener)
doors = Server(folder, "gate", submission=listen_tcp(),
               submissions=listen_tcp())
context = ssl.create_default_context(cafile=CERT)
PLAIN = base64.b64encode(b"\0joe\0secret").decode()


def client(source):
    c = Client.__new__(Client)
    s = socket.create_connection(
        ("127.0.0.1", doors.port("submissions")), timeout=60,
        source_address=(source, 0))
    c.sock = context.wrap_socket(s, server_hostname="localhost")
    c.file = c.sock.makefile("rb")
    c.reply()
    return c


class Dripper(threading.Thread):
    """Comes again when it is sent away."""

    def __init__(self, source):
        super().__init__(daemon=True)
        self.source, self.stop = source, False
        self.said = self.sent_away = 0
        self.start()

    def run(self):
        while not self.stop:
            try:
                c = client(self.source)
                c.talk("EHLO x", "AUTH LOGIN")
                self.said += 1
                while not self.stop:
                    c.send("x")
                    time.sleep(0.03)
                c.close()
            except OSError:
                self.sent_away += 1


def send():
    c = client("127.7.0.7")
    try:
        c.talk("EHLO x", "AUTH PLAIN " + PLAIN, "MAIL FROM:<joe@home.test>",
               "RCPT TO:<ann@far.test>", "DATA")
        c.send("From: joe@home.test\r\n\r\nhi\r\n.\r\n")
        reply = c.reply()
        c.close()
    except OSError as e:
        reply = str(e)
    return reply


crowd = [Dripper("127.9.%d.1" % n) for n in range(2 * PROCESSES)]
wait_for(lambda: sum(d.said for d in crowd) >= PROCESSES, 60)
time.sleep(1)
for n in range(3):
    start = time.monotonic()
    t.starts(send(), "250 2.0.0", "a user logs in and sends")
    t.note("after %.1f s" % (time.monotonic() - start))
t.ok(wait_for(lambda: any(d.sent_away for d in crowd), 60),
     "who drips is sent away")
for d in crowd:
    d.stop = True
for d in crowd:
    d.join()
folder.end()
t.done()
