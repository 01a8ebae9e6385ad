"""Chromium without a window, driven by its DevTools protocol: https://chromedevtools.github.io/devtools-protocol/.

It speaks over pipes, so that neither a port nor a library for WebSocket is needed.
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tests.imagekit.machine import KitError

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 60.0
_KEYS = {"Enter": 13, "Escape": 27, " ": 32, "Tab": 9, "/": 191}


@cache
def browser_problem() -> str | None:
    """Why no browser can be used; ``None`` where one starts."""
    if _program() is None:
        return "no chromium on PATH"
    try:
        with browser() as started:
            started.send("Browser.getVersion")
    except KitError as error:
        return f"chromium does not start: {error}"
    return None


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own, which ends with the block.

    Raises:
        KitError: it does not start, or does not answer.
    """
    program = _program()
    if program is None:
        raise KitError("chromium: not installed")
    with tempfile.TemporaryDirectory(prefix="envsync-browser-", ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--disable-gpu"]
        # Its sandbox wants user namespaces, which containers, where this runs as root, do not give.
        options += ["--no-sandbox", "--disable-dev-shm-usage"] * (os.geteuid() == 0)
        # The pipes are to be 3 and 4, which this process cannot promise to have free.
        words = ["sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1', "sh", program, *options]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                yield Browser(process)
            finally:
                process.kill()


class Browser:
    """One that runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._number = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, session: str | None = None, /, **parameters: object) -> dict[str, Any]:
        """Call a method and wait for its result; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\0")
            self._process.stdin.flush()
        except OSError as error:
            raise KitError(f"chromium ended: {error}") from error
        deadline = time.monotonic() + _PATIENCE
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise KitError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method: str) -> dict[str, Any]:
        """The next event of this name, or one that came already; it is taken."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            for position, event in enumerate(self.events):
                if event.get("method") == method:
                    return self.events.pop(position)["params"]
            self.events.append(self._receive(deadline))

    def _receive(self, deadline: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        while b"\0" not in self._rest:
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise KitError(f"chromium: no answer for {_PATIENCE:g} s")
            data = os.read(self._process.stdout.fileno(), 1 << 20)
            if not data:
                raise KitError("chromium ended")
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path, *, scripts: bool = True, width: int = 1280, dark: bool = False) -> Page:
        """A file, in a page of its own, loaded."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        page.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        page.resize(width)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.send("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        page.send("Page.navigate", url=path.resolve().as_uri())
        self.wait("Page.loadEventFired")
        return page


class Page:
    """What one tab shows."""

    def __init__(self, owner: Browser, session: str) -> None:
        self._browser = owner
        self._session = session

    def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of this page."""
        return self._browser.send(method, self._session, **parameters)

    def resize(self, width: int, height: int = 900) -> None:
        """The size of the window, in CSS pixels."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression; promises are waited for."""
        done = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise KitError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait, for some seconds at most, until an expression is true."""
        frames = f"const look = () => ({expression}) ? done() : left-- ? requestAnimationFrame(look) : failed('never')"
        self.evaluate(f"new Promise((done, failed) => {{ let left = 300; {frames}; look(); }})")

    def press(self, *keys: str, control: bool = False) -> None:
        """Press and release keys, by name or as characters."""
        for key in keys:
            code = _KEYS.get(key, ord(key.upper()) if key.isalnum() and len(key) == 1 else 0)
            text = "\r" if key == "Enter" else key if len(key) == 1 and not control else ""
            common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 2 if control else 0}
            commands = {"commands": ["paste"]} if control and key == "v" else {}
            self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common, **commands)
            self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def click(self, selector: str) -> None:
        """Scroll to the first such element and click into its middle."""
        found = json.dumps(selector)
        x, y = self.evaluate(
            f"(() => {{ const e = document.querySelector({found}); e.scrollIntoView({{block: 'center'}});"
            " const box = e.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    @property
    def complaints(self) -> list[str]:
        """What the console got to say, exceptions included."""
        self.evaluate("0")
        told = []
        for event in self._browser.events:
            match event.get("method"), event.get("params"):
                case "Runtime.consoleAPICalled", {"args": words}:
                    told.append(" ".join(str(word.get("value")) for word in words))
                case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                    told.append(str(details.get("exception", {}).get("description", details["text"])))
                case "Log.entryAdded", {"entry": entry}:
                    told.append(entry["text"])
        return told

    @property
    def requests(self) -> list[str]:
        """Addresses that were asked for."""
        self.evaluate("0")
        sent = (event for event in self._browser.events if event.get("method") == "Network.requestWillBeSent")
        return [event["params"]["request"]["url"] for event in sent]

    def screenshot(self) -> bytes:
        """All of the page, as PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def pdf(self) -> bytes:
        """As it is printed."""
        return base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"])
