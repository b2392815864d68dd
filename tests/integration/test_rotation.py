"""Rotation through Secrets Manager and DynamoDB in memory, undisturbed and killed at every call that it makes."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.client import BaseClient
from moto.awslambda_simple.models import LambdaSimpleBackend

from auth_jwt.errors import Fault, NotRotated
from auth_jwt.provisioning import rotation
from auth_jwt.provisioning.rotation import SETTLE_SECONDS
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.secrets_manager import SecretsManager, secrets_manager_client
from auth_jwt.provisioning.versions import CURRENT, PENDING, PREVIOUS
from tests.factories import HMAC_KEY, NOW, a_token, verdict
from tests.fakes import Clock, LambdaContext
from tests.integration.managed_secrets import (
    TAG,
    a_begun_rotation,
    a_function,
    a_profile,
    a_secret,
    an_account,
    manager,
    members_of,
    provisioning_in,
    rows_of,
    stages_of,
)
from tests.rotations import RULES, STEPS, row_of, steps, the_app
from tests.sampling import some

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(name="aws")
def _aws() -> "Iterator[DynamoDBClient]":
    with an_account() as client:
        yield client


@pytest.fixture(name="app")
def _app(aws: object, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The function, in that account and in no hurry."""
    app = the_app()
    app.service.cache_clear()
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0)
    return app


# -- as Secrets Manager drives it -------------------------------------------------------------------------------------


def test_secrets_manager_drives_the_four_steps(
    aws: "DynamoDBClient", app: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By moto's own RotateSecret, once and then again; what the issuer reads verifies, before and after."""
    called: list[str] = []

    def invoke(_self: object, _function: str, *, body: str, **_: object) -> bytes:
        event = json.loads(body)
        called.append(event["Step"])
        app.lambda_handler(event, LambdaContext())
        return b"null"

    a_profile(aws)
    arn, function = a_secret(), a_function()
    monkeypatch.setattr(LambdaSimpleBackend, "invoke", invoke)
    values = [HMAC_KEY]
    for _ in range(2):
        version = str(uuid.uuid4())
        manager().rotate_secret(
            SecretId=arn,
            ClientRequestToken=version,
            RotationLambdaARN=function,
            RotationRules={"AutomaticallyAfterDays": 30},
        )
        values.append(members_of(arn)["secret"])
        assert stages_of(arn)[version] == {CURRENT}
        assert rows_of(aws)[row_of(version, arn)][0] == values[-1]
        manager().update_secret_version_stage(SecretId=arn, VersionStage=PENDING, RemoveFromVersionId=version)

    assert called == [*STEPS, *STEPS]
    assert len(set(values)) == 3
    ends = sorted(end for _, _, end in rows_of(aws).values())
    assert len(ends) == 2
    assert ends[1] - ends[0] > 98 * 86400  # the first ends after the overlap of a day, the second after its life
    printed = capsys.readouterr().out
    lines = [line for line in map(json.loads, printed.splitlines()) if "audit" in line]
    assert "rotation.finish" in {line["audit"] for line in lines}
    assert {(line["target"]["account"], line["target"]["region"]) for line in lines} == {
        ("123456789012", "eu-central-1")
    }
    assert not [value for value in values if value in printed]


def test_the_function_wires_itself_by_its_environment(aws: "DynamoDBClient", app: Any) -> None:
    """Direct calls, as the last step of moto's is not AWS's: here nobody else moves AWSCURRENT."""
    a_profile(aws)
    arn = a_secret(alg="HS512", extra=[1, {"a": None}])
    version = a_begun_rotation(arn, a_function())
    for step in STEPS:
        assert members_of(arn)["secret"] == HMAC_KEY
        app.lambda_handler({"Step": step, "SecretId": arn, "ClientRequestToken": version}, LambdaContext())

    current = members_of(arn)
    assert (current["tag"], current["alg"], current["extra"]) == (TAG, "HS512", [1, {"a": None}])
    assert members_of(arn, PREVIOUS)["secret"] == HMAC_KEY
    assert rows_of(aws)[row_of(version, arn)][0] == current["secret"]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        pytest.param(
            "dynamodb://eu-west-1", ("eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com"), id="another region"
        ),
        pytest.param("dynamodb+http://127.0.0.1:9", ("eu-central-1", "http://127.0.0.1:9"), id="a stand-in"),
    ],
)
def test_the_tables_are_where_the_setting_says(
    app: Any,
    monkeypatch: pytest.MonkeyPatch,
    note_places: Callable[[], list[tuple[str, str]]],
    url: str,
    place: tuple[str, str],
) -> None:
    monkeypatch.setenv("DB_URL", url)
    arn = a_secret()
    event = {"SecretId": arn, "ClientRequestToken": a_begun_rotation(arn, a_function())}
    app.lambda_handler({**event, "Step": "createSecret"}, LambdaContext())
    places = note_places()

    with pytest.raises(Fault):
        app.lambda_handler({**event, "Step": "setSecret"}, LambdaContext())

    assert set(places) == {place}


