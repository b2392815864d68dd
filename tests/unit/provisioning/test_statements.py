"""What the `alg` of a row should say, and what our tools write: whatever the text alone tells, or somebody states."""

import json
from dataclasses import replace
from typing import Any

import pytest

from auth_jwt.errors import Conflict, Flaw, Invalid
from auth_jwt.jose.keys import verification_keys
from auth_jwt.models import Columns, Unusable
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.secrets import NewSecret, Stated, StatementOutcome
from auth_jwt.provisioning.statements import Statement, statement_of, weakness_in
from tests.doubtful_keys import DOUBTFUL, PRIME_MODULUS, public_key_pem
from tests.factories import (
    HMAC_KEY,
    NOW,
    TAG,
    a_jwk,
    a_jwks,
    a_token,
    an_oct_jwk,
    certificate_pem,
    openssh_line,
    private_pem,
    public_pem,
)
from tests.service import Service, a_service

HMAC = ("HS256", "HS384", "HS512")
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
WHAT_KEYS_ARE: dict[str, tuple[str, tuple[str, ...]]] = {
    "HMAC text": (HMAC_KEY, HMAC),
    "short HMAC text": ("short", HMAC),
    "an oct JWK": (json.dumps(an_oct_jwk()), HMAC),
    "an oct JWK with an alg": (json.dumps(an_oct_jwk(alg="HS384")), ("HS384",)),
    "an RSA key": (public_pem(), RSA),
    "a certificate": (certificate_pem("p256"), ("ES256",)),
    "an EC key": (public_pem("p521"), ("ES512",)),
    "an Edwards key": (public_pem("ed448"), ("EdDSA",)),
    "a JWK by the name of RFC 9864": (json.dumps(a_jwk("ed25519", alg="Ed25519")), ("EdDSA",)),
    "a bundle": (public_pem("ed25519") + public_pem("p384") + public_pem(), (*RSA, "ES384", "EdDSA")),
    "a JWKS": (a_jwks(a_jwk("p256", alg="ES256"), a_jwk(alg="PS256")), ("PS256", "ES256")),
}
NOBODY_CAN_TELL: dict[str, tuple[str, Flaw]] = {
    "text in doubt": (DOUBTFUL, Flaw.IN_DOUBT),
    "nothing": ("", Flaw.EMPTY),
    "a reference": ("arn:aws:ssm:eu-central-1:1:parameter/x", Flaw.REFERENCE),
    "an OpenSSH line": (openssh_line(), Flaw.KEY_MATERIAL),
    "a private key": (private_pem(), Flaw.PRIVATE_KEY),
    "a set of both kinds": (a_jwks(a_jwk(), an_oct_jwk()), Flaw.NO_ALG),
}


def a_row(secret: object, **columns: object) -> dict[str, object]:
    return {"secret": secret, **columns}


# -- what should be said ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("case", WHAT_KEYS_ARE)
def test_a_key_that_can_be_read_is_what_it_is(case: str, required: bool) -> None:
    text, names = WHAT_KEYS_ARE[case]

    assert statement_of(a_row(text), Columns(requires_alg=required)) == Statement(names)


@pytest.mark.parametrize("case", NOBODY_CAN_TELL)
def test_of_what_is_none_or_in_doubt_nothing_is_said(case: str) -> None:
    text, flaw = NOBODY_CAN_TELL[case]
    statement = statement_of(a_row(text), Columns())

    assert (statement.algorithms, statement.alg) == ((), "")
    assert statement.unusable is not None
    assert statement.unusable.flaw is flaw


def test_text_in_doubt_is_what_somebody_says_and_nothing_else_is() -> None:
    assert statement_of(a_row(DOUBTFUL), Columns(), hmac=True).algorithms == HMAC
    assert statement_of(a_row(DOUBTFUL), Columns(), algorithms=("HS256",)).algorithms == ("HS256",)
    assert statement_of(a_row(openssh_line()), Columns(), hmac=True).algorithms == ()
    assert statement_of(a_row(public_pem()), Columns(), hmac=True).algorithms == RSA
    assert statement_of(a_row(public_pem()), Columns(), algorithms=("HS256",)).unusable is not None


