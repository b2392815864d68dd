"""A built function as Lambda's SnapStart runs it, up to its snapshot and on from there.

AWS's emulator knows no SnapStart. So here stands what its Runtime API is then: AWS's runtime client runs the hooks,
asks for `restore/next`, and goes on when it is answered. In Lambda the machine is frozen and copied in between; here it
waits, and can be looked at. Beside it stand the two it may ask, which note who asked: DynamoDB and the endpoint that
gives a container its credentials.
"""

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import urlsplit

from tests.e2e.artifact.deployed import ACCOUNT, Deployed
from tests.e2e.artifact.emulator import LOOPBACK, PYTHON

SECONDS_TO_WAIT: Final = 30
CREDENTIALS_TOKEN: Final = "what-the-endpoint-wants-to-see"

_RUNTIME: Final = "/2018-06-01/runtime"
_OK, _ACCEPTED = 200, 202


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a server saw it; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


Answering = Callable[[Asked], tuple[int, Mapping[str, str], bytes]]


@contextmanager
def server(answering: Answering) -> Iterator[int]:
    """Serve on loopback what *answering* answers; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, given, text = answering(Asked(self.command, self.path, headers, body))
            self.send_response(status)
            for name, value in {**given, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = answer  # noqa: N815 - named by the library

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        block_on_close = False

        def handle_error(self, *asked: Any) -> None:
            if not isinstance(sys.exception(), ConnectionError):  # who was ended has hung up
                super().handle_error(*asked)

    serving = Server((LOOPBACK, 0), Handler)
    thread = Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        yield serving.server_port
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


@dataclass(slots=True)
class Surroundings:
    """Whom a function may ask, and who did.

    Attributes:
        tables: the address of a DynamoDB, to which questions are passed on.
        access_key: what the endpoint for credentials gives at the moment.
        asked_tables: the questions to DynamoDB.
        asked_credentials: the questions to that endpoint.
    """

    tables: str
    access_key: str = "BEFORE"
    asked_tables: list[Asked] = field(default_factory=list)
    asked_credentials: list[Asked] = field(default_factory=list)

    def answer_for_tables(self, asked: Asked) -> tuple[int, Mapping[str, str], bytes]:
        """Pass a question on to DynamoDB."""
        self.asked_tables.append(asked)
        connection = http.client.HTTPConnection(self.tables, timeout=SECONDS_TO_WAIT)
        try:
            connection.request(asked.method, asked.path, asked.body, dict(asked.headers))
            answer = connection.getresponse()
            return answer.status, {"Content-Type": "application/x-amz-json-1.0"}, answer.read()
        finally:
            connection.close()

    def answer_for_credentials(self, asked: Asked) -> tuple[int, Mapping[str, str], bytes]:
        """Give credentials of one's own to each who asks."""
        self.asked_credentials.append(asked)
        given = {
            "AccessKeyId": self.access_key,
            "SecretAccessKey": "secret",
            "Token": f"session-of-{self.access_key}",
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * 3600)),
        }
        return _OK, {"Content-Type": "application/json"}, json.dumps(given).encode()


@dataclass(slots=True)
class Runtime:
    """The Runtime API, to one process.

    Attributes:
        is_ready: the process has asked for `restore/next`.
        is_restored: it has been answered.
        events: to be handled.
        answers: of the function; an error that it raised is one.
        complaints: what it had to say of errors while it started or was restored.
    """

    is_ready: Event = field(default_factory=Event)
    is_restored: Event = field(default_factory=Event)
    events: Queue[bytes] = field(default_factory=Queue)
    answers: Queue[Any] = field(default_factory=Queue)
    complaints: list[Any] = field(default_factory=list)

    def answer(self, asked: Asked) -> tuple[int, Mapping[str, str], bytes]:
        """Answer the runtime client."""
        if asked.path == f"{_RUNTIME}/restore/next":
            self.is_ready.set()
            self.is_restored.wait()
            return _OK, {}, b""
        if asked.path == f"{_RUNTIME}/invocation/next":
            event = self.events.get()
            about = {
                "Lambda-Runtime-Aws-Request-Id": "11111111-1111-4111-8111-111111111111",
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + SECONDS_TO_WAIT) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:built:1",
                "Content-Type": "application/json",
            }
            return _OK, about, event
        if re.fullmatch(rf"{_RUNTIME}/invocation/[^/]+/(response|error)", asked.path):
            self.answers.put(json.loads(asked.body))
        else:
            self.complaints.append(json.loads(asked.body))
            self.is_ready.set()
        return _ACCEPTED, {}, b""


