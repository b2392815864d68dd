"""Tokens: minted for a profile, judged as the service would; and revoked, one by one or all at once."""

import json
from decimal import Decimal
from typing import Any

import jwt
import pytest

from auth_jwt.errors import Conflict, Invalid, NotFound, Reason
from auth_jwt.jose.tokens import HeaderRules
from auth_jwt.models import MAX_JTI_BYTES
from auth_jwt.provisioning.changes import Key, Table
from tests.factories import HMAC_KEY, NOW, TAG, a_jwks, a_token, an_oct_jwk, octets_of, public_pem
from tests.service import Service, a_service

DAY = 86400
OTHER_KEY = "another HMAC secret, of sixty-four bytes and more, for these tests"


def a_service_with_a_login(**rules: Any) -> Service:
    service = a_service(**rules)
    service.has()
    service.has_secret("1")
    return service


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = token.split(".")
    return json.loads(octets_of(header)), json.loads(octets_of(payload))


# -- minting ----------------------------------------------------------------------------------------------------------


def test_a_minted_token_logs_in() -> None:
    service = a_service_with_a_login()

    minted = service.provisioning.tokens.mint(TAG)

    header, claims = parts_of(minted.token)
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert claims == {"tag": TAG, "iat": NOW, "exp": NOW + 300, "jti": minted.jti}
    assert (minted.secret_id, minted.expires_at, minted.answer.sip_username) == ("1", NOW + 300, "alice")
    assert service.verdict(minted.token) is None
    assert minted.token not in repr(minted)


def test_every_minted_token_has_an_id_of_its_own() -> None:
    service = a_service_with_a_login()

    assert len({service.provisioning.tokens.mint(TAG).jti for _ in range(3)}) == 3


def test_claims_and_lifetime_are_for_the_operator_to_say_but_the_tag() -> None:
    service = a_service_with_a_login()

    minted = service.provisioning.tokens.mint(TAG, lifetime_seconds=60, jti="j", claims={"role": "tester", "tag": "x"})

    assert parts_of(minted.token)[1] == {"tag": TAG, "iat": NOW, "exp": NOW + 60, "jti": "j", "role": "tester"}


def test_no_token_outlives_the_secret_that_signed_it() -> None:
    service = a_service()
    service.has()
    service.has_secret("1", end_ts=NOW + 30)

    assert service.provisioning.tokens.mint(TAG).expires_at == NOW + 30


def test_the_secret_that_stays_open_longest_signs() -> None:
    service = a_service_with_a_login()
    service.has_secret("0", secret=OTHER_KEY, end_ts=NOW + 10**7)

    assert service.provisioning.tokens.mint(TAG).secret_id == "0"
    assert service.provisioning.tokens.mint(TAG, secret_id="1").secret_id == "1"


def test_of_secrets_that_end_together_the_one_that_opened_last_signs() -> None:
    service = a_service_with_a_login()
    service.has_secret("0", secret=OTHER_KEY, start_ts=NOW - 1)

    assert service.provisioning.tokens.mint(TAG).secret_id == "0"


@pytest.mark.parametrize(
    ("columns", "header"),
    [
        pytest.param({"kid": "k"}, {"alg": "HS256", "kid": "k"}, id="the row's kid"),
        pytest.param({"alg": "HS512"}, {"alg": "HS512"}, id="the row's alg"),
        pytest.param({"secret": a_jwks(an_oct_jwk(kid="j"))}, {"alg": "HS256", "kid": "j"}, id="the key's own kid"),
        pytest.param(
            {"secret": a_jwks(an_oct_jwk(kid="j")), "kid": "k"}, {"alg": "HS256"}, id="two that differ: neither"
        ),
    ],
)
def test_the_header_says_what_the_secret_wants(columns: dict[str, Any], header: dict[str, Any]) -> None:
    service = a_service()
    service.has()
    service.has_secret("1", **columns)

    assert parts_of(service.provisioning.tokens.mint(TAG).token)[0] == {"typ": "JWT", **header}


