"""One request to the admin API, from the gateway's event to the line in the log."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from admin_api.problems import FORBIDDEN, TOO_LARGE, WRONG_MEDIA_TYPE, Refused
from auth_jwt.http.wire import JSON, NotWellFormed, values_of
from auth_jwt.models import Report
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import AuditEntry

MAX_BODY_CHARACTERS: Final = 1_000_000
_ADMIN: Final = "/admin/"
_OF_PATHS: Final = "/%-._~!$&'()*+,;=:@"  # RFC 3986, section 3.3
_WHO: Final = ("userArn", "caller", "accountId")


@dataclass(slots=True)
class Visit:
    """A request that is being worked on; filled in as it goes on.

    Attributes:
        request_id: of the answer and the log.
        gateway_ids: API Gateway's, for the log.
        actor: who asks, as IAM told the gateway.
        base: what stands before `/admin` in the caller's URLs.
        provisioning: what may be done, once it is known who asks; every write is added to `written`.
        report: for the log.
        written: the writes of this request.
        operation: which of ours it is, for the log; None when it is none.
        error: what went wrong.
    """

    request_id: str
    gateway_ids: Mapping[str, str | None] = field(default_factory=dict)
    actor: str | None = None
    base: str = ""
    provisioning: Provisioning | None = None
    report: Report = field(default_factory=Report)
    written: list[AuditEntry] = field(default_factory=list)
    operation: str | None = None
    error: Exception | None = None

    def created(self, path: str) -> tuple[int, dict[str, str]]:
        """Return the status and headers of a creation: 201 and where it is, or 200 when it was done already."""
        return (201, {"Location": self.base + path}) if self.written else (200, {})


def new_router() -> APIGatewayRouter:
    """Make a router for the routes of a resource."""
    return APIGatewayRouter()  # type: ignore[no-untyped-call]


def visit_of(app: BaseRouter) -> Visit:
    """Return the request that *app* is working on."""
    visit: Visit = app.context["visit"]
    return visit


def provisioning_for(app: BaseRouter, tag: str | None = None) -> Provisioning:
    """Return what may be done; the log is told to whose rows, when it is to one tag's.

    Raises:
        Refused: nobody asked who calls.
    """
    visit = visit_of(app)
    visit.report.tag = tag
    if visit.provisioning is None:
        raise Refused(FORBIDDEN, "nobody is known to ask")
    return visit.provisioning


def actor_of(event: Mapping[str, Any]) -> str:
    """Return who asks. Only the gateway's IAM check puts that into an event.

    Raises:
        Refused: nobody is named, so the function is not behind such a gateway.
    """
    identity = event["requestContext"].get("identity")
    for name in _WHO:
        actor = identity.get(name) if isinstance(identity, dict) else None
        if isinstance(actor, str) and actor:
            return actor
    raise Refused(FORBIDDEN, "the gateway names no IAM identity")


def base_and_path(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return what stands before `/admin` in the URL that the caller used, and the path from there on.

    The path must be the one that IAM was asked about: `/admin/` and what the gateway found behind it. So a caller's
    path that begins with `/admin/` is taken whole, and the base path of a custom domain goes from others only if the
    gateway says that it is one. What is neither stays as it is, and leads nowhere, and so does one with two slashes in
    a row.
    """
    given = str(event["path"])
    base, _, rest = given.partition(_ADMIN)
    proxied = event.get("pathParameters")
    is_mapped = base and "//" not in given and isinstance(proxied, dict) and proxied.get("proxy") == rest
    path = f"{_ADMIN}{rest}" if is_mapped else given
    asked = str(event["requestContext"].get("path"))  # with the stage, where the caller's URL has it
    return asked.removesuffix(path) if asked.endswith(path) else "", quote(path, safe=_OF_PATHS, errors="replace")


def readable(event: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return an *event* as routes read it: its *path*, its body as text, and of the header `If-Match` alone.

    That the body is JSON, is then settled. Several lines of `If-Match` are one list (RFC 9110, section 5.3).

    Raises:
        Refused: it is too large, or of another media type.
        NotWellFormed: it is not what `isBase64Encoded` says.
    """
    body = event.get("body") or None
    if body is not None and len(str(body)) > MAX_BODY_CHARACTERS:
        raise Refused(TOO_LARGE, f"a body has at most {MAX_BODY_CHARACTERS} characters")
    types = _header("content-type", event)
    if body is not None and any(text.partition(";")[0].strip().lower() != JSON for text in types):
        raise Refused(WRONG_MEDIA_TYPE, f"the Content-Type is not {JSON}")
    if body is not None and event.get("isBase64Encoded") is True:
        try:
            body = base64.b64decode(str(body), validate=True).decode("utf-8")
        except ValueError:
            raise NotWellFormed("the body is not what isBase64Encoded says") from None
    conditions = _header("if-match", event)
    headers = {"If-Match": [", ".join(conditions)]} if conditions else {}
    read = {"path": path, "headers": {}, "multiValueHeaders": headers, "body": body, "isBase64Encoded": False}
    return {**event, **read}


def _header(name: str, event: Mapping[str, Any]) -> list[str]:
    return values_of(name, event.get("multiValueHeaders"), event.get("headers"), fold=str.lower)
