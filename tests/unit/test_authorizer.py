"""The spine: the order of its steps, windows, profile, revocation, identity, and the result."""

import inspect
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.authorizer import MAX_SCRIPT_KEYS, Authorizer
from auth_jwt.credentials import Credential
from auth_jwt.errors import Fault, Reason, Unreachable
from auth_jwt.jose.tokens import HeaderRules
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import Policy, Report
from tests.factories import (
    HMAC_KEY,
    JTI,
    NOW,
    TAG,
    StoredRow,
    a_jwk,
    a_jwks,
    a_private_key,
    a_profile,
    a_revocation,
    a_secret,
    a_token,
    an_authorizer,
    an_oct_jwk,
    certificate_pem,
    private_pem,
    public_pem,
    refusal,
    verdict,
    without,
)
from tests.fakes import Clock, MemoryStore

OTHER_KEY = HMAC_KEY.upper()


# -- the result -------------------------------------------------------------------------------------------------------


def test_a_good_token_speaks_for_its_profile() -> None:
    asked = (Credential("ha1", "password_ha1"), Credential("level", "level"))
    authorizer = an_authorizer(profiles=[a_profile(password_ha1="x", level=7)], credentials=asked)

    answer = authorizer.authorize(a_token(exp=NOW + 60))

    assert answer.sip_username == "alice"
    assert answer.decoded_token == f'{{"alg":"HS256","typ":"JWT"}}.{{"exp":{NOW + 60},"tag":"t1"}}'
    assert answer.credentials == {"ha1": "x", "level": Decimal(7)}
    assert answer.expires_at == NOW + 60


def test_an_answer_shows_neither_token_nor_credentials() -> None:
    authorizer = an_authorizer(profiles=[a_profile(ha1="hunter2")], credentials=(Credential("ha1", "ha1"),))

    shown = "Authorized(sip_username='alice', expires_at=1800003600, sip_domain=None)"
    assert repr(authorizer.authorize(a_token(x="hunter2"))) == shown


def test_a_report_tells_what_was_seen_on_the_way() -> None:
    report = Report()
    asked = (Credential("odd", "odd"), Credential("fine", "fine"))
    authorizer = an_authorizer(
        a_secret("", id="a"), a_secret(id="b"), profiles=[a_profile(odd=[1], fine="x")], credentials=asked
    )

    authorizer.authorize(a_token(), report=report)

    assert report == Report(
        tag=TAG,
        algorithm="HS256",
        origin="table",
        secret_id="b",
        unusable_secrets={"a": "empty: empty"},
        unusable_credentials=("odd",),
    )


@pytest.mark.parametrize(
    ("token", "seen"),
    [
        pytest.param("a.b", Report(), id="no token"),
        pytest.param(a_token(tag=""), Report(algorithm="HS256"), id="no tag"),
        pytest.param(a_token(tag="t2"), Report(algorithm="HS256", tag="t2", origin="table"), id="unknown tag"),
        pytest.param(
            a_token(exp=0), Report(algorithm="HS256", tag=TAG, origin="table", secret_id="1"), id="signed, but expired"
        ),
    ],
)
def test_a_report_goes_as_far_as_the_decision_went(token: str, seen: Report) -> None:
    report = Report()
    refusal(lambda: an_authorizer().authorize(token, report=report))

    assert report == seen


# -- order ------------------------------------------------------------------------------------------------------------


