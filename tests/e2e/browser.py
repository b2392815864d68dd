"""Headless Chromium, driven by the DevTools protocol over a pipe: a real browser, and no library for it."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_SECONDS: Final = 30
_END: Final = b"\0"


def chromium() -> str | None:
    """Return where Chromium is; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Page:
    """A page of a running browser.

    Attributes:
        complaints: what the page put on its console as errors: scripts that fail, and loads that its policy refuses.
        requests: the URLs that it asked for.
    """

    to_browser: int
    from_browser: int
    session: str | None = None
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _asked: int = 0
    _read: bytes = b""

    def tell(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command; return its result."""
        self._asked += 1
        message: dict[str, object] = {"id": self._asked, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + _END)
        while (answer := self._next()).get("id") != self._asked:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, url: str) -> None:
        """Go to *url*."""
        self.tell("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        result = self.tell("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']['text']}")
        return result["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Wait until a JavaScript expression is true, and return its value."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if value := self.run(script):
                return value
            time.sleep(0.1)
        raise TimeoutError(f"not within {PATIENCE_SECONDS} s: {script}")

    def click(self, selector: str) -> None:
        """Click the one element that is there, or will be."""
        self.wait_for(f"document.querySelector({json.dumps(selector)}) !== null")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, text: str) -> None:
        """Put *text* into a field, as a keyboard would."""
        self.wait_for(f"document.querySelector({json.dumps(selector)}) !== null")
        self.run(f"(e => {{ e.focus(); e.select(); }})(document.querySelector({json.dumps(selector)}))")
        self.tell("Input.insertText", text=text)

    def photograph(self, file: Path) -> None:
        """Write what the whole page looks like, as a PNG."""
        shot = self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        while _END not in self._read:
            more = os.read(self.from_browser, 1 << 16)
            if not more:
                raise EOFError("the browser has ended")
            self._read += more
        message, _, self._read = self._read.partition(_END)
        loaded: dict[str, Any] = json.loads(message)
        return loaded

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]["text"]))
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(str(parameters["entry"]["text"]))
        elif event.get("method") == "Network.requestWillBeSent":
            self.requests.append(str(parameters["request"]["url"]))


@contextlib.contextmanager
def browsing(program: str, folder: Path) -> Iterator[Page]:
    """Start a browser with an empty profile in *folder*; it has ended when the context has."""
    commands_read, commands_write = os.pipe()
    answers_read, answers_write = os.pipe()
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    arguments += ["--disable-background-networking", "--disable-component-update", "--window-size=1280,1600"]
    arguments += ["--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"]
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
        page = Page(commands_write, answers_read)
        (target,) = (one for one in page.tell("Target.getTargets")["targetInfos"] if one["type"] == "page")
        session = page.tell("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        page.session = session
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.tell(f"{domain}.enable")
        yield page
    finally:
        os.close(commands_write)
        os.close(answers_read)
        process.terminate()
        process.wait(PATIENCE_SECONDS)
