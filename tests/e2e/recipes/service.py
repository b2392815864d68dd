"""The service by all the ways of frontends/aws, and what a SIP frontend asks it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.recipes.lambda_endpoints import LOOPBACK, Doors, doors
from tests.e2e.recipes.relay import Relay, relay_to
from tests.e2e.serve.serving import serving
from tests.issuers import ISSUER, tables_at, write_issuer
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
    pytest.param(200, {"code": False, "retry_after": 42}, id="false is not 0"),
    pytest.param(200, {"code": "0", "retry_after": 42}, id="text is not 0"),
    pytest.param(503, {"code": 0, "retry_after": 42}, id="0 with another status"),
    pytest.param(503, {"type": "urn:auth-jwt:problem:unavailable", "retry_after": 1}, id="another problem"),
    pytest.param(500, {"type": "urn:auth-jwt:problem:key-not-fetched-yet"}, id="a problem with another status"),
]
"""Statuses, with bodies that neither authorize nor deny."""


DEFERRED: Final = {"code": 0, "retry_after": 42}
"""One that says when to ask again."""
NOT_FETCHED_YET: Final = {"type": "urn:auth-jwt:problem:key-not-fetched-yet", "status": 503, "retry_after": 42}
"""The same by HTTP."""
DEFER: Final = [
    pytest.param(200, DEFERRED, 42, id="a code"),
    pytest.param(503, NOT_FETCHED_YET, 42, id="a problem"),
    pytest.param(503, {**NOT_FETCHED_YET, "retry_after": 1}, 1, id="the least"),
    pytest.param(503, {**NOT_FETCHED_YET, "retry_after": 900}, 900, id="the most"),
    *(
        pytest.param(200, {**DEFERRED, "retry_after": odd}, 5, id=repr(odd))
        for odd in (901, 0, -1, True, 1.5, "42", None, [42])
    ),
    pytest.param(503, {"type": NOT_FETCHED_YET["type"]}, 5, id="no time"),
]
"""Statuses, with bodies that defer, and for how many seconds."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service, by all its ways; on each, a wire that tells what went by.

    Attributes:
        doors: of Lambda.
        lambda_wire: to them.
        api_wire: to the API.
        db_url: of the tables.
    """

    doors: Doors
    lambda_wire: Relay
    api_wire: Relay
    db_url: str = ""

    def know_the_issuer(self) -> None:
        """Write the issuer's keys, as they were fetched a moment ago."""
        endpoint = self.db_url.removeprefix("dynamodb+").removesuffix(f"/{REGION}")
        write_issuer(tables_at(endpoint), now=time.time())

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
    with _service(logs, 1, DB_URL=db_url, ISSUERS=ISSUER) as service:
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
        yield Service(opened, lambda_wire, api_wire, settings["DB_URL"])


def _tables_at(listener: socket.socket) -> str:
    return f"dynamodb+http://{LOOPBACK}:{listener.getsockname()[1]}/{REGION}"