def test_the_steps_come_in_their_order() -> None:
    """A request that breaks every rule is mended step by step; each reason appears as the contract orders them."""
    good = a_token(key=OTHER_KEY, iat=NOW)
    closed, opened = a_secret(end_ts=NOW), a_secret()
    profile = a_profile(sip_username="", disabled=True, tokens_valid_after=NOW + 1, sip_domain="other.example")
    usable = {"sip_username": "alice", "disabled": False}
    in_time = profile | usable | {"tokens_valid_after": NOW}
    named = a_token(key=OTHER_KEY, iat=NOW, jti=JTI)
    mended: list[tuple[str, list[StoredRow], list[StoredRow], Reason | None]] = [
        ("no token", [], [], Reason.MALFORMED_TOKEN),
        (a_token(key=OTHER_KEY, payload=b"{", header={"alg": "x"}), [], [], Reason.UNSUPPORTED_ALGORITHM),
        (a_token(key=OTHER_KEY, payload=b"{"), [], [], Reason.MALFORMED_TOKEN),
        (a_token(key=OTHER_KEY, payload={"exp": 0}), [], [], Reason.MISSING_TAG),
        (a_token(key=OTHER_KEY, exp=0), [], [], Reason.UNKNOWN_TAG),
        (a_token(key=OTHER_KEY, exp=0), [closed], [], Reason.NO_ACTIVE_SECRET),
        (a_token(key=OTHER_KEY, exp=0), [opened], [], Reason.BAD_SIGNATURE),
        (a_token(key=HMAC_KEY, exp=0, iat=NOW), [opened], [], Reason.TOKEN_EXPIRED),
        (good, [a_secret(OTHER_KEY)], [], Reason.UNKNOWN_PROFILE),
        (good, [a_secret(OTHER_KEY)], [profile], Reason.INCOMPLETE_PROFILE),
        (good, [a_secret(OTHER_KEY)], [profile | {"sip_username": "alice"}], Reason.DISABLED_PROFILE),
        (good, [a_secret(OTHER_KEY)], [profile | usable], Reason.REVOKED_TOKEN),
        (good, [a_secret(OTHER_KEY)], [in_time], Reason.MISSING_CLAIM),
        (named, [a_secret(OTHER_KEY)], [in_time], Reason.REVOKED_TOKEN),
    ]

    for token, secrets, profiles, reason in mended:
        authorizer = an_authorizer(store=MemoryStore(profiles, secrets), revocations=[a_revocation()])
        assert verdict(lambda: authorizer.authorize(token, from_user="bob", from_domain="x")) is reason  # noqa: B023
    authorizer = an_authorizer(store=MemoryStore([in_time], [a_secret(OTHER_KEY)]), revocations=[])
    assert refusal(lambda: authorizer.authorize(named, from_user="bob", from_domain="x")) is Reason.USERNAME_MISMATCH
    assert refusal(lambda: authorizer.authorize(named, from_user="alice", from_domain="x")) is Reason.DOMAIN_MISMATCH
    assert authorizer.authorize(named, from_user="alice", from_domain="other.example").sip_username == "alice"


@pytest.mark.parametrize("token", [None, "a.b", a_token(payload=b"[]"), a_token(tag=7)], ids=["1", "2", "3", "4"])
def test_no_table_is_read_for_a_token_that_names_no_tag(token: object) -> None:
    store = MemoryStore()
    refusal(lambda: an_authorizer(store=store).authorize(token))

    assert store.reads == []


def test_the_policy_rules_the_gate_and_the_header() -> None:
    token = a_token()

    assert an_authorizer(max_token_bytes=len(token)).authorize(token)
    short = an_authorizer(max_token_bytes=len(token) - 1)
    assert refusal(lambda: short.authorize(token)) is Reason.MALFORMED_TOKEN
    strict = an_authorizer(header=HeaderRules(algorithms=frozenset({"HS512"})))
    assert refusal(lambda: strict.authorize(token)) is Reason.UNSUPPORTED_ALGORITHM
    lax = an_authorizer(header=HeaderRules(types=frozenset({"jws"})))
    assert refusal(lambda: lax.authorize(token)) is Reason.UNSUPPORTED_TYPE
    named = an_authorizer(tag_claim="tenant")
    assert named.authorize(a_token(tag="t9", tenant="t1")).sip_username == "alice"
    sized = an_authorizer(a_secret("short"), min_hmac_key_bytes=5)
    assert sized.authorize(a_token(key="short")).sip_username == "alice"


def test_a_tag_is_compared_exactly() -> None:
    for tag in ("T1", "t1 ", " t1", "t", "t11", "ｔ1", "t1\ufeff"):  # noqa: RUF001
        assert refusal(lambda tag=tag: an_authorizer().authorize(a_token(tag=tag))) is Reason.UNKNOWN_TAG  # type: ignore[misc]


