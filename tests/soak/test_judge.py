"""The judge of `make soak` catches what it is there for, and lets what the contract leaves open pass."""

import json
from collections.abc import Mapping, Sequence
from math import inf

import pytest

from tests.factories import HMAC_KEY, NOW, StoredRow, a_jwk, a_profile, a_secret, a_token
from tests.issuers import ISSUER, KID, SUBJECT, a_login_token, keys_rows
from tests.model.decision import Allowed, Tables, decide
from tests.soak.issued import issued_token, outcome_of_issued
from tests.soak.journal import History, Rows
from tests.soak.judge import AFTERMATH_SECONDS, Exchange, Excuse, Judge, Violation

TTL, STALE = 2.0, 6.0
SETTINGS = {"CACHE_TTL_SECONDS": "2", "STALE_IF_ERROR_SECONDS": "6", "REVOCATIONS_TABLE": "jwt_revocations"}
CHANGED = NOW + 100.0
"""When the rows change, in the tests in which they do."""
TOKEN = a_token(jti="j1", iat=NOW, exp=NOW + 3600)
ALLOWED_UNTIL = NOW + 3600


def rows(*, profile: StoredRow | None = None, secrets: Sequence[StoredRow] | None = None, revoked: str = "") -> Rows:
    """The rows of one user."""
    return Rows(
        {"t1": a_profile() if profile is None else profile} if profile != {} else {},
        {"t1": [a_secret(end_ts=NOW + 7200)] if secrets is None else secrets},
        frozenset({("t1", revoked)} if revoked else ()),
    )


GOOD = rows()
ENDS_OF_ACCESS: Mapping[str, Rows] = {
    "the token was revoked": rows(revoked="j1"),
    "all tokens were revoked": rows(profile=a_profile(tokens_valid_after=NOW + 1)),
    "the user was disabled": rows(profile=a_profile(disabled=True)),
    "the profile was deleted": rows(profile={}),
    "the secret was deleted": rows(secrets=[]),
    "the secret was closed": rows(secrets=[a_secret(end_ts=NOW + 1)]),
    "the key was replaced": rows(secrets=[a_secret("another key of thirty-two bytes, or more")]),
}


def a_judge(*states: tuple[float, Rows], excuses: Sequence[Excuse] = ()) -> Judge:
    """A judge who knows these rows, each written at a time; without any, those of a good user."""
    history = History()
    for at, state in states or ((0.0, GOOD),):
        history.note(at, at, state)
    return Judge(history, SETTINGS, lambda: excuses)


def an_exchange(status: int | None, at: float = CHANGED, *, body: object = None, token: str = TOKEN) -> Exchange:
    """An answer that came at once."""
    if body is None:
        body = {"instance": "urn:request:1", **({"code": -1} if status in (401, 403) else {})}
    return Exchange("a user's token", token, at, at, status, json.dumps(body).encode())


def let_in(at: float, **changed: object) -> Exchange:
    """The answer that lets the user of `GOOD` in."""
    [outcome] = decide(SETTINGS, Tables(GOOD.profiles, GOOD.secrets, GOOD.revocations), TOKEN, NOW)
    assert isinstance(outcome, Allowed)
    body = {"code": 1, "sip_username": outcome.sip_username, "decoded_token": outcome.decoded_token, "credentials": {}}
    return an_exchange(200, at, body={**body, "expires_at": ALLOWED_UNTIL, **changed})


OUTAGE = Excuse(CHANGED - 1, inf, "refused")


