"""Headless Chromium, driven by the DevTools protocol over a pipe: a real browser, and no library for it."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_SECONDS: Final = 30
KEYS: Final = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Space": (" ", 32, " "),
    "Escape": ("Escape", 27, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "Delete": ("Delete", 46, ""),
}
"""What `Page.press` knows: the key's own name, its code, and what it writes."""

_END: Final = b"\0"
_PHONE_WIDTH: Final = 600
_FREE_DESCRIPTORS: Final = 10


def chromium() -> str | None:
    """Return where Chromium is; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Page:
    """A page of a running browser.

    Attributes:
        browser: whose it is.
        session: by which the browser knows it.
        target: likewise.
        complaints: what the page put on its console as errors: scripts that fail, and loads that its policy refuses.
        printed: what its scripts wrote to the console.
        requests: the URLs that it asked for.
        sockets: the URLs of WebSockets that it opened.
        sent: what went over those, in text.
        received: what came over them.
        paused: ids of requests that were paused, see `pause`.
    """

    browser: "Browser"
    session: str
    target: str
    complaints: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)

    def tell(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command; return its result."""
        return self.browser.tell(method, parameters, self.session)

    def open(self, url: str) -> None:
        """Go to *url*."""
        self.tell("Page.navigate", url=url)

    def close(self) -> None:
        """Close the page; its scripts are told."""
        self.tell("Page.close")

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page, that of a promise when it has one."""
        result = self.tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']['text']}")
        return result["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Wait until a JavaScript expression is true, and return its value."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if value := self.run(script):
                return value
            time.sleep(0.05)
        raise TimeoutError(f"not within {PATIENCE_SECONDS} s: {script}")

    def click(self, selector: str) -> None:
        """Click the one element that is there, or will be."""
        self.wait_for(f"document.querySelector({json.dumps(selector)}) !== null")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, text: str) -> None:
        """Put *text* into a field, as a keyboard would."""
        self.wait_for(f"document.querySelector({json.dumps(selector)}) !== null")
        self.run(f"(e => {{ e.focus(); e.select(); }})(document.querySelector({json.dumps(selector)}))")
        self.write(text)

    def write(self, text: str) -> None:
        """Put *text* in where the keyboard is."""
        self.tell("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False, times: int = 1) -> None:
        """Press one of `KEYS`, and hold it until the keyboard has sent it so many times."""
        name, code, text = KEYS[key]
        usual = {"key": name, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        down: dict[str, object] = {**usual, "text": text} if text else {**usual}
        for time_ in range(times):
            self.tell("Input.dispatchKeyEvent", type="keyDown", autoRepeat=time_ > 0, **down)
        self.tell("Input.dispatchKeyEvent", type="keyUp", **usual)

    def pause(self, pattern: str) -> None:
        """Hold the answers to requests whose URL fits, from now on; each waits for `go_on`."""
        self.tell("Fetch.enable", patterns=[{"urlPattern": pattern, "requestStage": "Response"}])

    def next_paused(self) -> str:
        """Wait for an answer that is held, and return its id."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.paused:
            if time.monotonic() > deadline:
                raise TimeoutError("no request was paused")
            self.run("1")  # which takes in what has happened
        return self.paused.pop(0)

    def let(self, paused: str) -> None:
        """Let an answer through, and go on holding others."""
        self.tell("Fetch.continueRequest", requestId=paused)

    def go_on(self, paused: str, change: Mapping[str, object] | None = None) -> None:
        """Let an answer through, with other members in its JSON if that is wanted; hold no more of them."""
        if change is None:
            self.let(paused)
        else:
            given = self.tell("Fetch.getResponseBody", requestId=paused)
            text = base64.b64decode(given["body"]) if given["base64Encoded"] else given["body"]
            body = json.dumps({**json.loads(text), **change}).encode()
            headers = [{"name": "Content-Type", "value": "application/json"}]
            encoded = base64.b64encode(body).decode()
            self.tell("Fetch.fulfillRequest", requestId=paused, responseCode=200, responseHeaders=headers, body=encoded)
        self.tell("Fetch.disable")

    def refuse(self, paused: str, status: int, headers: Mapping[str, str]) -> None:
        """Have the page get another answer, without a body, instead of one that is held; hold no more of them."""
        given = [{"name": name, "value": value} for name, value in headers.items()]
        self.tell("Fetch.fulfillRequest", requestId=paused, responseCode=status, responseHeaders=given)
        self.tell("Fetch.disable")

    def looks(self, *, width: int = 0, height: int = 800, scheme: str = "", still: bool = False) -> None:
        """Give the page another window, colour scheme (light, dark) and taste for motion; without, its own again."""
        if width:
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < _PHONE_WIDTH}
            self.tell("Emulation.setDeviceMetricsOverride", **size)
        else:
            self.tell("Emulation.clearDeviceMetricsOverride")
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        features.append({"name": "prefers-reduced-motion", "value": "reduce" if still else ""})
        self.tell("Emulation.setEmulatedMedia", features=features)

    def photograph(self, file: Path) -> None:
        """Write what the whole page looks like, as a PNG."""
        shot = self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def note(self, method: str, parameters: Mapping[str, Any]) -> None:
        """Take in an event."""
        match method:
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]["text"]))
            case "Runtime.consoleAPICalled":
                self.printed.append(json.dumps(parameters["args"]))
            case "Log.entryAdded":
                if parameters["entry"]["level"] == "error":
                    self.complaints.append(str(parameters["entry"]["text"]))
            case "Network.requestWillBeSent":
                self.requests.append(str(parameters["request"]["url"]))
            case "Network.webSocketCreated":
                self.sockets.append(str(parameters["url"]))
            case "Network.webSocketFrameSent":
                self.sent.append(str(parameters["response"]["payloadData"]))
            case "Network.webSocketFrameReceived":
                self.received.append(str(parameters["response"]["payloadData"]))
            case "Fetch.requestPaused":
                self.paused.append(str(parameters["requestId"]))


