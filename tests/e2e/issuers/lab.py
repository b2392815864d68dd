"""Providers, tables, `make serve` with its refresh of keys, and logins whose tokens the service is asked about."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3

from auth_jwt.issuers.models import FETCHED_AT, NEXT_FETCH_AT, STATUS_ROW
from auth_jwt.issuers.status import FAILURES
from tests.certificates import Authority
from tests.e2e.issuers.provider import ALGORITHMS, Provider, Tokens, a_provider
from tests.e2e.serve.serving import Serving, environment, serving
from tests.issuers import item_of
from tests.moto_server import a_moto_server
from tests.prepared_command import prepared_command
from tools.events.stage import REGION, template
from tools.serve.tables import load

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

USERS: Final = ("alice", "bob", "carol")
CACHE_TTL_SECONDS: Final = 5
PATIENCE_SECONDS: Final = 150
"""More than two rounds."""

_PAUSE_SECONDS: Final = 0.05
_TOKEN: Final = re.compile(r"eyJ[\w-]+\.eyJ")  # `eyJ` alone is in some ids
_DEFERRED: Final = "urn:auth-jwt:problem:key-not-fetched-yet"


class Answered(StrEnum):
    """What the service said of a token."""

    AUTHORIZED = "authorized"
    REFUSED = "refused"
    DEFERRED = "deferred"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Login:
    """A token at the service.

    Attributes:
        at: when it was asked, in UNIX seconds.
        kid: of the key that signed the token.
        answered: what it said.
        request_id: of the request.
        username: the SIP user, when authorized.
        retry_after: in how many seconds to ask again, when deferred.
    """

    at: float
    kid: str
    answered: Answered
    request_id: str
    username: str | None = None
    retry_after: int | None = None


def ask(connection: HTTPConnection, tokens: Tokens, text: str | None = None) -> Login:
    """Ask the service about an access token, or about another *text* in its place."""
    at = time.time()
    body = json.dumps({"jwt_token": text or tokens.access})
    connection.request("POST", "/authorize", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = json.loads(answer.read())
    kinds = {(200, None): Answered.AUTHORIZED, (401, "denied"): Answered.REFUSED, (503, _DEFERRED): Answered.DEFERRED}
    kind = "denied" if answer.status == 401 and said.get("code") == -1 else said.get("type")
    return Login(
        at,
        str(tokens.header["kid"]),
        kinds.get((answer.status, kind), Answered.FAULT),
        str(answer.getheader("x-amzn-requestid")),
        said.get("sip_username"),
        int(answer.getheader("retry-after") or 0) or None,
    )


@dataclass(frozen=True, slots=True)
class Lab:
    """All of it, running.

    Attributes:
        providers: by name.
        early: for each, tokens of alice's that are older than the first fetch of its keys.
        service: the service, whose function fetches the keys each minute.
        settings: of the service.
        tables: a client for its tables.
    """

    providers: Mapping[str, Provider]
    early: Mapping[str, Tokens]
    service: Serving
    settings: Mapping[str, str]
    tables: "DynamoDBClient"

    def ask(self, tokens: Tokens, text: str | None = None) -> Login:
        """Ask the service on a connection of its own."""
        return asked_at(self.service, tokens, text)

    def reason_of(self, login: Login) -> str:
        """Return the reason in the service's log."""
        found = (line for line in self._lines() if line.get("gateway_request_id") == login.request_id)
        return str(next(found)["reason"])

    def rounds(self) -> list[dict[str, Any]]:
        """Return the log lines of the rounds that refreshed keys."""
        return [line for line in self._lines() if line.get("service") == "refresh_keys" and "issuers" in line]

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.service.log.read_text("utf-8").splitlines()]

    def status_of(self, provider: Provider) -> dict[str, int]:
        """Return the numbers in the status row of an issuer."""
        key = item_of({"corresponding_tag": provider.issuer, "id": STATUS_ROW})
        row = self.tables.get_item(TableName="jwt_secrets", Key=key, ConsistentRead=True)["Item"]
        return {name: int(value["N"]) for name, value in row.items() if "N" in value}

    def wait_for_fetch(self, provider: Provider, *, after: float) -> float:
        """Wait until a fetch that began *after* a time is in the tables, and return when it began."""
        return wait_until(lambda: _later_than(after, self.status_of(provider).get(FETCHED_AT)))

    def has_failed(self, provider: Provider) -> bool:
        """Tell whether the last fetch of its keys failed."""
        return FAILURES in self.status_of(provider)

    def has_time(self) -> bool:
        """Tell whether there is half a minute or more until the next round."""
        due = (self.status_of(provider)[NEXT_FETCH_AT] for provider in self.providers.values())
        return min(due) - time.time() >= 30


def asked_at(service: Serving, tokens: Tokens, text: str | None = None) -> Login:
    """Ask a service on a connection of its own."""
    connection = service.connection()
    try:
        return ask(connection, tokens, text)
    finally:
        connection.close()


