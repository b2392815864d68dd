"""The check of a new version before users reach it: it answers a ping, lets the canary in, and keeps a forger out.

The versions are asked as their callers ask them: `authorize` as an SDK does, the authorizer as a REST API does. What
calls Lambda is a port, `Invoke`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from auth_jwt.errors import NotReleased
from auth_jwt.releasing.canary import Canary
from auth_jwt.runtime.warmers import PONG

PING: Final[Mapping[str, Any]] = {"warmer": True}
_UNAUTHORIZED: Final = "Unauthorized"  # the text of the exception by which an authorizer refuses
_METHOD: Final = "arn:aws:execute-api:us-east-1:123456789012:releasecheck/check/GET/canary"
"""The method that the authorizer is asked about: of no API. It must have the form of an ARN, and names nothing else."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an invocation.

    Attributes:
        payload: what the function returned, or Lambda's description of the error.
        failed: whether the function raised an error, or died.
    """

    payload: Any = field(repr=False)
    failed: bool = False


class Invoke(Protocol):
    """Invokes a version of a function and waits for its answer."""

    def __call__(self, version: str, event: Mapping[str, Any]) -> Answered:
        """Invoke *version*, by its ARN, with *event*.

        Raises:
            Fault: Lambda does not invoke it.
        """
        ...


def check_authorize(invoke: Invoke, version: str, canary: Canary | None) -> None:
    """Check a new version of `authorize`, end to end if there is a *canary*.

    Raises:
        NotReleased: the version answers otherwise than a working one; the message says how.
        Fault: Lambda does not invoke it.
    """
    ask = _Candidate(invoke, version, "authorize")
    _check_ping(ask)
    if canary is None:
        return
    answer = ask({"jwt_token": canary.token})
    payload = answer.payload if isinstance(answer.payload, dict) else {}
    if answer.failed or payload.get("code") != 1:
        raise NotReleased(f"authorize does not let the canary in: {_told(answer, 'code')}")
    if payload.get("sip_username") != canary.username:
        raise NotReleased("authorize names another user than the canary's profile does")
    forged = ask({"jwt_token": canary.forged})
    if forged.failed or not isinstance(forged.payload, dict) or forged.payload.get("code") != -1:
        raise NotReleased(f"authorize does not deny a forged token of the canary: {_told(forged, 'code')}")


def check_gateway_authorizer(invoke: Invoke, version: str, canary: Canary | None) -> None:
    """Check a new version of `gateway_authorizer`, end to end if there is a *canary*.

    Raises:
        NotReleased: the version answers otherwise than a working one; the message says how.
        Fault: Lambda does not invoke it.
    """
    ask = _Candidate(invoke, version, "gateway_authorizer")
    _check_ping(ask)
    if canary is None:
        return
    answer = ask(_rest_event(canary.token))
    if answer.failed or _effects(answer) != ["Allow"]:
        raise NotReleased(f"gateway_authorizer does not let the canary in: {_told(answer, 'effect')}")
    context = answer.payload.get("context")
    if not isinstance(context, dict) or context.get("sip_username") != canary.username:
        raise NotReleased("gateway_authorizer names another user than the canary's profile does")
    forged = ask(_rest_event(canary.forged))
    is_refusal = isinstance(forged.payload, dict) and forged.payload.get("errorMessage") == _UNAUTHORIZED
    if not (forged.failed and is_refusal) and (forged.failed or _effects(forged) != ["Deny"]):
        raise NotReleased(f"gateway_authorizer does not deny a forged token of the canary: {_told(forged, 'effect')}")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A version that is checked; calling it invokes it."""

    invoke: Invoke
    version: str
    function: str

    def __call__(self, event: Mapping[str, Any]) -> Answered:
        return self.invoke(self.version, event)


def _check_ping(ask: _Candidate) -> None:
    """Check the answer to a ping, for which a function reads its settings and loads what a request needs."""
    answer = ask(PING)
    if answer.failed or answer.payload != dict(PONG):
        raise NotReleased(f"{ask.function} does not answer a ping: {_told(answer, 'ping')}")


def _rest_event(token: str) -> dict[str, str]:
    return {"type": "TOKEN", "methodArn": _METHOD, "authorizationToken": f"Bearer {token}"}


def _effects(answer: Answered) -> list[Any]:
    """Return the effects of the statements of a policy; empty if the answer is no policy."""
    document = answer.payload.get("policyDocument") if isinstance(answer.payload, dict) else None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if not isinstance(statements, list):
        return []
    return [statement.get("Effect") for statement in statements if isinstance(statement, dict)]


def _told(answer: Answered, member: str) -> str:
    """Return what may be told of an *answer*: the kind of an error, or one member. An answer may hold credentials."""
    payload = answer.payload if isinstance(answer.payload, dict) else {}
    if answer.failed:
        return f"it fails with {str(payload.get('errorType', 'an unknown error'))[:80]!r}; its log says why"
    if member == "effect":
        return f"its policy says {_effects(answer)[:3]!r}"
    value = payload.get(member)
    return f"{member} is {value!r}" if isinstance(value, int) else f"its answer has no usable {member!r}"
