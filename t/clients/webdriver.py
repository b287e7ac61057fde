"""A browser without a screen, by the WebDriver protocol (chromedriver).

    with Browser(folder) as b:
        b.go("http://…")
        b.find("#id").click()
"""
import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

from instance import wait_value
from mailservers import free_ports, wait_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu",
           "--disable-dev-shm-usage", "--window-size=1280,900"]


class Failed(Exception):
    pass


class Browser:
    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        port = free_ports(1)[0]
        self.base = "http://127.0.0.1:%d" % port
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=%d" % port],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=self.folder, LANG="C.UTF-8"))
        try:
            wait_port(port)
            value = self.call("POST", "/session", capabilities={
                "alwaysMatch": {
                    "unhandledPromptBehavior": "accept",
                    "goog:chromeOptions": {"args": OPTIONS + [
                        "--user-data-dir=%s/chromium" % self.folder]}}})
        except BaseException:
            self.driver.kill()
            self.driver.wait()
            raise
        self.base += "/session/" + value["sessionId"]
        return self

    def __exit__(self, *what):
        try:
            self.call("DELETE", "")
        except (Failed, OSError):
            pass
        self.driver.terminate()
        self.driver.wait()

    def call(self, method, path, **args):
        request = urllib.request.Request(
            self.base + path, method=method,
            data=json.dumps(args).encode() if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise Failed(json.load(e)["value"]["message"].split("\n")[0])

    def go(self, url):
        self.call("POST", "/url", url=url)

    def run(self, script, *args):
        return self.call("POST", "/execute/sync", script=script,
                         args=list(args))

    def find(self, css, seconds=30, hidden=False):
        """The first element that CSS selects and that can be seen, or may be
        HIDDEN."""
        until = time.monotonic() + seconds
        while True:
            for found in self.call("POST", "/elements", using="css selector",
                                   value=css):
                element = Element(self, found[ELEMENT])
                if hidden or element.seen():
                    return element
            if time.monotonic() > until:
                raise Failed("there is no " + css)
            time.sleep(0.1)

    def wait(self, script, *args, seconds=30):
        """Until SCRIPT returns something; what it returns."""
        return wait_value(lambda: self.run(script, *args), seconds, 0.1)

    def frame(self, css=None):
        """Into the frame that CSS selects, or out to the page."""
        self.call("POST", "/frame",
                  id={ELEMENT: self.find(css).id} if css else None)

    def picture(self, name):
        """A screenshot NAME.png, if somebody wants to see them."""
        where = os.environ.get("PICTURES")
        if where:
            with open(os.path.join(where, name + ".png"), "wb") as f:
                f.write(base64.b64decode(self.call("GET", "/screenshot")))


class Element:
    def __init__(self, browser, id):
        self.browser, self.id = browser, id

    def ask(self, method, what, **args):
        return self.browser.call(method, "/element/%s/%s" % (self.id, what),
                                 **args)

    def seen(self):
        try:
            return self.ask("GET", "displayed")
        except Failed:
            return False

    def click(self):
        self.ask("POST", "click")

    def type(self, text):
        self.ask("POST", "value", text=text)

    def text(self):
        return self.ask("GET", "text")
