"""The events of functions/provisioning: what operators ask of the admin API, and what each is answered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.events.authorize_events import rest
from tools.events.http_request import JSON_TYPE, Pairs, Request, identity_of
from tools.events.samples import Json, add_case, outcomes_of, profile_of
from tools.events.stage import REVOCATIONS, SAMPLES

FORM: Final = "Admin API (REST, IAM)"
RESOURCE: Final = "/admin/{proxy+}"
PROFILES: Final = "/admin/profiles"
ISSUERS: Final = "/admin/issuers"
ALICE: Final = f"{PROFILES}/alice-web"
HEIDI: Final = f"{PROFILES}/heidi-disabled"
MALLORY: Final = f"{PROFILES}/mallory-revoked"
START_2026: Final = 1767225600


def asking(
    method: str,
    path: str,
    body: object = None,
    *,
    headers: Pairs = (),
    query: Pairs = (),
    content_type: str = JSON_TYPE,
    iam: bool = True,
) -> Request:
    """Ask the admin API, as an operator unless told otherwise."""
    text = None if body is None else body if isinstance(body, str) else json.dumps(body)
    kind = None if body is None else content_type
    return Request(method, path, headers, query, text, kind, iam=iam, user_agent="curl/8.5.0")


@dataclass(frozen=True, slots=True)
class Case:
    """An event, and what is special about its answer."""

    name: str
    title: str
    request: Request
    status: int
    outcome: Mapping[str, Any] = field(default_factory=dict)

    def event(self) -> Json:
        """Return the REST API's event, payload 1.0."""
        event = rest(self.name, self.request)
        context = event["requestContext"] | {"resourcePath": RESOURCE}
        if not self.request.iam:
            context["identity"] = identity_of(self.request)
        proxied = {"proxy": self.request.path.removeprefix("/admin/")}
        return event | {"resource": RESOURCE, "pathParameters": proxied, "requestContext": context}


def problem(name: str, **more: object) -> Json:
    """Return what is special about a problem."""
    return {"problem": f"urn:auth-jwt:problem:{name}", **more}


def shown(tag: str) -> Json:
    """Return a sample profile as the API shows it."""
    row = profile_of(tag)
    own = {name: row.get(name) for name in ("tag", "sip_username", "sip_domain", "tokens_valid_after")}
    others = {name: value for name, value in sorted(row.items()) if name not in {*own, "disabled"}}
    return own | {"disabled": row.get("disabled", False), "attributes": others}


def cases() -> Sequence[Case]:
    """Return all cases. Each may come after any other, and alone; what they write changes no answer to any event."""
    new = {"tag": "olivia-app", "sip_username": "olivia", "attributes": {"account_id": 1015}, "secret": {}}
    before = {"tokens_valid_after": START_2026}
    return (
        Case("show-profile", "A profile", asking("GET", ALICE), 200, {"body": shown("alice-web")}),
        Case("list-profiles", "A page of profiles", asking("GET", PROFILES, query=[("limit", "3")]), 200),
        Case("create-profile", "A profile and its first secret", asking("POST", PROFILES, new), 201),
        Case("disable-profile", "A profile disabled", asking("PATCH", HEIDI, {"disabled": True}), 200),
        Case("list-secrets", "Secrets, without their values", asking("GET", f"{ALICE}/secrets"), 200),
        Case("add-secret", "A secret made here", asking("POST", f"{MALLORY}/secrets", {}), 201),
        Case("rotate", "A rotation", asking("POST", f"{MALLORY}/rotate", {"overlap_seconds": 3600}), 201),
        Case("mint-token", "A token", asking("POST", f"{ALICE}/tokens", {"lifetime_seconds": 60}), 200),
        Case("revoke-token", "A token revoked", asking("POST", f"{ALICE}/revocations", {"jti": "stolen-1"}), 201),
        Case(
            "revoke-all",
            "All tokens issued before 2026 revoked",
            asking("POST", f"{MALLORY}/revocations", {"before": START_2026}),
            200,
            {"body": before},
        ),
        Case("list-issuers", "A page of issuers", asking("GET", ISSUERS), 200, {"body": {"issuers": [], "next": None}}),
        Case(
            "refused-weak-secret",
            "A secret that would verify nothing",
            asking("POST", f"{ALICE}/secrets", {"value": "too-short"}),
            400,
            problem("invalid-value"),
        ),
        Case(
            "refused-unknown-member",
            "A member that there is not",
            asking("PATCH", ALICE, {"username": "al"}),
            400,
            problem("invalid-request"),
        ),
        Case(
            "refused-member-twice",
            "A member given twice",
            asking("PATCH", ALICE, '{"disabled": true, "disabled": false}'),
            400,
            problem("invalid-request"),
        ),
        Case(
            "refused-issuer",
            "An address that is not public is not asked",
            asking("POST", ISSUERS, {"issuer": "https://192.0.2.1", "configuration": {"audiences": ["sip"]}}),
            422,
            problem("fetch-failed"),
        ),
        Case("refused-unsigned", "No IAM identity", asking("GET", PROFILES, iam=False), 403, problem("forbidden")),
        Case("refused-unknown-tag", "No such profile", asking("GET", f"{PROFILES}/nobody"), 404, problem("not-found")),
        Case("refused-unknown-path", "No such path", asking("GET", "/admin/users"), 404, problem("unknown-path")),
        Case(
            "refused-method",
            "Another method is meant",
            asking("PUT", ALICE, {}),
            405,
            problem("method-not-allowed", allow="GET, PATCH, DELETE"),
        ),
        Case(
            "refused-open-secret",
            "An open secret is not removed",
            asking("DELETE", f"{ALICE}/secrets/1"),
            409,
            problem("conflict"),
        ),
        Case(
            "refused-stale",
            "Changed since it was looked at",
            asking("PATCH", ALICE, {"disabled": True}, headers=[("If-Match", '"an-older-version"')]),
            412,
            problem("stale"),
        ),
        Case(
            "refused-form",
            "A form instead of JSON",
            asking("PATCH", ALICE, "disabled=true", content_type="application/x-www-form-urlencoded"),
            415,
            problem("unsupported-media-type"),
        ),
    )


def files() -> dict[Path, Json]:
    """Return the events and their outcomes, by the file that holds each."""
    texts: dict[Path, Json] = {}
    expected: Json = {}
    for case in cases():
        empty = dict.fromkeys(("code", "reason", "problem", "challenge", "allow", "body"))
        outcome = {"title": case.title, "form": FORM, "status": case.status, **empty, **case.outcome}
        add_case(expected, case.name, outcome)
        texts[SAMPLES / "provisioning" / f"{case.name}.json"] = case.event()
    outcomes = outcomes_of(expected)
    outcomes["settings"] = {**outcomes["settings"], "REVOCATIONS_TABLE": REVOCATIONS}
    return {SAMPLES / "outcomes-provisioning.json": outcomes, **texts}
