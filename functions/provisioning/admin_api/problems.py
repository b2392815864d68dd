"""Errors as RFC 9457 problems. This is the only module that turns an error into an HTTP status."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice, takewhile
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from admin_api.bodies import MEMBERS
from auth_jwt.errors import Conflict, Invalid, NotAudited, NotFound, Outdated, Unreachable
from auth_jwt.fetching.errors import FetchFailed
from auth_jwt.http.wire import Malformed, problem

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1
_MAX_FLAWS: Final = 20
_UNKNOWN: Final = "an unknown member"
UNKNOWN_PARAMETER: Final = "an unknown parameter"
"""These texts replace the callers' own names of members and parameters, which may be anything, even a secret."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem.

    Attributes:
        name: the last part of the type `urn:auth-jwt:problem:NAME`. The log's reason is the same with underscores.
        status: the HTTP status of the answer.
    """

    name: str
    status: HTTPStatus

    @property
    def reason(self) -> str:
        """The reason in the log and in metrics."""
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
FETCH_FAILED: Final = Kind("fetch-failed", HTTPStatus.UNPROCESSABLE_ENTITY)
UNAVAILABLE: Final = Kind("unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
FAULT: Final = Kind("fault", HTTPStatus.INTERNAL_SERVER_ERROR)

_KINDS: Final[tuple[tuple[type[Exception], Kind], ...]] = (
    (RequestValidationError, INVALID_REQUEST),
    (Malformed, INVALID_REQUEST),
    (Invalid, INVALID_VALUE),
    (NotFound, NOT_FOUND),
    (NotFoundError, UNKNOWN_PATH),
    (Outdated, STALE),
    (Conflict, CONFLICT),
    (FetchFailed, FETCH_FAILED),
    (Unreachable, UNAVAILABLE),
)
_SHOWN: Final = (INVALID_VALUE, NOT_FOUND, STALE, CONFLICT)  # errors of type `Rejected`: their messages hold no key


class WrongMethod(Exception):
    """The path exists, but not with this method.

    Attributes:
        allowed: the methods of the path.
    """

    def __init__(self, allowed: list[str]) -> None:
        super().__init__("wrong method")
        self.allowed = allowed


class RejectedRequest(Exception):
    """A request was rejected before it reached a route.

    Attributes:
        kind: the kind of problem that the caller gets.
    """

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def kind_of(error: Exception) -> Kind:
    """Return the kind of problem for an *error*; an unforeseen error is a fault."""
    if isinstance(error, RejectedRequest):
        return error.kind
    if isinstance(error, WrongMethod):
        return WRONG_METHOD
    return next((kind for of, kind in _KINDS if isinstance(error, of)), FAULT)


def answer_to(error: Exception, request_id: str, *, is_write: bool) -> Response[str]:
    """Return the problem that reports an *error* to the caller, without anything internal.

    Args:
        error: the error.
        request_id: the id in the problem's `instance`.
        is_write: whether the request was a write: then the caller must learn that it may have happened.
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
    if isinstance(error, FetchFailed):
        return {"detail": str(error), "failure": error.kind.value}
    if kind in _SHOWN or isinstance(error, Malformed | RejectedRequest):
        return {"detail": str(error)}
    if isinstance(error, NotAudited):
        return {"detail": "the write happened or may have happened, but has no audit line: look before you repeat it"}
    if kind is UNAVAILABLE and is_write:
        return {"detail": "the tables did not answer: the write may have happened or not; look, or repeat the request"}
    return {}


def _flaws_of(error: RequestValidationError) -> list[dict[str, str]]:
    """Return the broken rules, each with its place in the request, but not the value there: it may be a key."""
    flaws = dict.fromkeys((_field_of(flaw["loc"], flaw["type"]), str(flaw["type"])) for flaw in error.errors())
    return [{"field": field, "rule": rule} for field, rule in islice(flaws, _MAX_FLAWS)]


def _field_of(location: Sequence[str | int], rule: str) -> str:
    """Write a *location* as far as it consists of our own names; after those, callers' and Pydantic's names follow."""
    where, *parts = location
    if where == "body":
        parts = list(takewhile(lambda part: isinstance(part, int) or part in MEMBERS, parts))
        if rule == "extra_forbidden" and len(parts) < len(location) - 1:
            parts.append(_UNKNOWN)
    return ".".join(map(str, (where, *parts)))
