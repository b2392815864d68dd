"""One request to the admin API, from the gateway's event to the log line."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from admin_api.problems import FORBIDDEN, TOO_LARGE, WRONG_MEDIA_TYPE, RejectedRequest
from auth_jwt.http.wire import JSON, Malformed, values_of
from auth_jwt.models import Report
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt.runtime.settings import Settings

if TYPE_CHECKING:
    from auth_jwt.fetching.client import IssuerClient
    from auth_jwt.refreshing.refresher import Refresher

MAX_BODY_CHARACTERS: Final = 1_000_000
_ADMIN: Final = "/admin/"
_NAMESPACE: Final = "AuthJwt/"  # stacks/admin.yaml writes the name of the stack behind it
_PATH_CHARACTERS: Final = "/%-._~!$&'()*+,;=:@"  # RFC 3986, section 3.3
_WHO: Final = ("userArn", "caller", "accountId")


@dataclass(frozen=True, slots=True)
class Fetching:
    """What asks issuers. It is made only for the requests that need it.

    Attributes:
        client: makes the client that fetches documents.
        refresher: makes what fetches the keys of an issuer and writes them; each write is added to `Visit.written`.
        seconds_left: returns for how many seconds the function may still run.
    """

    client: "Callable[[], IssuerClient]"
    refresher: "Callable[[], Refresher]"
    seconds_left: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Which deployment answers.

    Attributes:
        settings: the service's settings.
        stack: the name of the stack; None when the function does not know it.
        account: the AWS account of the API; None when nobody signed the request, as under `make serve`.
        region: AWS region of the function.
        stage: the stage of the API.
    """

    settings: Settings
    stack: str | None
    account: str | None
    region: str | None
    stage: str | None


@dataclass(slots=True)
class Visit:
    """The state of one request; the handler and the routes fill it in.

    Attributes:
        request_id: the request id in the answer and the log.
        gateway_ids: API Gateway's own ids, for the log.
        actor: the caller, as IAM identified them to the gateway.
        base: the part of the caller's URLs before `/admin`.
        provisioning: the operations, once the caller is known; each write is added to `written`.
        fetching: what asks issuers, likewise.
        deployment: which deployment answers, likewise.
        report: details for the log.
        written: the writes of this request.
        operation: the id of the operation, for the log; None when no route fits.
        error: the error that ended the request, if any.
    """

    request_id: str
    gateway_ids: Mapping[str, str | None] = field(default_factory=dict)
    actor: str | None = None
    base: str = ""
    provisioning: Provisioning | None = None
    fetching: Fetching | None = None
    deployment: Deployment | None = None
    report: Report = field(default_factory=Report)
    written: list[AuditEntry] = field(default_factory=list)
    operation: str | None = None
    error: Exception | None = None

    def created(self, path: str) -> tuple[int, dict[str, str]]:
        """Return status and headers for a created resource: 201 and its `Location`, or 200 if it was there already."""
        return (201, {"Location": self.base + path}) if self.written else (200, {})


def new_router() -> APIGatewayRouter:
    """Make a router for the routes of one resource."""
    return APIGatewayRouter()  # type: ignore[no-untyped-call]


def visit_of(app: BaseRouter) -> Visit:
    """Return the request that *app* is working on."""
    visit: Visit = app.context["visit"]
    return visit


def provisioning_for(app: BaseRouter, tag: str | None = None) -> Provisioning:
    """Return the operations for this request, and note *tag* for the log, if the request is about one tag.

    Raises:
        RejectedRequest: the caller is unknown.
    """
    visit = visit_of(app)
    visit.report.tag = tag
    if visit.provisioning is None:
        raise RejectedRequest(FORBIDDEN, "the caller is unknown")
    return visit.provisioning


def fetching_for(app: BaseRouter) -> Fetching:
    """Return what asks issuers for this request.

    Raises:
        RejectedRequest: the caller is unknown.
    """
    fetching = visit_of(app).fetching
    if fetching is None:
        raise RejectedRequest(FORBIDDEN, "the caller is unknown")
    return fetching