def test_a_near_miss_is_warned_of_once(
    aws: object, app: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAG_COLUM", "x")
    for _ in range(2):
        with pytest.raises(Fault):
            app.lambda_handler({"Step": "testSecret", "SecretId": "none", "ClientRequestToken": "1"}, LambdaContext())

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["meant"] for line in lines if "meant" in line] == ["TAG_COLUMN"]


def test_without_a_profile_the_rotation_stops_and_the_issuer_keeps_its_secret(aws: "DynamoDBClient", app: Any) -> None:
    arn = a_secret()
    version = a_begun_rotation(arn, a_function())
    event = {"SecretId": arn, "ClientRequestToken": version}
    app.lambda_handler({**event, "Step": "createSecret"}, LambdaContext())

    with pytest.raises(NotRotated, match="no profile"):
        app.lambda_handler({**event, "Step": "setSecret"}, LambdaContext())

    assert members_of(arn)["secret"] == HMAC_KEY
    a_profile(aws)  # and once there is one, the next attempt comes to its end
    for step in STEPS:
        app.lambda_handler({**event, "Step": step}, LambdaContext())
    assert stages_of(arn)[version] == {CURRENT}


def test_a_secret_that_is_not_there_is_a_fault(aws: "DynamoDBClient", app: Any) -> None:
    event = {"Step": "createSecret", "SecretId": "nosuch", "ClientRequestToken": str(uuid.uuid4())}

    with pytest.raises(Fault, match="DescribeSecret is refused: ResourceNotFoundException"):
        app.lambda_handler(event, LambdaContext())


def test_a_secret_that_nobody_rotates_is_described_as_that(aws: "DynamoDBClient") -> None:
    arn = a_secret()

    described = SecretsManager(secrets_manager_client()).describe(arn)

    assert (described.arn, described.is_rotated, described.rotation_days) == (arn, False, None)
    assert described.version_at(CURRENT) is not None
    assert described.version_at(PENDING) is None


def test_a_value_of_octets_is_no_text(aws: "DynamoDBClient") -> None:
    made = manager().create_secret(Name=f"octets-{uuid.uuid4()}", SecretBinary=b"\x00")

    assert SecretsManager(secrets_manager_client()).value_of(made["ARN"], made["VersionId"]) is None


def test_a_value_that_another_attempt_put_is_kept(aws: "DynamoDBClient") -> None:
    """Secrets Manager gives a version one value, ever; moto would let a pending one have another."""
    arn = a_secret()
    versions, version = SecretsManager(secrets_manager_client()), a_begun_rotation(arn, a_function())

    assert (versions.describe(arn).is_rotated, versions.describe(arn).rotation_days) == (True, 30)
    assert versions.value_of(arn, version) is None
    assert versions.put_pending(arn, version, "first") is True
    assert versions.put_pending(arn, version, "first") is True
    versions.make_current(arn, version, instead_of=versions.describe(arn).version_at(CURRENT))
    manager().update_secret_version_stage(SecretId=arn, VersionStage=PENDING, RemoveFromVersionId=version)
    assert versions.put_pending(arn, version, "second") is False
    assert versions.value_of(arn, version) == "first"


# -- killed -----------------------------------------------------------------------------------------------------------

MANY_TIMES_THE_SAME = pytest.mark.no_cover
"""Measuring coverage doubles their time, and shows nothing: each rotation runs through the lines of those above."""


class Killed(BaseException):
    """The process ended."""


