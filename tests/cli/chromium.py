"""chromium.py - a headless Chromium that is asked over a pipe what a page is like.

The DevTools protocol, JSON messages that end with a zero byte, over two descriptors. Standard library only;
the browser is the environment variable CHROMIUM.
"""
import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile

# A browser that minds its own business and needs nothing of the machine.
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
           "--no-first-run", "--disable-background-networking", "--disable-component-update",
           "--disable-sync", "--disable-extensions", "--hide-scrollbars",
           "--force-color-profile=srgb",
           "--remote-debugging-pipe"]


def moved(fd):
    copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return copy


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="skerry-chromium-")
        # Chromium reads descriptor 3 and writes 4: ours must not be among them.
        read_by_it, self.ask = map(moved, os.pipe())
        self.answers, written_by_it = map(moved, os.pipe())

        def give():
            os.dup2(read_by_it, 3)
            os.dup2(written_by_it, 4)

        self.process = subprocess.Popen(
            [os.environ["CHROMIUM"], *OPTIONS, "--user-data-dir=" + self.folder, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=give)
        os.close(read_by_it)
        os.close(written_by_it)
        self.unread = b""
        self.number = 0
        self.events = []

    def close(self):
        self.call("Browser.close")
        self.process.wait(timeout=60)
        os.close(self.ask)
        os.close(self.answers)
        shutil.rmtree(self.folder, ignore_errors=True)

    def message(self):
        while b"\0" not in self.unread:
            more = os.read(self.answers, 1 << 20)
            if not more:
                raise RuntimeError("chromium ended, with %s" % self.process.wait(timeout=60))
            self.unread += more
        whole, self.unread = self.unread.split(b"\0", 1)
        return json.loads(whole)

    def call(self, method, session=None, **arguments):
        self.number += 1
        question = {"id": self.number, "method": method, "params": arguments}
        if session:
            question["sessionId"] = session
        os.write(self.ask, json.dumps(question).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError("%s: %s" % (method, message["error"]))
                return message["result"]
            self.events.append(message)

    def open(self, url, width=1200, height=900):
        return BrowserPage(self, url, width, height)


class BrowserPage:
    """A page that has loaded; what it asked for and complained of meanwhile is kept."""

    def __init__(self, browser, url, width, height):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target,
                                    flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)
        while not self.said("Page.loadEventFired"):
            self.browser.events.append(self.browser.message())

    def call(self, method, **arguments):
        return self.browser.call(method, self.session, **arguments)

    def said(self, method):
        return [event["params"] for event in self.browser.events
                if event.get("sessionId") == self.session and event.get("method") == method]

    def requests(self):
        return [event["request"]["url"] for event in self.said("Network.requestWillBeSent")]

    def complaints(self):
        return (self.said("Runtime.consoleAPICalled") + self.said("Runtime.exceptionThrown") +
                self.said("Log.entryAdded"))

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def screenshot(self, path=None):
        """The whole page: how many of its pixels have which colour, as #rrggbb."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                         clip={"x": 0, "y": 0, "scale": 1,
                               "width": self.evaluate("innerWidth"),
                               "height": self.evaluate("document.documentElement.scrollHeight")})
        if path:
            with open(path, "wb") as file:
                file.write(base64.b64decode(shot["data"]))
        # Whoever made the picture reads it best.
        return self.browser.open("about:blank").evaluate("""new Promise((done, failed) => {
            const image = new Image();
            image.onerror = failed;
            image.onload = () => {
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [image.width, image.height];
                const brush = canvas.getContext('2d');
                brush.drawImage(image, 0, 0);
                const counts = {};
                const bytes = brush.getImageData(0, 0, image.width, image.height).data;
                for (let i = 0; i < bytes.length; i += 4) {
                    const colour = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];
                    counts[colour] = (counts[colour] || 0) + 1;
                }
                done(Object.fromEntries(Object.entries(counts).map(
                    ([colour, count]) => ['#' + (+colour).toString(16).padStart(6, '0'), count])));
            };
            image.src = 'data:image/png;base64,%s';
        })""" % shot["data"])
