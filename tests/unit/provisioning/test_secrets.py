"""Secrets: added, listed, closed, removed and rotated; what would never verify is refused."""

import secrets
from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.errors import Conflict, Flaw, Invalid, NotFound, Reason
from auth_jwt.models import Columns, Unusable
from auth_jwt.provisioning.changes import Delete, Key, Table
from auth_jwt.provisioning.inspection import SecretState
from auth_jwt.provisioning.secrets import GENERATED_BYTES, LIFETIME_SECONDS, NewSecret, prepare_secret
from tests.factories import (
    HMAC_KEY,
    NOW,
    TAG,
    a_jwk,
    a_jwks,
    a_token,
    an_oct_jwk,
    certificate_pem,
    json_octets,
    openssh_line,
    private_pem,
    public_pem,
)
from tests.fakes import compared_by
from tests.service import Service, a_service

OLD_KEY = "the HMAC secret of an earlier time, long enough for all of them: 64"
YEAR = 365 * 86400


def a_service_with_a_user(**rules: Any) -> Service:
    service = a_service(**rules)
    service.has()
    return service


# -- adding -----------------------------------------------------------------------------------------------------------


def test_a_secret_given_verifies_at_once() -> None:
    service = a_service_with_a_user()

    added = service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY))

    assert added.generated is None
    assert (added.secret.state, added.secret.start, added.secret.end) == (SecretState.OPEN, NOW, NOW + LIFETIME_SECONDS)
    assert service.verdict(a_token(jti="a")) is None


def test_a_generated_secret_has_the_entropy_that_every_algorithm_wants() -> None:
    """RFC 7518, section 3.2: 64 bytes for HS512. Two are never the same."""
    service = a_service_with_a_user()
    values = [service.provisioning.secrets.add(TAG, NewSecret()).generated for _ in range(2)]

    assert (GENERATED_BYTES, LIFETIME_SECONDS) == (64, YEAR)
    assert len(set(values)) == 2
    for value in values:
        assert value is not None
        assert len(value) * 6 // 8 == GENERATED_BYTES
        assert service.verdict(a_token(key=value, alg="HS512", jti="a")) is None