# -- windows ----------------------------------------------------------------------------------------------------------

CLOSED = Reason.NO_ACTIVE_SECRET


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        pytest.param(NOW, NOW + 1, None, id="start is included"),
        pytest.param(NOW + 1, NOW + 2, CLOSED, id="starts in a second"),
        pytest.param(NOW - 1, NOW + 1, None, id="open"),
        pytest.param(NOW - 1, NOW, CLOSED, id="end is excluded"),
        pytest.param(NOW - 2, NOW - 1, CLOSED, id="ended a second ago"),
        pytest.param(NOW, NOW, CLOSED, id="empty"),
        pytest.param(NOW + 1, NOW - 1, CLOSED, id="inverted"),
        pytest.param(Decimal("1799999999.999999999"), Decimal("1800000000.000000001"), None, id="a nanosecond around"),
        pytest.param(Decimal("1800000000.000000001"), NOW + 9, CLOSED, id="starts in a nanosecond"),
        pytest.param(NOW - 9, Decimal("1799999999.999999999"), CLOSED, id="ended a nanosecond ago"),
        pytest.param(NOW - 9, Decimal("1800000000.000000001"), None, id="ends in a nanosecond"),
        pytest.param(-1, 2**40, None, id="before 1970 to far away"),
        pytest.param(Decimal("-1E+125"), Decimal("1E+125"), None, id="as wide as a table can say"),
        pytest.param(0, 0, CLOSED, id="zeros"),
        pytest.param(None, NOW + 9, CLOSED, id="start is NULL"),
        pytest.param(NOW - 9, None, CLOSED, id="end is NULL"),
        pytest.param(str(NOW - 9), NOW + 9, CLOSED, id="start is text"),
        pytest.param(NOW - 9, str(NOW + 9), CLOSED, id="end is text"),
        pytest.param(False, NOW + 9, CLOSED, id="start is a boolean"),
        pytest.param(NOW - 9, True, CLOSED, id="end is a boolean"),
        pytest.param([NOW - 9], {NOW + 9}, CLOSED, id="other types"),
    ],
)
def test_a_secret_counts_while_its_window_is_open(start: object, end: object, reason: Reason | None) -> None:
    authorizer = an_authorizer(a_secret(start_ts=start, end_ts=end))

    assert verdict(lambda: authorizer.authorize(a_token())) is reason


@pytest.mark.parametrize("bound", ["start_ts", "end_ts"])
def test_a_window_without_a_bound_is_never_open(bound: str) -> None:
    authorizer = an_authorizer(without(a_secret(), bound))

    assert refusal(lambda: authorizer.authorize(a_token())) is CLOSED


@pytest.mark.parametrize(
    ("now", "reason"),
    [(NOW - 0.001, CLOSED), (NOW, None), (NOW + 0.999, None), (NOW + 1, CLOSED), (NOW + 1.001, CLOSED)],
)
def test_the_clock_may_stand_between_two_seconds(now: float, reason: Reason | None) -> None:
    authorizer = an_authorizer(a_secret(start_ts=NOW, end_ts=NOW + 1), now=now)

    assert verdict(lambda: authorizer.authorize(a_token())) is reason


def test_a_rotation_has_no_gap() -> None:
    """The old and the new secret both open the door while their windows overlap, each alone outside."""
    old = a_secret(OTHER_KEY, id="old", end_ts=NOW + 10)
    new = a_secret(id="new", start_ts=NOW)
    by_old, by_new = a_token(key=OTHER_KEY), a_token()

    def doors(now: int) -> list[Reason | None]:
        authorizer = an_authorizer(old, new, now=now)
        return [verdict(lambda: authorizer.authorize(by_old)), verdict(lambda: authorizer.authorize(by_new))]

    assert doors(NOW - 1) == [None, Reason.BAD_SIGNATURE]
    assert doors(NOW) == doors(NOW + 9) == [None, None]
    assert doors(NOW + 10) == [Reason.BAD_SIGNATURE, None]


