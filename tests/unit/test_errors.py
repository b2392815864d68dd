"""Two branches that must never be confused, and the words that logs, metrics and recipes rely on."""

import pytest

from auth_jwt.errors import (
    AuthJwtError,
    BadSetting,
    Denied,
    Fault,
    Flaw,
    InvalidKey,
    NotFinished,
    Reason,
    Throttled,
    TooLarge,
    UnknownEvent,
    Unreachable,
)


def test_the_reasons_are_these_and_stay_so() -> None:
    assert [reason.value for reason in Reason] == [
        "malformed_token",
        "unsupported_algorithm",
        "unsupported_type",
        "unsupported_critical_header",
        "missing_tag",
        "unknown_tag",
        "no_active_secret",
        "bad_signature",
        "token_expired",
        "token_not_yet_valid",
        "token_too_old",
        "missing_claim",
        "malformed_claim",
        "wrong_issuer",
        "wrong_audience",
        "wrong_token_kind",
        "unknown_issuer",
        "disabled_issuer",
        "unknown_key",
        "username_refused",
        "unknown_profile",
        "incomplete_profile",
        "disabled_profile",
        "username_mismatch",
        "domain_mismatch",
        "revoked_token",
    ]


def test_the_flaws_are_these_and_stay_so() -> None:
    assert [flaw.value for flaw in Flaw] == [
        "not_text",
        "empty",
        "not_unicode",
        "reference",
        "private_key",
        "unreadable_key",
        "unsupported_key",
        "malformed_jwk",
        "not_for_verifying",
        "key_material",
        "in_doubt",
        "no_alg",
        "malformed_alg",
        "malformed_kid",
        "alg_disagrees",
        "degenerate_key",
        "published_key",
        "blank_key",
        "too_short",
        "not_allowed",
        "never_opens",
        "beyond_limit",
    ]


@pytest.mark.parametrize("reason", Reason)
def test_a_denial_says_its_reason_and_nothing_else(reason: Reason) -> None:
    denied = Denied(reason)

    assert (denied.reason, str(denied), denied.args) == (reason, reason.value, (reason.value,))


def test_a_fault_is_no_denial_and_a_denial_no_fault() -> None:
    assert not issubclass(Fault, Denied)
    assert not issubclass(Denied, Fault)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Denied, AuthJwtError),
        (InvalidKey, AuthJwtError),
        (Fault, AuthJwtError),
        (BadSetting, Fault),
        (UnknownEvent, Fault),
        (TooLarge, Fault),
        (NotFinished, Fault),
        (Unreachable, Fault),
        (Throttled, Unreachable),
    ],
)
def test_every_error_has_its_place_in_the_tree(error: type, kind: type) -> None:
    assert issubclass(error, kind)
