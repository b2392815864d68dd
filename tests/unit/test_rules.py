"""The rules about rows and claims at their bounds, where one comparison decides."""

from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from auth_jwt.errors import Denied, Reason
from auth_jwt.jose.tokens import HeaderRules, unverified_jws
from auth_jwt.models import MAX_JTI_BYTES, Columns, Policy, Report, Secret, TagRows
from auth_jwt.rules import (
    check_audience,
    check_claims,
    check_times,
    ever_opens,
    expires_at,
    has_ended,
    newest_first,
    obstacle_to,
    open_secrets,
    token_id,
)
from tests.factories import HMAC_KEY, NOW, a_jwks, a_token, an_oct_jwk
from tests.fakes import natural

A_MINUTE = 60


def a_secret(
    id: str = "1",  # noqa: A002 - the column
    start_ts: object = NOW,
    end_ts: object = NOW + A_MINUTE,
    **more: object,
) -> Secret:
    row = {"id": id, "secret": HMAC_KEY, "alg": "HS256", "start_ts": start_ts, "end_ts": end_ts, **more}
    return Secret.from_row(natural(row), Columns())


def denial(check: Callable[[], object]) -> Reason | None:
    try:
        check()
    except Denied as denied:
        return denied.reason
    return None


class TestAWindow:
    @pytest.mark.parametrize(("now", "ended"), [(NOW + A_MINUTE - 1, False), (NOW + A_MINUTE, True)])
    def test_ends_at_its_end(self, now: int, ended: bool) -> None:
        assert has_ended(a_secret(), now) is ended
        assert a_secret().is_open(now) is not ended

    def test_without_an_end_has_not_ended(self) -> None:
        assert not has_ended(a_secret(end_ts=None), NOW)

    @pytest.mark.parametrize(
        ("start", "end", "opens"),
        [
            pytest.param(NOW, NOW + 1, True, id="a second"),
            pytest.param(NOW, NOW, False, id="empty"),
            pytest.param(NOW + 1, NOW, False, id="turned round"),
            pytest.param(None, NOW, False, id="no start"),
            pytest.param(NOW, None, False, id="no end"),
        ],
    )
    def test_opens_at_some_time_unless_it_is_empty(self, start: object, end: object, opens: bool) -> None:
        assert ever_opens(a_secret(start_ts=start, end_ts=end)) is opens


class TestSecretsOfATag:
    def test_are_tried_as_many_as_are_allowed(self) -> None:
        rows, report = TagRows(None, tuple(a_secret(id) for id in "123")), Report()  # noqa: A001 - the column

        assert [secret.id for secret in open_secrets(rows, NOW, 3, report)] == ["1", "2", "3"]
        assert not report.left_out

    def test_that_opened_first_are_left_out(self) -> None:
        rows, report = TagRows(None, (a_secret("1", NOW - 1), a_secret("2"), a_secret("3", NOW - 2))), Report()

        assert [secret.id for secret in open_secrets(rows, NOW, 2, report)] == ["2", "1"]
        assert report.left_out == ["3"]

    def test_of_one_start_are_ordered_by_their_ids(self) -> None:
        secrets = [a_secret("a"), a_secret("c"), a_secret("b", NOW + 1), a_secret("e", None), a_secret("d", 1)]

        assert [secret.id for secret in newest_first(secrets)] == ["b", "c", "a", "d", "e"]


class TestWhatKeepsASecretFromBeingTried:
    """Of keys that fit, one that is long enough is enough."""

    @pytest.mark.parametrize(
        ("keys", "obstacle"),
        [
            ((b"forty octets, which are enough for HS256.", HMAC_KEY.encode()), None),
            ((b"forty octets, which are enough for HS256.",), "size"),
        ],
        ids=["one of two is too short", "all are too short"],
    )
    def test_is_the_size_of_all_its_keys(self, keys: tuple[bytes, ...], obstacle: str | None) -> None:
        secret = a_secret(secret=a_jwks(*map(an_oct_jwk, keys)), alg="HS512")
        jws = unverified_jws(a_token(alg="HS512"), HeaderRules(), max_bytes=4096)

        assert obstacle_to(secret, jws, None) == obstacle