@contextmanager
def a_lab(folder: Path, configurations: Mapping[str, Sequence[str]]) -> Iterator[Lab]:
    """Run a provider for each configuration, and the service with their issuers in its tables.

    Args:
        folder: for files.
        configurations: by name, the options of `auth-jwt issuer add` that an issuer has beyond those of all.
    """
    authority = Authority(folder / "authority")
    with ExitStack() as stack:
        tables = stack.enter_context(a_moto_server())
        load(tables, template())
        client = boto3.client(
            "dynamodb",
            region_name=REGION,
            endpoint_url=tables,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        providers = {
            name: stack.enter_context(
                a_provider(authority.identity_file(), authority.certificate, folder / f"{name}.log")
            )
            for name in configurations
        }
        settings = {
            "DB_URL": f"dynamodb+{tables}/{REGION}",
            "KEYS_CA_BUNDLE": str(authority.certificate),
            "KEYS_ACCEPTED_NETWORKS": "127.0.0.0/8",
            "CACHE_TTL_SECONDS": str(CACHE_TTL_SECONDS),
        }
        early = {name: provider.log_in("alice") for name, provider in providers.items()}
        for name, arguments in configurations.items():
            admit(providers[name], settings, arguments)
        settings["ISSUERS"] = ",".join(provider.issuer for provider in providers.values())
        service = stack.enter_context(serving(folder / "serve.log", **settings))
        lab = Lab(providers, early, service, settings, client)
        for provider in providers.values():
            lab.wait_for_fetch(provider, after=0)
        yield lab
        assert not _TOKEN.search(service.log.read_text("utf-8")), "a token is in the log"


def admit(provider: Provider, settings: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Add an issuer, as it is discovered, and its users, as an operator does.

    ISSUERS does not name the issuer yet, so its first fetch is one of the service's rounds, as all that follow.
    """
    algorithms = ["--alg", ",".join(ALGORITHMS)]
    _run(settings, "issuer", "add", provider.issuer, "--yes", "--audience", "sip", *algorithms, *arguments)
    for user in USERS:
        _run(settings, "profile", "add", f"{provider.issuer}#{user}", "--username", user)


def _run(settings: Mapping[str, str], *arguments: str) -> None:
    """Run the command `auth-jwt` over the lab's tables."""
    false = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": REGION}
    command = [str(prepared_command()), *arguments, "--audit-log", "-"]
    done = subprocess.run(
        command, env=environment(**settings, **false), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"


def wait_until(look: Callable[[], float | None]) -> float:
    """Look again and again until there is something to see, and return that."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing to see after {PATIENCE_SECONDS} seconds")


def _later_than(then: float, fetched_at: int | None) -> int | None:
    return fetched_at if fetched_at is not None and fetched_at > then else None


@dataclass(slots=True)
class Stream:
    """Logins one after the other, each of a user with a new browser, by each algorithm in turn, until the context ends.

    Attributes:
        lab: what it asks.
        provider: where the users log in.
        logins: what came of them.
    """

    lab: Lab
    provider: Provider
    logins: list[Login] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _errors: list[BaseException] = field(default_factory=list)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Stream":
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, and raise what went wrong in it."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_SECONDS)
        for error in self._errors:
            raise error

    def wait_for_logins(self, number: int, *, signed_by: str) -> None:
        """Wait until so many logins of keys with that name were answered."""
        wait_until(lambda: bool(self._errors) or len(self.signed_by(signed_by)) >= number)

    def wait_beyond_success(self, seconds: float, *, signed_by: str) -> None:
        """Wait until keys with that name signed a login so many seconds after the first that was authorized."""

        def is_beyond() -> bool:
            logins = self.signed_by(signed_by)
            success = next((login for login in logins if login.answered is Answered.AUTHORIZED), None)
            return success is not None and logins[-1].at > success.at + seconds

        wait_until(lambda: bool(self._errors) or is_beyond())

    def signed_by(self, name: str) -> list[Login]:
        """Return the logins whose token was signed by keys with that name."""
        return [login for login in self.logins if login.kid.startswith(f"{name}-")]

    def count(self, answered: Answered) -> int:
        """Return how many logins were answered like that."""
        return sum(login.answered is answered for login in self.logins)

    def summary(self) -> str:
        """Return the counts as words."""
        rest = (Answered.REFUSED, Answered.DEFERRED, Answered.FAULT)
        return ", ".join([f"{len(self.logins)} logins", *(f"{self.count(each)} {each}" for each in rest)])

    def _run(self) -> None:
        connection = self.lab.service.connection()
        try:
            for number in count():
                if self._ended.wait(_PAUSE_SECONDS):
                    break
                user, alg = USERS[number % len(USERS)], ALGORITHMS[number // len(USERS) % len(ALGORITHMS)]
                self.logins.append(ask(connection, self.provider.log_in(user, alg=alg)))
        except BaseException as error:  # noqa: BLE001 - raised where the stream ends
            self._errors.append(error)
        finally:
            connection.close()