@pytest.mark.parametrize(
    ("value", "kind", "algorithms"),
    [
        pytest.param(public_pem(), "RSA 2048", ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), id="public key"),
        pytest.param(certificate_pem("p256"), "EC P-256", ("ES256",), id="certificate"),
        pytest.param(json_octets(a_jwk("p384")).decode(), "EC P-384", ("ES384",), id="JWK"),
        pytest.param(a_jwks(a_jwk("ed25519"), a_jwk("p521")), "Ed25519, EC P-521", ("ES512", "EdDSA"), id="JWKS"),
        pytest.param(json_octets(an_oct_jwk(b"x" * 32)).decode(), "HMAC, 32 bytes", ("HS256",), id="oct JWK"),
        pytest.param("x" * 48, "HMAC, 48 bytes", ("HS256", "HS384"), id="HMAC text"),
    ],
)
def test_whatever_kind_of_key_may_be_given(value: str, kind: str, algorithms: tuple[str, ...]) -> None:
    service = a_service_with_a_user()

    secret = service.provisioning.secrets.add(TAG, NewSecret(value=value)).secret

    assert (secret.kind, secret.algorithms) == (kind, algorithms)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        pytest.param(NewSecret(value=""), "empty", id="empty"),
        pytest.param(NewSecret(value="x" * 31), "31 bytes, too short for HS256", id="too short"),
        pytest.param(NewSecret(value="x" * 47, algorithms=("HS384",)), "too short for HS384", id="for what it may"),
        pytest.param(NewSecret(value=private_pem()), "a private key, which only its owner", id="private key"),
        pytest.param(NewSecret(value=public_pem("rsa_2047")), "size", id="small RSA key"),
        pytest.param(NewSecret(value=openssh_line()), "form that is not read", id="OpenSSH"),
        pytest.param(NewSecret(value="https://issuer.example/jwks.json"), "reference", id="reference"),
        pytest.param(NewSecret(value='{"a": {"kty": "oct"}}'), "neither a JWK nor a JWKS", id="JSON with kty"),
        pytest.param(NewSecret(value="\ud800" * 20), "Unicode", id="half characters"),
        pytest.param(NewSecret(value="x" * 100_001), "100000 bytes", id="too large"),
        pytest.param(
            NewSecret(value=public_pem(), algorithms=("HS256",)),
            "names no algorithm that its key verifies: PS256",
            id="alg of another kind",
        ),
        pytest.param(NewSecret(value=a_token()), "this is a token, not a secret", id="a token"),
        pytest.param(NewSecret(value=f"Bearer {a_token()}"), "this is a token", id="a token with its scheme"),
        pytest.param(NewSecret(value=a_token(), algorithms=("HS256",)), "this is a token", id="a token as HMAC"),
        pytest.param(NewSecret(value=HMAC_KEY, algorithms=("none",)), "no such algorithm: none", id="unknown alg"),
        pytest.param(NewSecret(value=HMAC_KEY, algorithms=()), "none is named", id="no alg"),
        pytest.param(NewSecret(value=HMAC_KEY, end=NOW), "ended already", id="over"),
        pytest.param(NewSecret(value=HMAC_KEY, start=NOW + 9, end=NOW + 9), "never opens", id="no window"),
        pytest.param(
            NewSecret(value=HMAC_KEY, end=NOW * 1000), "the end is in UNIX seconds", id="an end in milliseconds"
        ),
        pytest.param(NewSecret(value=HMAC_KEY, start=-1), "the start is in UNIX seconds", id="a start before all time"),
        pytest.param(NewSecret(value=HMAC_KEY, kid=""), "kid is empty", id="empty kid"),
        pytest.param(NewSecret(value=HMAC_KEY, id=""), "id is empty", id="empty id"),
        pytest.param(NewSecret(value=HMAC_KEY, id="x" * 1025), "1024 bytes", id="id too long"),
    ],
)
def test_a_secret_that_would_never_verify_is_refused_and_not_quoted(secret: NewSecret, message: str) -> None:
    service = a_service_with_a_user()

    with pytest.raises(Invalid, match=message) as refused:
        service.provisioning.secrets.add(TAG, secret)

    assert len(service.tables.rows) == 1
    assert service.audit == []
    if secret.value:
        assert secret.value not in str(refused.value)
    assert secret.value is None or secret.value not in repr(secret) or not secret.value


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(NewSecret(value="x" * 100_000, algorithms=("HS256",)), id="the largest value"),
        pytest.param(NewSecret(value=HMAC_KEY, id="x" * 1024), id="the longest id"),
    ],
)
def test_the_largest_that_fits_is_taken(secret: NewSecret) -> None:
    service = a_service_with_a_user()

    assert service.provisioning.secrets.add(TAG, secret).secret.state is SecretState.OPEN


def test_a_value_is_in_no_repr() -> None:
    service = a_service_with_a_user()
    added = service.provisioning.secrets.add(TAG, NewSecret())
    rotated = service.provisioning.secrets.rotate(TAG, NewSecret())
    ready = prepare_secret(service.provisioning.registry, TAG, NewSecret(value=HMAC_KEY), others=())

    assert str(added.generated) not in repr(added)
    assert str(rotated.generated) not in repr(rotated)
    assert HMAC_KEY not in repr(ready)


def test_the_settings_judge_too() -> None:
    service = a_service_with_a_user(min_hmac_key_bytes=8)
    assert service.provisioning.secrets.add(TAG, NewSecret(value="eight by")).secret.state is SecretState.OPEN

    with pytest.raises(Invalid, match="7 bytes"):
        service.provisioning.secrets.add(TAG, NewSecret(value="seven b"))


def test_a_secret_may_open_later() -> None:
    service = a_service_with_a_user()

    secret = service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, start=NOW + 60, kid="k")).secret

    assert (secret.state, secret.end, secret.kid) == (SecretState.FUTURE, NOW + 60 + LIFETIME_SECONDS, "k")
    assert service.verdict(a_token(jti="a")) is Reason.NO_ACTIVE_SECRET
    service.clock.pass_by(60)
    assert service.verdict(a_token(jti="a")) is None


def test_ids_are_numbers_as_in_the_sql_tables() -> None:
    service = a_service_with_a_user()
    for secret_id in ("2", "10", "sm-x", "\uff19\uff19", "1" * 30):
        service.has_secret(secret_id, secret=f"another key for {secret_id}: long enough by far for HS256")

    assert service.provisioning.secrets.add(TAG, NewSecret()).secret.id == "11"