@dataclass(slots=True)
class Snapshot:
    """A process that waits to be restored.

    Attributes:
        process: of the runtime.
        port: of its Runtime API.
        runtime: that.
        surroundings: whom else it may ask.
        output: the file of what it prints.
        imports: the file of what it imports (`-X importtime`).
    """

    process: subprocess.Popen[bytes]
    port: int
    runtime: Runtime
    surroundings: Surroundings
    output: Path
    imports: Path

    @property
    def sockets(self) -> list[tuple[str, int]]:
        """What it has open to others, by protocol and port of the other side, as Linux tells it."""
        entries = Path(f"/proc/{self.process.pid}/fd").iterdir()
        links = (str(entry.readlink()) for entry in entries)
        inodes = [found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))]
        lines = [
            (protocol, line.split())
            for protocol in ("tcp", "tcp6", "udp", "udp6")
            for line in Path(f"/proc/{self.process.pid}/net/{protocol}").read_text().splitlines()[1:]
        ]
        known = {parts[9]: (protocol, int(parts[2].rpartition(":")[2], 16)) for protocol, parts in lines}
        return [known.get(inode, ("unknown", 0)) for inode in inodes]

    @property
    def threads(self) -> int:
        """How many threads it has."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    @property
    def imported(self) -> list[str]:
        """The modules it has imported so far, in order."""
        return re.findall(r"^import time: *\d+ \| *\d+ \| *(\S+)$", self.imports.read_text("utf-8"), re.MULTILINE)

    def restore(self, access_key: str) -> None:
        """Let it go on, with credentials that did not exist before."""
        self.surroundings.access_key = access_key
        self.runtime.is_restored.set()

    def ask(self, event: bytes) -> Any:
        """Give it an event; return its answer, or what it raised."""
        self.runtime.events.put(event)
        return self.runtime.answers.get(timeout=SECONDS_TO_WAIT)


@contextmanager
def snapshot(function: Deployed, db_url: str, logs: Path) -> Iterator[Snapshot]:
    """Start *function* for SnapStart, and yield it when Lambda would take the snapshot; end it afterwards.

    Args:
        function: what to run; the `DB_URL` in its environment is replaced.
        db_url: a DynamoDB on loopback, to be asked through the server that notes who asks.
        logs: a folder for its output.
    """
    address = urlsplit(db_url.removeprefix("dynamodb+"))
    surroundings, runtime = Surroundings(address.netloc), Runtime()
    output, imports = logs / "output", logs / "imports"
    with (
        server(surroundings.answer_for_tables) as tables,
        server(surroundings.answer_for_credentials) as credentials,
        server(runtime.answer) as port,
        output.open("wb") as out,
        imports.open("wb") as err,
    ):
        own = {name for name in ACCOUNT if name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION"))}
        environment = {
            **{name: value for name, value in function.environment.items() if name not in own},
            "DB_URL": f"dynamodb+http://{LOOPBACK}:{tables}{address.path}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
            "AWS_LAMBDA_RUNTIME_API": f"{LOOPBACK}:{port}",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{LOOPBACK}:{credentials}/2021-04-23/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": CREDENTIALS_TOKEN,
        }
        process = subprocess.Popen(
            [PYTHON, "-X", "importtime", "-m", "awslambdaric", function.handler],
            cwd=function.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        try:
            assert runtime.is_ready.wait(SECONDS_TO_WAIT), imports.read_text("utf-8")[-2000:]
            yield Snapshot(process, port, runtime, surroundings, output, imports)
        finally:
            process.kill()
            process.wait()
            runtime.is_restored.set()
