"""Presets: tokens in the form that each provider documents, made for the test, and what becomes of them.

None was tried at the real service.
"""

from typing import Any

import pytest

from auth_jwt.errors import Reason
from auth_jwt.issuers.models import IssuerPatterns, KeySet, TokenKind
from auth_jwt.issuers.status import FetchStatus
from auth_jwt.refreshing.store import IssuerTables
from auth_jwt_cli.issuer_explanation import explain
from auth_jwt_cli.presets import PRESETS, members_of
from tests.factories import NOW, a_jwk, a_jwks
from tests.issuers import GONE, KEYS_URL, KID, SUBJECT, a_login_token
from tests.service import a_service

ACCESS_CLAIM: dict[str, Any] = {"required_claims": {"kind": "access"}, "access_claims": ["kind"]}
OF_ACCESS_TOKENS: dict[str, dict[str, Any]] = {
    "keycloak": {
        "header": {"typ": "JWT"},
        "typ": "Bearer",
        "azp": "phone",
        "aud": ["sip", "account"],
        "scope": "openid",
    },
    "entra": {"header": {"typ": "JWT"}, "ver": "2.0", "scp": "login", "uti": "1", "jti": GONE, "azp": "phone"},
    "auth0": {"header": {"typ": "JWT"}, "aud": ["sip", "https://t.eu.auth0.com/userinfo"], "azp": "phone", "jti": GONE},
    "cognito": {"header": {"typ": GONE}, "token_use": "access", "client_id": "sip", "aud": GONE},
    "okta": {"header": {"typ": GONE}, "cid": "phone", "scp": ["openid"], "ver": 1},
    "google": {"header": {"typ": "JWT"}, "azp": "sip", "at_hash": "x", "hd": "example.com", "jti": GONE},
    "zitadel": {"header": {"typ": "JWT"}, "aud": ["sip", "project"], "kind": "access"},
    "authentik": {"header": {"typ": "JWT"}, "azp": "sip", "kind": "access"},
}
"""What the tokens that log in have in common at each provider."""

OF_OTHER_TOKENS: dict[str, tuple[dict[str, Any], Reason]] = {
    "keycloak": ({"header": {"typ": "JWT"}, "typ": "ID", "nonce": "n"}, Reason.WRONG_TOKEN_KIND),
    "entra": ({"header": {"typ": "JWT"}, "aud": "phone", "nonce": "n"}, Reason.WRONG_AUDIENCE),
    "auth0": ({"header": {"typ": "JWT"}, "aud": "phone", "nonce": "n"}, Reason.WRONG_AUDIENCE),
    "cognito": ({"header": {"typ": GONE}, "token_use": "id", "aud": "sip"}, Reason.MISSING_CLAIM),
    "okta": ({"header": {"typ": GONE}, "aud": "phone", "nonce": "n"}, Reason.WRONG_AUDIENCE),
    "google": ({"header": {"typ": "JWT"}, "aud": "another client", "azp": "another client"}, Reason.WRONG_AUDIENCE),
    "zitadel": ({"header": {"typ": "JWT"}, "aud": ["sip", "project"], "nonce": "n"}, Reason.MISSING_CLAIM),
    "authentik": ({"header": {"typ": "JWT"}, "nonce": "n"}, Reason.MISSING_CLAIM),
}
"""Tokens of other kinds, which anybody who logs in at the provider gets as well: ID tokens, those of other clients."""


def verdict(name: str, claims: dict[str, Any]) -> Reason | str:
    """Return the SIP user that a token speaks for, or why it is denied."""
    preset, service = PRESETS[name], a_service(revocations=False)
    issuers, issuer = service.provisioning.issuers, preset.example
    more = ACCESS_CLAIM if name in ("zitadel", "authentik") else {}
    issuers.add(issuer, {"keys_url": KEYS_URL, **members_of(preset, ["sip"]), **more})
    store = IssuerTables(service.tables, service.tables.columns)
    before = store.read(issuer).status
    assert before is not None
    status = FetchStatus(version=NOW, fetched_at=NOW)
    assert store.write_keys(issuer, KeySet(a_jwks(a_jwk(kid=KID)), KEYS_URL), status, before=before)
    service.has(tag=f"{issuer}#{SUBJECT}")
    told = explain(
        a_login_token(iss=issuer, **claims),
        patterns=IssuerPatterns(frozenset({issuer})),
        keys_lifetime=3600,
        store=service.tables,
        columns=service.tables.columns,
        policy=service.provisioning.registry.policy,
        now=NOW,
    )
    return told.answer.sip_username if told.answer is not None else told.reason or "no verdict"


@pytest.mark.parametrize("name", PRESETS)
def test_a_token_that_should_log_in_does(name: str) -> None:
    assert verdict(name, OF_ACCESS_TOKENS[name]) == "alice"


@pytest.mark.parametrize("name", PRESETS)
def test_a_token_of_another_kind_does_not(name: str) -> None:
    claims, reason = OF_OTHER_TOKENS[name]

    assert verdict(name, claims) is reason


def test_a_refresh_token_of_keycloak_does_not() -> None:
    assert verdict("keycloak", {"header": {"typ": "JWT"}, "typ": "Refresh"}) is Reason.WRONG_TOKEN_KIND


def test_every_example_is_an_issuer_and_every_trap_a_sentence() -> None:
    assert list(PRESETS) == list(OF_ACCESS_TOKENS) == list(OF_OTHER_TOKENS)
    for preset in PRESETS.values():
        issuer = a_service().provisioning.issuers.check(
            preset.example, {"keys_url": KEYS_URL, **members_of(preset, ["sip"])}
        )
        assert issuer.kind is (TokenKind.ID if preset.example == "https://accounts.google.com" else TokenKind.ACCESS)
        assert all(trap.endswith(".") for trap in preset.traps)