@pytest.mark.parametrize(("digits", "following"), [(19, str(10**19)), (20, "1")])
def test_a_number_of_twenty_digits_is_not_counted_on_from(digits: int, following: str) -> None:
    """Somebody's own mark, and no number of ours."""
    service = a_service_with_a_user()
    service.has_secret("9" * digits, secret=OLD_KEY)

    assert service.provisioning.secrets.add(TAG, NewSecret()).secret.id == following


def test_adding_the_same_secret_again_changes_nothing() -> None:
    service = a_service_with_a_user()
    first = service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="a"))

    assert service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="a")).secret == first.secret
    assert service.actions == ["secret.add"]


def test_a_secret_of_the_same_id_is_not_replaced() -> None:
    service = a_service_with_a_user()
    service.has_secret("a", secret=OLD_KEY)

    for value in (HMAC_KEY, None):
        with pytest.raises(Conflict, match="'a' of 't1' already"):
            service.provisioning.secrets.add(TAG, NewSecret(value=value, id="a"))

    assert service.secret("a")["secret"] == OLD_KEY


def test_a_value_given_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With each that is stored: how long the answer takes does not tell how much of a guess is right."""
    service = a_service_with_a_user()
    service.has_secret("1")
    compared = compared_by(secrets, monkeypatch)

    service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY[::-1]))
    found = service.provisioning.secrets.find_by_value(TAG, HMAC_KEY)

    assert [one.id for one in found] == ["1"]
    assert (HMAC_KEY.encode(), HMAC_KEY[::-1].encode()) in compared
    assert (HMAC_KEY.encode(), HMAC_KEY.encode()) in compared


def test_no_secret_holds_half_a_character() -> None:
    service = a_service_with_a_user()
    service.has_secret("1")

    assert service.provisioning.secrets.find_by_value(TAG, "\ud800") == ()


def test_a_secret_that_was_closed_since_is_not_told_to_be_added() -> None:
    service = a_service_with_a_user()
    service.has_secret("a", end_ts=NOW)

    with pytest.raises(Conflict, match="another window"):
        service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="a"))


def test_a_key_that_is_open_already_is_not_added_a_second_time() -> None:
    """Or closing one of the two would close nothing."""
    service = a_service_with_a_user()
    service.has_secret("1")

    with pytest.raises(Conflict, match="'1' holds the same key"):
        service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY))


def test_a_key_that_was_closed_may_be_added_anew() -> None:
    service = a_service_with_a_user()
    service.has_secret("1", end_ts=NOW)

    assert service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY)).secret.id == "2"


def test_a_secret_needs_a_profile() -> None:
    service = a_service()

    for attempt in (service.provisioning.secrets.add, service.provisioning.secrets.rotate):
        with pytest.raises(NotFound, match="no profile"):
            attempt(TAG, NewSecret())

    assert service.tables.rows == {}


def test_of_two_writers_only_one_has_the_number() -> None:
    service = a_service_with_a_user()
    service.tables.before_write = lambda: service.has_secret("1", secret=OLD_KEY)

    with pytest.raises(Conflict, match="meanwhile"):
        service.provisioning.secrets.add(TAG, NewSecret())

    assert service.secret("1")["secret"] == OLD_KEY


# -- listing ----------------------------------------------------------------------------------------------------------


def test_the_list_says_where_each_secret_stands_and_shows_none() -> None:
    service = a_service_with_a_user()
    service.has_secret("future", start_ts=NOW + 1)
    service.has_secret("open", start_ts=NOW, end_ts=NOW + 1)
    service.has_secret("closed", start_ts=NOW - 9, end_ts=NOW)
    service.has_secret("empty", secret="")
    service.has_secret("timeless", start_ts=None)
    service.has_secret("reversed", start_ts=NOW + 9, end_ts=NOW + 9)

    secrets = {secret.id: secret for secret in service.provisioning.secrets.list(TAG)}

    assert {secret_id: secret.state.value for secret_id, secret in secrets.items()} == {
        "future": "future",
        "open": "open",
        "closed": "closed",
        "empty": "unusable",
        "timeless": "unusable",
        "reversed": "unusable",
    }
    assert secrets["empty"].unusable == Unusable(Flaw.EMPTY, "empty")
    assert "start of its window is not a number" in str(secrets["timeless"].unusable)
    assert "never opens" in str(secrets["reversed"].unusable)
    assert HMAC_KEY not in repr(secrets)


def test_the_newest_window_comes_first() -> None:
    service = a_service_with_a_user()
    for secret_id, start in (("a", NOW - 3), ("b", NOW - 1), ("c", NOW - 2)):
        service.has_secret(secret_id, start_ts=start)

    assert [secret.id for secret in service.provisioning.secrets.list(TAG)] == ["b", "c", "a"]


def test_a_user_without_secrets_has_an_empty_list_and_nobody_has_none() -> None:
    service = a_service_with_a_user()

    assert service.provisioning.secrets.list(TAG) == ()
    with pytest.raises(NotFound):
        service.provisioning.secrets.list("nobody")


def test_one_secret_can_be_shown() -> None:
    service = a_service_with_a_user()
    service.has_secret("1")

    assert service.provisioning.secrets.show(TAG, "1").state is SecretState.OPEN
    with pytest.raises(NotFound, match="'2'"):
        service.provisioning.secrets.show(TAG, "2")


# -- closing and removing ---------------------------------------------------------------------------------------------


def test_a_closed_secret_verifies_nothing_from_that_second_on() -> None:
    service = a_service_with_a_user()
    service.has_secret("1")

    closed = service.provisioning.secrets.close(TAG, "1")

    assert (closed.state, closed.end) == (SecretState.CLOSED, NOW)
    assert service.verdict(a_token(jti="a")) is Reason.NO_ACTIVE_SECRET


def test_a_secret_may_close_later() -> None:
    service = a_service_with_a_user()
    service.has_secret("1")

    service.provisioning.secrets.close(TAG, "1", at=NOW + 60)

    service.clock.pass_by(59)
    assert service.verdict(a_token(jti="a")) is None
    service.clock.pass_by(1)
    assert service.verdict(a_token(jti="a")) is Reason.NO_ACTIVE_SECRET


def test_closing_never_opens_a_secret_again() -> None:
    service = a_service_with_a_user()
    service.has_secret("1", end_ts=NOW + 60)

    assert service.provisioning.secrets.close(TAG, "1", at=NOW + 120).end == NOW + 60
    assert service.audit == []


@pytest.mark.parametrize(("at", "fits"), [(NOW - 1, False), (NOW, True)])
def test_nothing_can_be_closed_in_the_past(at: int, fits: bool) -> None:
    service = a_service_with_a_user()
    service.has_secret("1")
    if fits:
        assert service.provisioning.secrets.close(TAG, "1", at=at).end == at
    else:
        with pytest.raises(Invalid, match="passed"):
            service.provisioning.secrets.close(TAG, "1", at=at)


NO_ENDS: list[object] = [None, "never", "4102444800", "NaN", True, {"B": b"1"}, {"L": []}]


@pytest.mark.parametrize("end", NO_ENDS)
@pytest.mark.parametrize("at", [None, NOW])
def test_a_window_without_an_end_is_closed_now(at: int | None, end: object) -> None:
    service = a_service_with_a_user()
    service.has_secret("1", end_ts=end)

    assert service.provisioning.secrets.close(TAG, "1", at=at).state is SecretState.CLOSED

    assert service.secret("1")["end_ts"] == Decimal(NOW)
    assert service.verdict(a_token(jti="a")) is Reason.NO_ACTIVE_SECRET


@pytest.mark.parametrize("end", NO_ENDS)
def test_a_window_without_an_end_is_not_closed_later_which_would_open_it_nor_earlier_than_asked(end: object) -> None:
    service = a_service_with_a_user()
    service.has_secret("1", end_ts=end)

    with pytest.raises(
        Conflict, match=r"'1' of 't1' has (no end|an end that is not a number), .* nothing was done: close"
    ):
        service.provisioning.secrets.close(TAG, "1", at=NOW + 60)

    assert service.secret("1")["end_ts"] == end
    assert service.audit == []


@pytest.mark.parametrize(
    ("end", "closes"),
    [
        pytest.param(Decimal(NOW * 1000), NOW + 60, id="milliseconds, which never come"),
        pytest.param(Decimal(2**63), NOW + 60, id="beyond 64 bits"),
        pytest.param(Decimal("1E+125"), NOW + 60, id="the largest number"),
        pytest.param(Decimal(NOW) + Decimal("60.5"), NOW + 60, id="a fraction later"),
        pytest.param(Decimal(NOW) + Decimal("59.5"), Decimal(NOW) + Decimal("59.5"), id="a fraction earlier"),
        pytest.param(Decimal(NOW - 1), NOW - 1, id="one that has passed"),
        pytest.param(Decimal(0), 0, id="zero"),
        pytest.param(Decimal(-1), -1, id="before all time"),
    ],
)
def test_an_end_that_is_a_number_is_moved_to_the_earlier(end: Decimal, closes: object) -> None:
    service = a_service_with_a_user()
    service.has_secret("1", end_ts=end)

    assert service.provisioning.secrets.close(TAG, "1", at=NOW + 60).end == closes


def test_a_secret_closed_before_it_opened_is_closed() -> None:
    service = a_service_with_a_user()
    service.has_secret("1", start_ts=NOW + 60)

    assert service.provisioning.secrets.close(TAG, "1").state is SecretState.CLOSED


def test_the_earlier_of_two_closings_holds() -> None:
    service = a_service_with_a_user()
    service.has_secret("1")
    service.tables.before_write = lambda: service.has_secret("1", end_ts=NOW + 30)

    assert service.provisioning.secrets.close(TAG, "1", at=NOW + 60).end == NOW + 30


def test_a_closing_holds_though_somebody_moved_the_end_meanwhile() -> None:
    service = a_service_with_a_user()
    service.has_secret("1")
    service.tables.before_write = lambda: service.has_secret("1", end_ts=NOW + 10**7)

    assert service.provisioning.secrets.close(TAG, "1", at=NOW + 60).end == NOW + 60


def test_a_secret_whose_end_keeps_moving_is_not_said_to_be_closed() -> None:
    service = a_service_with_a_user()
    service.has_secret("1")
    ends = iter(range(NOW + 10, NOW + 99))

    def meanwhile() -> None:
        service.has_secret("1", end_ts=next(ends))
        service.tables.before_write = meanwhile

    service.tables.before_write = meanwhile
    with pytest.raises(Conflict, match="keeps changing"):
        service.provisioning.secrets.close(TAG, "1")

    assert service.actions == []


def test_a_secret_that_is_not_there_is_not_made_by_closing_it() -> None:
    service = a_service_with_a_user()
    service.has_secret("1")
    service.tables.before_write = lambda: service.tables.write(Delete(Key(Table.SECRETS, TAG, "1")))

    with pytest.raises(NotFound):
        service.provisioning.secrets.close(TAG, "1")

    assert len(service.tables.rows) == 1


def test_only_a_secret_that_is_not_open_can_be_removed() -> None:
    service = a_service_with_a_user()
    service.has_secret("1")

    with pytest.raises(Conflict, match="close it first"):
        service.provisioning.secrets.remove(TAG, "1")
    service.provisioning.secrets.close(TAG, "1")
    service.provisioning.secrets.remove(TAG, "1")

    assert len(service.tables.rows) == 1
    assert service.actions == ["secret.close", "secret.remove"]


def test_a_secret_opened_meanwhile_is_not_removed() -> None:
    service = a_service_with_a_user()
    service.has_secret("1", end_ts=NOW)
    service.tables.before_write = lambda: service.has_secret("1")

    with pytest.raises(Conflict, match="meanwhile"):
        service.provisioning.secrets.remove(TAG, "1")


# -- rotation ---------------------------------------------------------------------------------------------------------


def test_a_rotation_leaves_no_gap() -> None:
    """The new secret is open at once, the old one until the overlap ends."""
    service = a_service_with_a_user()
    service.has_secret("1", secret=OLD_KEY)

    rotated = service.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=60)

    assert rotated.generated is not None
    old, new = a_token(key=OLD_KEY, jti="a"), a_token(key=rotated.generated, jti="a")
    assert [service.verdict(token) for token in (old, new)] == [None, None]
    service.clock.pass_by(59)
    assert [service.verdict(token) for token in (old, new)] == [None, None]
    service.clock.pass_by(1)
    assert [service.verdict(token) for token in (old, new)] == [Reason.BAD_SIGNATURE, None]


def test_a_rotation_tells_which_secrets_it_closes() -> None:
    service = a_service_with_a_user()
    service.has_secret("open")
    service.has_secret("ending", secret=OLD_KEY, end_ts=NOW + 30)
    service.has_secret("future", start_ts=NOW + 10, end_ts=NOW + YEAR)
    service.has_secret("closed", end_ts=NOW)

    rotated = service.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=60)

    assert [(secret.id, secret.end) for secret in rotated.closing] == [("open", NOW + 60)]
    ends = {secret.id: secret.end for secret in service.provisioning.secrets.list(TAG)}
    assert (ends["ending"], ends["future"], ends["closed"]) == (NOW + 30, NOW + YEAR, NOW)
    assert service.audit[0].details["closing"] == ["open"]


@pytest.mark.parametrize("public", [public_pem(), a_jwks(a_jwk("ed25519"), a_jwk("p256"))], ids=["PEM", "JWKS"])
def test_an_hmac_secret_does_not_replace_an_issuers_public_key(public: str) -> None:
    """The issuer signs with a private key that nobody here has: it would be locked out when the overlap ends."""
    service = a_service_with_a_user()
    service.has_secret("1", secret=public)
    before = dict(service.tables.rows)

    for new in (NewSecret(), NewSecret(value=HMAC_KEY)):
        with pytest.raises(
            Invalid, match=r"issuer's public key \((RSA 2048|Ed25519, EC P-256)\).+--replace-public-key"
        ):
            service.provisioning.secrets.rotate(TAG, new)
    assert service.tables.rows == before
    assert service.audit == []

    rotated = service.provisioning.secrets.rotate(TAG, NewSecret(), replace_public_key=True)
    assert [secret.id for secret in rotated.closing] == ["1"]


def test_a_public_key_replaces_a_public_key_or_an_hmac_secret() -> None:
    service = a_service_with_a_user()
    service.has_secret("1", secret=public_pem())

    service.provisioning.secrets.rotate(TAG, NewSecret(value=public_pem("p256")), overlap_seconds=0)
    service.provisioning.secrets.close(TAG, "2")
    service.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=60)  # the public keys have ended

    rotated = service.provisioning.secrets.rotate(TAG, NewSecret(value=public_pem("ed25519")), overlap_seconds=0)
    assert [secret.id for secret in rotated.closing] == ["3"]


def test_an_overlap_of_nothing_closes_the_old_secrets_now() -> None:
    service = a_service_with_a_user()
    service.has_secret("1", secret=OLD_KEY)

    service.provisioning.secrets.rotate(TAG, NewSecret(value=HMAC_KEY), overlap_seconds=0)

    assert service.verdict(a_token(key=OLD_KEY, jti="a")) is Reason.BAD_SIGNATURE
    with pytest.raises(Invalid, match="negative"):
        service.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=-1)


def test_a_rotated_secret_is_open_now_whatever_was_asked() -> None:
    service = a_service_with_a_user()

    rotated = service.provisioning.secrets.rotate(TAG, NewSecret(start=NOW + 99))

    assert rotated.secret.start == NOW


def test_a_user_without_a_secret_may_begin_by_rotating() -> None:
    service = a_service_with_a_user()

    assert service.provisioning.secrets.rotate(TAG, NewSecret()).closing == ()


def test_of_two_rotations_at_once_one_is_told() -> None:
    """The loser's issuer would be locked out when the winner's overlap ends, so the loser must know."""
    service = a_service_with_a_user()
    service.has_secret("1", secret=OLD_KEY)
    service.tables.before_write = lambda: winner.append(service.provisioning.secrets.rotate(TAG, NewSecret()))
    winner: list[Any] = []

    with pytest.raises(Conflict, match="somebody else"):
        service.provisioning.secrets.rotate(TAG, NewSecret())

    open_for_long = [secret.id for secret in service.provisioning.secrets.list(TAG) if (secret.end or 0) > NOW + 86400]
    assert open_for_long == [winner[0].secret.id]


def test_a_rotation_happens_whole_or_not_at_all() -> None:
    service = a_service_with_a_user()
    service.has_secret("1", secret=OLD_KEY)
    service.tables.before_write = lambda: service.has_secret("1", secret=OLD_KEY, end_ts=NOW + 5)

    with pytest.raises(Conflict):
        service.provisioning.secrets.rotate(TAG, NewSecret())

    assert [secret.id for secret in service.provisioning.secrets.list(TAG)] == ["1"]


@pytest.mark.parametrize(("end", "fits"), [(NOW + 60, False), (NOW + 61, True)])
def test_a_new_secret_outlives_the_old_ones(end: int, fits: bool) -> None:
    """Or an issuer would have nothing to sign with when the overlap ends."""
    service = a_service_with_a_user()
    service.has_secret("1", secret=OLD_KEY)
    if fits:
        assert service.provisioning.secrets.rotate(TAG, NewSecret(end=end), overlap_seconds=60).secret.end == end
    else:
        with pytest.raises(Invalid, match="later end"):
            service.provisioning.secrets.rotate(TAG, NewSecret(end=end), overlap_seconds=60)


@pytest.mark.parametrize(
    "end", [pytest.param(NOW + 10**6, id="an open one beside others"), pytest.param(NOW, id="a closed one")]
)
def test_rotating_to_a_secret_that_was_there_before_is_no_rotation(end: int) -> None:
    service = a_service_with_a_user()
    service.has_secret("a", end_ts=end)
    service.has_secret("1", secret=OLD_KEY)

    with pytest.raises(Conflict, match="already"):
        service.provisioning.secrets.rotate(TAG, NewSecret(value=HMAC_KEY, id="a"))


def test_a_secret_that_is_there_and_verifies_nothing_is_not_rotated_to() -> None:
    """The call would look done, and the issuer would sign by it."""
    service = a_service_with_a_user()
    service.has_secret("a", alg="ES256")

    with pytest.raises(Conflict, match="already"):
        service.provisioning.secrets.rotate(TAG, NewSecret(value=HMAC_KEY, id="a"))


def test_rotating_again_to_the_same_secret_changes_nothing() -> None:
    service = a_service_with_a_user()
    service.has_secret("1", secret=OLD_KEY)
    first = service.provisioning.secrets.rotate(TAG, NewSecret(value=HMAC_KEY, id="a"), overlap_seconds=60)
    service.clock.pass_by(10)

    again = service.provisioning.secrets.rotate(TAG, NewSecret(value=HMAC_KEY, id="a"), overlap_seconds=60)

    assert again.secret == first.secret
    assert service.secret("1")["end_ts"] == Decimal(NOW + 60)
    assert service.actions == ["secret.rotate"]


@pytest.mark.parametrize(("count", "fits"), [(98, True), (99, False)])
def test_a_rotation_closes_as_many_as_one_write_holds(count: int, fits: bool) -> None:
    """That is a hundred rows: the profile and the new secret are two of them."""
    service = a_service_with_a_user()
    for number in range(count):
        service.has_secret(str(number), secret=f"{OLD_KEY} {number}")

    if fits:
        assert len(service.provisioning.secrets.rotate(TAG, NewSecret()).closing) == count
    else:
        with pytest.raises(Invalid, match="one rotation can close at most"):
            service.provisioning.secrets.rotate(TAG, NewSecret())


def test_columns_of_other_names_are_written_under_those() -> None:
    service = a_service(columns=Columns(secret="key", start="von", end="bis", alg="verfahren", kid="kennung"))
    service.has()

    service.provisioning.secrets.rotate(TAG, NewSecret(value=HMAC_KEY, algorithms=("HS256", "HS512"), kid="k"))

    assert service.secret("1") == {
        "key": HMAC_KEY,
        "von": Decimal(NOW),
        "bis": Decimal(NOW + LIFETIME_SECONDS),
        "verfahren": "HS256,HS512",
        "kennung": "k",
    }


# -- as many as are tried ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [NewSecret(value=HMAC_KEY), NewSecret()], ids=["given", "generated"])
def test_no_secret_is_added_beside_as_many_open_ones_as_are_tried(given: NewSecret) -> None:
    """It would push out the one that opened first, and with it everybody whose token that signed."""
    service = a_service_with_a_user(max_secrets_per_tag=2)
    for number in range(2):
        service.has_secret(str(number), secret=f"{OLD_KEY} {number}")

    with pytest.raises(Conflict, match=r"'t1' has 2 secrets .* at most 2 \(MAX_SECRETS_PER_TAG\): close"):
        service.provisioning.secrets.add(TAG, given)

    assert service.actions == []


def test_there_is_room_again_when_one_is_closed() -> None:
    service = a_service_with_a_user(max_secrets_per_tag=2)
    for number in range(2):
        service.has_secret(str(number), secret=f"{OLD_KEY} {number}")
    service.provisioning.secrets.close(TAG, "0")

    assert service.provisioning.secrets.add(TAG, NewSecret()).secret.state is SecretState.OPEN


def test_one_that_is_there_already_is_no_new_one() -> None:
    service = a_service_with_a_user(max_secrets_per_tag=1)
    added = service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="a"))

    assert service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="a")).secret == added.secret


@pytest.mark.parametrize(
    ("windows", "fits"),
    [
        pytest.param([(NOW - 9, NOW), (NOW - 9, NOW - 1)], True, id="closed"),
        pytest.param([(NOW + 100, NOW + 200), (NOW + 100, NOW + 200)], True, id="opened after it"),
        pytest.param([(NOW + 99, NOW + 200), (NOW + 99, NOW + 200)], False, id="opened before its end"),
        pytest.param([(NOW, NOW + 50), (NOW + 50, NOW + 100)], True, id="one after the other"),
        pytest.param([(NOW, NOW + 51), (NOW + 50, NOW + 100)], False, id="at the same time for a second"),
        pytest.param([(NOW + 50, NOW + 40), (NOW + 50, NOW + 40)], True, id="never open"),
        pytest.param([("x", NOW + 100), (NOW, "x")], True, id="without a window"),
        pytest.param(
            [(NOW + 42, NOW + 48), (NOW + 43, NOW + 48), (NOW + 50, NOW + 40)], False, id="beside one never open"
        ),
        pytest.param([(NOW - 9, NOW + 1), (NOW - 5, NOW + 9)], False, id="about to close"),
    ],
)
def test_those_that_are_open_at_the_same_time_count(windows: list[tuple[object, object]], fits: bool) -> None:
    """Also in the future: the new secret is open from now on for a hundred seconds."""
    service = a_service_with_a_user(max_secrets_per_tag=2)
    for number, (start, end) in enumerate(windows):
        service.has_secret(str(number), secret=f"{OLD_KEY} {number}", start_ts=start, end_ts=end)

    if fits:
        assert service.provisioning.secrets.add(TAG, NewSecret(end=NOW + 100))
    else:
        with pytest.raises(Conflict, match="MAX_SECRETS_PER_TAG"):
            service.provisioning.secrets.add(TAG, NewSecret(end=NOW + 100))


def test_one_that_opens_later_counts_those_of_then() -> None:
    service = a_service_with_a_user(max_secrets_per_tag=1)
    service.has_secret("1", end_ts=NOW + 50)

    with pytest.raises(Conflict, match="MAX_SECRETS_PER_TAG"):
        service.provisioning.secrets.add(TAG, NewSecret(start=NOW + 49))
    assert service.provisioning.secrets.add(TAG, NewSecret(start=NOW + 50)).secret.state is SecretState.FUTURE


@pytest.mark.parametrize(("overlap", "fits"), [(0, True), (1, False)])
def test_a_rotation_needs_room_for_the_overlap(overlap: int, fits: bool) -> None:
    service = a_service_with_a_user(max_secrets_per_tag=2)
    for number in range(2):
        service.has_secret(str(number), secret=f"{OLD_KEY} {number}")

    if fits:
        service.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=overlap)
        assert service.verdict(a_token(key=f"{OLD_KEY} 1", jti="a")) is Reason.BAD_SIGNATURE
    else:
        with pytest.raises(Conflict, match="MAX_SECRETS_PER_TAG"):
            service.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=overlap)
        assert service.actions == []


def test_a_rotation_counts_the_old_ones_until_they_end() -> None:
    """After the overlap they make room for one that opens then."""
    service = a_service_with_a_user(max_secrets_per_tag=2)
    service.has_secret("1", secret=OLD_KEY)
    service.has_secret("later", secret=f"{OLD_KEY} later", start_ts=NOW + 60)

    with pytest.raises(Conflict, match="MAX_SECRETS_PER_TAG"):
        service.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=61)
    assert service.provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=60).closing
