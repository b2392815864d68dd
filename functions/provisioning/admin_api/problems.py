"""What goes wrong, as RFC 9457 problems: the one place where an error becomes a status."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice, takewhile
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError, ResponseValidationError

from admin_api.bodies import MEMBERS
from auth_jwt.errors import Conflict, Invalid, NotAudited, NotFound, Stale, Unreachable
from auth_jwt.http.wire import NotWellFormed, problem

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1
_MAX_FLAWS: Final = 20
_UNKNOWN: Final = "an unknown member"
UNKNOWN_PARAMETER: Final = "an unknown parameter"
"""What stands for the names of members and parameters that callers give, and which may be anything."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem.

    Attributes:
        name: its type is `urn:auth-jwt:problem:NAME`; the reason in the log is the same word, with underscores.
        status: the answer's.
    """

    name: str
    status: HTTPStatus

    @property
    def reason(self) -> str:
        """The word in the log and in metrics."""
        return self.name.replace("-", "_")


INVALID_REQUEST: Final = Kind("invalid-request", HTTPStatus.BAD_REQUEST)
INVALID_VALUE: Final = Kind("invalid-value", HTTPStatus.BAD_REQUEST)
FORBIDDEN: Final = Kind("forbidden", HTTPStatus.FORBIDDEN)
NOT_FOUND: Final = Kind("not-found", HTTPStatus.NOT_FOUND)
UNKNOWN_PATH: Final = Kind("unknown-path", HTTPStatus.NOT_FOUND)
WRONG_METHOD: Final = Kind("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED)
CONFLICT: Final = Kind("conflict", HTTPStatus.CONFLICT)
STALE: Final = Kind("stale", HTTPStatus.PRECONDITION_FAILED)
TOO_LARGE: Final = Kind("payload-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
WRONG_MEDIA_TYPE: Final = Kind("unsupported-media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
UNAVAILABLE: Final = Kind("unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
FAULT: Final = Kind("fault", HTTPStatus.INTERNAL_SERVER_ERROR)

_KINDS: Final[tuple[tuple[type[Exception], Kind], ...]] = (
    (RequestValidationError, INVALID_REQUEST),
    (NotWellFormed, INVALID_REQUEST),
    (Invalid, INVALID_VALUE),
    (NotFound, NOT_FOUND),
    (NotFoundError, UNKNOWN_PATH),
    (Stale, STALE),
    (Conflict, CONFLICT),
    (Unreachable, UNAVAILABLE),
)
_OWN_WORDS: Final = (INVALID_VALUE, NOT_FOUND, STALE, CONFLICT)  # of `Rejected`, whose messages hold no key


class WrongMethod(Exception):
    """The path is known, and the method is none of those it has.

    Attributes:
        allowed: those.
    """

    def __init__(self, allowed: list[str]) -> None:
        super().__init__("wrong method")
        self.allowed = allowed


class Refused(Exception):
    """A request that is refused before it is routed."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def kind_of(error: Exception) -> Kind:
    """Return which kind of problem an *error* is; what nobody foresaw is a fault."""
    if isinstance(error, Refused):
        return error.kind
    if isinstance(error, WrongMethod):
        return WRONG_METHOD
    if isinstance(error, ResponseValidationError):
        return FAULT
    return next((kind for of, kind in _KINDS if isinstance(error, of)), FAULT)


def answer_to(error: Exception, request_id: str, *, is_write: bool) -> Response[str]:
    """Return the problem that tells the caller of an *error*, and nothing internal.

    Args:
        error: what went wrong.
        request_id: the problem's `instance`.
        is_write: whether the request would have changed something.
    """
    kind = kind_of(error)
    headers: dict[str, str | list[str]] = {}
    if isinstance(error, WrongMethod):
        headers["Allow"] = ", ".join(error.allowed)
    if kind is UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    body = problem(kind.status, kind.name, request_id, **_members_of(error, kind, is_write=is_write))
    return Response(int(kind.status), PROBLEM_JSON, body, headers)


def _members_of(error: Exception, kind: Kind, *, is_write: bool) -> dict[str, Any]:
    if isinstance(error, RequestValidationError):
        return {"errors": _flaws_of(error)}
    if kind in _OWN_WORDS or isinstance(error, NotWellFormed | Refused):
        return {"detail": str(error)}
    if isinstance(error, NotAudited):
        return {"detail": "it was done, or may have been, and the audit does not know of it: look before asking again"}
    if kind is UNAVAILABLE and is_write:
        return {"detail": "the tables did not answer, so it may have been done or not: look, or ask again"}
    return {}


def _flaws_of(error: RequestValidationError) -> list[dict[str, str]]:
    """Return where the request breaks which rule. What was given there is not repeated: it may be a key."""
    flaws = dict.fromkeys((_field_of(flaw["loc"], flaw["type"]), str(flaw["type"])) for flaw in error.errors())
    return [{"field": field, "rule": rule} for field, rule in islice(flaws, _MAX_FLAWS)]


def _field_of(location: Sequence[str | int], rule: str) -> str:
    """Write a *location* as far as it has our names: behind them stand those that callers give, and Pydantic's own."""
    where, *parts = location
    if where == "body":
        parts = list(takewhile(lambda part: isinstance(part, int) or part in MEMBERS, parts))
        if rule == "extra_forbidden" and len(parts) < len(location) - 1:
            parts.append(_UNKNOWN)
    return ".".join(map(str, (where, *parts)))
