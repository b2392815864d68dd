"""Logins through the real handlers, by every entry, over tables that a proxy may keep from answering.

The clocks of the service are one that a test moves: it judges windows, and it says how long rows are remembered. Only
the deadline of a request is real.
"""

import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from auth_jwt.authorizer import Authorizer
from auth_jwt.memory.memory import Memory
from tests.factories import HMAC_KEY, JTI, NOW, a_profile, a_revocation, a_secret, a_token
from tests.fakes import Clock
from tests.integration.test_secrecy import rest_event
from tests.issuers import ISSUER, SUBJECT, a_login_token, issuer_row, item_of, keys_rows
from tools.events.stage import (
    REVOCATIONS,
    SAMPLES,
    Answer,
    Handler,
    LambdaContext,
    create_tables,
    environment,
    lambda_environment,
    load_handler,
    read_json,
    template,
)

_KEEPS_EXPRESS_AWAY: Final = re.compile(r"\w+_PROXY|\w+_CA_BUNDLE|SSLKEYLOGFILE|BOTO\w*", re.IGNORECASE)
"""Variables of this machine that would have boto3 read."""

TTL: Final = 60
STALE: Final = 300
RECOVERY_SECONDS: Final = 2
"""After so long, one request recovers: docs/decisions/0005."""


# -- who logs in ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Login:
    """Somebody with a token.

    Attributes:
        name: who it is.
        token: what is presented.
        reason: why it is to be denied; None for who is to be let in.
        reads: the reads without which nobody can tell.
        user: the SIP user that the request acts as.
    """

    name: str
    token: str = field(repr=False)
    reason: str | None
    reads: tuple[str, ...]
    user: str = "alice"

    def __str__(self) -> str:
        return self.name


_ROWS: Final = ("profile", "secrets")
OF_SECRETS: Final = (
    Login("a user", a_token(jti="good"), None, (*_ROWS, "revocations")),
    Login("a forger", a_token(jti="good", key="x" * 64), "bad_signature", ("secrets",)),
    Login("an unknown tag", a_token(jti="good", tag="nobody"), "unknown_tag", ("secrets",)),
    Login("a disabled user", a_token(jti="good", tag="disabled"), "disabled_profile", _ROWS),
    Login("a revoked token", a_token(jti=JTI), "revoked_token", (*_ROWS, "revocations")),
)
"""Tokens that secrets verify."""

_ISSUER: Final = ("configuration", "keys")
_ENDS: Final = NOW + 7200
OF_AN_ISSUER: Final = (
    Login("an issuer's user", a_login_token(jti="good", exp=_ENDS), None, (*_ISSUER, "user", "revocations")),
    Login("an issuer's forger", a_login_token(key="rsa_2048_other", exp=_ENDS), "bad_signature", _ISSUER),
    Login("an unknown user", a_login_token(sub="nobody", exp=_ENDS), "unknown_profile", (*_ISSUER, "user")),
    Login("a disabled user", a_login_token(sub="disabled", exp=_ENDS), "disabled_profile", (*_ISSUER, "user")),
    Login("a revoked token", a_login_token(jti=JTI, exp=_ENDS), "revoked_token", (*_ISSUER, "user", "revocations")),
)
"""Tokens that an issuer's keys verify."""


def write_rows(tables: Any) -> None:
    """Create the tables and write the rows of those who log in."""
    create_tables(tables, template())
    profiles = [
        a_profile(),
        a_profile(tag="disabled", disabled=True),
        issuer_row(),
        a_profile(tag=f"{ISSUER}#{SUBJECT}"),
        a_profile(tag=f"{ISSUER}#disabled", disabled=True),
    ]
    secrets = [a_secret(), a_secret(corresponding_tag="disabled"), *keys_rows()]
    revocations = [a_revocation(), a_revocation(tag=ISSUER)]
    for table, rows in (("jwt_profiles", profiles), ("jwt_secrets", secrets), (REVOCATIONS, revocations)):
        for row in rows:
            tables.put_item(TableName=table, Item=item_of(row))


# -- by which entry ---------------------------------------------------------------------------------------------------