@pytest.mark.parametrize(
    ("alg", "names"), [("HS256", ("HS256",)), ("HS512,HS256", ("HS256", "HS512")), ("HS256,ES256", None)]
)
def test_a_row_that_says_it_already_is_left_so(alg: str, names: tuple[str, ...] | None) -> None:
    statement = statement_of(a_row(HMAC_KEY, alg=alg), Columns())

    assert statement.is_there is (names is not None)
    assert statement.algorithms == (names or ("HS256",))  # what bounds it goes on bounding it


@pytest.mark.parametrize("columns", [{"alg": 7}, {"alg": "md5"}, {"kid": 7}])
def test_a_row_that_is_odd_says_something_that_nobody_understands(columns: dict[str, object]) -> None:
    assert statement_of(a_row(HMAC_KEY, **columns), Columns()).algorithms == ()


def test_only_a_key_that_falls_apart_is_weak() -> None:
    assert weakness_in(verification_keys(public_pem() + public_pem("p256"))) is None
    assert weakness_in(verification_keys(HMAC_KEY)) is None
    assert "prime" in str(weakness_in(verification_keys(public_pem() + public_key_pem(PRIME_MODULUS))))


def test_a_table_of_one_key_has_it_looked_at_once() -> None:
    from auth_jwt.jose.degenerate import weakness_of_modulus

    keys = verification_keys(public_pem())
    weakness_in(keys)
    before = weakness_of_modulus.cache_info().misses
    for _ in range(100):
        weakness_in(keys)

    assert weakness_of_modulus.cache_info().misses == before


# -- what is written --------------------------------------------------------------------------------------------------


@pytest.fixture(name="service")
def _service() -> Service:
    service = a_service()
    service.has()
    return service


@pytest.mark.parametrize("case", [case for case in WHAT_KEYS_ARE if not case.startswith("short")])
def test_a_secret_that_is_added_says_what_it_is(case: str, service: Service) -> None:
    text, names = WHAT_KEYS_ARE[case]

    record = service.provisioning.secrets.add(TAG, NewSecret(value=text)).secret

    assert service.secret("1")["alg"] == ",".join(names)
    assert record.algorithms == names


def test_whoever_writes_a_secret_writes_its_alg(service: Service) -> None:
    secrets, profiles = service.provisioning.secrets, service.provisioning.profiles
    secrets.add(TAG, NewSecret())
    secrets.rotate(TAG, NewSecret())
    profiles.create("t2", "bob", secret=NewSecret())
    secrets.add(TAG, NewSecret(algorithms=("HS384",)))

    algs = [row["alg"] for key, row in service.tables.rows.items() if key.table is Table.SECRETS]
    assert algs == [",".join(HMAC)] * 3 + ["HS384"]


def test_a_short_secret_that_the_settings_allow_is_said_to_be_what_it_is(service: Service) -> None:
    allowing = a_service(min_hmac_key_bytes=5)
    allowing.has()

    allowing.provisioning.secrets.add(TAG, NewSecret(value="short"))

    assert allowing.secret("1")["alg"] == ",".join(HMAC)


def test_where_alg_is_required_what_is_added_verifies() -> None:
    service = a_service(columns=Columns(requires_alg=True))
    service.has()
    service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY))

    assert service.verdict(a_token(iat=NOW, exp=NOW + 60, jti="1")) is None


def test_text_in_doubt_is_refused_with_what_ends_it_unless_somebody_says_what_it_is(service: Service) -> None:
    with pytest.raises(Invalid, match="might not be an HMAC secret") as refused:
        service.provisioning.secrets.add(TAG, NewSecret(value=DOUBTFUL))
    assert "`--alg HS256`" in str(refused.value)
    assert "`algorithms` in the admin API" in str(refused.value)
    assert "c0ffee" not in str(refused.value)
    assert service.actions == []

    service.provisioning.secrets.add(TAG, NewSecret(value=DOUBTFUL, algorithms=("HS256",)))
    assert service.secret("1")["alg"] == "HS256"


