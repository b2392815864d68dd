"""Windows and claims: exactly at their boundaries, whatever the numbers. Fractions are the oracle: they never round."""

from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from auth_jwt.errors import Reason
from auth_jwt.models import MAX_JTI_BYTES, Policy, Secret
from auth_jwt.rules import check_claims
from tests.factories import HMAC_KEY, NOW, a_revocation, a_secret, a_token, an_authorizer, verdict
from tests.strategies import BOUNDS, INSTANTS

IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20).flatmap(
    lambda text: st.sampled_from([text, text.ljust(MAX_JTI_BYTES, "x"), text.ljust(MAX_JTI_BYTES + 1, "x")])
)
LEEWAYS = st.sampled_from([0, 1, 2, 60]) | st.integers(0, 2**31)


@given(BOUNDS, BOUNDS, INSTANTS)
def test_a_window_is_open_from_its_start_until_before_its_end(start: Decimal, end: Decimal, now: float) -> None:
    is_open = Secret("1", HMAC_KEY, start, end).is_open(now)

    assert is_open is (Fraction(start) <= Fraction(now) < Fraction(end))


@given(BOUNDS, INSTANTS)
def test_windows_that_meet_leave_neither_gap_nor_overlap(seam: Decimal, now: float) -> None:
    wide = Decimal("1E+125")
    windows = [Secret("old", HMAC_KEY, -wide, seam), Secret("new", HMAC_KEY, seam, wide)]

    assert [window.is_open(now) for window in windows].count(True) == 1


def reason(claims: dict[str, object], now: float, policy: Policy) -> Reason | None:
    return verdict(lambda: check_claims(claims, policy, now))


@given(INSTANTS, INSTANTS, LEEWAYS)
def test_exp_refuses_from_its_second_on(exp: float, now: float, leeway: int) -> None:
    expired = Fraction(now) >= Fraction(exp) + leeway

    assert reason({"exp": exp}, now, Policy(leeway_seconds=leeway)) is (Reason.TOKEN_EXPIRED if expired else None)


@given(st.sampled_from(["nbf", "iat"]), INSTANTS, INSTANTS, LEEWAYS)
def test_nbf_and_iat_refuse_until_their_second(name: str, begin: float, now: float, leeway: int) -> None:
    early = Fraction(now) < Fraction(begin) - leeway

    assert reason({name: begin}, now, Policy(leeway_seconds=leeway)) is (Reason.TOKEN_NOT_YET_VALID if early else None)


@given(INSTANTS, INSTANTS, LEEWAYS, st.integers(0, 10))
def test_a_token_is_too_old_beyond_its_age_and_the_leeway(iat: float, now: float, leeway: int, age: int) -> None:
    policy = Policy(max_token_age_seconds=age, leeway_seconds=leeway, enforce_time_claims=False)
    too_old = Fraction(now) - Fraction(iat) > age + leeway

    assert reason({"iat": iat}, now, policy) is (Reason.TOKEN_TOO_OLD if too_old else None)


@given(INSTANTS, INSTANTS, BOUNDS, LEEWAYS, st.none() | st.integers(0, 10), st.booleans())
def test_no_answer_outlives_what_let_it_in(
    exp: float, iat: float, end: Decimal, leeway: int, age: int | None, enforced: bool
) -> None:
    """`expires_at` is the earliest end, rounded down; after it the same token is refused, and not before."""
    rules: dict[str, Any] = {"leeway_seconds": leeway, "max_token_age_seconds": age, "enforce_time_claims": enforced}
    authorizer = an_authorizer(a_secret(end_ts=end), **rules)
    token = a_token(exp=exp, iat=iat)
    assume(verdict(lambda: authorizer.authorize(token)) is None)
    ends = [Fraction(end)]
    if enforced:
        ends.append(Fraction(exp) + leeway)
    if age is not None:
        ends.append(Fraction(iat) + age + leeway)

    assert authorizer.authorize(token).expires_at == floor(min(ends)) >= NOW


@given(INSTANTS, INSTANTS)
def test_a_token_is_revoked_when_issued_before_the_profiles_second(valid_after: float, iat: float) -> None:
    authorizer = an_authorizer(
        profiles=[{"tag": "t1", "sip_username": "alice", "tokens_valid_after": Decimal(valid_after)}],
        enforce_time_claims=False,
    )
    revoked = Fraction(valid_after) > Fraction(iat)

    assert verdict(lambda: authorizer.authorize(a_token(iat=iat))) is (Reason.REVOKED_TOKEN if revoked else None)


@given(IDS, st.lists(IDS, max_size=3), st.integers(0, 3))
def test_a_token_is_revoked_when_its_very_id_is_listed(jti: str, others: list[str], place: int) -> None:
    listed = [*others[:place], jti, *others[place:]]
    token = a_token(jti=jti)

    for rows in (listed, others):
        authorizer = an_authorizer(revocations=[a_revocation(jti=row) for row in rows])
        expected = Reason.REVOKED_TOKEN if jti in rows else None
        if len(jti.encode()) > MAX_JTI_BYTES:
            expected = Reason.MALFORMED_CLAIM
        assert verdict(lambda: authorizer.authorize(token)) is expected  # noqa: B023


@given(st.integers(1, 100), st.integers(1, 100))
def test_an_hmac_key_is_usable_from_its_least_length_on(length: int, least: int) -> None:
    key = "k" * length
    authorizer = an_authorizer(a_secret(key), min_hmac_key_bytes=least)

    assert verdict(lambda: authorizer.authorize(a_token(key=key))) is (
        None if length >= least else Reason.BAD_SIGNATURE
    )