class TestAnAllow:
    @pytest.mark.parametrize("after", ENDS_OF_ACCESS.values(), ids=ENDS_OF_ACCESS)
    def test_is_wrong_as_soon_as_memory_has_to_know(self, after: Rows) -> None:
        judge = a_judge((0.0, GOOD), (CHANGED, after))

        assert judge.judge(let_in(CHANGED + TTL)) is None
        assert judge.judge(let_in(CHANGED + TTL + 0.1)) is not None

    @pytest.mark.parametrize("after", ENDS_OF_ACCESS.values(), ids=ENDS_OF_ACCESS)
    def test_by_stale_rows_is_right_in_an_outage_and_not_a_second_longer(self, after: Rows) -> None:
        judge = a_judge((0.0, GOOD), (CHANGED, after), excuses=[OUTAGE])

        assert judge.judge(let_in(CHANGED + TTL + STALE)) is None
        assert judge.judge(let_in(CHANGED + TTL + STALE + 0.1)) is not None

    def test_before_there_was_a_secret_is_wrong(self) -> None:
        judge = a_judge((0.0, rows(secrets=[])), (CHANGED, GOOD))

        assert judge.judge(let_in(CHANGED - 0.1)) is not None
        assert judge.judge(let_in(CHANGED)) is None

    @pytest.mark.parametrize(
        "changed",
        [
            {"sip_username": "bob"},
            {"expires_at": ALLOWED_UNTIL + 1},
            {"credentials": {"a": "b"}},
            {"decoded_token": ""},
        ],
        ids=str,
    )
    def test_that_says_something_else_is_wrong(self, changed: Mapping[str, object]) -> None:
        assert a_judge().judge(let_in(CHANGED)) is None
        assert a_judge().judge(let_in(CHANGED, **changed)) is not None

    def test_of_an_expired_token_is_wrong(self) -> None:
        assert a_judge().judge(let_in(ALLOWED_UNTIL - 0.1)) is None
        assert a_judge().judge(let_in(float(ALLOWED_UNTIL))) is not None


class TestADenial:
    def test_of_a_good_user_is_wrong(self) -> None:
        assert a_judge().judge(an_exchange(401)) is not None

    def test_of_a_good_user_is_wrong_while_the_tables_fail(self) -> None:
        assert a_judge(excuses=[OUTAGE]).judge(an_exchange(401)) is not None

    def test_is_right_for_as_long_as_older_rows_may_be_remembered(self) -> None:
        judge = a_judge((0.0, rows(profile=a_profile(disabled=True))), (CHANGED, GOOD))

        assert judge.judge(an_exchange(401, CHANGED + TTL)) is None
        assert judge.judge(an_exchange(401, CHANGED + TTL + 0.1)) is not None

    def test_for_another_reason_than_the_model_has_is_wrong(self) -> None:
        judge = a_judge((0.0, rows(revoked="j1")))

        assert judge.judge(an_exchange(401), "revoked_token") is None
        assert judge.judge(an_exchange(401), "bad_signature") is not None

    def test_by_403_is_for_another_user_alone(self) -> None:
        judge = a_judge((0.0, rows(revoked="j1")))

        assert judge.judge(an_exchange(401)) is None
        assert judge.judge(an_exchange(403)) is not None

    def test_without_a_code_is_none(self) -> None:
        judge = a_judge((0.0, rows(revoked="j1")))

        assert judge.judge(an_exchange(401, body={"instance": "urn:request:1"})) is not None

    def test_of_a_forger_is_right(self) -> None:
        forged = a_token(jti="j1", key="x" * 64)

        assert a_judge().judge(an_exchange(401, token=forged), "bad_signature") is None
        assert a_judge().judge(an_exchange(200, token=forged)) is not None


class TestAFault:
    def test_without_a_fault_is_wrong(self) -> None:
        assert a_judge().judge(an_exchange(503)) is not None

    def test_is_right_while_a_fault_is_on_and_a_while_after_it(self) -> None:
        judge = a_judge(excuses=[Excuse(CHANGED, CHANGED + 5, "refused")])

        assert judge.judge(an_exchange(503, CHANGED - 0.1)) is not None
        assert judge.judge(an_exchange(503, CHANGED)) is None
        assert judge.judge(an_exchange(503, CHANGED + 5 + AFTERMATH_SECONDS)) is None
        assert judge.judge(an_exchange(503, CHANGED + 5 + AFTERMATH_SECONDS + 0.1)) is not None

    def test_that_asks_for_an_operator_is_right_where_one_has_to_act(self) -> None:
        away, denied = Excuse(0.0, inf, "refused"), Excuse(0.0, inf, "AccessDeniedException", is_final=True)

        assert a_judge(excuses=[away]).judge(an_exchange(500)) is not None
        assert a_judge(excuses=[denied]).judge(an_exchange(500)) is None