@pytest.mark.parametrize("types", [None, frozenset({"jwt", "at+jwt"})])
def test_a_minted_token_says_that_it_is_a_jwt_where_that_is_accepted(types: frozenset[str] | None) -> None:
    service = a_service_with_a_login(header=HeaderRules(types=types))

    assert parts_of(service.provisioning.tokens.mint(TAG).token)[0]["typ"] == "JWT"


def test_settings_that_want_claims_get_them() -> None:
    service = a_service_with_a_login(
        issuers=("one", "two"), audiences=("sip",), header=HeaderRules(types=frozenset({"at+jwt"}))
    )

    header, claims = parts_of(service.provisioning.tokens.mint(TAG).token)

    assert "typ" not in header
    assert (claims["iss"], claims["aud"]) == ("one", "sip")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "missing_claim"),
        ({"role": "x", "exp": 1}, "token_expired"),
        ({"role": "x", "nbf": "soon"}, "malformed_claim"),
    ],
)
def test_a_token_that_the_service_would_refuse_is_not_handed_out(claims: dict[str, Any], reason: str) -> None:
    service = a_service_with_a_login(required_claims=("role",))

    with pytest.raises(Invalid, match=f"would deny this token: {reason}"):
        service.provisioning.tokens.mint(TAG, claims=claims)


def test_a_token_for_nobody_is_not_handed_out() -> None:
    service = a_service()
    service.has_secret("1")

    with pytest.raises(Invalid, match="unknown_profile"):
        service.provisioning.tokens.mint(TAG)


def test_a_key_that_verifies_and_that_pyjwt_signs_with_not_is_told() -> None:
    service = a_service()
    service.has()
    service.has_secret("1", secret="ssh-rsa" + "x" * 64)
    assert service.verdict(a_token(key="ssh-rsa" + "x" * 64, jti="a")) is None

    with pytest.raises(Invalid, match="of the secret '1', though it verifies"):
        service.provisioning.tokens.mint(TAG)


def test_a_legacy_key_signs_without_a_warning() -> None:
    service = a_service(min_hmac_key_bytes=8)
    service.has()
    service.has_secret("1", secret="legacy k")

    assert service.verdict(service.provisioning.tokens.mint(TAG).token) is None


def test_claims_that_go_too_deep_make_no_token() -> None:
    service = a_service_with_a_login()
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(Invalid, match="into a token: RecursionError"):
        service.provisioning.tokens.mint(TAG, claims={"deep": deep})


def test_where_the_id_is_the_tag_a_token_has_no_id_of_its_own() -> None:
    service = a_service(tag_claim="jti", revocations=False)
    service.has()
    service.has_secret("1")

    assert service.provisioning.tokens.mint(TAG).jti == TAG
    with pytest.raises(Invalid, match="TAG_CLAIM"):
        service.provisioning.tokens.mint(TAG, jti="mine")


def test_claims_that_are_no_json_make_no_token() -> None:
    service = a_service_with_a_login()
    round_and_round: list[object] = []
    round_and_round.append(round_and_round)

    with pytest.raises(Invalid, match="into a token: TypeError"):
        service.provisioning.tokens.mint(TAG, claims={"a": object()})
    with pytest.raises(Invalid, match="into a token: ValueError"):
        service.provisioning.tokens.mint(TAG, claims={"a": round_and_round})


@pytest.mark.parametrize(("seconds", "fits"), [(0, False), (1, True)])
def test_a_token_lives_at_least_a_second(seconds: int, fits: bool) -> None:
    service = a_service_with_a_login()
    if fits:
        assert service.provisioning.tokens.mint(TAG, lifetime_seconds=seconds).expires_at == NOW + 1
    else:
        with pytest.raises(Invalid, match="at least one second"):
            service.provisioning.tokens.mint(TAG, lifetime_seconds=seconds)


def test_settings_of_several_audiences_get_the_first() -> None:
    service = a_service_with_a_login(audiences=("one", "two"))

    assert parts_of(service.provisioning.tokens.mint(TAG).token)[1]["aud"] == "one"


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"end_ts": NOW}, "'1' is closed"),
        ({"start_ts": NOW + 1}, "'1' is future"),
        ({"secret": "short"}, "'1' is unusable"),
        ({"secret": public_pem()}, "'1' is a public key"),
    ],
)
def test_who_cannot_sign_is_told_why(columns: dict[str, Any], why: str) -> None:
    service = a_service()
    service.has()
    service.has_secret("1", **columns)

    with pytest.raises(Conflict, match=why):
        service.provisioning.tokens.mint(TAG)


