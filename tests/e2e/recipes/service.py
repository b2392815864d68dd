"""The service by all the ways of frontends/aws, and what a SIP frontend asks it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.recipes.lambda_endpoints import LOOPBACK, Doors, doors
from tests.e2e.recipes.relay import Relay, relay_to
from tests.e2e.serve.serving import serving
from tools.events.stage import REGION, SAMPLES, read_json

TOKEN: Final = read_json(SAMPLES / "authorize" / "direct-authorized.json")["jwt_token"]
"""Alice's."""
EXPIRED: Final = read_json(SAMPLES / "authorize" / "direct-denied-expired.json")["jwt_token"]
API_KEY: Final = "the-key-of-the-frontend"

ANSWER: Final = {
    "code": 1,
    "sip_username": "alice",
    "decoded_token": "{}.{}",
    "credentials": {},
    "expires_at": 4070908800,
}
"""One that authorizes."""
DECIDE_NOTHING: Final = [
    pytest.param(200, {**ANSWER, "code": True}, id="true is not 1"),
    pytest.param(200, {**ANSWER, "code": "1"}, id="text is not 1"),
    pytest.param(202, ANSWER, id="another status"),
    pytest.param(503, ANSWER, id="an error with a good body"),
    pytest.param(200, {"code": 1}, id="nobody named"),
    pytest.param(200, {**ANSWER, "sip_username": ""}, id="nobody's name"),
    pytest.param(200, {**ANSWER, "expires_at": "never"}, id="no time"),
    pytest.param(200, {}, id="no code"),
    pytest.param(200, [ANSWER], id="a list"),
    pytest.param(200, None, id="null"),
    pytest.param(401, {"title": "Unauthorized", "status": 401}, id="401 without a code"),
    pytest.param(403, {"Message": "Forbidden"}, id="403 of Lambda"),
    pytest.param(401, {"code": "-1"}, id="a code as text"),
    pytest.param(401, {"code": -2}, id="another code"),
]
"""Statuses, with bodies that neither authorize nor deny."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service, by all its ways; on each, a wire that tells what went by.

    Attributes:
        doors: of Lambda.
        lambda_wire: to them.
        api_wire: to the API.
    """

    doors: Doors
    lambda_wire: Relay
    api_wire: Relay

    @property
    def lambda_url(self) -> str:
        """Where the SDK finds Lambda."""
        return f"http://{LOOPBACK}:{self.lambda_wire.port}"

    @property
    def function_url(self) -> str:
        """The Function URL."""
        return self.doors.function_url.replace(self.doors.endpoint_url, self.lambda_url)

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return f"http://{LOOPBACK}:{self.api_wire.port}/authorize"

    def wire(self, name: str) -> Relay:
        """Return the wire that a way takes."""
        return self.api_wire if name == "api" else self.lambda_wire


@contextmanager
def healthy_service(logs: Path, db_url: str) -> Iterator[Service]:
    """Run the service over tables that answer; log into a file in *logs*."""
    with _service(logs, 1, DB_URL=db_url) as service:
        yield service


@contextmanager
def stuck_service(logs: Path) -> Iterator[Service]:
    """Run the service over tables that take every connection and never answer: it gives up after half a second."""
    with (
        socket.create_server((LOOPBACK, 0)) as silent,
        _service(logs, 2, DB_URL=_tables_at(silent), STORE_TIMEOUT_MS="500") as service,
    ):
        yield service


@contextmanager
def busy_service() -> Iterator[Service]:
    """Open Lambda's doors to one environment of the function, which is at work for somebody else all the time."""
    with (
        socket.create_server((LOOPBACK, 0)) as silent,
        doors(DB_URL=_tables_at(silent), STORE_TIMEOUT_MS="9000") as opened,
        relay_to(opened.port) as wire,
    ):
        work = threading.Thread(target=opened.invoke, args=({"jwt_token": TOKEN},))
        work.start()
        waiting, _ = silent.accept()
        try:
            yield Service(opened, wire, wire)
        finally:
            silent.close()
            waiting.close()
            work.join()


@contextmanager
def _service(logs: Path, environments: int, **settings: str) -> Iterator[Service]:
    settings = {**read_json(SAMPLES / "outcomes.json")["settings"], **settings}
    with (
        doors(environments, **settings) as opened,
        serving(logs / "log", API_KEY=API_KEY, WORKERS=str(environments), **settings) as served,
        relay_to(opened.port) as lambda_wire,
        relay_to(served.port) as api_wire,
    ):
        yield Service(opened, lambda_wire, api_wire)


def _tables_at(listener: socket.socket) -> str:
    return f"dynamodb+http://{LOOPBACK}:{listener.getsockname()[1]}/{REGION}"
