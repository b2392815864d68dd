"""The admin API: operators and their portals manage profiles, secrets, tokens, revocations and issuers over HTTP.

The function serves the paths below `/admin` of a REST API whose IAM check identifies the caller. It only translates:
`auth_jwt.provisioning` judges and writes, and `admin_api` has the routes.
"""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from admin_api.problems import FAULT, UNAVAILABLE, answer_to, kind_of
from admin_api.resolver import AdminResolver
from admin_api.visit import Fetching, Visit, actor_of, base_and_path, deployment_of, normalize_event
from auth_jwt.errors import UnknownEvent
from auth_jwt.fetching.errors import FetchFailed
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt.provisioning.wiring import provisioning_of, target_of
from auth_jwt.refreshing.wiring import client_of, refresher_of
from auth_jwt.runtime.observability import Journal, Outcome, gateway_ids_of
from auth_jwt.runtime.settings import RefreshSettings, Settings, near_misses
from auth_jwt.runtime.shell import Call
from auth_jwt.runtime.snapshot import prepare_for_snapshots

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from auth_jwt.fetching.client import IssuerClient
    from auth_jwt.refreshing.refresher import Refresher

Event = dict[str, Any]


def lambda_handler(event: Event, context: object) -> dict[str, Any]:
    """Answer an event of a REST API (payload 1.0).

    Raises:
        UnknownEvent: the event has another form, so no HTTP caller waits for an answer.
    """
    call = Call(journal(), context)
    visit = Visit(call.request_id, report=call.report)
    if not _is_of_a_rest_api(event):
        visit.error = UnknownEvent("this function answers REST APIs only")
        _record(visit, call)
        raise visit.error
    visit.gateway_ids = gateway_ids_of(event["requestContext"])
    try:
        answer = _answer(event, context, visit)
    except Exception as error:  # noqa: BLE001 - whatever the error is, the caller gets a problem
        visit.error = error
        refusal = answer_to(error, visit.request_id, is_write=event["httpMethod"] != "GET")
        answer = {"statusCode": refusal.status_code, "headers": dict(refusal.headers), "body": refusal.body}
    answer["headers"]["Cache-Control"] = "no-store"
    _record(visit, call, status=answer["statusCode"])
    return answer


@cache
def journal() -> Journal:
    """Return the journal in which this function logs and counts its requests."""
    return Journal("provisioning", os.environ)


@cache
def settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    read = Settings.from_env(os.environ)
    journal().warn_of_near_misses(near_misses(os.environ))
    return read


@cache
def client() -> "DynamoDBClient":
    """Make the client for DynamoDB.

    Raises:
        Fault: the SDK's configuration is invalid.
    """
    return provisioning_client(region=settings().database.region, endpoint=settings().database.endpoint)


@cache
def refresh_settings() -> RefreshSettings:
    """Read the settings by which keys are fetched. Only requests that ask an issuer need them.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    return RefreshSettings.from_env(os.environ)


@cache
def issuer_client() -> "IssuerClient":
    """Make the client that asks issuers.

    Raises:
        BadSetting: a variable has an invalid value.
        Fault: the bundle of certificates cannot be read.
    """
    return client_of(refresh_settings())


api = cache(AdminResolver)


def _prepare() -> None:
    client()
    api()


prepare_for_snapshots(os.environ, _prepare)


def _answer(event: Event, context: object, visit: Visit) -> dict[str, Any]:
    visit.actor = actor = actor_of(event)
    visit.base, path = base_and_path(event)
    request = normalize_event(event, path)

    target = target_of(settings(), function_arn=getattr(context, "invoked_function_arn", None))

    def audit(entry: AuditEntry) -> None:
        journal().record_write(entry.as_line(target))
        visit.written.append(entry)

    @cache  # for this request
    def refresher() -> "Refresher":
        return refresher_of(settings(), refresh_settings(), client(), actor=actor, audit=audit)

    visit.deployment = deployment_of(event, settings(), os.environ)
    left = getattr(context, "get_remaining_time_in_millis", lambda: 60_000)
    visit.provisioning = provisioning_of(settings(), client(), actor=actor, audit=audit)
    visit.fetching = Fetching(issuer_client, refresher, lambda: left() / 1000)
    return api().answer(request, context, visit)


def _is_of_a_rest_api(event: object) -> bool:
    return (
        isinstance(event, dict)
        and isinstance(event.get("requestContext"), dict)
        and isinstance(event.get("httpMethod"), str)
        and isinstance(event.get("path"), str)
    )


def _record(visit: Visit, call: Call, **seen: object) -> None:
    """Write the one log line of a request, without anything from its body."""
    failure = visit.error.kind.value if isinstance(visit.error, FetchFailed) else None
    call.noted |= {**seen, **visit.gateway_ids, "operation": visit.operation, "actor": visit.actor, "failure": failure}
    kind = None if visit.error is None else kind_of(visit.error)
    if visit.error is not None and kind in (FAULT, UNAVAILABLE):
        call.record_fault(visit.error)
    elif kind is not None:
        call.record(Outcome.REJECTED, kind.reason)
    else:
        call.record(Outcome.DONE)