def test_of_several_that_cannot_sign_each_is_told() -> None:
    service = a_service()
    service.has()
    service.has_secret("1", end_ts=NOW)
    service.has_secret("2", secret=public_pem())

    with pytest.raises(Conflict, match=r"can sign: '1' is closed; '2' is a public key, whose private key"):
        service.provisioning.tokens.mint(TAG)


def test_a_secret_that_is_not_there_cannot_sign() -> None:
    service = a_service()
    service.has()

    with pytest.raises(Conflict, match="there is none"):
        service.provisioning.tokens.mint(TAG)
    with pytest.raises(NotFound, match="'7'"):
        service.provisioning.tokens.mint(TAG, secret_id="7")


def test_a_minted_token_is_one_that_other_software_reads() -> None:
    service = a_service_with_a_login()

    token = service.provisioning.tokens.mint(TAG).token

    assert (
        jwt.decode(token, HMAC_KEY, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})["tag"]
        == TAG
    )


# -- revoking ---------------------------------------------------------------------------------------------------------


def test_a_revoked_token_is_refused_until_it_is_lifted() -> None:
    service = a_service_with_a_login()
    minted, other = service.provisioning.tokens.mint(TAG), service.provisioning.tokens.mint(TAG)

    service.provisioning.revocations.revoke(TAG, minted.jti)

    assert [service.verdict(token) for token in (minted.token, other.token)] == [Reason.REVOKED_TOKEN, None]
    service.provisioning.revocations.lift(TAG, minted.jti)
    assert service.verdict(minted.token) is None
    assert service.actions == ["token.revoke", "token.lift"]


def test_a_revocation_is_kept_longer_than_its_token() -> None:
    service = a_service_with_a_login(leeway_seconds=30)

    revocation = service.provisioning.revocations.revoke(TAG, "j", exp=NOW + 60)

    assert (revocation.revoked_at, revocation.expires_at) == (NOW, NOW + 60 + 30 + DAY)


@pytest.mark.parametrize(
    ("exp", "rules"),
    [
        pytest.param(None, {}, id="no exp"),
        pytest.param(NOW, {"enforce_time_claims": False}, id="exp that ends nothing"),
    ],
)
def test_a_revocation_is_kept_for_ever_where_nobody_knows_when_its_token_ends(
    exp: int | None, rules: dict[str, Any]
) -> None:
    service = a_service_with_a_login(**rules)

    assert service.provisioning.revocations.revoke(TAG, "j", exp=exp).expires_at is None


def test_revoking_again_keeps_it_as_long_as_either_asked() -> None:
    service = a_service_with_a_login()
    revocations = service.provisioning.revocations
    first = revocations.revoke(TAG, "j", exp=NOW + 60)
    service.clock.pass_by(5)

    assert revocations.revoke(TAG, "j", exp=NOW + 30) == first
    assert revocations.revoke(TAG, "j", exp=NOW + 90).expires_at == NOW + 90 + DAY
    assert revocations.revoke(TAG, "j").expires_at is None
    assert revocations.revoke(TAG, "j", exp=NOW + 90).expires_at is None
    assert revocations.show(TAG, "j").revoked_at == NOW
    assert service.actions == ["token.revoke"] * 3


def test_revoking_again_until_the_same_time_changes_nothing() -> None:
    service = a_service_with_a_login()
    revocations = service.provisioning.revocations

    assert revocations.revoke(TAG, "j", exp=NOW + 60) == revocations.revoke(TAG, "j", exp=NOW + 60)
    assert revocations.revoke_all(TAG, before=NOW + 5) == revocations.revoke_all(TAG, before=NOW + 5)
    assert service.actions == ["token.revoke", "token.revoke_all"]


