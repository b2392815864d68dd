"""A tag with more secrets than anybody needs: which are tried, what it costs, and who is told."""

import io
import json
from collections import Counter
from contextlib import redirect_stdout
from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.errors import Reason
from auth_jwt.jose.keys import verification_keys
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import MAX_SECRETS_PER_TAG, Report, Secret, TagRows
from auth_jwt.ports import Deadline
from auth_jwt.provisioning.explanation import explain_token
from auth_jwt.rules import open_secrets
from auth_jwt.runtime.observability import MAX_NAMED_SECRETS, Journal, Outcome
from tests.factories import HMAC_KEY, JTI, NOW, TAG, a_profile, a_secret, a_token, an_authorizer, refusal, verdict
from tests.fakes import Clock, MemoryStore
from tests.service import a_service

OTHER_KEY = HMAC_KEY.upper()


def key_of(number: int) -> str:
    return f"{number:04} {OTHER_KEY}"


def secrets(count: int, **columns: object) -> list[dict[str, object]]:
    """So many open secrets, of which the next one always opened a second later."""
    return [
        {**a_secret(key_of(number), id=f"{number:04}", start_ts=NOW - count + number), **columns}
        for number in range(count)
    ]


def ids(rows: list[Secret]) -> list[str]:
    return [secret.id for secret in rows]


# -- which are tried --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        pytest.param(4, None, id="the latest"),
        pytest.param(2, None, id="the last that is tried"),
        pytest.param(1, Reason.BAD_SIGNATURE, id="the first that is not"),
        pytest.param(0, Reason.BAD_SIGNATURE, id="the earliest"),
    ],
)
def test_of_too_many_those_that_opened_last_are_tried(number: int, reason: Reason | None) -> None:
    authorizer = an_authorizer(*secrets(5), max_secrets_per_tag=3)

    assert verdict(lambda: authorizer.authorize(a_token(key=key_of(number)))) is reason


@pytest.mark.parametrize(("more", "left_out"), [(0, []), (1, ["0000"])])
def test_a_hundred_are_tried_unless_a_setting_says_otherwise(more: int, left_out: list[str]) -> None:
    report = Report()
    authorizer = an_authorizer(*secrets(MAX_SECRETS_PER_TAG + more))

    assert MAX_SECRETS_PER_TAG == 100
    authorizer.authorize(a_token(key=key_of(MAX_SECRETS_PER_TAG - 1)), report=report)
    assert list(report.left_out) == left_out


@pytest.mark.parametrize(
    "window",
    [
        pytest.param({"end_ts": NOW}, id="closed"),
        pytest.param({"start_ts": NOW + 1}, id="not open yet"),
        pytest.param({"start_ts": "x"}, id="without a window"),
    ],
)
def test_secrets_that_are_not_open_do_not_count(window: dict[str, object]) -> None:
    report = Report()
    authorizer = an_authorizer(*secrets(50, **window), a_secret(id="1"), max_secrets_per_tag=1)

    authorizer.authorize(a_token(), report=report)

    assert (report.secret_id, report.left_out) == ("1", ())


def test_each_decision_is_judged_by_its_own_clock() -> None:
    """One that opens pushes out the earliest, and one that closes makes room again, without any reading."""
    rows = TagRows(
        secrets=(
            Secret("old", None, 0, 100),
            Secret("short", None, 10, 20),
            Secret("new", None, Decimal("10.5"), 100),
        )
    )

    assert [ids(open_secrets(rows, now, 2, Report())) for now in (9, 10, 11, 20)] == [
        ["old"],
        ["old", "short"],
        ["new", "short"],
        ["old", "new"],
    ]


def test_of_those_that_opened_together_the_highest_ids_are_tried() -> None:
    """Whatever order a store gives them in, the outcome is the same."""
    for order in (1, -1):
        rows = TagRows(secrets=tuple(Secret(name, None, 0, 100) for name in ("a", "b", "c")[::order]))

        assert ids(open_secrets(rows, 1, 2, Report())) == ["c", "b"]


def test_up_to_the_limit_they_are_tried_in_the_order_of_the_table() -> None:
    rows = TagRows(secrets=(Secret("a", None, 0, 100), Secret("b", None, 5, 100)))

    assert ids(open_secrets(rows, 10, 2, Report())) == ["a", "b"]


# -- who is told ------------------------------------------------------------------------------------------------------


def line_of(report: Report) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()) as out:
        Journal("authorize", {}).record(Outcome.DENIED, report, reason="bad_signature")
    line: dict[str, Any] = json.loads(out.getvalue())
    return line


def test_all_that_are_left_out_are_counted_and_some_are_named() -> None:
    """Ten thousand ids in one line would help nobody."""
    report = Report()
    authorizer = an_authorizer(*secrets(1000), max_secrets_per_tag=3)
    refusal(lambda: authorizer.authorize(a_token(), report=report))

    line = line_of(report)

    assert line["UnusableSecret"] == 997
    assert len(line["unusable_secrets"]) == MAX_NAMED_SECRETS
    assert {text.partition(":")[0] for text in line["unusable_secrets"].values()} == {"beyond_limit"}
    assert "0996" in line["unusable_secrets"]
    assert len(json.dumps(line)) < 4096


