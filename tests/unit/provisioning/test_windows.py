"""Windows of secrets that are there: what is changed, what is mended, and that nothing which has ended opens again."""

from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.errors import Conflict, Invalid, NotFound, Reason
from auth_jwt.provisioning.changes import MISSING, Delete, Key, Table
from auth_jwt.provisioning.inspection import SecretState
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.windows import is_in_milliseconds, meant_seconds
from tests.factories import HMAC_KEY, NOW, TAG, a_token
from tests.service import Service, a_service

ODD_BOUNDS: list[object] = [
    *(None, "never", "4102444800", "1600000000000", "NaN", "Infinity", "-5", "1e9", "", True, False),
    *({"B": b"1"}, {"L": []}, {"M": {}}, {"NS": ["1"]}),
]
ODD_NUMBERS = [
    *(Decimal(-1), Decimal(0), Decimal(NOW) + Decimal("0.5"), Decimal(NOW * 1000), Decimal(2**63), Decimal(10**30)),
    *(Decimal("1E+125"), Decimal("-1E+125"), Decimal("1E-130")),
]


def a_service_with_a_secret(**columns: Any) -> Service:
    service = a_service()
    service.has()
    service.has_secret("1", **columns)
    return service


def change(service: Service, **asked: Any) -> Any:
    return service.provisioning.secrets.change(TAG, "1", **asked)


# -- what is meant ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "meant"),
    [
        (Decimal(NOW), NOW),
        (Decimal("1.5"), Decimal("1.5")),
        (Decimal(10**12 - 1), 10**12 - 1),
        (Decimal(10**12), 10**9),
        (Decimal(NOW * 1000 + 999), NOW),
        (Decimal(10**14 - 1), 10**11 - 1),
        (Decimal(10**14), 10**14),
        (str(NOW), NOW),
        (f" {NOW}\n", NOW),
        (f"{NOW}.0", NOW),
        (str(NOW * 1000), NOW),
        ("9223372036854775807", 2**63 - 1),
        ("\u0661\u0662", None),  # digits of another script
        *((odd, None) for odd in ("", "-5", "1e9", "NaN", "2027-01-01", "0x5", "1 2", "1" * 21)),
        (NOW * 1000, NOW),
        *((odd, None) for odd in (None, True, b"5", {"B": b"5"}, 1.5)),
    ],
)
def test_what_a_bound_was_meant_to_be(bound: object, meant: object) -> None:
    assert meant_seconds(bound) == meant


@pytest.mark.parametrize(
    ("number", "looks"), [(None, False), (10**12 - 1, False), (10**12, True), (10**14 - 1, True), (10**14, False)]
)
def test_what_looks_like_milliseconds(number: int | None, looks: bool) -> None:
    assert is_in_milliseconds(number) is looks


# -- mending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "window", "state"),
    [
        pytest.param({"end_ts": (NOW + 60) * 1000}, (NOW - 60, NOW + 60), SecretState.OPEN, id="an end"),
        pytest.param({"end_ts": NOW * 1000}, (NOW - 60, NOW), SecretState.CLOSED, id="one that has passed"),
        pytest.param({"start_ts": NOW * 1000}, (NOW, NOW + 10**6), SecretState.OPEN, id="a start"),
        pytest.param({"start_ts": (NOW + 9) * 1000}, (NOW + 9, NOW + 10**6), SecretState.FUTURE, id="one to come"),
        pytest.param(
            {"start_ts": 10**12, "end_ts": (NOW + 9) * 1000}, (10**9, NOW + 9), SecretState.OPEN, id="milliseconds both"
        ),
        pytest.param({"start_ts": "5", "end_ts": str(NOW + 9)}, (5, NOW + 9), SecretState.OPEN, id="text of digits"),
        pytest.param({"end_ts": str(NOW - 9)}, (NOW - 60, NOW - 9), SecretState.CLOSED, id="text that has passed"),
        pytest.param({}, (NOW - 60, NOW + 10**6), SecretState.OPEN, id="nothing to mend"),
    ],
)
def test_a_window_becomes_what_was_meant(columns: Any, window: object, state: SecretState) -> None:
    service = a_service_with_a_secret(**columns)

    mended = change(service, mend=True)

    assert ((mended.start, mended.end), mended.state) == (window, state)
    assert service.actions == (["secret.change"] if columns else [])
    assert service.verdict(a_token(jti="a")) == (None if state is SecretState.OPEN else Reason.NO_ACTIVE_SECRET)
    row = service.secret("1")
    assert isinstance(row["start_ts"], Decimal)
    assert isinstance(row["end_ts"], Decimal)
    assert row["secret"] == HMAC_KEY


@pytest.mark.matrix
@pytest.mark.parametrize("column", ["start_ts", "end_ts"])
@pytest.mark.parametrize("odd", [odd for odd in ODD_BOUNDS if meant_seconds(odd) is None])
def test_what_nobody_can_tell_is_asked_for(odd: object, column: str) -> None:
    service = a_service_with_a_secret(**{column: odd})

    with pytest.raises(Invalid, match=f"nobody can tell which {column[:-3]} was meant"):
        change(service, mend=True)
    assert service.audit == []

    change(service, start=NOW - 5, end=NOW + 5)
    assert (service.secret("1")["start_ts"], service.secret("1")["end_ts"]) == (NOW - 5, NOW + 5)
    assert type(service.secret("1")[column]) is Decimal