@dataclass
class Browser:
    """A running browser.

    Attributes:
        to_browser: descriptor for commands.
        from_browser: descriptor for answers and events.
        pages: those that were opened, by session.
    """

    to_browser: int
    from_browser: int
    pages: dict[str, Page] = field(default_factory=dict)
    _asked: int = 0
    _read: bytes = b""

    def tell(self, method: str, parameters: Mapping[str, object], session: str | None = None) -> dict[str, Any]:
        """Send a command; return its result."""
        self._asked += 1
        message: dict[str, object] = {"id": self._asked, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self.to_browser, json.dumps(message).encode() + _END)
        while (answer := self._next()).get("id") != self._asked:
            if answer.get("sessionId") in self.pages:
                self.pages[answer["sessionId"]].note(answer.get("method", ""), answer.get("params", {}))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def page(self) -> Page:
        """Open an empty page in a window of its own, which believes that it is the one in front."""
        target = self.tell("Target.createTarget", {"url": "about:blank", "newWindow": True})["targetId"]
        session = self.tell("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self.pages[session] = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.tell(f"{domain}.enable")
        page.tell("Emulation.setFocusEmulationEnabled", enabled=True)
        return page

    def _next(self) -> dict[str, Any]:
        while _END not in self._read:
            if not select.select([self.from_browser], [], [], PATIENCE_SECONDS)[0]:
                raise TimeoutError("the browser does not answer")
            more = os.read(self.from_browser, 1 << 16)
            if not more:
                raise EOFError("the browser has ended")
            self._read += more
        message, _, self._read = self._read.partition(_END)
        loaded: dict[str, Any] = json.loads(message)
        return loaded


def _pipe() -> tuple[int, int]:
    """Make a pipe with descriptors that are in nobody's way: the browser has its own at 3 and 4."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FREE_DESCRIPTORS) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


@contextlib.contextmanager
def browsing(program: str, folder: Path, *options: str) -> Iterator[Browser]:
    """Start a browser with an empty profile in *folder*; it has ended when the context has."""
    commands_read, commands_write = _pipe()
    answers_read, answers_write = _pipe()
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    arguments += ["--disable-background-networking", "--disable-component-update", "--window-size=1280,1600"]
    arguments += ["--remote-debugging-pipe", f"--user-data-dir={folder}", *options, "about:blank"]
    # Chromium reads commands from descriptor 3 and writes answers to descriptor 4.
    script = f'exec "$0" "$@" 3<&{commands_read} 4>&{answers_write} {commands_read}<&- {answers_write}>&-'
    process = subprocess.Popen(
        ["bash", "-c", script, program, *arguments],
        pass_fds=[commands_read, answers_write],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    os.close(commands_read)
    os.close(answers_write)
    try:
        yield Browser(commands_write, answers_read)
    finally:
        os.close(commands_write)
        os.close(answers_read)
        process.terminate()
        process.wait(PATIENCE_SECONDS)