def test_a_closed_secret_verifies_nothing_beside_an_open_one() -> None:
    authorizer = an_authorizer(a_secret(id="a", end_ts=NOW), a_secret(OTHER_KEY, id="b"))

    assert refusal(lambda: authorizer.authorize(a_token())) is Reason.BAD_SIGNATURE


def test_one_instant_rules_windows_and_claims() -> None:
    """The clock is read once a request, however long it takes."""
    ticks = iter([NOW, NOW + 1_000_000])
    authorizer = an_authorizer()
    ticking = Authorizer(memory=authorizer.memory, policy=authorizer.policy, store_seconds=1, clock=lambda: next(ticks))

    assert ticking.authorize(a_token(exp=NOW + 1, nbf=NOW)).sip_username == "alice"


# -- the profile ------------------------------------------------------------------------------------------------------


def test_without_a_profile_the_secret_speaks_for_nobody() -> None:
    assert refusal(lambda: an_authorizer(profiles=[]).authorize(a_token())) is Reason.UNKNOWN_PROFILE


def test_a_profile_without_secrets_is_unknown() -> None:
    store = MemoryStore([a_profile()], [])

    assert refusal(lambda: an_authorizer(store=store).authorize(a_token())) is Reason.UNKNOWN_TAG


@pytest.mark.parametrize("username", ["", None, 7, True, ["alice"], b"alice"], ids=repr)
def test_a_profile_needs_a_username(username: object) -> None:
    authorizer = an_authorizer(profiles=[a_profile(sip_username=username)])

    assert refusal(lambda: authorizer.authorize(a_token())) is Reason.INCOMPLETE_PROFILE


def test_a_profile_needs_the_username_column() -> None:
    authorizer = an_authorizer(profiles=[without(a_profile(), "sip_username")])

    assert refusal(lambda: authorizer.authorize(a_token())) is Reason.INCOMPLETE_PROFILE


@pytest.mark.parametrize("username", [" ", "a lice", "sip:alice@example.com", "ålïcé\n"], ids=ascii)
def test_a_username_is_given_as_it_is(username: str) -> None:
    authorizer = an_authorizer(profiles=[a_profile(sip_username=username)])

    assert authorizer.authorize(a_token()).sip_username == username


@pytest.mark.parametrize("disabled", [False, 0, Decimal("0.0"), Decimal("-0")], ids=repr)
def test_false_and_zero_mean_enabled(disabled: object) -> None:
    assert an_authorizer(profiles=[a_profile(disabled=disabled)]).authorize(a_token()).sip_username == "alice"


@pytest.mark.parametrize(
    "disabled", [True, 1, -1, Decimal("0.1"), "", "0", "false", "no", None, [], {}, b"", {"no"}], ids=repr
)
def test_anything_else_means_disabled(disabled: object) -> None:
    authorizer = an_authorizer(profiles=[a_profile(disabled=disabled)])

    assert refusal(lambda: authorizer.authorize(a_token())) is Reason.DISABLED_PROFILE


# -- revocation -------------------------------------------------------------------------------------------------------

REVOKED = Reason.REVOKED_TOKEN


@pytest.mark.parametrize(
    ("valid_after", "iat", "reason"),
    [
        pytest.param(NOW - 9, NOW - 9, None, id="issued at that second"),
        pytest.param(NOW - 9, NOW - 8, None, id="issued a second later"),
        pytest.param(NOW - 9, NOW - 10, REVOKED, id="issued a second earlier"),
        pytest.param(NOW - 9, NOW - 9.001, REVOKED, id="issued a millisecond earlier"),
        pytest.param(Decimal("1799999991.5"), NOW - 8.5, None, id="issued at that half second"),
        pytest.param(Decimal("1799999991.5"), NOW - 9, REVOKED, id="issued half a second earlier"),
        pytest.param(0, 0, None, id="zero is a time"),
        pytest.param(NOW + 9, NOW, REVOKED, id="all issued so far"),
        pytest.param(NOW - 9, None, REVOKED, id="iat is null"),
        pytest.param(NOW - 9, str(NOW), REVOKED, id="iat is text"),
        pytest.param(0, True, REVOKED, id="iat is a boolean"),
        pytest.param(str(NOW - 9), NOW, REVOKED, id="the column is text"),
        pytest.param("", NOW, REVOKED, id="the column is empty text"),
        pytest.param(None, NOW, REVOKED, id="the column is NULL"),
        pytest.param(False, NOW, REVOKED, id="the column is a boolean"),
        pytest.param([0], NOW, REVOKED, id="the column is a list"),
    ],
)
def test_tokens_issued_earlier_are_revoked(valid_after: object, iat: object, reason: Reason | None) -> None:
    authorizer = an_authorizer(profiles=[a_profile(tokens_valid_after=valid_after)], enforce_time_claims=False)

    assert verdict(lambda: authorizer.authorize(a_token(iat=iat))) is reason