def test_a_bound_of_true_is_not_taken_for_one() -> None:
    service = a_service_with_a_secret(start_ts=True)

    change(service, start=1)

    assert type(service.secret("1")["start_ts"]) is Decimal


# -- what is never done -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [NOW, NOW - 1, 0, str(NOW), str((NOW - 9) * 1000), "0"])
def test_what_has_ended_is_not_opened_again(end: object) -> None:
    service = a_service_with_a_secret(end_ts=end)

    with pytest.raises(Conflict, match="has ended, and an ended secret never opens again"):
        change(service, end=NOW + 60)

    assert service.audit == []
    assert change(service, kid="a").state is not SecretState.OPEN
    assert service.provisioning.secrets.close(TAG, "1").state is SecretState.CLOSED


@pytest.mark.parametrize("end", [NOW - 5, NOW])
def test_the_end_of_what_has_ended_may_be_corrected_to_another_time_that_has_passed(end: int) -> None:
    service = a_service_with_a_secret(end_ts=NOW - 9)

    assert (change(service, end=end).end, change(service, end=end).state) == (end, SecretState.CLOSED)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "no change is given"),
        ({"end": NOW * 1000}, "the end is in UNIX seconds, .*not in milliseconds"),
        ({"start": -1}, "the start is in UNIX seconds, not negative"),
        ({"start": NOW + 9, "end": NOW + 9}, "never opens"),
        ({"kid": ""}, "kid is empty"),
        ({"end": NOW}, "has passed, and the secret is open: close it"),
    ],
)
def test_a_change_that_cannot_be_is_refused(asked: Any, message: str) -> None:
    service = a_service_with_a_secret()

    with pytest.raises(Invalid, match=message):
        change(service, **asked)

    assert service.audit == []


def test_a_secret_that_is_not_there_is_not_made() -> None:
    service = a_service_with_a_secret()

    with pytest.raises(NotFound):
        service.provisioning.secrets.change(TAG, "2", end=NOW + 5)

    service.tables.before_write = lambda: service.tables.write(Delete(Key(Table.SECRETS, TAG, "1")))
    with pytest.raises(NotFound):
        change(service, end=NOW + 5)


def test_a_secret_that_was_closed_meanwhile_stays_closed() -> None:
    service = a_service_with_a_secret()
    service.tables.before_write = lambda: service.has_secret("1", end_ts=NOW)

    with pytest.raises(Conflict, match="has ended"):
        change(service, end=NOW + 2 * 10**6)


def test_of_a_secret_that_keeps_changing_nothing_is_written() -> None:
    service = a_service_with_a_secret()
    ends = iter(range(NOW + 10, NOW + 99))

    def meanwhile() -> None:
        service.has_secret("1", end_ts=next(ends))
        service.tables.before_write = meanwhile

    service.tables.before_write = meanwhile
    with pytest.raises(Conflict, match="keeps changing"):
        change(service, end=NOW + 5)


def test_a_window_beside_too_many_others_is_refused() -> None:
    service = a_service(max_secrets_per_tag=2)
    service.has()
    service.has_secret("1", end_ts="never")
    for number in (2, 3):
        service.has_secret(str(number), secret=f"{HMAC_KEY} {number}")

    with pytest.raises(Conflict, match="MAX_SECRETS_PER_TAG"):
        change(service, end=NOW + 5)
    service.provisioning.secrets.close(TAG, "2")
    assert change(service, end=NOW + 5).state is SecretState.OPEN


# -- the key id, and dry runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [7, True, None, {"B": b"x"}])
def test_a_key_id_is_written_or_taken_away(odd: object) -> None:
    service = a_service_with_a_secret(kid=odd)

    assert change(service, kid="k2").kid == "k2"
    assert service.verdict(a_token(jti="a")) is None
    assert change(service, kid=MISSING).kid is None
    assert "kid" not in service.secret("1")
    assert [(entry.id, entry.details) for entry in service.audit] == [("1", {"columns": ["kid"]})] * 2


def test_a_dry_run_writes_nothing() -> None:
    service = a_service_with_a_secret(end_ts=NOW * 1000)

    assert change(service, mend=True, dry_run=True).end == NOW

    assert service.secret("1")["end_ts"] == NOW * 1000
    assert service.audit == []


# -- the others, on the same rows -------------------------------------------------------------------------------------


@pytest.mark.matrix
@pytest.mark.parametrize("column", ["start_ts", "end_ts"])
@pytest.mark.parametrize("odd", [*ODD_BOUNDS, *ODD_NUMBERS])
def test_whatever_a_row_holds_every_operation_ends_well_and_opens_nothing(odd: object, column: str) -> None:
    """A row that is not open stays so; one that is open is open no longer than it was."""
    service = a_service_with_a_secret(**{column: odd})
    secrets = service.provisioning.secrets
    was_open = secrets.show(TAG, "1").state is SecretState.OPEN

    rotated = secrets.rotate(TAG, NewSecret(), overlap_seconds=60)

    assert [record.id for record in rotated.closing] == (["1"] * was_open if not _ends_within(service, 60) else [])
    assert (secrets.show(TAG, "1").state is SecretState.OPEN) is was_open
    assert [record.id for record in secrets.list(TAG)]
    assert secrets.close(TAG, "1").state is not SecretState.OPEN
    service.clock.pass_by(10**9)
    assert secrets.show(TAG, "1").state is not SecretState.OPEN
    secrets.remove(TAG, "1")


def _ends_within(service: Service, seconds: int) -> bool:
    end = service.secret("1")["end_ts"]
    return isinstance(end, Decimal) and end < NOW + seconds
