"""A Mozilla program by its Marionette protocol, on a screen of its own (Xvfb).

    with Gecko(["thunderbird"], folder, preferences) as g:
        g.run("return document.title")
"""
import base64
import json
import os
import socket
import subprocess

from instance import wait_value
from mailservers import free_ports, wait_port


class Failed(Exception):
    pass


def preferences(values):
    return "".join("user_pref(%s, %s);\n" % (json.dumps(k), json.dumps(v))
                   for k, v in sorted(values.items()))


class Gecko:
    def __init__(self, command, folder, prefs, **environment):
        self.command, self.folder, self.prefs = command, folder, prefs
        self.environment, self.processes, self.sent = environment, [], 0

    def start(self, command, **environment):
        with open(os.path.join(self.folder, "said"), "ab") as said:
            self.processes.append(subprocess.Popen(
                command, stdout=said, stderr=said,
                env=dict(os.environ, HOME=self.folder, **environment)))
        return self.processes[-1]

    def screen(self):
        """A display of its own: its name."""
        ours, theirs = os.pipe()
        screen = subprocess.Popen(
            ["Xvfb", "-displayfd", str(theirs), "-screen", "0",
             "1280x900x24", "-nolisten", "tcp"], pass_fds=[theirs],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs)
        self.processes.append(screen)
        with os.fdopen(ours) as f:
            return ":" + f.readline().strip()

    def __enter__(self):
        port = free_ports(1)[0]
        profile = os.path.join(self.folder, "profile")
        os.makedirs(profile, exist_ok=True)
        with open(os.path.join(profile, "user.js"), "w") as f:
            f.write(preferences(dict(self.prefs, **{
                "marionette.port": port})))
        try:
            self.start(self.command + [
                "--marionette", "--remote-allow-system-access",
                "--no-remote", "--profile", profile], DISPLAY=self.screen(),
                **self.environment)
            wait_port(port, 120)
            self.sock = socket.create_connection(("127.0.0.1", port), 120)
            self.file = self.sock.makefile("rb")
            self.receive()
            self.call("WebDriver:NewSession", strictFileInteractability=False)
            self.call("Marionette:SetContext", value="chrome")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *what):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def receive(self):
        size = b""
        while size[-1:] != b":":
            size += self.file.read(1) or b":"
        if size == b":":
            raise Failed("the program has gone")
        return json.loads(self.file.read(int(size[:-1])))

    def call(self, command, **args):
        self.sent += 1
        data = json.dumps([0, self.sent, command, args]).encode()
        self.sock.sendall(b"%d:%s" % (len(data), data))
        _, _, error, value = self.receive()
        if error:
            raise Failed("%s: %s" % (command, error.get("message")))
        return value

    def run(self, script, *args):
        """What the body of an asynchronous function returns, in the current
        window; args is its arguments."""
        value = self.call(
            "WebDriver:ExecuteAsyncScript", sandbox="system", args=list(args),
            newSandbox=False, scriptTimeout=60000,
            script="const args = [...arguments]; const end = args.pop();"
            "(async () => {%s})().then(v => end([v]),"
            " e => end([null, e + ' ' + e.stack]));" % script)["value"]
        if len(value) > 1:
            raise Failed(value[1])
        return value[0]

    def wait(self, script, *args, seconds=30):
        """Until SCRIPT returns something; what it returns."""
        return wait_value(lambda: self.run(script, *args), seconds, 0.2)

    def picture(self, name):
        """A screenshot NAME.png, if somebody wants to see them."""
        where = os.environ.get("PICTURES")
        if where:
            with open(os.path.join(where, name + ".png"), "wb") as f:
                f.write(base64.b64decode(self.call(
                    "WebDriver:TakeScreenshot", full=True)["value"]))