def test_a_token_that_does_not_say_when_it_was_issued_is_revoked_with_the_others() -> None:
    authorizer = an_authorizer(profiles=[a_profile(tokens_valid_after=0)])

    assert refusal(lambda: authorizer.authorize(a_token())) is REVOKED


def test_without_the_column_nothing_is_revoked() -> None:
    assert an_authorizer().authorize(a_token()).sip_username == "alice"


# -- identity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("from_user", "reason"),
    [
        (None, None),
        ("alice", None),
        ("Alice", Reason.USERNAME_MISMATCH),
        ("alice ", Reason.USERNAME_MISMATCH),
        ("alic", Reason.USERNAME_MISMATCH),
        ("", Reason.USERNAME_MISMATCH),
        ("alíce", Reason.USERNAME_MISMATCH),
    ],
)
def test_from_user_is_the_username_exactly(from_user: str | None, reason: Reason | None) -> None:
    assert verdict(lambda: an_authorizer().authorize(a_token(), from_user=from_user)) is reason


def test_from_user_is_compared_by_its_characters() -> None:
    from_user = json.loads('"al\\u0069ce"')  # equal to what the table holds, and another object

    assert an_authorizer().authorize(a_token(), from_user=from_user).sip_username == "alice"


def test_who_is_asked_about_is_named() -> None:
    """Two strings in a row are too easily swapped."""
    kinds = {p.name: p.kind for p in inspect.signature(Authorizer.authorize).parameters.values()}

    assert kinds["from_user"] is kinds["from_domain"] is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize(
    ("own", "from_domain", "reason"),
    [
        ("example.com", None, None),
        ("example.com", "example.com", None),
        ("Example.COM", "eXAMPLE.com", None),
        ("example.com", "example.org", Reason.DOMAIN_MISMATCH),
        ("example.com", "sip.example.com", Reason.DOMAIN_MISMATCH),
        ("example.com", "example.com.", Reason.DOMAIN_MISMATCH),
        ("example.com", "", Reason.DOMAIN_MISMATCH),
        ("", "", Reason.DOMAIN_MISMATCH),
        (None, None, None),
        (None, "example.com", Reason.DOMAIN_MISMATCH),
        (7, "7", Reason.DOMAIN_MISMATCH),
    ],
)
def test_from_domain_is_the_profiles_in_any_case(own: object, from_domain: str | None, reason: Reason | None) -> None:
    authorizer = an_authorizer(profiles=[a_profile(sip_domain=own)])

    assert verdict(lambda: authorizer.authorize(a_token(), from_domain=from_domain)) is reason


@pytest.mark.parametrize("from_domain", ["", "example.com"])
def test_a_profile_without_a_domain_fits_none(from_domain: str) -> None:
    assert refusal(lambda: an_authorizer().authorize(a_token(), from_domain=from_domain)) is Reason.DOMAIN_MISMATCH