class Assassin:
    """Counts the calls of AWS, and ends the process at one of them: before it is made, or when it was."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.at: int | None = None
        self.is_late = False
        make = BaseClient._make_api_call  # type: ignore[attr-defined] # not in the stubs

        def made(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            number = len(self.calls)
            self.calls.append(operation)
            if self.at == number and not self.is_late:
                raise Killed
            try:
                return make(client, operation, parameters)
            finally:
                if self.at == number:
                    raise Killed

        patch.setattr(BaseClient, "_make_api_call", made)

    def strikes(self, at: int | None, *, is_late: bool = False) -> None:
        self.calls, self.at, self.is_late = [], at, is_late


def end_of_a_rotation(client: "DynamoDBClient", function: str, assassin: Assassin, *blows: tuple[int, bool]) -> Any:
    """Rotate a new tag's secret for the second time, killed by each of *blows* and begun anew; what is there then.

    What chance decided is left out: the values are told apart by the versions that hold them.
    """
    tag = f"t-{uuid.uuid4()}"
    assassin.strikes(None)
    clock = Clock(NOW)
    provisioning = provisioning_in(client, clock)
    a_profile(client, tag)
    arn, rules = a_secret(tag), replace(RULES, tag=tag)
    provisioning.secrets.add(tag, NewSecret(value=HMAC_KEY, id="by hand", end=NOW + 10**6))
    provisioning.secrets.add(tag, NewSecret(id="of another issuer", end=NOW + 10**6))
    versions = SecretsManager(manager())
    names = {}
    for name in ("first", "second"):
        version = a_begun_rotation(arn, function)
        names[version] = name
        clock.now = NOW + 86400 * len(names)
        for at, is_late in blows if name == "second" else ():
            assassin.strikes(at, is_late=is_late)
            with pytest.raises(Killed):
                list(steps(provisioning, versions, version, arn=arn, rules=rules))
        assassin.strikes(None)
        list(steps(provisioning, versions, version, arn=arn, rules=rules))
    calls = list(assassin.calls)
    values = {members_of(arn, stage)["secret"]: stage for stage in (CURRENT, PREVIOUS)}
    rows = {
        names.get(row.rpartition(f"{arn[-6:]}-")[2], row): (values.get(value, "other"), start, end)
        for row, (value, start, end) in rows_of(client, tag).items()
    }
    stages = {names.get(version, "initial"): its for version, its in stages_of(arn).items()}
    authorize = provisioning.registry.authorizer.authorize
    is_good = {
        stage: verdict(partial(authorize, a_token(key=value, tag=tag))) is None for value, stage in values.items()
    }
    return rows, stages, is_good, calls


@MANY_TIMES_THE_SAME
def test_killed_at_any_call_and_begun_anew_it_ends_as_if_nothing_had_happened(
    aws: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each call of AWS and after it, in every step; rows, windows, stages and who is let in are the same.

    Of the calls, a sample: `tests/unit/functions/test_rotation_killed.py` tries each over ports in memory.
    Time is what it was when the process was killed; only the pause before a secret becomes current moves it.
    """
    function, assassin = a_function(), Assassin(monkeypatch)
    rows, stages, is_good, calls = end_of_a_rotation(aws, function, assassin)
    assert rows.keys() == {"by hand", "of another issuer", "first", "second"}
    assert [rows[name][0] for name in ("first", "second")] == [PREVIOUS, CURRENT]
    assert rows["first"][2] == rows["second"][1] + SETTLE_SECONDS + RULES.overlap
    assert stages["first"] == {PREVIOUS}
    assert stages["second"] == {CURRENT}
    assert is_good == {PREVIOUS: True, CURRENT: True}

    ends = {
        (number, is_late): end_of_a_rotation(aws, function, assassin, (number, is_late))[:3]
        for number in some(range(len(calls)), keep=3)
        for is_late in (False, True)
    }

    assert len(ends) == 2 * len(some(range(len(calls)), keep=3))
    assert [blow for blow, end in ends.items() if end != (rows, stages, is_good)] == []


@MANY_TIMES_THE_SAME
def test_killed_twice_it_ends_as_if_nothing_had_happened(
    aws: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt, too: it has less to do, so its calls are others."""
    function, assassin = a_function(), Assassin(monkeypatch)
    *expected, calls = end_of_a_rotation(aws, function, assassin)

    for first in some(range(1, len(calls), 4), keep=2):
        ended = end_of_a_rotation(aws, function, assassin, (first, True), (first // 2, True))
        assert list(ended[:3]) == expected, first


@pytest.mark.parametrize("done", range(1, 5))
def test_between_any_two_steps_everybody_is_let_in(aws: "DynamoDBClient", done: int) -> None:
    """Whether or not it ever goes on: what the issuer reads verifies."""
    clock = Clock(NOW)
    provisioning = provisioning_in(aws, clock)
    a_profile(aws)
    arn = a_secret()
    provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="by hand", end=NOW + 10**6))
    versions = SecretsManager(manager())
    list(steps(provisioning, versions, a_begun_rotation(arn, a_function()), *STEPS[:done], arn=arn))

    for key in (members_of(arn)["secret"], HMAC_KEY):
        token = a_token(key=key, tag=TAG)
        assert provisioning.registry.authorizer.authorize(token).sip_username == "alice"
