"""`config check` about issuers: each finding, and nothing about an issuer that is in order."""

from collections.abc import Callable
from typing import Any

import pytest

from auth_jwt.errors import Fault, Unreachable
from auth_jwt.issuers.models import KeySet
from auth_jwt.issuers.status import FetchStatus
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.refreshing.store import IssuerTables
from auth_jwt.runtime.settings import Settings
from auth_jwt_cli.checks import Finding, Severity
from auth_jwt_cli.issuer_checks import issuer_findings
from tests.factories import NOW, a_jwk, a_jwks
from tests.issuers import ISSUER, KEYS_URL, KID
from tests.service import Service, a_service

OTHER = "https://id.example.org/"
BY_CLAIM: dict[str, Any] = {"mapping": "claim", "username_claim": "u", "sip_domain": "example.com"}
CONFIGURATION = Key(Table.PROFILES, ISSUER)
STATUS = Key(Table.SECRETS, ISSUER, "issuer-status")


def a_service_with_an_issuer() -> Service:
    service = a_service()
    service.provisioning.issuers.add(ISSUER, {"keys_url": KEYS_URL, "audiences": ["sip"]})
    store = IssuerTables(service.tables, service.tables.columns)
    before = store.read(ISSUER).status
    assert before is not None
    status = FetchStatus(version=NOW, fetched_at=NOW, next_fetch_at=NOW + 60)
    assert store.write_keys(ISSUER, KeySet(a_jwks(a_jwk(kid=KID)), KEYS_URL), status, before=before)
    return service


def findings(service: Service, setting: str = ISSUER, now: float = NOW) -> list[Finding]:
    settings = Settings.from_env({"ISSUERS": setting})
    return list(issuer_findings(service.provisioning.issuers, settings, now))


def test_an_issuer_in_order_is_not_mentioned() -> None:
    assert findings(a_service_with_an_issuer()) == []
    assert findings(a_service_with_an_issuer(), "https://login.example.com/*") == []
    assert findings(a_service(), "") == []


def test_the_setting_and_the_issuers_are_held_against_each_other() -> None:
    (missing, unnamed) = findings(a_service_with_an_issuer(), OTHER)

    assert (missing.severity, missing.about) == (Severity.ERROR, "ISSUERS")
    assert f"`auth-jwt issuer add {OTHER}`" in missing.remedy
    assert (unnamed.severity, unnamed.about) == (Severity.WARNING, ISSUER)
    assert [finding.about for finding in findings(a_service_with_an_issuer(), "")] == [ISSUER]


def disable(service: Service) -> None:
    service.provisioning.issuers.disable(ISSUER)
    service.tables.rows[STATUS].pop("issuer_fetched_at")


def block(service: Service) -> None:
    service.provisioning.issuers.block_key(ISSUER, KID)


def note(**columns: object) -> Callable[[Service], None]:
    return lambda service: service.tables.write_row(STATUS, {**service.tables.rows[STATUS], **columns})


@pytest.mark.parametrize(
    ("happen", "now", "severity", "said"),
    [
        (disable, NOW, None, ""),
        (block, NOW, Severity.WARNING, "all its keys are blocked"),
        (note(issuer_version=7), NOW, Severity.ERROR, "its row of status is not of the version"),
        (note(issuer_fetched_at="x", issuer_failure="tls"), NOW, Severity.WARNING, "never been fetched (the last"),
        (note(issuer_failures=3, issuer_failure="timeout"), NOW, Severity.WARNING, "failed: timeout"),
        (note(issuer_failures=2), NOW, None, ""),
        (note(), NOW + 93601, Severity.ERROR, "they verify nothing after 1 day 2 hours (KEYS_LIFETIME_SECONDS)"),
        (note(issuer_moved_to="https://x/keys"), NOW, Severity.WARNING, "another address of keys, https://x/keys"),
        (lambda service: service.tables.rows.pop(CONFIGURATION), NOW, Severity.ERROR, "has no configuration"),
        (
            lambda service: service.tables.rows[CONFIGURATION].update(issuer_config="{"),
            NOW, Severity.ERROR, "its configuration cannot be used",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_wrong_with_an_issuer_is_told(
    happen: Callable[[Service], object], now: float, severity: Severity | None, said: str
) -> None:
    service = a_service_with_an_issuer()
    happen(service)

    found = findings(service, now=now)

    assert [finding.severity for finding in found] == ([] if severity is None else [severity])
    assert all(said in finding.text and "auth-jwt issuer" in finding.remedy for finding in found)


def test_two_issuers_with_one_domain_are_told() -> None:
    """Somebody may have written the rows by hand, without claiming the domain."""
    service = a_service()
    service.provisioning.issuers.add(ISSUER, {"keys_url": KEYS_URL, "audiences": ["sip"], **BY_CLAIM})
    service.provisioning.issuers.add(OTHER, {"keys_url": KEYS_URL, "audiences": ["sip"], **BY_CLAIM, "sip_domain": "x"})
    other = Key(Table.PROFILES, OTHER)
    text = str(service.tables.rows[other]["issuer_config"]).replace('"x"', '"Example.com"')
    service.tables.rows[other]["issuer_config"] = text

    assert [finding.about for finding in findings(service, f"{ISSUER},{OTHER}") if "SIP domain" in finding.text] == [
        ISSUER
    ]


def test_a_missing_permission_is_told_and_an_outage_ends_the_check() -> None:
    service = a_service()
    service.tables.failure = Fault("you may not")
    assert [finding.text for finding in findings(service)] == ["you may not"]
    assert findings(service, "") == []

    service.tables.failure = Unreachable("gone")
    with pytest.raises(Unreachable):
        findings(service)