# -- expires_at -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "end", "rules", "expires_at"),
    [
        pytest.param({}, NOW + 50, {}, NOW + 50, id="the window alone"),
        pytest.param({"exp": NOW + 40}, NOW + 50, {}, NOW + 40, id="exp comes first"),
        pytest.param({"exp": NOW + 60}, NOW + 50, {}, NOW + 50, id="the window ends first"),
        pytest.param({"exp": NOW + 40}, NOW + 50, {"leeway_seconds": 5}, NOW + 45, id="exp and its leeway"),
        pytest.param({"exp": NOW + 46}, NOW + 50, {"leeway_seconds": 5}, NOW + 50, id="the leeway passes the window"),
        pytest.param({"exp": NOW + 40}, NOW + 50, {"enforce_time_claims": False}, NOW + 50, id="exp not enforced"),
        pytest.param({"exp": "x"}, NOW + 50, {"enforce_time_claims": False}, NOW + 50, id="exp not even a number"),
        pytest.param({"iat": NOW}, NOW + 50, {}, NOW + 50, id="iat without an age limit"),
        pytest.param({"iat": NOW - 9}, NOW + 50, {"max_token_age_seconds": 30}, NOW + 21, id="too old first"),
        pytest.param(
            {"iat": NOW - 9},
            NOW + 50,
            {"max_token_age_seconds": 30, "leeway_seconds": 5},
            NOW + 26,
            id="too old first, with leeway",
        ),
        pytest.param(
            {"iat": NOW - 9},
            NOW + 50,
            {"max_token_age_seconds": 30, "enforce_time_claims": False},
            NOW + 21,
            id="too old first, time claims off",
        ),
        pytest.param(
            {"exp": NOW + 10, "iat": NOW}, NOW + 50, {"max_token_age_seconds": 30}, NOW + 10, id="exp before too old"
        ),
        pytest.param({"iat": NOW}, NOW + 20, {"max_token_age_seconds": 30}, NOW + 20, id="the window before too old"),
        pytest.param({"exp": NOW + 40.9}, NOW + 50, {}, NOW + 40, id="rounded down from a real"),
        pytest.param({}, Decimal("1800000040.9"), {}, NOW + 40, id="rounded down from the table"),
        pytest.param({"exp": NOW + 0.5}, NOW + 50, {}, NOW, id="rounded down to this second"),
        pytest.param({"exp": 1.7e308}, NOW + 50, {}, NOW + 50, id="a very large exp"),
        pytest.param({"exp": 1.7e308}, Decimal("1E+125"), {}, 10**125, id="a very late end"),
    ],
)
def test_expires_at_is_the_earliest_end(
    claims: dict[str, Any], end: object, rules: dict[str, Any], expires_at: int
) -> None:
    answer = an_authorizer(a_secret(end_ts=end), **rules).authorize(a_token(**claims))

    assert answer.expires_at == expires_at
    assert isinstance(answer.expires_at, int)


def test_it_is_the_window_of_the_secret_that_verified() -> None:
    authorizer = an_authorizer(a_secret(OTHER_KEY, id="a", end_ts=NOW + 5), a_secret(id="b", end_ts=NOW + 7))

    assert authorizer.authorize(a_token()).expires_at == NOW + 7


# -- a second look ----------------------------------------------------------------------------------------------------

LATER: dict[Reason, tuple[list[StoredRow], list[StoredRow]]] = {
    Reason.UNKNOWN_TAG: ([a_profile()], []),
    Reason.NO_ACTIVE_SECRET: ([a_profile()], [a_secret(end_ts=NOW)]),
    Reason.BAD_SIGNATURE: ([a_profile()], [a_secret(OTHER_KEY)]),
    Reason.UNKNOWN_PROFILE: ([], [a_secret()]),
    Reason.INCOMPLETE_PROFILE: ([a_profile(sip_username="")], [a_secret()]),
}


@pytest.mark.parametrize("reason", LATER)
def test_what_a_write_could_have_turned_is_looked_at_again_in_fresh_rows(reason: Reason) -> None:
    """A new secret works at once, even where the old rows are remembered."""
    store = MemoryStore(*LATER[reason])
    authorizer = an_authorizer(store=store, ttl=60)
    assert refusal(lambda: authorizer.authorize(a_token())) is reason
    store.profiles, store.secrets = [a_profile()], [a_secret()]
    report = Report()

    assert authorizer.authorize(a_token(), report=report).sip_username == "alice"
    assert store.reads == [(TAG, False), (TAG, True)]
    assert report.origin == "table"