class TestAnyAnswer:
    @pytest.mark.parametrize("status", [None, 200, 302, 400, 404, 413, 502])
    def test_that_is_no_verdict_is_wrong(self, status: int | None) -> None:
        assert a_judge(excuses=[OUTAGE]).judge(an_exchange(status)) is not None

    def test_that_is_wrong_is_reported_without_token_and_key(self) -> None:
        violation = a_judge().judge(an_exchange(401), "bad_signature")

        assert violation == Violation(
            "a user's token", CHANGED, f"let in as alice until {ALLOWED_UNTIL}", "status 401, denied (bad_signature)"
        )
        assert TOKEN not in repr(an_exchange(401))
        assert HMAC_KEY not in repr(GOOD)

    def test_to_what_is_no_question_about_a_token_has_its_status(self) -> None:
        judge = a_judge(excuses=[OUTAGE])
        huge = Exchange("a huge body", None, CHANGED, CHANGED, 413, right=(413,))
        write = Exchange("operators: rotate", None, CHANGED, CHANGED, 503, right=(201,), reads_tables=True)

        assert judge.judge(huge) is None
        assert judge.judge(Exchange("a huge body", None, CHANGED, CHANGED, 503, right=(413,))) is not None
        assert judge.judge(write) is None
        assert a_judge().judge(write) is not None


ISSUED = a_login_token(now=NOW, iat=NOW)
ISSUERS_USER = a_profile(tag=f"{ISSUER}#{SUBJECT}")


def issuers_rows(*keys: object, fetched_at: float = NOW, user: StoredRow | None = ISSUERS_USER) -> Rows:
    """The rows of an issuer with these keys, and of its user."""
    return Rows({} if user is None else {str(user["tag"]): user}, {ISSUER: keys_rows(*keys, fetched_at=fetched_at)})


PUBLISHED = issuers_rows()
GONE = issuers_rows(a_jwk("p256", kid="another"), fetched_at=CHANGED)


class TestATokenOfAnIssuer:
    """It is judged by the issuer's keys, as they are in the tables."""

    def _judge(self, *states: tuple[float, Rows]) -> Judge:
        history = History()
        for at, state in states:
            history.note(at, at, state)
        return Judge(history, SETTINGS, issuer=ISSUER)

    def _let_in(self, at: float) -> Exchange:
        token = issued_token(ISSUED, ISSUER)
        assert token is not None
        outcome = outcome_of_issued(token, PUBLISHED.secrets[ISSUER], ISSUERS_USER, NOW)
        assert isinstance(outcome, Allowed)
        body = {"code": 1, "sip_username": "alice", "decoded_token": outcome.decoded_token, "expires_at": NOW + 300}
        return an_exchange(200, at, body=body, token=ISSUED)

    def _deferred(self, at: float) -> Exchange:
        body = {"type": "urn:auth-jwt:key-not-fetched-yet", "instance": "urn:request:1"}
        return an_exchange(503, at, body=body, token=ISSUED)

    @pytest.mark.parametrize(
        "after",
        [GONE, issuers_rows(user=None), issuers_rows(user={**ISSUERS_USER, "disabled": True})],
        ids=["the key is gone", "the user is gone", "the user is disabled"],
    )
    def test_that_may_not_be_let_in_any_more(self, after: Rows) -> None:
        judge = self._judge((0.0, PUBLISHED), (CHANGED, after))

        assert judge.judge(self._let_in(CHANGED + TTL)) is None
        assert judge.judge(self._let_in(CHANGED + TTL + 0.1)) is not None

    def test_of_a_key_that_is_there_is_neither_denied_nor_deferred(self) -> None:
        judge = self._judge((0.0, PUBLISHED))

        assert judge.judge(an_exchange(401, token=ISSUED), "unknown_key") is not None
        assert judge.judge(self._deferred(CHANGED)) is not None

    @pytest.mark.parametrize(("fetched_at", "is_new"), [(NOW + 59, True), (NOW + 60, False)])
    def test_of_a_key_that_is_not_there_is_deferred_if_it_is_new(self, fetched_at: float, is_new: bool) -> None:
        judge = self._judge((0.0, issuers_rows(a_jwk("p256", kid="another"), fetched_at=fetched_at)))

        assert (judge.judge(self._deferred(CHANGED)) is None) is is_new
        assert (judge.judge(an_exchange(401, token=ISSUED), "unknown_key") is None) is not is_new

    def test_of_the_id_of_another_key_is_denied(self) -> None:
        judge = self._judge((0.0, issuers_rows(a_jwk("rsa_2048_other", kid=KID))))

        assert judge.judge(an_exchange(401, token=ISSUED), "bad_signature") is None
        assert judge.judge(self._let_in(CHANGED)) is not None