class TestTimes:
    """`exp`, `nbf` and `iat` with a leeway of five seconds."""

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"exp": NOW - 4}, None),
            ({"exp": NOW - 5}, Reason.TOKEN_EXPIRED),
            ({"nbf": NOW + 5}, None),
            ({"nbf": NOW + 6}, Reason.TOKEN_NOT_YET_VALID),
            ({"iat": NOW + 5}, None),
            ({"iat": NOW + 6}, Reason.TOKEN_NOT_YET_VALID),
            ({"nbf": True}, Reason.MALFORMED_CLAIM),
            ({}, None),
        ],
        ids=str,
    )
    def test_hold_to_the_second(self, claims: dict[str, Any], reason: Reason | None) -> None:
        assert denial(lambda: check_times(claims, 5, NOW)) is reason

    def test_without_exp_never_end(self) -> None:
        assert check_times({}, 5, NOW) == inf
        assert check_times({"exp": NOW}, 5, NOW) == NOW + 5

    @pytest.mark.parametrize(("issued", "reason"), [(NOW - 65, None), (NOW - 66, Reason.TOKEN_TOO_OLD)])
    def test_of_issue_say_how_old_a_token_is(self, issued: int, reason: Reason | None) -> None:
        policy = Policy(max_token_age_seconds=A_MINUTE, leeway_seconds=5)

        assert denial(lambda: check_claims({"iat": issued}, policy, NOW)) is reason

    def test_end_with_the_first_that_ends(self) -> None:
        policy = Policy(max_token_age_seconds=A_MINUTE, leeway_seconds=5)

        assert check_claims({"iat": NOW, "exp": NOW + 30}, policy, NOW) == NOW + 35
        assert check_claims({"iat": NOW, "exp": NOW + 90}, policy, NOW) == NOW + 65
        assert expires_at(NOW + 35, a_secret()) == NOW + 35
        assert expires_at(NOW + 90.5, a_secret()) == NOW + A_MINUTE
        assert expires_at(NOW + 90.5, a_secret(end_ts=None)) == NOW + 90


class TestNames:
    @pytest.mark.parametrize(
        ("jti", "reason"),
        [
            ("j", None),
            ("", Reason.MISSING_CLAIM),
            (7, Reason.MISSING_CLAIM),
            ("j" * MAX_JTI_BYTES, None),
            ("j" * (MAX_JTI_BYTES + 1), Reason.MALFORMED_CLAIM),
            ("é" * (MAX_JTI_BYTES // 2 + 1), Reason.MALFORMED_CLAIM),
        ],
        ids=["one letter", "empty", "number", "longest", "one octet more", "longer in octets than in letters"],
    )
    def test_of_a_token_fit_into_the_table_of_revoked_ones(self, jti: object, reason: Reason | None) -> None:
        assert denial(lambda: token_id({"jti": jti})) is reason

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"aud": "sip"}, None),
            ({"aud": ["web", "sip"]}, None),
            ({"aud": "web"}, Reason.WRONG_AUDIENCE),
            ({"aud": []}, Reason.WRONG_AUDIENCE),
            ({"aud": ["sip", 7]}, Reason.MALFORMED_CLAIM),
            ({"aud": {"sip": 1}}, Reason.MALFORMED_CLAIM),
            ({"aud": None}, Reason.MALFORMED_CLAIM),
            ({}, Reason.MISSING_CLAIM),
        ],
        ids=str,
    )
    def test_of_audiences_are_one_text_or_a_list_of_texts(self, claims: dict[str, Any], reason: Reason | None) -> None:
        assert denial(lambda: check_audience(claims, ("sip",))) is reason

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"iss": "a"}, None),
            ({"iss": "A"}, Reason.WRONG_ISSUER),
            ({"iss": ["a"]}, Reason.MALFORMED_CLAIM),
            ({}, Reason.MISSING_CLAIM),
        ],
        ids=str,
    )
    def test_of_issuers_are_texts(self, claims: dict[str, Any], reason: Reason | None) -> None:
        policy = Policy(issuers=("a", "b"), enforce_time_claims=False)

        assert denial(lambda: check_claims(claims, policy, NOW)) is reason