NO_SECOND_LOOK: dict[Reason, Callable[[], tuple[StoredRow, StoredRow, str]]] = {
    Reason.TOKEN_EXPIRED: lambda: (a_profile(), a_secret(), a_token(exp=0)),
    Reason.MISSING_TAG: lambda: (a_profile(), a_secret(), a_token(tag="")),
    Reason.DISABLED_PROFILE: lambda: (a_profile(disabled=True), a_secret(), a_token()),
    Reason.REVOKED_TOKEN: lambda: (a_profile(tokens_valid_after=NOW), a_secret(), a_token()),
    Reason.USERNAME_MISMATCH: lambda: (a_profile(sip_username="bob"), a_secret(), a_token()),
}


@pytest.mark.parametrize("reason", NO_SECOND_LOOK)
def test_no_other_refusal_is_worth_a_read(reason: Reason) -> None:
    profile, secret, token = NO_SECOND_LOOK[reason]()
    store = MemoryStore([profile], [secret])
    authorizer = an_authorizer(store=store, ttl=60)
    for _ in range(2):
        assert refusal(lambda: authorizer.authorize(token, from_user="alice")) is reason

    assert (TAG, True) not in store.reads


def test_rows_just_read_are_not_read_again() -> None:
    store = MemoryStore([a_profile()], [a_secret(OTHER_KEY)])
    refusal(lambda: an_authorizer(store=store, ttl=60).authorize(a_token()))

    assert store.reads == [(TAG, False)]


def test_after_a_second_look_the_report_tells_of_the_fresh_rows() -> None:
    store = MemoryStore([a_profile()], [a_secret("", id="gone"), a_secret(OTHER_KEY, id="2")])
    authorizer = an_authorizer(store=store, ttl=60)
    refusal(lambda: authorizer.authorize(a_token()))
    store.secrets = [a_secret(OTHER_KEY, id="2")]
    report = Report()

    assert refusal(lambda: authorizer.authorize(a_token(), report=report)) is Reason.BAD_SIGNATURE
    assert (report.origin, report.unusable_secrets) == ("table", {})


def test_a_second_look_within_the_second_is_not_taken() -> None:
    store = MemoryStore([a_profile()], [a_secret(OTHER_KEY)])
    authorizer = an_authorizer(store=store, ttl=60)
    reports = [Report() for _ in range(3)]
    for report in reports:
        assert refusal(lambda: authorizer.authorize(a_token(), report=report)) is Reason.BAD_SIGNATURE  # noqa: B023

    assert store.reads == [(TAG, False), (TAG, True)]
    assert [report.origin for report in reports] == ["table", "table", "memory"]


def test_a_second_look_that_fails_is_a_fault_and_no_denial() -> None:
    store = MemoryStore([a_profile()], [a_secret(OTHER_KEY)])
    authorizer = an_authorizer(store=store, ttl=60)
    refusal(lambda: authorizer.authorize(a_token()))
    store.failure = Unreachable("no answer")

    with pytest.raises(Unreachable):
        authorizer.authorize(a_token())


def test_a_store_that_cannot_be_used_is_a_fault() -> None:
    with pytest.raises(Fault):
        an_authorizer(store=MemoryStore(failure=Fault("no such table"))).authorize(a_token())


def test_the_time_the_tables_may_take_is_the_policy_of_the_authorizer() -> None:
    asked: list[float] = []

    class Store(MemoryStore):
        def read(self, tag: str, *, consistent: bool, deadline: Any) -> Any:
            asked.append(deadline.seconds)
            return super().read(tag, consistent=consistent, deadline=deadline)

    memory = RowMemory(Store([a_profile()], [a_secret()]), ttl=0, stale_for=0, timer=Clock())
    Authorizer(memory=memory, policy=Policy(), store_seconds=0.25, clock=Clock(NOW)).authorize(a_token())

    assert asked == [0.25]


# -- script_authorize -------------------------------------------------------------------------------------------------


def script(token: object, key: str, **rules: Any) -> tuple[int, str | None]:
    store = MemoryStore(failure=Fault("no table is read"))
    return an_authorizer(store=store, **rules).script_authorize(token, key)


