"""Lines that the real handlers write, one or more of each kind, for simulated hours."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.integration.ending_stage import an_ending_stage
from tests.integration.managed_secrets import a_begun_rotation, a_function, a_profile, a_secret, an_account
from tests.issuers import ISSUER, a_login_token, a_token_of_a_new_key, write_issuer
from tests.rotations import the_app
from tools.events.stage import REGION, SAMPLES, Answer, Json, Stage, read_json, stage

AUTHORIZE: Final = {
    "authorized": "rest-authorized-by-header",
    "authorized by another": "rest-authorized-by-new-secret",
    "authorized, with a call": "rest-authorized-by-json-body",
    "challenged": "rest-no-token",
    "rejected": "rest-bad-request-body-not-json",
    "token_expired": "rest-denied-expired",
    "unknown_tag": "rest-denied-unknown-tag",
    "no_active_secret": "rest-denied-closed-secret",
    "bad_signature": "rest-denied-wrong-secret",
    "malformed_token": "rest-denied-malformed",
    "username_mismatch": "rest-denied-from-user",
    "unusable secret": "rest-denied-empty-secret",
    "ping": "direct-ping-by-schedule",
}
"""Events of events/authorize, by the kind of their line."""

GATEWAY_AUTHORIZER: Final = {
    "allowed": "rest-token-allowed",
    "unauthorized": "rest-token-unauthorized-expired",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a handler.

    Attributes:
        line: the line of its log that says the outcome.
        status: the HTTP status of its answer, None without one.
        raised: whether it raised, so that Lambda counts an error.
        others: its further lines, as warnings and audit.
    """

    line: str
    status: int | None = None
    raised: bool = False
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: Answer) -> "Call":
        """Take what a handler gave and wrote."""
        *others, line = answer.lines
        return cls(line, answer.status, answer.raised is not None, tuple(others))

    @property
    def record(self) -> Json:
        """The line as an object."""
        record: Json = json.loads(self.line)
        return record


@dataclass(slots=True)
class Recorded:
    """What was recorded: calls by service and kind."""

    calls: dict[tuple[str, str], Call] = field(default_factory=dict)

    def __getitem__(self, key: tuple[str, str]) -> Call:
        return self.calls[key]

    def keep(self, service: str, kind: str, answer: Answer) -> None:
        """Keep what a handler gave and wrote."""
        self.calls[service, kind] = Call.of(answer)


def record() -> Recorded:
    """Run the handlers over tables in memory and keep what they write. It takes some seconds."""
    recorded = Recorded()
    _record_authorize(recorded)
    _record_gateway_authorizer(recorded)
    with stage({}, "provisioning") as made:
        recorded.keep("provisioning", "done", made.ask(event("provisioning", "list-profiles")))
        with no_tables():
            recorded.keep("provisioning", "fault", made.ask(event("provisioning", "list-profiles")))
    with stage({"ISSUERS": ISSUER}, "refresh_keys") as made:
        recorded.keep("refresh_keys", "done", made.ask({}))
        with no_tables():
            recorded.keep("refresh_keys", "fault", made.ask({}))
    _record_rotation(recorded)
    _record_daily_check(recorded)
    return recorded


def event(function: str, name: str) -> Json:
    """Return a sample event."""
    return read_json(SAMPLES / function / f"{name}.json")


@contextmanager
def no_tables() -> Iterator[None]:
    """Let no call to AWS reach anything, as in an outage of DynamoDB."""
    from botocore.client import BaseClient
    from botocore.exceptions import EndpointConnectionError

    def refuse(*_: object) -> Any:  # noqa: ANN401 - it never returns
        raise EndpointConnectionError(endpoint_url=f"https://dynamodb.{REGION}.amazonaws.com")

    name = "_make_api_call"
    before = getattr(BaseClient, name)
    setattr(BaseClient, name, refuse)
    try:
        yield
    finally:
        setattr(BaseClient, name, before)


