"""SIPp as a client and as a callee: scenarios that are run, and the messages that went to and fro."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.sip.messages import Message

SCENARIOS: Final = Path(__file__).parent / "scenarios"
PROGRAM: Final = "sipp"
SECONDS: Final = 20
START_SECONDS: Final = 40
_PLACE_OF_HEADERS: Final = "[headers]\n"
_TRACED: Final = re.compile(rb"^\w+ message (sent|received) [\[(]?(\d+)[\])]? bytes ?:?\n\n", re.MULTILINE)


class ScenarioFailed(AssertionError):
    """SIPp saw another thing than the scenario says; with what it wrote about that."""


@dataclass(frozen=True, slots=True)
class Run:
    """A scenario that went as it says.

    Attributes:
        sent, received: the messages, in order.
    """

    sent: tuple[Message, ...] = field(repr=False)
    received: tuple[Message, ...] = field(repr=False)

    @property
    def answer(self) -> Message:
        """The last final response."""
        return [message for message in self.received if message.is_final][-1]


class Scenario:
    """A SIPp in a folder of its own."""

    def __init__(self, folder: Path, name: str, arguments: Sequence[str], headers: Sequence[str] = ()) -> None:
        """Prepare it.

        Args:
            folder: empty or absent.
            name: of the file in `scenarios`.
            arguments: SIPp's.
            headers: lines for where the scenario says `[headers]`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name = folder, name
        text = (SCENARIOS / f"{name}.xml").read_text("utf-8")
        lines = "".join(f"{line}\n" for line in headers)
        self._file.write_text(text.replace(_PLACE_OF_HEADERS, lines), "utf-8")
        self._command = [
            *(PROGRAM, "-sf", str(self._file), "-i", "127.0.0.1", "-m", "1", "-nostdin"),
            *("-trace_msg", "-message_file", str(self._trace), "-trace_err", "-error_file", str(self._errors)),
            *("-timeout", f"{SECONDS}s", "-timeout_error", *arguments),
        ]

    @property
    def _file(self) -> Path:
        return self._folder / f"{self._name}.xml"

    @property
    def _trace(self) -> Path:
        return self._folder / "messages"

    @property
    def _errors(self) -> Path:
        return self._folder / "errors"

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it, its screen in a file."""
        with (self._folder / "screen").open("wb") as screen:
            return subprocess.Popen(
                self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT
            )

    def result(self, process: "subprocess.Popen[bytes]") -> Run:
        """Wait for its end, and return what went to and fro.

        Raises:
            ScenarioFailed: it did not go as the scenario says.
        """
        code = process.wait(SECONDS + 10)
        if code != 0:
            raise ScenarioFailed(f"SIPp ended {self._name} with {code}.\n{self._told()}")
        messages = list(traced(self._trace.read_bytes() if self._trace.exists() else b""))
        return Run(
            tuple(message for way, message in messages if way == "sent"),
            tuple(message for way, message in messages if way == "received"),
        )

    def wait_until_it_listens(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        """Wait until it has taken its port.

        Raises:
            ScenarioFailed: it has ended, or does not come so far.
        """
        ends = time.monotonic() + START_SECONDS
        while not _is_taken(port):
            if process.poll() is not None or time.monotonic() > ends:
                raise ScenarioFailed(f"SIPp does not listen on port {port} for {self._name}.\n{self._told()}")
            time.sleep(0.01)

    def _told(self) -> str:
        files = (self._errors, self._trace, self._folder / "screen")
        return "\n".join(
            f"--- {file.name}\n{file.read_text('utf-8', 'replace')[-6000:]}" for file in files if file.exists()
        )


def traced(trace: bytes) -> Iterator[tuple[str, Message]]:
    """Read what SIPp's `-trace_msg` wrote: for each message whether it was `sent` or `received`, and itself."""
    for found in _TRACED.finditer(trace):
        size = int(found[2])
        yield found[1].decode(), Message.of(trace[found.end() : found.end() + size])


def run(
    folder: Path, name: str, port: int, *, headers: Sequence[str] = (), transport: str = "UDP", **keys: object
) -> Run:
    """Run a client's scenario against a server.

    Args:
        folder: for its files.
        name: of the scenario.
        port: the server's, on loopback.
        headers: lines for where the scenario says `[headers]`.
        transport: UDP or TCP.
        keys: the scenario's own keywords.

    Raises:
        ScenarioFailed: it did not go as the scenario says.
    """
    mode = {"UDP": "u1", "TCP": "t1"}[transport]
    arguments = ["-t", mode, "-p", str(free_port()), *_keys(keys), f"127.0.0.1:{port}"]
    scenario = Scenario(folder, name, arguments, headers)
    return scenario.result(scenario.start())


@dataclass(slots=True)
class Callee:
    """Someone who takes one call.

    Attributes:
        port: where, by UDP on loopback.
        run: what happened, once it has ended.
    """

    port: int
    run: Run = field(default_factory=lambda: Run((), ()))


@contextmanager
def callee(folder: Path, name: str = "callee") -> Iterator[Callee]:
    """Wait for one call by a server's scenario; it has been taken when the context ends.

    Raises:
        ScenarioFailed: it did not go as the scenario says.
    """
    port = free_port()
    scenario = Scenario(folder, name, ["-t", "u1", "-p", str(port)])
    process = scenario.start()
    try:
        scenario.wait_until_it_listens(process, port)
        taking = Callee(port)
        yield taking
        taking.run = scenario.result(process)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port of loopback that nobody uses, by UDP or TCP."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
            if not _is_taken(port):
                return port


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _keys(keys: dict[str, object]) -> list[str]:
    return [word for name, value in keys.items() for word in ("-key", name, str(value))]