def test_those_that_are_unusable_besides_are_named_first() -> None:
    report = Report()
    rows = [*secrets(30), a_secret("", id="empty", start_ts=NOW)]
    refusal(lambda: an_authorizer(*rows, max_secrets_per_tag=2).authorize(a_token(), report=report))

    line = line_of(report)

    assert line["UnusableSecret"] == 30
    assert next(iter(line["unusable_secrets"])) == "empty"


def test_many_that_are_unusable_are_counted_alike() -> None:
    report = Report()
    refusal(lambda: an_authorizer(*secrets(50, secret="")).authorize(a_token(), report=report))

    line = line_of(report)

    assert line["UnusableSecret"] == 50
    assert len(line["unusable_secrets"]) == MAX_NAMED_SECRETS


def test_a_second_look_tells_of_its_own_rows() -> None:
    store = MemoryStore([a_profile()], secrets(3))
    authorizer, report = an_authorizer(store=store, ttl=60, max_secrets_per_tag=2), Report()
    refusal(lambda: authorizer.authorize(a_token()))
    store.secrets.pop()

    refusal(lambda: authorizer.authorize(a_token(), report=report))

    assert report.left_out == ()


def test_an_explanation_says_that_a_secret_is_left_out() -> None:
    service = a_service(max_secrets_per_tag=1)
    service.has()
    service.has_secret("1", start_ts=NOW - 2)
    service.has_secret("2", secret=OTHER_KEY, start_ts=NOW - 1)
    registry = service.provisioning.registry

    told = explain_token(
        a_token(jti=JTI), store=service.tables, columns=registry.columns, policy=registry.policy, now=NOW
    )

    assert told.reason is Reason.BAD_SIGNATURE
    looks = {look.record.id: look.passed_over for look in told.secrets}
    assert "MAX_SECRETS_PER_TAG is 1" in str(looks["1"])
    assert looks["2"] is None
    assert any("MAX_SECRETS_PER_TAG" in step.text for step in told.steps)


# -- what it costs ----------------------------------------------------------------------------------------------------


@pytest.fixture(name="parsed")
def _parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[object]:
    """How often each text was parsed for its keys."""
    parsed: Counter[object] = Counter()

    def counting(text: object, **more: Any) -> Any:
        parsed[text] += 1
        return verification_keys(text, **more)

    monkeypatch.setattr("auth_jwt.models.verification_keys", counting)
    return parsed


def test_keys_of_rows_that_did_not_change_are_not_parsed_again(parsed: Counter[object]) -> None:
    """A forged token has the rows read anew each second, and parsing ten thousand keys takes all of that."""
    timer = Clock()
    store = MemoryStore([a_profile()], secrets(20))
    authorizer = an_authorizer(store=store, ttl=60)
    authorizer = type(authorizer)(
        memory=RowMemory(store, ttl=60, stale_for=300, timer=timer),
        policy=authorizer.policy,
        store_seconds=1,
        clock=Clock(NOW),
    )
    for _ in range(5):
        refusal(lambda: authorizer.authorize(a_token()))
        timer.pass_by(1)
    timer.pass_by(60)
    refusal(lambda: authorizer.authorize(a_token()))

    assert store.reads.count((TAG, True)) == 4
    assert store.reads.count((TAG, False)) == 2
    assert set(parsed.values()) == {1}
    assert len(parsed) == 20


@pytest.mark.parametrize(
    "change",
    [
        {"secret": OTHER_KEY},
        {"alg": "HS256"},
        {"kid": "k"},
        {"start_ts": NOW - 9},
        {"end_ts": NOW + 9},
        {"alg": 7},
    ],
    ids=str,
)
def test_a_row_that_changed_is_a_new_one(change: dict[str, object]) -> None:
    store, timer = MemoryStore([a_profile()], secrets(2)), Clock()
    memory = RowMemory(store, ttl=60, stale_for=300, timer=timer)
    before = memory.recall(TAG, Deadline(1)).found.secrets
    store.secrets[1] = {**store.secrets[1], **change}

    renewed = memory.renew(TAG, Deadline(1))

    assert renewed is not None
    assert renewed.found.secrets[0] is before[0]
    assert renewed.found.secrets[1] is not before[1]
    assert renewed.found.secrets == MemoryStore.read(store, TAG, consistent=True, deadline=Deadline(1)).secrets


def test_only_the_keys_of_those_that_are_tried_are_parsed(parsed: Counter[object]) -> None:
    refusal(lambda: an_authorizer(*secrets(50), max_secrets_per_tag=3).authorize(a_token()))

    assert sorted(map(str, parsed)) == [key_of(number) for number in (47, 48, 49)]
