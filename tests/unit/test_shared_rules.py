"""One rule stands in one place: where it changes, the login, `token explain` and `lint` change with it.

A change replaces the code of the function that holds the rule. Every module that imported the function gets it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import pytest

from auth_jwt import models, rules
from auth_jwt.credentials import load_credentials, parse_credentials
from auth_jwt.errors import Denied, Flaw, InvalidKey, Reason
from auth_jwt.jose import signatures, tokens
from auth_jwt.jose.keys import verification_keys
from auth_jwt.provisioning.explanation import Explanation, StepOutcome, explain_token
from tests.factories import JTI, NOW, a_profile, a_secret, a_token, an_authorizer
from tests.linted_rows import rules_of
from tests.service import Service, a_service

REQUEST: dict[str, Any] = {"from_user": "alice", "from_domain": "example.com"}


@dataclass(frozen=True)
class Change:
    """Another rule in the place of one.

    `reason` is the login's and the explanation's, `passed_over` a part of what the explanation says of the secret, and
    `found` what `lint` finds; None where it has no part in the rule.
    """

    place: Any
    code: Callable[..., object]
    reason: Reason
    passed_over: str | None = None
    found: str | None = None


def yes(*_: object) -> bool:
    return True


def no(*_: object) -> bool:
    return False


def holds_no_key(*_: object, **__: object) -> object:
    raise InvalidKey(Flaw.BLANK_KEY, "no key is good enough")


def has_no_username(*_: object) -> object:
    raise Denied(Reason.INCOMPLETE_PROFILE)


def is_disabled(*_: object) -> object:
    raise Denied(Reason.DISABLED_PROFILE)


def is_revoked(*_: object) -> object:
    raise Denied(Reason.REVOKED_TOKEN)


def names_no_tag(*_: object) -> object:
    raise Denied(Reason.MISSING_TAG)


def is_too_long(*_: object) -> object:
    raise Denied(Reason.MALFORMED_CLAIM)


def is_too_old(*_: object) -> object:
    raise Denied(Reason.TOKEN_TOO_OLD)


CHANGES = [
    pytest.param(
        Change(models.Secret.is_open, no, Reason.NO_ACTIVE_SECRET, "closed", "never-opens"), id="no window is ever open"
    ),
    pytest.param(
        Change(verification_keys, holds_no_key, Reason.BAD_SIGNATURE, "no key is good enough", "blank-key"),
        id="no text is a usable secret",
    ),
    pytest.param(
        Change(signatures.is_too_short, yes, Reason.BAD_SIGNATURE, "too short", "short-secret"),
        id="no HMAC key is long enough",
    ),
    pytest.param(
        Change(signatures.kids_differ, yes, Reason.BAD_SIGNATURE, "its kid is"), id="no kid is that of the secret"
    ),
    pytest.param(
        Change(rules.is_passed_over, yes, Reason.BAD_SIGNATURE, "its kid is"), id="every secret is passed over"
    ),
    pytest.param(
        Change(rules.usable_profile, has_no_username, Reason.INCOMPLETE_PROFILE, found="no-username"),
        id="no username is one",
    ),
    pytest.param(
        Change(rules.usable_profile, is_disabled, Reason.DISABLED_PROFILE, found="disabled-profile"),
        id="no profile may be used",
    ),
    pytest.param(
        Change(models.disables, yes, Reason.DISABLED_PROFILE, found="disabled-profile"), id="false disables, too"
    ),
    pytest.param(
        Change(rules.check_time_of_issue, is_revoked, Reason.REVOKED_TOKEN, found="valid-after-not-a-number"),
        id="every bound revokes every token",
    ),
    pytest.param(
        Change(tokens.unverified_tag, names_no_tag, Reason.MISSING_TAG, found="tag-too-long"),
        id="every tag is too long",
    ),
    pytest.param(Change(rules.token_id, is_too_long, Reason.MALFORMED_CLAIM), id="every jti is too long"),
    pytest.param(Change(rules.check_claims, is_too_old, Reason.TOKEN_TOO_OLD), id="every token is too old"),
    pytest.param(Change(rules.same_user, no, Reason.USERNAME_MISMATCH), id="no user is that of the profile"),
    pytest.param(Change(rules.same_domain, no, Reason.DOMAIN_MISMATCH), id="no domain is that of the profile"),
]


@pytest.fixture(name="service")
def _service() -> Service:
    """A profile and a secret that every rule of today accepts."""
    service = a_service()
    service.has(sip_domain="example.com", tokens_valid_after=NOW - 10)
    service.has_secret(kid="a")
    return service


def change(monkeypatch: pytest.MonkeyPatch, place: Any, code: Callable[..., object]) -> None:
    assert isinstance(place, FunctionType)
    assert isinstance(code, FunctionType)
    for name, value in (("Denied", Denied), ("Reason", Reason), ("InvalidKey", InvalidKey), ("Flaw", Flaw)):
        monkeypatch.setitem(place.__globals__, name, value)
    monkeypatch.setattr(place, "__code__", code.__code__)


def the_token() -> str:
    return a_token(jti=JTI, iat=NOW - 1, exp=NOW + 60, header={"kid": "a"})


def login(service: Service, token: str) -> Reason | None:
    authorizer = service.provisioning.registry.authorizer
    return rules.denial_by(lambda: authorizer.authorize(token, **REQUEST))


def explained(service: Service, token: str) -> Explanation:
    registry = service.provisioning.registry
    return explain_token(
        token, store=service.tables, columns=registry.columns, policy=registry.policy, now=NOW, **REQUEST
    )


def linted() -> set[str]:
    return rules_of(a_secret()) | rules_of(a_profile(tokens_valid_after=NOW - 10))


def test_the_rules_of_today_accept_the_token_and_find_nothing(service: Service) -> None:
    explanation = explained(service, the_token())

    assert login(service, the_token()) is None
    assert StepOutcome.REFUSED not in {step.outcome for step in explanation.steps}
    assert linted() == set()


@pytest.mark.parametrize("other", CHANGES)
def test_a_rule_changes_for_all_who_ask_it(service: Service, monkeypatch: pytest.MonkeyPatch, other: Change) -> None:
    token = the_token()
    change(monkeypatch, other.place, other.code)

    reason, explanation, found = login(service, token), explained(service, token), linted()

    refusals = [step.reason for step in explanation.steps if step.outcome is StepOutcome.REFUSED]
    assert (reason, explanation.reason, refusals[0]) == (other.reason,) * 3
    if other.passed_over is not None:
        assert other.passed_over in str(explanation.secrets[0].passed_over)
    assert found == (set() if other.found is None else {other.found})


def test_the_login_and_lint_agree_on_what_a_credential_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no step of an explanation, since it denies nothing."""
    credentials = parse_credentials("account_id")
    row = a_profile(account_id="7")
    authorizer = an_authorizer(profiles=[row], credentials=credentials)
    before = authorizer.authorize(a_token()).credentials, rules_of(row, credentials=credentials)

    def leaves_out(*_: object) -> object:
        return {}, ("account_id",)

    change(monkeypatch, load_credentials, leaves_out)

    assert before == ({"account_id": "7"}, set())
    assert authorizer.authorize(a_token()).credentials == {}
    assert rules_of(row, credentials=credentials) == {"credential-of-another-type"}