def test_a_token_that_has_expired_is_revoked_for_as_long_as_clocks_may_differ_from_now_on() -> None:
    service = a_service_with_a_login()

    assert service.provisioning.revocations.revoke(TAG, "j", exp=NOW - 9 * DAY).expires_at == NOW + DAY


@pytest.mark.parametrize("odd", ["never", Decimal("1.5"), True, {"B": b"x"}])
def test_what_is_no_time_in_a_revocation_is_shown_as_none(odd: object) -> None:
    service = a_service_with_a_login()
    service.tables.write_row(Key(Table.REVOCATIONS, TAG, "j"), {"expires_at": odd, "revoked_at": odd})

    shown = service.provisioning.revocations.show(TAG, "j")

    assert (shown.expires_at, shown.revoked_at) == (None, None)


def test_an_end_that_is_no_time_gives_way_to_one_that_is() -> None:
    service = a_service_with_a_login()
    service.tables.write_row(Key(Table.REVOCATIONS, TAG, "j"), {"expires_at": "never"})

    assert service.provisioning.revocations.revoke(TAG, "j", exp=NOW).expires_at == NOW + DAY


def test_what_others_noted_beside_a_revocation_stays() -> None:
    service = a_service_with_a_login()
    service.tables.write_row(Key(Table.REVOCATIONS, TAG, "j"), {"expires_at": NOW, "reason": "stolen"})

    service.provisioning.revocations.revoke(TAG, "j")

    assert service.tables.rows[Key(Table.REVOCATIONS, TAG, "j")] == {"reason": "stolen"}


@pytest.mark.parametrize(("exp", "kept"), [(10**11 - 1, True), (10**11, False), (10**300, False), (-5, True)])
def test_an_exp_beyond_sense_keeps_its_revocation_for_ever(exp: int, kept: bool) -> None:
    """Milliseconds, for one: whatever its issuer did, a token can be revoked."""
    service = a_service_with_a_login()

    assert (service.provisioning.revocations.revoke(TAG, "j", exp=exp).expires_at is not None) is kept


def test_what_cannot_be_listed_is_not_revoked() -> None:
    service = a_service_with_a_login()
    revocations = service.provisioning.revocations

    for attempt in (revocations.show, revocations.lift):
        with pytest.raises(NotFound, match="not revoked"):
            attempt(TAG, "x" * (MAX_JTI_BYTES + 1))
        with pytest.raises(Invalid, match="Unicode"):
            attempt(TAG, "\ud800")
    assert revocations.page(TAG, after="x" * MAX_JTI_BYTES).revocations == ()
    with pytest.raises(Invalid, match="continue after"):
        revocations.page(TAG, after="x" * (MAX_JTI_BYTES + 1))


def test_nobody_has_no_list() -> None:
    service = a_service()

    with pytest.raises(NotFound, match="no profile"):
        service.provisioning.revocations.page("nobody")
    with pytest.raises(NotFound, match="no profile"):
        service.provisioning.tokens.mint("nobody")


def test_of_two_revocations_at_once_the_longer_holds() -> None:
    service = a_service_with_a_login()
    revocations = service.provisioning.revocations
    service.tables.before_write = lambda: service.tables.write_row(
        Key(Table.REVOCATIONS, TAG, "j"), {"expires_at": NOW + 9 * DAY}
    )

    assert revocations.revoke(TAG, "j", exp=NOW + 60).expires_at == NOW + 9 * DAY


@pytest.mark.parametrize("others", [NOW + 9 * DAY, None], ids=["later", "never"])
def test_of_two_that_prolong_a_revocation_at_once_the_longer_holds(others: int | None) -> None:
    """Both saw the same end, and the one that writes last asked for the shorter time."""
    service = a_service_with_a_login()
    revocations, key = service.provisioning.revocations, Key(Table.REVOCATIONS, TAG, "j")
    revocations.revoke(TAG, "j", exp=NOW + 60)
    longer = {} if others is None else {"expires_at": others}
    service.tables.before_write = lambda: service.tables.write_row(key, longer)

    assert revocations.revoke(TAG, "j", exp=NOW + 90).expires_at == others
    assert service.tables.rows[key] == longer
    assert service.actions == ["token.revoke"]