def deployment_for(app: BaseRouter) -> tuple[Deployment, str]:
    """Return which deployment answers, and the caller.

    Raises:
        RejectedRequest: the caller is unknown.
    """
    visit = visit_of(app)
    if visit.deployment is None or visit.actor is None:
        raise RejectedRequest(FORBIDDEN, "the caller is unknown")
    return visit.deployment, visit.actor


def deployment_of(event: Mapping[str, Any], settings: Settings, env: Mapping[str, str]) -> Deployment:
    """Return which deployment an *event* is for. IAM's check gives the access key that signed the request."""
    context = event["requestContext"]
    is_signed = bool(context["identity"].get("accessKey"))
    namespace = env.get("POWERTOOLS_METRICS_NAMESPACE", "")
    return Deployment(
        settings,
        stack=namespace.removeprefix(_NAMESPACE) if namespace.startswith(_NAMESPACE) else None,
        account=context.get("accountId") if is_signed else None,
        region=env.get("AWS_REGION"),
        stage=context.get("stage"),
    )


def actor_of(event: Mapping[str, Any]) -> str:
    """Return the caller's IAM identity. Only the gateway's IAM check writes it into an event.

    Raises:
        RejectedRequest: the event has no identity, so the function is not behind a gateway with that check.
    """
    identity = event["requestContext"].get("identity")
    for name in _WHO:
        actor = identity.get(name) if isinstance(identity, dict) else None
        if isinstance(actor, str) and actor:
            return actor
    raise RejectedRequest(FORBIDDEN, "the gateway gives no IAM identity")


def base_and_path(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return the part of the caller's URL before `/admin`, and the path from `/admin` on.

    The path must be the one that IAM judged: `/admin/` and what the gateway matched behind it. So a path that begins
    with `/admin/` stays whole. From other paths, the base path of a custom domain is removed, but only if the gateway
    matched the rest. Any other path stays as it is and fits no route; so does a path with two slashes in a row.
    """
    given = str(event["path"])
    _, _, rest = given.partition(_ADMIN)
    proxied = event.get("pathParameters")
    is_mapped = "//" not in given and isinstance(proxied, dict) and proxied.get("proxy") == rest
    path = f"{_ADMIN}{rest}" if is_mapped else given
    url_path = str(event["requestContext"].get("path"))  # with the stage, if the caller's URL has it
    url_base = url_path.removesuffix(path) if url_path.endswith(path) else ""
    return url_base, quote(path, safe=_PATH_CHARACTERS, errors="replace")


def normalize_event(event: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the *event* in the form that routes read: with *path*, the body as text, and no header but `If-Match`.

    The media type of the body is checked here. Several `If-Match` lines become one list (RFC 9110, section 5.3).

    Raises:
        RejectedRequest: the body is too large, or has another media type than JSON.
        Malformed: the body is not base64 of UTF-8, though `isBase64Encoded` says so.
    """
    body = event.get("body") or None
    if body is not None and len(str(body)) > MAX_BODY_CHARACTERS:
        raise RejectedRequest(TOO_LARGE, f"a body has at most {MAX_BODY_CHARACTERS} characters")
    types = _header("content-type", event)
    if body is not None and any(text.partition(";")[0].strip().lower() != JSON for text in types):
        raise RejectedRequest(WRONG_MEDIA_TYPE, f"the Content-Type is not {JSON}")
    if body is not None and event.get("isBase64Encoded") is True:
        try:
            body = base64.b64decode(str(body), validate=True).decode("utf-8")
        except ValueError:
            raise Malformed("isBase64Encoded is true, but the body is not base64 of UTF-8 text") from None
    conditions = _header("if-match", event)
    headers = {"If-Match": [", ".join(conditions)]} if conditions else {}
    replaced = {"path": path, "headers": {}, "multiValueHeaders": headers, "body": body, "isBase64Encoded": False}
    return {**event, **replaced}


def _header(name: str, event: Mapping[str, Any]) -> list[str]:
    return values_of(name, event.get("multiValueHeaders"), event.get("headers"), fold=str.lower)