class Verdict(Enum):
    """What an answer says."""

    ALLOWED = "let in"
    DENIED = "denied"
    FAULT = "a fault"


@dataclass(frozen=True)
class Entry:
    """A way in.

    Attributes:
        name: what asks.
        function: the function that it invokes.
        event: makes the event of a login.
        verdict: reads an answer.
        settings: what the function needs to be told.
    """

    name: str
    function: str
    event: Callable[[Login], dict[str, Any]]
    verdict: Callable[[Answer], Verdict]
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def _of_http(answer: Answer) -> Verdict:
    if answer.status == 200:
        return Verdict.ALLOWED if answer.member("code") == 1 else Verdict.DENIED
    if answer.status in (401, 403):
        assert answer.member("code") == -1
        return Verdict.DENIED
    assert answer.status in (500, 503)
    assert answer.member("code") is None
    assert ("retry-after" in answer.headers) is (answer.status == 503)
    return Verdict.FAULT


def _of_jambonz(answer: Answer) -> Verdict:
    if answer.status == 200:
        return Verdict.ALLOWED if answer.member("status") == "ok" else Verdict.DENIED
    return _of_http(answer)


def _of_invocation(answer: Answer) -> Verdict:
    if answer.raised is None:
        return {1: Verdict.ALLOWED, -1: Verdict.DENIED}[answer.given["code"]]
    return Verdict.FAULT


def _of_authorizer(answer: Answer) -> Verdict:
    if answer.raised is not None:
        return Verdict.DENIED if answer.raised == "Unauthorized: Unauthorized" else Verdict.FAULT
    return Verdict.ALLOWED if answer.is_good else Verdict.DENIED


def _jambonz_event(login: Login) -> dict[str, Any]:
    body = {"method": "INVITE", "jwt_token": login.token, "username": login.user}
    return {**rest_event(body), "path": "/frontends/jambonz", "resource": "/frontends/jambonz"}


def _authorizer_event(sample: str) -> Callable[[Login], dict[str, Any]]:
    event = read_json(SAMPLES / "gateway_authorizer" / sample)

    def event_of(login: Login) -> dict[str, Any]:
        if event.get("type") == "TOKEN":
            return {**event, "authorizationToken": f"Bearer {login.token}"}
        headers = {name: value for name, value in event["headers"].items() if name.lower() != "authorization"}
        return {**event, "headers": {**headers, "authorization": f"Bearer {login.token}"}, "identitySource": None}

    return event_of


ENTRIES: Final = (
    Entry("HTTP", "authorize", lambda login: rest_event({"jwt_token": login.token, "from_user": login.user}), _of_http),
    Entry("jambonz", "authorize", _jambonz_event, _of_jambonz),
    Entry("an invocation", "authorize", lambda login: {"jwt_token": login.token}, _of_invocation),
    Entry("an authorizer of REST", "gateway_authorizer", _authorizer_event("rest-token-allowed.json"), _of_authorizer),
    Entry("an authorizer of HTTP", "gateway_authorizer", _authorizer_event("http-simple-allowed.json"), _of_authorizer),
)


# -- the service ------------------------------------------------------------------------------------------------------


@dataclass
class LoginService:
    """One function in this process, which knows nothing yet.

    Attributes:
        entry: how it is asked.
        handler: the function.
        clock: says what time it is, and how old a row is.
        written: all that it wrote.
    """

    entry: Entry
    handler: Handler
    clock: Clock
    written: list[str] = field(default_factory=list)
    asked: int = 0

    def with_a_timer_of_its_own(self) -> Clock:
        """Have memory go by another clock than windows, and return that."""
        timer = Clock()
        for memory in _memories(sys.modules[f"{self.entry.function}_app"].service().authorizer):
            memory._timer = timer
        return timer

    def ask(self, *logins: Login) -> list[Answer]:
        """Have all *logins* come at the same time."""
        numbers = range(self.asked, self.asked + len(logins))
        self.asked += len(logins)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if len(logins) == 1:
                told = [self._tell(logins[0], numbers[0])]
            else:
                with ThreadPoolExecutor(len(logins)) as threads:
                    told = list(threads.map(self._tell, logins, numbers))
        lines = printed.getvalue().splitlines()
        self.written += lines
        answers = [
            replace(answer, lines=_of_request(number, lines)) for answer, number in zip(told, numbers, strict=True)
        ]
        for answer in answers:
            _check_line(answer, self.entry.verdict(answer))
        return answers

    def verdict(self, login: Login) -> Verdict:
        """Have somebody log in; say whether it was let in, denied, or met a fault."""
        return self.entry.verdict(self.ask(login)[0])

    def _tell(self, login: Login, number: int) -> Answer:
        given, raised = None, None
        context = LambdaContext(function_name=self.entry.function, aws_request_id=_request_id(number))
        try:
            given = self.handler(self.entry.event(login), context)
        except Exception as error:  # noqa: BLE001 - Lambda would report it
            raised = f"{type(error).__name__}: {error}"
        return Answer(given, raised, (), 0)