@pytest.mark.parametrize(("size", "fits"), [(MAX_JTI_BYTES, True), (MAX_JTI_BYTES + 1, False)])
def test_a_jti_has_to_fit_into_the_table(size: int, fits: bool) -> None:
    service = a_service_with_a_login()
    if fits:
        assert service.provisioning.revocations.revoke(TAG, "x" * size).jti == "x" * size
    else:
        with pytest.raises(Invalid, match=str(MAX_JTI_BYTES)):
            service.provisioning.revocations.revoke(TAG, "x" * size)


def test_a_typing_error_in_the_tag_revokes_nothing_silently() -> None:
    service = a_service_with_a_login()

    with pytest.raises(NotFound, match="nobody"):
        service.provisioning.revocations.revoke("nobody", "j")
    with pytest.raises(Invalid, match="jti is empty"):
        service.provisioning.revocations.revoke(TAG, "")


def test_lifting_what_is_not_revoked_is_said() -> None:
    service = a_service_with_a_login()

    for attempt in (service.provisioning.revocations.lift, service.provisioning.revocations.show):
        with pytest.raises(NotFound, match="not revoked"):
            attempt(TAG, "j")


def test_without_their_table_single_tokens_cannot_be_revoked() -> None:
    service = a_service(revocations=False)
    service.has()
    revocations = service.provisioning.revocations

    for attempt in (
        lambda: revocations.revoke(TAG, "j"),
        lambda: revocations.lift(TAG, "j"),
        lambda: revocations.show(TAG, "j"),
        lambda: revocations.page(TAG),
    ):
        with pytest.raises(Conflict, match="REVOCATIONS_TABLE"):
            attempt()
    assert revocations.revoke_all(TAG) == NOW + 1
    assert service.actions == ["token.revoke_all"]


def test_a_whole_token_is_no_id_of_one() -> None:
    """It would be shown and logged, and would go on logging in."""
    service = a_service_with_a_login()

    with pytest.raises(Invalid, match="a whole token, and not the `jti` in it"):
        service.provisioning.revocations.revoke(TAG, a_token(jti="j"))

    assert service.actions == []


def test_revoked_tokens_are_listed_page_by_page() -> None:
    service = a_service_with_a_login()
    revocations = service.provisioning.revocations
    for jti in "abc":
        revocations.revoke(TAG, jti, exp=NOW)

    first = revocations.page(TAG, limit=2)

    assert [item.jti for item in first.revocations] == ["a", "b"]
    assert [item.jti for item in revocations.page(TAG, limit=2, after=first.next).revocations] == ["c"]
    assert len(revocations.page(TAG, limit=1).revocations) == 1
    assert len(revocations.page(TAG, limit=100).revocations) == 3
    for limit in (0, 101):
        with pytest.raises(Invalid, match="1 to 100"):
            revocations.page(TAG, limit=limit)


def test_all_tokens_issued_so_far_can_be_revoked() -> None:
    """Those of this very second, too; and new ones are good a second later."""
    service = a_service_with_a_login()
    token = service.provisioning.tokens.mint(TAG).token

    bound = service.provisioning.revocations.revoke_all(TAG)

    assert bound == NOW + 1
    assert service.verdict(token) is Reason.REVOKED_TOKEN
    service.clock.pass_by(1)
    assert service.verdict(service.provisioning.tokens.mint(TAG).token) is None
    service.provisioning.revocations.lift_all(TAG)
    assert service.verdict(token) is None


@pytest.mark.parametrize("second", [NOW, NOW + 1])
def test_the_tokens_of_this_second_are_among_them(second: int) -> None:
    service = a_service_with_a_login()
    service.clock.now = second + 0.5

    assert service.provisioning.revocations.revoke_all(TAG) == second + 1


def test_a_bound_may_be_as_old_as_time() -> None:
    service = a_service_with_a_login()

    assert service.provisioning.revocations.revoke_all(TAG, before=0) == 0


