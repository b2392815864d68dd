"""The endpoint that gives a container its credentials, on this machine."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

from auth_jwt.aws.identity import ContainerIdentity
from tests.contract.clients import REGION
from tests.fakes import Clock
from tests.local_server import LocalServer

Answer = tuple[int, bytes]


def some_credentials(name: str = "first", /, *, expires: float, **more: object) -> Answer:
    given = {
        "AccessKeyId": f"{name} key",
        "SecretAccessKey": f"{name} secret",
        "Token": f"{name} token",
        "Expiration": datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **more,
    }
    return 200, json.dumps({name: value for name, value in given.items() if value is not None}).encode()


@dataclass
class Endpoint:
    """A container endpoint: what it answers, the last one over and over, and what it was asked."""

    clock: Clock
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    delay: float = 0
    port: int = 0

    @property
    def env(self) -> dict[str, str]:
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.port}/credentials?x=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in",
            "AWS_DEFAULT_REGION": REGION,
        }

    def identity(self, **env: str) -> ContainerIdentity:
        return ContainerIdentity({**self.env, **env}, clock=self.clock, pause_seconds=0)

    def answer(self) -> Answer:
        time.sleep(self.delay)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def an_endpoint() -> Iterator[Endpoint]:
    """A container endpoint, to be told what it answers."""
    endpoint = Endpoint(Clock())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            endpoint.asked.append((self.path, dict(self.headers.items())))
            status, body = endpoint.answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with LocalServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        endpoint.port = server.server_port
        try:
            yield endpoint
        finally:
            server.shutdown()
