"""Checks of issuers: does the setting name those that are there, and are their keys fetched?"""

import shlex
from collections.abc import Iterator

from auth_jwt.errors import Fault, Unreachable
from auth_jwt.models import fold_domain
from auth_jwt.provisioning.issuers import IssuerRecord, Issuers
from auth_jwt.runtime.settings import Settings
from auth_jwt_cli.checks import Finding, error, warning
from auth_jwt_cli.times import format_duration, format_instant


def issuer_findings(issuers: Issuers, settings: Settings, now: float) -> Iterator[Finding]:
    """Judge all *issuers* that are there, and those that the setting `ISSUERS` names, at the time *now*."""
    patterns = settings.issuer_patterns
    try:
        records = list(_all(issuers))
    except Unreachable:
        raise
    except Fault as fault:
        if patterns is not None:
            yield warning("ISSUERS", str(fault), "get the permission, to check this")
        return
    there = {record.identifier for record in records}
    for identifier in sorted(set() if patterns is None else patterns.exact - there):
        text = f"names {identifier!r}, and there is no such issuer: its tokens are denied"
        yield error(
            "ISSUERS", text, f"add it: `auth-jwt issuer add {shlex.quote(identifier)}`, or remove it from the setting"
        )
    domains: dict[str, str] = {}
    for record in records:
        if patterns is None or not patterns.match(record.identifier):
            text = "ISSUERS does not name it, so no token is judged by it, and its keys are not fetched"
            yield warning(record.identifier, text, "add it to the setting, or remove it: `auth-jwt issuer rm`")
            continue
        yield from _findings_about(record, settings, now)
        domain = None if record.issuer is None else record.issuer.domain
        other = None if domain is None else domains.setdefault(fold_domain(domain), record.identifier)
        if other is not None and other != record.identifier:
            text = f"it has the SIP domain {domain!r}, as {other!r} has: two may have users of the same name"
            yield error(record.identifier, text, "give it another: `auth-jwt issuer set --domain`")


def _all(issuers: Issuers) -> Iterator[IssuerRecord]:
    following = None
    while True:
        page = issuers.page(after=following)
        yield from page.issuers
        following = page.next
        if following is None:
            return


def _findings_about(record: IssuerRecord, settings: Settings, now: float) -> Iterator[Finding]:
    """Judge one issuer that the setting names."""
    about, status = record.identifier, record.status
    if record.problem is not None:
        remedy = "correct it: `auth-jwt issuer set`"
        yield error(about, f"its configuration cannot be used, so its tokens get a fault: {record.problem}", remedy)
        return
    if record.issuer is None:
        yield error(about, "the registry lists it, and it has no configuration", "remove it: `auth-jwt issuer rm`")
        return
    if record.disabled:
        return
    if status is None or status.version != record.issuer.version:
        text = "its row of status is not of the version of its configuration, so its keys are not fetched"
        yield error(about, text, "remove it, and add it again: `auth-jwt issuer rm`, `auth-jwt issuer add`")
        return
    why = "" if status.failure is None else f" (the last fetch failed: {status.failure})"
    refresh = "see why: `auth-jwt issuer refresh`"
    if status.fetched_at is None:
        yield warning(about, f"its keys have never been fetched{why}", refresh)
    elif now - status.fetched_at > settings.keys_lifetime:
        text = f"its keys were last fetched {format_instant(status.fetched_at, now)}{why}; they verify nothing after"
        yield error(about, f"{text} {format_duration(settings.keys_lifetime)} (KEYS_LIFETIME_SECONDS)", refresh)
    elif status.is_failing(now):
        yield warning(about, f"its keys were last fetched {format_instant(status.fetched_at, now)}{why}", refresh)
    if status.moved_to is not None:
        text = f"its discovery document names another address of keys, {status.moved_to}"
        yield warning(about, text, "take it, if it is right: `auth-jwt issuer set --accept-moved`")
    if record.keys and all(key.blocked for key in record.keys):
        yield warning(about, "all its keys are blocked", "wait for a new one, or `auth-jwt issuer unblock-key`")