def test_a_user_without_a_profile_or_without_secrets_has_tokens_to_revoke() -> None:
    only_profile, only_secret = a_service(), a_service()
    only_profile.has()
    only_secret.has_secret("1")

    for service in (only_profile, only_secret):
        assert service.provisioning.revocations.revoke(TAG, "j").jti == "j"


def test_the_bound_is_never_moved_back() -> None:
    service = a_service_with_a_login()
    revocations = service.provisioning.revocations
    assert revocations.revoke_all(TAG, before=NOW + 50) == NOW + 50
    service.tables.before_write = lambda: service.has(tokens_valid_after=NOW + 99)

    assert revocations.revoke_all(TAG, before=NOW + 60) == NOW + 99
    assert revocations.revoke_all(TAG, before=NOW) == NOW + 99
    assert service.actions == ["token.revoke_all"]


@pytest.mark.parametrize(("before", "bound"), [(5, NOW + 1), (NOW + 9, NOW + 9)])
def test_a_bound_that_is_no_number_revokes_all_there_are_and_so_does_what_replaces_it(before: int, bound: int) -> None:
    service = a_service()
    service.has(tokens_valid_after="soon")

    assert service.provisioning.revocations.revoke_all(TAG, before=before) == bound

    assert service.tables.rows[Key(Table.PROFILES, TAG)]["tokens_valid_after"] == Decimal(bound)


@pytest.mark.parametrize("odd", [NOW * 1000, 10**11, 10**30, "1700000000", "NaN", None, True, False, {"B": b"1"}])
def test_a_bound_that_is_no_time_gives_way_to_one_that_revokes_no_token_to_come(odd: object) -> None:
    """It revokes every token; those that there are stay revoked."""
    service = a_service_with_a_login()
    service.has(tokens_valid_after=odd)
    now, later = a_token(jti="a", iat=NOW), a_token(jti="b", iat=NOW + 1)

    assert service.provisioning.revocations.revoke_all(TAG, before=5) == NOW + 1

    service.clock.pass_by(1)
    assert (service.verdict(now), service.verdict(later)) == (Reason.REVOKED_TOKEN, None)


@pytest.mark.parametrize("number", [0, -5, Decimal("1.5"), 10**11 - 1])
def test_a_bound_that_is_a_time_is_only_moved_on(number: object) -> None:
    service = a_service_with_a_login()
    service.has(tokens_valid_after=number)

    service.provisioning.revocations.revoke_all(TAG)

    written = service.tables.rows[Key(Table.PROFILES, TAG)]["tokens_valid_after"]
    assert written == (number if number == 10**11 - 1 else NOW + 1)


def test_of_what_keeps_changing_nothing_is_said_to_be_revoked() -> None:
    service = a_service_with_a_login()
    revocations = service.provisioning.revocations
    ends = iter(range(NOW, NOW + 99))

    def meanwhile() -> None:
        end = next(ends)
        service.has(tokens_valid_after=end)
        service.tables.write_row(Key(Table.REVOCATIONS, TAG, "j"), {"expires_at": end})
        service.tables.before_write = meanwhile

    service.tables.before_write = meanwhile
    with pytest.raises(Conflict, match="the profile 't1' keeps changing"):
        revocations.revoke_all(TAG, before=NOW + 99)
    with pytest.raises(Conflict, match="the revocation of 'j' keeps changing"):
        revocations.revoke(TAG, "j", exp=NOW + 99)

    assert service.actions == []


def test_nobody_has_no_tokens_to_revoke() -> None:
    service = a_service()

    for attempt in (service.provisioning.revocations.revoke_all, service.provisioning.revocations.lift_all):
        with pytest.raises(NotFound, match="no profile"):
            attempt(TAG)
    for before in (-1, NOW * 1000):
        with pytest.raises(Invalid, match="not negative and not in milliseconds"):
            service.provisioning.revocations.revoke_all(TAG, before=before)
    assert service.tables.rows == {}


def test_a_token_of_others_is_revoked_by_its_id_as_well() -> None:
    service = a_service_with_a_login()
    token = a_token(jti="theirs")
    assert service.verdict(token) is None

    service.provisioning.revocations.revoke(TAG, "theirs")

    assert service.verdict(token) is Reason.REVOKED_TOKEN