@pytest.mark.parametrize(
    ("value", "algorithms", "said"),
    [
        (a_jwks(a_jwk(), an_oct_jwk()), None, "HMAC and public keys"),
        (HMAC_KEY, ("HS256", "RS256"), "one or the other"),
        (public_key_pem(PRIME_MODULUS), None, "modulus is a prime"),
        (public_key_pem(PRIME_MODULUS), ("RS256",), "modulus is a prime"),
    ],
)
def test_what_says_nothing_or_falls_apart_is_not_added(
    value: str, algorithms: tuple[str, ...] | None, said: str, service: Service
) -> None:
    with pytest.raises(Invalid, match=said):
        service.provisioning.secrets.add(TAG, NewSecret(value=value, algorithms=algorithms))
    with pytest.raises(Invalid, match=said):
        service.provisioning.secrets.rotate(TAG, NewSecret(value=value, algorithms=algorithms))
    with pytest.raises(Invalid, match=said):
        service.provisioning.profiles.create("t2", "bob", secret=NewSecret(value=value, algorithms=algorithms))


def test_a_retry_finds_its_own_work_though_the_first_attempt_wrote_no_alg(service: Service) -> None:
    service.has_secret("1", end_ts=NOW + 365 * 86400)

    assert service.provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="1")).secret.id == "1"
    assert "alg" not in service.secret("1")


# -- rows that are there ----------------------------------------------------------------------------------------------


def stated(service: Service, secret_id: str = "1", **how: object) -> Stated:
    (row,) = service.provisioning.secrets.rows(TAG, secret_id)
    return service.provisioning.secrets.state_algorithms(row, **how)  # type: ignore[arg-type]


def test_a_row_learns_what_it_is_and_nothing_else_of_it_changes(service: Service) -> None:
    service.has_secret("1", note="mine", kid="k")
    before = dict(service.secret("1"))

    assert stated(service) == Stated(TAG, "1", StatementOutcome.WRITTEN, HMAC)
    assert service.secret("1") == {**before, "alg": ",".join(HMAC)}
    (entry,) = service.audit
    assert (entry.action, entry.tag, entry.id) == ("secret.set_alg", TAG, "1")
    assert entry.details == {"algorithms": list(HMAC)}
    assert HMAC_KEY not in entry.as_line()
    assert stated(service) == Stated(TAG, "1", StatementOutcome.THERE, HMAC)
    assert len(service.audit) == 1


def test_a_dry_run_writes_nothing(service: Service) -> None:
    service.has_secret("1")
    before = dict(service.secret("1"))

    assert stated(service, dry_run=True) == Stated(TAG, "1", StatementOutcome.WRITTEN, HMAC)
    assert (service.secret("1"), service.audit) == (before, [])


@pytest.mark.parametrize("case", NOBODY_CAN_TELL)
def test_a_row_of_which_nobody_can_tell_is_left_with_the_reason(case: str, service: Service) -> None:
    text, flaw = NOBODY_CAN_TELL[case]
    service.has_secret("1", secret=text)

    left = stated(service)

    assert (left.outcome, left.algorithms) == (StatementOutcome.LEFT, ())
    assert left.unusable is not None
    assert left.unusable.flaw is flaw
    assert "alg" not in service.secret("1")
    assert stated(service, hmac=True).outcome is (
        StatementOutcome.WRITTEN if flaw is Flaw.IN_DOUBT else StatementOutcome.LEFT
    )


@pytest.mark.parametrize("columns", [{"secret": "x" * 5}, {"end_ts": "never"}, {"start_ts": NOW, "end_ts": NOW - 1}])
def test_what_a_key_is_does_not_hang_on_whether_it_verifies_now(columns: dict[str, Any], service: Service) -> None:
    service.has_secret("1", tag=TAG, **columns)

    assert stated(service) == Stated(TAG, "1", StatementOutcome.WRITTEN, HMAC)