def _request_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def _of_request(number: int, lines: Sequence[str]) -> list[str]:
    return [line for line in lines if f'"request_id":"{_request_id(number)}"' in line]


_OUTCOMES: Final = {Verdict.ALLOWED: "authorized", Verdict.DENIED: "denied", Verdict.FAULT: "fault"}


def _check_line(answer: Answer, verdict: Verdict) -> None:
    """Check that the one line of a request says what its answer says, and counts it."""
    record = answer.record
    assert len(answer.lines) == 1
    assert record["outcome"] == _OUTCOMES[verdict]
    assert ("causes" in record) is (verdict is Verdict.FAULT)
    if "_aws" not in record:  # a plain login: a filter of the log group counts it
        assert verdict is Verdict.ALLOWED
        return
    counted = record["outcome"].title()
    assert {"Name": counted, "Unit": "Count"} in record["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert record[counted] == 1
    assert (record.get("rows") == "stale" or record.get("issuer_rows") == "stale") is (record.get("StaleRows") == 1)


@contextlib.contextmanager
def a_login_service(entry: Entry, lane: str, db_url: str, **settings: str) -> Iterator[LoginService]:
    """Run the function of an *entry*, cold, over the tables at *db_url*; what it wrote holds no secret."""
    clock = Clock(NOW)
    usual = {
        "DB_URL": db_url,
        "DYNAMODB_CLIENT": lane,
        "REVOCATIONS_TABLE": REVOCATIONS,
        "ISSUERS": ISSUER,
        "CACHE_TTL_SECONDS": str(TTL),
        "STALE_IF_ERROR_SECONDS": str(STALE),
    }
    variables = lambda_environment(template(), {**usual, **entry.settings, **settings}, entry.function)
    with environment(variables):
        for name in [name for name in os.environ if _KEEPS_EXPRESS_AWAY.fullmatch(name) and name not in settings]:
            del os.environ[name]  # `environment` puts it back
        login_service = LoginService(entry, _handler_by(clock, entry.function), clock)
        yield login_service
    written = "\n".join(login_service.written)
    assert "boto3 reads DynamoDB" not in written, "the express lane was not taken"
    for login in (*OF_SECRETS, *OF_AN_ISSUER):
        assert login.token not in written
        assert login.token.rpartition(".")[2] not in written
    assert HMAC_KEY not in written
    assert json.dumps(HMAC_KEY) not in written


def _handler_by(clock: Clock, function: str) -> Handler:
    """Load a function that goes by *clock*."""
    handler = load_handler(function)
    module = sys.modules[f"{function}_app"]
    wired = module.service()
    authorizer = replace(wired.authorizer, clock=clock)
    for memory in _memories(authorizer):
        memory._timer = clock
    service = replace(wired, authorizer=authorizer)
    module.__dict__["service"] = lambda: service
    return handler


def _memories(authorizer: Authorizer) -> list[Memory[Any, Any]]:
    own: list[Memory[Any, Any] | None] = [authorizer.memory, authorizer.revocations]
    if authorizer.issuers is not None:
        own += [authorizer.issuers.issuers, authorizer.issuers.profiles]
    return [memory for memory in own if memory is not None]