def _record_authorize(recorded: Recorded) -> None:
    settings = {**_sample_settings(), "CACHE_TTL_SECONDS": "1", "ISSUERS": ISSUER}
    with stage(settings) as made:
        recorded.keep("authorize", "authorized, cold", made.ask(event("authorize", AUTHORIZE["authorized"])))
        for kind, name in AUTHORIZE.items():
            recorded.keep("authorize", kind, made.ask(event("authorize", name)))
        now = int(time.time())
        write_issuer(made.tables, now=now)
        recorded.keep("authorize", "deferred", made.ask(_with_token(a_token_of_a_new_key(now=now))))
        unknown = a_login_token(now=now, iat=now - 3600, header={"kid": "nobody's"})
        recorded.keep("authorize", "unknown_key", made.ask(_with_token(unknown)))
        time.sleep(1.1)  # until memory is older than CACHE_TTL_SECONDS
        with no_tables():
            _record_outage(recorded, made)


def _record_outage(recorded: Recorded, made: Stage) -> None:
    recorded.keep("authorize", "stale", made.ask(event("authorize", AUTHORIZE["authorized"])))
    recorded.keep("authorize", "fault", made.ask(event("authorize", "rest-authorized-by-public-key")))
    direct = event("authorize", "direct-authorized")
    direct["jwt_token"] = event("authorize", "rest-authorized-by-public-key")["headers"]["Authorization"].split()[1]
    recorded.keep("authorize", "fault, direct", made.ask(direct))


def _record_gateway_authorizer(recorded: Recorded) -> None:
    with stage({**_sample_settings(), "CACHE_TTL_SECONDS": "1"}, "gateway_authorizer") as made:
        for kind, name in GATEWAY_AUTHORIZER.items():
            recorded.keep("gateway_authorizer", kind, made.ask(event("gateway_authorizer", name)))
        made.ask(event("gateway_authorizer", GATEWAY_AUTHORIZER["allowed"]))
        unusable = event("gateway_authorizer", GATEWAY_AUTHORIZER["allowed"])
        token = event("authorize", AUTHORIZE["unusable secret"])["headers"]["Authorization"]
        recorded.keep("gateway_authorizer", "unusable secret", made.ask({**unusable, "authorizationToken": token}))
        time.sleep(1.1)
        with no_tables():
            recorded.keep(
                "gateway_authorizer", "stale", made.ask(event("gateway_authorizer", GATEWAY_AUTHORIZER["allowed"]))
            )
            other = event("authorize", "rest-authorized-by-public-key")["headers"]["Authorization"]
            recorded.keep("gateway_authorizer", "fault", made.ask({**unusable, "authorizationToken": other}))


def _record_rotation(recorded: Recorded) -> None:
    with an_account() as tables:
        made = Stage(the_app().lambda_handler, tables, "rotate_secrets")
        a_profile(tables)
        arn = a_secret()
        version = a_begun_rotation(arn, a_function())
        step = {"Step": "createSecret", "SecretId": arn, "ClientRequestToken": version}
        recorded.keep("rotate_secrets", "done", made.ask(step))
        recorded.keep("rotate_secrets", "fault", made.ask({**step, "SecretId": "another"}))


def _record_daily_check(recorded: Recorded) -> None:
    with an_ending_stage(ROTATED_TAG="alice-web", ROTATION_DAYS="30") as made:
        made.has_user("alice-web")
        made.has("alice-web", "sm-AbCdEf-1", 60, start=-5)
        recorded.keep("ending_secrets", "nothing ends", made.check())
    with an_ending_stage(ROTATED_TAG="alice-web", ROTATION_DAYS="30") as made:
        for tag, days in {"alice-web": 400, "bob": 3, "carol": 9, "dan": 20, "erin": -2}.items():
            made.has_user(tag)
            made.has(tag, "1", days)
        recorded.keep("ending_secrets", "nothing new ends", made.check())
        for tag, new in {"fay": 29.5, "gil": -0.5}.items():
            made.has_user(tag)
            made.has(tag, "1", new)
        recorded.keep("ending_secrets", "secrets end", made.check())
        with no_tables():
            recorded.keep("ending_secrets", "fault", made.check())


def _sample_settings() -> Mapping[str, str]:
    settings: Mapping[str, str] = read_json(SAMPLES / "outcomes.json")["settings"]
    return settings


def _with_token(token: str) -> Json:
    """Return the sample request with another *token*."""
    made = event("authorize", AUTHORIZE["authorized"])
    for headers in (made["headers"], made.get("multiValueHeaders") or {}):
        for name, value in headers.items():
            if name.lower() == "authorization":
                headers[name] = [f"Bearer {token}"] if isinstance(value, list) else f"Bearer {token}"
    return made