def test_named_algorithms_take_the_place_of_others_only_if_the_row_is_named(service: Service) -> None:
    service.has_secret("1", alg="HS256")

    assert stated(service, algorithms=("HS384",)).outcome is StatementOutcome.THERE
    assert service.secret("1")["alg"] == "HS256"
    assert stated(service, algorithms=("HS384",), anew=True).outcome is StatementOutcome.WRITTEN
    assert service.secret("1")["alg"] == "HS384"
    assert stated(service, algorithms=("HS384",), anew=True).outcome is StatementOutcome.THERE


def test_a_row_that_says_it_in_another_order_is_left_so(service: Service) -> None:
    service.has_secret("1", alg="HS512,HS256")

    assert stated(service, anew=True) == Stated(TAG, "1", StatementOutcome.THERE, ("HS256", "HS512"))
    assert service.secret("1")["alg"] == "HS512,HS256"


def test_an_alg_that_names_nothing_is_corrected_only_if_the_row_is_named(service: Service) -> None:
    service.has_secret("1", alg="disabled by Bob")

    assert stated(service).unusable == Unusable(Flaw.MALFORMED_ALG, "its 'alg' names no algorithm")
    assert stated(service, algorithms=("HS256",)).outcome is StatementOutcome.LEFT
    assert stated(service, algorithms=("HS256",), anew=True).outcome is StatementOutcome.WRITTEN


@pytest.mark.parametrize(
    ("columns", "algorithms", "flaw"),
    [
        ({"secret": public_pem()}, ("HS256",), Flaw.ALG_DISAGREES),
        ({}, ("RS256",), Flaw.ALG_DISAGREES),
        ({"secret": HMAC_KEY[:32]}, ("HS512",), Flaw.TOO_SHORT),
        ({"secret": openssh_line()}, ("HS256",), Flaw.KEY_MATERIAL),
    ],
)
def test_algorithms_that_the_key_cannot_verify_are_not_written(
    columns: dict[str, Any], algorithms: tuple[str, ...], flaw: Flaw, service: Service
) -> None:
    service.has_secret("1", tag=TAG, **columns)

    left = stated(service, algorithms=algorithms, anew=True)

    assert left.outcome is StatementOutcome.LEFT
    assert left.unusable is not None
    assert left.unusable.flaw is flaw
    with pytest.raises(Invalid, match="no such algorithm"):
        stated(service, algorithms=("none",))


def test_a_row_that_changes_meanwhile_is_judged_by_what_it_holds_then(service: Service) -> None:
    service.has_secret("1")

    def replaced() -> None:
        service.tables.before_write = None
        service.has_secret("1", secret=public_pem())

    service.tables.before_write = replaced

    assert stated(service).algorithms == RSA
    assert service.secret("1")["alg"] == ",".join(RSA)


def test_a_row_that_keeps_changing_is_told_as_that(service: Service) -> None:
    service.has_secret("1")
    kids = iter(range(99))

    def meanwhile() -> None:
        service.has_secret("1", kid=f"k{next(kids)}")
        service.tables.before_write = meanwhile

    service.tables.before_write = meanwhile
    with pytest.raises(Conflict, match="keeps changing"):
        stated(service)

    assert service.audit == []


def test_a_row_that_goes_meanwhile_is_no_fault(service: Service) -> None:
    service.has_secret("1")

    def removed() -> None:
        service.tables.before_write = None
        del service.tables.rows[Key(Table.SECRETS, TAG, "1")]

    service.tables.before_write = removed

    assert stated(service) == Stated(TAG, "1", StatementOutcome.GONE)
    assert service.audit == []


def test_a_closing_meanwhile_is_not_undone(service: Service) -> None:
    service.has_secret("1")
    (row,) = service.provisioning.secrets.rows(TAG)
    service.provisioning.secrets.close(TAG, "1")

    service.provisioning.secrets.state_algorithms(row)

    assert service.secret("1")["end_ts"] == NOW
    assert service.secret("1")["alg"] == ",".join(HMAC)


def test_after_it_alg_may_be_required() -> None:
    service = a_service()
    service.has()
    service.has_secret("1")
    stated(service)
    strict = a_service(columns=replace(Columns(), requires_alg=True))
    strict.tables.rows |= service.tables.rows

    assert strict.verdict(a_token(iat=NOW, exp=NOW + 60, jti="1")) is None