DECODED = '{"alg":"HS256","typ":"JWT"}.{"tag":"t1"}'


def test_script_authorize_validates_by_the_key_given() -> None:
    assert script(a_token(), HMAC_KEY) == (1, DECODED)
    assert script(a_token(), OTHER_KEY) == (-1, DECODED)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(None, id="nothing"),
        pytest.param("a.b", id="the form of a token"),
        pytest.param(a_token(header={"alg": "none"}), id="the algorithm"),
        pytest.param(a_token(header={"typ": "JWS"}), id="the type"),
        pytest.param(a_token(header={"crit": []}), id="a critical header"),
        pytest.param(a_token(payload=b"x"), id="the payload"),
        pytest.param(a_token(payload=[]), id="a payload that is no object"),
    ],
)
def test_script_authorize_tells_what_is_no_token(token: object) -> None:
    assert script(token, HMAC_KEY) == (-2, None)


def test_script_authorize_checks_no_claim() -> None:
    token = a_token(payload={"exp": 1, "nbf": 2**40}, key=HMAC_KEY)

    assert script(token, HMAC_KEY, required_claims=("sub",), issuers=("x",))[0] == 1


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("arn:aws:ssm:eu-central-1:123456789012:parameter/x", id="a reference is never fetched"),
        pytest.param("https://login.example.com/jwks.json", id="nor is this one"),
        pytest.param(private_pem(), id="a private key"),
        pytest.param(public_pem(), id="a public key for an HMAC token"),
        pytest.param("short", id="too short"),
        pytest.param("\ud800", id="no Unicode"),
    ],
)
def test_script_authorize_validates_by_no_unusable_key(key: str) -> None:
    token = a_token(key=key if key.isascii() else HMAC_KEY)

    assert script(token, key) == (-1, DECODED)


def test_script_authorize_keeps_to_the_least_length_of_hmac_keys() -> None:
    assert script(a_token(key="short"), "short", min_hmac_key_bytes=5)[0] == 1
    assert script(a_token(key="short"), "short", min_hmac_key_bytes=6)[0] == -1


def test_script_authorize_takes_what_a_secret_may_hold() -> None:
    token = a_token(key=a_private_key("p256"), alg="ES256")

    for key in (public_pem("p256"), certificate_pem("p256"), json.dumps(a_jwk("p256")), a_jwks(a_jwk("p256"))):
        assert script(token, key)[0] == 1


@pytest.mark.parametrize(
    ("bundle", "count", "code"),
    [
        pytest.param(lambda count: public_pem() * count, 16, 1, id="16 blocks of PEM"),
        pytest.param(lambda count: public_pem() * count, 17, -1, id="17 blocks of PEM"),
        pytest.param(lambda count: a_jwks(*[a_jwk()] * count), 16, 1, id="16 keys of a set"),
        pytest.param(lambda count: a_jwks(*[a_jwk()] * count), 17, -1, id="17 keys of a set"),
    ],
)
def test_script_authorize_takes_at_most_16_candidates(bundle: Callable[[int], str], count: int, code: int) -> None:
    assert MAX_SCRIPT_KEYS == 16
    assert script(a_token(key=a_private_key(), alg="RS256"), bundle(count))[0] == code


def test_script_authorize_finds_the_last_of_16_candidates() -> None:
    keys = a_jwks(*[an_oct_jwk(OTHER_KEY.encode())] * 15, an_oct_jwk())

    assert script(a_token(), keys)[0] == 1


def test_after_a_second_look_the_report_tells_of_that_one_alone() -> None:
    """A secret that verified by remembered rows, and is gone, has verified nothing."""
    store = MemoryStore(profiles=[], secrets=[a_secret("", id="0"), a_secret(id="1")])
    authorizer, report = an_authorizer(store=store, ttl=60), Report()
    assert refusal(lambda: authorizer.authorize(a_token())) is Reason.UNKNOWN_PROFILE
    store.secrets.clear()

    assert refusal(lambda: authorizer.authorize(a_token(), report=report)) is Reason.UNKNOWN_TAG
    assert report == Report(tag=TAG, algorithm="HS256", origin="table")
